"""Download a large file from a server that may stall, break off, or answer with something else."""

import hashlib
import http.client
import re
from collections.abc import Callable
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..errors import DownloadError

TIMEOUT: Final = 30.0  # seconds without a byte after which a server counts as stalled
Progress = Callable[[int, int], None]  # (bytes done, bytes in all; 0: the server does not say)


def download(url: str, file: IO[bytes], progress: Progress | None = None, timeout: float | None = None) -> None:
    """Download `url` into `file`, and rewind `file`. `timeout`: seconds without a byte; None: TIMEOUT.

    If the file's name contains the first digits of its SHA-256 (vgg19-dcbb9e9d.pth, the convention of torch.hub), they
    are checked. Raises DownloadError if the file does not arrive whole, and OSError if the disk fails.
    """
    timeout = timeout or TIMEOUT
    host, name = urlsplit(url).netloc, urlsplit(url).path.rpartition("/")[2]
    digest, done = hashlib.sha256(), 0
    with _opened(url, host, name, timeout) as answer:
        total = int(answer.headers.get("Content-Length") or 0)
        page = answer.headers.get_content_type() == "text/html"
        while block := _received(answer, host, timeout):
            if page or (done == 0 and block.lstrip()[:1] == b"<"):
                raise DownloadError(f"{host} answered with a web page instead of {name} (a login page?).")
            file.write(block)
            digest.update(block)
            done += len(block)
            if progress:
                progress(done, total)
    if done < total:
        raise DownloadError(f"{name} was cut off after {done} of {total} bytes. Try again.")
    expected = re.search(r"-([0-9a-f]{8,})\.", name)
    if expected and not digest.hexdigest().startswith(expected[1]):
        raise DownloadError(f"{name} has the wrong hash: {digest.hexdigest()}, not {expected[1]}….")
    file.seek(0)


def _opened(url: str, host: str, name: str, timeout: float) -> Any:
    """The server's answer, before its body is read. Raises DownloadError if there is no such answer."""
    try:
        return urlopen(Request(url, headers={"User-Agent": "styled"}), timeout=timeout)
    except HTTPError as error:
        error.close()
        raise DownloadError(f"{host} does not give {name}: {error.code} {error.reason}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            raise DownloadError(f"{host} stalled: no answer for {timeout:g} s. Try again later.") from error
        raise DownloadError(f"{host} cannot be reached ({reason}). Is this machine online?") from error


def _received(answer: Any, host: str, timeout: float) -> bytes:
    """The next bytes of an answer; b"" at the end. Raises DownloadError if the connection breaks or stalls."""
    try:
        return bytes(answer.read1(1 << 20))
    except TimeoutError as error:
        raise DownloadError(f"{host} stalled: no byte for {timeout:g} s. Try again later.") from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"The connection to {host} broke: {error}. Try again.") from error
