"""Which folder holds a model, and the error if none does. No model is loaded here."""

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

HUB_SCRIPT = """
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


def test_a_local_folder_is_used_unchanged(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for find in (model_files.llm_folder, model_files.tokenizer_folder, model_files.embedder_folder):
        assert find(settings(str(tmp_path))) == str(tmp_path)


def test_a_folder_without_a_model_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"RAG_EMBEDDER__MODEL: the folder .* config\.json is missing"):
        model_files.embedder_folder(settings(str(tmp_path)))


@pytest.mark.parametrize("path", ["./nope", "/nope/model", "~/no/such/model", "a/b/c"])
def test_a_missing_path_is_not_taken_for_a_hub_id(path: str) -> None:
    with pytest.raises(SetupError, match="there is no folder"):
        model_files.llm_folder(settings(path))


def test_the_embedded_encoder_is_in_its_package() -> None:
    assert (Path(model_files.embedder_folder(settings(None))) / "model.safetensors").is_file()


def test_an_existing_converted_model_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "models" / model_files.SMOLLM2_FOLDER
    folder.mkdir(parents=True)
    assert model_files.llm_folder(settings(None, tmp_path)) == str(folder)


def test_a_failed_conversion_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_midway(source: Path, target: Path) -> None:
        (target / "model.safetensors").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_files, "_convert", fail_midway)
    stale_folder = tmp_path / "models" / f".{model_files.SMOLLM2_FOLDER}.part-old"
    stale_folder.mkdir(parents=True)
    with pytest.raises(SetupError, match="No space left on device; see RAG_DATA_DIR"):
        model_files.llm_folder(settings(None, tmp_path))
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".lock"]


# --- the hub, simulated by a local server -------------------------------------------------------


def run_against_hub(url: str, cache: Path, **environment: str) -> str:
    variables = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(cache), **environment}
    done = subprocess.run([sys.executable, "-c", HUB_SCRIPT], env=variables, capture_output=True, text=True, check=True)
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
def test_every_error_says_what_to_do(hub: str, advice: str, tmp_path: Path) -> None:
    assert advice in run_against_hub(hub, tmp_path)


def test_a_hub_that_never_answers_times_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = run_against_hub(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path)
    assert "the hub cannot be reached" in answer


def test_offline_mode_is_named_in_the_error(tmp_path: Path) -> None:
    assert "HF_HUB_OFFLINE forbids" in run_against_hub("http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1")
