"""VGG19's weights: the embedded ones, ImageNet's from the cache or the network, or a file. Always verified.

Torch is imported only where tensors are read, so that the daemon can look up and check weights without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal

from daemon.assets import EMBEDDED_WEIGHTS

from ..errors import WeightsError
from .layers import LAYERS, WIDTHS

if TYPE_CHECKING:
    from torch import Tensor

    from .download import Progress


EMBEDDED_SHA256: Final = "573261fbecf600246ba9546bb3164b464cbe423c74a158e15e9050a5bdacdff9"
IMAGENET_FILE: Final = "vgg19-imagenet1k_v1-features.safetensors"
AGAIN: Final = "Run `styled weights` to fetch it again."


@dataclass(frozen=True, slots=True)
class Weights:
    """Which weights: what a painting is signed with."""

    kind: Literal["embedded", "imagenet", "file"]
    sha256: str  # of the whole file, 64 hexadecimal digits
    deepest: str  # the last layer that these weights can compute, e.g. relu3_1
    path: Path


def cache_folder() -> Path:
    """Where fetched weights are kept: $XDG_CACHE_HOME/styled, else ~/.cache/styled."""
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "styled"


def stored(cache: Path | None = None) -> Path | None:
    """The ImageNet features in the cache, unverified; None where they were never (wholly) stored."""
    path = (cache or cache_folder()) / IMAGENET_FILE
    return path if path.is_file() and _sum_file(path).is_file() else None


def describe(source: str | Path = "auto", cache: Path | None = None) -> Weights:
    """The verified record of weights that are here, off the network; imports torch only for a .pth file."""
    kind, path = _find(source, cache or cache_folder())
    if path is None:
        raise WeightsError("The ImageNet weights are not stored. Run `styled weights` to fetch them.")
    if path.suffix != ".safetensors":
        return load(path)[0]
    data, sha256 = _verified(kind, path)
    return Weights(kind, sha256, _deepest(_header(data, path), path), path)


def load(
    source: str | Path = "auto",
    cache: Path | None = None,
    progress: Progress | None = None,
    timeout: float | None = None,
) -> tuple[Weights, dict[str, Tensor]]:
    """The record and the tensors `features.N.weight|bias` (float32) of auto, embedded, imagenet or a path.

    `auto` never touches the network: ImageNet's where they are stored, otherwise the embedded ones.
    `imagenet` fetches them if it must.
    """
    kind, path = _find(source, cache or cache_folder())
    if path is None:
        path = fetch(cache=cache, progress=progress, timeout=timeout).path
    tensors, sha256 = _parsed(kind, path) if path.suffix == ".safetensors" else _read(path)
    deepest = _deepest({name: tuple(tensor.shape) for name, tensor in tensors.items()}, path)
    return Weights(kind, sha256, deepest, path), _convolutions(tensors, deepest, path)


def fetch(
    url: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    timeout: float | None = None,
) -> Weights:
    """Download torchvision's VGG19, verify it, store its convolutions; nothing to do where they are stored.

    torch.hub's own download can neither time out nor report its progress, so this keeps its rules (the name
    carries the first digits of the file's SHA-256, nothing unfinished is ever visible) with one of our own. The
    full SHA-256 of that file is not published: those digits are checked on the way in, and the full SHA-256 of
    what is stored is noted beside it and checked on each load.
    """
    from ..errors import DownloadError
    from .download import download

    folder = cache or cache_folder()
    if stored(folder):
        try:
            return describe("imagenet", folder)
        except WeightsError:
            pass  # damaged since: fetched again
    if url is None:
        from torchvision.models import VGG19_Weights

        url = str(VGG19_Weights.IMAGENET1K_V1.url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Without a name where the system can: 548 MB that no crash leaves behind.
        with tempfile.TemporaryFile(dir=folder) as file:
            download(url, file, progress, timeout)
            tensors = _unpickled(file, url)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        _store(folder / IMAGENET_FILE, _convolutions(tensors, _deepest(shapes, url), url))
    except DownloadError as error:
        raise WeightsError(str(error)) from error
    except OSError as error:
        raise WeightsError(f"The weights cannot be stored in {folder}: {error.strerror or error}") from error
    return describe("imagenet", folder)


def _find(source: str | Path, cache: Path) -> tuple[Literal["embedded", "imagenet", "file"], Path | None]:
    """Which weights `source` means, and where they are; no path for ImageNet's that are not stored."""
    if source == "embedded":
        return "embedded", EMBEDDED_WEIGHTS
    if source == "imagenet":
        return "imagenet", stored(cache)
    if source == "auto":
        path = stored(cache)
        return ("imagenet", path) if path else ("embedded", EMBEDDED_WEIGHTS)
    path = Path(source)
    if not path.is_file():
        raise WeightsError(f"weights: there is no file {path}. Use auto, embedded, imagenet, or a file's path.")
    return "file", path


def _sum_file(path: Path) -> Path:
    """Its SHA-256 lies beside it, as `sha256sum` writes it."""
    return path.with_name(path.name + ".sha256")


def _verified(kind: str, path: Path) -> tuple[bytes, str]:
    """A file's bytes and SHA-256; WeightsError if it is a known file and not what it was."""
    try:
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        if kind == "embedded" and sha256 != EMBEDDED_SHA256:
            raise WeightsError(f"{path} is damaged: its SHA-256 is {sha256}. Install styled again.")
        if kind == "imagenet" and [sha256] != _sum_file(path).read_text().split()[:1]:
            raise WeightsError(f"{path} is damaged: its SHA-256 is {sha256}. {AGAIN}")
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    return data, sha256


def _header(data: bytes, path: Path) -> dict[str, Sequence[int]]:
    """The shapes in a safetensors file: eight bytes of length, then JSON."""
    try:
        (size,) = struct.unpack_from("<Q", data)
        entries = json.loads(data[8 : 8 + size])
        entries.pop("__metadata__", None)
        if len(data) != 8 + size + max(entry["data_offsets"][1] for entry in entries.values()):
            raise ValueError("not of the length that its header says")
        return {name: tuple(entry["shape"]) for name, entry in entries.items()}
    except (ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} is not a safetensors file, or only a part of one.") from error


def _deepest(shapes: Mapping[str, Sequence[int]], path: Path | str) -> str:
    """The last layer that these entries can compute; WeightsError for a hole in between or a wrong shape."""
    deepest, missing, channels = "", "", 3
    for n, name in enumerate(LAYERS):
        if not name.startswith("conv"):
            continue
        width = WIDTHS[int(name[4]) - 1]
        for entry, shape in ((f"features.{n}.weight", (width, channels, 3, 3)), (f"features.{n}.bias", (width,))):
            if entry not in shapes:
                missing = missing or f"{entry} ({name})"
            elif missing:
                raise WeightsError(f"{path} is not a whole VGG19: {missing} is missing.")
            elif tuple(shapes[entry]) != shape:
                raise WeightsError(f"{path}: {entry} has the shape {tuple(shapes[entry])}, VGG19's {name} {shape}.")
        deepest = deepest if missing else name
        channels = width
    if not deepest:
        raise WeightsError(f"{path} has no {missing}: not a VGG19 with torchvision's names.")
    end = LAYERS.index(deepest) + 1
    while end + 1 < len(LAYERS) and not LAYERS[end + 1].startswith("conv"):
        end += 1
    return LAYERS[end]


def _parsed(kind: str, path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a safetensors file, and its SHA-256."""
    from safetensors import SafetensorError
    from safetensors.torch import load as parse

    data, sha256 = _verified(kind, path)
    try:
        return parse(data), sha256
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file, or only a part of one: {error}") from error


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a state_dict, and the file's SHA-256."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return _unpickled(file, str(path)), sha256
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error


def _unpickled(file: IO[bytes], name: str) -> dict[str, Tensor]:
    """A state_dict, read without running what may be pickled in it."""
    import torch

    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch.load has no error of its own for what is not a checkpoint
        raise WeightsError(f"{name} is not a state_dict that can be read safely: {_first_line(error)}") from error
    if not isinstance(state, Mapping):
        raise WeightsError(f"{name} holds a {type(state).__name__}, not a state_dict.")
    return {str(key): value for key, value in state.items() if isinstance(value, torch.Tensor)}


def _convolutions(tensors: Mapping[str, Tensor], deepest: str, path: Path | str) -> dict[str, Tensor]:
    """The convolutions down to `deepest`, float32; WeightsError for what is no number."""
    names = [
        f"features.{n}.{part}"
        for n, layer in enumerate(LAYERS[: LAYERS.index(deepest) + 1])
        if layer.startswith("conv")
        for part in ("weight", "bias")
    ]
    for name in names:
        if not tensors[name].is_floating_point() or not bool(tensors[name].isfinite().all()):
            raise WeightsError(f"{path}: {name} holds values that are no finite numbers.")
    return {name: tensors[name].float().contiguous() for name in names}


def _store(path: Path, tensors: dict[str, Tensor]) -> None:
    """Both files whole or not at all, the sum last: without it nothing counts as stored."""
    from safetensors.torch import save

    data = save(tensors)
    for target, content in (
        (path, data),
        (_sum_file(path), f"{hashlib.sha256(data).hexdigest()}  {path.name}\n".encode()),
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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
