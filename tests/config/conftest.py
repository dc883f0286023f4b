"""A folder with two style pictures."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Style pictures that are never decoded here."""
    (tmp_path / "night.jpg").write_bytes(b"a picture")
    (tmp_path / "day.png").write_bytes(b"another")
    return tmp_path
