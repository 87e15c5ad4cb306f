"""The base of the JSON bodies of BentoML APIs."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Self

from _bentoml_sdk.service.openapi import REF_TEMPLATE
from bentoml import IODescriptor
from bentoml._internal.service.openapi.specification import Schema
from pydantic import ConfigDict, GetCoreSchemaHandler, PrivateAttr, ValidationError
from pydantic_core import CoreSchema
from starlette.requests import ClientDisconnect, Request

from rag.errors import InvalidRequest, RagError
from rag.http.fields.fail_fast import fail_fast, without_nulls
from rag.http.validation.json_limits import check_members
from rag.http.validation.unicode_check import check_unicode
from rag.http.validation.validation_errors import first_fault

_BENTOML_KEYWORDS = frozenset(inspect.signature(Schema).parameters)


class WireModel(IODescriptor):
    """A JSON body of a BentoML API. An invalid body sets `refused`, and the endpoint answers with our error body.

    BentoML's error body is a different one, and a body that is not an object would be a 500 (docs/bentoml_issues.md#b7,
    docs/bentoml_issues.md#b18).
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    _refused: RagError | None = PrivateAttr(default=None)

    @property
    def refused(self) -> RagError | None:
        return self._refused

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return fail_fast(super().__get_pydantic_core_schema__(source, handler))

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The schema without BentoML's `root_input` mark, so that its clients take the fields as keywords."""
        schema = super().model_json_schema(*args, **kwargs)
        schema.pop("root_input", None)
        return schema

    @classmethod
    def openapi_components(cls, name: str) -> dict[str, Schema]:
        """Schemas for the description that BentoML writes into a Bento, with only the keywords that its `Schema` knows.

        Swagger UI shows another one (`rag.http.published_api`). See docs/bentoml_issues.md#b24.
        """
        schema = cls.model_json_schema(ref_template=REF_TEMPLATE)
        schemas = {**schema.pop("$defs", {}), cls.__name__: {**schema, "title": cls.__name__}}
        return {
            title: Schema(**{keyword: value for keyword, value in part.items() if keyword in _BENTOML_KEYWORDS})
            for title, part in schemas.items()
        }

    @classmethod
    def refuse(cls, error: RagError) -> Self:
        model = cls.model_construct()
        model._refused = error
        return model

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Self:
        try:
            return cls.parse(json_object(request.headers.get("content-type"), await request.body()))
        except RagError as error:
            return cls.refuse(error)
        except ClientDisconnect:  # nobody receives the response
            return cls.refuse(InvalidRequest("the client disconnected before its request was read"))

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate a JSON object.

        Raises:
            InvalidRequest: names the first invalid field.
        """
        try:
            return cls.model_validate(without_nulls(cls, data))
        except ValidationError as error:
            raise first_fault(error) from None


def json_object(content_type: str | None, body: bytes) -> Mapping[str, Any]:
    """The body as a JSON object. Raises InvalidRequest if it is anything else."""
    media_type = (content_type or "application/json").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise InvalidRequest(
            f"content type {media_type[:80]!r} is not supported; send application/json", param="content-type"
        )
    if not body.strip():
        raise InvalidRequest("the body is empty; send a JSON object")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not valid JSON") from None
    if not isinstance(data, dict):
        kind = {list: "an array", str: "a string", type(None): "null"}.get(type(data), "a number or boolean")
        raise InvalidRequest(f"the body is {kind}; send a JSON object")
    check_members(body, data)
    check_unicode(body, data)
    return data
