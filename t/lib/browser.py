"""What chromium.py and firefox.py share: a browser in a home of its own that leaves no trace."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TIMEOUT = 60    # seconds, for all from the start of the browser on

# Not the page that the browser began with, whichever that is. A page with <html aria-busy="true"> says that its own
# scripts are going to change it still.
IS_READY = ('location.protocol.startsWith("http") && document.readyState == "complete" && '
            'document.documentElement.getAttribute("aria-busy") != "true"')
TEXT = "document.documentElement.innerText"
STATUS = 'performance.getEntriesByType("navigation")[0].responseStatus'

# What of the environment could tie the browser to the desktop of whoever runs the tests.
DESKTOP = "DBUS_", "DISPLAY", "WAYLAND_", "XAUTHORITY", "XDG_"


class Failure(Exception):
    """No page could be shown."""


class Browser:
    """A derived class implements visit(url, user, password) and in it, or earlier, calls spawn."""

    def __init__(self, tmp):
        self.tmp = tmp
        self.log = os.path.join(tmp, "log")
        self.process = None

    def spawn(self, command, **popen):
        env = {key: value for key, value in os.environ.items() if not key.startswith(DESKTOP)}
        # TMPDIR: sockets and locks go where they will be removed with the rest.
        env.update(HOME=self.tmp, TMPDIR=self.tmp)
        with open(self.log, "wb") as log:
            # In a session of its own the process group is the browser with all its helpers.
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, **popen)

    def kill(self):
        if not self.process:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def interrupt(signum, _frame):
    raise Failure("timed out" if signum == signal.SIGALRM else "ended by signal %d" % signum)


def main(browser_class):
    """The command line URL [USER PASSWORD]; prints the page's text. Returns the exit code."""
    name = os.path.basename(sys.argv[0])
    if len(sys.argv) not in (2, 4):
        print("usage: %s URL [USER PASSWORD]" % name, file=sys.stderr)
        return 2
    # UTF-8 in and out, whatever the locale
    url, user, password = ([os.fsencode(arg).decode() for arg in sys.argv[1:]] + [None, None])[:3]
    sys.stdout.reconfigure(encoding="utf-8")
    for signum in signal.SIGALRM, signal.SIGHUP, signal.SIGINT, signal.SIGTERM:
        signal.signal(signum, interrupt)
    signal.alarm(TIMEOUT)
    # A short path: that of a Unix socket may have 107 bytes.
    tmp = tempfile.mkdtemp(prefix="wa-browser-", dir="/tmp")
    browser = browser_class(tmp)
    try:
        status, text = browser.visit(url, user, password)
    except (Failure, OSError) as error:
        print("%s: %s" % (name, error), file=sys.stderr)
        if os.environ.get("BROWSER_LOG") == "1" and os.path.exists(browser.log):
            with open(browser.log, errors="replace") as log:
                sys.stderr.write(log.read())
        return 1
    finally:
        signal.alarm(0)
        browser.kill()
        for _ in range(50):    # a helper about to die may still put files there
            shutil.rmtree(tmp, ignore_errors=True)
            if not os.path.exists(tmp):
                break
            time.sleep(0.05)
    if status != 200:
        print("HTTP %s" % status, file=sys.stderr)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)    # "| head -1" is not a failure
    print(text)
    return 0
