"""What SIGTERM does. Each scenario runs in its own process; all processes run concurrently."""

from __future__ import annotations

import asyncio
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from rag.errors import Draining, RagError, Starting
from rag.http.middleware.lifecycle import Lifecycle

ROOT = Path(__file__).parents[4]
MAX_DELAY_S = 20
"""Well below the 40 s and 60 s of a wrong wait, but enough for a busy machine."""

PRELUDE = """
import asyncio, json, os, signal, time
from rag.http.middleware.lifecycle import Lifecycle

log, signalled = [], time.monotonic()

def note(what):
    log.append([what, round(time.monotonic() - signalled, 3)])

async def stopped():
    while not any(what.startswith("stop") for what, _ in log):
        await asyncio.sleep(0.005)

def terminate(number=signal.SIGTERM):
    global signalled
    signalled = time.monotonic()
    os.kill(os.getpid(), number)

def prepared(**options):
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, frame: note(f"stop {signal.Signals(n).name}"))  # in place of uvicorn's own
    life = Lifecycle("Test", **{"drain_timeout_s": 60, "idle_s": 40, **options})
    life.install_signal_handlers()
    return life
"""

SCENARIOS = {
    "an idle edge": """
        life = prepared(is_edge=True)
        terminate()
        await stopped()
    """,
    "an edge with requests": """
        life = prepared(is_edge=True)
        life.enter(); life.enter()
        terminate()
        await asyncio.sleep(0.1)
        note(f"refuses {type(life.refusal()).__name__}")
        life.leave()
        await asyncio.sleep(0.1)
        note("last leaves"); life.leave()
        await stopped()
    """,
    "a dependency": """
        life = prepared(idle_s=0.6)
        terminate()
        await asyncio.sleep(0.15)
        life.enter()
        await asyncio.sleep(0.8)
        note(f"refuses {life.refusal()}")
        note("last leaves"); life.leave()
        await stopped()
    """,
    "a deadline": """
        life = prepared(is_edge=True, drain_timeout_s=0.2)
        life.enter()
        terminate()
        await stopped()
    """,
    "actions": """
        life = prepared(is_edge=True)
        async def hold():
            note("holds")
            try:
                await asyncio.Event().wait()
            finally:
                note("lets go")
        async def fails():
            raise RuntimeError("no matter")
        life.on_drain(fails); life.on_drain(hold)
        life.enter()
        terminate()
        await asyncio.sleep(0.1)
        note("last leaves"); life.leave()
        await stopped()
        await asyncio.sleep(0.01)
    """,
    "signals again": """
        life = prepared(is_edge=True)
        life.enter()
        terminate()
        await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
        note("a second Ctrl-C")
        os.kill(os.getpid(), signal.SIGINT)
        await stopped()
    """,
}


async def run_scenario(name: str) -> list[list[Any]]:
    body = textwrap.indent(textwrap.dedent(SCENARIOS[name]), "    ")
    ending = "    print(json.dumps(log), flush=True)\n    os._exit(0)\n\nasyncio.run(main())"
    script = f"{PRELUDE}\nasync def main():\n{body}\n{ending}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()
    log: list[list[Any]] = json.loads(out)
    return log


@pytest.fixture(scope="module")
def logs() -> dict[str, list[list[Any]]]:
    """The events of each scenario, with the seconds since the signal."""

    async def run_all() -> dict[str, list[list[Any]]]:
        return dict(zip(SCENARIOS, await asyncio.gather(*map(run_scenario, SCENARIOS)), strict=True))

    return asyncio.run(run_all())


Logs = dict[str, list[list[Any]]]


def notes(log: list[list[Any]]) -> list[str]:
    return [what for what, _ in log]


def test_an_idle_edge_stops_at_once(logs: Logs) -> None:
    [[what, after_s]] = logs["an idle edge"]
    assert what == "stop SIGTERM"
    assert after_s < MAX_DELAY_S


def test_an_edge_finishes_what_is_in_flight_and_refuses_the_rest(logs: Logs) -> None:
    """See docs/bentoml_issues.md#b6."""
    log = logs["an edge with requests"]
    assert notes(log) == ["refuses Draining", "last leaves", "stop SIGTERM"]
    assert log[2][1] - log[1][1] < MAX_DELAY_S


def test_a_dependency_serves_until_it_has_been_idle_for_a_while(logs: Logs) -> None:
    """docs/bentoml_issues.md#b6: BentoML alone stops a dependency at once."""
    log = logs["a dependency"]
    assert notes(log) == ["refuses None", "last leaves", "stop SIGTERM"]
    assert 0.6 <= log[2][1] - log[1][1] < MAX_DELAY_S


def test_a_drain_has_a_deadline(logs: Logs) -> None:
    [[what, after_s]] = logs["a deadline"]
    assert what == "stop SIGTERM"
    assert 0.2 <= after_s < MAX_DELAY_S


def test_background_actions_run_during_the_drain_and_are_cancelled_at_its_end(logs: Logs) -> None:
    assert sorted(notes(logs["actions"])) == sorted(["holds", "last leaves", "stop SIGTERM", "lets go"])
    assert notes(logs["actions"])[:2] == ["holds", "last leaves"]


def test_a_second_sigterm_is_ignored_and_ctrl_c_ends_the_drain(logs: Logs) -> None:
    assert notes(logs["signals again"]) == ["a second Ctrl-C", "stop SIGINT"]


async def facts() -> dict[str, str]:
    return {"model": "m"}


async def reason(lifecycle: Lifecycle) -> type[RagError] | None:
    try:
        await lifecycle.ready()
    except RagError as error:
        return type(error)
    return None


async def test_readiness_follows_the_lifecycle_state() -> None:
    for is_edge in (True, False):
        lifecycle = Lifecycle("Test", is_edge=is_edge)
        assert await reason(lifecycle) is Starting
        lifecycle.on_probe(facts)
        assert await lifecycle.ready() == {"model": "m"}
        lifecycle.draining = True
        assert await reason(lifecycle) is (Draining if is_edge else None)


async def test_an_action_runs_once_when_the_service_is_first_ready() -> None:
    lifecycle, runs = Lifecycle("Test"), []
    lifecycle.on_ready(lambda: runs.append("ready"))
    assert await reason(lifecycle) is Starting
    assert runs == []
    lifecycle.on_probe(facts)
    await lifecycle.ready()
    await lifecycle.ready()
    assert runs == ["ready"]


def test_signal_handlers_are_not_installed_outside_the_main_thread() -> None:
    lifecycle = Lifecycle("Test")

    async def install() -> None:
        await asyncio.to_thread(lifecycle.install_signal_handlers)

    asyncio.run(install())
    assert lifecycle._server_handlers == {}
