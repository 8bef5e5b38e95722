#!/bin/bash
# ad.sh - a throw-away Samba Active Directory domain controller, in a world of its own.
#
#   WA_AD_DIR=DIR ad.sh provision     create the domain, its users and the keytabs in DIR (10 s)
#   WA_AD_DIR=DIR ad.sh provision OLD the same by copying OLD, which was never started (no time)
#   WA_AD_DIR=DIR ad.sh start         make the world and start the DC in it (1 s)
#   WA_AD_DIR=DIR ad.sh exec CMD...   run CMD inside the world
#   WA_AD_DIR=DIR ad.sh stop-dc       stop the DC alone, as in an outage; start brings it back
#   WA_AD_DIR=DIR ad.sh stop          end all that still runs in the world, and so the world
#
# The world is a network namespace with nothing but loopback, plus a mount namespace in which
# /etc/hosts, /etc/resolv.conf, /etc/krb5.conf and /run/samba are those of the domain. Nothing of
# the machine's own /etc or /run changes, no packet gets out, and several worlds do not disturb
# each other. The namespaces have no names: they exist as long as a process does in them, so there
# is nothing else that a test run which gets killed could leave behind.
#
# All of it needs root. Without it, one line says so and the exit code is 77 ("skipped").
#
# What is in the domain AD.TEST (ADTEST) and in DIR: see ad-provision.sh and ad-users.py.
set -eu

[ "$(id -u)" = 0 ] || { echo "ad.sh: skipped, a domain controller needs root"; exit 77; }
: "${WA_AD_DIR:?names the directory of the domain controller}"
mkdir -p "$WA_AD_DIR"
D=$(cd "$WA_AD_DIR" && pwd)
HERE=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
# The data is worth nothing after the test run, so Samba's databases need not wait for the disk.
export TDB_NO_FSYNC=1

die() { echo "ad.sh: $*" >&2; exit 1; }

# The pid file may be older than the last reboot, or name a zombie that nobody reaps: neither has
# this command line.
world_up() {
    tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$D/world.pid" 2>/dev/null)/cmdline" | grep -qF "$D/world"
}

# The pids of all that runs in the world: whatever is in its network namespace is ours.
inhabitants() {
    ! world_up || find /proc -mindepth 3 -maxdepth 3 -path '/proc/[0-9]*/ns/net' \
        -lname "$(readlink "/proc/$(cat "$D/world.pid")/ns/net" | sed 's/[][]/\\&/g')" 2>/dev/null |
        cut -d/ -f3
}
all_but_first() { ! world_up || inhabitants | grep -vx "$(cat "$D/world.pid")"; }
samba_processes() {
    inhabitants | while read -r pid; do
        case $(readlink "/proc/$pid/exe") in */samba | */smbd | */winbindd) echo "$pid" ;; esac
    done
}
dc_up() { inhabitants | grep -qx "$(cat "$D/samba.pid" 2>/dev/null || echo none)"; }

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
        mount --bind "$0/dc/run" /run/samba
        echo ready
        exec tail -f "$0/world/resolv.conf"' "$D" </dev/null >"$D/dc/log/world.log" 2>&1 &
    echo $! >"$D/world.pid"
    for _ in $(seq 1 100); do
        ! grep -q ready "$D/dc/log/world.log" || return 0
        sleep 0.02
    done
    cat "$D/dc/log/world.log" >&2
    die "cannot make the namespaces"
}

# Replace this shell by a command inside the world.
enter() {
    [ -e /etc/krb5.conf ] || export KRB5_CONFIG="$D/world/krb5.conf"
    # nsenter goes to the root directory; the command shall run where we are
    # shellcheck disable=SC2016
    exec nsenter --target "$(cat "$D/world.pid")" --net --mount -- \
        sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

ready() (
    enter bash -c ': 3<>/dev/tcp/127.0.0.1/88 && : 3<>/dev/tcp/127.0.0.1/389 &&
                   : 3<>/dev/tcp/127.0.0.1/445 && wbinfo -p' >/dev/null 2>&1
)

start() (
    [ -s "$D/http.keytab" ] || die "nothing provisioned in $D"
    ! dc_up || die "the domain controller in $D is running already"
    close_inherited
    world_up || new_world
    # -M single: one process for most services, not a tree of twenty.
    enter setsid samba -s "$D/dc/smb.conf" -l "$D/dc/log" -F --no-process-group -M single \
        </dev/null >"$D/dc/log/samba.out" 2>&1 &
    echo $! >"$D/samba.pid"
    for _ in $(seq 1 300); do
        sleep 0.1
        if ready; then
            echo "domain controller of AD.TEST, pid $(cat "$D/samba.pid"), in the world of $D"
            exit 0
        fi
        dc_up || break
    done
    tail "$D/dc/log/samba.out" >&2
    die "samba does not start"
)

# end LIST: terminate the processes that LIST lists, in the end the hard way. All at the same time:
# samba by itself takes a second to tell smbd and winbindd.
end() {
    # shellcheck disable=SC2046
    kill $("$1") 2>/dev/null || return 0
    for _ in $(seq 1 60); do
        [ -n "$("$1")" ] || return 0
        sleep 0.05
    done
    # shellcheck disable=SC2046
    kill -9 $("$1") 2>/dev/null || true
}

case ${1:-} in
provision)
    ! world_up || die "the world in $D exists, stop it first"
    exec "$HERE/ad-provision.sh" "$D" "${@:2}" ;;
start)
    start ;;
exec)
    world_up || die "no world in $D, start it first"
    [ $# -ge 2 ] || die "exec what?"
    shift
    enter "$@" ;;
stop-dc)
    end samba_processes
    rm -f "$D/samba.pid" ;;
stop)
    end all_but_first
    ! world_up || kill "$(cat "$D/world.pid")"
    rm -f "$D/world.pid" "$D/samba.pid" ;;
*)
    echo "usage: WA_AD_DIR=DIR $0 provision [OLD] | start | exec CMD... | stop-dc | stop" >&2
    exit 2 ;;
esac
