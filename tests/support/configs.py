"""Files of settings beside two style pictures (the fixture `folder` of tests/config)."""

from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.errors import ConfigError

STYLES = "styles: {night: {picture: night.jpg}}\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems(folder: Path, text: str | bytes) -> list[str]:
    """What `load` says against these settings."""
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    return list(caught.value.problems)
