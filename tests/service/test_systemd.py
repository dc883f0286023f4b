"""What systemd hears, on a real socket, and what its watchdog is fed with."""

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.service.systemd import PAUSES, STALL_SECONDS, Restarts, SystemdClient, status_line, stuck
from daemon.status import Status
from daemon.transfer.steps import Step


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Listing:
    is_fresh: bool = True
    scan_age: float = 1.0


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4000).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    other = Systemd(str(tmp_path / "notify") if request.param == "path" else f"@styled-test-{os.getpid()}")
    yield other
    other.socket.close()


def supervisor(systemd: Systemd, clock: Clock, watchdog: str = "8000000") -> SystemdClient:
    return SystemdClient({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": watchdog}, clock)


def painting(board: Status) -> None:
    board.begin("1", "starry/a.jpg", "starry")
    board.stage("1", "painting")
    board.step("1", Step(3, 40, 1.0, 0, 1))


def test_the_watchdog_is_fed_four_times_in_its_time_while_all_gets_on(systemd: Systemd) -> None:
    clock = Clock()
    line = supervisor(systemd, clock)
    for _ in range(32):
        line.tick(Status(state="watching"), Listing())
        clock.now += 0.25
    assert systemd.heard().count("WATCHDOG=1") == 4


def test_the_watchdog_is_not_fed_while_the_inbox_is_not_listed(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    clock, listing = Clock(), Listing(is_fresh=False, scan_age=200.0)
    line = supervisor(systemd, clock)
    for _ in range(20):
        line.tick(Status(state="watching"), listing)
        clock.now += 1
        listing.scan_age += 1
    assert "WATCHDOG=1" not in systemd.heard()
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # said once
    listing.is_fresh = True
    line.tick(Status(), listing)
    assert "WATCHDOG=1" not in systemd.heard()  # while it starts or stops, other limits hold
    line.tick(Status(state="watching"), listing)
    assert "WATCHDOG=1" in systemd.heard()


def test_the_watchdog_is_not_fed_when_a_painting_stands_still() -> None:
    board, now = Status(), time.monotonic()
    painting(board)
    assert not stuck(board, Listing(), now + STALL_SECONDS / 2)
    assert "starry/a.jpg" in stuck(board, Listing(), now + STALL_SECONDS + 10)
    board.stage("1", "waiting for a painter")  # the painters' own trouble, which is reported and retried
    assert not stuck(board, Listing(), now + STALL_SECONDS + 10)


def test_each_step_is_a_sign_of_life() -> None:
    board = Status()
    painting(board)
    before = board.tasks()[0].moved
    while time.monotonic() == before:
        pass
    board.step("1", Step(4, 40, 1.0, 0, 1))
    assert board.tasks()[0].moved > before


@pytest.mark.parametrize("environment", [{"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, {}, {"WATCHDOG_USEC": "x"}])
def test_a_watchdog_that_is_not_ours_is_not_fed(environment: dict[str, str], tmp_path: Path) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    SystemdClient({"NOTIFY_SOCKET": systemd.address, **environment}).tick(Status(state="watching"), Listing())
    assert [message.split("=")[0] for message in systemd.heard()] == ["STATUS"]
    systemd.socket.close()


def test_without_a_supervisor_nothing_happens() -> None:
    line = SystemdClient({})
    line.tick(Status(), Listing(is_fresh=False))
    line.notify("READY=1")
    assert not line.listens


def test_a_supervisor_that_is_gone_is_no_error(tmp_path: Path) -> None:
    SystemdClient({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify("READY=1")


def test_the_status_is_said_once_a_second_at_most_and_only_when_it_changes(systemd: Systemd) -> None:
    clock, board = Clock(), Status()
    line = supervisor(systemd, clock, "0")
    for failed in (0, 0, 0, 1, 2):
        board.failed = failed
        line.tick(board, Listing())
        clock.now += 0.5
    assert systemd.heard() == [f"STATUS=starting; 0 waiting; 0 painted, {failed} failed" for failed in (0, 2)]


def test_the_status_names_what_is_in_hand_what_waits_and_the_rate(systemd: Systemd) -> None:
    clock, board = Clock(), Status(state="watching", waiting={"starry": 2, "ink": 1})
    painting(board)
    board.begin("2", "ink/b.jpg", "ink")
    said = "starry/a.jpg (step 3/40); ink/b.jpg (claimed); 3 waiting; 0 painted, 0 failed"
    assert status_line(board) == said
    line = supervisor(systemd, clock, "0")
    for _ in range(11):  # one a minute
        line.tick(board, Listing())
        board.count(delivered=1)
        clock.now += 60
    assert systemd.heard()[-1].endswith("; 10 painted, 0 failed; 60 an hour")


def test_reloading_and_stopping_are_whole_messages(systemd: Systemd) -> None:
    line = supervisor(systemd, Clock())
    line.reloading()
    line.stopping(6)
    reloading, stopping = (message.splitlines() for message in systemd.heard())
    assert reloading[0] == "RELOADING=1"
    assert reloading[1].startswith("MONOTONIC_USEC=")
    assert stopping[0] == "STOPPING=1"
    assert "EXTEND_TIMEOUT_USEC=6000000" in stopping


def test_starts_in_a_row_wait_longer_each_time(tmp_path: Path) -> None:
    clock = Clock(1.8e9)
    restarts = Restarts(tmp_path / "restarts", clock)
    waits = []
    for _ in range(len(PAUSES) + 2):
        waits.append(restarts.begin())
        clock.now += 30
    assert waits == [(n, PAUSES[min(n, len(PAUSES) - 1)]) for n in range(len(PAUSES) + 2)]
    assert sorted(PAUSES) == list(PAUSES)


def test_a_good_end_or_a_long_life_ends_the_row(tmp_path: Path) -> None:
    clock = Clock(1.8e9)
    restarts = Restarts(tmp_path / "restarts", clock)
    restarts.begin()
    assert restarts.begin()[0] == 1
    restarts.ended_well()
    assert restarts.begin() == (0, 0.0)
    clock.now += 3600
    assert restarts.begin() == (0, 0.0)
    (tmp_path / "restarts").write_text("not a number")
    assert Restarts(tmp_path / "restarts").begin() == (0, 0.0)
