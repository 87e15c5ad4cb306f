from __future__ import annotations

from tests.support.v1.v1_fixtures import app, shared_app

__all__ = ["app", "shared_app"]
