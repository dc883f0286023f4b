"""Which filesystems send no events: network, shared and user-space filesystems, by their type.

Without this table, a photo in a network folder would wait for the next scan, up to five seconds. inotify works there
without an error and reports only the changes of this machine, so only the type tells.
"""

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
# the kernel does not see changes by another machine, by a host or by a program behind FUSE
_SILENT = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "glusterfs", "lustre"}
_SILENT |= {"gpfs", "beegfs", "ocfs2", "gfs2", "9p", "gofer", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs"}
_SILENT |= {"fakeowner", "fuse"}


def without_events(folder: str) -> str:
    """The type of the folder's filesystem if it does not report every change; otherwise ""."""
    kind = filesystem(folder)
    return kind if kind in _SILENT or kind.startswith("fuse.") else ""


def filesystem(folder: str, mounts: Path = _MOUNTS) -> str:
    """The type of the folder's filesystem, "" where the system does not say."""
    real = os.path.realpath(os.fsencode(folder))
    longest, kind = -1, b""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return ""
    for line in lines:
        head, _, tail = line.partition(b" - ")
        fields = head.split()
        if len(fields) < 5 or not tail:
            continue
        point = re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), fields[4])
        is_below = real == point or real.startswith(point.rstrip(b"/") + b"/")
        if is_below and len(point) >= longest:  # of two mounts on one folder the later covers the earlier
            longest, kind = len(point), tail.split()[0]
    return kind.decode()
