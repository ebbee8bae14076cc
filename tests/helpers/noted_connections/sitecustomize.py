"""What every process of Python connects to, where this folder is on ``PYTHONPATH``: read at its start.

Noted in the file that ``NOTED_CONNECTIONS`` names, a line for each address asked for, by name or number.
"""

import os
import sys
from typing import Any

_ASKED = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")


def _note(event: str, values: tuple[Any, ...]) -> None:
    if event in _ASKED:
        address = values[0] if isinstance(values[0], str) else values[1] if len(values) > 1 else None
        asked = address[0] if isinstance(address, tuple) else address
        line = f"{event} {asked!r} {' '.join(sys.argv)[:200]}\n".encode()
        file = os.open(os.environ["NOTED_CONNECTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line)
        os.close(file)


if "NOTED_CONNECTIONS" in os.environ:
    sys.addaudithook(_note)
