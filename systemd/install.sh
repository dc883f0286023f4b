#!/bin/sh
# Install styled as a service, or bring an installation up to date. As often as you like: what is there is kept.
# From a checkout:  sudo systemd/install.sh
# From a wheel:     python3 -m venv w && w/bin/pip install --no-deps styled_daemon-….whl
#                   sudo w/share/styled/systemd/install.sh styled_daemon-….whl
set -eu

HOME_DIR=/opt/styled
CONFIG=/etc/styled/config.yaml
STATE=/var/lib/styled
UNITS=/usr/local/lib/systemd/system
DROP_INS="cpu metrics cluster hooks"

usage() {
    cat <<'USAGE'
Usage: install.sh [OPTION]... [SOURCE]
SOURCE is a wheel or a checkout; by default the checkout that this script lies in.

  --cpu, --gpu       with or without the drop-in for a machine without an NVIDIA GPU (default: by /dev/nvidiactl)
  --with NAME        also take a drop-in that opens the sandbox: metrics, cluster or hooks; installs what it needs
                     (metrics: prometheus-client; cluster: Ray)
  --without NAME     take that drop-in away again
  --weights          also fetch the ImageNet weights (548 MB over the network, 80 MB stored)
  --system-packages  use the Python packages of the system where they will do (a torch that is there already)
  --dry-run          say what would be done, and change nothing; needs no root
  -h, --help

PYTHON names the Python to use. pip obeys its own variables: offline, for example,
  PIP_NO_INDEX=1 PIP_FIND_LINKS=/media/wheels sudo -E systemd/install.sh styled_daemon-….whl
USAGE
}

die() {
    echo "install.sh: $*" >&2
    exit 1
}

say() {
    echo "  $*"
}

parse() {
    cpu=auto with='' without='' weights='' venv_options='' source='' dry_run=''
    while [ $# -gt 0 ]; do
        case $1 in
        --cpu) cpu=yes ;;
        --gpu) cpu=no ;;
        --with | --without)
            [ $# -gt 1 ] || die "$1 needs a name: $DROP_INS"
            case " $DROP_INS " in *" $2 "*) ;; *) die "there is no drop-in $2; there are: $DROP_INS" ;; esac
            if [ "$1" = --with ]; then with="$with $2"; else without="$without $2"; fi
            shift
            ;;
        --weights) weights=yes ;;
        --system-packages) venv_options=--system-site-packages ;;
        --dry-run) dry_run=yes ;;
        -h | --help) usage && exit 0 ;;
        -*) die "unknown option $1; see install.sh --help" ;;
        *)
            [ -z "$source" ] || die "there are two sources, $source and $1; name one wheel or one checkout"
            source=$1
            ;;
        esac
        shift
    done
}

check_machine() {
    [ "$(id -u)" = 0 ] || [ -n "$dry_run" ] || die "this needs root: sudo $0"
    for tool in systemctl systemd-sysusers systemd-tmpfiles; do
        command -v $tool >/dev/null || die "there is no $tool here; styled also runs without systemd: styled run"
    done
}

find_source() {
    here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
    if [ -z "$source" ] && [ -f "$here/../pyproject.toml" ]; then
        source=$(dirname -- "$here")
    fi
    [ -n "$source" ] || die "name the wheel to install: $0 styled_daemon-….whl"
    [ -e "$source" ] || die "there is no $source"
}

# The service can neither look into /home, /root and /tmp nor run anything there.
suits() {
    "$1" -c '
import ensurepip, os, sys, venv
base = os.path.realpath(sys.base_prefix)
sys.exit(sys.version_info < (3, 11) or base.startswith(("/home/", "/root/", "/tmp/", "/run/user/")))
' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" || die "$PYTHON will not do: it must be 3.11 or newer, have venv and lie outside /home and /root"
        return
    fi
    for PYTHON in python3 /usr/bin/python3 /usr/local/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        PYTHON=$(command -v "$PYTHON") && suits "$PYTHON" && return
    done
    die "no Python 3.11 or newer with venv outside /home and /root; install python3-venv, or name one with PYTHON="
}

make_environment() {
    if [ -x "$HOME_DIR/bin/python" ] && "$HOME_DIR/bin/python" -m pip --version >/dev/null 2>&1; then
        say "kept     the environment $HOME_DIR"
        return
    fi
    [ ! -e "$HOME_DIR" ] || [ -f "$HOME_DIR/pyvenv.cfg" ] || die "$HOME_DIR is there and is not ours; move it away"
    find_python
    would "make the environment $HOME_DIR with $PYTHON" && return
    # shellcheck disable=SC2086 # no option is no argument
    "$PYTHON" -m venv --clear $venv_options "$HOME_DIR"
    if [ -n "$venv_options" ]; then # the old setuptools that Python 3.11 puts there would hide the system's
        "$HOME_DIR/bin/python" -m pip uninstall --quiet --yes setuptools
    fi
    say "made     the environment $HOME_DIR with $PYTHON"
}

# As a wheel, and the package that was there goes first: the same version, built again, has to replace it, while the
# dependencies are only added to.
install_package() {
    would "install styled${extras:+ with $extras} from $source" && return
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    pip="$HOME_DIR/bin/python -m pip"
    case $source in
    *.whl) cp "$source" "$wheels" ;;
    *) $pip wheel --quiet --no-deps --wheel-dir "$wheels" "$source" ;;
    esac
    if [ -e "$HOME_DIR/bin/styled" ]; then
        $pip install --quiet --no-deps --no-index --force-reinstall "$wheels"/*.whl
    fi
    set -- "$wheels"/*.whl
    $pip install --quiet "$1${extras:+[$extras]}"
    say "installed $("$HOME_DIR/bin/styled" --version) from $source"
}

# would WORDS: whether this is a dry run, which says WORDS and does nothing.
would() {
    [ -n "$dry_run" ] || return 1
    say "would    $*"
}

# link TARGET NAME: unless something else has that name.
link() {
    if [ ! -e "$2" ] && [ ! -L "$2" ] || [ "$(readlink "$2")" = "$1" ]; then
        mkdir -p "$(dirname "$2")"
        ln -sfn "$1" "$2"
    else
        say "left     $2 alone: it is not ours"
    fi
}

# The drop-ins that will be there, and the packages that they need beside styled's own: an extra of the wheel each.
choose_drop_ins() {
    if [ $cpu = auto ]; then
        cpu=yes
        [ ! -e /dev/nvidiactl ] || cpu=no
    fi
    if [ $cpu = yes ]; then with="$with cpu"; else without="$without cpu"; fi
    wanted='' extras=''
    for name in $DROP_INS; do
        case " $without " in *" $name "*) continue ;; esac
        case " $with " in
        *" $name "*) ;;
        *) [ -e "$UNITS/styled.service.d/50-$name.conf" ] || continue ;; # one that is there stays until --without
        esac
        wanted="$wanted $name"
        case $name in
        metrics) extras="${extras:+$extras,}metrics" ;;
        cluster) extras="${extras:+$extras,}ray" ;;
        esac
    done
}

install_units() {
    would "install the units into $UNITS, with the drop-ins:${wanted:- none}" && return
    files=$HOME_DIR/share/styled/systemd
    install -D -m 644 -t "$UNITS" "$files/styled.service" "$files/styled@.service"
    install -D -m 644 "$files/sysusers.conf" /usr/local/lib/sysusers.d/styled.conf
    install -D -m 644 "$files/tmpfiles.conf" /usr/local/lib/tmpfiles.d/styled.conf
    link $HOME_DIR/bin/styled /usr/local/bin/styled
    link $HOME_DIR/share/man/man1/styled.1 /usr/local/share/man/man1/styled.1
    say "installed the units into $UNITS"
    for name in $DROP_INS; do
        for unit in styled styled@; do
            drop_in "$name" "$UNITS/$unit.service.d/50-$name.conf"
        done
    done
    rmdir "$UNITS/styled.service.d" "$UNITS/styled@.service.d" 2>/dev/null || true
}

# In its new version, or not at all.
drop_in() {
    case " $wanted " in
    *" $1 "*)
        install -D -m 644 "$files/drop-ins/$1.conf" "$2"
        say "drop-in  $2"
        ;;
    *) rm -f "$2" ;;
    esac
}

make_user_and_folders() {
    would "make the user and group styled, and the folders in $STATE, unless they are there" && return
    systemd-sysusers styled.conf
    systemd-tmpfiles --create styled.conf
    say "ready    the user and group styled, the folders in $STATE"
}

install_config() {
    if [ -e "$CONFIG" ]; then
        say "kept     your $CONFIG"
        return
    fi
    would "make $CONFIG" && return
    mkdir -p "$(dirname "$CONFIG")"
    # the whole file or none, and never over one that came in between
    sed "s|^root: \.  *#|root: $STATE  #|" "$HOME_DIR/share/styled/config.yaml" >"$CONFIG.new"
    grep -q "^root: $STATE" "$CONFIG.new" || die "the shipped config.yaml has no line 'root: .'; write $CONFIG yourself"
    ln -T "$CONFIG.new" "$CONFIG"
    rm "$CONFIG.new"
    say "made     $CONFIG"
}

fetch_weights() {
    [ -n "$weights" ] || return 0
    would "fetch the ImageNet weights into $STATE/cache" && return
    runuser -u styled -- env XDG_CACHE_HOME=$STATE/cache $HOME_DIR/bin/styled weights
    say "stored   the ImageNet weights in $STATE/cache"
}

take_effect() {
    [ -d /run/systemd/system ] || return 0 # an image is being built
    would "tell systemd, and restart the service if it runs" && return
    systemctl daemon-reload
    if systemctl --quiet is-active styled.service; then
        systemctl restart styled.service
        say "restarted the service; what was in hand went back into the inbox and is painted now"
    fi
}

say_next() {
    echo
    if systemctl --quiet is-enabled styled.service 2>/dev/null; then
        echo "styled is up to date. What it does now: systemctl status styled"
    else
        echo "Next:"
        echo "  usermod --append --groups styled YOU    who may drop photographs (log in again after it)"
        [ -n "$weights" ] || echo "  $0 --weights    fetches the ImageNet weights, if you want them"
        echo "  systemctl enable --now styled"
        echo "Then copy a photograph into $STATE/inbox/ and look into $STATE/outbox/."
        echo "Settings: $CONFIG (\`styled check\` says whether they are right). Log: journalctl -u styled"
    fi
}

main() {
    umask 022
    parse "$@"
    check_machine
    find_source
    choose_drop_ins
    echo "styled, as a service:"
    make_environment
    install_package
    install_units
    make_user_and_folders
    install_config
    fetch_weights
    take_effect
    [ -n "$dry_run" ] || say_next
}

main "$@"
exit 0
