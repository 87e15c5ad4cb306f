"""One real service for the whole session: the engine, the encoder, Milvus Lite in a temporary folder.

It is served from a Bento that is built first, in an empty folder, as it would be deployed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bento import Bento, build_bento
from tests.e2e.running import ROOT, RunningService, start_service, wait_until
from tests.e2e.shared_service import SharedService
from tests.support.shared_folder import shared_folder
from tests.support.small_adapters import an_adapter

AXOLOTL = """# Axolotl

The axolotl is a salamander from Lake Xochimilco near Mexico City. It keeps its gills for its whole life and can
regrow a lost leg in about forty days.
"""
PRINTING = """# Printing

## Press

Johannes Gutenberg built his printing press in Mainz around 1440. It used movable metal type and an ink based on oil.

## Paper

Paper came to Europe from China by way of Samarkand.
"""
SIZES = "Die Größe des Saals beträgt 42 Meter. 東京タワーの高さは333メートルです。\nThe hall was finished in 1911.\n"
TIDES = """<html><head><title>Tides</title></head><body><h1>Tides</h1>
<p>Spring tides follow the full and the new moon, when sun and moon pull along one line.</p>
<script>ignored()</script></body></html>"""
DOCS = {
    "animals/axolotl.md": AXOLOTL,
    "machines/printing.md": PRINTING,
    "notes/größe.txt": SIZES,
    "web/tides.html": TIDES,
}


ENDS_THE_SERVICE = "test_service_end.py"
"""Its tests kill the engine and stop the service. They come last, and wait until all others have ended."""


@pytest.fixture(scope="session")
def shared() -> SharedService:
    """What the processes of xdist share."""
    return SharedService(shared_folder())


@pytest.fixture(scope="session")
def data_dir(shared: SharedService) -> Path:
    """An empty data folder, except for the converted language model of the working tree's data folder."""
    folder = shared.folder / "data"
    models = ROOT / ".data" / "models"
    with shared.once("data") as is_first:
        if is_first:
            models.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            (folder / "models").symlink_to(models)
    return folder


@pytest.fixture(scope="session")
def documents(shared: SharedService) -> Path:
    folder = shared.folder / "documents"
    with shared.once("documents"):
        for name, text in DOCS.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def bento(shared: SharedService) -> Bento:
    home, tag = shared.folder / "bentoml", shared.folder / "bento.tag"
    with shared.once("bento") as is_first:
        if is_first:
            home.mkdir(exist_ok=True)
            tag.write_text(build_bento(home).tag)
    return Bento(home, tag.read_text())


@pytest.fixture(scope="session")
def empty_folder(shared: SharedService) -> Path:
    """The working directory of the service."""
    folder = shared.folder / "empty"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def service(
    shared: SharedService, bento: Bento, empty_folder: Path, data_dir: Path, language_model: Path
) -> Iterator[RunningService]:
    """The service, with the adapter `tuned`. More adapters can be loaded, the model has a second name, and tool choice
    `auto` is enabled.
    """

    def start() -> RunningService:
        tuned = an_adapter(shared.folder / "adapters" / "tuned", language_model)
        options: Any = {
            "RAG_LLM__ADAPTERS": json.dumps({"tuned": str(tuned)}),
            "RAG_LLM__RUNTIME_ADAPTERS": "true",
            "RAG_LLM__TOOL_PARSER": "hermes",
            "RAG_LLM__ENGINE__SERVED_MODEL_NAME": json.dumps([language_model.name, "gpt-4o-mini"]),
            "BENTOML_HOME": str(bento.home),
            "PYTHONPATH": "",
        }
        return start_service(data_dir, shared.folder / "service.log", target=bento.tag, cwd=empty_folder, **options)

    with shared.used(start) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="session")
def filled(shared: SharedService, service: RunningService, documents: Path) -> RunningService:
    """The service, with the documents ingested."""
    with shared.once("ingestion") as is_first:
        if is_first:
            answer = service.ingest({name: (documents / name).read_bytes() for name in DOCS})
            assert [file["change"] for file in answer["files"]] == ["added"] * len(DOCS)
    return service


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, shared: SharedService) -> Iterator[None]:
    """Keeps the tests of other processes away from a test with the marker `alone`."""
    if request.path.name == ENDS_THE_SERVICE:
        others = [item for item in request.session.items if is_own(item) and item.path.name != ENDS_THE_SERVICE]
        wait_until(lambda: ended_tests() >= len(others), 500, "tests of other processes have not ended")
    with shared.turn(alone=request.node.get_closest_marker("alone") is not None):
        yield


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Counts the tests that have ended, whether they were run or skipped."""
    if is_own(item):
        with (shared_folder() / "ended").open("a") as ended:
            ended.write(f"{item.nodeid}\n")


def ended_tests() -> int:
    ended = shared_folder() / "ended"
    return len(ended.read_text().splitlines()) if ended.exists() else 0


def is_own(item: pytest.Item) -> bool:
    return item.path.is_relative_to(Path(__file__).parent)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, and extends their timeout to allow for the engine's start."""
    own = [item for item in items if is_own(item)]
    for item in own:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(600))
    items.sort(key=lambda item: item in own and item.path.name == ENDS_THE_SERVICE)
