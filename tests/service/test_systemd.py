"""What systemd hears, on a real socket, and what its watchdog is fed with."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.events import Event
from daemon.inbox.scan_thread import Health
from daemon.previews import Preview
from daemon.service.systemd import SystemdClient, status_line
from daemon.status import FinishedPainting, Status
from daemon.transfer.steps import Step
from tests.support.clock import Clock

STALL = 900.0  # seconds: the setting's default


def listed(age: float = 1.0, *, is_fresh: bool = True) -> Health:
    return Health(is_fresh, age)


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


def client_of(systemd: Systemd, clock: Clock, watchdog: str = "8000000") -> SystemdClient:
    return SystemdClient({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": watchdog}, clock)


def painting(status: Status) -> None:
    status.begin("1", "starry/a.jpg", "starry")
    status.stage("1", "painting")
    status.step("1", Step(3, 40, 1.0, 0, 1))


def test_the_watchdog_is_fed_four_times_in_its_time_while_all_makes_progress(systemd: Systemd) -> None:
    clock = Clock()
    client = client_of(systemd, clock)
    for _ in range(32):
        client.tick(Status(state="watching"), listed(), STALL)
        clock.now += 0.25
    assert systemd.heard().count("WATCHDOG=1") == 4


def test_the_watchdog_is_not_fed_while_the_inbox_is_not_listed(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    client = client_of(systemd, clock)
    for second in range(20):
        client.tick(Status(state="watching"), listed(200.0 + second, is_fresh=False), STALL)
        clock.now += 1
    assert "WATCHDOG=1" not in systemd.heard()
    assert [record.event for record in caplog.records] == [Event.STALLED]  # type: ignore[attr-defined]
    client.tick(Status(), listed(), STALL)
    assert "WATCHDOG=1" not in systemd.heard(), "while the daemon starts or stops, other limits hold"
    client.tick(Status(state="watching"), listed(), STALL)
    assert "WATCHDOG=1" in systemd.heard()


@pytest.mark.parametrize(
    ("stall_seconds", "stage", "seconds", "is_fed"),
    [
        (900, "painting", 950, True),  # the pool ends the painter first
        (900, "painting", 1200, False),
        (3600, "painting", 1200, True),
        (3600, "painting", 3800, False),
        (1, "delivering", 700, True),  # a reader's time has nothing to do with the setting
        (900, "waiting for a painter", 1e6, True),  # the pool reports and restarts painters
    ],
)
def test_the_watchdog_knows_how_long_a_step_may_take(
    systemd: Systemd, stall_seconds: float, stage: str, seconds: float, is_fed: bool
) -> None:
    status, clock = Status(state="watching"), Clock(time.monotonic())
    painting(status)
    status.stage("1", stage)
    clock.now += seconds
    client_of(systemd, clock).tick(status, listed(), stall_seconds)
    assert ("WATCHDOG=1" in systemd.heard()) == is_fed


def test_a_job_in_hand_keeps_the_patience_that_it_began_with(systemd: Systemd) -> None:
    status, clock = Status(state="watching"), Clock(time.monotonic())
    client = client_of(systemd, clock)
    painting(status)
    client.tick(status, listed(), 3600)
    clock.now += 1200
    client.tick(status, listed(), STALL)
    assert systemd.heard().count("WATCHDOG=1") == 2
    status.end("1")
    client.tick(status, listed(), STALL)
    painting(status)
    clock.now += 2000
    client.tick(status, listed(), STALL)
    assert systemd.heard().count("WATCHDOG=1") == 0


def test_each_step_is_a_sign_of_life() -> None:
    status = Status()
    painting(status)
    before = status.tasks()[0].moved
    while time.monotonic() == before:
        pass
    status.step("1", Step(4, 40, 1.0, 0, 1))
    assert status.tasks()[0].moved > before


@pytest.mark.parametrize("environment", [{"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, {}, {"WATCHDOG_USEC": "x"}])
def test_a_watchdog_that_is_not_ours_is_not_fed(environment: dict[str, str], tmp_path: Path) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    SystemdClient({"NOTIFY_SOCKET": systemd.address, **environment}).tick(Status(state="watching"), listed(), STALL)
    assert [message.split("=")[0] for message in systemd.heard()] == ["STATUS"]
    systemd.socket.close()


def test_without_a_supervisor_nothing_happens() -> None:
    client = SystemdClient({})
    client.tick(Status(), listed(is_fresh=False), STALL)
    client.notify("READY=1")


def test_a_supervisor_that_is_gone_is_no_error(tmp_path: Path) -> None:
    SystemdClient({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify("READY=1")


def test_the_status_is_sent_once_a_second_at_most_and_only_when_it_changes(systemd: Systemd) -> None:
    clock, status = Clock(), Status()
    client = client_of(systemd, clock, "0")
    for failed in (0, 0, 0, 1, 1):
        status.count(failed=failed)
        client.tick(status, listed(), STALL)
        clock.now += 0.5
    assert systemd.heard() == [f"STATUS=starting; 0 waiting; 0 painted, {failed} failed" for failed in (0, 2)]


def test_the_status_names_what_is_in_hand_what_waits_and_the_rate_of_the_last_hour() -> None:
    status = Status(state="watching", waiting={"starry": 2, "ink": 1})
    painting(status)
    status.begin("2", "ink/b.jpg", "ink")
    said = "starry/a.jpg (step 3/40); ink/b.jpg (claimed); 3 waiting; 0 painted, 0 failed"
    assert status_line(status, 0.0) == said
    for minute in range(11):
        status.show(FinishedPainting("a.jpg", "ink", 1.0, Preview(1, 1, b"..."), 60.0 * minute))
    assert status_line(status, 600.0) == f"{said}; 60 an hour"
    assert status_line(status, 7200.0) == said


def test_reloading_and_stopping_are_whole_messages(systemd: Systemd) -> None:
    client = client_of(systemd, Clock())
    client.reloading()
    client.stopping(6)
    reloading, stopping = (message.splitlines() for message in systemd.heard())
    assert reloading[0] == "RELOADING=1"
    assert reloading[1].startswith("MONOTONIC_USEC=")
    assert stopping[0] == "STOPPING=1"
    assert "EXTEND_TIMEOUT_USEC=6000000" in stopping
