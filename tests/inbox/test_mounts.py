"""Which filesystems send no events."""

import os
from pathlib import Path

import pytest

from daemon.inbox import mounts

TABLE = rb"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/nas rw shared:7 - nfs4 server:/photos rw,vers=4.2
31 22 0:41 / /mnt/my\040share\134x rw master:1 propagate_from:2 - cifs //server/share rw
32 22 0:42 / /mnt/nas/local rw - xfs /dev/vdb rw
33 22 0:43 / /mnt/phone rw - fuse.jmtpfs jmtpfs rw
34 22 0:44 / /mnt/over rw - ext4 /dev/vdc rw
35 34 0:45 / /mnt/over rw - 9p host rw
36 22 0:46 / /mnt/usb rw - fuseblk /dev/sdb1 rw
37 22 0:47 / /var/lib/x rw - overlay overlay rw
damaged line
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_bytes(TABLE)
    return path


@pytest.mark.parametrize(
    ("folder", "kind", "silent"),
    [
        ("/home/me/inbox", "ext4", False),
        ("/mnt/nas/inbox", "nfs4", True),
        ("/mnt/nas", "nfs4", True),
        ("/mnt/nasty/inbox", "ext4", False),
        ("/mnt/nas/local/inbox", "xfs", False),
        ("/mnt/my share\\x/inbox", "cifs", True),
        ("/mnt/phone/DCIM", "fuse.jmtpfs", True),
        ("/mnt/over/inbox", "9p", True),
        ("/mnt/usb/inbox", "fuseblk", False),
        ("/var/lib/x/inbox", "overlay", False),
    ],
)
def test_the_innermost_last_mount_decides(
    folder: str, kind: str, silent: bool, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mounts.filesystem(folder, table) == kind
    monkeypatch.setattr(mounts, "filesystem", lambda _: kind)
    assert bool(mounts.without_events(folder)) == silent


def test_a_link_is_judged_by_where_it_leads(table: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/mnt/nas/inbox")
    assert mounts.filesystem(str(tmp_path / "link"), table) == "nfs4"


def test_a_system_that_does_not_say_is_watched(tmp_path: Path) -> None:
    assert mounts.filesystem("/", tmp_path / "none") == ""


@pytest.mark.skipif(not os.path.exists("/proc/self/mountinfo"), reason="this system keeps no table of mounts")
def test_this_system_says_what_its_own_folders_lie_on() -> None:
    assert mounts.filesystem("/proc/self") == "proc"
