# ad-world.sh - a world of its own for a host of the test domain. For ad.sh and ad-member.sh, which
# say with W which directory is the host's, and with RUN what /run/samba shall be.
#
# A world is a network namespace with nothing but loopback, plus a mount namespace in which
# /etc/hosts, /etc/resolv.conf, /etc/krb5.conf and /run/samba are those of the domain. Nothing of
# the machine's own /etc or /run changes, no packet gets out, and several worlds do not disturb
# each other. The namespaces have no names: they exist as long as a process does in them, so there
# is nothing else that a test run which gets killed could leave behind.
# shellcheck shell=bash disable=SC2154

# The pid file may be older than the last reboot, or name a zombie that nobody reaps: neither has
# this command line.
world_up() {
    tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$W/world.pid" 2>/dev/null)/cmdline" | grep -qF "$W/world"
}

# The pids of all that runs in the world: whatever is in its network namespace is ours.
inhabitants() {
    ! world_up || find /proc -mindepth 3 -maxdepth 3 -path '/proc/[0-9]*/ns/net' \
        -lname "$(readlink "/proc/$(cat "$W/world.pid")/ns/net" | sed 's/[][]/\\&/g')" 2>/dev/null |
        cut -d/ -f3
}
all_but_first() { ! world_up || inhabitants | grep -vx "$(cat "$W/world.pid")"; }
samba_processes() {
    inhabitants | while read -r pid; do
        case $(readlink "/proc/$pid/exe") in */samba | */smbd | */winbindd) echo "$pid" ;; esac
    done
}
is_inhabitant() { inhabitants | grep -qx "$(cat "$1" 2>/dev/null || echo none)"; }

# Who waits for the end of a pipe (make, prove, a CI runner) must not wait for a daemon that has
# inherited it. 255 is bash's own.
close_inherited() {
    for fd in "/proc/$BASHPID/fd"/*; do
        fd=${fd##*/}
        [ "$fd" -le 2 ] || [ "$fd" -eq 255 ] || eval "exec $fd>&-"
    done
}

# The world's first process does nothing but keep it alive. /run/samba is compiled into libwbclient
# and so cannot be elsewhere; where the machine has none to mount over, the world gets its own /run.
new_world() {
    # shellcheck disable=SC2016
    setsid unshare --net --mount --propagation slave sh -euc '
        ip link set lo up
        mount --bind "$0/world/hosts" /etc/hosts
        mount --bind "$0/world/resolv.conf" /etc/resolv.conf
        [ ! -e /etc/krb5.conf ] || mount --bind "$0/world/krb5.conf" /etc/krb5.conf
        [ -d /run/samba ] || { mount -t tmpfs -o mode=755 tmpfs /run; mkdir /run/samba; }
        mount --bind "$1" /run/samba
        echo ready
        exec tail -f "$0/world/resolv.conf"' "$W" "$RUN" </dev/null >"$W/world/log" 2>&1 &
    echo $! >"$W/world.pid"
    for _ in $(seq 1 100); do
        ! grep -q ready "$W/world/log" || return 0
        sleep 0.02
    done
    cat "$W/world/log" >&2
    die "cannot make the namespaces"
}

# Replace this shell by a command inside the world.
enter() {
    [ -e /etc/krb5.conf ] || export KRB5_CONFIG="$W/world/krb5.conf"
    # nsenter goes to the root directory; the command shall run where we are
    # shellcheck disable=SC2016
    exec nsenter --target "$(cat "$W/world.pid")" --net --mount -- \
        sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

# end LIST: terminate the processes that LIST lists, in the end the hard way. All at the same time:
# samba by itself takes a second to tell smbd and winbindd. One that was stopped cannot be told.
end() {
    # shellcheck disable=SC2046
    kill $("$1") 2>/dev/null || return 0
    # shellcheck disable=SC2046
    kill -CONT $("$1") 2>/dev/null || true
    for _ in $(seq 1 60); do
        [ -n "$("$1")" ] || return 0
        sleep 0.05
    done
    # shellcheck disable=SC2046
    kill -9 $("$1") 2>/dev/null || true
}

end_world() {
    end all_but_first
    ! world_up || kill "$(cat "$W/world.pid")"
    rm -f "$W/world.pid"
}
