"""journald's own protocol (systemd.journal-fields(7), "Native Protocol"): whole entries, a traceback in one piece,
with fields of ours that `journalctl STYLED_STYLE=starry` or `-o json` can tell apart.
"""

import os
import socket
from collections.abc import Mapping
from typing import IO

ADDRESS = "/run/systemd/journal/socket"


def goes_there(stream: IO[str]) -> bool:
    """systemd.exec(5): JOURNAL_STREAM names the device and inode of the journal's socket."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def send(text: str, priority: int, fields: Mapping[str, object]) -> bool:
    """One entry; `fields` are named in capitals. False: journald did not take it, so it must be printed."""
    entry = {"MESSAGE": text, "PRIORITY": priority, "SYSLOG_IDENTIFIER": "styled", **fields}
    parts = []
    for name, value in entry.items():
        data = str(value).encode(errors="surrogateescape")
        parts.append(name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(1.0)
            line.sendto(b"".join(parts), ADDRESS)
    except OSError:  # no journald, or more than one datagram can hold
        return False
    return True
