"""The process that reads one file and exits. The kernel enforces its limits."""

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
from rag.readers.extract.extract_json import to_json
from rag.readers.process.parse_request import ParseRequest

EXIT_TEXT, EXIT_REFUSED, EXIT_OUT_OF_MEMORY = 0, 3, 4
_MIB = 2**20
_PR_SET_PDEATHSIG: Final = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def run(request: ParseRequest, parent: int) -> NoReturn:
    """Read the file and exit; never returns into the code that forked.

    Args:
        parent: The process id of the fork server.
    """
    code = 1
    try:
        _limit_resources(request, parent)
        code = _parse(request)
    except MemoryError:
        code = EXIT_OUT_OF_MEMORY
    finally:
        os._exit(code)


def _limit_resources(request: ParseRequest, parent: int) -> None:
    # A process group, so that programs which a reader starts are killed with it. Not a session: where Linux divides the
    # CPU among sessions (autogroup), `nice` would have no effect against the service.
    os.setpgid(0, 0)
    _exit_with_parent(parent)
    devnull = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(devnull, descriptor)
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cpu_s = int(request.timeout_s) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * request.max_text_chars + 64 * _MIB,) * 2)
    if sys.platform == "linux":  # other systems cannot limit the address space
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + request.memory_mib * _MIB,) * 2)
        with contextlib.suppress(OSError):  # if the machine runs out of memory, this process is killed first
            Path("/proc/self/oom_score_adj").write_text("1000")


def _exit_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it had already died before the call to prctl
        os._exit(1)


def _parse(request: ParseRequest) -> int:
    tempfile.tempdir = str(Path(request.result).parent)  # the service removes it, even if this process crashes
    sys.setrecursionlimit(20_000)  # HTML may be nested 2,048 levels deep
    options = ReadOptions(request.max_text_chars, request.ocr_languages, request.timeout_s, request.charset)
    try:
        content = to_json(read(Path(request.path), request.filename, options))
        code = EXIT_TEXT
    except MemoryError:
        raise
    except RagError as error:
        content = json.dumps({"code": error.code, "message": error.message, "detail": ""}).encode()
        code = EXIT_REFUSED
    except Exception as error:  # a file that its reader does not handle
        content, code = _unexpected_error(error, request.filename), EXIT_REFUSED
    Path(request.result).write_bytes(content)
    return code


def _unexpected_error(error: Exception, filename: str) -> bytes:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = f"{filename} cannot be read: the file is damaged or malformed ({type(error).__name__})"
    detail = f"{type(error).__name__} in {frame.filename}:{frame.lineno}"
    return json.dumps({"code": BrokenFile.code, "message": message, "detail": detail}).encode()
