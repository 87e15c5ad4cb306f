"""The process that reads one file, and ends. What it may take is bounded by the kernel."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final, NoReturn

from rag.errors import BrokenFile, RagError
from rag.readers import ReadOptions, read
from rag.readers.extract_json import to_json
from rag.readers.parse_request import ParseRequest

TEXT, REFUSED, OUT_OF_MEMORY = 0, 3, 4
"""Exit codes."""
_MIB = 2**20
_PR_SET_PDEATHSIG: Final = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def run(request: ParseRequest, helper: int) -> NoReturn:
    """Never returns: not into the code that forked, whatever happens. `helper`: the parent's process id."""
    code = 1
    try:
        _confine(request, helper)
        code = _parse(request)
    except MemoryError:
        code = OUT_OF_MEMORY
    finally:
        os._exit(code)


def _confine(request: ParseRequest, helper: int) -> None:
    os.setsid()  # a group of its own, so that programs that a reader starts are ended with it
    _end_with(helper)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cpu_s = int(request.timeout_s) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * request.max_text_chars + 64 * _MIB,) * 2)
    if sys.platform == "linux":  # elsewhere the address space cannot be limited
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + request.memory_mib * _MIB,) * 2)
        with contextlib.suppress(OSError):  # when the whole machine runs out, this process goes first
            Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with(helper: int) -> None:
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != helper:  # it died before the kernel was asked
        os._exit(1)


def _parse(request: ParseRequest) -> int:
    tempfile.tempdir = str(Path(request.result).parent)  # which is removed, even if this process cannot tidy up
    sys.setrecursionlimit(20_000)  # HTML may have 2,048 levels
    options = ReadOptions(request.max_text_chars, request.ocr_languages, request.timeout_s)
    try:
        content = to_json(read(Path(request.path), request.filename, options))
        code = TEXT
    except MemoryError:
        raise
    except RagError as error:
        content = json.dumps({"code": error.code, "message": error.message, "detail": ""}).encode()
        code = REFUSED
    except Exception as error:  # a file that no reader was prepared for
        content, code = _unforeseen(error, request.filename), REFUSED
    Path(request.result).write_bytes(content)
    return code


def _unforeseen(error: Exception, filename: str) -> bytes:
    place = traceback.extract_tb(error.__traceback__)[-1]
    message = f"{filename} cannot be read: it is damaged, or unlike any file of its kind ({type(error).__name__})"
    detail = f"{type(error).__name__} in {place.filename}:{place.lineno}"
    return json.dumps({"code": BrokenFile.code, "message": message, "detail": detail}).encode()
