"""One real service for the whole session: the engine, the encoder, Milvus Lite in a temporary folder.

It is served from a Bento that is built first, in an empty folder, as it would be deployed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bento import Bento, build_bento
from tests.e2e.running import ROOT, RunningService, start_service
from tests.support.models.small_adapters import an_adapter
from tests.support.servers.connection_record import ConnectionRecord

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


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty data folder, except for the converted language model of the working tree's data folder."""
    folder = tmp_path_factory.mktemp("data")
    models = ROOT / ".data" / "models"
    models.mkdir(parents=True, exist_ok=True)
    (folder / "models").symlink_to(models)
    return folder


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for name, text in DOCS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Bento:
    return build_bento(tmp_path_factory.mktemp("bentoml"))


@pytest.fixture(scope="session")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of the service."""
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="session")
def connections(tmp_path_factory: pytest.TempPathFactory) -> ConnectionRecord:
    """Which hosts the service has called since its start."""
    return ConnectionRecord(tmp_path_factory.mktemp("connections"))


@pytest.fixture(scope="session")
def service(
    bento: Bento,
    empty_folder: Path,
    data_dir: Path,
    language_model: Path,
    connections: ConnectionRecord,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    """The service, with the adapter `tuned`. More adapters can be loaded, the model has a second name, and tool choice
    `auto` is enabled.
    """
    tuned = an_adapter(tmp_path_factory.mktemp("adapters") / "tuned", language_model)
    options: Any = {
        "RAG_LLM__ADAPTERS": json.dumps({"tuned": str(tuned)}),
        "RAG_LLM__RUNTIME_ADAPTERS": "true",
        "RAG_LLM__TOOL_PARSER": "hermes",
        "RAG_LLM__ENGINE__SERVED_MODEL_NAME": json.dumps([language_model.name, "gpt-4o-mini"]),
        "BENTOML_HOME": str(bento.home),
        "PYTHONPATH": str(connections.folder),  # without this working tree: the code is the Bento's
    }
    log = tmp_path_factory.mktemp("log") / "service.log"
    data = Path(os.path.relpath(data_dir, empty_folder))  # the services of a Bento run in another folder
    running = start_service(data, log, target=bento.tag, cwd=empty_folder, **options)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.end()


@pytest.fixture(scope="session")
def filled(service: RunningService, documents: Path) -> RunningService:
    """The service, with the documents ingested."""
    answer = service.ingest({name: (documents / name).read_bytes() for name in DOCS})
    assert [file["change"] for file in answer["files"]] == ["added"] * len(DOCS)
    return service


ENDS_THE_SERVICE = "test_service_end.py"
"""Its tests kill the engine and stop the service, so they come last."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, and extends their timeout to allow for the engine's start."""
    own = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in own:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(600))
    items.sort(key=lambda item: item in own and item.path.name == ENDS_THE_SERVICE)
