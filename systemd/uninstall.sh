#!/bin/sh
# Take the service away again. Pictures, settings, weights and the user they belong to stay.
set -eu

HOME_DIR=/opt/styled
UNITS=/usr/local/lib/systemd/system

# unlink TARGET NAME: only our own link.
unlink_ours() {
    if [ "$(readlink "$2" || true)" = "$1" ]; then
        rm "$2"
    fi
}

stop() {
    [ -d /run/systemd/system ] || return 0
    for unit in styled.service styled@.service $(systemctl list-units --all --plain --no-legend 'styled@*.service' | cut -d' ' -f1); do
        systemctl --quiet disable --now "$unit" 2>/dev/null || true
    done
}

main() {
    if [ "$(id -u)" != 0 ]; then
        echo "uninstall.sh: this needs root: sudo $0" >&2
        exit 1
    fi
    stop
    for name in cpu metrics cluster hooks; do
        rm -f "$UNITS/styled.service.d/50-$name.conf" "$UNITS/styled@.service.d/50-$name.conf"
    done
    rmdir "$UNITS/styled.service.d" "$UNITS/styled@.service.d" 2>/dev/null || true
    rm -f "$UNITS/styled.service" "$UNITS/styled@.service"
    rm -f /usr/local/lib/sysusers.d/styled.conf /usr/local/lib/tmpfiles.d/styled.conf
    unlink_ours $HOME_DIR/bin/styled /usr/local/bin/styled
    unlink_ours $HOME_DIR/share/man/man1/styled.1 /usr/local/share/man/man1/styled.1
    if [ -f $HOME_DIR/pyvenv.cfg ]; then
        rm -rf $HOME_DIR
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
