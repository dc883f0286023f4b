"""The compiled kernels of native/, for what torch leaves on a CPU's table; channels_last, float32, torch's own threads.

They are there where the package was built with a C compiler, for processors with AVX2 or AVX-512. Elsewhere `fitting`
is None, and torch's own functions do the same, slower.
"""

import ctypes
import threading
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

CONTRACT = 2  # as in native/winograd.c, like these:
GROUP, ROWS, PLACES = 64, 6, 36
BLOCK = 24  # tiles of a convolution that go through all its steps together, within a core's own cache
CHUNK = 128  # as in native/gram.c
FOLDER = Path(__file__).parent / "native"


class Scratch(threading.local):
    """Memory to work in, of each thread its own; it only grows."""

    held = torch.zeros(0)

    def room(self, floats: int) -> Tensor:
        if self.held.numel() < floats:
            self.held = torch.zeros(floats)
        return self.held


class Kernels:
    """Each as its C function says."""

    def __init__(self, library: ctypes.CDLL, openmp: ctypes.CDLL) -> None:
        pointer, long, whole = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
        self._library, self._parallel = library, ctypes.cast(openmp.GOMP_parallel, pointer)
        team = (pointer, whole)  # OpenMP's, and its threads
        library.convolve.argtypes = (*[pointer] * 7, *[long] * 5, whole, whole, long, *team)
        library.gram.argtypes = (*[pointer] * 4, *[long] * 5, *team)
        library.add_product.argtypes = (*[pointer] * 4, *[long] * 5, *team)
        library.pool.argtypes = (*[pointer] * 2, *[long] * 3, *team)
        library.unpool.argtypes = (*[pointer] * 3, *[long] * 3, *team)
        self._scratch = Scratch()

    def convolve(
        self, x: Tensor, u: Tensor, bias: Tensor | None, mask: Tensor | None, m: int, padding: int, edge: bool,
        rectified: bool,
    ) -> Tensor:  # fmt: skip
        """x (1, n, H, W) → y (1, m, H + 2·padding - 2, W + 2·padding - 2)."""
        x = x.contiguous(memory_format=torch.channels_last)
        _, n, height, width = x.shape
        rows, columns = height + 2 * padding - 2, width + 2 * padding - 2
        y = x.new_empty(1, rows, columns, m).permute(0, 3, 1, 2)
        if mask is not None:
            mask = mask.contiguous(memory_format=torch.channels_last)
        threads = torch.get_num_threads()
        tiles = -(-rows // 4) * -(-columns // 4)
        block = min(BLOCK, ROWS * -(-tiles // (ROWS * threads)))
        arrays = (x, u, bias, mask, torch.zeros(n), y, self._scratch.room(threads * PLACES * block * (n + GROUP)))
        numbers = (height, width, n, m, padding, edge, rectified, block)
        self._library.convolve(*map(_address, arrays), *numbers, self._parallel, threads)
        return y

    def products(self, F: Tensor, mean: Tensor | None) -> Tensor:
        """F (1, n, H, W) → Σ f fᵀ (n, n) over all pixels, of F less its mean (n,), if that is given."""
        n, threads = F.shape[1], torch.get_num_threads()
        rows, columns, pitch = _rows(F)
        parts = F.new_zeros(threads, n, n)
        arrays = (F, mean, parts, self._scratch.room(threads * CHUNK * n))
        self._library.gram(*map(_address, arrays), rows, columns, pitch, n, threads, self._parallel, threads)
        upper = parts.sum(0).triu()
        return upper + upper.triu(1).T

    def add_product(self, g: Tensor, F: Tensor, S: Tensor, row: Tensor | None) -> None:
        """g (1, n, H, W) += S F + row in each pixel; S (n, n) symmetric."""
        n, threads = F.shape[1], torch.get_num_threads()
        s = S.reshape(n, n // GROUP, GROUP).permute(1, 0, 2).contiguous()
        rows, columns, g_pitch, f_pitch = _rows(g, F)
        arrays = (g, F, s, row)
        self._library.add_product(*map(_address, arrays), rows, columns, g_pitch, f_pitch, n, self._parallel, threads)

    def pool(self, x: Tensor) -> Tensor:
        """x (1, n, H, W) → the largest of each 2 × 2."""
        _, n, height, width = x.shape
        y = x.new_empty(1, height // 2, width // 2, n).permute(0, 3, 1, 2)
        self._library.pool(_address(x), _address(y), height, width, n, self._parallel, torch.get_num_threads())
        return y

    def unpool(self, x: Tensor, g: Tensor) -> Tensor:
        """The derivative by x of what has the derivative g by pool(x)."""
        g = g.contiguous(memory_format=torch.channels_last)
        _, n, height, width = x.shape
        to, threads = torch.empty_like(x), torch.get_num_threads()
        self._library.unpool(*map(_address, (x, g, to)), height, width, n, self._parallel, threads)
        return to


def fitting(*tensors: Tensor) -> Kernels | None:
    """The kernels, if they are to be had and made for such tensors (1, n, H, W)."""
    fit = all(
        v.device.type == "cpu"
        and v.dtype == torch.float32
        and v.shape[1] % GROUP == 0
        and v.stride(1) == 1
        and v.stride(3) == v.shape[1]
        and not v.requires_grad
        for v in tensors
    )
    return loaded() if fit else None


@cache
def loaded() -> Kernels | None:
    """Those for this processor, if they were built and torch's threads are OpenMP's."""
    library = FOLDER / f"kernels-{torch.backends.cpu.get_cpu_capability().lower()}.so"
    try:
        built = ctypes.CDLL(str(library))
        current = ctypes.c_int.in_dll(built, "contract").value == CONTRACT
        return Kernels(built, ctypes.CDLL(_openmp())) if current else None
    except (OSError, ValueError, AttributeError):  # no library, none of ours, no OpenMP that GNU's compiler knows
        return None


def _openmp() -> str:
    """The OpenMP that torch runs on; a second one would fight it for the cores. OSError where there is none."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line[line.find("/") :]
        if Path(path).name.startswith(("libgomp", "libiomp", "libomp")):
            return path
    raise OSError("no OpenMP in this process")


def _address(array: Tensor | None) -> int | None:
    return None if array is None else array.data_ptr()


def _rows(*pictures: Tensor) -> tuple[int, ...]:
    """Rows, columns, and of each picture the floats from one row to the next; one row, where there are no gaps."""
    _, n, height, width = pictures[0].shape
    if all(v.stride(2) == width * n for v in pictures):
        return 1, height * width, *(0 for _ in pictures)
    return height, width, *(v.stride(2) for v in pictures)
