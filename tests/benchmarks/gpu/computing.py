"""The machine's own rates, and what an evaluation and a step cost there."""

import contextlib
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as nn_f
from torch.profiler import ProfilerActivity, profile

from daemon.transfer import losses
from daemon.transfer.optimizers.capture import CapturedStep
from daemon.transfer.optimizers.lbfgs import LBFGS
from tests.benchmarks.gpu.bench import CPU, Bench, start

SIZES = (("tutorial", 512), ("fine", 512), ("fine", 1024))
SMALL = 48  # px, on a CPU


@contextlib.contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Whether products and convolutions of float32 may be in TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = on
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def machine(bench: Bench) -> None:
    """Copying, products, convolutions, and what a launch costs."""
    say, cudnn = bench.report.figure, torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    say("torch", f"{torch.__version__}, CUDA {torch.version.cuda}, cuDNN {cudnn}")
    say("cores", str(os.cpu_count()))
    if bench.is_gpu:
        free, whole = torch.cuda.mem_get_info(bench.device)
        say("GPU", f"{torch.cuda.get_device_name(bench.device)}, {free / 1e9:.1f} of {whole / 1e9:.1f} GB free")
    n = 8192 if bench.is_gpu else 256
    a = torch.empty(2 * n * n, device=bench.device)
    b = torch.empty_like(a)
    say("copy", 2 * a.nbytes / bench.milliseconds(lambda: b.copy_(a)) / 1e9, "TB/s")
    for name, dtype, allowed in (
        ("bf16", torch.bfloat16, True),
        ("TF32", torch.float32, True),
        ("fp32", torch.float32, False),
    ):
        with tf32(allowed):
            A, B = (torch.randn(n, n, device=bench.device, dtype=dtype) for _ in range(2))
            took = bench.milliseconds(lambda A=A, B=B: A @ B, 5)  # type: ignore[misc]
            say(f"{name} matrix product", 2 * n**3 / took / 1e9, "TFLOP/s")
            shapes = (1, 64, n // 16, n // 16), (64, 64, 3, 3)
            x, w = (torch.randn(shape, device=bench.device, dtype=dtype) for shape in shapes)
            x, w = (v.contiguous(memory_format=torch.channels_last) for v in (x, w))
            took = bench.milliseconds(lambda x=x, w=w: nn_f.conv2d(x, w, padding=1))  # type: ignore[misc]
            say(f"{name} convolution, 64 to 64 at {n // 16}²", took, "ms")
    small = torch.zeros(8, device=bench.device)
    say("launch from Python", bench.milliseconds(lambda: [small.add_(1) for _ in range(1000)], 5), "µs")


def sound(bench: Bench) -> None:
    """Loss and gradient against float64 on the CPU."""
    side = 160 if bench.is_gpu else SMALL
    for preset, tile in (("tutorial", None), ("fine", None), ("fine", 64)):
        f64, g64 = bench.objective(preset, side, CPU, torch.float64)(start(side, torch.float64))
        for name, allowed, bound in (("fp32", False, 1e-3), ("TF32", True, 0.05)):  # ReLUs fall to their other side
            if name == "TF32" and not bench.is_gpu:
                continue
            with tf32(allowed):
                f, g = bench.objective(preset, side, tile=tile)(start(side).to(bench.device))
            error = float((g.cpu().double() - g64).norm() / g64.norm())
            holds = error <= bound and abs(float(f) / float(f64) - 1) <= bound
            label = f"gradient, {preset}{' in tiles' if tile else ''}, {name}"
            bench.report.verdict(label, holds, error, f"relative error <= {bound}")


def steps(bench: Bench) -> None:
    """Nothing waits for the device within a step; how long a step takes, launched and as a graph."""
    for preset, side in SIZES:
        side = side if bench.is_gpu else SMALL
        optimizer, label = bench.optimizer(preset, side), f"{preset} {side} px"
        with torch.no_grad():
            if bench.is_gpu:
                where = first_wait(optimizer.step)
                bench.report.verdict(f"no step waits, {label}", not where, where or "none", "set_sync_debug_mode")
            else:
                bench.report.not_tried(f"no step waits, {label}", "a CPU has nothing to wait for")
            bench.report.figure(f"an evaluation, {label}", evaluated(bench, optimizer), "ms")
            bench.report.figure(f"a step, {label}", bench.milliseconds(optimizer.step), "ms")
            captured = CapturedStep(optimizer.step, bench.device)
            captured()
            captured()
            if bench.is_gpu:
                is_graph = captured._graph is not None
                bench.report.verdict(f"a step can be captured, {label}", is_graph, is_graph, "a CUDA graph")
            bench.report.figure(f"a step as a graph, {label}", bench.milliseconds(captured), "ms")


def evaluated(bench: Bench, optimizer: LBFGS) -> float:
    x = optimizer.best.clone()
    return bench.milliseconds(lambda: optimizer.evaluate(x))


def first_wait(step: Callable[[], None]) -> str:
    """The line of ours at which a step first waits for the device; "": it does not."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    except RuntimeError as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "/transfer/" in f.filename]
        return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else str(error)[:60]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return ""


def launches(bench: Bench) -> None:
    """Kernels a step, how much of the time the device computes, and which kernels take longest."""
    if not bench.is_gpu:
        bench.report.not_tried(
            "launches", "a CPU launches nothing; tests/transfer/test_device_paintings.py counts them"
        )
        return
    for preset, side in SIZES:
        optimizer = bench.optimizer(preset, side)
        with torch.no_grad(), profile(activities=[ProfilerActivity.CUDA]) as seen:
            for _ in range(5):
                optimizer.step()
            bench.wait()
        kernels = [event for event in seen.events() if str(event.device_type).endswith("CUDA")]
        busy = sum(event.device_time_total for event in kernels) / 5e3
        with torch.no_grad():
            captured = CapturedStep(optimizer.step, bench.device)
            captured()
            captured()
            took = bench.milliseconds(captured)
        bench.report.figure(f"kernels a step, {preset} {side} px", len(kernels) / 5)
        label = f"the GPU computes, {preset} {side} px"
        bench.report.verdict(label, busy >= 0.8 * took, busy / took, ">= 0.8 of a step as a graph")
        longest = seen.key_averages().table(sort_by="self_cuda_time_total", row_limit=8, max_name_column_width=60)
        print("\n".join(line[:150] for line in longest.splitlines()[3:11]))


def parts(bench: Bench) -> None:
    """What an evaluation and a step are made of."""
    side, say = 512 if bench.is_gpu else SMALL, bench.report.figure
    optimizer = bench.optimizer("tutorial", side)
    pairs, H0, q = optimizer._pairs, optimizer._H0, optimizer._now.g
    F = torch.randn(1, 64, side, side, device=bench.device).contiguous(memory_format=torch.channels_last)
    w = torch.randn(64, 64, 3, 3, device=bench.device).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        took = bench.milliseconds(lambda: pairs.S @ q)
        say("S q, the pairs read once", pairs.S.nbytes / took / 1e9, f"TB/s, {took:.3f} ms")
        say("H q whole", bench.milliseconds(lambda: pairs.product(q, H0)), "ms")
        say("initial Hessian", bench.milliseconds(lambda: H0.product(q)), "ms")
        say("Gram matrix of 64 maps, fp32", bench.milliseconds(lambda: losses.gram(F)), "ms")
        say("Gram matrix of 64 maps, bf16", bench.milliseconds(lambda: losses.gram(F.bfloat16())), "ms, with the cast")
        replicated = bench.milliseconds(lambda: nn_f.pad(F, (1, 1, 1, 1), mode="replicate"))
        say("edges repeated, as torch pads a picture", replicated, "ms")
        say("way back through a convolution", bench.milliseconds(lambda: nn_f.conv2d(F, w, padding=1)), "ms")


def precisions(bench: Bench) -> None:
    """What bfloat16 costs and gains: its gradient beside float32's, and the time of a step as a graph."""
    side = 512 if bench.is_gpu else SMALL
    for preset in ("tutorial", "fine"):
        x = start(side).to(bench.device)
        g, h = (bench.objective(preset, side, half=half)(x)[1].flatten().double() for half in (False, True))
        cosine = float(g @ h / (g.norm() * h.norm()))
        bench.report.verdict(f"gradient in bfloat16, {preset} {side} px", cosine >= 0.98, cosine, "cosine >= 0.98")
        times = []
        for half in (False, True):
            captured = CapturedStep(bench.optimizer(preset, side, half=half).step, bench.device)
            with torch.no_grad():
                captured()
                times.append(bench.milliseconds(captured))
        bench.report.figure(f"a step in bfloat16, {preset} {side} px", times[1] / times[0], "of float32's time")
