"""Whole paintings: how long, how good, how large, and what happens when memory runs out."""

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from daemon.processes.painting_check import check
from daemon.transfer import PRESETS, Stylizer
from daemon.transfer.optimizers.capture import CapturedStep
from daemon.transfer.plan import FallbackObjective, Plan, needed
from daemon.transfer.recipe import Recipe, recipe
from daemon.transfer.steps import Level, Step
from tests.benchmarks.gpu.bench import Bench, scene

PAINTINGS = {  # preset and long side: seconds of a warm painting at most, and its shape
    ("tutorial", 512): (0.5, (512, 512)),
    ("fine", 512): (1.0, (384, 512)),
    ("fine", 1024): (2.0, (768, 1024)),
    ("draft", 512): (0.5, (384, 512)),
}
LARGE = {"4 GB, 12 MP": (3.3, 12.0), "8 GB, 12 MP": (7.2, 12.0), "8 GB, 50 MP": (7.2, 50.0), "all, 50 MP": (None, 50.0)}
HOST = 0.1  # s, of a painting of 1024 px besides decoding and encoding


def paintings(bench: Bench) -> None:
    """As a user has them: the first, and warm ones."""
    stylizer = Stylizer(device=str(bench.device), weights="embedded")
    for (preset, _), (goal, shape) in PAINTINGS.items():
        shape = shape if bench.is_gpu else (36, 48)
        label, seconds = f"{preset} {max(shape)} px", list[float]()
        pictures = []
        for seed in (0, 1, 1) if bench.is_gpu else (0, 0):
            start = time.perf_counter()
            pictures.append(stylizer.paint(scene(*shape, seed), scene(*shape, 9), PRESETS[preset]))
            seconds.append(time.perf_counter() - start)
        assert np.isfinite(pictures[-1]).all()
        bench.report.figure(f"{label}, the first", seconds[0], "s")
        goal = goal if bench.is_gpu else math.inf
        bench.report.verdict(f"{label}, warm", min(seconds) <= goal, min(seconds), f"<= {goal} s")
        is_same = np.array_equal(pictures[-2], pictures[-1])
        bench.report.verdict(f"{label}, the same bits again", is_same, is_same, "a picture that is painted twice")
    why = CapturedStep.failure or FallbackObjective.half_failure
    bench.report.verdict("graphs and bfloat16 as planned", not why, why or stylizer.device_name, "no failure")
    if bench.is_gpu:
        bench.report.figure("memory that stays reserved", torch.cuda.memory_reserved(bench.device) / 1e9, "GB")


def host(bench: Bench) -> None:
    """The host's part of a painting at 1024 px: a painting of two evaluations, without their time."""
    shape = (768, 1024) if bench.is_gpu else (36, 48)
    how = replace(PRESETS["fine"], scales=((1.0, 2),), finer=(2,))
    stylizer, content, style = Stylizer(device=str(bench.device), weights="embedded"), scene(*shape), scene(*shape, 9)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        check(stylizer.paint(content, style, how), content, [(style, 1.0)], how)
        times.append(time.perf_counter() - start)
    label, took = f"host's work, fine {max(shape)} px, with few evaluations", min(times)
    bench.report.verdict(label, took <= HOST or not bench.is_gpu, took, f"<= {HOST} s")


def end(stylizer: Stylizer, side: int, how: Recipe) -> float:
    """The loss at which a painting ends."""
    found: list[Step] = []
    stylizer.paint(scene(side * 3 // 4, side), scene(side, side, 1), how, found.append)
    return found[-1].loss


def minimum(bench: Bench) -> None:
    """The GPU's painting is as good as the CPU's, and half precision as good as full: the losses at which they end."""
    side = 128 if bench.is_gpu else 40
    here = Stylizer(device=str(bench.device), weights="embedded")
    for preset in ("tutorial", "fine"):
        full = recipe(preset, precision="full")
        ratio = end(here, side, recipe(preset)) / end(Stylizer("cpu", "embedded"), side, full)
        bench.report.verdict(f"{preset} ends as low as on the CPU", ratio <= 1.03, ratio, "<= 1.03 of its loss")
        if bench.is_gpu:
            ratio = end(here, 512, recipe(preset)) / end(here, 512, full)
            goal = 1.03 if preset == "fine" else 1.01  # a last bit leads `fine` to another minimum, up to 3 % away
            said = f"{preset} 512 px ends as low as in full precision"
            bench.report.verdict(said, ratio <= goal, ratio, f"<= {goal}")


def sizes(bench: Bench) -> None:
    """Large pictures on small GPUs, each in a process of its own."""
    for name, task in LARGE.items():
        command = [sys.executable, "-m", "tests.benchmarks.gpu", "--task", json.dumps([str(bench.device), *task])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
        if done.returncode:
            why = (done.stderr.strip() or "?").splitlines()[-1][:100]
            bench.report.verdict(f"fine, {name}", False, why, "painted")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        bench.report.verdict(f"fine, {name}", found["finite"], f"{found['seconds']:.1f} s, {found['plan']}", "painted")
        if bench.is_gpu:
            share = found["reserved"] / found["counted"]
            bench.report.verdict(f"the plan of {name} counts enough", share <= 1, share, "reserved <= counted")


def large(device: str, free: float | None, megapixels: float) -> dict[str, Any]:
    """Two evaluations of `fine` at the full size, on a GPU of which only `free` GB are left."""
    is_gpu, hog = device.startswith("cuda"), None
    megapixels = megapixels if is_gpu else 0.01
    if is_gpu and free is not None:
        torch.zeros(1, device=device)
        hog = torch.empty(max(0, torch.cuda.mem_get_info()[0] - int(free * 1e9)), dtype=torch.uint8, device=device)
    width = round((megapixels * 1.5e6) ** 0.5)
    height = round(megapixels * 1e6 / width)
    content, style = (np.random.default_rng(n).random((height, width, 3), np.float32) for n in (0, 1))
    how, steps = replace(PRESETS["fine"], scales=((1.0, 2),), finer=()), list[Step]()
    stylizer, start = Stylizer(device=device, weights="embedded"), time.perf_counter()
    painting = stylizer.paint(content, style, how, steps.append)
    seconds, last = time.perf_counter() - start, steps[-1].stretches[-1]
    counted = needed(Plan(last.side, last.keep, last.history), how, Level(1.0, height, width, 2)) + 24 * height * width
    reserved = torch.cuda.max_memory_reserved() - (hog.nbytes if hog is not None else 0) if is_gpu else 0
    return {
        "seconds": seconds,
        "plan": f"{last.side or 'whole'}, {last.history} pairs",
        "counted": counted,
        "reserved": reserved,
        "finite": bool(np.isfinite(painting).all()),
    }


def shortage(bench: Bench) -> None:
    """Another program takes the memory in the middle of a painting."""
    if not bench.is_gpu:
        bench.report.not_tried("memory that runs out on the way", "tests/transfer/test_plan.py pretends it on a CPU")
        return
    stylizer, hogs, steps = Stylizer(device=str(bench.device), weights="embedded"), list[Any](), list[Step]()

    def on_step(step: Step) -> None:
        steps.append(step)
        if len(steps) == 2:
            torch.cuda.empty_cache()
            size = torch.cuda.mem_get_info(bench.device)[0] - (300 << 20)
            hogs.append(torch.empty(size, dtype=torch.uint8, device=bench.device))

    how = replace(PRESETS["tutorial"], scales=((1.0, 60),), eased=0.0)
    painting = stylizer.paint(scene(1200, 1600), scene(800, 800, 1), how, on_step)
    ways = [f"{s.side or 'whole'}/{s.history} × {s.evaluations}" for s in steps[-1].stretches]
    holds = bool(np.isfinite(painting).all()) and len(ways) > 1
    bench.report.verdict("memory that runs out on the way", holds, ", ".join(ways), "goes on by another plan")
