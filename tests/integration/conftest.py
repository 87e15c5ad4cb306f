from __future__ import annotations

from tests.support.postgres import postgres
from tests.support.v1_fixtures import app

__all__ = ["app", "postgres"]
