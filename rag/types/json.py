"""JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
JsonMapping: TypeAlias = Mapping[str, Any]
"""A JSON object that is only read."""
Facts: TypeAlias = Mapping[str, Any]
"""What a service, model or cache reports about itself, for readiness checks."""
