"""Which folders send no events: network, shared and user-space filesystems, by their type."""

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
# what another machine, a host or a program behind FUSE changes there, this kernel does not see happen
_SILENT = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "glusterfs", "lustre"}
_SILENT |= {"gpfs", "beegfs", "ocfs2", "gfs2", "9p", "gofer", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs"}
_SILENT |= {"fakeowner", "fuse"}


def without_events(folder: str) -> str:
    """The type of the filesystem that `folder` lies on if changes there may go unnoticed, otherwise ""."""
    kind = filesystem(folder)
    return kind if kind in _SILENT or kind.startswith("fuse.") else ""


def filesystem(folder: str, mounts: Path = _MOUNTS) -> str:
    """Its filesystem's type, "" where the system does not say."""
    real = os.path.realpath(os.fsencode(folder))
    best, kind = -1, b""
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
        inside = real == point or real.startswith(point.rstrip(b"/") + b"/")
        if inside and len(point) >= best:  # the later of two on one folder covers the earlier
            best, kind = len(point), tail.split()[0]
    return kind.decode()
