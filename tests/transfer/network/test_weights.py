import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from daemon.assets import EMBEDDED_WEIGHTS
from daemon.transfer import WeightsError
from daemon.transfer.network.imagenet import URL, fetch, take
from daemon.transfer.network.weights import (
    EMBEDDED_SHA256,
    IMAGENET_FILE,
    IMAGENET_SOURCE,
    cache_folder,
    describe,
    load,
    stored,
)
from tests.support.objectives import random_weights


def checkpoint(legacy: bool = False) -> bytes:
    """torchvision's layout, down to conv2_1, with a classifier that nobody needs; legacy: as the real one is."""
    buffer = io.BytesIO()
    state = random_weights(6) | {"classifier.0.weight": torch.zeros(4, 4), "classifier.0.bias": torch.zeros(4)}
    torch.save(state, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


@dataclass
class Answer:
    body: bytes
    length: int | None = None  # what it promises, if not what it sends
    kind: str = "application/octet-stream"
    status: int = 200
    stalls: bool = False  # after the body
    silent: bool = False  # hangs up, or stalls, without a word


class Server:
    """Answers every request in the way it is told, on a port of its own."""

    def __init__(self) -> None:
        self.answer, self.requests = Answer(b""), 0
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests += 1
                answer = server.answer
                if answer.silent:
                    server.released.wait(30 if answer.stalls else 0)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind)
                self.send_header("Content-Length", str(answer.length or len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                self.wfile.flush()
                if answer.stalls:
                    server.released.wait(30)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def url(self, body: bytes) -> str:
        """Of a file whose name carries the first digits of its SHA-256, as torchvision's do."""
        return f"http://127.0.0.1:{self._server.server_port}/vgg19-{hashlib.sha256(body).hexdigest()[:8]}.pth"

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def refused(server: Server, answer: Answer, url: str, cache: Path) -> str:
    """The message with which this answer is refused; nothing may be stored by then."""
    server.answer = answer
    with pytest.raises(WeightsError) as caught:
        fetch(url, cache, timeout=0.5)
    assert stored(cache) is None
    assert list(cache.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_fetches_verifies_and_stores_the_convolutions_alone(server: Server, tmp_path: Path, legacy: bool) -> None:
    body = checkpoint(legacy)
    server.answer = Answer(body)
    seen: list[tuple[int, int]] = []
    weights = fetch(server.url(body), tmp_path, lambda done, total: seen.append((done, total)))
    assert (weights.kind, weights.deepest, weights.path) == ("imagenet", "relu2_1", tmp_path / IMAGENET_FILE)
    assert seen[-1] == (len(body), len(body))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    kept = load_file(weights.path)
    assert set(kept) == set(random_weights(6))
    assert all(torch.equal(kept[name], tensor) for name, tensor in random_weights(6).items())
    assert hashlib.sha256(weights.path.read_bytes()).hexdigest() == weights.sha256
    assert sorted(p.name for p in tmp_path.iterdir()) == [IMAGENET_FILE, IMAGENET_FILE + ".sha256"]


def test_what_is_stored_is_used_without_the_network(server: Server, tmp_path: Path) -> None:
    body = checkpoint()
    server.answer = Answer(body)
    fetched = fetch(server.url(body), tmp_path)
    assert fetch(server.url(body), tmp_path) == fetched
    assert server.requests == 1
    server.stop()
    for source in ("auto", "imagenet"):
        weights, tensors = load(source, tmp_path)
        assert weights == fetched == describe(source, tmp_path)
        assert set(tensors) == set(random_weights(6))


def test_stored_weights_that_were_damaged_are_refused_and_fetched_again(server: Server, tmp_path: Path) -> None:
    body = checkpoint()
    server.answer = Answer(body)
    path = fetch(server.url(body), tmp_path).path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    for source in ("auto", "imagenet"):
        with pytest.raises(WeightsError, match=r"damaged.*Run `styled weights`"):
            load(source, tmp_path)
    fetch(server.url(body), tmp_path)
    assert load("auto", tmp_path)[0].kind == "imagenet"


def test_features_without_their_sum_do_not_count_as_stored(tmp_path: Path) -> None:
    """As a crash between the two leaves them."""
    save_file(random_weights(6), tmp_path / IMAGENET_FILE)
    assert stored(tmp_path) is None
    assert load("auto", tmp_path)[0].kind == "embedded"


def test_a_truncated_download_is_refused(server: Server, tmp_path: Path) -> None:
    body = checkpoint()
    answer = Answer(body[:-1000], length=len(body))
    assert f"cut off after {len(body) - 1000} of {len(body)}" in refused(server, answer, server.url(body), tmp_path)


def test_a_download_with_the_wrong_hash_is_refused(server: Server, tmp_path: Path) -> None:
    assert "wrong hash" in refused(server, Answer(checkpoint()), server.url(b"another file"), tmp_path)


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream"])
def test_a_web_page_is_refused_as_such(server: Server, tmp_path: Path, kind: str) -> None:
    page = Answer(b"\n<!DOCTYPE html><html>Please log in</html>", kind=kind)
    assert "web page" in refused(server, page, server.url(page.body), tmp_path)


def test_a_server_that_stalls_is_given_up(server: Server, tmp_path: Path) -> None:
    body = checkpoint()
    answer = Answer(body[:5000], length=len(body), stalls=True)
    assert "stalled: no byte for 0.5 s" in refused(server, answer, server.url(body), tmp_path)


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up(server: Server, tmp_path: Path) -> None:
    silence = Answer(b"", silent=True, stalls=True)
    assert "stalled: no answer for 0.5 s" in refused(server, silence, server.url(b""), tmp_path)


def test_a_server_that_hangs_up_is_named(server: Server, tmp_path: Path) -> None:
    assert "cannot be reached" in refused(server, Answer(b"", silent=True), server.url(b""), tmp_path)


def test_a_server_that_has_no_such_file_is_named(server: Server, tmp_path: Path) -> None:
    assert "404" in refused(server, Answer(b"gone", status=404), server.url(b""), tmp_path)


def test_a_closed_port_is_refused(server: Server, tmp_path: Path) -> None:
    url = server.url(b"")
    server.stop()
    assert "cannot be reached" in refused(server, Answer(b""), url, tmp_path)


def test_a_file_that_hides_code_is_not_run(server: Server, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    buffer = io.BytesIO()
    torch.save({"features.0.weight": Trap()}, buffer)
    cache = tmp_path / "cache"
    message = refused(server, Answer(buffer.getvalue()), server.url(buffer.getvalue()), cache)
    assert "can be read safely" in message
    assert not (tmp_path / "sprung").exists()


def test_a_cache_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot be stored in"):
        fetch(server.url(b""), tmp_path / "file" / "cache")


def test_embedded_weights_are_the_known_file() -> None:
    weights, tensors = load("embedded")
    assert (weights.kind, weights.sha256, weights.deepest) == ("embedded", EMBEDDED_SHA256, "relu3_1")
    assert hashlib.sha256(EMBEDDED_WEIGHTS.read_bytes()).hexdigest() == EMBEDDED_SHA256
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


def test_auto_is_embedded_where_nothing_is_stored(tmp_path: Path) -> None:
    assert load("auto", tmp_path)[0] == load("embedded")[0] == describe("auto", tmp_path)
    with pytest.raises(WeightsError, match="Run `styled weights`"):
        describe("imagenet", tmp_path)


def test_imagenets_weights_that_are_not_stored_are_never_fetched_but_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("somebody reached for the network")

    monkeypatch.setattr("socket.socket", no_network)
    how = r"not in .*Run `styled weights`.*vgg19-dcbb9e9d\.pth.*SHA-256.*`styled weights --from FILE`"
    for ask in (load, describe):
        with pytest.raises(WeightsError, match=how):
            ask("imagenet", tmp_path)


def test_the_message_names_the_file_that_is_fetched() -> None:
    assert URL.endswith(f"/{IMAGENET_SOURCE}")


def test_a_file_that_was_brought_is_checked_and_stored(tmp_path: Path) -> None:
    file, cache = tmp_path / "from a stick.pth", tmp_path / "cache"
    file.write_bytes(checkpoint())
    digits = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    with pytest.raises(WeightsError, match=f"SHA-256 is {digits}.*must begin with dcbb9e9d.*config.yaml"):
        take(file, cache)
    assert not cache.exists()
    weights = take(file, cache, f"vgg19-{digits}.pth")
    assert (weights.kind, weights.path) == ("imagenet", cache / IMAGENET_FILE)
    assert load("auto", cache)[0] == weights
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        take(tmp_path / "nowhere.pth", cache)
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot be stored in"):
        take(file, tmp_path / "file" / "cache", f"vgg19-{digits}.pth")


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "styled"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "styled"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_path_is_a_state_dict_or_safetensors(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    state = {name: tensor.half() for name, tensor in random_weights(6).items()}
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    weights, tensors = load(path)
    assert (weights.kind, weights.deepest, weights.path) == ("file", "relu2_1", path)
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert describe(path) == weights


def without(name: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in random_weights(11).items() if key != name}


WRONG: dict[str, tuple[dict[str, Tensor], str]] = {
    "a hole": (without("features.5.weight"), r"features\.5\.weight \(conv2_1\) is missing"),
    "no bias": (without("features.2.bias"), r"features\.2\.bias \(conv1_2\) is missing"),
    "another network": ({"layer1.weight": torch.zeros(3)}, r"no features\.0\.weight \(conv1_1\): not a VGG19"),
    "a shape": (
        random_weights(3) | {"features.2.weight": torch.zeros(64, 64, 5, 5)},
        r"features\.2\.weight has the shape \(64, 64, 5, 5\), VGG19's conv1_2 \(64, 64, 3, 3\)",
    ),
    "a NaN": (random_weights(3) | {"features.2.bias": torch.full((64,), torch.nan)}, r"features\.2\.bias.*finite"),
    "integers": (random_weights(3) | {"features.2.bias": torch.zeros(64, dtype=torch.int64)}, "finite numbers"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_state_dict_that_is_not_vgg19s_is_refused(tmp_path: Path, wrong: str, suffix: str) -> None:
    state, message = WRONG[wrong]
    path = tmp_path / f"wrong{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    with pytest.raises(WeightsError, match=message):
        load(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"\x00" * 64, b"half"])
def test_a_file_that_is_no_weights_is_refused(tmp_path: Path, suffix: str, body: bytes) -> None:
    path = tmp_path / f"weights{suffix}"
    if body == b"half":
        save = torch.save if suffix == ".pth" else save_file
        save(random_weights(3), path)
        body = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(body)
    with pytest.raises(WeightsError, match="weights"):
        load(path)
    with pytest.raises(WeightsError, match="weights"):
        describe(path)


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(WeightsError, match="there is no file"):
            load(path)
