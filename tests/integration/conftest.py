from __future__ import annotations

from tests.support.servers.postgres import postgres
from tests.support.v1.v1_fixtures import app

__all__ = ["app", "postgres"]
