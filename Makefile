# mod_winauth: build, install, test, demo.
#
#   make                     build/mod_winauth.so
#   make install             into the place apxs names (DESTDIR, LAYOUT=debian|fedora|plain)
#   make uninstall           takes it away again; a configuration that was edited stays
#   make deps                installs what is missing to build (Debian, Ubuntu; as root)
#   make check               unit tests, layers, guards
#   make test                everything, with real clients (MPM=event|worker|prefork; SAN=address|undefined)
#   make test-ad              only the tests with an Active Directory domain of their own (as root)
#   make conformance         the table of IIS' behaviour, item by item
#   make analyze             gcc -fanalyzer, clang-tidy, cppcheck
#   make coverage            line coverage of core and engine by the tests (TESTS="..." for less)
#   make tsan                what threads share, under ThreadSanitizer
#   make fuzz                the parsers' fuzzers (T=60 seconds each, J jobs; clang)
#   make fuzz-server         changed credentials against a running httpd (N=1000000 SEED=1; SAN=address)
#   make bench               what logins cost, as ratios (R=15 rounds)
#   make soak                clients of all kinds under restarts and outages (T=600 seconds, MPM)
#   make demo                both flows on this machine, with real clients (KEEP=1: stays up)
#
# Honours CC CFLAGS CPPFLAGS LDFLAGS DESTDIR; WERROR=1 turns warnings into errors; V=1 shows commands.

APXS      ?= apxs
CC        ?= cc

# SAN=address, undefined, coverage: the module instrumented, in a build directory of its own (gcc).
SAN       ?=
BUILD     := build$(SAN:%=/%)
apxs       = $(shell $(APXS) -q $(1) 2>/dev/null)
WARNINGS  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
             -Wpointer-arith -Wformat=2 $(if $(WERROR),-Werror)
HARDEN    := -fstack-protector-strong
PACKAGES  := mit-krb5-gssapi mit-krb5 wbclient libcrypto

# Other people's headers are system headers: their warnings are not ours to mend.
system     = $(patsubst -I%,-isystem %,$(filter-out -I/usr/include -I.,$(1)))

ifneq ($(filter-out deps demo test test-ad conformance coverage fuzz-server soak fuzz bench clean help,$(or $(MAKECMDGOALS),all)),)
  INCLUDEDIR := $(call apxs,INCLUDEDIR)
  ifeq ($(INCLUDEDIR),)
    $(error apxs is missing. "make deps" installs what is needed on Debian and names it elsewhere)
  endif
  LIBEXECDIR := $(call apxs,LIBEXECDIR)
  SYSCONFDIR := $(call apxs,sysconfdir)
  PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
  PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
  ifeq ($(PKG_LIBS),)
    $(error headers of Kerberos, winbind or OpenSSL are missing. "make deps" installs what is needed \
            on Debian and names it elsewhere)
  endif
endif

APXS_CPPFLAGS = $(call apxs,EXTRA_CPPFLAGS)
APXS_INCLUDES = $(call system,$(call apxs,EXTRA_INCLUDES) $(shell $(call apxs,APR_CONFIG) --includes 2>/dev/null) -I$(INCLUDEDIR))
APR_LIBS      = $(shell $(call apxs,APR_CONFIG) --link-ld 2>/dev/null) $(shell $(or $(call apxs,APU_CONFIG),apu-1-config) --link-ld 2>/dev/null)
ifeq ($(origin CFLAGS),undefined)
  CFLAGS   := -O2 -g
endif

# nodelete: httpd unloads its modules when it reads its configuration again, and a report about code that
# is gone names no line.
INSTRUMENT_address   := -fsanitize=address -fno-omit-frame-pointer -O1
INSTRUMENT_undefined := -fsanitize=undefined,float-cast-overflow -O1
INSTRUMENT_coverage  := --coverage -fprofile-update=atomic -O0
ifneq ($(SAN),)
  ifeq ($(INSTRUMENT_$(SAN)),)
    $(error SAN=$(SAN): address, undefined or coverage)
  endif
  CFLAGS  += $(INSTRUMENT_$(SAN))
  LDFLAGS += -Wl,-z,nodelete
endif

OUR_CFLAGS   := -std=gnu99 -fPIC -fvisibility=hidden -pthread -MMD -MP $(HARDEN) $(WARNINGS)
OUR_CPPFLAGS  = -Isrc $(APXS_CPPFLAGS) $(call system,$(PKG_CFLAGS)) $(APXS_INCLUDES)

CORE    := $(wildcard src/core/*.c)
ENGINE  := $(wildcard src/engine/*.c)
HTTPD   := $(wildcard src/httpd/*.c) mod_winauth.c
SOURCES := $(CORE) $(ENGINE) $(HTTPD)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
MODULE  := $(BUILD)/mod_winauth.so
JOBS    := $(shell nproc 2>/dev/null || echo 2)

.PHONY: all deps install uninstall clean layers unit unit-programs guards check fuzz test run-test test-ad conformance run-conformance \
        demo run-demo help compile_commands.json
.PHONY: bench analyze coverage run-coverage fuzz-server soak tsan
.DELETE_ON_ERROR:
.SECONDARY:

all: $(MODULE) layers

# One short line a file; V=1 shows the commands.
quiet = $(if $(V),,@echo "  $(1) $@";)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) -c $< -o $@

$(MODULE): $(OBJECTS)
	$(call quiet,LD)$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,-z,relro,-z,now -o $@ $(OBJECTS) $(PKG_LIBS)

-include $(OBJECTS:.o=.d)

# --- checks -------------------------------------------------------------------------------------

$(BUILD)/layers.ok: $(OBJECTS) $(wildcard src/*/*.h) t/guards/layers.sh
	@CC="$(CC)" CPPFLAGS="$(OUR_CPPFLAGS) $(CPPFLAGS)" sh t/guards/layers.sh $(BUILD)/obj
	@touch $@

layers: $(BUILD)/layers.ok

# Unit tests need no server.  They run with the address and undefined-behaviour sanitizers.
# For coverage they are made of the module's own objects.
SANITIZE     := $(if $(filter coverage,$(SAN)),--coverage,-fsanitize=address,undefined -fno-sanitize-recover=all)
UNIT_DIR     := $(BUILD)/$(if $(filter coverage,$(SAN)),obj,san)
UNIT_OBJECTS := $(CORE:%.c=$(UNIT_DIR)/%.o) $(ENGINE:%.c=$(UNIT_DIR)/%.o)
UNIT_TESTS   := $(patsubst t/unit/%.c,$(BUILD)/unit/%.t,$(wildcard t/unit/test_*.c))
FUZZ_TESTS   := $(patsubst t/fuzz/fuzz_%.c,$(BUILD)/unit/fuzz_%,$(wildcard t/fuzz/fuzz_*.c))

$(BUILD)/san/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) -g -O1 $(SANITIZE) -c $< -o $@

-include $(UNIT_OBJECTS:.o=.d)

$(BUILD)/unit/%.t: t/unit/%.c $(UNIT_OBJECTS) $(wildcard t/unit/*.h)
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(OUR_CPPFLAGS) -It/unit $(CPPFLAGS) $(OUR_CFLAGS) -g -O1 $(SANITIZE) $< $(UNIT_OBJECTS) \
	    -o $@ $(PKG_LIBS) $(APR_LIBS)

# The fuzz targets over their seeds; "make fuzz" lets them look for more.
$(BUILD)/unit/fuzz_%: t/fuzz/fuzz_%.c t/fuzz/replay.c $(UNIT_OBJECTS)
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(OUR_CPPFLAGS) -It/unit $(CPPFLAGS) $(OUR_CFLAGS) -g -O1 $(SANITIZE) $< t/fuzz/replay.c \
	    $(UNIT_OBJECTS) -o $@ $(PKG_LIBS) $(APR_LIBS)

$(BUILD)/unit/fuzz_%.t: $(BUILD)/unit/fuzz_%
	@printf '#!/bin/sh\nexec $< t/fuzz/corpus/$*/*\n' >$@ && chmod +x $@

$(BUILD)/unit/guards.t: t/guards/guards.sh
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec sh t/guards/guards.sh $(MODULE)\n' >$@ && chmod +x $@

unit-programs: $(UNIT_TESTS) $(FUZZ_TESTS:%=%.t) $(BUILD)/unit/guards.t

unit: unit-programs
	prove $(UNIT_TESTS) $(FUZZ_TESTS:%=%.t)

guards: $(MODULE) $(BUILD)/unit/guards.t
	prove $(BUILD)/unit/guards.t

check: all unit-programs
	prove $(UNIT_TESTS) $(FUZZ_TESTS:%=%.t) $(BUILD)/unit/guards.t

# make fuzz T=60 J=2: every target for T seconds, J of them at a time (needs clang).  What is found stays in
# build/fuzz, and a crash as build/fuzz/TARGET-crash-...
FUZZERS      := $(patsubst t/fuzz/fuzz_%.c,%,$(wildcard t/fuzz/fuzz_*.c))
FUZZ_FLAGS   := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_OBJECTS := $(CORE:%.c=$(BUILD)/fuzz/obj/%.o) $(ENGINE:%.c=$(BUILD)/fuzz/obj/%.o)

$(BUILD)/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC)clang $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c $< -o $@

$(BUILD)/fuzz/fuzz_%: t/fuzz/fuzz_%.c t/fuzz/fuzz.h $(FUZZ_OBJECTS)
	$(call quiet,CC)clang $(OUR_CPPFLAGS) -It/unit $(CPPFLAGS) $(filter-out -MMD -MP,$(OUR_CFLAGS)) $(FUZZ_FLAGS) \
	    -fsanitize=fuzzer $< $(FUZZ_OBJECTS) -o $@ $(PKG_LIBS) $(APR_LIBS)

fuzz:
	$(call need,tools)
	@$(MAKE) --no-print-directory run-fuzz

run-fuzz: $(FUZZERS:%=$(BUILD)/fuzz/fuzz_%)
	@mkdir -p $(FUZZERS:%=$(BUILD)/fuzz/%)
	@printf '%s\n' $(FUZZERS) | xargs -P $(or $(J),$(JOBS)) -I '{}' sh -c \
	    '$(BUILD)/fuzz/fuzz_{} -max_total_time=$(or $(T),60) -artifact_prefix=$(BUILD)/fuzz/{}- -print_final_stats=1 \
	        $(BUILD)/fuzz/{} t/fuzz/corpus/{} >$(BUILD)/fuzz/{}.log 2>&1 && \
	        echo "{}: $$(sed -n "s/^stat::number_of_executed_units: *//p" $(BUILD)/fuzz/{}.log) inputs" || \
	        { tail -n 40 $(BUILD)/fuzz/{}.log; echo "{}: see $(BUILD)/fuzz/{}.log"; exit 1; }'

# What threads share, under ThreadSanitizer (gcc).  setarch -R: gcc 12's runtime does not know the address
# layout of newer kernels.
TSAN_FLAGS   := -g -O1 -fsanitize=thread
TSAN_OBJECTS := $(CORE:%.c=$(BUILD)/thread/obj/%.o) $(ENGINE:%.c=$(BUILD)/thread/obj/%.o)

$(BUILD)/thread/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(TSAN_FLAGS) -c $< -o $@

$(BUILD)/thread/thread_%: t/thread/thread_%.c $(TSAN_OBJECTS)
	$(call quiet,CC)$(CC) $(OUR_CPPFLAGS) -It/unit $(CPPFLAGS) $(OUR_CFLAGS) $(TSAN_FLAGS) $< $(TSAN_OBJECTS) \
	    -o $@ $(PKG_LIBS) $(APR_LIBS)

tsan: $(BUILD)/thread/thread_engine
	setarch -R prove -e '' $<

# gcc's analyzer, clang-tidy (.clang-tidy says what not) and cppcheck: each must find nothing.
# use-of-uninitialized-value: gcc 12 does not see that a loop fills an array; clang's analyzer and valgrind
# look for the same.  malloc-leak: it takes memory of a pool for lost.  -O1: with more it loses track of what
# was compared.  uninitvar: cppcheck does not follow a flag from one "if" to the next; they do.
analyze: compile_commands.json
	$(call need,tools)
	@printf '%s\n' $(SOURCES) | xargs -P $(JOBS) -I '{}' \
	    gcc $(OUR_CPPFLAGS) $(CPPFLAGS) $(filter-out -MMD -MP,$(OUR_CFLAGS)) -O1 -Werror -fanalyzer \
	    -Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-malloc-leak -c '{}' -o /dev/null
	@echo "gcc -fanalyzer: clean"
	@printf '%s\n' $(CORE) | xargs -P $(JOBS) -n 4 clang-tidy -p $(BUILD) --quiet --checks=misc-no-recursion
	@printf '%s\n' $(ENGINE) $(HTTPD) | xargs -P $(JOBS) -n 4 clang-tidy -p $(BUILD) --quiet
	@echo "clang-tidy: clean"
	@cppcheck --quiet --error-exitcode=1 --std=c99 --enable=warning,performance,portability --inline-suppr \
	    --suppress=uninitvar -Isrc src mod_winauth.c
	@echo "cppcheck: clean"

# Lines of core and engine that the tests run: unit tests and seeds, then the suite with an instrumented module.
# Counts of all processes go to one place and are added up there.
COVERAGE := $(CURDIR)/build/coverage/counts
GCOV_ENV  = GCOV_PREFIX=$(COVERAGE) GCOV_PREFIX_STRIP=$(words $(subst /, ,$(CURDIR)))
coverage:
	$(call need,test)
	@rm -rf $(COVERAGE)
	@$(MAKE) --no-print-directory SAN=coverage run-coverage

run-coverage: $(MODULE) unit-programs
	@$(GCOV_ENV) prove $(UNIT_TESTS) $(FUZZ_TESTS:%=%.t)
	@WA_COVERAGE=$(COVERAGE) $(GCOV_ENV) $(MAKE) --no-print-directory run-test
	@python3 t/lib/coverage.py --fail-under 90 $(COVERAGE) $(BUILD)/obj $(CORE) $(ENGINE)

# t/90-fuzz.t with another number of requests, or another seed.
fuzz-server:
	@WINAUTH_FUZZ_N=$(or $(N),1000000) WINAUTH_FUZZ_SEED=$(or $(SEED),1) \
	    $(MAKE) --no-print-directory TESTS="-verbose t/90-fuzz.t" test

# t/95-cost.t in rounds that are long enough to compare.
bench:
	@WINAUTH_BENCH_ROUNDS=$(or $(R),15) WINAUTH_BENCH_TOKENS=300 WINAUTH_BENCH_PAGES=3000 \
	    $(MAKE) --no-print-directory TESTS="t/95-cost.t" test

# t/92-soak.t for longer.
soak:
	@WINAUTH_SOAK_T=$(or $(T),600) $(MAKE) --no-print-directory TESTS="-verbose t/92-soak.t" test

# --- tests and demo: they see to their packages first, then come back here --------------------------

DEPS := yes
need  = $(if $(filter no,$(DEPS)),,@sh t/lib/deps.sh $(1))

deps:
	@sh t/lib/deps.sh build

test:
	$(call need,test)
	@$(MAKE) --no-print-directory run-test

demo:
	$(call need,demo)
	@$(MAKE) --no-print-directory run-demo

# The unit tests have sanitizers of their own; an instrumented module is for the rest.
run-test: $(if $(SAN),$(MODULE),all unit-programs)
	@MPM=$(MPM) APXS=$(APXS) TESTS="$(TESTS)" SAN=$(SAN) CC="$(CC)" sh t/run.sh

test-ad:
	$(call need,test)
	@$(MAKE) --no-print-directory run-test TESTS="$(wildcard t/7*.t)"

# The conformance table: MPM=event unless told otherwise; "make conformance MPM='event worker prefork'"
conformance:
	$(call need,test)
	@$(MAKE) --no-print-directory run-conformance

run-conformance: all
	@mkdir -p $(BUILD)
	@for m in $(or $(MPM),event); do \
	    echo "MPM $$m"; \
	    MPM=$$m APXS=$(APXS) TESTS="-verbose t/conformance" sh t/run.sh >$(BUILD)/conformance.$$m.tap 2>&1 || failed=1; \
	    python3 t/conformance/table.py $(BUILD)/conformance.$$m.tap || failed=1; \
	done; [ -z "$$failed" ] || { echo "see $(BUILD)/conformance.*.tap"; exit 1; }

run-demo: $(MODULE)
	@KEEP=$(KEEP) APXS=$(APXS) sh t/lib/demo.sh

# --- install ----------------------------------------------------------------------------------------
# The loader in the platform's layout; a configuration that is there is never overwritten.

LAYOUT ?= $(if $(wildcard $(SYSCONFDIR)/mods-available),debian,$(if \
          $(wildcard $(patsubst %/conf,%,$(SYSCONFDIR))/conf.modules.d),fedora,plain))
ETC     = $(if $(filter fedora,$(LAYOUT)),$(patsubst %/conf,%,$(SYSCONFDIR)),$(SYSCONFDIR))
LOADER_debian = mods-available/winauth.load
LOADER_fedora = conf.modules.d/10-winauth.conf
LOADER_plain  = conf.d/00-winauth.load.conf
CONF_debian   = mods-available/winauth.conf
CONF_fedora   = conf.d/winauth.conf
CONF_plain    = conf.d/winauth.conf
LOADER  = $(DESTDIR)$(ETC)/$(LOADER_$(LAYOUT))
CONF    = $(DESTDIR)$(ETC)/$(CONF_$(LAYOUT))
MODDIR  = $(DESTDIR)$(LIBEXECDIR)

install: $(MODULE)
	@case $(LAYOUT) in debian | fedora | plain) ;; \
	*) echo "LAYOUT=$(LAYOUT): debian, fedora or plain" >&2; exit 2 ;; esac
	install -D -m 0644 $(MODULE) $(MODDIR)/mod_winauth.so
	install -D -m 0644 src/mod_winauth.h $(DESTDIR)$(INCLUDEDIR)/mod_winauth.h
	@mkdir -p $(dir $(LOADER)) $(dir $(CONF))
	@if [ -e $(LOADER) ]; then echo "kept $(LOADER)"; else \
	    { [ $(LAYOUT) != debian ] || echo "# Depends: authn_core authz_core authz_user"; \
	      echo "LoadModule winauth_module $(LIBEXECDIR)/mod_winauth.so"; } >$(LOADER) && \
	    chmod 0644 $(LOADER) && echo "wrote $(LOADER)"; fi
	@if [ -e $(CONF) ] && ! cmp -s conf.d/winauth.conf $(CONF); then \
	    install -m 0644 conf.d/winauth.conf $(CONF).new && echo "kept $(CONF), see $(CONF).new"; \
	else install -m 0644 conf.d/winauth.conf $(CONF) && echo "wrote $(CONF)"; fi

# The configuration stays: it may have been edited.
uninstall:
	rm -f $(MODDIR)/mod_winauth.so $(DESTDIR)$(INCLUDEDIR)/mod_winauth.h $(LOADER) $(CONF).new
	@if [ -e $(CONF) ] && cmp -s conf.d/winauth.conf $(CONF); then rm -f $(CONF); \
	elif [ -e $(CONF) ]; then echo "kept $(CONF)"; fi

clean:
	rm -rf $(BUILD)

compile_commands.json: Makefile
	@mkdir -p $(BUILD)
	@{ echo '['; sep=; for f in $(SOURCES); do \
	    printf '%s{"directory":"%s","file":"%s","command":"%s"}' "$$sep" "$(CURDIR)" "$$f" \
	        '$(subst ",\",$(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS)) -c '$$f; \
	    sep=','; done; echo ']'; } >$(BUILD)/compile_commands.json
	@echo "wrote $(BUILD)/compile_commands.json"

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile
