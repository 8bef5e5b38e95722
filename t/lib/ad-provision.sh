#!/bin/bash
# ad-provision.sh DIR [TEMPLATE] - create the domain that ad.sh runs. Called by "ad.sh provision".
#
# With TEMPLATE, the directory of a domain that has never been started, it becomes a copy of that
# one: in no time, and with nothing in it but what a fresh one has.
#
# What DIR then holds, apart from Samba's own files in DIR/dc:
#   http.keytab    HTTP/www.ad.test and HTTP/localhost (AES; readable by everybody, a test key)
#   other.keytab   HTTP/other.ad.test, another service
#   world/         the hosts, resolv.conf and krb5.conf of the domain's world
# For the users and groups see ad-users.py.
set -eu
umask 022    # httpd's workers must get at most of it

D=$1
TEMPLATE=${2:-}
HERE=$(cd "$(dirname "$0")" && pwd)
die() { echo "ad-provision.sh: $*" >&2; exit 1; }

# The path of a Unix socket may have 107 bytes; Samba's longest ones below DIR need 36 of them.
[ ${#D} -le 70 ] || die "$D is too long a path for Samba's sockets"

rm -rf "$D/dc" "$D/world" "$D"/*.keytab "$D"/ccache-*
mkdir -p "$D/world"
if [ -n "$TEMPLATE" ]; then
    cp -a --sparse=always "$TEMPLATE/dc" "$TEMPLATE"/*.keytab "$D"
fi
mkdir -p "$D/dc/log" "$D/dc/run" "$D/dc/state"
chmod 755 "$D" "$D/dc" "$D/dc/run" "$D/dc/state" "$D/world"

# -s: without it, all that the machine's own smb.conf says becomes part of the domain's.
printf '[global]\n' >"$D/dc/base.conf"
[ -n "$TEMPLATE" ] || samba-tool domain provision -s "$D/dc/base.conf" --targetdir="$D/dc" --server-role=dc \
    --realm=AD.TEST --domain=ADTEST --host-name=dc1 --host-ip=192.0.2.10 \
    --domain-sid=S-1-5-21-1111111111-2222222222-3333333333 --adminpass=Adm1n-Passw0rd \
    --dns-backend=SAMBA_INTERNAL --option="interfaces=lo" --option="bind interfaces only=yes" \
    >"$D/dc/log/provision.log" 2>&1 ||
    { tail "$D/dc/log/provision.log" >&2; die "cannot provision"; }

# Not the smb.conf that was generated: it names the machine's own DNS server and has no paths that
# keep the sockets here. Left out are the services that only a network needs (nbt, dns, drepl...),
# and TLS: nothing speaks ldaps here, and making its keys doubles the time of the first start.
cat >"$D/dc/smb.conf" <<EOF
[global]
    netbios name = DC1
    realm = AD.TEST
    workgroup = ADTEST
    server role = active directory domain controller
    server services = rpc, ldap, cldap, kdc, winbindd, s3fs
    interfaces = lo
    bind interfaces only = yes
    disable netbios = yes
    smb ports = 445
    tls enabled = no
    load printers = no
    disable spoolss = yes
    ntlm auth = ntlmv2-only
    private dir = $D/dc/private
    lock directory = $D/dc/lock
    state directory = $D/dc/state
    cache directory = $D/dc/cache
    pid directory = $D/dc/run
    ncalrpc dir = $D/dc/run/ncalrpc
    winbindd socket directory = $D/dc/run/winbindd
    ntp signd socket directory = $D/dc/run/ntp_signd
    logging = file
    log file = $D/dc/log/log.%m
    max log size = 0
    include = $D/dc/network.conf
EOF
: >"$D/dc/network.conf"    # see ad-member.sh

[ -n "$TEMPLATE" ] || /usr/bin/python3 "$HERE/ad-users.py" "$D/dc/smb.conf" "$D" \
    >"$D/dc/log/users.log" 2>&1 ||
    { tail "$D/dc/log/users.log" >&2; die "cannot create the users"; }
chmod 644 "$D"/*.keytab

# winbindd checks NTLM logons only for processes that can enter this directory. It would make it for
# root alone, but accepts one that is there. httpd's workers shall be able to.
mkdir -p "$D/dc/state/winbindd_privileged"
chgrp www-data "$D/dc/state/winbindd_privileged"
chmod 750 "$D/dc/state/winbindd_privileged"

cat >"$D/world/hosts" <<EOF
127.0.0.1 localhost $(hostname)
127.0.0.1 www.ad.test www other.ad.test
127.0.0.1 dc1.ad.test dc1 ad.test
EOF
# No name server at all: looking up any other name then fails at once.
: >"$D/world/resolv.conf"
# qualify_shortname: without it libkrb5 appends a search domain to the single-label "localhost".
# default_ccache_name: nobody's own tickets must get into the tests, or the other way round.
cat >"$D/world/krb5.conf" <<EOF
[libdefaults]
    default_realm = AD.TEST
    dns_lookup_realm = false
    dns_lookup_kdc = false
    dns_canonicalize_hostname = false
    rdns = false
    qualify_shortname = ""
    forwardable = true
    udp_preference_limit = 1
    default_ccache_name = FILE:$D/ccache-%{uid}
[realms]
    AD.TEST = {
        kdc = 127.0.0.1
        kpasswd_server = 127.0.0.1
    }
[domain_realm]
    .ad.test = AD.TEST
    ad.test = AD.TEST
    localhost = AD.TEST
EOF
