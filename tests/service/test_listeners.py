"""What is done after each photo, and what is not when a part of that fails."""

import dataclasses
import json
from pathlib import Path
from typing import cast

import pytest

from daemon.config.live import LiveConfig
from daemon.config.load import load
from daemon.events import Event
from daemon.processes.readers import Readers
from daemon.service.listeners import Listeners
from daemon.status import Status
from daemon.storage.layout import Folders
from tests.support.daemon import wait_until
from tests.support.records import FAILED
from tests.support.samples import CONFIG


def test_a_listener_that_fails_is_reported_and_the_others_are_told(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = root / "told"
    (root / "config.yaml").write_text(f"{CONFIG}gallery: no\nhooks: {{on_failed: [touch, '{out}']}}\n")
    folders, status = Folders(root), Status()
    live = LiveConfig(root / "config.yaml", load(root / "config.yaml"))
    listeners = Listeners(folders, cast(Readers, None), status, live)  # no failed photo is looked at
    listeners.start()
    try:
        listeners.notify(dataclasses.replace(FAILED, place="alpha/a\nFORGED"))  # without work/ there are no counts
        wait_until(out.exists)
        assert "after alpha/a\\nFORGED: " in caplog.text
        assert [record.event for record in caplog.records] == [Event.LISTENER_FAILED]  # type: ignore[attr-defined]
        folders.prepare([])
        listeners.notify(FAILED)
        assert status.counts.failed == 2
        assert json.loads((folders.work / "tally.json").read_text())["failed"] == 2
    finally:
        listeners.close()
