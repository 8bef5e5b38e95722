# san.sh - run.sh sources it when the module is instrumented (SAN): httpd, and only httpd, gets what the
# instrumentation needs, by a program that stands in for it.
#
# san_report is false when a sanitizer has reported anything in any process.

WA_SAN_DIR=$WA_TMP/san
mkdir "$WA_SAN_DIR"
chmod 777 "$WA_SAN_DIR"    # children write reports, too
export WA_SAN_DIR

# detect_leaks=0: a child that has changed its user cannot be traced, and httpd leaves what pools hold to the
# end of the process; leaks are t/80-valgrind.t's.
san_environment() {
    case $WA_SAN in
    address)
        echo "LD_PRELOAD='$(${CC:-cc} -print-file-name=libasan.so)'"
        echo "ASAN_OPTIONS='log_path=$WA_SAN_DIR/report:detect_leaks=0:quarantine_size_mb=32:detect_stack_use_after_return=1:abort_on_error=1:disable_coredump=1'"
        echo "export LD_PRELOAD ASAN_OPTIONS"
        ;;
    undefined)
        echo "LD_PRELOAD='$(${CC:-cc} -print-file-name=libubsan.so)'"
        echo "UBSAN_OPTIONS='log_path=$WA_SAN_DIR/report:print_stacktrace=1'"
        echo "export LD_PRELOAD UBSAN_OPTIONS"
        ;;
    coverage)
        # processes of several users add to the same files
        mkdir -p "$WA_COVERAGE"
        chmod 777 "$WA_COVERAGE"
        find "$WA_COVERAGE" -type d -exec chmod 777 {} + -o -exec chmod 666 {} +
        echo "GCOV_PREFIX='$GCOV_PREFIX' GCOV_PREFIX_STRIP=$GCOV_PREFIX_STRIP"
        echo "export GCOV_PREFIX GCOV_PREFIX_STRIP"
        echo "umask 0"
        ;;
    esac
}

{
    echo '#!/bin/sh'
    san_environment
    # CoreDumpDirectory makes children traceable again; UBSan reads its options from /proc/self/environ, and
    # only when it has something to say.
    echo "exec '$WA_HTTPD' -c 'CoreDumpDirectory $WA_SAN_DIR' \"\$@\""
} >"$WA_TMP/httpd-$WA_SAN"
chmod 755 "$WA_TMP/httpd-$WA_SAN"
WA_HTTPD=$WA_TMP/httpd-$WA_SAN

# Two files are left out unless they are named: valgrind cannot run a program that a sanitizer is in, and
# "make install" is not about what the module does.
if [ -z "${TESTS:-}" ]; then
    TESTS=$(cd "$here" && ls t/*.t t/conformance/*.t | grep -vE '^t/(61-install|80-valgrind)\.t$' | tr '\n' ' ')
fi

san_report() {
    set -- "$WA_SAN_DIR"/report.*
    [ -e "$1" ] || return 0
    cat "$@"
    echo "$# reports of the sanitizer: $WA_SAN_DIR"
    return 1
}
