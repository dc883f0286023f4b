"""From seen to settled to taken: what is known of each photo that waits, and whose turn it is.

No threads, no clock and no waiting here: `now` is always handed in, in seconds of a monotonic clock. A file has
settled when it has not changed since it was first looked at like this; its own times are never believed.
"""

import contextlib
import fcntl
import os
import signal
import stat
from dataclasses import dataclass, replace
from enum import Enum

from daemon.filenames import MASK, SIDECAR
from daemon.inbox.scan import InboxPhoto, Signature

UNREADABLE_SECONDS = 5.0  # how often a file without read permission is tried again
WRITER_SECONDS = 0.2  # the least time between two looks at a file that is being written


class State(Enum):
    """What a look at a photo and its companions found."""

    STILL = "still"
    CHANGED = "changed"
    GONE = "gone"
    WRITING = "a program has it open for writing"
    UNREADABLE = "no permission to read it"


@dataclass(frozen=True, slots=True)
class Observation:
    """A look at a photo. `arrival` is the photo as it is now, None when it is gone."""

    state: State
    arrival: InboxPhoto | None


def observe(arrival: InboxPhoto) -> Observation:
    """Compare a photo and its companions with what was seen before, and ask whether anybody writes to them."""
    now = _again(arrival)
    if now is None:
        return Observation(State.GONE, None)
    if now != arrival:
        return Observation(State.CHANGED, now)
    names = (arrival.name, *arrival.companions)
    for name, signature in zip(names, (arrival.signature, *arrival.beside), strict=True):
        state = _touch(arrival.path + name[len(arrival.name) :], signature)
        if state is not State.STILL:
            return Observation(state, now)
    return Observation(State.STILL, now)


def _again(arrival: InboxPhoto) -> InboxPhoto | None:
    signature = _signature(arrival.path)
    if signature is None:
        return None
    beside = {ending: _signature(arrival.path + ending) for ending in (SIDECAR, MASK)}
    return replace(
        arrival,
        signature=signature,
        companions=tuple(arrival.name + ending for ending, its in beside.items() if its),
        beside=tuple(its for its in beside.values() if its),
    )


def _signature(path: str) -> Signature | None:
    """None: absent (a name too long to exist, too), out of reach, or not a regular file."""
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            return Signature.of(status)
    return None


def _touch(path: str, signature: Signature) -> State:
    """Whether the file can be read and nobody writes to it, without reading it. Nothing but the regular file that
    was seen is ever opened: it is pinned by an O_PATH descriptor, checked, and only then opened through that."""
    try:
        pinned = os.open(path, getattr(os, "O_PATH", os.O_NONBLOCK) | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        return State.UNREADABLE if isinstance(error, PermissionError) else State.CHANGED
    try:
        if Signature.of(os.fstat(pinned)) != signature:
            return State.CHANGED
        return _ask_for_lease(f"/proc/self/fd/{pinned}") if hasattr(os, "O_PATH") else State.STILL
    finally:
        os.close(pinned)


def _ask_for_lease(path: str) -> State:
    """Linux grants a read lease on a file only while nobody has it open for writing. Where it cannot be asked
    (another owner's file without CAP_LEASE, most network filesystems) the file's stillness has to do."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except BlockingIOError:  # under a writer's own lease, as Samba takes them
        return State.WRITING
    except PermissionError:
        return State.UNREADABLE
    except OSError:
        return State.STILL
    try:
        # a writer that comes while the lease lasts is announced by a signal: SIGIO would end this process
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return State.WRITING
    except OSError:
        return State.STILL
    finally:
        os.close(fd)
    return State.STILL
