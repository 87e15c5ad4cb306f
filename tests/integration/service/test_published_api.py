"""The running service matches its published OpenAPI document: no request causes a 5xx or an undocumented response.

schemathesis generates the requests. They delete and change data, so these tests come last.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.running import RunningService
from tests.support.tenants import new_batch, new_upload

pytestmark = pytest.mark.integration

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "unsupported_method", "allow_header_conformance"),
)
LIMIT_S = 3600


def test_bentomls_schema_lists_the_same_apis(service: RunningService) -> None:
    """BentoML's clients read /schema.json; people read /docs.json."""
    bentoml_routes = {route["route"] for route in service.get("/schema.json").json()["routes"]}
    native_routes = {path for path in service.get("/docs.json").json()["paths"] if not path.startswith("/v1")}
    assert bentoml_routes == native_routes - {"/readyz", "/livez", "/healthz", "/metrics"}


def test_swagger_ui_shows_the_document(service: RunningService) -> None:
    page = service.get("/").text
    assert "swagger-initializer.js" in page
    assert 'url: "./docs.json"' in service.get("/static_content/swagger-initializer.js").text
    assert "/v1/vector_stores/{store}/search" in service.get("/docs.json").json()["paths"]


def test_other_methods_are_refused_with_the_allowed_ones(service: RunningService) -> None:
    for path, item in service.get("/docs.json").json()["paths"].items():
        url = service.url + re.sub(r"{\w+}", "default", path)
        answer = httpx.request("PATCH", url, headers=service.headers, timeout=30)
        allowed = {method.strip().lower() for method in answer.headers.get("allow", "").split(",")}
        assert (answer.status_code, allowed - {"head"}) == (405, set(item)), path
        assert answer.json()["error"]["code"] == "method_not_allowed"


def openai_routes() -> set[tuple[str, str]]:
    """Methods and paths that OpenAI's package requests."""
    call = re.compile(r'self\._(get|post|put|patch|delete)(?:_api_list)?\(\s*f?(?:path_template\(\s*)?"(/[^"?]*)')
    found: set[tuple[str, str]] = set()
    for source in (Path(openai.__file__).parent / "resources").rglob("*.py"):
        found.update(call.findall(source.read_text()))
    assert {("post", "/audio/speech"), ("get", "/files"), ("post", "/assistants/{assistant_id}")} <= found
    return found


def test_openais_routes_that_are_not_offered_get_clear_errors(service: RunningService) -> None:
    nameless = {
        (method, re.sub(r"{\w+}", "{}", path))
        for path, item in service.get("/docs.json").json()["paths"].items()
        for method in item
    }
    missing = {
        (method, re.sub(r"{\w+}", "one", path))
        for method, path in openai_routes() | {("get", "/uploads"), ("get", "/chat"), ("delete", "/embeddings")}
        if (method, re.sub(r"{\w+}", "{}", f"/v1{path}")) not in nameless
    }
    assert {("get", "/uploads"), ("post", "/audio/speech")} <= missing
    with httpx.Client(base_url=f"{service.url}/v1", headers=service.headers, timeout=30) as http:
        for method, path in sorted(missing):
            answer = http.request(method, path)
            error = answer.json()["error"]
            if answer.status_code == httpx.codes.METHOD_NOT_ALLOWED:
                expected, code = f"/v1{path} supports only {answer.headers['allow']}", "method_not_allowed"
            else:
                assert answer.status_code == httpx.codes.NOT_FOUND, (method, path)
                expected, code = f"there is no route /v1{path}", "not_found"
            assert error["message"].startswith(expected), (method, path, error)
            assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, code)


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize(
    ("phases", "examples"),
    [("examples,fuzzing", 2), pytest.param("examples,coverage,fuzzing", 20, marks=pytest.mark.long)],
    ids=["short", "long"],
)
def test_no_request_causes_a_5xx_or_an_undocumented_response(
    service: RunningService, tmp_path: Path, phases: str, examples: int
) -> None:
    """Args:
    phases: The phases of schemathesis. `coverage` generates thousands of requests systematically.
    examples: How many random requests to generate for each operation, valid and invalid.
    """
    document = document_with_existing_ids(service)
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    operations = sum(len(item) for item in document["paths"].values())
    done = schemathesis(service, path, phases, examples)
    assert done.returncode == 0, done.stdout[-12_000:]
    assert f"Tested: {operations}" in done.stdout
    passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[2]) > 2 * operations
    assert service.get("/readyz").status_code == 200


def schemathesis(
    service: RunningService, document: Path, phases: str, examples: int
) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", service.url),
        *("--header", f"Authorization: {service.headers['authorization']}"),
        *("--checks", ",".join(CHECKS), "--phases", phases, "--max-examples", str(examples)),
        *("--seed", "1", "--continue-on-failure", "--no-shrink", "--suppress-health-check", "all"),
        *("--request-timeout", "240", "--warnings", "off"),
    ]
    return subprocess.run(
        command, cwd=document.parent, capture_output=True, text=True, timeout=LIMIT_S - 30, check=False
    )


def document_with_existing_ids(service: RunningService) -> dict[str, Any]:
    """The document with existing ids as examples; otherwise nearly all paths would be 404."""
    ingested = service.ingest({"guide.md": b"# Readiness\n\nThe service is ready when the engine is."})
    file_id, batch = ingested["files"][0]["file_id"], ingested["batch_id"]
    ids = {"file_id": file_id, "job": batch, "batch": batch}
    with httpx.Client(base_url=service.url, headers=service.headers, timeout=LIMIT_S) as http:
        ids |= {"upload_id": new_upload(http), "batch_id": new_batch(http)}
    document: dict[str, Any] = service.get("/docs.json").json()
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in ids:
                    parameter["example"] = ids[parameter["name"]]
    schemas = document["components"]["schemas"]
    schemas["AttachFile"]["example"]["file_id"] = file_id
    schemas["CreateBatch"]["example"]["file_ids"] = [file_id]
    schemas["CompletionBody"]["example"]["model"] = service.get("/readyz").json()["services"]["LLM"]["model"]
    assert service.get(f"/v1/files/{file_id}").status_code == 200
    return document
