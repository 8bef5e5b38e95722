#!/bin/sh
# run.sh - the whole suite, in a directory of its own: unit tests, then Apache::Test.
#
# Works as root (httpd's children become www-data or nobody) and as an ordinary user.  Nothing is
# written to the checkout, and no file of the machine's own httpd is read.  MPM, APXS, TESTS and SAN come
# from the environment.
set -eu
umask 022
here=$(cd "$(dirname "$0")/.." && pwd)
MPM=${MPM:-event}
APXS=${APXS:-apxs}
case $MPM in event | worker | prefork) ;; *) echo "MPM=$MPM: event, worker or prefork" >&2; exit 2 ;; esac

WA_TMP=$(mktemp -d "${TMPDIR:-/tmp}/winauth-test.XXXXXX")
chmod 755 "$WA_TMP"
cleanup() {
    status=$?
    "$WA_TMP/t/lib/kdc.sh" stop "$WA_TMP/kdc" >/dev/null 2>&1 || true
    if [ $status = 0 ] || [ -n "${WA_CLEAN:-}" ]; then rm -rf "$WA_TMP"; else echo "kept: $WA_TMP"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if [ -z "${TESTS:-}${SAN:-}" ]; then
    (cd "$here" && prove build/unit/*.t)
fi

cp -R "$here/t" "$WA_TMP/t"
cp "$here/build/${SAN:+$SAN/}mod_winauth.so" "$WA_TMP/"
mkdir -p "$WA_TMP/rcache"

WA_USER=$(id -un) WA_GROUP=$(id -gn)
if [ "$(id -u)" = 0 ]; then
    for WA_USER in www-data apache nobody; do id "$WA_USER" >/dev/null 2>&1 && break; done
    WA_GROUP=$(id -gn "$WA_USER")
    chown "$WA_USER:$WA_GROUP" "$WA_TMP/rcache"
fi
WA_MODULES=$($APXS -q LIBEXECDIR)
WA_HTTPD=$($APXS -q SBINDIR)/$($APXS -q PROGNAME)
WA_MODULE=$WA_TMP/mod_winauth.so
WA_MPM=$MPM
WA_KDC=$WA_TMP/kdc
WA_MIME_TYPES=$WA_TMP/t/conf/mime.types
WA_SOURCE=$here
WA_SAN=${SAN:-}
unset SAN    # it is the module's, not that of what the tests make
[ -z "$WA_SAN" ] || . "$here/t/lib/san.sh"
export WA_SAN
export WA_SOURCE WA_TMP WA_USER WA_GROUP WA_MODULES WA_HTTPD WA_MODULE WA_MPM WA_KDC WA_MIME_TYPES

"$WA_TMP/t/lib/kdc.sh" start "$WA_KDC" >/dev/null
export KRB5_CONFIG="$WA_KDC/krb5.conf" KRB5RCACHEDIR="$WA_TMP/rcache" KRB5CCNAME=/nonexistent
chmod 755 "$WA_KDC"

cd "$WA_TMP"
sed -e "s|@MODULES@|$WA_MODULES|g" -e "s|@MPM@|$MPM|g" -e "s|@MODULE@|$WA_MODULE|g" -e "s|@MIME@|$WA_MIME_TYPES|g" \
    t/conf/base.conf.in >base.conf
rm t/conf/base.conf.in
sed -i -e "s|@KDC@|$WA_KDC|g" t/conf/extra.conf.in
export APACHE_TEST_USER="$WA_USER" APACHE_TEST_GROUP="$WA_GROUP" APACHE_TEST_NO_STICKY_PREFERENCES=1
export APACHE_TEST_HTTPD="$WA_HTTPD"
port=$(perl -MIO::Socket::INET -e \
    'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1)->sockport')

# A run in which nothing ran is a failure too: Apache::Test exits 0 after "NOTESTS".
{ perl t/TEST.PL -httpd "$WA_HTTPD" -apxs "$APXS" -httpd_conf "$WA_TMP/base.conf" -port "$port" \
    ${TESTS:-} 2>&1 && echo 0 >status || echo 1 >status; } | tee output
perl -It/lib -MWinAuth::Server -ne 'print "$ARGV: $_" if $_ =~ $WinAuth::Server::SECRETS' t/logs/*_log >>secrets
[ ! -s secrets ] || { echo "secrets in the logs:"; cut -c1-400 secrets; echo 1 >status; }
[ -z "$WA_SAN" ] || san_report || echo 1 >status
[ "$(cat status)" = 0 ] && grep -q '^Result: PASS' output || { echo "FAILED"; exit 1; }
