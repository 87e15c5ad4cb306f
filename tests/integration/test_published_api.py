"""The published OpenAPI document holds against the running service: whatever is sent, no 5xx and nothing undocumented.

schemathesis makes the requests. They delete and move what they find, so they have a service of their own, whose
language model answers at once.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import RunningService
from tests.support.service_without_engine import engineless_service

pytestmark = pytest.mark.integration

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "unsupported_method", "allow_header_conformance"),
)
LIMIT_S = 3600


@pytest.fixture(scope="module")
def own(language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with engineless_service(tmp_path_factory.mktemp("published"), language_model) as running:
        yield running


def test_bentomls_clients_learn_the_same_apis(own: RunningService) -> None:
    """They read /schema.json, people /docs.json."""
    theirs = {route["route"] for route in own.get("/schema.json").json()["routes"]}
    natives = {path for path in own.get("/docs.json").json()["paths"] if not path.startswith("/v1")}
    assert theirs == natives - {"/readyz", "/livez", "/healthz", "/metrics"}


def test_swagger_ui_shows_the_document(own: RunningService) -> None:
    page = own.get("/").text
    assert "swagger-initializer.js" in page
    assert 'url: "./docs.json"' in own.get("/static_content/swagger-initializer.js").text
    assert "/v1/vector_stores/{store}/search" in own.get("/docs.json").json()["paths"]


def test_other_methods_are_refused_and_those_that_are_allowed_are_named(own: RunningService) -> None:
    for path, item in own.get("/docs.json").json()["paths"].items():
        url = own.url + re.sub(r"{\w+}", "default", path)
        answer = httpx.request("PATCH", url, timeout=30)
        allowed = {method.strip().lower() for method in answer.headers.get("allow", "").split(",")}
        assert (answer.status_code, allowed - {"head"}) == (405, set(item)), path
        assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize(
    ("phases", "examples"),
    [("examples,fuzzing", 5), pytest.param("examples,coverage,fuzzing", 20, marks=pytest.mark.long)],
    ids=["short", "long"],
)
def test_no_request_meets_a_5xx_or_what_is_not_documented(
    own: RunningService, tmp_path: Path, phases: str, examples: int
) -> None:
    """Args:
    phases: Of schemathesis. Those of `coverage` are systematic, and thousands.
    examples: Requests made at random for each operation, right and wrong.
    """
    document = with_what_is_there(own)
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    operations = sum(len(item) for item in document["paths"].values())
    done = schemathesis(own, path, phases, examples)
    assert done.returncode == 0, done.stdout[-12_000:]
    assert f"Tested: {operations}" in done.stdout
    passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[2]) > 2 * operations
    assert own.get("/readyz").status_code == 200


def schemathesis(own: RunningService, document: Path, phases: str, examples: int) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", own.url),
        *("--checks", ",".join(CHECKS), "--phases", phases, "--max-examples", str(examples)),
        *("--seed", "1", "--continue-on-failure", "--no-shrink", "--suppress-health-check", "all"),
        *("--request-timeout", "240", "--warnings", "off"),
    ]
    return subprocess.run(
        command, cwd=document.parent, capture_output=True, text=True, timeout=LIMIT_S - 30, check=False
    )


def with_what_is_there(own: RunningService) -> dict[str, Any]:
    """The document, with ids that exist as examples: else nearly all paths would be 404."""
    added = own.ingest({"guide.md": b"# Readiness\n\nThe service is ready when the engine is."})
    file_id, batch = added["files"][0]["file_id"], added["batch_id"]
    ids = {"file_id": file_id, "job": batch, "batch": batch}
    document: dict[str, Any] = own.get("/docs.json").json()
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in ids:
                    parameter["example"] = ids[parameter["name"]]
    schemas = document["components"]["schemas"]
    schemas["AttachFile"]["example"]["file_id"] = file_id
    schemas["CreateBatch"]["example"]["file_ids"] = [file_id]
    schemas["CompletionBody"]["example"]["model"] = own.get("/readyz").json()["services"]["LLM"]["model"]
    assert httpx.get(f"{own.url}/v1/files/{file_id}", timeout=30).status_code == 200
    return document
