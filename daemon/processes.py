"""Child processes that answer calls: start, call, progress, death and replacement.

They are spawned, never forked, so that they inherit no lock and no thread; they ignore the terminal's Ctrl+C,
which is the daemon's to handle; and they end when their parent does, however it ends.
"""

import contextlib
import io
import logging
import os
import pickle
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import get_context, parent_process, reduction, resource_tracker
from multiprocessing.connection import Connection as Connection  # of a line's end, for whoever holds one
from multiprocessing.connection import wait
from typing import Any

from daemon.canvas import Handle
from daemon.errors import ConfigError, Died, JobError, Lost
from daemon.names import shown

log = logging.getLogger("styled")
_spawn = get_context("spawn")
Progress = Callable[..., None]


class _Pickler(pickle.Pickler):
    """Takes the descriptors out of a message, because they travel beside its bytes."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.handles: list[Handle] = []

    def persistent_id(self, obj: object) -> int | None:
        if not isinstance(obj, Handle):
            return None
        self.handles.append(obj)
        return len(self.handles) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, handles: list[Handle]) -> None:
        super().__init__(file)
        self.handles = handles

    def persistent_load(self, pid: int) -> Handle:
        return self.handles[pid]


def send(connection: Connection, message: object) -> None:
    """Send any picklable message; a Handle in it arrives as a descriptor of the receiver's own."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(message)
    connection.send_bytes(len(pickler.handles).to_bytes(2, "big") + buffer.getvalue())
    for handle in pickler.handles:
        reduction.send_handle(connection, handle.fd, None)


def receive(connection: Connection) -> Any:
    """The next message. EOFError or OSError: the other side is gone."""
    data = connection.recv_bytes()
    count = int.from_bytes(data[:2], "big")
    handles = [Handle(reduction.recv_handle(connection)) for _ in range(count)]
    return _Unpickler(io.BytesIO(data[2:]), handles).load()


class Child:
    """One child process around one resident object: `factory(*arguments)` is made in the child and stays there.

    The object's `hello` attribute comes back with the first answer; `call` runs one of its methods, which may
    report through the `progress` keyword it is given. One caller at a time; `kill` may come from any thread.
    """

    def __init__(self, name: str, factory: Callable[..., Any], *arguments: object) -> None:
        self.name = name
        self.hello: Any = None
        self._is_up = False
        self._factory = factory
        self._arguments = arguments
        self._process: Any = None
        self._connection: Connection | None = None

    def start(self) -> None:
        """Start the process without waiting for it; a no-op while it runs."""
        if self.running:
            return
        self._is_up = False
        ours, theirs = _spawn.Pipe()
        self._connection = ours
        self._process = _spawn.Process(
            target=_serve, args=(theirs, self._factory, self._arguments), name=self.name, daemon=True
        )
        resource_tracker.ensure_running()
        with _ctrl_c_held():  # until the child ignores it by itself
            self._process.start()
        theirs.close()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def ready(self) -> Any:
        """Start if need be and wait for `hello`. Errors: what the factory raised, or Died."""
        self.start()
        if not self._is_up:
            self.hello = self._answer(None, None)
            self._is_up = True
        return self.hello

    def call(
        self, method: str, *arguments: object, progress: Progress | None = None, patience: float | None = None
    ) -> Any:
        """Run `method` in the child. `patience`: seconds without a sign of life after which it is killed."""
        self.ready()
        assert self._connection is not None
        try:
            send(self._connection, (method, arguments))
        except OSError:
            raise Died(self._obituary()) from None
        return self._answer(progress, patience)

    def kill(self) -> None:
        """End the process at once; a call in hand raises Died."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()

    def close(self) -> None:
        """Kill the process, wait for its end and give its descriptors back."""
        self.kill()
        if self._process is not None:
            self._process.join()
            self._process.close()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answer(self, progress: Progress | None, patience: float | None) -> Any:
        assert self._connection is not None
        try:
            return _answered(self._connection, progress, patience)
        except _SilentError:
            self.kill()
            raise Died(f"the {self.name} gave no sign of life for {patience:.0f} s") from None
        except _CrashError as crash:
            self._process.join(5)
            raise Died(f"the {self.name} broke down:\n{str(crash).rstrip()}") from None
        except _GoneError:
            raise Died(self._obituary()) from None

    def _obituary(self) -> str:
        self._process.join(5)
        code = self._process.exitcode
        if code is None:
            self.kill()
            return f"the {self.name} closed its line"
        if code < 0:
            return f"the {self.name} was ended by {signal.Signals(-code).name}"
        return f"the {self.name} ended with exit code {code}"


class Line:
    """The line to what answers calls elsewhere, by the same few calls as a Child. It is up as long as it holds, and
    never again after that. One caller at a time; `kill` may come from any thread."""

    GRACE_SECONDS = 60.0  # beyond a caller's patience: whoever is at the other end has patience of its own

    def __init__(self, name: str, end: Handle, hello: object) -> None:
        """`end`: our end of a pair of connected sockets, see `pair`. `hello`: of what is at the other."""
        self.name = name
        self.hello: Any = hello
        self._connection = Connection(os.dup(end.fd))
        self._closing = threading.Lock()
        self._running = True

    @property
    def running(self) -> bool:
        return self._running

    def start(self) -> None:
        """It is."""

    def ready(self) -> Any:
        """`hello`. Lost: it holds no longer."""
        if not self._running:
            raise Lost(f"the {self.name} is gone")
        return self.hello

    def call(
        self, method: str, *arguments: object, progress: Progress | None = None, patience: float | None = None
    ) -> Any:
        """Run `method` there, which gets `patience` to heed by itself. Lost: it was not heard of to the end."""
        self.ready()
        try:
            try:
                send(self._connection, (method, arguments, patience))
            except OSError:
                raise _GoneError from None
            return _answered(self._connection, progress, patience and patience + self.GRACE_SECONDS)
        except Lost:
            self.kill()
            raise
        except (_SilentError, _GoneError):
            self.kill()
            raise Lost(f"the {self.name} is gone") from None

    def kill(self) -> None:
        """Hang up; a call in hand raises Lost."""
        self._running = False
        with (
            self._closing,
            contextlib.suppress(OSError),
            socket.socket(fileno=os.dup(self._connection.fileno())) as ours,
        ):
            ours.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up and give the descriptor back."""
        self.kill()
        with self._closing:
            self._connection.close()


def pair() -> tuple[Connection, Handle]:
    """A line's two ends: the one to `receive` from and `send` to, and the one that becomes a Line."""
    here, there = socket.socketpair()
    return Connection(here.detach()), Handle(there.detach())


class _SilentError(Exception):
    """No sign of life for as long as there was patience."""


class _GoneError(Exception):
    """The other side of a connection is."""


class _CrashError(Exception):
    """A child's last words: its traceback."""


def _answered(connection: Connection, progress: Progress | None, patience: float | None) -> Any:
    """What comes back for a call. _SilentError, _GoneError, _CrashError, or the error that was the answer."""
    while True:
        if not wait([connection], patience):
            raise _SilentError
        try:
            kind, value = receive(connection)
        except (EOFError, OSError):
            raise _GoneError from None
        if kind == "result":
            return value
        if kind == "progress" and progress is not None:
            progress(*value)
        elif kind == "log":
            log.log(*value)
        elif kind == "error":
            raise value
        elif kind == "crash":
            raise _CrashError(value)


@contextlib.contextmanager
def _ctrl_c_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Forward(logging.Handler):
    """A child's log lines are the daemon's: they go up the same line as its answers."""

    def __init__(self, answer: Callable[[str, object], None]) -> None:
        super().__init__()
        self._answer = answer

    def emit(self, record: logging.LogRecord) -> None:
        self._answer("log", (record.levelno, "%s", record.getMessage()))


def _serve(connection: Connection, factory: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    """The child's life: make the object, answer calls, end with the parent or at the first surprise."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lock = threading.Lock()

    def answer(kind: str, value: object) -> None:
        with lock:
            send(connection, (kind, value))

    log.addHandler(Forward(answer))
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        try:
            resident = factory(*arguments)
            answer("result", resident.hello)
        except ConfigError as error:
            answer("error", error)
            return
        while True:
            _serve_once(connection, resident, answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the daemon is gone
    except BaseException:
        with contextlib.suppress(OSError):
            answer("crash", traceback.format_exc(limit=-8))
        os._exit(1)


def _serve_once(connection: Connection, resident: Any, answer: Callable[[str, object], None]) -> None:
    """One call. A function of its own, so that nothing of it, canvases above all, is held until the next one."""
    method, parameters = receive(connection)
    try:
        result = getattr(resident, method)(*parameters, progress=lambda *p: answer("progress", p))
        answer("result", result)
    except (ConfigError, JobError, *getattr(resident, "answers_with", ())) as error:
        answer("error", error)


def catch_output(who: str) -> None:
    """Libraries in C complain on the standard streams, in words for programmers: into the log with that."""
    ours, theirs = os.pipe()
    os.dup2(theirs, 1)
    os.dup2(theirs, 2)
    os.close(theirs)

    def forward() -> None:
        with os.fdopen(ours, errors="replace") as lines:
            for line in lines:
                log.debug("%s said: %s", who, shown(line.rstrip()[:500]))

    threading.Thread(target=forward, name="output", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    time.sleep(0.2)  # let an answer in hand get out of the way
    os._exit(0)
