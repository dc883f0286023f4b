"""The compiled kernels of native/, faster on a CPU than torch's functions; channels_last, float32, on torch's threads.

They exist if the package was built with a C compiler, for processors with AVX2 or AVX-512. Otherwise `fitting` returns
None, and torch's functions compute the same, but slower.
"""

import ctypes
import threading
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

CONTRACT = 2  # the same number as in native/winograd.c, and so are these:
GROUP, ROWS, PLACES = 64, 6, 36
BLOCK = 24  # tiles of a convolution that go through all steps together, within the cache of a core
CHUNK = 128  # as in native/gram.c
FOLDER = Path(__file__).parent / "native"


class Scratch(threading.local):
    """Working memory, separate for each thread; it only grows."""

    held = torch.zeros(0)

    def room(self, floats: int) -> Tensor:
        if self.held.numel() < floats:
            self.held = torch.zeros(floats)
        return self.held


class Kernels:
    """The kernels; see the C functions of the same names."""

    def __init__(self, library: ctypes.CDLL, openmp: ctypes.CDLL) -> None:
        pointer, long, whole = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
        self._library, self._parallel = library, ctypes.cast(openmp.GOMP_parallel, pointer)
        team = (pointer, whole)  # GOMP_parallel, and the number of threads
        library.convolve.argtypes = (*[pointer] * 7, *[long] * 5, whole, whole, long, *team)
        library.gram.argtypes = (*[pointer] * 5, *[long] * 5, *team)
        library.add_product.argtypes = (*[pointer] * 5, *[long] * 5, *team)
        library.pool.argtypes = (*[pointer] * 2, *[long] * 3, *team)
        library.unpool.argtypes = (*[pointer] * 3, *[long] * 3, *team)
        self._scratch = Scratch()

    def convolve(
        self, x: Tensor, u: Tensor, bias: Tensor | None, mask: Tensor | None, m: int, padding: int, edge: bool,
        rectified: bool,
    ) -> Tensor:  # fmt: skip
        """x (1, n, H, W) → y (1, m, H + 2·padding - 2, W + 2·padding - 2), a 3 × 3 convolution.

        `u`: weights by winograd._packed. `mask`: of y's shape; where `mask` is not above 0, y is 0. `edge`: pad with
        the edges of x; False: with zeros. `rectified`: of ReLU(x).
        """
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

    def products(self, F: Tensor, mean: Tensor | None, p: Tensor | None = None) -> Tensor:
        """F (1, n, H, W) → Σ p f fᵀ (n, n) over all pixels, of F or, if the mean (n,) is given, of F - mean.

        `p` (1, 1, H, W): the weight of each pixel, at least 0; None: 1.
        """
        n, threads = F.shape[1], torch.get_num_threads()
        rows, columns, pitch = _rows(F)
        parts = F.new_zeros(threads, n, n)
        roots = None if p is None else p.sqrt().contiguous()
        arrays = (F, mean, roots, parts, self._scratch.room(threads * CHUNK * n))
        self._library.gram(*map(_address, arrays), rows, columns, pitch, n, threads, self._parallel, threads)
        upper = parts.sum(0).triu()
        return upper + upper.triu(1).T

    def add_product(self, g: Tensor, F: Tensor, S: Tensor, row: Tensor | None, p: Tensor | None = None) -> None:
        """g (1, n, H, W) += p (S F + row) at each pixel; S (n, n) symmetric, row (n,) or None.

        `p` (1, 1, H, W): the weight of each pixel; None: 1.
        """
        n, threads = F.shape[1], torch.get_num_threads()
        s = S.reshape(n, n // GROUP, GROUP).permute(1, 0, 2).contiguous()
        rows, columns, g_pitch, f_pitch = _rows(g, F)
        arrays = (g, F, s, row, None if p is None else p.contiguous())
        self._library.add_product(*map(_address, arrays), rows, columns, g_pitch, f_pitch, n, self._parallel, threads)

    def pool(self, x: Tensor) -> Tensor:
        """x (1, n, H, W) → (1, n, ⌊H/2⌋, ⌊W/2⌋), the largest of each 2 × 2 pixels."""
        _, n, height, width = x.shape
        y = x.new_empty(1, height // 2, width // 2, n).permute(0, 3, 1, 2)
        self._library.pool(_address(x), _address(y), height, width, n, self._parallel, torch.get_num_threads())
        return y

    def unpool(self, x: Tensor, g: Tensor) -> Tensor:
        """dL/dx (1, n, H, W), where g is dL/d(pool(x)). Of equal maxima only the first gets g."""
        g = g.contiguous(memory_format=torch.channels_last)
        _, n, height, width = x.shape
        to, threads = torch.empty_like(x), torch.get_num_threads()
        self._library.unpool(*map(_address, (x, g, to)), height, width, n, self._parallel, threads)
        return to


def fitting(*tensors: Tensor) -> Kernels | None:
    """The kernels, if there are any and they can compute with these tensors (1, n, H, W); else None."""
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
    """The kernels for this processor, if they were built and torch runs on OpenMP; else None."""
    library = FOLDER / f"kernels-{torch.backends.cpu.get_cpu_capability().lower()}.so"
    try:
        built = ctypes.CDLL(str(library))
        current = ctypes.c_int.in_dll(built, "contract").value == CONTRACT
        return Kernels(built, ctypes.CDLL(_openmp())) if current else None
    except (OSError, ValueError, AttributeError):  # no library, not ours, or no OpenMP with GOMP_parallel
        return None


def _openmp() -> str:
    """The path of the OpenMP that torch runs on; a second OpenMP would compete for the cores.

    Raises OSError if this process has loaded no OpenMP.
    """
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line[line.find("/") :]
        if Path(path).name.startswith(("libgomp", "libiomp", "libomp")):
            return path
    raise OSError("no OpenMP in this process")


def _address(array: Tensor | None) -> int | None:
    return None if array is None else array.data_ptr()


def _rows(*pictures: Tensor) -> tuple[int, ...]:
    """Rows, columns, and for each picture the floats from row to row; one row of all pixels if there are no gaps."""
    _, n, height, width = pictures[0].shape
    if all(v.stride(2) == width * n for v in pictures):
        return 1, height * width, *(0 for _ in pictures)
    return height, width, *(v.stride(2) for v in pictures)
