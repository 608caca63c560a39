"""A package that is not installed: the traceback names it, this says how to get it."""

from __future__ import annotations

import sys
from typing import Any


def missing_package_hint(module: str) -> str:
    """What to do about a module that cannot be found."""
    package = module.partition(".")[0]
    return f"install the package that has {package}: {sys.executable} -m pip install {package}"


def tell_missing_packages() -> None:
    """When the program ends by one that is missing, its last line on stderr, which the host shows, says so."""
    previous = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        previous(kind, error, trace)
        if isinstance(error, ModuleNotFoundError) and error.name:
            print(missing_package_hint(error.name), file=sys.stderr)

    sys.excepthook = told
