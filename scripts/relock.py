"""Writes the versions in uv.lock as `constraint-dependencies` into the root pyproject.toml.

uv.lock names the hosts that packages came from, so it stays out of the repository; these lines
give every clone the versions that were tested.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def _pins(package: dict[str, Any]) -> list[str]:
    """One requirement a package; one for each environment where uv chose several versions."""
    pin = f"{package['name']}=={package['version']}"
    markers = package.get("resolution-markers", [])
    return [f"{pin} ; {marker}" for marker in markers] or [pin]


def main() -> None:
    """Replace the list in place."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    pins = sorted(
        pin for package in packages if "registry" in package["source"] for pin in _pins(package)
    )
    listed = "".join(f'    "{pin}",\n' for pin in pins)
    path = ROOT / "pyproject.toml"
    text, count = re.subn(
        r"constraint-dependencies = \[[^\]]*\]",
        f"constraint-dependencies = [\n{listed}]",
        path.read_text(),
    )
    if count != 1:
        raise SystemExit("pyproject.toml has no single list of constraint-dependencies")
    path.write_text(text)


if __name__ == "__main__":
    main()
