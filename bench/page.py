"""The page at `/ui` in Chromium: its first paint, and frames and layout shifts while an answer arrives."""

from __future__ import annotations

import itertools
import re
import statistics
import time
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, expect

from bench.report import CellResult, ReportRow, percentile
from bench.servers import bundle
from bench.workload import INSTANT_BUNDLE, Workload
from tests.support.browser import chromium

CELL = "page"
TOKENS_PER_S = 100
VISITS = 5
"""How often the page is opened, each time without a cache."""
LIMIT_MS = 120_000
RECORD = """
    window.record = { frames: [], shift: 0, longest: 0 };
    new PerformanceObserver((list) => {
      for (const each of list.getEntries()) if (!each.hadRecentInput) record.shift += each.value;
    }).observe({ type: "layout-shift" });
    const frame = (time) => {
      record.frames.push(time);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
SCRIPT_BYTES = """
    performance.getEntriesByType("resource").filter((each) => /[.]m?js$/.test(each.name))
      .reduce((sum, each) => sum + each.decodedBodySize, 0)
"""


def run(workload: Workload) -> CellResult:
    workload.fill()
    with (
        bundle(workload.data_dir, workload.log("page"), INSTANT_BUNDLE, BENCH_TOKENS_PER_S=str(TOKENS_PER_S)) as server,
        chromium() as browser,
    ):
        url = f"{server.url}/ui"
        paints, script_bytes = _visits(browser, url)
        record = _streamed(browser, url, workload.questions[0])
    frames = record["frames"]
    intervals = [after - before for before, after in itertools.pairwise(frames)]
    rate = len(intervals) / (sum(intervals) / 1000)
    note = f"time between frames: p95 {percentile(intervals, 95):.0f} ms, longest {max(intervals):.0f} ms"
    rows = [
        ReportRow(CELL, f"frames while {TOKENS_PER_S} tokens/s arrive", "1/s", rate, at_least=59, note=note),
        ReportRow(CELL, "CPU time of the main thread meanwhile", "cores", record["busy"]),
        ReportRow(CELL, "layout shift while they arrive (CLS)", "", record["shift"], at_most=0.01),
        ReportRow(
            CELL, "first paint", "ms", statistics.median(paints), at_most=1000, note=f"{VISITS} visits, no cache"
        ),
        ReportRow(CELL, "scripts before a PDF is opened", "kB", script_bytes / 1000, at_most=300),
    ]
    return CellResult(rows, {"intervals_ms": intervals, "first_paints_ms": paints})


def _visits(browser: Browser, url: str) -> tuple[list[float], int]:
    """Milliseconds to the first paint of each visit, and the bytes of the scripts that one loads."""
    paints, script_bytes = [], 0
    for _ in range(VISITS):
        page = _open(browser, url)
        page.wait_for_function(f"{FIRST_PAINT.removesuffix('.startTime')} !== undefined")
        paints.append(float(page.evaluate(FIRST_PAINT)))
        script_bytes = int(page.evaluate(SCRIPT_BYTES))
        page.context.close()
    return paints, script_bytes


def _streamed(browser: Browser, url: str, question: str) -> dict[str, Any]:
    """What was recorded from the first token of an answer to its end."""
    page = _open(browser, url)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.get_by_role("textbox").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).not_to_be_empty()
    page.evaluate(RECORD)
    used_s, started = _main_thread_s(session), time.perf_counter()
    expect(page.locator(".turn")).not_to_have_class(re.compile("running"))
    busy = (_main_thread_s(session) - used_s) / (time.perf_counter() - started)
    record: dict[str, Any] = {**page.evaluate("record"), "busy": busy}
    if page.locator(".turn.complete").count() == 0:
        raise RuntimeError(f"the answer failed: {page.locator('.turn').inner_text()}")
    page.context.close()
    return record


def _main_thread_s(session: CDPSession) -> float:
    """CPU seconds that the page's main thread has used."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def _open(browser: Browser, url: str) -> Page:
    expect.set_options(timeout=LIMIT_MS)
    page = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 860}).new_page()
    page.goto(url)
    page.get_by_role("textbox").wait_for()
    return page
