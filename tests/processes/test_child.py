"""Children that answer calls: real processes, really killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.errors import ConfigError, JobError, ShuttingDown, WorkerDied, WorkerLost
from daemon.processes.child import Child
from daemon.processes.messages import receive, send
from daemon.processes.pool import Pool
from daemon.processes.remote_child import RemoteChild, socket_pair
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle
from tests.support.daemon import wait_until


class Resident:
    """What lives in the test's children."""

    def __init__(self, mood: str = "good") -> None:
        if mood == "misconfigured":
            raise ConfigError(["device: there is no cuda:7"])
        if mood == "sick":
            raise RuntimeError("the device is on fire")
        self.hello: Any = os.getpid()

    def double(self, canvas: SharedArray, progress: Callable[..., None]) -> SharedArray:
        for step in range(3):
            progress(step)
        return SharedArray.of(canvas.array() * 2)

    def refuse(self, progress: Callable[..., None]) -> None:
        raise JobError("It is blurred.", "Hold still.")

    def refuse_this(self, canvas: SharedArray, progress: Callable[..., None]) -> None:
        raise JobError(f"It is {canvas.array().mean()}.", "Hold still.")

    def break_down(self, progress: Callable[..., None]) -> None:
        raise RuntimeError("an illegal memory access")

    def hang(self, progress: Callable[..., None]) -> None:
        time.sleep(1000)

    def read(self, handle: Handle, progress: Callable[..., None]) -> bytes:
        with handle.file() as file:
            return file.read()

    def mask(self, progress: Callable[..., None]) -> bool:
        return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child("painter", Resident)
    yield child
    child.close()


def test_arrays_and_files_go_there_and_back_by_descriptor(child: Child, tmp_path: object) -> None:
    seen: list[int] = []
    result = child.call("double", SharedArray.of(np.full((3, 4), 0.25)), progress=seen.append)
    assert (result.array() == 0.5).all()
    assert seen == [0, 1, 2]
    read, write = os.pipe()
    os.write(write, b"photo")
    os.close(write)
    assert child.call("read", Handle(read)) == b"photo"


def test_an_idle_child_holds_nothing_of_its_last_call(child: Child) -> None:
    def held() -> list[str]:
        found = [os.readlink(path) for path in Path(f"/proc/{child.pid}/fd").iterdir()]
        return [each for each in found if "styled-canvas" in each]

    child.call("double", SharedArray.of(np.full((3, 4), 0.25)))
    with pytest.raises(JobError):
        child.call("refuse_this", SharedArray.of(np.full((3, 4), 0.25)))
    wait_until(lambda: not held(), what=lambda: str(held()))


def test_a_bad_picture_is_refused_and_the_child_goes_on(child: Child) -> None:
    pid = child.ready()
    with pytest.raises(JobError, match=r"It is blurred\. Hold still\."):
        child.call("refuse")
    assert child.ready() == pid
    assert child.running


def test_whatever_nobody_foresaw_ends_the_child_with_its_traceback(child: Child) -> None:
    with pytest.raises(WorkerDied, match="an illegal memory access"):
        child.call("break_down")
    assert not child.running


def test_a_killed_child_is_noticed_at_once(child: Child) -> None:
    pid = child.ready()
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(WorkerDied, match="ended by SIGKILL"):
        child.call("hang")


def test_a_hung_child_is_killed_when_patience_ends(child: Child) -> None:
    with pytest.raises(WorkerDied, match="no sign of life"):
        child.call("hang", patience=0.3)
    wait_until(lambda: not child.running)


def test_wrong_settings_come_back_as_they_are() -> None:
    child = Child("painter", Resident, "misconfigured")
    with pytest.raises(ConfigError, match="no cuda:7"):
        child.ready()
    child.close()


def test_the_terminals_ctrl_c_is_not_for_children(child: Child) -> None:
    assert child.call("mask")
    os.kill(child.ready(), signal.SIGINT)
    assert child.call("mask")


def test_children_end_with_their_parent_however_it_ends() -> None:
    code = (
        "from daemon.processes import Child\n"
        "from tests.test_processes import Resident\n"
        "import time\n"
        "if __name__ == '__main__':\n"
        "    child = Child('reader', Resident)\n"
        "    print(child.ready(), flush=True)\n"
        "    child.call('hang')\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not _alive(pid), 60)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_dead_child_is_replaced_for_the_next_taker() -> None:
    pool = Pool([Child("reader", Resident)])
    with pool.take() as child:
        first = child.hello
        os.kill(first, signal.SIGKILL)
    wait_until(lambda: not pool.children[0].running)
    with pool.take() as child:
        assert child.hello != first
        assert child.call("mask")
    pool.close()
    pool.children[0].close()


def test_closing_a_pool_stops_whoever_works_or_waits() -> None:
    pool = Pool([Child("painter", Resident)])
    ended: list[type[BaseException]] = []

    def work() -> None:
        try:
            with pool.take() as child:
                child.call("hang")
        except BaseException as error:
            ended.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: pool.children[0].hello is not None)
    pool.close()
    for thread in threads:
        thread.join(10)
    assert ended == [ShuttingDown] * 3
    pool.children[0].close()


def test_a_child_that_does_not_start_is_tried_again_and_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "RETRY_SECONDS", (0.01,))
    pool = Pool([Child("painter", Resident, "sick")])
    threading.Timer(1.5, pool.close).start()
    with pytest.raises(ShuttingDown), pool.take():
        pass
    pool.children[0].close()


class Named(Resident):
    """Knows its name; a sick one works only until its first call."""

    def __init__(self, name: str) -> None:
        self.hello: Any = name

    def trial(self, progress: Callable[..., None]) -> None:
        if self.hello == "sick":
            raise RuntimeError("still on fire")


def test_a_child_that_did_the_same_lately_is_preferred() -> None:
    pool = Pool([Child("painter", Named, name) for name in ("a", "b")])
    with pool.take("waves") as first, pool.take("ink") as second:
        before = {"waves": first, "ink": second}
    for wish in ("ink", "ink", "waves", "ink"):
        with pool.take(wish) as child:
            assert child is before[wish]
    for child in pool.children:
        child.close()


def test_a_sick_child_holds_up_nobody_while_another_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Pool, "RETRY_SECONDS", (0.01,))
    pool = Pool([Child("painter cuda:0", Named, "sick"), Child("painter cuda:1", Named, "well")], trial="trial")
    for wanted in ("sick", "well"):
        with contextlib.suppress(WorkerDied), pool.take() as child:
            assert child.hello == wanted
            child.call("break_down" if wanted == "sick" else "mask")
    for _ in range(3):
        with pool.take() as child:
            assert child.hello == "well"
    with pool.take() as well:
        threading.Timer(1.0, pool.close).start()
        with pytest.raises(ShuttingDown), pool.take():  # only the sick one is left: it is tried again and again
            pass
        assert well.hello == "well"
    assert not pool.trouble, "something is painted"
    assert [record.levelname for record in caplog.records].count("ERROR") <= 1
    for child in pool.children:
        child.close()


def test_children_join_and_leave_while_others_wait_for_them() -> None:
    pool: Pool[Child] = Pool()
    taken: list[str] = []

    def work() -> None:
        with pool.take() as child:
            taken.append(child.hello)

    waiting = threading.Thread(target=work)
    waiting.start()
    late = Child("painter", Named, "late")
    pool.add(late)
    waiting.join(60)
    assert taken == ["late"]
    with pool.take():
        pool.remove(late)
        assert late.running, "what it does is finished first"
    assert not late.running
    assert pool.children == ()
    pool.refuse(ConfigError(["cluster: Ray is not installed"]))
    with pytest.raises(ConfigError, match="not installed"), pool.take():
        pass


def test_a_line_is_called_like_a_child_and_is_lost_without_blame() -> None:
    here, there = socket_pair()
    line = RemoteChild("painter of a test", there, "ready")
    there.close()

    def other_end() -> None:
        assert receive(here) == ("double", (21,), 5.0)
        for message in (("progress", (1,)), ("result", 42)):
            send(here, message)
        receive(here)
        here.close()

    thread = threading.Thread(target=other_end)
    thread.start()
    seen: list[int] = []
    assert line.ready() == "ready"
    assert line.call("double", 21, progress=seen.append, patience=5.0) == 42
    assert seen == [1]
    pool: Pool[RemoteChild] = Pool([line])
    with pytest.raises(WorkerLost, match="the painter of a test is gone"), pool.take() as taken:
        taken.call("double", 21)
    assert not line.running
    assert pool.children == (), "it has left"
    thread.join(60)
