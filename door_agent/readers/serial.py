# SPDX-License-Identifier: AGPL-3.0-or-later
"""A serial line as raw bytes, held by us alone, that never waits. When the adapter is pulled out it says so."""

from __future__ import annotations

import fcntl
import os
import termios
import time
import tty


def opened(port: str, baud_rate: int) -> int:
    """Return a descriptor of the port: raw, 8N1, not shared. Raise OSError."""
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, termios.TIOCEXCL)
        tty.setraw(descriptor)
        settings = termios.tcgetattr(descriptor)
        settings[2] |= termios.CLOCAL | termios.CREAD
        settings[4] = settings[5] = getattr(termios, f"B{baud_rate}")
        termios.tcsetattr(descriptor, termios.TCSANOW, settings)
        termios.tcflush(descriptor, termios.TCIOFLUSH)
    except termios.error as error:
        os.close(descriptor)
        raise OSError(error.args[0], "is no serial port") from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Line:
    """What libosdp asks of a channel. `gone` is set once the adapter is away; `heard_at` is when the last byte came."""

    id = 0

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.gone, self.heard_at = descriptor, False, float("-inf")

    def read(self, bytes_max: int) -> bytes:
        try:
            content = os.read(self.descriptor, bytes_max)
        except BlockingIOError:
            return b""
        except OSError:
            content = b""
        if content:
            self.heard_at = time.monotonic()
        else:
            self.gone = True
        return content

    def write(self, content: bytes) -> int:
        """Return how many bytes went out; a full line takes none, and libosdp asks again."""
        try:
            return os.write(self.descriptor, content)
        except BlockingIOError:
            return 0
        except OSError:
            self.gone = True
            return 0

    def flush(self) -> None:
        pass
