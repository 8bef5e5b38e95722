#!/bin/sh
# deps.sh build|demo|test|tools - makes sure that everything needed is on this machine.
#
# On Debian and Ubuntu, as root, what is missing is installed; as an ordinary user it is named.
# Elsewhere the packages are named, for Debian and for Fedora, and nothing is touched.
set -eu

build_deb="gcc make pkg-config libc6-dev apache2-dev libkrb5-dev libwbclient-dev libssl-dev"
demo_deb="apache2-bin curl krb5-kdc krb5-admin-server krb5-user gss-ntlmssp libgssapi-krb5-2 python3"
test_deb="binutils git procps libapache2-mod-perl2 libwww-perl libio-socket-ssl-perl openssl python3-gssapi
 python3-requests-ntlm iproute2 util-linux chromium firefox-esr fonts-dejavu-core nginx-light valgrind samba samba-ad-dc
 samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind samba-common-bin python3-samba ldb-tools attr acl gssproxy python3-impacket"

tools="clang clang-tidy cppcheck"

build_rpm="gcc make pkgconf httpd-devel krb5-devel libwbclient-devel openssl-devel redhat-rpm-config"
demo_rpm="httpd curl krb5-server krb5-workstation gssntlmssp python3"
test_rpm="binutils git procps-ng perl-Apache-Test perl-libwww-perl perl-IO-Socket-SSL openssl python3-gssapi python3-requests_ntlm
 iproute util-linux chromium firefox dejavu-sans-fonts nginx valgrind samba samba-dc samba-winbind
 samba-winbind-clients samba-common-tools python3-samba ldb-tools attr acl gssproxy python3-impacket"

case ${1:-} in
build) deb=$build_deb rpm=$build_rpm ;;
demo) deb="$build_deb $demo_deb" rpm="$build_rpm $demo_rpm" ;;
tools) deb="$build_deb $tools" rpm="$build_rpm $tools" ;;
test) deb="$build_deb $demo_deb $test_deb" rpm="$build_rpm $demo_rpm $test_rpm" ;;
*) echo "usage: deps.sh build|demo|test|tools" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is not Debian or Ubuntu.  Please see that these packages, or what they are called here,"
    echo "are installed, and use DEPS=no to go on:"
    echo "  Debian, Ubuntu:" $deb
    echo "  Fedora, RHEL:  " $rpm
    exit 1
fi >&2

missing=
for package in $deb; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    case $status in *" installed") ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "Missing packages:$missing" >&2
    echo "Please have them installed: apt-get install$missing" >&2
    exit 1
fi

# Packages start their daemons when installed; a test machine wants none of them.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt="apt-get -y -q -o DPkg::Lock::Timeout=900 -o Acquire::Retries=3 --no-install-recommends"
$apt update >/dev/null
# shellcheck disable=SC2086
$apt install $missing
