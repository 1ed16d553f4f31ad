"""Ports for engines on this machine."""

from __future__ import annotations

import os
import socket

from tieline.interfaces.errors import Unavailable

PORTS_FIRST, PORTS_END = 20_000, 32_000
"""Below the ephemeral range, whose outgoing connections would take them."""
_given_ports: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, each given once by this process."""
    ports: list[int] = []
    start = PORTS_FIRST + os.getpid() * 37 % (PORTS_END - PORTS_FIRST)
    for offset in range(PORTS_END - PORTS_FIRST):
        port = PORTS_FIRST + (start - PORTS_FIRST + offset) % (PORTS_END - PORTS_FIRST)
        if len(ports) == count:
            break
        if port not in _given_ports and _is_free(port):
            _given_ports.add(port)
            ports.append(port)
    if len(ports) < count:
        raise Unavailable("no free port for an engine")
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
