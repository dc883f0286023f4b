"""Children on other machines: the other end of the socket is a thread here."""

import threading

import pytest

from daemon.errors import WorkerLost
from daemon.processes.answers import send_answer
from daemon.processes.messages import receive
from daemon.processes.pool import Pool
from daemon.processes.remote_child import RemoteChild, socket_pair


def test_a_remote_child_is_called_like_a_child_and_leaves_its_pool_when_it_is_lost() -> None:
    here, there = socket_pair()
    remote = RemoteChild("painter of a test", there, "ready")
    there.close()

    def other_end() -> None:
        assert receive(here) == ("double", (21,), 5.0)
        send_answer(here, "progress", (1,))
        send_answer(here, "result", 42)
        receive(here)
        here.close()

    thread = threading.Thread(target=other_end)
    thread.start()
    seen: list[int] = []
    assert remote.ready() == "ready"
    assert remote.call("double", 21, progress=seen.append, patience=5.0) == 42
    assert seen == [1]
    pool: Pool[RemoteChild] = Pool([remote])
    with pytest.raises(WorkerLost, match="the painter of a test is gone"), pool.take() as taken:
        taken.call("double", 21)
    assert not remote.running
    assert pool.children == (), "it has left"
    thread.join(60)
