"""The administrator's guide, run: its texts for nginx, Caddy and Samba, where these programs are installed."""

import base64
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from daemon.events import Event
from tests.support.daemon import Start, wait_until
from tests.support.samples import CONFIG, jpeg

GUIDE = (Path(__file__).parents[2] / "systemd/README.md").read_text()
OUTBOX, INBOX = "/var/lib/styled/outbox", "/var/lib/styled/inbox"
STALL = 3.0  # seconds in which a copy does not grow, ten times `settle_seconds`
SENT = 18 << 20  # bytes before the copy stalls; smbclient sends blocks of 8 MiB, two at a time

pytestmark = pytest.mark.slow


def text_after(words: str) -> str:
    """The first block of code in the guide behind these words."""
    found = re.search(r"```\w*\n(.*?)```", GUIDE[GUIDE.index(words) :], re.DOTALL)
    assert found
    return found[1]


def needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or os.getuid() != 0:
        pytest.skip(f"needs root and {', '.join(programs)}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox"
    (folder / ".gallery").mkdir(parents=True)
    (folder / "ink").mkdir()
    (folder / "index.html").write_text("<title>Paintings</title>")
    for name in (".gallery/small.webp", "ink/large.webp"):
        (folder / name).write_bytes(jpeg(kind="WEBP"))
    return folder


def fetched(url: str, password: str = "") -> tuple[int, str]:
    """Status and kind of the answer."""
    request = urllib.request.Request(url, headers={"Host": "paintings.example.org"})
    if password:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"studio:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers.get_content_type()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, ""


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def shows_the_gallery(url: str) -> None:
    wait_until(lambda: listens(int(url.split(":")[2].split("/")[0])), 60.0)
    assert fetched(url)[0] == 401, "a password is asked for"
    assert fetched(url, "pw") == (200, "text/html")
    for name in (".gallery/small.webp", "ink/large.webp"):
        assert fetched(url + name, "pw") == (200, "image/webp"), name


def test_nginx_shows_the_gallery_as_the_guide_says(tmp_path: Path, outbox: Path) -> None:
    needs("nginx", "openssl")
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "pw"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "htpasswd").write_text(f"studio:{hashed}")
    location = text_after("nginx, with its user").replace(OUTBOX, str(outbox))
    location = location.replace("/etc/nginx/paintings.htpasswd", str(tmp_path / "htpasswd"))
    port = free_port()
    (tmp_path / "nginx.conf").write_text(
        f"user root; daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ include /etc/nginx/mime.types; access_log off; client_body_temp_path {tmp_path}/body;\n"
        f"server {{ listen 127.0.0.1:{port};\n{location} }} }}"
    )
    with subprocess.Popen(["nginx", "-e", "stderr", "-c", tmp_path / "nginx.conf"]) as server:
        try:
            shows_the_gallery(f"http://127.0.0.1:{port}/paintings/")
        finally:
            server.terminate()


def test_caddy_shows_the_gallery_as_the_guide_says(tmp_path: Path, outbox: Path) -> None:
    needs("caddy")
    version = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
    hashed = subprocess.run(["caddy", "hash-password", "--plaintext", "pw"], capture_output=True, text=True, check=True)
    site = text_after("Caddy:").replace(OUTBOX, str(outbox)).replace("HASH", hashed.stdout.strip())
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (2, 8):
        assert "before Caddy 2.8: basicauth" in site
        site = site.replace("basic_auth", "basicauth")
    port = free_port()
    site = site.replace("paintings.example.org", f"http://127.0.0.1:{port}, http://paintings.example.org:{port}")
    (tmp_path / "Caddyfile").write_text("{\n admin off\n}\n" + site)
    home = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = ["caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    with subprocess.Popen(command, env=home, stderr=subprocess.DEVNULL) as server:
        try:
            shows_the_gallery(f"http://127.0.0.1:{port}/")
        finally:
            server.terminate()


@pytest.fixture
def samba(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """A server of the guide's shares, root being their user, and the beginning of a client's command."""
    needs("smbd", "smbclient", "smbpasswd")
    place, port = tmp_path_factory.mktemp("samba"), free_port()
    kept = ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir")
    shares = text_after("People log in to Samba").replace("@styled", "root").replace("= styled", "= root")
    shares = shares.replace(INBOX, str(root / "inbox")).replace(OUTBOX, str(root / "outbox"))
    (place / "smb.conf").write_text(
        f"[global]\nserver role = standalone server\nsmb ports = {port}\ninterfaces = lo\nbind interfaces only = yes\n"
        + "".join(f"{name} = {place}\n" for name in kept)
        + f"disable spoolss = yes\nload printers = no\nlog file = {place}/log\n{shares}"
    )
    subprocess.run(
        ["smbpasswd", "-c", place / "smb.conf", "-s", "-a", "root"], input="pw\npw\n", text=True, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    options = ["--foreground", "--no-process-group", "--configfile", str(place / "smb.conf")]
    null = subprocess.DEVNULL
    with subprocess.Popen(["smbd", *options], start_new_session=True, stdin=null, stderr=null) as server:
        try:
            wait_until(lambda: (place / "smbd.pid").exists())
            yield ["smbclient", "-s", f"{place}/smb.conf", "-p", str(port), "-U", "root%pw"]
        finally:
            server.terminate()


def test_a_copy_through_samba_is_painted_when_it_is_complete_however_long_it_stalls(
    root: Path, start: Start, samba: list[str]
) -> None:
    """For styled itself, which has none of root's rights, the guide's `force user` makes the difference."""
    (root / "config.yaml").write_text(CONFIG.replace("settle_seconds: 0.3", "settle_seconds: 0.2"))
    daemon = start(fast=True, powerless=True).ready()
    Image.effect_noise((4800, 4800), 90).save(root / "large.png", compress_level=0)
    data = (root / "large.png").read_bytes()
    assert len(data) > SENT
    put = subprocess.Popen([*samba, "//127.0.0.1/photos", "-c", "put - slow.png"], stdin=subprocess.PIPE)
    assert put.stdin
    put.stdin.write(data[:SENT])
    put.stdin.flush()
    wait_until(lambda: (root / "inbox/slow.png").exists() and (root / "inbox/slow.png").stat().st_size > 0, 30.0)
    with pytest.raises(AssertionError, match="it did not happen"):
        wait_until(lambda: not (root / "inbox/slow.png").exists(), STALL)
    put.stdin.write(data[SENT:])
    put.stdin.close()
    assert put.wait(60) == 0
    daemon.wait_for(Event.PAINTED)
    got = [*samba, "//127.0.0.1/paintings", "-c", f"cd alpha; get slow.png {root}/got.png"]
    subprocess.run(got, check=True)
    with Image.open(root / "got.png") as painting:
        assert max(painting.size) == 48
