"""Keeps others from connecting to the ports that PyTorch opens in the engine's process (docs/bentoml_issues.md#v15)."""

from __future__ import annotations

import ctypes
import ipaddress
import logging
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

import psutil

from rag.adapters.vllm.args import CPU_WORKER, PARENT_WATCHDOG

if TYPE_CHECKING:
    from vllm.config import VllmConfig
    from vllm.v1.engine.async_llm import AsyncLLM

logger = logging.getLogger("rag.engine")

_INTERFACE = "GLOO_SOCKET_IFNAME"
_SO_ATTACH_FILTER = 26
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A BPF program of one instruction: keep nothing of the packet."""


def listen_on_loopback(config: VllmConfig) -> None:
    """Make the next engine listen on loopback only, unless the environment says otherwise.

    PyTorch would choose the address of the host's name, which other containers and machines can reach.
    """
    if _is_one_worker(config) and (interface := _loopback_interface()) is not None:
        os.environ.setdefault(_INTERFACE, interface)


async def close_ports(engine: AsyncLLM) -> None:
    """Make the loopback ports of a running engine of one worker unreachable, since no other process needs them."""
    config = engine.vllm_config
    connects = (config.kv_transfer_config, config.ec_transfer_config, config.kv_events_config)
    has_method = config.parallel_config.worker_extension_cls in (PARENT_WATCHDOG, CPU_WORKER)
    if not (_is_one_worker(config) and has_method and not any(connects) and sys.platform == "linux"):
        return
    try:
        await engine.collective_rpc("refuse_connections")
    except Exception as error:  # a sandbox may not know the option; the ports are then as vLLM leaves them
        logger.warning("the ports of the engine's process on loopback stay open: %s", error)


def refuse_connections() -> None:
    """Drop every packet to the ports of loopback that this process listens on. The sockets stay open."""
    program = ctypes.create_string_buffer(_DROP_ALL)
    option = struct.pack("HP", 1, ctypes.addressof(program))
    for each in psutil.Process().net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and ipaddress.ip_address(each.laddr.ip).is_loopback:
            with socket.socket(fileno=os.dup(each.fd)) as listening:
                listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, option)


def _is_one_worker(config: VllmConfig) -> bool:
    return bool(config.parallel_config.world_size == config.parallel_config.data_parallel_size == 1)


def _loopback_interface() -> str | None:
    for name, addresses in psutil.net_if_addrs().items():
        if any(each.family == socket.AF_INET and ipaddress.ip_address(each.address).is_loopback for each in addresses):
            return name
    return None
