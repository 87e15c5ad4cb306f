"""The real fork server, with files that make it hang, crash or exhaust memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from rag.adapters.parser_process import ParserLimits, ParserProcess
from rag.errors import Draining, EncryptedFile, NoTextFound, ParsingLimit, UnsupportedFile
from rag.ports import Parser
from tests.support.files.sample_files import LOCKED, docx, pdf, word_paragraph

pytestmark = pytest.mark.integration

LIMITS = ParserLimits(timeout_s=20.0, memory_mib=512)


@pytest.fixture
def parser() -> Iterator[ParserProcess]:
    process = ParserProcess(LIMITS)
    yield process
    process.close()


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_text("some text")
    return path


@pytest.fixture
def blocking_file(tmp_path: Path) -> Path:
    """A file that blocks its reader forever: a named pipe without a writer."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


def helpers() -> list[psutil.Process]:
    """Those this process started: a service that tests share has one, too."""
    return [process for process in psutil.Process().children() if "rag.readers" in process.cmdline()]


def assert_ends(*processes: psutil.Process) -> None:
    """Within ten seconds. Zombies count as ended: an orphan may wait for init to reap it."""
    deadline = time.monotonic() + 10
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_children(count: int) -> list[psutil.Process]:
    """The children of the fork server, once there are `count`."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        children = [child for helper in helpers() for child in helper.children()]
        if len(children) == count:
            return children
        time.sleep(0.01)
    raise AssertionError(f"there are {len(children)} children, not {count}")


def test_files_of_several_formats_are_parsed(parser: Parser, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    for content in (b"text", docx(word_paragraph("text")), pdf(["text"])):
        path.write_bytes(content)
        assert parser.parse(path, "a.txt").text == "text"
    assert len(helpers()) == 1


def test_a_relative_path_is_accepted(parser: Parser, text_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(text_file.parent)
    assert parser.parse(Path(text_file.name), "a.txt").text == "some text"


def test_refusals_keep_their_class_message_and_file(parser: Parser, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"")
    with pytest.raises(NoTextFound, match=r"^sub/ü\.md has no text: it is empty") as caught:
        parser.parse(path, "sub/ü.md")
    assert caught.value.param == "sub/ü.md"
    path.write_bytes(pdf(["x"], trailer=LOCKED))
    with pytest.raises(EncryptedFile):
        parser.parse(path, "a.pdf")


def test_a_missing_file_is_refused(parser: Parser, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFile, match=r"^a\.md cannot be read.*FileNotFoundError"):
        parser.parse(tmp_path / "missing", "a.md")


def test_a_reader_that_times_out_is_killed(blocking_file: Path, text_file: Path) -> None:
    parser = ParserProcess(ParserLimits(timeout_s=0.3))
    try:
        with pytest.raises(ParsingLimit, match=r"^a\.txt takes more than 0\.3 s"):
            parser.parse(blocking_file, "a.txt")
        wait_for_children(0)
        assert parser.parse(text_file, "a.txt").text == "some text"
    finally:
        parser.close()


def test_a_reader_that_exceeds_its_memory_is_killed(text_file: Path) -> None:
    parser = ParserProcess(ParserLimits(timeout_s=20.0, memory_mib=32))
    try:
        with text_file.open("wb") as file:
            file.write(b"[" + b'{"a": 1}, ' * 1_000_000 + b"1]")
        with pytest.raises(ParsingLimit, match=r"^a\.json takes more than 32 MiB of memory"):
            parser.parse(text_file, "a.json")
        text_file.write_text("small")
        assert parser.parse(text_file, "a.txt").text == "small"
    finally:
        parser.close()


def test_too_much_text_is_refused(text_file: Path) -> None:
    parser = ParserProcess(ParserLimits(max_text_chars=5))
    try:
        with pytest.raises(ParsingLimit, match=r"^a\.txt has more than 5 characters"):
            parser.parse(text_file, "a.txt")
    finally:
        parser.close()


def test_a_crashed_reader_is_reported_as_an_unsupported_file(parser: ParserProcess, blocking_file: Path) -> None:
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(parser.parse, blocking_file, "a.pdf")
        (child,) = wait_for_children(1)
        child.send_signal(signal.SIGSEGV)
        with pytest.raises(UnsupportedFile, match=r"^a\.pdf crashed its reader"):
            reading.result(10)


def test_a_killed_helper_is_replaced_and_the_file_is_read_again(
    parser: ParserProcess, blocking_file: Path, text_file: Path
) -> None:
    assert parser.parse(text_file, "a.txt").text == "some text"
    (first,) = helpers()
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(parser.parse, blocking_file, "a.txt")
        (child,) = wait_for_children(1)
        text_file.replace(blocking_file)  # the first reader still waits for the pipe
        first.kill()
        assert reading.result(10).text == "some text"
    assert_ends(child)
    (second,) = helpers()
    assert second.pid != first.pid


def test_a_helper_killed_between_two_files_is_replaced(parser: ParserProcess, text_file: Path) -> None:
    parser.parse(text_file, "a.txt")
    (helper,) = helpers()
    helper.kill()
    assert parser.parse(text_file, "a.txt").text == "some text"


def test_a_helper_that_cannot_be_written_to_is_replaced_at_once(parser: ParserProcess, text_file: Path) -> None:
    """The process may have ended without having been noticed yet."""
    parser.parse(text_file, "a.txt")
    helper = parser._helper
    assert helper is not None
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    os.dup2(writing_end, helper._requests.fileno())
    os.close(writing_end)
    assert parser.parse(text_file, "a.txt").text == "some text"


def test_a_slow_file_does_not_block_the_others(parser: ParserProcess, blocking_file: Path, text_file: Path) -> None:
    with ThreadPoolExecutor(12) as pool:
        slow = pool.submit(parser.parse, blocking_file, "slow.txt")
        (child,) = wait_for_children(1)
        texts = list(pool.map(lambda n: parser.parse(text_file, f"{n}.txt").text, range(20), timeout=10))
        assert texts == ["some text"] * 20
        assert not slow.done()
        child.kill()
        assert isinstance(slow.exception(10), UnsupportedFile)


def test_a_reader_gives_way_to_the_service(parser: ParserProcess, blocking_file: Path) -> None:
    """A session of its own would get a share of the CPU of its own, whatever its priority (autogroup of Linux)."""
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(parser.parse, blocking_file, "a.txt")
        (reader,) = wait_for_children(1)
        lower, deadline = min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19), time.monotonic() + 10
        while os.getpriority(os.PRIO_PROCESS, reader.pid) != lower or os.getpgid(reader.pid) != reader.pid:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert os.getsid(reader.pid) == os.getsid(0)
        reader.kill()
        with pytest.raises(UnsupportedFile):
            reading.result()


def test_reading_does_not_block_the_service(parser: ParserProcess, tmp_path: Path) -> None:
    """Other threads of the service keep running while a file is read."""
    path = tmp_path / "upload"
    path.write_text("<p>some <b>words</b></p>" * 50_000)
    pauses, done = [0.0], threading.Event()

    def tick() -> None:
        last = time.perf_counter()
        while not done.wait(0.001):
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    ticker = threading.Thread(target=tick)
    ticker.start()
    parser.parse(path, "a.html")
    done.set()
    ticker.join()
    assert sorted(pauses)[-2] < 0.5


def test_nothing_is_left_after_close(blocking_file: Path, text_file: Path) -> None:
    parser = ParserProcess(LIMITS)
    parser.parse(text_file, "a.txt")
    (helper,) = helpers()
    folder = parser._folder
    assert folder is not None
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(parser.parse, blocking_file, "a.txt")
        (child,) = wait_for_children(1)
        parser.close()
        with pytest.raises(Draining):
            reading.result(10)
    assert_ends(child, helper)
    assert not folder.exists()
    with pytest.raises(Draining):
        parser.parse(text_file, "a.txt")
    parser.close()


def test_signals_to_the_service_do_not_end_the_helper(parser: ParserProcess, text_file: Path) -> None:
    parser.parse(text_file, "a.txt")
    (helper,) = helpers()
    for number in (signal.SIGTERM, signal.SIGINT):
        helper.send_signal(number)
    assert parser.parse(text_file, "a.txt").text == "some text"
    assert [process.pid for process in helpers()] == [helper.pid]


OWNER = """
import sys, time
from pathlib import Path
from rag.adapters.parser_process import ParserProcess
parser = ParserProcess()
parser.parse(Path(sys.argv[1]), "a.txt")
print(parser._helper._process.pid, flush=True)
time.sleep(60)
"""


def test_the_helper_ends_with_the_service(text_file: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(text_file)]
    environment = {**os.environ, "TMPDIR": str(text_file.parent)}  # a killed service leaves its folder here
    sources = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=sources, env=environment) as owner:
        assert owner.stdout is not None
        helper = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    assert_ends(helper)


def test_the_helper_gets_no_secrets_and_no_heavy_library(
    parser: ParserProcess, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    parser.parse(text_file, "a.txt")
    (helper,) = helpers()
    assert "HF_TOKEN" not in helper.environ()
    mapped = {Path(entry.path).name for entry in helper.memory_maps()}
    assert not any("torch" in name or "milvus" in name for name in mapped)
    assert helper.memory_info().rss < 200 * 2**20
