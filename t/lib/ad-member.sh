#!/bin/bash
# ad-member.sh - a member of the domain of ad.sh, on a second host: the web server's.
#
#   WA_AD_DIR=DIR ad-member.sh start           make both hosts, start the DC on the one, join the
#                                              other and start its winbindd (4 s); DIR is provisioned
#   WA_AD_DIR=DIR ad-member.sh exec CMD...     run CMD on the member
#   WA_AD_DIR=DIR ad-member.sh stop-winbindd   and start-winbindd
#   WA_AD_DIR=DIR ad-member.sh stop            end the member; "ad.sh stop" ends the DC
#
# The hosts are two worlds (see ad-world.sh) with a cable between them: dc1.ad.test, 192.0.2.10, and
# web1.ad.test, 192.0.2.20. ad.sh works on the DC as ever. DIR/member then holds:
#   http.keytab        HTTP/web1.ad.test and HTTP/WEB1, keys of the machine account
#   state/winbindd_privileged   what httpd's workers must be able to enter
set -eu
umask 022

[ "$(id -u)" = 0 ] || { echo "ad-member.sh: skipped, namespaces need root"; exit 77; }
D=$(cd "${WA_AD_DIR:?names the directory of the domain controller}" && pwd)
M=$D/member
HERE=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
ADMIN='Administrator%Adm1n-Passw0rd'
export TDB_NO_FSYNC=1

die() { echo "ad-member.sh: $*" >&2; exit 1; }
W=$M RUN=$M/run
# shellcheck source=t/lib/ad-world.sh
. "$HERE/ad-world.sh"

configure() {
    rm -rf "$M"
    mkdir -p "$M"/{world,run,private,state,cache,lock,log}
    cat >"$M/smb.conf" <<EOF
[global]
    netbios name = WEB1
    realm = AD.TEST
    workgroup = ADTEST
    security = ADS
    kerberos method = dedicated keytab
    dedicated keytab file = $M/http.keytab
    interfaces = lo net0
    bind interfaces only = yes
    disable netbios = yes
    load printers = no
    disable spoolss = yes
    idmap config * : backend = tdb
    idmap config * : range = 100000-200000
    private dir = $M/private
    lock directory = $M/lock
    state directory = $M/state
    cache directory = $M/cache
    pid directory = $M/run
    ncalrpc dir = $M/run/ncalrpc
    winbindd socket directory = $M/run/winbindd
    logging = file
    log file = $M/log/log.%m
    max log size = 0
EOF
    cat >"$M/world/hosts" <<EOF
127.0.0.1 localhost $(hostname)
192.0.2.10 dc1.ad.test dc1
192.0.2.20 web1.ad.test web1
EOF
    echo "nameserver 192.0.2.10" >"$M/world/resolv.conf"
    sed 's/127\.0\.0\.1$/192.0.2.10/' "$D/world/krb5.conf" >"$M/world/krb5.conf"
    echo "192.0.2.20 web1.ad.test web1" >>"$D/world/hosts"
    # whoever joins finds the DC by its own name server
    cat >"$D/dc/network.conf" <<EOF
interfaces = lo net0
server services = rpc, ldap, cldap, kdc, winbindd, s3fs, dns
EOF
    # winbindd would make it for root alone
    mkdir -p "$M/state/winbindd_privileged"
    chgrp www-data "$M/state/winbindd_privileged"
    chmod 750 "$M/state/winbindd_privileged"
}

# The cable. It goes with the first of the two worlds that ends.
connect() {
    local dc member pid address
    dc=$(cat "$D/world.pid") member=$(cat "$M/world.pid")
    nsenter --target "$dc" --net ip link add net0 type veth peer name net0 netns "$member"
    while read -r pid address; do
        nsenter --target "$pid" --net ip addr add "$address/24" dev net0
        nsenter --target "$pid" --net ip link set net0 up
    done <<EOF
$dc 192.0.2.10
$member 192.0.2.20
EOF
}

member() ( enter "$@" )

join() {
    member net -s "$M/smb.conf" ads join --no-dns-updates -U "$ADMIN" &&
        member net -s "$M/smb.conf" ads keytab create -U "$ADMIN" &&
        member net -s "$M/smb.conf" ads keytab add HTTP -U "$ADMIN"
}

start_winbindd() (
    ! is_inhabitant "$M/winbindd.pid" || die "winbindd is running already"
    close_inherited
    enter setsid winbindd -F --no-process-group -s "$M/smb.conf" -l "$M/log" \
        </dev/null >"$M/log/winbindd.out" 2>&1 &
    echo $! >"$M/winbindd.pid"
    for _ in $(seq 1 300); do
        sleep 0.1
        ! member wbinfo -p >/dev/null 2>&1 || exit 0
        is_inhabitant "$M/winbindd.pid" || break
    done
    tail "$M/log/winbindd.out" >&2
    die "winbindd does not start"
)

start() {
    ! world_up || die "the member in $M is there already"
    configure
    (W=$D RUN=$D/dc/run; world_up || new_world)
    new_world
    connect
    "$HERE/ad.sh" start
    join >"$M/log/join.log" 2>&1 || { tail "$M/log/join.log" >&2; die "cannot join"; }
    chgrp www-data "$M/http.keytab"
    chmod 640 "$M/http.keytab"
    start_winbindd
    echo "member of AD.TEST, in the world of $M"
}

case ${1:-} in
start)
    start ;;
exec)
    world_up || die "no world in $M, start it first"
    [ $# -ge 2 ] || die "exec what?"
    shift
    enter "$@" ;;
stop-winbindd)
    end samba_processes
    rm -f "$M/winbindd.pid" ;;
start-winbindd)
    start_winbindd ;;
stop)
    end_world
    rm -f "$M/winbindd.pid" ;;
*)
    echo "usage: WA_AD_DIR=DIR $0 start | exec CMD... | stop-winbindd | start-winbindd | stop" >&2
    exit 2 ;;
esac
