#!/bin/sh
# layers.sh OBJDIR - calls go one way: httpd -> engine -> core.  Proved three ways: by the includes, by the
# undefined symbols of the objects, and by compiling every header alone.
# CC and CPPFLAGS come from the environment.
set -eu
objects=$1
fail=0
complain() { echo "layers: $*" >&2; fail=1; }

# includes: what each layer may name
check_includes() { # layer, allowed own layers
    for f in src/"$1"/*.[ch]; do
        sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$f" | sort -u | while read -r layer; do
            case " $2 " in *" $layer "*) ;; *) echo "$f includes $layer/" ;; esac
        done
    done
}
bad=$(check_includes core "core"; check_includes engine "core engine"; check_includes httpd "core engine httpd")
[ -z "$bad" ] || complain "$bad"
bad=$(grep -nE '^#include <(apr|ap_|http|gssapi|krb5|openssl|wbclient)' src/core/*.[ch] || true)
[ -z "$bad" ] || complain "core includes more than libc: $bad"
bad=$(grep -nE '^#include <(httpd|http_|ap_|util_|mod_)' src/engine/*.[ch] || true)
[ -z "$bad" ] || complain "engine includes httpd: $bad"

# symbols: what the objects really call
undefined() { nm -u "$objects"/src/"$1"/*.o | sed -n 's/^ *U //p' | sort -u; }
own() { nm --defined-only "$objects"/src/"$1"/*.o | sed -n 's/^[0-9a-f]* [A-Z] //p' | sort -u; }
libc="abort|bcmp|mem(chr|cmp|cpy|move|set)|str(chr|cmp|cspn|len|n?casecmp|ncmp|pbrk|rchr|spn)|v?snprintf|freelocale|newlocale|towupper_l"
for s in $(undefined core); do
    own core | grep -qx "$s" && continue
    echo "$s" | grep -qxE "_GLOBAL_OFFSET_TABLE_|__(stack_chk_fail|[a-z]*_chk|isoc99_.*)|_?_?($libc)(_chk)?" && continue
    complain "core depends on $s"
done
for s in $(undefined engine); do
    case $s in ap_*) complain "engine depends on $s" ;; esac
done

# headers: each stands alone
for h in src/*/*.h; do
    # shellcheck disable=SC2086
    printf '#include "%s"\n' "${h#src/}" |
        $CC $CPPFLAGS -std=gnu99 -x c -fsyntax-only - || complain "$h does not compile alone"
done
exit $fail
