"""Why a Ray cluster, or one of its painters, cannot be used; in words for the user. Imports no Ray."""

import importlib.util
import socket

from daemon import __version__
from daemon.processes.painters import PainterInfo

REACH_SECONDS = 5.0  # for the cluster's address to answer


def not_installed() -> str:
    """Why this machine cannot use a cluster; "" if Ray is installed."""
    if importlib.util.find_spec("ray") is not None:
        return ""
    return (
        "cluster: Ray is not installed here; `pip install 'styled-daemon[ray]'`, or take the line `cluster:` out to "
        "paint on this host alone"
    )


def unreachable(address: str) -> str:
    """Why no cluster can be used at `address`; "" if something answers there, or if the address is "local"."""
    if address == "local":
        return ""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except OSError as error:
        return (
            f"cluster: {address} cannot be reached ({error.strerror or error}); is the cluster running, and is that "
            "the address that `ray start --head` said?"
        )
    return ""


def unfit(version: str, info: PainterInfo | None, problems: str, sha256: str) -> str:
    """Why a painter elsewhere cannot paint with the others; "" if the painter can.

    version, info, problems: what RayActor.ready_info answers. `sha256`: of the other painters' weights, "" for the
    first painter.
    """
    if version != __version__:
        return f"it has styled {version}, and this host {__version__}; install the same version there"
    if problems or info is None:
        return problems
    if sha256 and info.weights_sha256 != sha256:
        mine = f"{info.weights} ({info.weights_sha256[:12]})"
        return f"its weights, {mine}, are not those of the others ({sha256[:12]}); give it the same"
    return ""
