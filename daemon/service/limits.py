"""How many files this process may have open. Photos, folders and shared arrays travel as descriptors."""

import contextlib
import resource

from daemon.errors import StartLater

NEEDED = 64  # for two readers, a painter, and a photo in the hands of each thread
ENOUGH = 8192


def raise_open_files() -> None:
    """Raise the limit as far as the system allows. Raises StartLater if that is not enough to work."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft != resource.RLIM_INFINITY and soft < NEEDED:
        cure = "raise it by LimitNOFILE= in the service, or by ulimit -n"
        raise StartLater([f"the limit on open files is too low: {soft}, and {NEEDED} are needed; {cure}"])
