"""Whether a photo is complete, found by a look at its files. Only regular files that a scan has seen are opened."""

import contextlib
import fcntl
import os
import signal
import stat
from dataclasses import dataclass, replace
from enum import Enum

from daemon.filenames import MASK, SIDECAR
from daemon.inbox.photo import InboxPhoto, Signature


class State(Enum):
    """What a look at a photo and its companions found. The values are for a person to read; {} is the file."""

    STILL = "still"
    CHANGED = "changed"
    GONE = "gone"
    WRITING = "a program has {} open for writing"
    UNREADABLE = "no permission to read {}"


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of a look. `photo` is the photo as it is now, None when it is gone; `file` the name of the photo or
    companion that a program writes or that cannot be read."""

    state: State
    photo: InboxPhoto | None
    file: str = ""


def observe(photo: InboxPhoto) -> Observation:
    """Compare a photo and its companions with the scan, and ask whether a program has them open for writing."""
    now = _seen_again(photo)
    if now is None:
        return Observation(State.GONE, None)
    if now != photo:
        return Observation(State.CHANGED, now)
    names = (photo.name, *photo.spelled)
    for name, signature in zip(names, (photo.signature, *photo.companion_signatures), strict=True):
        state = _file_state(photo.beside(name), signature)
        if state is not State.STILL:
            return Observation(state, now, name)
    return Observation(State.STILL, now)


def _seen_again(photo: InboxPhoto) -> InboxPhoto | None:
    signature = _signature(photo.path)
    if signature is None:
        return None
    spelled = dict(zip(photo.companions, photo.spelled, strict=True))
    names = {name: spelled.get(name, name) for name in (photo.name + SIDECAR, photo.name + MASK)}
    found = {name: each for name, own in names.items() if (each := _signature(photo.beside(own)))}
    return replace(
        photo,
        signature=signature,
        companions=tuple(found),
        companion_signatures=tuple(found.values()),
        spelled=tuple(names[name] for name in found),
    )


def _signature(path: str) -> Signature | None:
    """None if the file is absent, out of reach, not a regular file, or its name is too long to exist."""
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            return Signature.of(status)
    return None


def _file_state(path: str, signature: Signature) -> State:
    """Whether the file can be read and no program writes to it; its content is not read. An O_PATH descriptor holds
    the file, its signature is compared, and only then is the file opened through that descriptor."""
    try:
        held = os.open(path, getattr(os, "O_PATH", os.O_NONBLOCK) | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        return State.UNREADABLE if isinstance(error, PermissionError) else State.CHANGED
    try:
        if Signature.of(os.fstat(held)) != signature:
            return State.CHANGED
        return _lease_state(f"/proc/self/fd/{held}") if hasattr(os, "O_PATH") else State.STILL
    finally:
        os.close(held)


def _lease_state(path: str) -> State:
    """Linux grants a read lease on a file only while no program has the file open for writing. Where the kernel
    refuses to say (another owner's file without CAP_LEASE, most network filesystems), STILL is the answer, and
    `settle_seconds` without a change must do."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except BlockingIOError:  # a writer holds a lease, as Samba does
        return State.WRITING
    except PermissionError:
        return State.UNREADABLE
    except OSError:
        return State.STILL
    try:
        # the kernel announces a writer that comes during the lease by a signal; SIGIO would end this process
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
