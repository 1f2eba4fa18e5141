"""The base of everything that stands in a recipe: frozen, strict, written back as it was read."""

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Part(BaseModel):
    """A piece of a recipe. Unknown fields are errors; fields left out stay left out in JSON."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    # No return type: with one, pydantic would describe the JSON as that type and not by its fields.
    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler):  # noqa: ANN202
        content: dict[str, object] = handler(self)
        written: dict[str, object] = {}
        for name, field in type(self).model_fields.items():
            if name in self.model_fields_set:
                alias = field.alias or name
                written[alias] = content[alias if alias in content else name]
        return written
