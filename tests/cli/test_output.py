"""What `status`, `styles`, `check` and `why` say, and the numbers for Prometheus."""

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.output import ALIKE, info_lines, status_lines, style_lines, tree_lines
from daemon.cli.why import why
from daemon.config.load import load
from daemon.errors import ConfigError, JobError
from daemon.inbox.queue import SettleQueue
from daemon.inbox.scan import InboxPhoto, Signature
from daemon.service.metrics import serve
from daemon.status import Counts, Status
from daemon.storage.layout import Folders
from daemon.transfer.steps import Memory, Step
from tests.support.samples import CONFIG, jpeg
from tests.test_provenance import a_record

NOT_RUNNING = {"state": "not running"}


@pytest.fixture
def folders(root: Path) -> Folders:
    folders = Folders(root)
    folders.prepare(["alpha", "beta"])
    return folders


def board() -> Status:
    board = Status(state="watching", device="a GPU", weights="embedded", waiting={"alpha": 1200, "beta": 0})
    board.begin("1", "alpha/a.jpg", "alpha")
    board.stage("1", "painting")
    board.step("1", Step(30, 120, 0.125, 1, 2, 0.25, Memory("cuda:0", 3 << 29, 5 << 30)))
    return board


def test_the_status_says_what_a_person_asks() -> None:
    found = board().as_dict() | {"root": "/x", "per_hour": 60.0}
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


def test_counts_of_yesterday_are_not_todays() -> None:
    counts = Counts(delivered=9, delivered_today=9, day="2026-11-22").on("2026-11-23")
    assert (counts.delivered, counts.delivered_today) == (9, 0)


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
    assert lines[-2:] == ["    └── deep/", r"        └── a\nb.jpg: to be painted"]
    assert list(tree_lines(Path("/r/inbox"), [])) == ["inbox/", "└── nothing waits"]


def test_a_record_reads_in_lines_whatever_it_says() -> None:
    lines = list(info_lines(a_record()))
    assert all(line.isprintable() for line in lines)
    text = "\n".join(lines)
    assert "style_weight 1.1, seed 7, keep_colors luminance" in text
    assert "scale 1: 80 whole, 20 pairs; scale 2: 50 in tiles of 128 px, 20 pairs, then 10 in tiles" in text
    assert "0.123457 = style 0.09, palette 0.01, content 0.02" in text


def explained(file: str | Path, folders: Folders, status: dict[str, Any] = NOT_RUNNING) -> str:
    return "\n".join(why(str(file), load(folders.root / "config.yaml"), status))


def test_why_knows_what_lies_in_the_inbox(folders: Folders) -> None:
    photo = folders.inbox / "alpha/photo.jpg"
    photo.write_bytes(jpeg())
    (folders.inbox / "alpha/photo.jpg.part").touch()
    (folders.inbox / "top.jpg").touch()
    status = {"state": "watching", "waiting": {"alpha": 7}, "next": ["/other.jpg", str(photo)], "growing": []}
    assert "no daemon runs" in explained(photo, folders)
    assert "number 2 of 7 that wait" in explained("alpha/photo.jpg", folders, status)
    assert "after the first 1 of 7" in explained("alpha/photo.jpg", folders, {**status, "next": ["/other.jpg"]})
    growing = [{"file": str(photo), "why": "it changed a moment ago", "seconds": 1.2}]
    assert "not complete yet: it changed a moment ago" in explained(photo, folders, {**status, "growing": growing})
    assert "left alone: temporary" in explained("alpha/photo.jpg.part", folders)
    assert "the style alpha" in explained("top.jpg", folders)


def test_why_follows_a_picture_that_has_left_the_inbox(folders: Folders) -> None:
    for base, name in ((folders.failed, "bad.jpg"), (folders.outbox, "good.png"), (folders.done, "good.heic")):
        (base / "alpha").mkdir()
        (base / "alpha" / name).touch()
    (folders.failed / "alpha/bad.jpg.txt").write_text("bad.jpg was not painted.\n\nIt is blurred.\n")
    (folders.work / "1").mkdir()
    record = {"style": "alpha", "folder": "", "name": "now.jpg"}
    (folders.work / "1/job.json").write_text(json.dumps(record))
    for asked in ("alpha/bad.jpg", "bad.jpg", folders.inbox / "alpha/bad.jpg", folders.failed / "alpha/bad.jpg.txt"):
        assert "It is blurred." in explained(asked, folders), asked
    delivered = explained(folders.inbox / "alpha/good.heic", folders)
    assert f"delivered: {folders.outbox}/alpha/good.png" in delivered
    assert f"its original: {folders.done}/alpha/good.heic" in delivered
    jobs = [{"file": "alpha/now.jpg", "stage": "painting"}]
    assert explained("now.jpg", folders, {"state": "watching", "jobs": jobs}) == "in work: painting"
    with pytest.raises(JobError, match="nothing is known"):
        explained("../../etc/passwd", folders)


def test_the_next_in_turn_are_told_as_they_will_be_handed_out() -> None:
    waiting = SettleQueue(0.0)
    arrivals = [
        InboxPhoto(style, "", f"{n}.jpg", f"/inbox/{style}/{n}.jpg", Signature(1, n, 1, 1))
        for style in "ab"
        for n in range(3)
    ]
    waiting.update(arrivals, 0.0)
    for each in waiting._candidates.values():
        waiting._ready(each)
    told = waiting.upcoming(5)
    assert told == [waiting.pop() for _ in range(5)]
    assert len(waiting.upcoming(5)) == 1


def test_prometheus_gets_its_numbers_from_loopback_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stop = serve(board(), port)
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
        with pytest.raises(ConfigError, match=rf"port {port} .* cannot be had"):
            serve(board(), port)
    finally:
        stop()
    assert 'styled_waiting{style="alpha"} 1200.0' in text
    assert "styled_in_hand 1.0" in text
    assert "styled_steps_total 1.0" in text
    assert 'styled_device_memory_used_bytes{device="cuda:0"} 1.610612736e+09' in text
    assert 'styled_device_memory_free_bytes{device="cuda:0"}' in text
    serve(board(), port)()  # the port is free again
