"""The functions of formulas, one file for each kind; `SIGNATURES` describes them as data."""

import importlib
import pkgutil

from recipe.formula.function import FUNCTIONS, Signature

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

SIGNATURES: tuple[Signature, ...] = tuple(
    function.signature
    for function in sorted(FUNCTIONS.values(), key=lambda each: each.signature.name)
    if function.signature.group != "operators"
)
"""Every function as people see it, by name."""
