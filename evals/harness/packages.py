"""The optional packages of the harness, checked before anything is measured."""

from __future__ import annotations

from importlib.util import find_spec

from evals.harness.eval_set import InputError

_REQUIRED = {"pytrec_eval": "pytrec_eval-terrier", "scipy": "scipy", "matplotlib": "matplotlib"}


def check_packages() -> None:
    """Raises InputError if one is not installed."""
    missing = [package for module, package in _REQUIRED.items() if find_spec(module) is None]
    if missing:
        raise InputError(f"`rag eval` needs {', '.join(missing)}: run `pip install {' '.join(missing)}`")
