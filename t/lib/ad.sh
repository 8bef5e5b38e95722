#!/bin/bash
# ad.sh - a throw-away Samba Active Directory domain controller, in a world of its own.
#
#   WA_AD_DIR=DIR ad.sh provision     create the domain, its users and the keytabs in DIR (10 s)
#   WA_AD_DIR=DIR ad.sh provision OLD the same by copying OLD, which was never started (no time)
#   WA_AD_DIR=DIR ad.sh start         make the world and start the DC in it (1 s)
#   WA_AD_DIR=DIR ad.sh exec CMD...   run CMD inside the world
#   WA_AD_DIR=DIR ad.sh stop-dc       stop the DC alone, as in an outage; start brings it back
#   WA_AD_DIR=DIR ad.sh freeze        the DC takes connections, but does not answer, until "thaw"
#   WA_AD_DIR=DIR ad.sh stop          end all that still runs in the world, and so the world
#
# What a world is: see ad-world.sh. For a second host, see ad-member.sh.
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
W=$D RUN=$D/dc/run
# shellcheck source=t/lib/ad-world.sh
. "$HERE/ad-world.sh"
dc_up() { is_inhabitant "$D/samba.pid"; }

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
freeze)
    # shellcheck disable=SC2046
    kill -STOP $(samba_processes) ;;
thaw)
    # shellcheck disable=SC2046
    kill -CONT $(samba_processes) ;;
stop)
    end_world
    rm -f "$D/samba.pid" ;;
*)
    echo "usage: WA_AD_DIR=DIR $0 provision [OLD] | start | exec CMD... | stop-dc | freeze | thaw | stop" >&2
    exit 2 ;;
esac
