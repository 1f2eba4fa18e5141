"""Sort rows into categories."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from recipe.errors import gathering, within
from recipe.hints import hint
from recipe.part import Part
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
    import ibis.expr.types as ir

    from recipe.frame import Frame
    from recipe.scope import Scope


class Rule(Part):
    """A category and when a row is in it: a comparison of the source column, or `where`."""

    operator: Operator | None = Field(default=None, json_schema_extra=OPERATOR_HINT)
    value: JsonValue = Field(default=None, json_schema_extra=hint("value", "Value"))
    other_column: str | None = Field(
        default=None, json_schema_extra=hint("column", "Or another column")
    )
    case_sensitive: bool | None = Field(
        default=None, json_schema_extra=hint("choice", "Upper and lower case matter")
    )
    where: Predicate | None = Field(
        default=None, json_schema_extra=hint("predicate", "Or several conditions")
    )
    category: str = Field(max_length=1000, json_schema_extra=hint("value", "Category"))

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if self.where is None:
            if self.operator is None:
                raise missing("operator", "A rule needs an operator, or where.")
            needs_value(self.operator, "value" in self.model_fields_set, self.other_column)
        elif self.operator is not None:
            raise PydanticCustomError(
                "bad_value", "Give either an operator, or where; not both.", {"field": "where"}
            )
        return self

    def predicate(self, source_column: str) -> Predicate:
        """The rule as a predicate on a row."""
        if self.where is not None:
            return self.where
        return Comparison.model_construct(
            column=source_column,
            operator=self.operator or "equals",
            value=self.value,
            other_column=self.other_column,
            case_sensitive=self.case_sensitive,
        )


class Categorize(Step):
    """Add a column with the category of the first rule that fits; other rows get the default.

    A rule compares the column, or says in where what a row must be like.
    """

    label: ClassVar[str] = "Categorise"

    type: Literal["categorize"]
    new_column: str = Field(
        min_length=1,
        max_length=300,
        json_schema_extra=hint("new_column", "New column"),
        examples=["age_group"],
    )
    source_column: str | None = Field(
        default=None, json_schema_extra=hint("column", "Column"), examples=["age"]
    )
    rules: tuple[Rule, ...] = Field(
        min_length=1,
        json_schema_extra=hint("list", "Rules"),
        examples=[[{"operator": "less_than", "value": 18, "category": "child"}]],
    )
    default: str | None = Field(default="Other", json_schema_extra=hint("value", "All others"))
    replace: bool = Field(
        default=False, json_schema_extra=hint("choice", "Replace the column if it exists")
    )

    @model_validator(mode="after")
    def _column_to_compare(self) -> Self:
        if self.source_column is None and any(rule.where is None for rule in self.rules):
            raise missing("source_column", "Rules without where need the column they compare.")
        return self

    @override
    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The same rows with one more column, of text."""
        import ibis

        from recipe.conditions import condition

        cases: list[tuple[ir.BooleanValue, str]] = []
        with gathering() as parts:
            if self.source_column is not None:
                with parts.at("source_column"):
                    frame.column(self.source_column)
            for index, rule in enumerate(self.rules):
                with parts.at("rules", index, *(() if rule.where is None else ("where",))):
                    fits = condition(rule.predicate(self.source_column or ""), frame, scope.context)
                    cases.append((fits, rule.category))
        category = ibis.cases(*cases, else_=self.default)
        with within("new_column"):
            return frame.put(self.new_column, "text", category, replacing=self.replace)
