"""What a file is known by."""

import os
from pathlib import Path

from daemon.storage import files


def test_a_file_is_known_by_its_sha256_as_everybody_can_check_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert files.sha256(fd) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0, "whoever reads it next starts at its start"
    os.close(fd)
