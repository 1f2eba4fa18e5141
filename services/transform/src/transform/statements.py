"""The statements of builds: compiled, vouched for and written out once for all versions of their inputs."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from contracts.tables import Column, TableVersion
from recipe import Context, Table
from recipe.checks import DataCheck
from transform.compiler import Compiler

_VERSION = re.compile(r"v_[0-9a-v]{26}")


@dataclass(frozen=True)
class Statement:
    """A recipe over certain versions, ready to run."""

    sql: str
    readable: str
    """The same for people."""
    columns: tuple[Column, ...]
    checks: tuple[DataCheck, ...]


class Statements:
    """Puts versions into what was compiled over stand-ins for them.

    Every run reads other versions, and compiling is the longest part of a small build. A stand-in's
    name holds a word that nobody knows, so that it occurs nowhere but as the name of a table.
    """

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._word = secrets.token_hex(8)

    async def over(
        self, org_id: UUID, recipe: object, tables: Mapping[str, Table], context: Context
    ) -> Statement:
        """A recipe over tables that are versions.

        Raises a 422 problem with every error at its step, and a 500 problem for a statement that
        may not run.
        """
        stand_ins = {
            name: table.model_copy(update={"relation": f"v_{self._word}_{table.table_id}"})
            for name, table in tables.items()
        }
        compiled = await self._compiler.statement(org_id, recipe, stand_ins, context, readable=True)
        places = {
            stand_ins[name].relation: _checked(table.relation) for name, table in tables.items()
        }
        return Statement(
            sql=_put(compiled.sql, places),
            readable=_put(compiled.readable or "", places),
            columns=compiled.columns,
            checks=tuple(replace(check, sql=_put(check.sql, places)) for check in compiled.checks),
        )


def fingerprint(statement: Statement, inputs: Sequence[TableVersion]) -> str:
    """Equal when the same statement and checks run over the same versions (SHA-256, hex)."""
    checks = [f"{check.severity} {check.sql}" for check in statement.checks]
    versions = sorted(version.version_id.hex for version in inputs)
    return hashlib.sha256("\n".join([statement.sql, *checks, *versions]).encode()).hexdigest()


def _put(text: str, places: Mapping[str, str]) -> str:
    for stand_in, relation in places.items():
        text = text.replace(stand_in, relation)
    return text


def _checked(relation: str) -> str:
    if _VERSION.fullmatch(relation) is None:
        raise ValueError(f"{relation!r} is not the name of a version")
    return relation
