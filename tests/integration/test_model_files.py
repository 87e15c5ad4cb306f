"""Which folder holds a model, and what is said when none does. No model is loaded here."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rag.adapters import model_files
from rag.config import EmbedderSettings, LLMSettings, Settings
from rag.errors import SetupError

ASK_THE_HUB = """
import sys
from rag.adapters import model_files
from rag.config import LLMSettings, Settings
from rag.errors import SetupError
model_files.HUB_TIMEOUT_S = 1.0
try:
    print(model_files.llm_folder(Settings(llm=LLMSettings(model="org/name"))))
except SetupError as error:
    print(error.message)
"""


def settings(model: str | None, data_dir: Path = Path(".data")) -> Settings:
    return Settings(data_dir=data_dir, llm=LLMSettings(model=model), embedder=EmbedderSettings(model=model))


def test_a_local_folder_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for find in (model_files.llm_folder, model_files.tokenizer_folder, model_files.embedder_folder):
        assert find(settings(str(tmp_path))) == str(tmp_path)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"RAG_EMBEDDER__MODEL: the folder .* config\.json is missing"):
        model_files.embedder_folder(settings(str(tmp_path)))


@pytest.mark.parametrize("path", ["./nope", "/nope/model", "~/no/such/model", "a/b/c"])
def test_a_path_that_is_not_there_is_no_hub_id(path: str) -> None:
    with pytest.raises(SetupError, match="there is no folder"):
        model_files.llm_folder(settings(path))


def test_the_embedded_encoder_lies_in_its_package() -> None:
    assert (Path(model_files.embedder_folder(settings(None))) / "model.safetensors").is_file()


def test_the_converted_model_is_used_once_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "models" / model_files.SMOLLM2_FOLDER
    folder.mkdir(parents=True)
    assert model_files.llm_folder(settings(None, tmp_path)) == str(folder)


def test_a_failed_conversion_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(source: Path, target: Path) -> None:
        (target / "model.safetensors").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_files, "_convert", break_off)
    left_over = tmp_path / "models" / f".{model_files.SMOLLM2_FOLDER}.part-old"
    left_over.mkdir(parents=True)
    with pytest.raises(SetupError, match="No space left on device; see RAG_DATA_DIR"):
        model_files.llm_folder(settings(None, tmp_path))
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".lock"]


# --- the hub, played by a local server -------------------------------------------------------


def hub_answer(url: str, cache: Path, **environment: str) -> str:
    variables = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(cache), **environment}
    done = subprocess.run(
        [sys.executable, "-c", ASK_THE_HUB], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[str]:
    status, code = request.param

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"error": "no"}).encode()
            self.send_response(status)
            self.send_header("x-error-code", code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("hub", "advice"),
    [
        ((403, "GatedRepo"), "accept its licence"),
        ((404, "RepoNotFound"), "check the spelling"),
        ((401, ""), "HF_TOKEN"),
        ((503, ""), "the hub answered 503"),
    ],
    indirect=["hub"],
)
def test_each_refusal_says_what_to_do(hub: str, advice: str, tmp_path: Path) -> None:
    assert advice in hub_answer(hub, tmp_path)


def test_a_hub_that_never_answers_does_not_hang_us(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = hub_answer(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path)
    assert "the hub cannot be reached" in answer


def test_offline_is_named(tmp_path: Path) -> None:
    assert "HF_HUB_OFFLINE forbids" in hub_answer("http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1")
