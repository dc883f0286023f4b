"""styled as a service: a real systemd, booted in a container, installs, starts, kills and restarts it.

The tests follow one another on one machine, in the order in which they stand.
"""

import itertools
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.nspawn import REPOSITORY, Box, box, why_not
from tests.support.samples import CONFIG, jpeg

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not())]

STATE = "/var/lib/styled"
SETTINGS = CONFIG.replace("root: .", f"root: {STATE}")
SLOW = "preset: fine\nsize: 112\n"  # a sidecar: some ten seconds, in which to interfere
SHARED = "/opt/styled/share/styled/systemd"  # where a wheel puts the folder systemd/ in its environment
# what a test machine may lower: how long the daemon may be silent
DROP_IN = "[Service]\nWatchdogSec=8\nTimeoutAbortSec=20\n"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with box(tmp_path_factory.mktemp("machine")) as machine:
        machine.sh("useradd --create-home --user-group alice")
        yield machine


@pytest.fixture(scope="module")
def installed(machine: Box) -> Box:
    """With settings and style pictures that are quick to paint with, and alice in the group."""
    if not is_there(machine, "/opt/styled/bin/styled"):
        install(machine)
    machine.sh("usermod --append --groups styled alice; mkdir -p /etc/systemd/system/styled.service.d")
    machine.put("/etc/systemd/system/styled.service.d/test.conf", DROP_IN.encode())
    for number, style in enumerate(("alpha", "beta"), start=1):
        machine.put(f"/etc/styled/{style}.png", jpeg(seed=number, kind="PNG"))
    machine.put("/etc/styled/config.yaml", SETTINGS.encode())
    machine.sh("systemctl daemon-reload")
    return machine


@pytest.fixture
def service(installed: Box) -> Box:
    installed.sh("systemctl enable --now styled")
    return installed


def install(machine: Box, folder: str = "/srv/checkout/systemd", wheel: str = "") -> str:
    """The real script, with its Python and pip's variables from outside, because the machine has no network."""
    pip = "PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1"
    script = f"sh {folder}/install.sh --system-packages {wheel}"
    return machine.sh(f"{pip} PYTHON={machine.python} {script}", seconds=240)


def soon(condition: Callable[[], object], machine: Box, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        log = "systemctl status --no-pager --full styled; journalctl --no-pager -u styled -n 40; ls -lR /var/lib/styled"
        assert time.monotonic() < deadline, machine.sh(log, check=False)
        time.sleep(0.2)


def drop(machine: Box, style: str, sidecar: str = "") -> str:
    """As alice; returns the painting's path."""
    name = f"photo{next(numbers)}.jpg"
    if sidecar:
        machine.put(f"{STATE}/inbox/{style}/{name}.yaml", sidecar.encode(), user="alice")
    machine.put(f"{STATE}/inbox/{style}/{name}", jpeg(200, 150), user="alice")
    return f"{STATE}/outbox/{style}/{name}"


def is_there(machine: Box, path: str) -> bool:
    return machine.sh(f"test -e {path} && echo yes || true").strip() == "yes"


def delivered(machine: Box, painting: str) -> Callable[[], bool]:
    return lambda: is_there(machine, painting)


def in_hand(machine: Box) -> bool:
    return "(step " in machine.show("StatusText")["StatusText"]


def restarted(machine: Box, before: dict[str, str]) -> Callable[[], bool]:
    """Whether systemd has started another process, and that is ready."""

    def check() -> bool:
        now = machine.show("MainPID", "ActiveState", "NRestarts")
        return now["ActiveState"] == "active" and now["MainPID"] != before["MainPID"]

    return check


def state_of(machine: Box) -> str:
    """Every file that the scripts have to do with, but for the environment's own."""
    places = "/usr/local/lib/systemd /usr/local/lib/sysusers.d /usr/local/lib/tmpfiles.d /usr/local/bin /etc/styled"
    places += f" /usr/local/share/man/man1 {STATE}"
    listing = machine.sh(f"find {places} -printf '%p %M %u %g %l\\n' | sort")
    sums = machine.sh(f"find {places} -type f -exec sha256sum {{}} + | sort")
    return listing + sums + machine.sh("getent passwd styled; /opt/styled/bin/pip list 2>/dev/null")


def score(machine: Box, *drop_ins: str) -> float:
    """What `systemd-analyze security` says of the unit that is shipped, with these drop-ins."""
    there = "d=$(mktemp -d); mkdir $d/scored.service.d; "  # not its own name, or what is installed would count, too
    there += f"cp {SHARED}/styled.service $d/scored.service; "
    there += "".join(f"cp {SHARED}/drop-ins/{name}.conf $d/scored.service.d/; " for name in drop_ins)
    assert machine.sh(f"{there} systemd-analyze verify --man=no $d/scored.service") == ""
    said = machine.sh(f"{there} systemd-analyze security --offline=true --no-pager $d/scored.service")
    found = re.search(r"Overall exposure level for scored\.service: ([0-9.]+)", said)
    assert found, said
    return float(found[1])


def test_installing_twice_and_again_after_uninstalling_leaves_the_same_and_touches_no_picture(
    machine: Box, tmp_path: Path
) -> None:
    said = install(machine)
    assert "enable --now styled" in said
    assert f"root: {STATE} " in machine.sh("cat /etc/styled/config.yaml")
    machine.sh("runuser -u styled -- styled check --config /etc/styled/config.yaml")
    machine.sh("echo '# mine' >> /etc/styled/config.yaml")
    machine.put(f"{STATE}/inbox/mine.jpg", jpeg())
    machine.put(f"{STATE}/done/old.jpg", jpeg())
    before = state_of(machine)
    # the second time from a wheel alone, as somebody without a checkout would
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(REPOSITORY)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    machine.sh("mkdir -p /srv/wheel")
    machine.put(f"/srv/wheel/{wheel.name}", wheel.read_bytes())
    assert "kept" in install(machine, SHARED, f"/srv/wheel/{wheel.name}")
    assert state_of(machine) == before
    pictures = machine.sh(f"sha256sum {STATE}/*/*.jpg /etc/styled/config.yaml")
    machine.sh(f"sh {SHARED}/uninstall.sh")
    assert machine.sh(f"sha256sum {STATE}/*/*.jpg /etc/styled/config.yaml") == pictures
    assert not machine.sh("find /opt/styled /usr/local -name '*styled*' 2>/dev/null || true").strip()
    install(machine)
    assert state_of(machine) == before
    machine.sh(f"rm {STATE}/inbox/mine.jpg")


def test_systemd_finds_no_fault_with_the_units(installed: Box) -> None:
    units = "/usr/local/lib/systemd/system/styled.service /usr/local/lib/systemd/system/styled@.service"
    man = "yes" if installed.sh("command -v man || true") else "no"  # is there a manual to look for the page in?
    assert installed.sh(f"systemd-analyze verify --man={man} {units}") == ""


def test_the_sandbox_is_as_tight_as_its_drop_ins_say(installed: Box) -> None:
    assert score(installed) <= 0.8
    assert score(installed, "cpu") <= 0.5
    for path in sorted((REPOSITORY / "systemd" / "drop-ins").glob("*.conf")):
        said = re.search(r"systemd-analyze security: ([0-9.]+)", path.read_text())
        assert said, f"{path.name} says no score"
        assert float(said[1]) == score(installed, path.stem)


def test_it_starts_and_paints_what_a_member_of_the_group_drops(installed: Box) -> None:
    began = time.monotonic()
    installed.sh("systemctl enable --now styled")
    assert time.monotonic() - began < 60
    assert installed.show("ActiveState") == {"ActiveState": "active"}
    painting = drop(installed, "alpha")
    installed.sh(f"umask 022; mkdir {STATE}/inbox/beta/holiday", user="alice")
    deeper = drop(installed, "beta/holiday")
    for path in (painting, deeper):
        soon(delivered(installed, path), installed)
        assert installed.sh(f"head -c 3 {path} | od -An -tx1", user="alice").split() == ["ff", "d8", "ff"]
    installed.sh(f"mv {painting} /home/alice/", user="alice")  # paintings are there to be taken away
    soon(lambda: "2 painted" in installed.show("StatusText")["StatusText"], installed)


def test_the_journal_has_fields_and_nothing_to_act_on(service: Box) -> None:
    painting = drop(service, "alpha")
    soon(delivered(service, painting), service)
    by_field = "journalctl -u styled -o cat STYLED_STYLE=alpha"
    soon(lambda: f"→ {painting}" in service.sh(f"{by_field} --no-pager"), service)
    assert "STYLED_SECONDS=" in service.sh("journalctl -u styled -o verbose --no-pager STYLED_STYLE=alpha")
    assert service.sh("journalctl -u styled -p warning -q --no-pager _COMM=styled") == ""
    service.put(f"{STATE}/inbox/alpha/broken.jpg", b"no picture at all", user="alice")
    soon(lambda: "broken.jpg" in service.sh("journalctl -u styled -p err -q -o cat --no-pager"), service)
    assert "\x1b" not in service.sh("journalctl -u styled --no-pager -o cat")


def test_a_reload_takes_a_new_style_without_a_restart(service: Box) -> None:
    before = service.show("MainPID")
    service.put("/etc/styled/config.yaml", (SETTINGS + "  gamma: {picture: alpha.png}\n").encode())
    service.sh("systemctl reload styled")
    soon(lambda: is_there(service, f"{STATE}/inbox/gamma"), service)
    soon(delivered(service, drop(service, "gamma")), service)
    assert service.show("MainPID") == before
    service.put("/etc/styled/config.yaml", SETTINGS.encode())


def test_a_reload_of_a_broken_file_fails_and_the_service_goes_on(service: Box) -> None:
    before = service.show("MainPID")
    service.put("/etc/styled/config.yaml", SETTINGS.replace("settle_seconds: 0.3", "settle_seconds: soon").encode())
    assert service.sh("systemctl reload styled && echo taken || true").strip() != "taken"
    assert "settle_seconds: 'soon'" in service.sh("journalctl -u styled -q -o cat --no-pager -n 20")
    soon(delivered(service, drop(service, "alpha")), service)
    assert service.show("MainPID") == before
    service.put("/etc/styled/config.yaml", SETTINGS.encode())
    service.sh("systemctl reload styled")


def test_a_killed_daemon_is_started_again_and_the_job_in_hand_finishes(service: Box) -> None:
    before = service.show("MainPID", "NRestarts")
    painting = drop(service, "alpha", SLOW)
    soon(lambda: in_hand(service), service)
    service.sh(f"kill -KILL {before['MainPID']}")
    soon(restarted(service, before), service)
    assert int(service.show("NRestarts")["NRestarts"]) == int(before["NRestarts"]) + 1
    soon(delivered(service, painting), service)


def test_a_daemon_that_stands_still_is_started_again_by_the_watchdog(service: Box) -> None:
    before = service.show("MainPID")
    service.sh(f"kill -STOP {before['MainPID']}")
    soon(restarted(service, before), service)
    log = "journalctl -u styled --no-pager"
    soon(lambda: "in main_loop" in service.sh(log), service)  # where its threads stood; journald may be a little late
    assert "Watchdog timeout" in service.sh(log)
    soon(delivered(service, drop(service, "beta")), service)


def test_a_stop_in_the_middle_is_quick_and_the_job_is_painted_after_the_next_start(service: Box) -> None:
    painting = drop(service, "alpha", SLOW)
    soon(lambda: in_hand(service), service)
    began = time.monotonic()
    service.sh("systemctl stop styled")
    assert time.monotonic() - began < 40
    assert service.show("Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
    assert is_there(service, painting.replace("outbox", "inbox"))
    service.sh("systemctl start styled")
    soon(delivered(service, painting), service)


def test_a_broken_configuration_fails_with_78_is_not_started_again_and_says_why(service: Box) -> None:
    service.put("/etc/styled/config.yaml", SETTINGS.replace("settle_seconds: 0.3", "settle_seconds: soon").encode())
    service.sh("systemctl restart styled", check=False)
    time.sleep(8)  # RestartSec= is five
    state = service.show("ActiveState", "ExecMainStatus", "NRestarts")
    assert state == {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"}
    assert "settle_seconds: 'soon'" in service.sh("journalctl -u styled -p err -q -o cat --no-pager _COMM=styled")
    service.put("/etc/styled/config.yaml", SETTINGS.encode())


def test_several_inboxes_are_instances_of_the_template(installed: Box) -> None:
    """And the sandbox of a machine with a GPU, here without one, lets it paint as well."""
    installed.sh("rm /usr/local/lib/systemd/system/styled@.service.d/50-cpu.conf; systemctl daemon-reload")
    assert "char-nvidia" in installed.sh("systemctl show styled@second -p DeviceAllow")
    second = SETTINGS.replace(STATE, f"{STATE}-second")
    installed.put("/etc/styled/second.yaml", second.encode())
    installed.sh("systemctl enable --now styled@second")
    installed.put(f"{STATE}-second/inbox/alpha/photo.jpg", jpeg(), user="alice")
    soon(delivered(installed, f"{STATE}-second/outbox/alpha/photo.jpg"), installed)
    installed.sh("systemctl disable --now styled@second")


def test_its_folders_may_lie_elsewhere_as_the_guide_says(installed: Box) -> None:
    guide = (REPOSITORY / "systemd/README.md").read_text().partition("## Another disk")[2].partition("\n## ")[0]
    commands = re.findall(r"^sudo (install -d .*)$", guide, re.MULTILINE)
    drop_in = re.search(r"```ini\n(.*?)```", guide, re.DOTALL)
    assert len(commands) == 2
    assert drop_in is not None
    installed.sh(f"systemctl stop styled; mkdir -p /srv/photos; cd /srv/photos; {'; '.join(commands)}")
    installed.put("/etc/systemd/system/styled.service.d/disk.conf", drop_in[1].encode())
    installed.put("/etc/styled/config.yaml", SETTINGS.replace(STATE, "/srv/photos/styled").encode())
    installed.sh("systemctl daemon-reload; systemctl start styled")
    installed.put("/srv/photos/styled/inbox/alpha/photo.jpg", jpeg(), user="alice")
    soon(delivered(installed, "/srv/photos/styled/outbox/alpha/photo.jpg"), installed)
    installed.sh("systemctl stop styled; rm /etc/systemd/system/styled.service.d/disk.conf; systemctl daemon-reload")
    installed.put("/etc/styled/config.yaml", SETTINGS.encode())


def test_the_users_own_service_runs_without_root(installed: Box) -> None:
    home = "/home/alice"
    installed.sh("loginctl enable-linger alice")
    installed.sh(f"mkdir -p {home}/.local/bin {home}/.config/styled {home}/.config/systemd/user", user="alice")
    installed.sh(f"ln -s /opt/styled/bin/styled {home}/.local/bin/", user="alice")
    unit = (REPOSITORY / "systemd/user/styled.service").read_bytes()
    installed.put(f"{home}/.config/systemd/user/styled.service", unit, user="alice")
    settings = CONFIG.replace("root: .", "root: ../../styled").replace(": alpha.png", ": /etc/styled/alpha.png")
    settings = settings.replace(": beta.png", ": /etc/styled/beta.png")
    installed.put(f"{home}/.config/styled/config.yaml", settings.encode(), user="alice")
    session = "export XDG_RUNTIME_DIR=/run/user/$(id -u); systemctl --user"
    soon(lambda: "running" in installed.sh(f"{session} is-system-running", user="alice", check=False), installed)
    installed.sh(f"{session} enable --now styled", user="alice")
    installed.put(f"{home}/styled/inbox/alpha/photo.jpg", jpeg(), user="alice")
    soon(delivered(installed, f"{home}/styled/outbox/alpha/photo.jpg"), installed)
    installed.sh(f"{session} disable --now styled", user="alice")
    installed.sh("loginctl disable-linger alice")


def test_after_a_reboot_it_goes_on_by_itself(service: Box) -> None:
    painting = drop(service, "alpha", SLOW)
    soon(lambda: in_hand(service), service)
    service.reboot()
    soon(delivered(service, painting), service)
    assert service.show("ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}
