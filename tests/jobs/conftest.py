"""A prepared root without a daemon."""

from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.config.models import Config
from daemon.jobs.claims import JobStore
from daemon.storage.layout import Folders


@pytest.fixture
def config(root: Path) -> Config:
    config = load(root / "config.yaml")
    Folders(root).prepare(config.styles)
    return config


@pytest.fixture
def jobs(tmp_path: Path) -> JobStore:
    folders = Folders(tmp_path)
    folders.prepare(["alpha"])
    return JobStore(folders)
