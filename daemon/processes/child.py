"""Child processes that answer calls: start, call, progress, death and replacement.

They are spawned, never forked, so that they inherit no lock and no thread; they ignore the terminal's Ctrl+C,
which is the daemon's to handle; and they end when their parent does, however it ends.
"""

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection as Connection
from typing import Any

from daemon.errors import WorkerDied
from daemon.processes.child_process import serve
from daemon.processes.messages import CrashError, Factory, GoneError, Progress, SilentError, answered, send

_spawn = get_context("spawn")


class Child:
    """One child process around one resident object: `factory(*arguments)` is made in the child and stays there.

    The object's `hello` attribute comes back with the first answer; `call` runs one of its methods, which may
    report through the `progress` keyword it is given. One caller at a time; `kill` may come from any thread.
    """

    def __init__(self, name: str, factory: Factory, *arguments: object) -> None:
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
            target=serve, args=(theirs, self._factory, self._arguments), name=self.name, daemon=True
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
        """Start if need be and wait for `hello`. Errors: what the factory raised, or WorkerDied."""
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
            raise WorkerDied(self._obituary()) from None
        return self._answer(progress, patience)

    def kill(self) -> None:
        """End the process at once; a call in hand raises WorkerDied."""
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
            return answered(self._connection, progress, patience)
        except SilentError:
            self.kill()
            raise WorkerDied(f"the {self.name} gave no sign of life for {patience:.0f} s") from None
        except CrashError as crash:
            self._process.join(5)
            raise WorkerDied(f"the {self.name} broke down:\n{str(crash).rstrip()}") from None
        except GoneError:
            raise WorkerDied(self._obituary()) from None

    def _obituary(self) -> str:
        self._process.join(5)
        code = self._process.exitcode
        if code is None:
            self.kill()
            return f"the {self.name} closed its line"
        if code < 0:
            return f"the {self.name} was ended by {signal.Signals(-code).name}"
        return f"the {self.name} ended with exit code {code}"


@contextlib.contextmanager
def _ctrl_c_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
