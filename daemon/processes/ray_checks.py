"""Why a Ray cluster, or one of its painters, cannot be used; in words for the user. Imports no Ray."""

import importlib.util
import ipaddress
import os
import socket
from collections.abc import Mapping

from daemon import __version__
from daemon.processes.painters import PainterInfo

MODE = "RAY_AUTH_MODE"  # "token": Ray answers only callers that have its token
REACH_SECONDS = 5.0  # within which the cluster's address must answer


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


def unguarded(address: str, trust_network: bool, environment: Mapping[str, str] = os.environ) -> str:
    """Why the cluster at `address` may not be used: everybody who reaches the ports of Ray can run programs as the user
    that runs styled. "" if Ray asks for a token, if the ports are this machine's alone, or if the user trusts the
    network. A "local" cluster is styled's own: styled makes a token for it, unless the environment forbids that.
    """
    mode = environment.get(MODE, "").lower()
    if trust_network or mode == "token" or (address == "local" and not mode):
        return ""
    host = address.rpartition(":")[0].strip("[]")
    if address != "local" and is_loopback(host):
        return ""
    return (
        f"cluster: everybody who can reach {address} may run programs as the user that runs styled; start Ray and "
        f"styled with {MODE}=token and one token, or write `trust_network: yes` if nobody else is in that network"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unfit(version: str, info: PainterInfo | None, problems: str, sha256: str) -> str:
    """Why a painter elsewhere cannot paint with the others; "" if the painter can.

    `version`, `info`, `problems`: the answer of RayActor.ready_info. `sha256`: of the other painters' weights, "" for
    the first painter.
    """
    if version != __version__:
        return f"it has styled {version}, and this host {__version__}; install the same version there"
    if problems or info is None:
        return problems
    if sha256 and info.weights_sha256 != sha256:
        mine = f"{info.weights} ({info.weights_sha256[:12]})"
        return f"its weights, {mine}, are not those of the others ({sha256[:12]}); give it the same"
    return ""
