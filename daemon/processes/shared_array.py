"""Arrays that travel between processes by descriptor, so that no pixel passes through the daemon process."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.storage.files import Handle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SharedArray:
    """A float32 array of `shape` in anonymous shared memory, which is freed with its last descriptor."""

    handle: Handle
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises ValueError if the memory is smaller than the array, which only a manipulated reader claims."""
        is_shape = isinstance(self.shape, tuple) and all(type(side) is int and side >= 0 for side in self.shape)
        if not is_shape or os.fstat(self.handle.fd).st_size < self.size:
            raise ValueError(f"no array of shape {self.shape}")

    @property
    def size(self) -> int:
        """Bytes."""
        return 4 * math.prod(self.shape)

    @classmethod
    def of(cls, array: NDArray[np.floating[Any]]) -> SharedArray:
        """Copy `array`, of any shape, into new shared memory."""
        import numpy as np  # only in children: the daemon process handles descriptors and must not load numpy

        handle = Handle(_anonymous_file())
        os.ftruncate(handle.fd, max(array.size * 4, 1))
        with mmap.mmap(handle.fd, 0) as memory:
            target = np.frombuffer(memory, np.float32, array.size)
            target[:] = array.reshape(-1)
            del target  # otherwise the map could not be closed
        return cls(handle, array.shape)

    def array(self) -> NDArray[np.float32]:
        """The array, mapped and not copied; changes to the array stay private to this process."""
        import numpy as np  # as above

        memory = mmap.mmap(self.handle.fd, 0, access=mmap.ACCESS_COPY)
        return np.frombuffer(memory, np.float32, math.prod(self.shape)).reshape(self.shape)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("styled-array")
    with tempfile.TemporaryFile() as file:  # macOS has no memfd
        return os.dup(file.fileno())
