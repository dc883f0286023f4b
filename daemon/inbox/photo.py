"""A photo in the inbox: found by the scan, taken by the jobs."""

import os
from dataclasses import dataclass
from typing import NamedTuple


class Signature(NamedTuple):
    """A file's identity and state, as far as they can be seen without reading the file."""

    device: int
    inode: int
    size: int  # bytes
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Signature":
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class InboxPhoto:
    """A photo in the inbox. `folder` is relative to the style's folder, "" at the top. `companions` are the names of
    the sidecar and the mask, if present, as the photo's name gives them, and `spelled` these names as they are on the
    disk. `download` is the name of a download beside the photo that will take the photo's or a companion's name."""

    style: str
    folder: str
    name: str
    path: str
    signature: Signature
    companions: tuple[str, ...] = ()
    companion_signatures: tuple[Signature, ...] = ()
    spelled: tuple[str, ...] = ()
    download: str = ""
    download_signature: Signature | None = None

    def beside(self, name: str) -> str:
        """The path of a file in the photo's folder."""
        return self.path[: -len(self.name)] + name
