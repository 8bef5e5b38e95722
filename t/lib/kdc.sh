#!/bin/bash
# kdc.sh - a throw-away MIT Kerberos KDC for the tests, on loopback, everything in one directory.
#
#   kdc.sh start DIR [PORT]     create the realm WINAUTH.TEST in DIR, start its KDC (PORT: any free)
#   kdc.sh stop  DIR            stop the KDC; the files stay
#   kdc.sh resume DIR           start a stopped one again, on its port, with all that it knew
#
# No root needed, and nothing outside DIR is read or written. To use the realm:
# export KRB5_CONFIG=DIR/krb5.conf
#
# What DIR then holds:
#   krb5.conf                 for clients and servers; "localhost" belongs to the realm, no DNS
#   http.keytab               HTTP/localhost, for the service HTTP@localhost on whatever port
#   wrong.keytab              HTTP/localhost, same key version, but other keys than the KDC's
#   empty-of-http.keytab      host/other.test only: a valid keytab without any HTTP service
#   alice.keytab              for a client that must log on by itself
#   alice.ccache bob.ccache   tickets, ready for KRB5CCNAME
#   ntlm.users                the same people for gss-ntlmssp (NTLM_USER_FILE), and one more, jörg
#   kdc.pid kdc.log setup.log
# The passwords are Passw0rd-alice, Passw0rd-bob and Passw0rd-joerg.
set -eu
umask 022    # httpd's workers must get at most of it

REALM=WINAUTH.TEST
PATH=$PATH:/usr/sbin:/sbin    # ordinary users often have no sbin in their PATH

usage() { echo "usage: $0 start DIR [PORT] | stop DIR | resume DIR" >&2; exit 2; }
die() { echo "kdc.sh: $*" >&2; exit 1; }
setup_failed() { tail -n 5 "$DIR/setup.log" >&2; die "$@"; }

# A pid file may be older than the last reboot, or name a zombie that nobody reaps: neither has the
# command line of a KDC working in DIR.
running() {
    [ -s "$DIR/kdc.pid" ] &&
        tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$DIR/kdc.pid")/cmdline" | grep -qF "$DIR/kdc.pid"
}

free_port() {
    /usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

write_config() {
    # qualify_shortname: without it libkrb5 appends a search domain to the single-label "localhost".
    # udp_preference_limit: TCP only, which fails at once, not by time-out, when the KDC is down.
    # default_ccache_name: nobody's own tickets must get into the tests, or the other way round.
    cat >"$DIR/krb5.conf" <<EOF
[libdefaults]
    default_realm = $REALM
    dns_lookup_realm = false
    dns_lookup_kdc = false
    dns_canonicalize_hostname = false
    rdns = false
    qualify_shortname = ""
    forwardable = true
    udp_preference_limit = 1
    default_ccache_name = FILE:$DIR/default.ccache
[realms]
    $REALM = {
        kdc = 127.0.0.1:$1
    }
[domain_realm]
    localhost = $REALM
EOF
    cat >"$DIR/kdc.conf" <<EOF
[kdcdefaults]
    kdc_listen = 127.0.0.1:$1
    kdc_tcp_listen = 127.0.0.1:$1
[realms]
    $REALM = {
        database_name = $DIR/db/principal
        key_stash_file = $DIR/db/stash
        acl_file = $DIR/db/kadm5.acl
        supported_enctypes = aes256-cts:normal aes128-cts:normal
        default_principal_flags = +preauth
    }
[logging]
    kdc = FILE:$DIR/kdc.log
    default = FILE:$DIR/setup.log
EOF
}

# HTTP/localhost is made twice. Both times its keys get the same version number, so that the keytab
# taken from the first one is wrong in nothing but the keys.
create_realm() {
    kdb5_util create -s -r "$REALM" -P throw-away
    kadmin.local -r "$REALM" <<EOF
addprinc -pw Passw0rd-alice alice
addprinc -pw Passw0rd-bob bob
ktadd -norandkey -k $DIR/alice.keytab alice
addprinc -randkey host/other.test
ktadd -k $DIR/empty-of-http.keytab host/other.test
addprinc -randkey HTTP/localhost
ktadd -k $DIR/wrong.keytab HTTP/localhost
delprinc -force HTTP/localhost
addprinc -randkey HTTP/localhost
ktadd -k $DIR/http.keytab HTTP/localhost
EOF
}

# Who waits for the end of a pipe (make, prove, a CI runner) must not wait for a daemon that has
# inherited it. 255 is bash's own.
close_inherited() {
    for fd in "/proc/$BASHPID/fd"/*; do
        fd=${fd##*/}
        [ "$fd" -le 2 ] || [ "$fd" -eq 255 ] || eval "exec $fd>&-"
    done
}

# The KDC goes into the background, and tells success, once it has its sockets.
launch() (
    close_inherited
    exec krb5kdc -r "$REALM" -P "$DIR/kdc.pid" </dev/null >>"$DIR/setup.log" 2>&1
)

start() {
    ! running || die "a KDC is running in $DIR already, pid $(cat "$DIR/kdc.pid")"
    mkdir -p "$DIR"
    DIR=$(cd "$DIR" && pwd)
    export KRB5_CONFIG=$DIR/krb5.conf KRB5_KDC_PROFILE=$DIR/kdc.conf
    unset KRB5CCNAME KRB5_KTNAME KRB5_TRACE
    # What an earlier start left: its keytabs would be appended to.
    (cd "$DIR" && rm -rf db {krb5,kdc}.conf {http,wrong,empty-of-http,alice}.keytab \
        {alice,bob,default}.ccache ntlm.users kdc.pid {kdc,setup}.log)
    chmod 755 "$DIR"
    mkdir -m 700 "$DIR/db"

    port=${1:-$(free_port)}
    # krb5kdc binds with SO_REUSEPORT: beside one that is still running on this port it would start
    # without complaint, and clients would reach now this one, now that one.
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || die "port $port is taken"
    write_config "$port"
    create_realm >"$DIR/setup.log" 2>&1 || setup_failed "cannot create the realm"
    launch || setup_failed "krb5kdc does not start on port $port"
    for user in alice bob; do
        printf 'Passw0rd-%s\n' $user |
            kinit -c "FILE:$DIR/$user.ccache" $user >>"$DIR/setup.log" 2>&1 ||
            setup_failed "no ticket for $user"
    done

    chmod 644 "$DIR"/http.keytab "$DIR"/wrong.keytab "$DIR"/empty-of-http.keytab
    printf 'WINAUTH:%s:Passw0rd-%s\n' alice alice bob bob jörg joerg >"$DIR/ntlm.users"
    chmod 640 "$DIR/ntlm.users"
    if [ "$(id -u)" = 0 ]; then
        chgrp www-data "$DIR/ntlm.users" 2>/dev/null || chgrp nogroup "$DIR/ntlm.users"
    fi
    echo "KDC of $REALM, pid $(cat "$DIR/kdc.pid"), port $port; export KRB5_CONFIG=$DIR/krb5.conf"
}

stop() {
    running || return 0
    kill "$(cat "$DIR/kdc.pid")"
    for _ in $(seq 1 100); do
        running || { rm -f "$DIR/kdc.pid"; return 0; }
        sleep 0.02
    done
    die "pid $(cat "$DIR/kdc.pid") does not stop"
}

resume() {
    export KRB5_CONFIG=$DIR/krb5.conf KRB5_KDC_PROFILE=$DIR/kdc.conf
    launch || setup_failed "krb5kdc does not start again"
}

[ $# -ge 2 ] || usage
DIR=$2
[ ! -d "$DIR" ] || DIR=$(cd "$DIR" && pwd)
case $1 in
start) start "${3:-}" ;;
stop) stop ;;
resume) resume ;;
*) usage ;;
esac
