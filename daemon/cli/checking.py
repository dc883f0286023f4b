"""What `styled check` does besides reading the settings: as the service's user, decode pictures and load the model."""

import os
import pwd
from pathlib import Path

from daemon.assets import STYLES
from daemon.config.models import Config
from daemon.config.saved import SERVICE_ROOT, likely_roots

PROBE_SIDE = 256  # px; a picture is decoded whole, and kept at this size


def probe(path: Path, max_megapixels: float) -> None:
    """Raises JobError if this style picture cannot be decoded, OSError if it cannot be read."""
    if path.parent == STYLES:
        return  # the built-in pictures were tested before they were packed, so no decoder is loaded for them
    from daemon.pictures.reading import read

    with path.open("rb") as file:
        read(file, max_megapixels=max_megapixels, size=PROBE_SIDE, name=path.name)


def load_model(config: Config) -> None:
    """Load the model on each of its devices. Raises ConfigError or StartLater."""
    from daemon.processes.painter_process import PainterProcess  # torch

    for device in PainterProcess(config.device, config.weights).ready_info.others:
        PainterProcess(device, config.weights)


def become_owner(path: Path) -> str:
    """If root runs the command, go on as the user who owns the folders that the config.yaml at `path` names: the
    service's user, who may have other rights and weights. Returns in words whose rights were checked; "" if the
    service's own user runs the command."""
    root = next((root for root in likely_roots(path) if os.access(root, os.X_OK) and root.is_dir()), None)
    if root is None:
        return ""
    status = next(folder for folder in (root / "work", root) if folder.is_dir()).stat()
    if status.st_uid == os.getuid():
        return ""
    try:
        owner = pwd.getpwuid(status.st_uid)
    except KeyError:
        owner = None
    name = owner.pw_name if owner else f"user {status.st_uid}"
    if os.getuid() != 0:
        return f"Checked with your rights; the service here runs as {name}, whose rights may be others."
    if status.st_uid == 0:
        return ""
    _become(status.st_uid, status.st_gid, owner)
    for cache in (root / "cache", SERVICE_ROOT / "cache"):
        if os.path.isdir(cache):
            os.environ.setdefault("XDG_CACHE_HOME", str(cache))
    return f"Checked as {name}, as whom the service here runs."


def _become(user: int, group: int, owner: pwd.struct_passwd | None) -> None:
    from daemon.console import console as console  # while root may still read Python's own files
    from daemon.pictures import reading as reading

    os.environ["HOME"] = owner.pw_dir if owner else "/"
    os.setgroups(os.getgrouplist(owner.pw_name, owner.pw_gid) if owner else [group])
    os.setgid(owner.pw_gid if owner else group)
    os.setuid(user)
