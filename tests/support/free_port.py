"""Ports for services of tests and benchmarks."""

from __future__ import annotations

import random
import socket

_PORTS = range(20_000, 32_000)
"""Systems give outgoing connections ports above: one of those could be taken while a service starts."""


def free_port() -> int:
    """A port of 127.0.0.1 that nothing uses."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")
