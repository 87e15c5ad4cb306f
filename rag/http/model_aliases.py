"""Aliases of models: `RAG_MODELS__ALIASES`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_ANY = "*"


class ModelAliases:
    """Additional names of models.

    Args:
        models: The name of a served model, by its alias. `*` in an alias is any text.
    """

    def __init__(self, models: Mapping[str, str]) -> None:
        self._exact = {alias: model for alias, model in models.items() if _ANY not in alias}
        self._patterns = [(_pattern(alias), model) for alias, model in models.items() if _ANY in alias]

    @property
    def names(self) -> Sequence[str]:
        """The aliases without `*`."""
        return list(self._exact)

    def model(self, name: str) -> str | None:
        """The model that has this alias: the exact alias, otherwise the first matching one with `*`."""
        if name in self._exact:
            return self._exact[name]
        return next((model for pattern, model in self._patterns if pattern.fullmatch(name)), None)


def _pattern(alias: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, alias.split(_ANY))), re.DOTALL)
