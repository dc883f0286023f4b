"""What a look at a photo's files finds. The files and the programs that write them are real."""

import contextlib
import fcntl
import os
import signal
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.inbox.photo import InboxPhoto, Signature
from daemon.inbox.stability import Observation, State, observe


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"content")
    return path


def seen(file: Path) -> InboxPhoto:
    return InboxPhoto("starry", "", file.name, str(file), Signature.of(file.lstat()))


def test_a_look_finds_a_photo_still(file: Path) -> None:
    assert observe(seen(file)) == Observation(State.STILL, seen(file))


def test_a_look_finds_growth_replacement_and_new_companions(file: Path) -> None:
    before = seen(file)
    file.write_bytes(b"content and more")
    assert observe(before) == Observation(State.CHANGED, seen(file))
    before = seen(file)
    (file.parent / "new").write_bytes(file.read_bytes())
    (file.parent / "new").rename(file)
    assert observe(before).state is State.CHANGED
    before = seen(file)
    (file.parent / "a.jpg.yaml").write_text("size: 100")
    look = observe(before)
    assert look.state is State.CHANGED
    assert look.photo is not None
    assert look.photo.companions == ("a.jpg.yaml",)
    assert observe(look.photo).state is State.STILL


def test_a_photo_that_became_something_else_is_gone(file: Path, tmp_path: Path) -> None:
    before = seen(file)
    file.unlink()
    assert observe(before) == Observation(State.GONE, None)
    file.symlink_to("/etc/passwd")
    assert observe(before) == Observation(State.GONE, None)
    file.unlink()
    os.mkfifo(file)
    assert observe(before) == Observation(State.GONE, None)
    assert observe(replace(before, path=str(tmp_path / "no/such/folder.jpg"))) == Observation(State.GONE, None)


def test_a_name_of_255_bytes_has_no_room_for_companions_and_is_still(tmp_path: Path) -> None:
    file = tmp_path / ("é" * 125 + "a.jpg")
    assert len(os.fsencode(file.name)) == 255
    file.write_bytes(b"x")
    assert observe(seen(file)).state is State.STILL


@pytest.fixture
def leases(tmp_path: Path) -> None:
    """Skips where the filesystem of the tests grants no leases."""
    probe = tmp_path / "probe"
    probe.touch()
    fd = os.open(probe, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except (OSError, AttributeError):
        pytest.skip("no leases here: stillness has to do")
    finally:
        os.close(fd)
        probe.unlink()


@pytest.mark.usefixtures("leases")
def test_a_look_sees_that_a_program_has_the_photo_or_its_sidecar_open_for_writing(file: Path) -> None:
    before = seen(file)
    with file.open("rb"):
        assert observe(before).state is State.STILL, "readers do not matter"
    with file.open("ab"):
        assert observe(before) == Observation(State.WRITING, before, "a.jpg")
    assert observe(before).state is State.STILL
    sidecar = file.with_name("a.jpg.yaml")
    with sidecar.open("w"):
        with_sidecar = observe(before).photo
        assert with_sidecar is not None
        assert observe(with_sidecar).state is State.WRITING
    assert observe(with_sidecar).state is State.STILL


@pytest.mark.usefixtures("leases")
def test_a_writer_that_comes_during_a_look_does_not_end_this_process(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel announces it by a signal, SIGIO unless told otherwise, whose default ends the process."""
    real = fcntl.fcntl
    signals: list[int] = []
    came: list[str] = []

    def meet(fd: int, command: int, argument: int = 0) -> object:
        result = real(fd, command, argument)
        if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_RDLCK):
            with contextlib.suppress(BlockingIOError):
                os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))
            came.append("a writer")
        return result

    monkeypatch.setattr(fcntl, "fcntl", meet)
    old = signal.signal(signal.SIGIO, lambda number, frame: signals.append(number))
    try:
        assert observe(seen(file)).state is State.STILL
    finally:
        signal.signal(signal.SIGIO, old)
    assert came
    assert not signals


@pytest.mark.usefixtures("leases")
def test_a_writer_is_not_held_up_by_being_looked_at(file: Path) -> None:
    stop = threading.Event()
    slowest = [0.0]

    def write() -> None:
        while not stop.is_set():
            started = time.monotonic()
            with file.open("rb+"):
                slowest.append(time.monotonic() - started)

    writer = threading.Thread(target=write)
    writer.start()
    before = seen(file)
    states = {observe(before).state for _ in range(3000)}
    stop.set()
    writer.join(10)
    assert states <= {State.STILL, State.WRITING}
    assert len(slowest) > 100
    assert max(slowest) < 5, "the kernel would break a lease that is kept after 45 s"


def test_a_photo_without_read_permission_is_unreadable() -> None:
    with tempfile.TemporaryDirectory() as folder:  # one that another user may enter
        os.chmod(folder, 0o755)
        file = Path(folder) / "a.jpg"
        file.write_bytes(b"content")
        file.chmod(0)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            state = observe(seen(file)).state
        finally:
            if root:
                os.seteuid(0)
        assert state is State.UNREADABLE
        file.chmod(0o644)
        assert observe(seen(file)).state is State.STILL


def test_a_look_opens_no_descriptor_for_good(file: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        observe(seen(file))
    assert len(os.listdir("/proc/self/fd")) == before
