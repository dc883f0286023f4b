"""What several test modules share: small real pictures, a configured root, a real daemon in its own process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.layout import Folders
from tests.support.daemon import Daemon, Start
from tests.support.samples import CONFIG, jpeg

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads wait for each other on pictures as small as these
SLOW = {"start", "browser"}  # fixtures that take seconds: a real daemon, a real browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a config.yaml of two styles, quick to paint."""
    (tmp_path / "alpha.png").write_bytes(jpeg(seed=1, kind="PNG"))
    (tmp_path / "beta.png").write_bytes(jpeg(40, 60, seed=2, kind="PNG"))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A root with the style alpha, and the outbox folder that its first delivery makes."""
    folders = Folders(tmp_path)
    folders.prepare(["alpha"])
    (folders.outbox / "alpha").mkdir()
    return folders


@pytest.fixture
def start(root: Path) -> Iterator[Start]:
    """Starts daemons on `root`; whatever still runs at the test's end is killed."""
    started: list[Daemon] = []

    def begin(*arguments: str, at: Path = root, fast: bool = False, powerless: bool = False) -> Daemon:
        started.append(Daemon(at, *arguments, fast=fast, powerless=powerless))
        return started[-1]

    yield begin
    for daemon in started:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
