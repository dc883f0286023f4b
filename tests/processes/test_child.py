"""Children that answer calls: real processes, really killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from daemon.errors import ConfigError, JobError, WorkerDied
from daemon.processes.child import Child
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle
from tests.support.daemon import process_state, wait_until
from tests.support.residents import Resident


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child("painter", Resident)
    yield child
    child.close()


def test_arrays_and_files_go_there_and_back_by_descriptor(child: Child) -> None:
    result = child.call("double", SharedArray.of(np.full((3, 4), 0.25)))
    assert (result.array() == 0.5).all()
    read, write = os.pipe()
    os.write(write, b"photo")
    os.close(write)
    assert child.call("read", Handle(read)) == b"photo"


def test_progress_arrives_before_the_result(child: Child) -> None:
    seen: list[int] = []
    assert child.call("count", progress=seen.append) == "counted"
    assert seen == [0, 1, 2]


def test_a_log_record_arrives_with_its_event_and_fields(child: Child, caplog: pytest.LogCaptureFixture) -> None:
    child.call("log_something")
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "the memory is short")
    assert {name: vars(record)[name] for name in ("event", "device", "tile")} == {
        "event": "memory_short",
        "device": "cuda:0",
        "tile": 256,
    }


def test_an_idle_child_holds_nothing_of_its_last_call(child: Child) -> None:
    def held() -> list[str]:
        found = [os.readlink(path) for path in Path(f"/proc/{child._process.pid}/fd").iterdir()]
        return [each for each in found if "styled-array" in each]

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


def test_a_bug_ends_the_child_with_its_traceback(child: Child) -> None:
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
    assert child.call("ignores_ctrl_c")
    os.kill(child.ready(), signal.SIGINT)
    assert child.call("ignores_ctrl_c")


def test_children_end_when_their_parent_is_killed() -> None:
    code = (
        "from daemon.processes.child import Child\n"
        "from tests.support.residents import Resident\n"
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
    wait_until(lambda: process_state(pid) in ("Z", ""), 60)
