"""The benchmarks run, and say what they promise to; their figures mean nothing at these sizes."""

import json
import math
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.recipe import recipe
from tests.benchmarks import race, seed
from tests.benchmarks.gpu import __main__ as gpu
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.report import Report
from tests.benchmarks.look import peers
from tests.benchmarks.roofline import flops
from tests.benchmarks.speed import PAIRS, ratio
from tests.support.benchmark import benchmark

pytestmark = pytest.mark.slow


def test_speed_has_every_field() -> None:
    pair = [str(path) for path in PAIRS[0]]
    found = benchmark("speed", "--size", "32", "--evaluations", "20", "--threads", "1", "--pair", *pair)
    assert {"median_run_ratio", "median_lean_run_ratio", "median_reach_ratio", "pairs"} <= set(found)
    (only,) = found["pairs"]
    names = {"literal_seconds", "lean_seconds", "seed_best", "lean_seconds_to_1pct", "ours_seconds", "ours_final"}
    assert all(math.isfinite(only[name]) and only[name] > 0 for name in names)
    assert "ours_seconds_to_1pct" in only
    assert only["lean_seconds_to_1pct"] <= only["lean_seconds"] < only["literal_seconds"]


def test_a_pair_that_never_gets_there_counts_as_nothing() -> None:
    pairs = [{"t": 6.0, "ours_seconds_to_1pct": seconds} for seconds in (2.0, None, 1.0, None, None)]
    assert ratio(pairs, "t") == 0
    assert ratio(pairs[:3], "t") == 3


def test_at_least_six_pairs_are_measured_by_default() -> None:
    assert len(PAIRS) >= 6
    assert all(path.is_file() for pair in PAIRS for path in pair)


def test_the_gpus_benchmark_ends_with_a_verdict_and_says_what_it_did_not_try(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tried = ["--only", "machine", "sound", "shortage", "launches", "--json", str(tmp_path / "gpu.json")]
    assert gpu.main(tried) == 0 or torch.cuda.is_available()
    lines = capsys.readouterr().out.splitlines()
    if not torch.cuda.is_available():
        assert lines[-1] == "VERDICT: 3 of 3 hold"
        assert sum("not tried" in line for line in lines) == 2
    assert "copy" in json.loads((tmp_path / "gpu.json").read_text())


def test_a_section_that_breaks_or_takes_too_long_is_a_verdict_like_another() -> None:
    report = Report()
    bench = Bench(torch.device("cpu"), report)
    signal.signal(signal.SIGALRM, gpu.late)

    def endless(bench: Bench) -> None:
        while True:
            time.sleep(0.01)

    gpu.run(endless, bench, 0.05)
    gpu.run(lambda bench: bench.report.verdict("another", True, 1, "1"), bench, 60)
    assert report.verdicts == {"endless": False, "another": True}
    assert report.end() == 1


def test_roofline_counts_an_evaluation() -> None:
    found = benchmark("roofline", "--size", "32", "--runs", "3", "--threads", "1")
    assert 0 < found["fraction"] < 10
    assert found["flop_per_evaluation"] == flops(recipe("tutorial"), 32, 32)
    # 2 × 9 × (3·64 + 64² + (64·128 + 128²)/4 + 128·256/16) products and sums a pixel, and as many backward
    convolutions = 4 * 9 * (3 * 64 + 64**2 + (64 * 128 + 128**2) / 4 + 128 * 256 / 16)
    grams = 4 * (2 * 64**2 + 2 * 128**2 / 4 + 256**2 / 16)
    assert flops(recipe("tutorial"), 1, 1) == pytest.approx(convolutions + grams)


def test_a_race_is_run_on_one_loss() -> None:
    """neural-style-pt's, as its settings say and as our network computes it, with its derivative."""
    device = torch.device("cpu")
    tensors = {f"features.{name}": v for name, v in seed.network(load("embedded")[1]).state_dict().items()}
    content, style, x = (torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(n)) for n in range(3))
    with torch.no_grad():
        loss, gradient = race.ours(VGG(tensors, device), content, style)(x)
    leaf = x.clone().requires_grad_()
    theirs = peers.neural_style_loss(tensors, content, style)(leaf)
    (expected,) = torch.autograd.grad(theirs, leaf)
    assert float(loss) == pytest.approx(float(theirs.detach()), rel=1e-5)
    assert (gradient - expected).norm() < 1e-4 * expected.norm()


def test_a_race_ends_where_the_other_did() -> None:
    (pair,) = benchmark("race", "--size", "32", "--evaluations", "20", "--threads", "1")["pairs"]
    assert pair["theirs_seconds"] > 0
    assert pair["theirs_evaluations"] == 20
    assert pair["ours_loss"] <= max(pair["theirs_as_saved"], pair["theirs_at_the_end"]) * 1.001


def test_memory_measures_whole_and_tiled() -> None:
    rows = benchmark("memory", "--megapixels", "0.02", "--tile", "64")
    assert [(row["tile"], row["content_kept"]) for row in rows] == [(None, True), (64, True), (64, False)]
    assert all(row["peak_gigabytes"] > 0.05 for row in rows)


def test_memory_paints_a_picture() -> None:
    (row,) = benchmark("memory", "--paint", "--megapixels", "0.01")
    assert row["megapixels"] == pytest.approx(0.01, rel=0.05)
    assert row["evaluations"] == 3
    assert row["losses"][1] <= row["losses"][0]
    assert row["peak_gigabytes"] > 0.05


def test_daemon_measures_a_real_one() -> None:
    small = ("--photos", "2", "--size", "32", "--waiting", "50", "--done", "20", "--idle-seconds", "0.5")
    found = benchmark("daemon", *small)
    assert found["paintings_per_minute"] > 0
    assert 0 < found["startup"]["seconds_to_a_claim"] < found["startup"]["seconds_to_ready"]
    assert found["startup"]["seconds_from_torch_to_model"] > 0
    assert found["crowd"]["files"] == 50
    assert 0 <= found["share_of_time_painting"] <= 1
    assert not sys.platform.startswith("linux") or found["idle"]["percent_of_a_core"] >= 0
