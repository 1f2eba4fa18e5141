# Lists the recipes.
default:
    @just --list

# Starts everything on this machine and leaves it running; Ctrl-C stops it.
up *ARGS:
    uv run dalgo up {{ARGS}}

# Stops everything that `up` started.
down:
    uv run dalgo down

# The main job from a file to a result, on real servers.
demo *ARGS:
    uv run dalgo demo {{ARGS}}

# All tests, on all cores, each with a real PostgreSQL and a real NATS started from the wheels.
test *ARGS:
    uv run pytest -n auto --maxprocesses 4 --dist loadfile {{ARGS}}

# Format, lint, types, import rules, generated files: what must be green at every commit.
check:
    uv run ruff format --check
    uv run ruff check
    uv run basedpyright
    uv run lint-imports
    uv run python scripts/files.py --check
    uv run python scripts/interfaces.py --check
    uv run python scripts/language.py --check
    uv run python scripts/states.py --check
    uv run python scripts/shares.py --check

# Formats and mends what can be mended.
fmt:
    uv run ruff format
    uv run ruff check --fix

# Writes what is generated: the pages of files, of the language, of a run's states and of shares, OpenAPI and its TypeScript types, golden SQL, goldens of new messages.
generate:
    uv run python scripts/files.py
    uv run python scripts/interfaces.py
    uv run python scripts/language.py
    uv run python scripts/states.py
    uv run python scripts/shares.py
    uv run python tests/golden/generate_recipe.py
    GENERATE=1 uv run pytest -q tests/unit/contracts

# Resolves anew and writes the tested versions into pyproject.toml.
relock:
    uv lock --upgrade
    uv run python scripts/relock.py

# One bench, by name (docs/benches.md): numbers as JSON on the last line.
bench NAME *ARGS:
    uv run python -m bench.{{NAME}} {{ARGS}}

# Conformance cases run through the whole product, by area: `just cases recipes [DIR]`.
cases WHAT *ARGS:
    uv run python -m bench.cases_{{WHAT}} {{ARGS}}

# The HTTP interface against its OpenAPI document, with so many generated requests an operation.
openapi EXAMPLES="200":
    OPENAPI_EXAMPLES={{EXAMPLES}} uv run pytest -q tests/e2e/test_openapi.py --timeout 0

# Runs against everything that dies (CHAOS_RUNS, 500 unless said): what was done and found, JSON on the last line.
chaos:
    uv run python -m tests.chaos
