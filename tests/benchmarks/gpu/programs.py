"""Painter processes, the whole daemon, and the loop that styled replaces, on this device."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import torch

from daemon.errors import PainterDied
from daemon.processes.painters import Painters
from daemon.processes.shared_array import SharedArray
from daemon.transfer.recipe import Recipe, recipe
from tests.benchmarks.gpu.bench import Bench, scene
from tests.benchmarks.gpu.sick import POISON

SICK = "tests.benchmarks.gpu.sick:SickPainter"
PATIENCE = 120.0  # s
LEAST_SHARE = 0.9  # of the daemon's time that it paints


def poisoned(bench: Bench) -> None:
    """A painter process, spawned as the daemon spawns it; its context breaks down; the next one paints."""
    size = 512 if bench.is_gpu else 40
    content, style = SharedArray.of(scene(size * 3 // 4, size)), [(SharedArray.of(scene(size, size, 1)), 1.0)]
    painters = Painters([str(bench.device)], "embedded", SICK)

    def painted(how: Recipe) -> float:
        """Seconds until the painting is there, with the painter's start."""
        start = time.perf_counter()
        with painters.take() as painter:
            found = painter.paint(content, style, how, None, lambda _: None, PATIENCE)
        assert found.shape == content.shape
        return time.perf_counter() - start

    how, died = recipe("draft"), ""
    try:
        bench.report.figure(f"draft {size} px with the painter's start", painted(how), "s")
        bench.report.figure(f"draft {size} px by a painter process, warm", painted(how), "s")
        try:
            painted(replace(how, seed=POISON))
        except PainterDied as death:
            died = (str(death).strip().splitlines() or ["?"])[-1][:60]
        after = f"{painted(how):.1f} s after: {died}"
        bench.report.verdict("a poisoned context is replaced", bool(died), after, "the next photo is painted")
    finally:
        painters.pool.close()
        for child in painters.pool.children:
            child.close()


def several(bench: Bench) -> None:
    """A painter on each GPU."""
    count = torch.cuda.device_count() if bench.is_gpu else 0
    if count < 2:
        bench.report.not_tried("device: all", f"{count} GPUs here")
        return
    painters = Painters(["all"], "embedded")
    try:
        painters.info()
        deadline = time.monotonic() + 60
        while painters.count < count and time.monotonic() < deadline:
            time.sleep(0.2)
        bench.report.verdict("a painter on every GPU", painters.count == count, painters.count, f"{count} GPUs")
    finally:
        painters.pool.close()
        for child in painters.pool.children:
            child.close()


def whole_daemon(bench: Bench) -> None:
    """20 photos through a real daemon, as fast as the bare model."""
    photos, size, preset = (20, 512, "fine") if bench.is_gpu else (2, 40, "draft")
    small = ["--waiting", "100", "--done", "100", "--idle-seconds", "1"]
    given = ["--photos", str(photos), "--size", str(size), "--preset", preset, "--device", str(bench.device), *small]
    found = benchmark(bench, "daemon", *given)
    if found is None:
        return
    for name in ("bare_paintings_per_minute", "paintings_per_minute", "ratio"):
        bench.report.figure(f"daemon: {name.replace('_', ' ')}", float(found[name]))
    share, label = float(found["share_of_time_painting"]), f"daemon: share of its time painting, {photos} photos"
    bench.report.verdict(label, share >= LEAST_SHARE or not bench.is_gpu, share, f">= {LEAST_SHARE}")


def against_the_seed(bench: Bench) -> None:
    """The literal loop, the loop without its mistakes, and ours, at the same picture."""
    size, count = (512, 300) if bench.is_gpu else (32, 6)
    pair = [f"daemon/assets/{name}" for name in ("contents/landscape.jpg", "styles/starry.jpg")]
    given = ["--size", str(size), "--evaluations", str(count), "--device", str(bench.device), "--pair", *pair]
    found = benchmark(bench, "speed", *given)
    if found is not None:
        for name in ("literal_seconds", "lean_seconds", "ours_seconds", "ours_final_ratio"):
            bench.report.figure(f"seed, {size} px: {name.replace('_', ' ')}", float(found["pairs"][0][name]))


def benchmark(bench: Bench, name: str, *given: str) -> dict[str, Any] | None:
    """What another benchmark prints; None, and a line that says so, where libraries for that are missing."""
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--json", *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    why = (done.stderr.strip() or "?").splitlines()[-1][:100]
    if "ModuleNotFoundError" not in why:
        raise RuntimeError(f"{name}: {why}")
    bench.report.not_tried(name, why)
    return None
