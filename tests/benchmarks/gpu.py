"""What a GPU makes of styled, with a verdict: `python -m tests.benchmarks.gpu [--json FILE] [--only SECTION …]`.

Run from the root of a checkout: torch, numpy and safetensors are enough; nothing is installed or fetched.
Each line is a figure, or a verdict with its bound. The last line says how many hold; the exit code is 0 if all do. On a
CPU everything is tiny and shows only that the program works.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as nn_f
from numpy.typing import NDArray

from daemon.transfer import PRESETS, Stylizer
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import Objective
from daemon.transfer.optimizers.capture import CapturedStep
from daemon.transfer.optimizers.lbfgs import LBFGS
from daemon.transfer.plan import Plan, needed
from daemon.transfer.pyramid import level_weights
from daemon.transfer.steps import Level, Step
from daemon.transfer.targets import by_level

SECONDS = 400.0  # after which no section begins
PAINTINGS = {  # preset and long side: seconds of a warm painting at most, and its shape
    ("tutorial", 512): (0.5, (512, 512)),
    ("fine", 512): (1.0, (384, 512)),
    ("fine", 1024): (2.0, (768, 1024)),
    ("draft", 512): (0.5, (384, 512)),
}
LARGE = {"4 GB, 12 MP": (3.3, 12.0), "8 GB, 12 MP": (7.2, 12.0), "8 GB, 50 MP": (7.2, 50.0), "all, 50 MP": (None, 50.0)}


class Report:
    """Prints figures and verdicts as they come, and keeps them."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {}
        self.verdicts: dict[str, bool] = {}

    def figure(self, name: str, value: Any, unit: str = "") -> None:
        self.figures[name] = value
        print(f"      {name:58} {_short(value)} {unit}", flush=True)

    def verdict(self, name: str, holds: bool, value: Any, bound: str) -> None:
        self.figures[name], self.verdicts[name] = value, bool(holds)
        print(f"{'PASS' if holds else 'FAIL'}  {name:58} {_short(value)}   [{bound}]", flush=True)

    def end(self) -> int:
        """Print the verdict on all; the exit code."""
        failed = [name for name, holds in self.verdicts.items() if not holds]
        count = len(self.verdicts)
        print(f"VERDICT: {count - len(failed)} of {count} hold" + (f"; not: {', '.join(failed)}" if failed else ""))
        return int(bool(failed))


class Bench:
    """The sections, on one device."""

    def __init__(self, device: torch.device, report: Report) -> None:
        self.device, self.report = device, report
        self.is_gpu = device.type == "cuda"

    def machine(self) -> None:
        """Copying, products, convolutions, and what a launch costs."""
        say = self.report.figure
        say("torch", f"{torch.__version__}, CUDA {torch.version.cuda}")
        if self.is_gpu:
            say("GPU", f"{torch.cuda.get_device_name(self.device)}, {torch.cuda.mem_get_info()[0] / 1e9:.1f} GB free")
        n = 8192 if self.is_gpu else 256
        a = torch.empty(2 * n * n, device=self.device)
        b = torch.empty_like(a)
        say("copy", 2 * a.nbytes / self.milliseconds(lambda: b.copy_(a)) / 1e9, "TB/s")
        for dtype in (torch.bfloat16, torch.float32):
            A, B = (torch.randn(n, n, device=self.device, dtype=dtype) for _ in range(2))
            took = self.milliseconds(lambda A=A, B=B: A @ B, 5)  # type: ignore[misc]
            say(f"{dtype} matrix product", 2 * n**3 / took / 1e9, "TFLOP/s")
        x, w = (torch.randn(s, device=self.device) for s in ((1, 64, n // 16, n // 16), (64, 64, 3, 3)))
        x, w = (v.contiguous(memory_format=torch.channels_last) for v in (x, w))
        say("64 to 64 convolution", self.milliseconds(lambda: nn_f.conv2d(x, w, padding=1)), "ms")
        small = torch.zeros(8, device=self.device)
        say("launch from Python", self.milliseconds(lambda: [small.add_(1) for _ in range(1000)], 5), "µs")

    def sound(self) -> None:
        """Loss and gradient against float64 on the CPU."""
        side = 160 if self.is_gpu else 48
        for preset in ("tutorial", "fine"):
            f64, g64 = self._objective(preset, side, torch.device("cpu"), torch.float64)(_start(side, torch.float64))
            f, g = self._objective(preset, side)(_start(side).to(self.device))
            error = float((g.cpu().double() - g64).norm() / g64.norm())
            bound = 0.05 if self.is_gpu else 1e-3  # TF32 in convolutions; ReLUs on their knee
            holds = error <= bound and abs(float(f) / float(f64) - 1) <= bound
            self.report.verdict(f"gradient, {preset}", holds, error, f"relative error <= {bound}")

    def steps(self) -> None:
        """Nothing waits for the device within a step; how long a step takes, launched and as a graph."""
        for preset, side in (("tutorial", 512), ("fine", 512), ("fine", 1024)):
            side = side if self.is_gpu else 48
            evaluate, x = self._objective(preset, side), _start(side).to(self.device)
            with torch.no_grad():
                optimizer = LBFGS(evaluate, x, PRESETS[preset].history)
                for _ in range(3):
                    optimizer.step()
                self.report.verdict(f"no step waits, {preset} {side} px", self._never_waits(optimizer.step), "", "")
                self.report.figure(f"a step, {preset} {side} px", self.milliseconds(optimizer.step), "ms")
                captured = CapturedStep(optimizer.step, self.device)
                captured()
                captured()
                self.report.figure(f"a step as a graph, {preset} {side} px", self.milliseconds(captured), "ms")

    def paintings(self) -> None:
        """Whole paintings, as a user has them: the first, and warm ones."""
        stylizer = Stylizer(device=str(self.device), weights="embedded")
        for (preset, side), (goal, shape) in PAINTINGS.items():
            shape = shape if self.is_gpu else (36, 48)
            seconds = []
            for seed in range(3):
                start = time.perf_counter()
                painting = stylizer.paint(scene(*shape, seed), scene(*shape, 9), PRESETS[preset])
                seconds.append(time.perf_counter() - start)
            assert np.isfinite(painting).all()
            self.report.figure(f"{preset} {side} px, the first", seconds[0], "s")
            goal = goal if self.is_gpu else math.inf
            self.report.verdict(f"{preset} {side} px, warm", min(seconds) <= goal, min(seconds), f"<= {goal} s")

    def minimum(self) -> None:
        """The GPU's painting is as good as the CPU's: the losses at which they end."""
        side = 128 if self.is_gpu else 48
        for preset in ("tutorial", "fine"):
            ends = []
            for where in ("cpu", str(self.device)):
                steps: list[Step] = []
                painter = Stylizer(device=where, weights="embedded")
                painter.paint(scene(side * 3 // 4, side), scene(side, side, 1), PRESETS[preset], steps.append)
                ends.append(steps[-1].loss)
            ratio = ends[1] / ends[0]
            self.report.verdict(f"{preset} ends as low as on the CPU", ratio <= 1.03, ratio, "<= 1.03 of its loss")

    def sizes(self) -> None:
        """Large pictures on small GPUs, each in a process of its own."""
        for name, task in LARGE.items():
            command = [sys.executable, "-m", "tests.benchmarks.gpu", "--task", json.dumps([str(self.device), *task])]
            done = subprocess.run(command, capture_output=True, text=True, timeout=180)
            if done.returncode:
                why = (done.stderr.strip() or "?").splitlines()[-1][:100]
                self.report.verdict(f"fine, {name}", False, why, "painted")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            how = f"{found['seconds']:.1f} s, {found['plan']}"
            self.report.verdict(f"fine, {name}", found["finite"], how, "painted")
            if self.is_gpu:
                share = found["reserved"] / found["counted"]
                self.report.figure(f"memory reserved over counted, {name}", share)

    def milliseconds(self, do: Callable[[], object], times: int = 20) -> float:
        """The median, each run waited for, after three that do not count."""
        found = []
        for _ in range(times + 3 if self.is_gpu else 3):
            start = time.perf_counter()
            do()
            if self.is_gpu:
                torch.cuda.synchronize()
            found.append((time.perf_counter() - start) * 1e3)
        return statistics.median(found[3:] or found)

    def _never_waits(self, step: Callable[[], None]) -> bool:
        if not self.is_gpu:
            step()
            return True
        torch.cuda.set_sync_debug_mode("error")
        try:
            step()
        except RuntimeError:
            return False
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return True

    def _objective(
        self, preset: str, side: int, device: torch.device | None = None, dtype: torch.dtype = torch.float32
    ) -> Objective:
        how, where = PRESETS[preset], device or self.device
        vgg = VGG({name: weight.to(dtype) for name, weight in load("embedded")[1].items()}, where)
        c, s = (_tensor(scene(side * 3 // 4, side, seed)).to(where, dtype) for seed in (0, 1))
        with torch.no_grad():
            return Objective(vgg, how, c, by_level(vgg, s, how, len(level_weights(how, c.shape[2:]))))


def large(device: str, free: float | None, megapixels: float) -> dict[str, Any]:
    """Two evaluations of `fine` at the full size, on a GPU of which only `free` GB are left."""
    is_gpu, hog = device.startswith("cuda"), None
    megapixels = megapixels if is_gpu else 0.02
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
    plan = f"{last.side or 'whole'}, {last.history} pairs"
    return {
        "seconds": seconds,
        "plan": plan,
        "counted": counted,
        "reserved": reserved,
        "finite": bool(np.isfinite(painting).all()),
    }


def scene(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Waves, a disc and noise, (H, W, 3) in [0, 1]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    made = np.stack([0.5 + 0.3 * np.sin(a * x + b * y + c) for a, b, c in random.uniform(-30, 30, (3, 3))], 2)
    made[(x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.02] = random.uniform(0, 1, 3)
    return np.clip(made + random.uniform(-0.1, 0.1, made.shape), 0, 1).astype(np.float32)


def _tensor(picture: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()


def _start(side: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return _tensor(scene(side * 3 // 4, side)).to(dtype) * 0.8 + 0.1


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--only", nargs="*", help="machine, sound, steps, paintings, minimum, sizes")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.task:
        print(json.dumps(large(*json.loads(given.task))))
        return 0
    report, start = Report(), time.monotonic()
    bench = Bench(torch.device("cuda:0" if torch.cuda.is_available() else "cpu"), report)
    for section in (bench.machine, bench.sound, bench.steps, bench.paintings, bench.minimum, bench.sizes):
        if given.only and section.__name__ not in given.only:
            continue
        if time.monotonic() - start > SECONDS:
            print(f"      {section.__name__}: no time left")
            continue
        print(f"--- {section.__name__}", flush=True)
        try:
            section()
        except Exception as error:
            report.verdict(section.__name__, False, f"{type(error).__name__}: {error}"[:140], "runs to its end")
    if given.json:
        given.json.write_text(json.dumps(report.figures, indent=1, default=str))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
