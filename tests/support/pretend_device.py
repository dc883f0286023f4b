"""A device that is not there: `pretend:0`, which keeps a GPU's rules on a machine without a GPU.

Its tensors hold their values in CPU tensors. Within `Pretend` it raises where CPU and device mix, counts what makes
host and device wait for each other and what a GPU would have to launch, and refuses what CUDA's kernels refuse. So
anything can be computed on it and compared with the CPU's result, bit for bit. It cannot tell whether a GPU's own
kernels are right, or how long they take.

Built on torch's dispatch modes and its device in Python; `skip_unless_possible()` skips where torch lacks that.
"""

import traceback
import weakref
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

TYPE = "pretend"
POSSIBLE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
if POSSIBLE:
    backend_registration._setup_privateuseone_for_python_backend(TYPE)

# Operations that launch nothing.
NO_LAUNCH = """
view _unsafe_view _reshape_alias permute transpose t slice select expand unsqueeze squeeze alias detach as_strided
unbind split split_with_sizes diagonal lift_fresh unfold narrow view_as_real view_as_complex _conj empty
empty_like new_empty empty_strided new_empty_strided is_same_size
"""
# Their results depend on values, or they look at an error code: the host waits for the device.
WAIT = """
_local_scalar_dense nonzero masked_select equal is_nonzero _unique2 unique_dim unique_consecutive bincount
_linalg_eigh linalg_eig _linalg_svd linalg_cholesky_ex linalg_inv_ex linalg_lu_factor_ex _linalg_solve_ex
"""
# On a GPU they add in any order, so that the last bits are others each time.
ATOMIC = "index_add index_add_ scatter_add scatter_add_ scatter_reduce scatter_reduce_ put_ bincount histc"
VIEWS, WAITING = frozenset(NO_LAUNCH.split()), frozenset(WAIT.split())
# Operations of more than one kernel, as read in torch's CUDA source.
LAUNCHES = Counter(
    _fft_r2c=3, _fft_c2r=3, linalg_solve_triangular=3, constant_pad_nd=2, convolution_backward=3,
    linalg_vector_norm=2, slice_backward=2,
)  # fmt: skip
SHARED = 48 << 10  # bytes of shared memory that a block of CUDA's has without asking for more
INT32 = 2**31 - 1


def skip_unless_possible() -> None:
    """Skip the module that calls this where this torch cannot have a device in Python."""
    if not POSSIBLE:
        pytest.skip("this torch cannot have a device in Python", allow_module_level=True)


def device() -> torch.device:
    return torch.device(f"{TYPE}:0")


class PretendTensor(Tensor):
    """A tensor on the device; `inner` holds its values, or only their shape."""

    inner: Tensor  # type: ignore[assignment]  # mypy finds a method of that name

    @staticmethod
    def __new__(cls, inner: Tensor) -> "PretendTensor":
        made: PretendTensor = Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            layout=inner.layout, device=device(),
        )  # fmt: skip
        made.inner = inner
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> Any:  # type: ignore[override]
        return f"PretendTensor({self.inner!r})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise RuntimeError(f"{func} on {device()} outside of a Pretend")


class Pretend(TorchDispatchMode):
    """While it is entered, the device is there.

    `waits`: how often host and device waited for each other, by reason and line of daemon/transfer; `launches`: kernels
    by operation; `operations`: their full names in torch; `peak`: the most bytes that tensors of the device held at
    once, `held`: those now.
    """

    def __init__(self, *, float64: bool = True, values: bool = True) -> None:
        """`float64`: whether the device has it; Apple's has not. `values`: False computes shapes only, in no time."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._float64, self._values = float64, values
        self.waits: Counter[tuple[str, str]] = Counter()
        self.launches: Counter[str] = Counter()
        self.peak = self.held = 0
        self._alive: dict[int, Any] = {}
        self.operations: set[str] = set()
        self.launched = 0  # kernels since the start
        self.copies: list[tuple[Tensor, Tensor]] = []  # to pinned memory, behind the last event: (from, to)
        self._pinned: dict[int, Tensor] = {}  # by address

    def __enter__(self) -> "Pretend":
        torch._C._set_only_lift_cpu_tensors(True)  # or torch.tensor(…, device=…) would bypass the mode
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        torch._C._set_only_lift_cpu_tensors(False)

    def clear(self) -> None:
        """Count from here on."""
        self.waits.clear()
        self.launches.clear()
        self.peak = self.held

    def pinned(self) -> Tensor:
        """A float () on the host. A copy to it that does not block arrives when the host waits for an event behind."""
        made = torch.full((), torch.nan)
        self._pinned[made.data_ptr()] = made
        return made

    def event(self) -> "Event":
        return Event(self)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func._schema.name.partition("::")[2]
        tensors = [v for v in tree_leaves((args, kwargs)) if isinstance(v, Tensor)]
        here = [v for v in tensors if isinstance(v, PretendTensor)]
        wanted = kwargs.get("device")
        to_device = wanted is not None and torch.device(wanted).type == TYPE
        to_host = bool(here) and wanted is not None and not to_device
        if not here and not to_device:
            return func(*args, **kwargs)
        if name == "copy_" and here == [args[1]] and args[2:] == (True,) and args[0].data_ptr() in self._pinned:
            self.copies.append((here[0].inner.clone(), args[0]))
            return args[0]
        self.operations.add(".".join(filter(None, (name, func._schema.overload_name))))
        self._check(name, func, args, tensors, here, to_host)
        if name == "_local_scalar_dense" and not self._values:
            return 0.5
        if to_host and not self._values:
            return torch.eye(args[0].shape[-1], dtype=kwargs.get("dtype") or args[0].dtype).expand(args[0].shape)
        if wanted is not None:
            kwargs["device"] = torch.device("cpu" if self._values or to_host else "meta")
        call = torch.ops.aten._conj_physical.default if name == "_conj" else func  # a lazy one would stay unresolved
        out = call(*tree_map(self._inside, args), **tree_map(self._inside, kwargs))
        if name == "convolution" and args[0].is_contiguous(memory_format=torch.channels_last):
            out = out.contiguous(memory_format=torch.channels_last)  # as cuDNN returns it; not so if it has no values
        if to_host:
            return out
        if name not in VIEWS:
            has_bias = name == "convolution" and args[2] is not None  # whose addition is a launch of its own
            count = (LAUNCHES[name] or 1) + has_bias
            self.launches[name] += count
            self.launched += count
        wrapped = tree_map(lambda v: self._outside(v) if isinstance(v, Tensor) else v, out)
        aliasing = any(each.alias_info for each in (*func._schema.returns, *func._schema.arguments))
        if not aliasing or not here:
            return wrapped
        return return_and_correct_aliasing(func, args, kwargs, wrapped)  # type: ignore[no-untyped-call]

    def _check(
        self, name: str, func: Any, args: Any, tensors: list[Tensor], here: list[PretendTensor], to_host: bool
    ) -> None:
        """Count the wait that an operation is, and raise what a GPU would raise."""
        there = [v for v in tensors if not isinstance(v, PretendTensor)]
        if name in ("_to_copy", "copy_"):
            if to_host or (name == "copy_" and not isinstance(args[0], PretendTensor)):
                self.waits["device to host", line()] += 1
            elif there:
                self.waits["host to device", line()] += 1
        elif here and any(v.dim() for v in there):
            raise RuntimeError(f"Expected all tensors to be on the same device: {func} at {line()}")
        masks = [v for v in (args[1] if name in ("index", "index_put_") else ()) if v is not None]
        if name in WAITING or any(v.dtype in (torch.bool, torch.uint8) for v in masks):
            self.waits[name, line()] += 1
        if name in ATOMIC.split():
            raise RuntimeError(f"{name} at {line()} gives other bits each time")
        if name == "_upsample_bicubic2d_aa":
            check_resize(args[0].shape[2:], args[1])
        if name in ("replication_pad2d", "upsample_nearest2d") and args[0].numel() > INT32:
            raise RuntimeError(f"{name}: input tensor must fit into 32-bit index math")

    def _inside(self, v: Any) -> Any:
        if isinstance(v, PretendTensor):
            return v.inner
        return v.to("meta") if isinstance(v, Tensor) and not self._values and v.dim() else v

    def _outside(self, v: Tensor) -> Tensor:
        if v.dtype == torch.float64 and not self._float64:
            raise TypeError(f"Cannot convert to float64, which this device has not, at {line()}")
        self._count(v.untyped_storage())
        return PretendTensor(v)

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return

        def freed(_: object) -> None:
            if self._alive.pop(key, None) is not None:
                self.held -= size

        self._alive[key] = weakref.ref(storage, freed)
        self.held += size
        self.peak = max(self.peak, self.held)


class Event:
    """An event of the device. To wait for an event behind which nothing was launched lets the device idle."""

    def __init__(self, pretend: Pretend) -> None:
        self._pretend = pretend

    def record(self) -> None:
        self._copies, self._pretend.copies = self._pretend.copies, []
        self._launched = self._pretend.launched

    def synchronize(self) -> None:
        if self._launched == self._pretend.launched:
            self._pretend.waits["event", line()] += 1
        for source, to in self._copies:
            to.copy_(source)


def line() -> str:
    """The innermost line of daemon/transfer that runs, as FILE:NUMBER."""
    for frame in reversed(traceback.extract_stack()):
        if "/daemon/transfer/" in frame.filename:
            return f"{frame.filename.rsplit('/', 1)[1]}:{frame.lineno}"
    return "autograd"


def check_resize(shape: Any, size: Any) -> None:
    """Raises RuntimeError where CUDA's antialiased resize lacks shared memory (UpSampleBilinear2d.cu): 47 times."""
    high, wide = (1 + 2 * max(2, -(-2 * a // b)) for a, b in zip(shape, size, strict=True))
    fits = max(0, SHARED // 4 - wide * 32) // (high * 33)
    rows = min(8, 1 << max(0, fits.bit_length() - 1))
    need = 4 * (wide * 32 + high * rows * 33)
    if need > SHARED:
        raise RuntimeError(f"Too much shared memory required: {need} vs {SHARED} ({tuple(shape)} to {tuple(size)})")
