"""What journald gets, on a real socket."""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.console import journald
from daemon.console.console import Console, complain
from daemon.events import Event, about


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    address = str(tmp_path / "socket")
    monkeypatch.setattr(journald, "ADDRESS", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(10)
        yield listener


def fields(datagram: bytes) -> dict[str, str]:
    """The native protocol, read back: name, newline, length (8 bytes, little endian), value, newline."""
    found = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        length = int.from_bytes(rest[:8], "little")
        found[name.decode()] = rest[8 : 8 + length].decode()
        assert rest[8 + length : 9 + length] == b"\n"
        datagram = rest[9 + length :]
    return found


def stream_of_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "stderr"
    path.touch()
    status = path.stat()
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    return path


def test_a_painting_is_an_entry_with_its_event_style_file_and_seconds(
    entries: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stream_of_journal(tmp_path, monkeypatch)
    with path.open("w") as stream, Console(stream=stream):
        extra = about(Event.PAINTED, style="starry", path="/outbox/starry/a.jpg", seconds=1.5, waited=62.0)
        logging.getLogger("styled").info("painted %s", "starry/a.jpg", extra=extra)
    assert fields(entries.recv(4000)) == {
        "MESSAGE": "painted starry/a.jpg in 1.5 s after waiting 1 min 02 s → /outbox/starry/a.jpg",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "styled",
        "STYLED_EVENT": "painted",
        "STYLED_STYLE": "starry",
        "STYLED_FILE": "/outbox/starry/a.jpg",
        "STYLED_SECONDS": "1.5",
        "STYLED_WAITED": "62.0",
    }
    assert path.read_text() == ""


def test_a_traceback_is_one_entry(entries: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stream_of_journal(tmp_path, monkeypatch)
    with path.open("w") as stream, Console(stream=stream):
        try:
            raise RuntimeError("a bug")
        except RuntimeError:
            logging.getLogger("styled").error("broke down", exc_info=True)
    entry = fields(entries.recv(10_000))
    assert entry["PRIORITY"] == "3"
    assert entry["MESSAGE"].startswith("broke down\n    Traceback")
    assert entry["MESSAGE"].endswith("RuntimeError: a bug")


def test_what_ends_the_command_is_an_error_in_the_journal_and_plain_text_elsewhere(
    entries: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    complain("wrong")
    assert capsys.readouterr().err == "wrong\n"
    path = stream_of_journal(tmp_path, monkeypatch)
    with path.open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        complain("very", "wrong")
        assert fields(entries.recv(4000))["PRIORITY"] == "3"
        os.unlink(journald.ADDRESS)
        complain("very", "wrong")
    assert path.read_text() == "<3>very\n<3>wrong\n"
