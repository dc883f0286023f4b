"""The daemon's side of a child process on another machine, called through a pair of sockets."""

import contextlib
import os
import socket
import threading
from multiprocessing.connection import Connection as Connection
from typing import Any

from daemon.errors import WorkerLost
from daemon.processes.messages import GoneError, Progress, SilentError, answer_of, send
from daemon.storage.files import Handle


class RemoteChild:
    """A child of another process, which is called through a socket with the methods of Child. It runs until the
    socket is closed and cannot start again. Only one thread at a time may call; any thread may `kill`."""

    GRACE_SECONDS = 60.0  # on top of the caller's patience, because the other side applies the patience itself

    def __init__(self, name: str, end: Handle, ready_info: object) -> None:
        """`end`: the daemon's end of a `socket_pair`."""
        self.name = name
        self.ready_info: Any = ready_info
        self._connection = Connection(os.dup(end.fd))
        self._closing = threading.Lock()
        self.running = True

    def start(self) -> None:
        """Do nothing: a remote child runs from the beginning."""

    def ready(self, patience: float | None = None) -> Any:
        """The child's `ready_info`. Raises WorkerLost if the socket is closed."""
        if not self.running:
            raise WorkerLost(f"the {self.name} is gone")
        return self.ready_info

    def call(
        self, method: str, *arguments: object, progress: Progress | None = None, patience: float | None = None
    ) -> Any:
        """Run `method` there; the other side ends it after `patience` seconds without a sign of life.

        Raises WorkerLost if the connection breaks before the answer, and the errors that are the answer.
        """
        self.ready()
        try:
            try:
                send(self._connection, (method, arguments, patience))
            except OSError:
                raise GoneError from None
            return answer_of(self._connection, progress, patience and patience + self.GRACE_SECONDS)
        except WorkerLost:
            self.kill()
            raise
        except (SilentError, GoneError):
            self.kill()
            raise WorkerLost(f"the {self.name} is gone") from None

    def kill(self) -> None:
        """Close the connection at once; a call that is running raises WorkerLost."""
        self.running = False
        with (
            self._closing,
            contextlib.suppress(OSError),
            socket.socket(fileno=os.dup(self._connection.fileno())) as ours,
        ):
            ours.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection and its descriptor."""
        self.kill()
        with self._closing:
            self._connection.close()


def socket_pair() -> tuple[Connection, Handle]:
    """Two connected ends: one to `receive` from and `send` to, and one that becomes a RemoteChild."""
    here, there = socket.socketpair()
    return Connection(here.detach()), Handle(there.detach())
