#!/usr/bin/python3 -B
"""firefox.py URL [USER PASSWORD] - visit URL with a fresh headless Firefox, print its text.

Without USER: single sign-on, that is Kerberos with KRB5_CONFIG and KRB5CCNAME of the environment
(or, where there is no ticket, NTLM within Negotiate by gss-ntlmssp with its NTLM_USER_FILE).
With USER, which may be DOMAIN\\USER: Firefox gets them as a stored login for the site, offers them
in its password dialogue, and sees one click on OK. (From the URL it does not take them for NTLM.)

Exit code: 0 if a page was shown, whatever its HTTP status (on stderr, unless it is 200); 1 if not.
Environment: INSECURE=1 (accept any certificate), FIREFOX (the program), FIREFOX_PREFS (more
preferences, a JSON object), BROWSER_LOG=1 (after a failure, show what Firefox itself had to say).
"""
import json
import os
import socket
import sys
import time
import urllib.parse

import browser

PREFS = {
    "marionette.port": 0,    # any free one; Firefox writes it to MarionetteActivePort
    "network.negotiate-auth.trusted-uris": "localhost,.ad.test",
    "network.negotiate-auth.allow-non-fqdn": True,
    # Firefox's own NTLM. Its first choice is Samba's ntlm_auth, with the caller's own logon.
    "network.auth.force-generic-ntlm": True,
    # Nothing shall leave the machine, or wait in vain for an answer.
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.trr.mode": 5,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
}

STORE_LOGIN = """
    const login = Components.classes["@mozilla.org/login-manager/loginInfo;1"]
                            .createInstance(Components.interfaces.nsILoginInfo);
    login.init(...arguments);
    return Services.logins.addLoginAsync(login).then(() => true);
"""


class Prompt(Exception):
    """Firefox shows its password dialogue."""


def is_loopback(host):
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return addresses <= {"127.0.0.1", "::1"}


class Firefox(browser.Browser):
    """Driven by Marionette: JSON, preceded by its length and a colon, over TCP."""

    def __init__(self, tmp):
        super().__init__(tmp)
        self.socket = None
        self.last_id = 0

    def start(self, host):
        prefs = dict(PREFS, **json.loads(os.environ.get("FIREFOX_PREFS", "{}")))
        if is_loopback(host):
            # Where the machine has only loopback addresses (a network namespace), Firefox would
            # resolve no name at all.
            prefs["network.dns.localDomains"] = host
        profile = os.path.join(self.tmp, "profile")
        os.mkdir(profile)
        with open(os.path.join(profile, "user.js"), "w") as user_js:
            for pref in prefs.items():
                user_js.write("user_pref(%s, %s);\n" % tuple(map(json.dumps, pref)))
        # --remote-allow-system-access: for the scripts below that run in the "chrome" context
        self.spawn([os.environ.get("FIREFOX", "firefox-esr"), "--headless", "--no-remote",
                    "--marionette", "--remote-allow-system-access", "--profile", profile])

        port_file = os.path.join(profile, "MarionetteActivePort")
        while not os.path.exists(port_file) or not os.path.getsize(port_file):
            if self.process.poll() is not None:
                raise browser.Failure("Firefox has gone")
            time.sleep(0.05)
        with open(port_file) as port:
            self.socket = socket.create_connection(("127.0.0.1", int(port.read())))
        self.receive()    # a greeting
        self.call("WebDriver:NewSession", unhandledPromptBehavior="ignore",
                  acceptInsecureCerts=os.environ.get("INSECURE") == "1")

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise browser.Failure("Firefox has gone")
            data += more
        return data

    def receive(self):
        length = b""
        while not length.endswith(b":"):
            length += self.read(1)
        return json.loads(self.read(int(length[:-1])))

    def call(self, command, **params):
        self.last_id += 1
        message = json.dumps([0, self.last_id, command, params]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self.receive()
        if error and error["error"] == "unexpected alert open":
            raise Prompt
        if error:
            raise browser.Failure("%s: %s: %s" % (command, error["error"], error["message"]))
        return result

    def evaluate(self, script, *args):
        return self.call("WebDriver:ExecuteScript", script=script, args=args)["value"]

    def visit(self, url, user, password):
        parts = urllib.parse.urlsplit(url)
        self.start(parts.hostname)
        if user:
            # An NTLM challenge names no realm; Firefox then files a login under the site's name.
            site = "%s://%s" % (parts.scheme, parts.netloc)
            self.call("Marionette:SetContext", value="chrome")
            self.evaluate(STORE_LOGIN, site, None, site, user, password, "", "")
            self.call("Marionette:SetContext", value="content")
        self.call("WebDriver:Navigate", url=url)
        click = "WebDriver:AcceptAlert" if user else "WebDriver:DismissAlert"
        while True:
            try:
                if self.evaluate("return " + browser.IS_READY):
                    return [self.evaluate("return " + what)
                            for what in (browser.STATUS, browser.TEXT)]
            except Prompt:
                self.call(click)
                click = "WebDriver:DismissAlert"    # a refused password must lead to the 401 page
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(browser.main(Firefox))
