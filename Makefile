# mod_winauth: build, install, test, demo.
#
#   make                     build/mod_winauth.so
#   make install             into the place apxs names (DESTDIR, LAYOUT=debian|fedora|plain)
#   make deps                installs what is missing (Debian, Ubuntu; as root)
#   make check               unit tests, layers, guards
#   make test                everything, with real clients (MPM=event|worker|prefork)
#   make demo                both flows on this machine, with real clients (KEEP=1: stays up)
#
# Honours CC CFLAGS CPPFLAGS LDFLAGS DESTDIR; WERROR=1 turns warnings into errors.

APXS      ?= apxs
CC        ?= cc
BUILD     := build
apxs       = $(shell $(APXS) -q $(1) 2>/dev/null)
WARNINGS  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
             -Wpointer-arith -Wformat=2 $(if $(WERROR),-Werror)
HARDEN    := -fstack-protector-strong
PACKAGES  := mit-krb5-gssapi mit-krb5 wbclient libcrypto

# Other people's headers are system headers: their warnings are not ours to mend.
system     = $(patsubst -I%,-isystem %,$(filter-out -I/usr/include -I.,$(1)))

ifneq ($(filter-out deps demo clean help,$(or $(MAKECMDGOALS),all)),)
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
APXS_CFLAGS   = $(call apxs,NOTEST_CFLAGS)
ifeq ($(origin CFLAGS),undefined)
  CFLAGS   := -O2 -g
endif

OUR_CFLAGS   := -std=gnu99 -fPIC -fvisibility=hidden -pthread -MMD -MP $(HARDEN) $(WARNINGS)
OUR_CPPFLAGS  = -Isrc $(APXS_CPPFLAGS) $(call system,$(PKG_CFLAGS)) $(APXS_INCLUDES)

CORE    := $(wildcard src/core/*.c)
ENGINE  := $(wildcard src/engine/*.c)
HTTPD   := $(wildcard src/httpd/*.c) mod_winauth.c
SOURCES := $(CORE) $(ENGINE) $(HTTPD)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
MODULE  := $(BUILD)/mod_winauth.so

.PHONY: all deps install uninstall clean layers unit guards check test test-ad demo help \
        compile_commands.json
.DELETE_ON_ERROR:

all: $(MODULE) layers

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) -c $< -o $@

$(MODULE): $(OBJECTS)
	$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,-z,relro,-z,now -o $@ $(OBJECTS) $(PKG_LIBS)

-include $(OBJECTS:.o=.d)

help:
	@sed -n 's/^# \{0,1\}//; 1,/^$$/p' Makefile
