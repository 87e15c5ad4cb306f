from __future__ import annotations

from tests.postgres import postgres
from tests.v1_fixtures import app

__all__ = ["app", "postgres"]
