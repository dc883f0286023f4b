"""VGG19's weights: the embedded weights, ImageNet's from the cache, or a file. Always verified, never from the network.

Functions import torch only to read tensors, so that the daemon looks up and checks weights without torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal

from daemon.assets import EMBEDDED_WEIGHTS

from ..errors import WeightsError, first_line
from .layers import LAYERS, WIDTHS

if TYPE_CHECKING:
    from torch import Tensor


EMBEDDED_SHA256: Final = "573261fbecf600246ba9546bb3164b464cbe423c74a158e15e9050a5bdacdff9"
IMAGENET_FILE: Final = "vgg19-imagenet1k_v1-features.safetensors"
IMAGENET_SOURCE: Final = "vgg19-dcbb9e9d.pth"  # torchvision's name, with the first digits of its SHA-256
HOW: Final = (
    "Run `styled weights` to fetch them (548 MB). Without a network, bring "
    f"https://download.pytorch.org/models/{IMAGENET_SOURCE} (its SHA-256 begins with dcbb9e9d) to this machine "
    "and run `styled weights --from FILE`."
)
AGAIN: Final = "Run `styled weights` to fetch it again."


@dataclass(frozen=True, slots=True)
class Weights:
    """Which weights a painting was made with."""

    kind: Literal["embedded", "imagenet", "file"]
    sha256: str  # of the whole file, 64 hexadecimal digits
    deepest: str  # the last layer that these weights can compute, e.g. relu3_1
    path: Path


def cache_folder() -> Path:
    """The folder of fetched weights: $XDG_CACHE_HOME/styled if that is an absolute path, else ~/.cache/styled."""
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "styled"


def stored(cache: Path | None = None) -> Path | None:
    """The file of ImageNet's weights in the cache, not verified; None if they are not stored, or only in part."""
    path = (cache or cache_folder()) / IMAGENET_FILE
    return path if path.is_file() and sum_file(path).is_file() else None


def describe(source: str | Path = "auto", cache: Path | None = None) -> Weights:
    """The record of weights on this machine, verified; imports torch only for a .pth file.

    `source`: auto, embedded, imagenet, or a path. Raises WeightsError if the weights are not on this machine, damaged,
    or not VGG19's.
    """
    kind, path = _find(source, cache or cache_folder())
    if path.suffix != ".safetensors":
        return load(path)[0]
    data, sha256 = _verified(kind, path)
    return Weights(kind, sha256, _deepest(_header(data, path), path), path)


def load(source: str | Path = "auto", cache: Path | None = None) -> tuple[Weights, dict[str, Tensor]]:
    """The record, and the tensors {`features.N.weight|bias`: (m, n, 3, 3) | (m,)}, float32 on the CPU.

    `source`: auto, embedded, imagenet, or the path of a .safetensors file or of a state_dict (.pth). auto takes
    ImageNet's weights if they are stored, else the embedded weights. `cache`: the folder of fetched weights; None:
    `cache_folder()`. Raises WeightsError if the weights are missing, damaged, or not VGG19's.
    """
    kind, path = _find(source, cache or cache_folder())
    tensors, sha256 = _parsed(kind, path) if path.suffix == ".safetensors" else _read(path)
    deepest = _deepest({name: tuple(tensor.shape) for name, tensor in tensors.items()}, path)
    return Weights(kind, sha256, deepest, path), _convolutions(tensors, deepest, path)


def convolutions(file: IO[bytes], name: str) -> dict[str, Tensor]:
    """VGG19's convolutions in an open state_dict called `name`, float32. Raises WeightsError if it is no VGG19."""
    tensors = _unpickled(file, name)
    return _convolutions(tensors, _deepest({each: tuple(tensor.shape) for each, tensor in tensors.items()}, name), name)


def sum_file(path: Path) -> Path:
    """The file beside `path` that holds its SHA-256, in the format of `sha256sum`."""
    return path.with_name(path.name + ".sha256")


def _find(source: str | Path, cache: Path) -> tuple[Literal["embedded", "imagenet", "file"], Path]:
    """The kind and the path of the weights that `source` means. Raises WeightsError if they are not on this machine."""
    if source == "embedded":
        return "embedded", EMBEDDED_WEIGHTS
    if source in ("auto", "imagenet"):
        if path := stored(cache):
            return "imagenet", path
        if source == "auto":
            return "embedded", EMBEDDED_WEIGHTS
        raise WeightsError(f"The ImageNet weights are not in {cache}. {HOW}")
    path = Path(source)
    if not path.is_file():
        raise WeightsError(f"weights: there is no file {path}. Use auto, embedded, imagenet, or a file's path.")
    return "file", path


def _verified(kind: str, path: Path) -> tuple[bytes, str]:
    """A file's bytes and SHA-256. Raises WeightsError if the file cannot be read or a known SHA-256 differs."""
    try:
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        if kind == "embedded" and sha256 != EMBEDDED_SHA256:
            raise WeightsError(f"{path} is damaged: its SHA-256 is {sha256}. Install styled again.")
        if kind == "imagenet" and [sha256] != sum_file(path).read_text().split()[:1]:
            raise WeightsError(f"{path} is damaged: its SHA-256 is {sha256}. {AGAIN}")
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    return data, sha256


def _header(data: bytes, path: Path) -> dict[str, Sequence[int]]:
    """{name: shape} of a safetensors file (eight bytes of length, then JSON). Raises WeightsError if damaged."""
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
    """The last layer that these entries can compute.

    Raises WeightsError if an entry in between is missing, a shape is wrong, or there is no conv1_1.
    """
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
    """The tensors of a safetensors file, and its SHA-256. Raises WeightsError if the file is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load as parse

    data, sha256 = _verified(kind, path)
    try:
        return parse(data), sha256
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file, or only a part of one: {error}") from error


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a state_dict, and the file's SHA-256. Raises WeightsError if the file cannot be read."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return _unpickled(file, str(path)), sha256
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error


def _unpickled(file: IO[bytes], name: str) -> dict[str, Tensor]:
    """The tensors of a state_dict, read without running pickled code. Raises WeightsError if there is none."""
    import torch

    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch.load has no error of its own for what is not a checkpoint
        raise WeightsError(f"{name} is not a state_dict that can be read safely: {first_line(error)}") from error
    if not isinstance(state, Mapping):
        raise WeightsError(f"{name} holds a {type(state).__name__}, not a state_dict.")
    return {str(key): value for key, value in state.items() if isinstance(value, torch.Tensor)}


def _convolutions(tensors: Mapping[str, Tensor], deepest: str, path: Path | str) -> dict[str, Tensor]:
    """The convolutions down to `deepest`, float32. Raises WeightsError if a value is not a finite number."""
    names = [
        f"features.{n}.{part}"
        for n, layer in enumerate(LAYERS[: LAYERS.index(deepest) + 1])
        if layer.startswith("conv")
        for part in ("weight", "bias")
    ]
    for name in names:
        if not tensors[name].is_floating_point() or not bool(tensors[name].isfinite().all()):
            raise WeightsError(f"{path}: {name} holds values that are not finite numbers.")
    return {name: tensors[name].float().contiguous() for name in names}
