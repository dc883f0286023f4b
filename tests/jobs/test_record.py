"""The folders of work/ and what can be read of their records."""

import json
import os
from pathlib import Path

import pytest

from daemon.config.models import Config
from daemon.jobs.audit import examine
from daemon.jobs.claims import JobStore
from tests.support.jobs import claimed, inbox_photo, take, tree


def test_names_that_are_not_utf8_survive_the_record(jobs: JobStore, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.jpg")
    take(jobs, inbox_photo(tmp_path, name))
    assert jobs.recover() == (0, 1)
    assert (tmp_path / "inbox/alpha" / name).read_text() == "photo"


def test_a_folder_in_work_without_a_readable_record_is_left_alone(
    jobs: JobStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, record in (("theirs", None), ("torn", '{"id": "torn"'), ("future", json.dumps({"id": "future"}))):
        (tmp_path / "work" / name).mkdir()
        (tmp_path / "work" / name / "photo.jpg").write_text("photo")
        if record:
            (tmp_path / "work" / name / "job.json").write_text(record)
    before = tree(tmp_path)
    assert jobs.recover() == (0, 0)
    assert tree(tmp_path) == before
    assert [getattr(record, "event", "") for record in caplog.records] == ["record_damaged"] * 3


@pytest.mark.parametrize("place", ["../../escaped", "/etc", ""])
def test_a_record_that_leads_outside_is_not_followed(root: Path, config: Config, place: str) -> None:
    jobs, job = claimed(root, "photo.jpg")
    path = root / "work" / job.id / "job.json"
    record = json.loads(path.read_text())
    for name in ("style", "name", "folder") if place else ("style", "name"):
        path.write_text(json.dumps(record | {name: place}))
        assert jobs.recover() == (0, 0)
        assert examine(config).findings
    assert (root / "work" / job.id / "photo.jpg").exists()
