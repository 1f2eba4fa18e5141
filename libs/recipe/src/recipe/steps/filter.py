"""Keep rows, or remove them."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from recipe.errors import within
from recipe.hints import hint
from recipe.predicate import (
    OPERATOR_HINT,
    Comparison,
    Operator,
    Predicate,
    missing,
    needs_value,
)
from recipe.step import Step

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


_OF_ONE = ("column", "operator", "value", "other_column", "case_sensitive")
"""The fields of a single comparison."""


class Filter(Step):
    """Keep the rows that fit a condition, or (mode "remove") take them out.

    Give one comparison, or in `where` several combined with all, any and not. Empty cells never
    fit a comparison such as "equals"; they do fit its opposite, such as "not_equals".
    """

    label: ClassVar[str] = "Filter rows"
    keeps_columns: ClassVar[bool] = True

    type: Literal["filter"]
    column: str | None = Field(
        default=None, json_schema_extra=hint("column", "Column"), examples=["status"]
    )
    operator: Operator | None = Field(default=None, json_schema_extra=OPERATOR_HINT)
    value: JsonValue = Field(
        default=None, json_schema_extra=hint("value", "Value"), examples=["Active", 18]
    )
    other_column: str | None = Field(
        default=None, json_schema_extra=hint("column", "Or another column")
    )
    case_sensitive: bool | None = Field(
        default=None, json_schema_extra=hint("choice", "Upper and lower case matter")
    )
    where: Predicate | None = Field(
        default=None,
        json_schema_extra=hint("predicate", "Or several conditions"),
        examples=[{"any": [{"column": "age", "operator": "less_than", "value": 5}]}],
    )
    mode: Literal["keep", "remove"] = Field(
        default="keep",
        json_schema_extra=hint(
            "choice", "Rows that fit", labels={"keep": "Keep them", "remove": "Remove them"}
        ),
    )

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if self.where is not None:
            if any(getattr(self, field) is not None for field in _OF_ONE):
                raise PydanticCustomError(
                    "bad_value",
                    "Give either one comparison, or where; not both.",
                    {"field": "where"},
                )
            return self
        if self.column is None and self.operator is None:
            raise missing("column", "A filter needs a column and an operator, or where.")
        if self.column is None:
            raise missing("column", "A filter needs the column it looks at.")
        if self.operator is None:
            raise missing("operator", "A filter needs an operator: how it compares.")
        needs_value(self.operator, "value" in self.model_fields_set, self.other_column)
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same columns, fewer rows."""
        from recipe.conditions import condition
        from recipe.semantics import holds_not

        if self.where is not None:
            with within("where"):
                fits = condition(self.where, frame, scope.context)
        else:
            fits = condition(self._comparison(), frame, scope.context)
        return frame.filter(fits if self.mode == "keep" else holds_not(fits))

    def _comparison(self) -> Comparison:
        # Validated above; the fields were checked when the step was read.
        return Comparison.model_construct(
            column=self.column or "",
            operator=self.operator or "equals",
            value=self.value,
            other_column=self.other_column,
            case_sensitive=self.case_sensitive,
        )
