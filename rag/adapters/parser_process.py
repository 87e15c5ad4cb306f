"""Reads each file in a process of its own, which is forked by a helper process.

service --JSON lines--> rag.readers.process.fork_server --fork--> child: reads one file, writes the Extract to a file
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from rag.errors import BrokenFile, Draining, InternalError, ParsingLimit, UnsupportedFile, error_class
from rag.readers.extract.extract_json import from_json
from rag.readers.process.limits import ParserLimits
from rag.readers.process.parse_request import ParseReply, ParseRequest
from rag.types import Extract

__all__ = ["ParserLimits", "ParserProcess"]

logger = logging.getLogger("rag.parser")

_GRACE_S = 15.0
"""Seconds beyond the time limit of a file after which the helper process itself counts as hanging."""
_STOP_S = 2.0
_PASSED_VARIABLES: Final = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_PASSED_PREFIXES: Final = ("LC_", "PYTHON", "TESSDATA")


class ParserProcess:
    """Reads up to `at_once` files at a time; more wait. Implements `rag.ports.Parser`.

    The helper process is started when it is first needed.
    """

    def __init__(
        self,
        limits: ParserLimits | None = None,
        *,
        ocr_languages: str = "",
        at_once: int = 2,
        folder: Path | None = None,
    ) -> None:
        """Create the parser.

        Args:
            ocr_languages: Languages for Tesseract, such as `eng+deu`; empty: no OCR.
            folder: Folder for results until they are fetched; None: the system's folder for temporary files.
        """
        self._limits = limits or ParserLimits()
        self._parent = folder
        self._ocr_languages = ocr_languages
        self._slots = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._helper: _Helper | None = None
        self._folder: Path | None = None
        self._is_closed = False

    def parse(self, path: Path, filename: str, charset: str = "") -> Extract:
        """As `rag.ports.Parser.parse`.

        Raises:
            Draining: the parser has been closed.
            InternalError: the helper process ended twice, not because of the file.
        """
        with self._slots:
            request = self._request(path, filename, charset)
            result = Path(request.result)
            try:
                return self._outcome(self._ask(request), result, filename)
            finally:
                shutil.rmtree(result.parent, ignore_errors=True)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            helper, self._helper = self._helper, None
            folder, self._folder = self._folder, None
        if helper:
            helper.stop()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)

    def _request(self, path: Path, filename: str, charset: str) -> ParseRequest:
        number = next(self._numbers)
        with self._lock:
            self._refuse_if_closed()
            self._folder = self._folder or Path(tempfile.mkdtemp(prefix="rag-parser-", dir=self._parent))
            folder = self._folder / str(number)
            folder.mkdir(parents=True)  # programs that clean up temporary files may have deleted the parent
        limits = self._limits
        return ParseRequest(
            number=number,
            path=str(path.absolute()),
            filename=filename,
            result=str(folder / "extract.json"),
            timeout_s=limits.timeout_s,
            memory_mib=limits.memory_mib,
            max_text_chars=limits.max_text_chars,
            ocr_languages=self._ocr_languages,
            charset=charset,
        )

    def _ask(self, request: ParseRequest) -> ParseReply:
        for _ in range(2):
            helper = self._running_helper()
            try:
                return helper.ask(request, self._limits.timeout_s + _GRACE_S)
            except EOFError:
                logger.warning("the parser's helper process ended while it was reading %r", request.filename)
            except TimeoutError:
                helper.stop()
                raise self._took_too_long(request.filename) from None
        raise InternalError(
            f"{request.filename} could not be read: the parser's helper process ended twice; upload it again"
        )

    def _running_helper(self) -> _Helper:
        with self._lock:
            self._refuse_if_closed()
            if self._helper is None or not self._helper.is_running:
                if self._helper:
                    self._helper.stop()
                self._helper = _Helper()
            return self._helper

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise Draining("no more files are read: the service is shutting down")

    def _outcome(self, reply: ParseReply, result: Path, filename: str) -> Extract:
        limits = self._limits
        match reply.outcome:
            case "text":
                return from_json(result.read_bytes())
            case "refused":
                raise _refusal(result.read_bytes(), filename)
            case "timeout":
                raise self._took_too_long(filename)
            case "out_of_memory":
                raise _limit(filename, f"takes more than {limits.memory_mib:,} MiB of memory to read; split it")
            case "crashed":
                logger.warning("the reader of %r was ended by signal %d", filename, reply.signal)
                problem = f"crashed its reader: it is damaged, or needs more than {limits.memory_mib:,} MiB of memory"
                raise BrokenFile(f"{filename} {problem}", param=filename)

    def _took_too_long(self, filename: str) -> ParsingLimit:
        return _limit(filename, f"takes more than {self._limits.timeout_s:g} s to read; split it")


def _limit(filename: str, problem: str) -> ParsingLimit:
    return ParsingLimit(f"{filename} {problem}", param=filename)


def _refusal(content: bytes, filename: str) -> UnsupportedFile:
    fields = json.loads(content)
    if fields["detail"]:
        logger.warning("the reader of %r failed: %s", filename, fields["detail"])
    found = error_class(fields["code"])
    cls = found if issubclass(found, UnsupportedFile) else UnsupportedFile
    return cls(fields["message"], param=filename)


class _Helper:
    """The helper process, and the futures that wait for its replies."""

    def __init__(self) -> None:
        self._process = _start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[ParseReply]] = {}
        self.is_running = True
        self._listener = threading.Thread(target=self._listen, name="rag-parser", daemon=True)
        self._listener.start()

    def ask(self, request: ParseRequest, timeout_s: float) -> ParseReply:
        """Raises EOFError if the process ends meanwhile, TimeoutError if it does not answer."""
        reply: Future[ParseReply] = Future()
        with self._lock:
            if not self.is_running:
                raise EOFError
            self._waiting[request.number] = reply
            try:
                self._requests.write(request.line())
                self._requests.flush()
            except OSError:
                self._waiting.pop(request.number)
                self.is_running = False  # the next attempt must not wait for the listener to notice it
                raise EOFError from None
        try:
            return reply.result(timeout_s)
        finally:
            with self._lock:
                self._waiting.pop(request.number, None)

    def stop(self) -> None:
        """Close its input, and kill it if it does not exit. Its children end with it."""
        with self._lock, contextlib.suppress(OSError):
            self._requests.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(_STOP_S)

    def _listen(self) -> None:
        with self._replies:
            for line in self._replies:
                reply = ParseReply.parse(line)
                with self._lock:
                    waiting = self._waiting.get(reply.number)
                if waiting:
                    waiting.set_result(reply)
        with self._lock:
            self.is_running = False
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(EOFError())


def _start() -> subprocess.Popen[bytes]:
    sources = str(Path(__file__).resolve().parents[2])  # a Bento can be served from any folder
    path = os.pathsep.join(filter(None, (sources, os.environ.get("PYTHONPATH"))))
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_VARIABLES
        or name.startswith(_PASSED_PREFIXES)  # no secrets in a process that reads untrusted files
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "rag.readers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**passed, "PYTHONPATH": path, "OMP_THREAD_LIMIT": "1"},
        process_group=0,  # does not receive signals of the service's group
    )
