# SPDX-License-Identifier: AGPL-3.0-or-later
"""What systemd is told (sd_notify): that a process of the server does its work now. Says nothing where nobody asked."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def tell_ready() -> None:
    """Tell whoever started this process that it is ready."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(b"READY=1", f"\0{address[1:]}" if address.startswith("@") else address)
