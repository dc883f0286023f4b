#!/bin/sh
# Take the service away again. Pictures, settings, weights and the user they belong to stay.
set -eu

HOME_DIR=/opt/styled
UNITS=/usr/local/lib/systemd/system

usage() {
    cat <<'USAGE'
Usage: uninstall.sh [OPTION]
Stops the service and removes it, with the environment /opt/styled. Photographs, paintings, settings, weights and the
user styled stay.

  --dry-run   say what would be removed, and change nothing; needs no root
  -h, --help
USAGE
}

die() {
    echo "uninstall.sh: $*" >&2
    exit 1
}

parse() {
    dry_run=''
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) dry_run=yes ;;
        -h | --help) usage && exit 0 ;;
        *) die "unknown argument $1; see uninstall.sh --help. Nothing was removed." ;;
        esac
        shift
    done
    [ "$(id -u)" = 0 ] || [ -n "$dry_run" ] || die "this needs root: sudo $0"
}

# remove PATH...: what is there of them.
remove() {
    for path in "$@"; do
        [ -e "$path" ] || [ -L "$path" ] || continue
        if [ -n "$dry_run" ]; then echo "would remove $path"; else rm -rf "$path"; fi
    done
}

# remove_link TARGET NAME: only our own link.
remove_link() {
    if [ "$(readlink "$2" || true)" = "$1" ]; then
        remove "$2"
    fi
}

stop() {
    [ -d /run/systemd/system ] || return 0
    if [ -n "$dry_run" ]; then
        echo "would stop and disable styled.service and every styled@NAME.service"
        return
    fi
    for unit in styled.service styled@.service $(systemctl list-units --all --plain --no-legend 'styled@*.service' | cut -d' ' -f1); do
        systemctl --quiet disable --now "$unit" 2>/dev/null || true
    done
}

main() {
    parse "$@"
    stop
    for name in cpu metrics cluster hooks; do
        remove "$UNITS/styled.service.d/50-$name.conf" "$UNITS/styled@.service.d/50-$name.conf"
    done
    [ -n "$dry_run" ] || rmdir "$UNITS/styled.service.d" "$UNITS/styled@.service.d" 2>/dev/null || true
    remove "$UNITS/styled.service" "$UNITS/styled@.service"
    remove /usr/local/lib/sysusers.d/styled.conf /usr/local/lib/tmpfiles.d/styled.conf
    remove_link $HOME_DIR/bin/styled /usr/local/bin/styled
    remove_link $HOME_DIR/share/man/man1/styled.1 /usr/local/share/man/man1/styled.1
    if [ -f $HOME_DIR/pyvenv.cfg ]; then
        remove $HOME_DIR
    fi
    if [ -n "$dry_run" ]; then
        echo "Nothing was changed. Photographs, paintings, settings, weights and the user styled would stay."
        return
    fi
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        systemctl --quiet reset-failed 'styled*' 2>/dev/null || true
    fi
    cat <<'END'
styled is no longer a service here. What is yours has stayed:
  /etc/styled/      the settings
  /var/lib/styled/  the photographs, the paintings and the weights
  the user and group styled, to whom they belong (userdel styled, when they are gone)
END
}

main "$@"
exit 0
