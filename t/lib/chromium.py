#!/usr/bin/python3 -B
"""chromium.py URL [USER PASSWORD] - visit URL with a fresh headless Chromium, print its text.

Without USER: single sign-on, that is Kerberos with KRB5_CONFIG and KRB5CCNAME of the environment
(or, where there is no ticket, NTLM within Negotiate by gss-ntlmssp with its NTLM_USER_FILE).
With USER, which may be DOMAIN\\USER: what somebody types into the password dialogue, once. On Linux
Chromium uses that for NTLM, never for Negotiate.

Exit code: 0 if a page was shown, whatever its HTTP status (on stderr, unless it is 200); 1 if not.
Environment: INSECURE=1 (accept any certificate), CHROMIUM (the program), CHROMIUM_FLAGS (more
options), BROWSER_LOG=1 (after a failure, show what Chromium itself had to say).
"""
import fcntl
import json
import os
import shlex
import sys
import time

import browser

FLAGS = [
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--password-store=basic",
    "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-breakpad", "--disable-crash-reporter",
    # The sandbox refuses to work for root, and needs rights that containers often lack. All that
    # this browser ever loads is our own.
    "--no-sandbox",
    "--auth-server-allowlist=*localhost*,*.ad.test",
]


def pipe():
    """A pipe whose descriptors are above 9, so that none of them is 3 or 4."""
    low = os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in low]
    for fd in low:
        os.close(fd)
    return high


class Chromium(browser.Browser):
    """Driven by the DevTools protocol: JSON, ended by a zero byte, on descriptors 3 and 4."""

    def __init__(self, tmp):
        super().__init__(tmp)
        self.to_browser = self.from_browser = None
        self.received = b""
        self.last_id = 0
        self.session = {}
        self.credentials = None    # else the answer to the next password dialogue

    def start(self):
        # Chromium loads libgssapi only if its profile has met a Negotiate challenge before. In a
        # fresh profile the first challenge would be ignored.
        with open(os.path.join(self.tmp, "Local State"), "w") as state:
            json.dump({"net": {"received_http_auth_negotiate_headers": True}}, state)
        command = [os.environ.get("CHROMIUM", "chromium"), "--user-data-dir=" + self.tmp] + FLAGS
        if os.environ.get("INSECURE") == "1":
            command.append("--ignore-certificate-errors")
        command += shlex.split(os.environ.get("CHROMIUM_FLAGS", "")) + ["about:blank"]
        # Python cannot safely put pipes at 3 and 4 of a child, but a shell can.
        theirs_in, self.to_browser = pipe()
        self.from_browser, theirs_out = pipe()
        shell = 'exec "$@" 3<&%d- 4>&%d-' % (theirs_in, theirs_out)
        self.spawn(["/bin/bash", "-c", shell, "chromium"] + command,
                   pass_fds=(theirs_in, theirs_out))
        os.close(theirs_in)
        os.close(theirs_out)

    def send(self, method, **params):
        self.last_id += 1
        message = dict(self.session, id=self.last_id, method=method, params=params)
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        return self.last_id

    def receive(self):
        while b"\0" not in self.received:
            data = os.read(self.from_browser, 65536)
            if not data:
                raise browser.Failure("Chromium has gone")
            self.received += data
        message, self.received = self.received.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        """Send a command, wait for its answer, and meanwhile see to events that need one."""
        call_id = self.send(method, **params)
        while True:
            message = self.receive()
            if message.get("id") == call_id:
                if "error" in message:
                    raise browser.Failure("%s: %s" % (method, message["error"]["message"]))
                return message["result"]
            if message.get("method") == "Fetch.requestPaused":
                self.send("Fetch.continueRequest", requestId=message["params"]["requestId"])
            elif message.get("method") == "Fetch.authRequired":
                self.send("Fetch.continueWithAuth", requestId=message["params"]["requestId"],
                          authChallengeResponse=self.credentials or {"response": "CancelAuth"})
                self.credentials = None    # a refused password must lead to the 401 page

    def evaluate(self, script):
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def visit(self, url, user, password):
        self.start()
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        if user:
            self.credentials = {"response": "ProvideCredentials",
                                "username": user, "password": password}
        # Without this an NTLM challenge that has no answer gives an error, not the 401 page.
        self.call("Fetch.enable", handleAuthRequests=True)
        error = self.call("Page.navigate", url=url).get("errorText")
        if error:
            raise browser.Failure("%s: %s" % (url, error))
        while not self.evaluate(browser.IS_READY):
            time.sleep(0.05)
        return self.evaluate(browser.STATUS), self.evaluate(browser.TEXT)


if __name__ == "__main__":
    sys.exit(browser.main(Chromium))
