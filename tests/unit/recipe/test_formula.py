"""Formulas before they reach a database: what they are parsed to, which types, what is told."""

import subprocess
import sys
from decimal import Decimal

import pytest

from recipe import Column, RecipeError, Table, check
from recipe.errors import Misfit
from recipe.formula.function import FUNCTIONS
from recipe.formula.functions import SIGNATURES
from recipe.formula.parser import parse_formula
from recipe.formula.tree import Call, Literal, Named, Node
from recipe.tables import COLUMN_TYPES, ColumnType

TYPES: dict[str, ColumnType] = {
    "name": "text",
    "status": "text",
    "age": "integer",
    "weight": "decimal",
    "joined": "date",
    "seen": "timestamp",
    "active": "boolean",
    "answers": "json",
}
PEOPLE = Table(
    table_id="t1",
    display_name="people",
    physical_name="source_1",
    schema_name="org",
    relation="v_1",
    columns=tuple(Column(name=name, physical=name, type=kind) for name, kind in TYPES.items()),
)


def written(node: Node) -> str:
    """The tree with a bracket round every call."""
    match node:
        case Literal():
            return repr(node.value)
        case Named():
            return f"[{node.name}]"
        case Call():
            return f"({node.name} {' '.join(written(each) for each in node.arguments)})"


def checked(formula: str) -> tuple[list[RecipeError], ColumnType | None]:
    steps = [
        {"type": "source", "table": "people"},
        {"type": "add_column", "name": "x", "expression_type": "formula", "formula": formula},
    ]
    found = check({"steps": steps}, {"people": PEOPLE})
    return found.errors, None if found.errors else found.steps[-1][-1].type


def told(formula: str) -> list[tuple[str, str]]:
    return [(error.code, error.message) for error in checked(formula)[0]]


@pytest.mark.parametrize(
    ("formula", "tree"),
    [
        ("=1+2*3", "(+ 1 (* 2 3))"),
        ("1 - 2 - 3", "(- (- 1 2) 3)"),
        ("=2^3^2", "(^ (^ 2 3) 2)"),
        ("=-2^2", "(^ -2 2)"),
        ("=2^-1", "(^ 2 -1)"),
        ("=-[a]^2", "(^ (-x [a]) 2)"),
        ("=--[a]", "(-x (-x [a]))"),
        ("=+[a]", "[a]"),
        ("=[a]&[b]=[c]+1", "(= (& [a] [b]) (+ [c] 1))"),
        ("=1+2+3+4", "(+ 1 2 3 4)"),
        ("=7%3*2", "(* (% 7 3) 2)"),
        ("=1<2=TRUE", "(= (< 1 2) True)"),
        ('="a ""b"""', "'a \"b\"'"),
        ("=[a]]b]", "[a]b]"),
        ("=[a[1]]]+1", "(+ [a[1]] 1)"),
        ("=if(true, Left([n]), false())", "(IF True (LEFT [n]) False)"),
        ("\n= \t( 1.50 )\u00a0", "Decimal('1.50')"),
        ("=.5e-3", "Decimal('0.0005')"),
    ],
)
def test_signs_bind_as_in_excel(formula: str, tree: str) -> None:
    assert written(parse_formula(formula)) == tree


def test_positions_count_from_1_in_what_was_written() -> None:
    tree = parse_formula('= LEFT([name], 2) & "x"')
    assert isinstance(tree, Call)
    left, text = tree.arguments
    assert isinstance(left, Call)
    assert (tree.position, left.position, text.position) == (19, 3, 21)
    assert [argument.position for argument in left.arguments] == [8, 16]


@pytest.mark.parametrize(
    ("formula", "part"),
    [
        ("", "empty"),
        (" = ", "empty"),
        ("=IF([age]>18,1,0", "opened at 4 is not closed"),
        ("=1+", "ends too early, at 3"),
        ("=1 2", "'2' at 4"),
        ("=(1))", "')' at 5"),
        ("=IF(1,,2)", "',' at 7"),
        ("=IF(1;2)", "';' at 6: a comma"),
        ('="abc', "'\"' at 2: the text that begins there has no closing quote"),
        ("=[abc", "'[' at 2: the column's name"),
        ("='abc'", "double quotes"),
        ("=\u201cabc\u201d", "straight quotes"),
        ("=[age] != 1", "written <>"),
        ("=age + 1", "brackets, [age]"),
    ],
)
def test_what_cannot_be_parsed_is_told_with_its_place(formula: str, part: str) -> None:
    ((code, message),) = told(formula)
    assert code == "formula_syntax"
    assert part in message


@pytest.mark.parametrize("opening", ["(", "ABS(", "-", "IF(TRUE,1,", "1-(", "1^(", '""&('])
def test_deep_nesting_is_told_or_taken_and_never_breaks(opening: str) -> None:
    many = opening * (8_000 // len(opening))
    for formula in (many, many + "1", many + "1" + ")" * many.count("(")):
        for code, _ in told(f"={formula[:8191]}"):
            assert code == "formula_syntax"


def test_nesting_has_a_limit_and_runs_of_a_sign_have_none() -> None:
    assert told("=" + "ABS(" * 31 + "[age]" + ")" * 31) == []
    ((_, message),) = told("=" + "ABS(" * 32 + "[age]" + ")" * 32)
    assert "more than 32 levels deep at 2;" in message
    assert told("=[age]" + "+[age]" * 200) == []


def test_a_formula_has_a_length_and_a_number_of_parts() -> None:
    assert [code for code, _ in told('="' + "a" * 8_189 + '"')] == []
    assert [code for code, _ in told('="' + "a" * 8_190 + '"')] == ["bad_value"]
    ((code, message),) = told("=1" + "+1" * 1_000)
    assert (code, "1000" in message) == ("formula_syntax", True)


def test_without_a_formula_a_field_is_missing() -> None:
    step = {"type": "add_column", "name": "x", "expression_type": "formula"}
    found = check({"steps": [{"type": "source", "table": "people"}, step]}, {"people": PEOPLE})
    assert [(e.step, e.field, e.code) for e in found.errors] == [(1, "formula", "missing_field")]


@pytest.mark.parametrize(
    ("formula", "kind"),
    [
        ("=[age]+1", "integer"),
        ("=[age]+[weight]", "decimal"),
        ("=[age]/1", "decimal"),
        ("=[age]^2", "decimal"),
        ("=[joined]+1", "date"),
        ("=[seen]-[age]", "timestamp"),
        ("=[joined]-[joined]", "integer"),
        ("=1&2", "text"),
        ("=[age]>1", "boolean"),
        ("=IF([active],[age],[weight])", "decimal"),
        ('=IF([active],[age],"")', "integer"),
        ("=IF([active],[joined],[seen])", "timestamp"),
        ('=IF([active],"","")', "text"),
        ("=IFS([active],[joined])", "date"),
        ('=SWITCH([name],"a",1,"b",2.5)', "decimal"),
        ("=COALESCE([age],0)", "integer"),
        ("=ROUND([weight])", "integer"),
        ("=ROUND([weight],1)", "decimal"),
        ("=ROUND([weight],[age])", "decimal"),
        ("=FLOOR([weight])", "integer"),
        ("=CEILING([weight],0.5)", "decimal"),
        ("=ABS([weight])", "decimal"),
        ("=MAX([joined],[seen])", "timestamp"),
        ("=MOD([age],[age])", "integer"),
        ("=EOMONTH([seen],1)", "date"),
        ('=DATEADD([seen],1,"DAY")', "timestamp"),
        ("=TEXT([answers])", "text"),
        ("=[answers]&[joined]&[active]", "text"),
        ("=[age]=[weight]", "boolean"),
        ('=[age]=""', "boolean"),
        ('=[joined]>="2024-02-29"', "boolean"),
        ("=[joined]=[seen]", "boolean"),
    ],
)
def test_every_formula_has_a_type(formula: str, kind: ColumnType) -> None:
    assert checked(formula) == ([], kind)


@pytest.mark.parametrize(
    ("formula", "code", "part"),
    [
        ("=LEFFT([name],2)", "unknown_function", "function LEFFT at 2; did you mean LEFT?"),
        ("=[nmae]&1", "unknown_column", "'nmae', as at 2. Did you mean 'name'?"),
        ("=[name]+1", "wrong_type", "'+' at 8 takes integer or decimal or date or timestamp, but"),
        ("=[name]+1", "wrong_type", "[name] at 2 is text; VALUE(…)"),
        ("=LEFT([age],1)", "wrong_type", "LEFT at 2 takes text, but [age] at 7 is integer; TEXT("),
        ("=YEAR([name])", "wrong_type", "DATEVALUE(…) makes it date"),
        ("=[name]<[status]", "wrong_type", "[name] at 2 is text and cannot be compared"),
        ("=[answers]=[answers]", "wrong_type", "json"),
        ("=[active]=1", "wrong_type", "boolean"),
        ("=IF([age],1,2)", "wrong_type", "takes boolean, but [age] at 5"),
        ('=IF([active],1,"x")', "wrong_type", '"x" at 16 does not go with 1 at 14'),
        ("=[joined]+[joined]", "wrong_type", "both dates"),
        ("=1-[joined]", "wrong_type", "takes no date (at 4) from integer (at 2)"),
        ("=[seen]-[seen]", "wrong_type", "DATEDIF"),
        ("=MIN([age],[joined])", "wrong_type", "[age] at 6 is a number, [joined] at 12 a date"),
        ("=COALESCE([answers])", "wrong_type", "TEXT(…)"),
        ('=[joined]="soon"', "bad_value", "(at 11)"),
        ('=[age]="many"', "bad_value", "whole numbers (at 8)"),
        ("=LEFT()", "missing_field", "LEFT at 2 lacks: text."),
        ("=MID([name],1)", "missing_field", "lacks: count."),
        ("=IFS([active],1,[active])", "missing_field", "IFS at 2 lacks its last value."),
        ("=ABS(1,2)", "bad_value", "ABS at 2 takes at most 1 values, not 2."),
        ("=TODAY(1)", "bad_value", "at most 0"),
        (
            '=DATEADD([joined],1,"years")',
            "bad_value",
            'no unit "years": it is one of "day", "week"',
        ),
        ("=DATEADD([joined],1,[name])", "bad_value", "'unit' written out"),
        ('=PAD([name],3," ","both")', "bad_value", 'one of "left", "right"'),
        ("=REGEXEXTRACT([name],[status])", "bad_value", "'pattern' written out"),
        ('=REGEXEXTRACT([name],"(")', "bad_value", "(at 22)"),
        ("=1e2000", "bad_value", "at 2"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place_and_a_way_out(
    formula: str, code: str, part: str
) -> None:
    ((found, message),) = told(formula)
    assert found == code
    assert part in message


def test_independent_problems_are_told_together_from_left_to_right() -> None:
    codes = [code for code, _ in told('=LEFFT([x]) & ABS("a") & [y] & MID([name], "b")')]
    assert codes == [
        *("unknown_function", "unknown_column", "wrong_type", "unknown_column"),
        *("missing_field", "wrong_type"),
    ]


def test_problems_offer_what_would_be_right() -> None:
    ((column,), _) = checked("=[agee]+1")
    ((function,), _) = checked("=SUMM(1)")
    ((mistyped,), _) = checked("=[name]*2")
    ((bare,), _) = checked("=age")
    assert column.alternatives[0] == "age"
    assert set(function.alternatives) == {signature.name for signature in SIGNATURES}
    assert mistyped.alternatives == ("age", "weight")
    assert bare.alternatives[0] == "[age]"
    assert {column.field, function.field, mistyped.field, bare.field} == {"formula"}


def test_the_catalogue_names_every_function_of_the_specification() -> None:
    assert {signature.name for signature in SIGNATURES} == {
        *["IF", "IFS", "SWITCH", "AND", "OR", "NOT", "COALESCE", "ISBLANK"],
        *[
            "CONCAT",
            "LEFT",
            "RIGHT",
            "MID",
            "LEN",
            "UPPER",
            "LOWER",
            "PROPER",
            "TRIM",
            "SUBSTITUTE",
            "FIND",
            "CONTAINS",
        ],
        *["STARTSWITH", "ENDSWITH", "REGEXEXTRACT", "REGEXREPLACE", "SPLITPART", "PAD"],
        *["ROUND", "CEILING", "FLOOR", "ABS", "MIN", "MAX", "SQRT", "LOG", "EXP", "MOD"],
        *[
            "TODAY",
            "NOW",
            "DATE",
            "YEAR",
            "QUARTER",
            "MONTH",
            "DAY",
            "WEEKDAY",
            "WEEKNUM",
            "DATEDIF",
            "DATEADD",
        ],
        *["EOMONTH", "AGE", "FORMATDATE", "TEXT", "VALUE", "DATEVALUE"],
    }


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_tells_what_a_form_needs(name: str) -> None:
    signature = FUNCTIONS[name].signature
    assert signature.help.endswith(".")
    assert set(signature.returns) <= set(COLUMN_TYPES)
    assert signature.returns
    assert all(argument.types for argument in signature.arguments)
    assert signature == type(signature).model_validate_json(signature.model_dump_json())
    assert parse_formula(signature.example)


@pytest.mark.parametrize("module", ["recipe", "recipe.formula.functions"])
def test_neither_the_language_nor_the_catalogue_loads_the_compiler(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('ibis', 'lark') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_tree_is_parsed_once() -> None:
    assert parse_formula("=1+[a]") is parse_formula("=1+[a]")


def test_a_number_keeps_all_its_digits() -> None:
    long = "0." + "1" * 60
    tree = parse_formula(f"={long}")
    assert isinstance(tree, Literal)
    assert tree.value == Decimal(long)


def test_a_misfit_of_the_grammar_is_one_finding() -> None:
    with pytest.raises(Misfit) as wrong:
        parse_formula("=(")
    assert len(wrong.value.findings) == 1
