"""ImageNet's weights come into the cache: from torchvision's server, or from a file that the user brought.

Nothing else in styled fetches anything. torch.hub's download has no timeout and reports no progress, so `download`
replaces it and keeps its rules: the file's name contains the first digits of its SHA-256, and no unfinished file is
visible. The full SHA-256 is not published, so these digits are checked on arrival. The full SHA-256 of the stored file
is written beside the file and checked at each load.
"""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from safetensors.torch import save
from torch import Tensor
from torchvision.models import VGG19_Weights

from ..errors import DownloadError, WeightsError
from .download import Progress, download
from .weights import IMAGENET_FILE, IMAGENET_SOURCE, Weights, cache_folder, convolutions, describe, stored, sum_file

URL: Final[str] = VGG19_Weights.IMAGENET1K_V1.url


def fetch(
    url: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    timeout: float | None = None,
) -> Weights:
    """Download torchvision's VGG19 (548 MB), verify the file, and store its convolutions, unless they are stored.

    `url`: None: torchvision's. `cache`: the folder; None: `cache_folder()`. `progress(bytes done, bytes in all)`;
    `timeout`: seconds without a byte; None: 30. Raises WeightsError if the download fails, the file is not VGG19, or
    the disk is full or read-only.
    """
    folder = cache or cache_folder()
    if stored(folder):
        try:
            return describe("imagenet", folder)
        except WeightsError:
            pass  # damaged since then: fetch again
    with _storing_in(folder):
        # Without a name where the system allows: a crash leaves no 548 MB behind.
        with tempfile.TemporaryFile(dir=folder) as file:
            download(url or URL, file, progress, timeout)
            tensors = convolutions(file, url or URL)
        _store(folder / IMAGENET_FILE, tensors)
    return describe("imagenet", folder)


def take(path: Path, cache: Path | None = None, name: str = IMAGENET_SOURCE) -> Weights:
    """Store the convolutions of torchvision's file of VGG19, which lies at `path`, whatever it is called there.

    `name` has the first digits of the file's SHA-256. Raises WeightsError if the file cannot be read or is another
    file, and if the disk is full or read-only.
    """
    folder = cache or cache_folder()
    expected = re.search(r"-([0-9a-f]{8,})\.", name)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if expected and not found.startswith(expected[1]):
                raise WeightsError(
                    f"{path} is not torchvision's {name}, or only a part of it: its SHA-256 is {found} and must begin "
                    f"with {expected[1]}. For weights of your own, write `weights: {path}` in config.yaml."
                )
            file.seek(0)
            tensors = convolutions(file, str(path))
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    with _storing_in(folder):
        _store(folder / IMAGENET_FILE, tensors)
    return describe("imagenet", folder)


@contextlib.contextmanager
def _storing_in(folder: Path) -> Iterator[None]:
    """Make the folder. Raises WeightsError if that or the steps within the context fail."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except DownloadError as error:
        raise WeightsError(str(error)) from error
    except OSError as error:
        raise WeightsError(f"The weights cannot be stored in {folder}: {error.strerror or error}") from error


def _store(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write the weights and their SHA-256, each file whole or not at all, the SHA-256 last: without it, the weights do
    not count as stored."""
    data = save(tensors)
    for target, content in (
        (path, data),
        (sum_file(path), f"{hashlib.sha256(data).hexdigest()}  {path.name}\n".encode()),
    ):
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
