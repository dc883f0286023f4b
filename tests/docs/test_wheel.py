"""What `pip install` gets."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from daemon.assets import FOLDER

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.slow  # compiles the kernels


def test_the_wheel_holds_what_runs_and_what_installs_the_service_but_not_the_studio(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tracked = {f"daemon/assets/{path.relative_to(FOLDER).as_posix()}" for path in FOLDER.rglob("*.*") if path.is_file()}
    assert {name for name in tracked if "__pycache__" not in name} <= set(names)
    assert {"daemon/__main__.py", "daemon/py.typed", "daemon/transfer/network/native/winograd.c"} <= set(names)
    assert [name for name in names if name.startswith("daemon/studio")] == []
    assert any(name.endswith("share/styled/systemd/install.sh") for name in names)
    assert any(name.endswith("share/man/man1/styled.1") for name in names)


def test_the_archive_of_sources_holds_the_studio_and_the_tests(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    listed = subprocess.run(["tar", "-tzf", str(archive)], capture_output=True, text=True, check=True).stdout.split()
    names = {name.partition("/")[2] for name in listed}
    assert {"daemon/studio/draw.py", "tests/conftest.py", "tests/system/data/root-42bc704.tar.xz"} <= names
