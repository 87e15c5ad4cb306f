"""The two backends of `keys`: a running service, or the catalog itself, which needs no key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import httpx

from rag.auth.audit import AuditEvent
from rag.cli.output import fail, print_message
from rag.cli.service_client import api_path, connect, list_rows, request_json
from rag.errors import RagError
from rag.types import JsonObject

if TYPE_CHECKING:
    from rag.library.audit import AuditLog
    from rag.library.keys import KeyRegistry

_PAGE_SIZE = 100
_ACTIONS = {"create": "create_key", "limit": "update_key", "revoke": "revoke_key", "rotate": "rotate_key"}
"""The operations of the API that do the same, by the names of the commands."""


class Keys(Protocol):
    """The routes of `/v1/keys`."""

    def create(self, body: JsonObject) -> JsonObject: ...

    def list(self) -> Iterator[JsonObject]: ...

    def update(self, key_id: str, body: JsonObject) -> JsonObject: ...

    def revoke(self, key_id: str) -> JsonObject: ...

    def rotate(self, key_id: str, grace_s: float) -> JsonObject: ...


class ServiceKeys:
    """The keys of a running service."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def create(self, body: JsonObject) -> JsonObject:
        return request_json(self._client, "POST", api_path("keys"), body)

    def list(self) -> Iterator[JsonObject]:
        return list_rows(self._client, api_path("keys"))

    def update(self, key_id: str, body: JsonObject) -> JsonObject:
        return request_json(self._client, "POST", api_path("keys", key_id), body)

    def revoke(self, key_id: str) -> JsonObject:
        return request_json(self._client, "DELETE", api_path("keys", key_id))

    def rotate(self, key_id: str, grace_s: float) -> JsonObject:
        return request_json(self._client, "POST", api_path("keys", key_id, "rotate"), {"grace_s": grace_s})


class CatalogKeys:
    """The keys in the catalog of `RAG_DATA_DIR` or `RAG_CATALOG__URL`, whether or not a service uses it."""

    def __init__(self, registry: KeyRegistry, audit: AuditLog | None) -> None:
        self._registry = registry
        self._audit = audit

    def create(self, body: JsonObject) -> JsonObject:
        from rag.http.v1.administration.keys import CreateKey, new_key
        from rag.http.v1.documents.objects.key import created_object
        from rag.http.validation.validation_errors import parsed

        created = self._registry.create(new_key(parsed(CreateKey, body)))
        self._note("create", created.record.key_id)
        return created_object(created).model_dump()

    def list(self) -> Iterator[JsonObject]:
        from rag.http.v1.documents.objects.key import key_object
        from rag.records import Cursor

        after: str | None = None
        while True:
            page = self._registry.page(Cursor(_PAGE_SIZE, after=after))
            yield from (key_object(key).model_dump() for key in page.rows)
            if not page.has_more:
                return
            after = page.rows[-1].key_id

    def update(self, key_id: str, body: JsonObject) -> JsonObject:
        from rag.http.v1.administration.keys import UpdateKey
        from rag.http.v1.documents.objects.key import key_object
        from rag.http.validation.validation_errors import parsed

        changes = parsed(UpdateKey, body).limits.model_dump(exclude_unset=True)
        key = self._registry.change_limits(key_id, changes)
        self._note("limit", key_id)
        return key_object(key).model_dump(exclude_unset=True)

    def revoke(self, key_id: str) -> JsonObject:
        key = self._registry.revoke(key_id)
        self._note("revoke", key_id)
        return {"id": key.key_id, "object": "api_key.deleted", "deleted": True}

    def rotate(self, key_id: str, grace_s: float) -> JsonObject:
        from rag.http.v1.documents.objects.key import created_object

        created = self._registry.rotate(key_id, grace_s)
        self._note("rotate", key_id)
        return created_object(created).model_dump()

    def _note(self, command: str, key_id: str) -> None:
        """Add an entry to the audit log, as the edge does for requests."""
        if self._audit is not None:
            action = _ACTIONS[command]
            self._audit.append([AuditEvent.of_command(f"keys {command}", action, {"key": key_id}, uid=os.getuid())])


@contextmanager
def open_keys(url: str | None) -> Iterator[Keys]:
    """The keys of the service at this URL; None: those in the catalog. Failures end the program with a message."""
    if url is not None:
        with connect(url) as client:
            yield ServiceKeys(client)
        return
    from rag.bootstrap.documents import audit_log, catalog_name, key_registry, make_files_private
    from rag.bootstrap.loaded_settings import settings

    make_files_private()
    try:
        print_message(f"Working on the catalog {catalog_name()}; set RAG_API_KEY to use a running service.")
        yield CatalogKeys(key_registry(), None if settings().audit.record == "off" else audit_log())
    except RagError as error:
        fail(error.message)
