"""What a child may answer: plain values and our own records, and nothing that runs."""

import errno
import json
import os
import pickle
import threading
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pytest

from daemon.errors import ConfigError, DegeneratePainting, JobError, PainterDied, WorkerDied
from daemon.previews import Preview, Thumbnails
from daemon.processes import child_process
from daemon.processes.answers import AnswerError, receive_answer, send_answer
from daemon.processes.child import Child
from daemon.processes.painters import PainterInfo
from daemon.processes.readers import Photo
from daemon.processes.remote_child import socket_pair
from daemon.processes.shared_array import SharedArray
from daemon.transfer.steps import EvaluationRun, Memory, Step
from tests.support.daemon import wait_until
from tests.support.residents import Resident


def travelled(value: object) -> Any:
    here, there = socket_pair()
    other = type(here)(os.dup(there.fd))
    send_answer(here, "result", value)
    kind, answer = receive_answer(other)
    assert kind == "result"
    return answer


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 42, 0.1, float("inf"), "bells é \ud800", b"\0\xff", (), [1, "a"], ("JPEG", 64, 48), {"a": (1,)}),
        Thumbnails((4, 3), b"card", b"", Preview(1, 1, b"rgb"), "record"),
        PainterInfo("cuda:0", "GPU", "embedded", "", "relu3_1", 2, ("cuda:1",)),
        Step(1, 32, 0.5, 1, 1, 0.1, Memory("cpu", 1, None), (EvaluationRun(1, None, True, 20, 32),), (("tv", 0.1),)),
    ],
)
def test_what_a_child_answers_arrives_as_it_was(value: object) -> None:
    answer = travelled(value)
    assert answer == value
    assert type(answer) is type(value)


def test_numbers_of_numpy_arrive_as_numbers() -> None:
    assert travelled((np.float32(0.5), np.int64(3), np.bool_(True), np.float64(0.25))) == (0.5, 3, True, 0.25)


def test_arrays_travel_by_descriptor() -> None:
    photo = Photo(SharedArray.of(np.full((2, 3, 3), 0.5)), None, "JPEG", b"Exif")
    answer = travelled(photo)
    assert (answer.format, answer.metadata, answer.alpha) == ("JPEG", b"Exif", None)
    assert (answer.pixels.array() == 0.5).all()


@pytest.mark.parametrize(
    "error",
    [
        *(JobError("It is blurred.", "Hold still."), DegeneratePainting("a", "b"), ConfigError(["one", "two"])),
        *(WorkerDied("gone"), PainterDied("gone", "painter 1")),
    ],
)
def test_errors_arrive_as_they_were(error: Exception) -> None:
    answer = travelled(error)
    assert type(answer) is type(error)
    assert str(answer) == str(error)


def test_an_error_of_the_disk_keeps_its_number() -> None:
    answer = travelled(OSError(errno.ENOSPC, "No space left on device"))
    assert (answer.errno, answer.strerror) == (errno.ENOSPC, "No space left on device")
    assert isinstance(travelled(PermissionError(errno.EACCES, "no")), PermissionError)


def test_an_array_must_fit_into_its_memory() -> None:
    array = SharedArray.of(np.zeros((4, 4)))
    for shape in ((5, 4), (-1, 4), (2.0, 2), [4, 4], "44"):
        object.__setattr__(array, "shape", shape)
        with pytest.raises(AnswerError):
            travelled(array)


class Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, ("/proc/no such place",)


def head(*lengths: int, handles: int = 0) -> bytes:
    text = json.dumps([handles, list(lengths)]).encode()
    return len(text).to_bytes(4, "big") + text


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0\0\0\x02[]", b"\xff\xff\xff\xff", head(2) + b"[]", head(4) + b"null", head(5000) + b"["),
        *(head(handles=99), head(10) + b'["a",{"x"', pickle.dumps(("result", Bomb()))),
        *(head(len(text)) + text for text in (b'["result",{"system":["ls"]}]', b'["result",{"bytes":7}]', b"[" * 4000)),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    here, there = socket_pair()
    other = type(here)(os.dup(there.fd))
    here.send_bytes(data)
    with pytest.raises(AnswerError):
        receive_answer(other)


def test_an_answer_that_is_too_long_is_not_read() -> None:
    here, there = socket_pair()
    other = type(here)(os.dup(there.fd))
    threading.Thread(target=lambda: os.write(here.fileno(), b"\x7f\xff\xff\xff")).start()
    with pytest.raises(OSError, match="message length"):
        receive_answer(other)


class TakenOver(Resident):
    """A child that speaks with another's voice."""

    def pickled(self) -> None:
        def lie(connection: Connection, kind: str, value: object) -> None:
            connection.send_bytes(pickle.dumps(("result", Bomb())))

        vars(child_process)["send_answer"] = lie


@pytest.mark.slow
def test_a_child_that_sends_a_pickle_is_ended() -> None:
    child = Child("reader", TakenOver)
    with pytest.raises(WorkerDied):
        child.call("pickled")
    wait_until(lambda: not child.running)
    child.close()
