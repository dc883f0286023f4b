"""What `status`, `styles`, `check`, `info` and `doctor` print."""

import json
from pathlib import Path

import pytest

from daemon.cli.output import ALIKE, doctor_lines, info_lines, read_status, status_lines, style_lines, tree_lines
from daemon.cli.terminal import say
from daemon.config.load import load
from daemon.jobs.audit import examine
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from tests.support.records import a_record
from tests.support.samples import CONFIG
from tests.support.statuses import a_status


def test_the_status_says_what_a_person_asks() -> None:
    found = a_status().as_dict() | {"root": "/x", "per_hour": 60.0}
    counts = {"delivered": 31, "failed": 2, "delivered_today": 5, "failed_today": 1}
    found |= {"counts": counts, "last_failure": "alpha/b.jpg: It is blurred."}
    found |= {"growing": [{"file": "c.jpg", "why": "it changed a moment ago", "seconds": 1.0}]}
    text = "\n".join(status_lines(found))
    for said in (
        "watching on a GPU with embedded weights",
        "alpha/a.jpg: painting, step 30/120, loss 0.125",
        "memory of cuda:0: 1.5 GiB held by its painter, 5.0 GiB free",
        "1,200 waiting (alpha 1,200), done in about 20 h 00 min",
        "c.jpg: not complete yet: it changed a moment ago",
        "5 painted, 1 failed today; 31 and 2 in all",
        "last failure: alpha/b.jpg: It is blurred.",
    ):
        assert said in text, said
    assert next(status_lines({"root": "/x", "state": "not running"})).startswith("No daemon runs on /x")


def test_a_daemon_that_has_written_no_status_yet_is_starting(root: Path) -> None:
    folders = Folders(root)
    folders.prepare([])
    assert read_status(root) == {"root": str(root), "state": "not running"}
    lock = Lock(folders.work / "lock")
    lock.acquire()
    try:
        assert "\n".join(status_lines(read_status(root))).startswith("starting on its device")
        (folders.work / "status.json").write_text(json.dumps({"state": "watching", "device": "a GPU"}))
        assert next(status_lines(read_status(root))).startswith("watching on a GPU"), "written by an older version"
    finally:
        lock.release()


def test_the_doctor_names_what_is_wrong_and_adds_up(root: Path) -> None:
    folders = Folders(root)
    folders.prepare(["alpha"])
    (folders.work / "stray").mkdir()
    (folders.work / "stray/a.jpg").touch()
    report = examine(load(root / "config.yaml"))
    *findings, total = doctor_lines(report, report.findings)
    assert findings[0].startswith("repaired: ")
    assert findings[-1] == f"  {report.findings[-1].advice}"
    assert total == "0 accepted = 0 delivered + 0 failed + 0 waiting + 0 in work"


def test_styles_are_listed_with_what_they_are_made_of(root: Path) -> None:
    blend = "  gamma: {pictures: [{file: builtin:ink, weight: 2}, {file: alpha.png}], keep_colors: luminance}\n"
    (root / "config.yaml").write_text(CONFIG + blend)
    text = "\n".join(style_lines(load(root / "config.yaml")))
    assert "alpha  (default)\n  alpha.png; draft, size 48\n" in text
    assert "builtin:ink × 2 + alpha.png × 1; draft, keep_colors luminance" in text
    assert f"drop into {root}/inbox/gamma/" in text


def test_the_tree_shows_each_file_and_sums_up_what_is_alike() -> None:
    entries = [(f"/r/inbox/alpha/{n:04}.jpg", "to be painted") for n in range(1000)]
    entries += [("/r/inbox/alpha/deep/a\nb.jpg", "to be painted"), ("/r/inbox/x", "left alone: no style")]
    lines = list(tree_lines(Path("/r/inbox"), entries))
    assert lines[:2] == ["inbox/", "├── x: left alone: no style"]
    assert f"    ├── … {1000 - ALIKE} more: to be painted" in lines
    assert lines[-2:] == ["    └── deep/", "        └── a\nb.jpg: to be painted"]
    assert list(tree_lines(Path("/r/inbox"), [])) == ["inbox/", "└── nothing waits"]


def test_a_record_is_printed_in_harmless_lines_whatever_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    lines = list(info_lines(a_record()))
    say(lines)
    text = capsys.readouterr().out
    assert text.count("\n") == len(lines), "a name's own end of line is escaped"
    assert text.replace("\n", "").isprintable()
    assert r"\xff\n.jpg" in text
    assert "style_weight 1.1, seed 7, keep_colors luminance" in text
    assert "scale 1: 80 whole, 20 pairs; scale 2: 50 in tiles of 128 px, 20 pairs, then 10 in tiles" in text
    assert "0.123457 = style 0.09, palette 0.01, content 0.02" in text
