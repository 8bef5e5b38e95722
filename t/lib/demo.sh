#!/bin/sh
# demo.sh - both flows of Windows authentication on this machine, with real clients, as a transcript.
#
# Starts a throw-away KDC and an httpd on loopback, lets curl log in by Kerberos and by NTLM, prints what
# went over the wire and what httpd logged, and stops.  KEEP=1 leaves them up and says how to log in with
# a browser.  Needs no root; touches nothing outside a temporary directory.
set -eu
umask 022
here=$(cd "$(dirname "$0")/../.." && pwd)
lib=$here/t/lib
APXS=${APXS:-apxs}
D=$(mktemp -d "${TMPDIR:-/tmp}/winauth-demo.XXXXXX")
chmod 755 "$D"

stop() {
    if [ -s "$D/httpd.pid" ]; then
        kill "$(cat "$D/httpd.pid")" 2>/dev/null || true
        for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e "$D/httpd.pid" ] && sleep 0.2; done
    fi
    "$lib/kdc.sh" stop "$D/kdc" >/dev/null 2>&1 || true
    rm -rf "$D"
}
trap stop EXIT
trap 'exit 130' INT TERM

say() { printf '\n%s\n%s\n' "$1" "$(echo "$1" | sed 's/./-/g')"; }
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

modules=$($APXS -q LIBEXECDIR)
httpd=$($APXS -q SBINDIR)/$($APXS -q PROGNAME)
mpm=
for m in event worker prefork; do
    if [ -z "$mpm" ] && [ -e "$modules/mod_mpm_$m.so" ]; then
        mpm="LoadModule mpm_${m}_module $modules/mod_mpm_$m.so"
    fi
done
user= group=
if [ "$(id -u)" = 0 ]; then
    for user in www-data apache nobody; do id "$user" >/dev/null 2>&1 && break; done
    group=$(id -gn "$user")
fi
port=$(free_port)

"$lib/kdc.sh" start "$D/kdc" >/dev/null
chmod 755 "$D/kdc"
export KRB5_CONFIG="$D/kdc/krb5.conf"
mkdir -p "$D/rcache" "$D/htdocs/kerberos" "$D/htdocs/ntlm" "$D/htdocs/both"
[ -z "$user" ] || chown "$user" "$D/rcache"
export KRB5RCACHEDIR="$D/rcache"
for page in kerberos ntlm both; do echo "Hello from /$page/" >"$D/htdocs/$page/index.html"; done
printf 'text/html html\n' >"$D/mime.types"
cp "$here/build/mod_winauth.so" "$D/"

cat >"$D/httpd.conf" <<END
${mpm}
LoadModule authn_core_module $modules/mod_authn_core.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule authz_user_module $modules/mod_authz_user.so
LoadModule dir_module $modules/mod_dir.so
LoadModule mime_module $modules/mod_mime.so
LoadModule winauth_module $D/mod_winauth.so
${user:+User $user}
${group:+Group $group}
ServerRoot $D
ServerName localhost
Listen 127.0.0.1:$port
PidFile $D/httpd.pid
Mutex file:$D
DocumentRoot $D/htdocs
TypesConfig $D/mime.types
ErrorLog $D/error.log
LogLevel info
LogFormat "%h %u \"%r\" %>s %{WINAUTH_SUBSTATUS}e %{WINAUTH_WIN32}e" iis
CustomLog $D/access.log iis
KeepAliveTimeout 30

WinAuthKeytab $D/kdc/http.keytab
WinAuthNTLMAuthority file:$D/kdc/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
<Location />
  AuthType WinAuth
  Require valid-user
</Location>
<Location /kerberos>
  WinAuthProviders Negotiate
</Location>
<Location /ntlm>
  WinAuthProviders NTLM
</Location>
END

if [ "$(id -u)" != 0 ]; then
    sed -i -e '/^User /d' -e '/^Group /d' "$D/httpd.conf"
fi
"$httpd" -d "$D" -f "$D/httpd.conf" -k start
for _ in $(seq 50); do [ -s "$D/httpd.pid" ] && break; sleep 0.1; done

# One "curl -v" as the founding document shows a flow: numbered requests and responses, long tokens cut.
transcript() {
    "$@" 2>&1 >/dev/null | tr -d '\r' | awk '
        function cut(line) {
            if (match(line, /(Negotiate|NTLM) [A-Za-z0-9+\/=]+$/)) {
                head = substr(line, 1, RSTART - 1); rest = substr(line, RSTART)
                split(rest, w, " ")
                if (length(w[2]) > 40)
                    rest = w[1] " " substr(w[2], 1, 11) "[...]" substr(w[2], length(w[2]) - 11)
                line = head rest
            }
            return line
        }
        /^> [A-Z]+ \// { printf "\nRequest #%d:\n", ++n }
        /^< HTTP/      { printf "\nResponse #%d:\n", n }
        /^[<>] ./      { if ($0 !~ /^. *</) print "    " cut(substr($0, 3)) }
        /Re-using existing connection/ { reused++ }
        END { printf "\n%d requests, %s connection\n", n, reused == n - 1 ? "one" : "more than one"
              exit reused == n - 1 ? 0 : 1 }'
}

expect() { # what, wanted, got
    [ "$2" = "$3" ] || { echo "demo: $1: wanted '$2', got '$3'" >&2; sed 's/^/  /' "$D/error.log" >&2; exit 1; }
}
since() { tail -n +"$(($1 + 1))" "$D/access.log"; }
lines() { wc -l <"$D/access.log" | tr -d ' '; }

say "Kerberos: GET /kerberos/ with alice's ticket (curl --anyauth -u :)"
transcript env KRB5CCNAME="$D/kdc/alice.ccache" \
    curl -sv --anyauth -u : "http://localhost:$port/kerberos/"
sleep 0.3
printf '\nAccess log:\n'; since 0 | sed 's/^/    /'
expect "the Kerberos flow in the log" "401 2 5 200 0 0" \
    "$(since 0 | sed 's/.*" //' | tr '\n' ' ' | sed 's/ $//')"
n=$(lines)

say "NTLM: GET /ntlm/ with alice's password (curl --anyauth -u 'WINAUTH\\alice:...')"
transcript env KRB5CCNAME=/nonexistent \
    curl -sv --anyauth -u 'WINAUTH\alice:Passw0rd-alice' "http://localhost:$port/ntlm/"
sleep 0.3
printf '\nAccess log (the challenge in the middle never reaches it):\n'; since "$n" | sed 's/^/    /'
expect "the NTLM flow in the log" "401 2 5 200 0 0" \
    "$(since "$n" | sed 's/.*" //' | tr '\n' ' ' | sed 's/ $//')"

if [ -z "${KEEP:-}" ]; then
    printf '\nBoth flows are as IIS does them.  KEEP=1 make demo stays up for a browser.\n'
    exit 0
fi

# from here on they live without us
trap - EXIT
cat <<END

Still up.  With a browser, by NTLM: open http://localhost:$port/both/ and log in as
    WINAUTH\\alice, password Passw0rd-alice
By Kerberos, single sign-on, from this shell:
    export KRB5_CONFIG=$D/kdc/krb5.conf
    kinit alice                                   (password Passw0rd-alice)
    chromium --auth-server-allowlist=localhost http://localhost:$port/both/
    firefox: network.negotiate-auth.trusted-uris = localhost in about:config
Logs and configuration: $D
To stop: kill \$(cat $D/httpd.pid $D/kdc/kdc.pid); rm -rf $D
END
