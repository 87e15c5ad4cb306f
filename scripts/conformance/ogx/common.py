"""In the place of OGX's `tests/integration/fixtures/common.py`: the names that the suites import from it."""

from __future__ import annotations

from tests.integration.conftest import compat_client, ogx_client, openai_client, require_server

__all__ = ["compat_client", "ogx_client", "openai_client", "require_server"]
