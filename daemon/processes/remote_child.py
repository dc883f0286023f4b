"""A child process on another machine, called through a pair of sockets."""

import contextlib
import os
import socket
import threading
from multiprocessing.connection import Connection as Connection
from typing import Any

from daemon.errors import WorkerLost
from daemon.processes.messages import GoneError, Progress, SilentError, answered, send
from daemon.storage.files import Handle


class RemoteChild:
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
        """`hello`. WorkerLost: it holds no longer."""
        if not self._running:
            raise WorkerLost(f"the {self.name} is gone")
        return self.hello

    def call(
        self, method: str, *arguments: object, progress: Progress | None = None, patience: float | None = None
    ) -> Any:
        """Run `method` there, which gets `patience` to heed by itself. WorkerLost: it was not heard of to the end."""
        self.ready()
        try:
            try:
                send(self._connection, (method, arguments, patience))
            except OSError:
                raise GoneError from None
            return answered(self._connection, progress, patience and patience + self.GRACE_SECONDS)
        except WorkerLost:
            self.kill()
            raise
        except (SilentError, GoneError):
            self.kill()
            raise WorkerLost(f"the {self.name} is gone") from None

    def kill(self) -> None:
        """Hang up; a call in hand raises WorkerLost."""
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


def socket_pair() -> tuple[Connection, Handle]:
    """A line's two ends: the one to `receive` from and `send` to, and the one that becomes a Line."""
    here, there = socket.socketpair()
    return Connection(here.detach()), Handle(there.detach())
