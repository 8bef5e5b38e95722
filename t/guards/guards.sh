#!/bin/sh
# guards.sh MODULE - what a compiler does not see.  Prints one TAP line a guard.
set -eu
module=$1
n=0
failed=0
guard() { # name, what was found (empty is good)
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        echo "$2" | sed 's/^/#   /'
        failed=1
    fi
}
directives=$(sed -n 's/.*X([a-z]*, [a-z_]*, "\(WinAuth[A-Za-z]*\)".*/\1/p' src/httpd/directives.h)
[ -n "$directives" ] || { echo "Bail out! the lists were not found"; exit 1; }

guard "one exported symbol" "$(nm -D --defined-only "$module" | awk '{print $3}' | grep -vx winauth_module || true)"
guard "winauth_module is exported" "$(nm -D --defined-only "$module" | grep -q ' winauth_module$' || echo missing)"
guard "log tags are unique" "$(grep -ho 'WA[0-9]\{4\}: ' mod_winauth.c src/*/*.c | sort | uniq -d)"
guard "every log line has a tag" "$(awk '
    /ap_log_[a-z]*error\(/ { line = FILENAME ":" FNR; text = ""; open = 1 }
    open { text = text $0; if ($0 ~ /;/) { if (text !~ /WA[0-9][0-9][0-9][0-9]: /) print line; open = 0 } }
    ' mod_winauth.c src/*/*.c)"
guard "every directive is in README" "$(for d in $directives; do grep -q "^### $d" README || echo "$d"; done)"
guard "README knows no other directive" "$(sed -n 's/^### \(WinAuth[A-Za-z]*\).*/\1/p' README |
    while read -r d; do echo "$directives" | grep -qx "$d" || echo "$d"; done)"
guard "every directive is in conf.d/winauth.conf" "$(for d in $directives; do grep -q "$d" conf.d/winauth.conf || echo "$d"; done)"
guard "README has the table of reasons" "$(python3 t/guards/reasons.py)"
guard "README has the table of conformance" "$(python3 t/conformance/table.py --check)"
guard "config members come only from the lists" "$(grep -nE '^    (wa_kind|int|bool|char|const char)[a-z_ *]* [a-z_]+;' src/httpd/config.h || true)"
guard "no function is longer than 80 lines" "$(awk '
    /^[a-z].*\)$/ || /^[a-z].*,$/ { start = FNR }
    /^}$/ { if (start && FNR - start > 80) print FILENAME ":" start ": " FNR - start; start = 0 }
    ' mod_winauth.c src/*/*.c)"
guard "secrets are compared in constant time" "$(grep -nE 'memcmp\([^)]*(hash|mic|proof|key|secret)' src/*/*.c || true)"
guard "no unbounded string functions" "$(grep -nE '\b(strcpy|strcat|sprintf|gets|strtok|alloca)\(' mod_winauth.c src/*/*.[ch] || true)"
guard "no tabs, no trailing blanks" "$(grep -nE "$(printf '\t')| +\$" mod_winauth.c src/*/*.[ch] | grep -v '\\$' || true)"
guard "no line over 100 columns" "$(awk 'length > 100 { print FILENAME ":" FNR }' mod_winauth.c src/*/*.[ch])"
echo "1..$n"
exit $failed
