# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells a Prometheus on this machine how a process does: figures only, and no label that could name a person.

The figures themselves stand with the part that counts them, in a module `measuring` each: what a process imports it exposes.
Counting costs a microsecond and never waits. Port 0: nothing is told to anybody.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from prometheus_client import REGISTRY, Gauge, start_http_server
from prometheus_client.registry import Collector

from booking_server.config import BadConfiguration, Config

BUILD = Gauge("hubkey_build", "The version that this process runs, as a label; always 1.", ["version"])


def look_up(figures: Collector) -> None:
    """Have `figures` collected whenever this process is asked, on the asker's own thread."""
    REGISTRY.register(figures)


class Served:
    """Figures that are being told; `close` ends it."""

    def __init__(self, server: Any, thread: Any) -> None:
        self._server, self._thread = server, thread

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(config: Config, port: int) -> Served | None:
    """Tell this process's figures at metrics.host and `port` until it ends; None for port 0. Raise BadConfiguration."""
    BUILD.labels(version("hubkey")).set(1)
    if port == 0:
        return None
    try:
        return Served(*start_http_server(port, config.metrics.host))
    except OSError as error:
        raise BadConfiguration(
            f"metrics.host {config.metrics.host!r} and port {port} cannot be had ({error.strerror}); choose another port, or 0"
        ) from None
