"""The daemon's side of a child process: start it, call it, notice its death.

A child is spawned, never forked, so that it inherits no lock and no thread. It ignores the terminal's Ctrl+C, which is
for the daemon, and ends when the daemon ends, however that happens.
"""

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection as Connection
from typing import Any

from daemon.errors import WorkerDied
from daemon.processes.child_process import serve
from daemon.processes.messages import CrashError, Factory, GoneError, Progress, SilentError, answer_of, send

KILLED_SECONDS = 5.0  # within which the system ends a process that was killed
_spawn = get_context("spawn")


class Child:
    """One child process that holds one resident object, made in the child by `factory(*arguments)`.

    The object's `ready_info` attribute is the child's first answer; `call` runs a method of the object. Only one
    thread at a time may call; any thread may `kill`.
    """

    def __init__(self, name: str, factory: Factory, *arguments: object) -> None:
        self.name = name
        self.ready_info: Any = None
        self._is_up = False
        self._factory = factory
        self._arguments = arguments
        self._process: Any = None
        self._connection: Connection | None = None

    def start(self) -> None:
        """Start the process, if it does not run, without waiting until it is ready. Raises WorkerDied."""
        if self.running:
            return
        self._is_up = False
        with contextlib.ExitStack() as unused:
            try:
                ours, theirs = _spawn.Pipe()
                unused.callback(theirs.close)
                arguments = theirs, self._factory, self._arguments
                process = _spawn.Process(target=serve, args=arguments, name=self.name, daemon=True)
                resource_tracker.ensure_running()
                with _ctrl_c_held():  # until the child ignores the signal
                    process.start()
            except (OSError, ValueError) as error:  # no memory, no descriptor, no process is left
                raise WorkerDied(f"the {self.name} cannot be started: {error}") from None
        self._process, self._connection = process, ours

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def ready(self, patience: float | None = None) -> Any:
        """Start the process if it does not run, and wait for its `ready_info`.

        Raises WorkerDied if the process ends before that or is killed after `patience` seconds without a sign of life,
        and ConfigError if its factory raises it.
        """
        self.start()
        if not self._is_up:
            self.ready_info = self._answer(None, patience)
            self._is_up = True
        return self.ready_info

    def call(
        self, method: str, *arguments: object, progress: Progress | None = None, patience: float | None = None
    ) -> Any:
        """Run `method` in the child. A method that reports gets `progress` as a keyword; each report is a sign of life.

        Raises WorkerDied if the child ends, or is killed after `patience` seconds without a sign of life, and every
        JobError, ConfigError or error of the resident's `answers_with` that the method raises.
        """
        self.ready()
        assert self._connection is not None
        try:
            send(self._connection, (method, arguments, progress is not None))
        except OSError:
            raise WorkerDied(self._obituary()) from None
        return self._answer(progress, patience)

    def kill(self) -> None:
        """End the process at once; a call that is running raises WorkerDied."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()

    def close(self) -> None:
        """Kill the process, wait for its end and close its descriptors."""
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
            return answer_of(self._connection, progress, patience)
        except SilentError:
            self.kill()
            self._process.join(KILLED_SECONDS)  # until then the process looks alive, and the next caller would get it
            raise WorkerDied(f"the {self.name} gave no sign of life for {patience:g} s") from None
        except CrashError as crash:
            self._process.join(KILLED_SECONDS)
            raise WorkerDied(f"the {self.name} broke down:\n{str(crash).rstrip()}") from None
        except GoneError:
            raise WorkerDied(self._obituary()) from None

    def _obituary(self) -> str:
        self._process.join(KILLED_SECONDS)
        code = self._process.exitcode
        if code is None:
            self.kill()
            self._process.join(KILLED_SECONDS)
            return f"the {self.name} closed its connection"
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
