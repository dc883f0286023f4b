"""Answers of a child to the daemon: JSON, byte strings and descriptors.

A malicious photo that takes control of its decoder controls the reader and its answers. So an answer is no pickle,
which could run code in the daemon: it holds plain values, and fields of the classes that `know` names.
"""

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from multiprocessing import reduction
from multiprocessing.connection import Connection as Connection
from typing import Any

from daemon.errors import (
    ConfigError,
    DegeneratePainting,
    JobError,
    PainterDied,
    StartLater,
    WorkerDied,
    WorkerLost,
)
from daemon.storage.files import Handle

LARGEST = 1 << 26  # bytes of an answer; thumbnails have some 100 KB, pixels travel by descriptor
MOST_HANDLES = 16
_ERRORS = (JobError, DegeneratePainting, ConfigError, StartLater, WorkerDied, PainterDied, WorkerLost)
_known: dict[str, Callable[..., Any]] = {each.__name__: each for each in _ERRORS}
_LOG_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class AnswerError(Exception):
    """The other side sent something that is no answer."""


def know(*classes: type) -> None:
    """Let answers hold these classes: dataclasses and named tuples."""
    _known.update({each.__name__: each for each in classes})


def send_answer(connection: Connection, kind: str, value: object) -> None:
    """Send an answer, see `messages.answer_of`; the daemon gets a descriptor of its own for each Handle in it."""
    blobs: list[bytes] = []
    handles: list[Handle] = []
    text = json.dumps([kind, _plain(value, blobs, handles)]).encode()
    parts = [text, *blobs]
    head = json.dumps([len(handles), [len(part) for part in parts]]).encode()
    connection.send_bytes(b"".join((len(head).to_bytes(4, "big"), head, *parts)))
    for handle in handles:
        reduction.send_handle(connection, handle.fd, None)


def receive_answer(connection: Connection) -> tuple[str, Any]:
    """The next answer: its kind and its value. Raises EOFError or OSError if the other side has gone, AnswerError if
    the other side sent something else."""
    data = connection.recv_bytes(LARGEST)
    try:
        start = 4 + int.from_bytes(data[:4], "big")
        count, lengths = json.loads(data[4:start])
        parts = []
        for length in lengths:
            parts.append(data[start : start + length])
            start += length
        if not 0 <= count <= MOST_HANDLES:
            raise AnswerError(f"an answer with {count} descriptors")
        handles = [Handle(reduction.recv_handle(connection)) for _ in range(count)]
        kind, value = json.loads(parts[0])
        return str(kind), _restored(value, parts[1:], handles)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise AnswerError(f"an answer that cannot be read: {error}") from None


def fields_of(record: dict[str, Any]) -> dict[str, Any]:
    """The fields of a log record that another process may set."""
    return {name: value for name, value in record.items() if name not in _LOG_RECORD}


def _plain(value: Any, blobs: list[bytes], handles: list[Handle]) -> Any:
    """JSON for `value`. A value that JSON has no type for becomes {kind: content}."""
    if value is None or isinstance(value, bool | int | float | str):
        return value if type(value) in (bool, int, float, str, type(None)) else _base(value)
    if isinstance(value, bytes):
        blobs.append(value)
        return {"bytes": len(blobs) - 1}
    if isinstance(value, Handle):
        handles.append(value)
        return {"handle": len(handles) - 1}
    if isinstance(value, OSError):
        return {"OSError": [value.errno, value.strerror or str(value)]}
    if isinstance(value, Exception):
        return {type(value).__name__: _each(value.args, blobs, handles)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        content = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return {type(value).__name__: _each(content, blobs, handles)}
    if isinstance(value, tuple):
        name = type(value).__name__ if hasattr(value, "_fields") else "tuple"
        return {name: _each(value, blobs, handles)}
    if isinstance(value, list):
        return _each(value, blobs, handles)
    if isinstance(value, dict):
        return {"dict": [[str(key), _plain(each, blobs, handles)] for key, each in value.items()]}
    return value.item() if hasattr(value, "item") else str(value)  # a number of numpy; a path


def _base(value: Any) -> Any:
    """An enumeration's member or a number of numpy, as a plain value."""
    return next(kind(value) for kind in (bool, int, float, str) if isinstance(value, kind))


def _each(values: Sequence[Any], blobs: list[bytes], handles: list[Handle]) -> list[Any]:
    return [_plain(value, blobs, handles) for value in values]


def _restored(value: Any, blobs: list[bytes], handles: list[Handle]) -> Any:
    if isinstance(value, list):
        return [_restored(each, blobs, handles) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "bytes":
        return blobs[content]
    if kind == "handle":
        return handles[content]
    if kind == "dict":
        return {str(key): _restored(each, blobs, handles) for key, each in content}
    inside = [_restored(each, blobs, handles) for each in content]
    if kind == "tuple":
        return tuple(inside)
    return OSError(*inside) if kind == "OSError" else _known[kind](*inside)
