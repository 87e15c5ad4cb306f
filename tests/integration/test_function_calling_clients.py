"""Client programs with their default settings: for Python, for Node, and Open WebUI by its requests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-untyped]

from tests.e2e.running import RunningService
from tests.support.servers.service_without_engine import engineless_service
from tests.support.v1 import open_webui_requests as open_webui

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]

MODEL = "instant"
NO_STATISTICS = {
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
}
"""The programs must not call other machines."""
SUPPORT = Path(__file__).parents[1] / "support"
NODE_CLIENTS = SUPPORT / "node_clients"
PYTHON_CLIENTS = SUPPORT / "python_clients"
AXOLOTL = b"# Axolotl\n\nAn axolotl regrows a leg in 40 days. It lives in a lake near Mexico City.\n"


@pytest.fixture(scope="module")
def service(language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("calling")
    with engineless_service(folder, language_model, target="tests.support.calling_bundle:RAG") as running:
        running.ingest({"axolotl.md": AXOLOTL})
        yield running


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("uses_responses", [False, True], ids=["chat", "responses"])
def test_langchain(service: RunningService, uses_responses: bool) -> None:
    with httpx.Client(timeout=None) as http:
        chat = ChatOpenAI(
            base_url=f"{service.url}/v1",
            api_key="none",
            model=MODEL,
            use_responses_api=uses_responses,
            http_client=http,
        )
        bound, question = chat.bind_tools([weather]), HumanMessage("What is the weather in Paris?")
        calling = bound.invoke([question])
        (call,) = calling.tool_calls
        assert (call["name"], call["args"]) == ("weather", {"city": "text"})
        returned = ToolMessage(weather(**call["args"]), tool_call_id=call["id"])
        assert "sunny in text" in bound.invoke([question, calling, returned]).text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own use of pydantic
async def test_an_agent_of_llamaindex_streams_calls(service: RunningService) -> None:
    """It reads only the first part of a call in each chunk."""
    async with httpx.AsyncClient(timeout=None) as http:
        model = OpenAILike(
            api_base=f"{service.url}/v1",
            api_key="none",
            model=MODEL,
            is_chat_model=True,
            is_function_calling_model=True,
            async_http_client=http,
        )
        answer = await FunctionAgent(tools=[weather], llm=model).run("What is the weather in Paris?")
    assert "sunny in text" in str(answer)


def test_openai_calls_a_function_in_kept_responses(service: RunningService) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none") as client:
        parameters: dict[str, Any] = {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        }
        tool = openai.types.responses.FunctionToolParam(
            type="function", name="weather", parameters=parameters, strict=False
        )
        first = client.responses.create(model=MODEL, input="What is the weather in Paris?", tools=[tool])
        (call,) = (item for item in first.output if item.type == "function_call")
        second = client.responses.create(
            model=MODEL,
            previous_response_id=first.id,
            input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny in Paris"}],
            tools=[tool],
        )
        assert "sunny in Paris" in second.output_text


@pytest.fixture(scope="module")
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs for Node, and the packages that their lock file names."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    folder = tmp_path_factory.mktemp("node") / "clients"
    shutil.copytree(NODE_CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    installed = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=300)
    if installed.returncode and "EINTEGRITY" not in installed.stderr:
        pytest.skip(f"npm cannot install the packages: {installed.stderr[-300:]}")
    assert installed.returncode == 0, installed.stderr
    return folder


@pytest.mark.parametrize("program", ["openai", "ai_sdk"])
def test_a_program_for_node_passes(service: RunningService, node_packages: Path, program: str) -> None:
    """See what it does in its file."""
    passes(service, ["node", f"{program}.mjs"], node_packages)


@pytest.fixture(scope="module")
def client_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python in an environment with the packages that the lock of the programs names."""
    folder = tmp_path_factory.mktemp("python") / "clients"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=300)
    python = folder / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    locked = ["--no-deps", "--require-hashes", "-r", str(PYTHON_CLIENTS / "requirements.txt")]
    installed = subprocess.run([*install, *locked], capture_output=True, text=True, timeout=600)
    if installed.returncode and "DO NOT MATCH THE HASHES" not in installed.stderr:
        pytest.skip(f"pip cannot install the packages: {installed.stderr[-300:]}")
    assert installed.returncode == 0, installed.stderr
    return python


@pytest.mark.parametrize("program", sorted(path.stem for path in PYTHON_CLIENTS.glob("*_program.py")))
def test_a_program_for_python_passes(service: RunningService, client_python: Path, program: str) -> None:
    """See what it does in its file."""
    passes(service, [str(client_python), str(PYTHON_CLIENTS / f"{program}.py")], client_python.parent)


def passes(service: RunningService, command: list[str], folder: Path) -> None:
    settings = {"OPENAI_BASE_URL": f"{service.url}/v1", "OPENAI_API_KEY": "none", "MODEL": MODEL}
    environment = {**os.environ, **NO_STATISTICS, **settings}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stdout.splitlines()[-1:]) == (0, ["passed"]), run.stderr


@pytest.fixture(scope="module")
def http(service: RunningService) -> Iterator[httpx.Client]:
    headers = {"authorization": "Bearer none"}
    with httpx.Client(base_url=f"{service.url}/v1", headers=headers, timeout=None) as client:
        yield client


def deltas_of(http: httpx.Client, body: dict[str, Any]) -> list[dict[str, Any]]:
    with http.stream("POST", "/chat/completions", json=body) as response:
        assert response.status_code == httpx.codes.OK, response.read()
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [choice["delta"] for line in lines[:-1] for choice in json.loads(line)["choices"]]


def test_open_webui_lists_models(http: httpx.Client) -> None:
    assert {"rag", MODEL} <= {model["id"] for model in http.get("/models").json()["data"]}


def test_open_webui_chats_with_tools(http: httpx.Client) -> None:
    parts = [call for delta in deltas_of(http, open_webui.first_chat(MODEL)) for call in delta.get("tool_calls") or []]
    arguments = "".join(part["function"].get("arguments") or "" for part in parts)
    assert (parts[0]["function"]["name"], json.loads(arguments)) == ("weather", {"city": "text"})
    call = {**parts[0], "function": {"name": "weather", "arguments": arguments}}
    answer = deltas_of(http, open_webui.chat_after_a_call(MODEL, call))
    assert "sunny in Paris" in "".join(delta.get("content") or "" for delta in answer)


def test_open_webui_sends_tools_to_rag_too(http: httpx.Client) -> None:
    assert "".join(delta.get("content") or "" for delta in deltas_of(http, open_webui.first_chat("rag")))


@pytest.mark.parametrize("model", ["rag", MODEL])
@pytest.mark.parametrize("wanted", ["a title", "tags", "follow-up questions"])
def test_open_webui_asks_for_titles_tags_and_questions(http: httpx.Client, model: str, wanted: str) -> None:
    response = http.post("/chat/completions", json=open_webui.task(model, wanted))
    assert response.json()["choices"][0]["message"]["content"], response.text


def test_open_webui_embeds_and_reranks(http: httpx.Client) -> None:
    texts = ["The axolotl lives in a lake.", "word " * 1000]
    found = http.post("/embeddings", json=open_webui.embedding("all-MiniLM-L6-v2", texts)).json()
    assert [len(each["embedding"]) for each in found["data"]] == [384, 384]
    ranked = http.post("/rerank", json=open_webui.reranking("Where does the axolotl live?", texts)).json()
    assert ranked["results"][0]["index"] == 0
    assert ranked["results"][0]["relevance_score"] > ranked["results"][1]["relevance_score"]
