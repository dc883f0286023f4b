"""The files beside a photo that belong to it: its sidecar, its mask, and a download that will take its name."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from daemon.filenames import MASK, SIDECAR, composed, unfinished
from daemon.inbox.photo import InboxPhoto, Signature


class Neighbours(NamedTuple):
    """The regular files of an open folder, with tables to find companions and downloads."""

    fd: int
    files: dict[str, os.DirEntry[str]]
    spelled: dict[str, str]  # names that are not composed, by composed name
    companions: dict[str, str]  # names of sidecars and masks, by name in small letters
    downloads: dict[str, str]  # names of downloads, by the name that the finished file will have

    @classmethod
    def of(cls, fd: int, files: dict[str, os.DirEntry[str]]) -> "Neighbours":
        spelled = {composed(name): name for name in files if not name.isascii()}
        companions = {_folded(name): name for name in files if name.lower().endswith((SIDECAR, MASK))}
        return cls(fd, files, spelled, companions, {wanted: name for name in files if (wanted := unfinished(name))})

    def find(self, name: str) -> str:
        """The name of the file that people see as `name`, "" if there is none."""
        return name if name in self.files else self.spelled.get(composed(name), "")

    def find_companion(self, name: str) -> str:
        """The same for a sidecar or a mask. Its name may also differ in upper and lower case, where the disk makes no
        difference."""
        own = self.find(name)
        if not own and self.companions and (other := self.companions.get(_folded(name), "")):
            with contextlib.suppress(OSError):
                seen = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
                own = other if os.path.samestat(seen, self.files[other].stat(follow_symlinks=False)) else ""
        return own


def with_companions(
    photo: InboxPhoto, found: Sequence[tuple[str, str]], files: Mapping[str, os.DirEntry[str]]
) -> InboxPhoto:
    """The photo with its companions. `found`: their names, as the photo's name gives them and as they are spelled."""
    names, spelled, signatures = [], [], []
    for name, own in found:
        with contextlib.suppress(OSError):  # removed during the scan: the photo stays
            signatures.append(Signature.of(files[own].stat(follow_symlinks=False)))
            names.append(name)
            spelled.append(own)
    return replace(photo, companions=tuple(names), companion_signatures=tuple(signatures), spelled=tuple(spelled))


def with_download(photo: InboxPhoto, names: Sequence[str], beside: Neighbours) -> InboxPhoto:
    """The photo with the download that will replace it or a companion. `names`: the photo's and its companions'."""
    for name in names:
        if download := beside.downloads.get(name):
            with contextlib.suppress(OSError):
                signature = Signature.of(beside.files[download].stat(follow_symlinks=False))
                if signature[:2] != photo.signature[:2]:  # otherwise the same file, whose old name is not gone yet
                    return replace(photo, download=download, download_signature=signature)
    return photo


def _folded(name: str) -> str:
    return composed(name).casefold()
