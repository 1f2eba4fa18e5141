# The tools to develop are a group of their own: a machine that only runs the product does without.
dev := "uv run --group dev"

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
    {{dev}} pytest -n auto --maxprocesses 4 --dist loadfile {{ARGS}}

# The tests on another PostgreSQL: `just test-postgres 15`, `just test-postgres "18 supabase"`, with ARGS of pytest after it.
test-postgres KIND *ARGS:
    TEST_POSTGRES="{{KIND}}" {{dev}} pytest {{ARGS}}

# Format, lint, types, import rules, generated files: what must be green at every commit.
check:
    {{dev}} ruff format --check
    {{dev}} ruff check
    {{dev}} basedpyright
    {{dev}} lint-imports
    {{dev}} python scripts/files.py --check
    {{dev}} python scripts/interfaces.py --check
    {{dev}} python scripts/language.py --check
    {{dev}} python scripts/states.py --check
    {{dev}} python scripts/shares.py --check
    {{dev}} python scripts/settings.py --check

# Formats and mends what can be mended.
fmt:
    {{dev}} ruff format
    {{dev}} ruff check --fix

# Writes what is generated: the pages of files, of the language, of a run's states, of shares and of settings, OpenAPI and its TypeScript types, golden SQL, goldens of new messages.
generate:
    {{dev}} python scripts/files.py
    {{dev}} python scripts/interfaces.py
    {{dev}} python scripts/language.py
    {{dev}} python scripts/states.py
    {{dev}} python scripts/shares.py
    {{dev}} python scripts/settings.py
    {{dev}} python tests/golden/generate_recipe.py
    GENERATE=1 {{dev}} pytest -q tests/unit/contracts

# Resolves anew and writes the tested versions into pyproject.toml.
relock:
    uv lock --upgrade
    uv run python scripts/relock.py

# One bench, by name (docs/benches.md): numbers as JSON on the last line.
bench NAME *ARGS:
    {{dev}} python -m bench.{{NAME}} {{ARGS}}

# Conformance cases run through the whole product, by area: `just cases recipes [DIR]`.
cases WHAT *ARGS:
    {{dev}} python -m bench.cases_{{WHAT}} {{ARGS}}

# The HTTP interface against its OpenAPI document, with so many generated requests an operation.
openapi EXAMPLES="200":
    OPENAPI_EXAMPLES={{EXAMPLES}} uv run pytest -q tests/e2e/test_openapi.py --timeout 0

# Runs against everything that dies (CHAOS_RUNS, 500 unless said): what was done and found, JSON on the last line.
chaos:
    {{dev}} python -m tests.chaos
