/* Runs a fuzz target once over each file named as an argument.  Linked with one target, this
 * makes its corpus a test that needs no fuzzer.  A property that does not hold, or a sanitizer,
 * ends the program before its plan is out; a run without files fails.
 *
 * A seed's name says what it is: success-* must be found good, truncated* and lying* must not. */
#include "fuzz.h"

#include "../unit/tap.h"

enum { LARGEST = 1 << 20 };

/* The target gets a copy that ends where its block ends. */
static bool run(const char *path)
{
    unsigned char *buf = malloc(LARGEST);
    FILE *f = fopen(path, "rb");
    bool done = false;

    if (buf != NULL && f != NULL) {
        size_t n = fread(buf, 1, LARGEST, f);
        if (!ferror(f) && n < LARGEST) {
            unsigned char *exact = fuzz_copy(buf, n, 0);
            done = LLVMFuzzerTestOneInput(exact, n) == 0;
            free(exact);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    free(buf);
    return done;
}

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

int main(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        const char *base = slash != NULL ? slash + 1 : argv[i];
        unsigned long before = fuzz_accepted;
        if (ok(run(argv[i]), "%s", base) && begins(base, "success")) {
            ok(fuzz_accepted > before, "it is found good");
        }
        else if (begins(base, "truncated") || begins(base, "lying")) {
            ok(fuzz_accepted == before, "it is not found good");
        }
    }
    return done_testing();
}
