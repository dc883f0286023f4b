"""journald's native protocol (systemd.journal-fields(7)): a traceback is a single entry, and entries have fields of
styled's own, for `journalctl STYLED_STYLE=starry` and `journalctl -o json`.
"""

import os
import socket
from collections.abc import Mapping
from typing import IO

ADDRESS = "/run/systemd/journal/socket"


def goes_there(stream: IO[str]) -> bool:
    """Whether `stream` is the journal: JOURNAL_STREAM names the socket's device and inode (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def send(text: str, priority: int, fields: Mapping[str, object]) -> bool:
    """Send one entry; `fields` have names in capitals. Returns False if journald did not take the entry."""
    entry = {"MESSAGE": text, "PRIORITY": priority, "SYSLOG_IDENTIFIER": "styled", **fields}
    parts = []
    for name, value in entry.items():
        data = str(value).encode(errors="surrogateescape")
        parts.append(name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(1.0)
            line.sendto(b"".join(parts), ADDRESS)
    except OSError:  # journald is not there, or the entry is larger than a datagram
        return False
    return True
