"""PDFium's functions for places where they are called very often."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any


def direct_call(function: Any, result: Any, *arguments: Any) -> Callable[..., int]:
    """A function of PDFium that takes and returns addresses in place of pointers, which saves half of the time.

    It keeps the interpreter's global lock, so it must be a short one. Without declared `arguments` it takes integers,
    and addresses as `c_void_p`: converted once and not with each call, that saves another third.
    """
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.PYFUNCTYPE(result, *arguments)(address)


def pointer_address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0
