"""What the figures and pictures are made with, asked for before anything is measured."""

from __future__ import annotations

from importlib.util import find_spec

from evals.harness.eval_set import BadInput

_NEEDED = {"pytrec_eval": "pytrec_eval-terrier", "scipy": "scipy", "matplotlib": "matplotlib"}


def check_packages() -> None:
    """Raises BadInput when one is not installed."""
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise BadInput(f"evaluation needs {', '.join(missing)}: install with `pip install {' '.join(missing)}`")
