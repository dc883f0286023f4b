"""The limit on open files, in processes of their own."""

import subprocess
import sys

import pytest

CODE = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from daemon.service.limits import raise_open_files
raise_open_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def tried(soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE.format(soft=soft, hard=hard)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("soft", "hard", "taken"), [(100, 1000, 1000), (1000, 1000, 1000), (64, 64, 64)])
def test_as_many_as_the_system_allows_are_taken(soft: int, hard: int, taken: int) -> None:
    assert tried(soft, hard).stdout == f"{taken}\n"


def test_too_few_end_the_start_with_the_cure() -> None:
    said = tried(20, 20).stderr
    assert "StartLater: the limit on open files is too low: 20, and 64 are needed; raise it by LimitNOFILE=" in said
