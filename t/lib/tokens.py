#!/usr/bin/python3
"""Tokens from clients that are not ours: ntlm_auth (what requests-ntlm uses) and MIT GSSAPI.

Reads one command a line from standard input and answers each with one line: "ok TEXT" or "error TEXT".
Words are separated by tabs.

  ntlm NAME DOMAIN USER PASSWORD [LEVEL [BINDING]]  a raw NTLM client; LEVEL 0: NTLMv1
  spnego-ntlm NAME DOMAIN USER PW    NTLM inside SPNEGO, by gss-ntlmssp
  both NAME CCACHE DOMAIN USER PW    SPNEGO that proposes Kerberos, then NTLM
  spnego NAME CCACHE SERVICE [BINDING [CONF [FLAG]]]  Kerberos inside SPNEGO
  krb5 NAME CCACHE SERVICE [BINDING [CONF [FLAG]]]    Kerberos alone
                                     BINDING: a channel binding's application data, in hex; CONF: a krb5.conf;
                                     FLAG: delegate_to_peer, for one; each may be empty
  step NAME [BASE64]                 the client's next token, given the server's last one
  state NAME                         "complete" or "open"
  forget NAME                        it is not used any more
  key NAME                           the session key of a complete GSSAPI client, base64
  nthash NAME PASSWORD               the password's NT hash in hex; NAME is not used
"""
import base64
import hashlib
import os
import sys
import tempfile

OIDS = {"spnego": "1.3.6.1.5.5.2", "krb5": "1.2.840.113554.1.2.2"}


def md4_from_openssl():
    """ntlm_auth asks hashlib for MD4, which OpenSSL 3 keeps in its legacy provider."""
    if os.environ.get("OPENSSL_CONF", "").startswith(tempfile.gettempdir() + "/wa-legacy-"):
        return
    handle, path = tempfile.mkstemp(prefix="wa-legacy-")
    with os.fdopen(handle, "w") as conf:
        conf.write("openssl_conf = init\n[init]\nproviders = provs\n[provs]\ndefault = on\n"
                   "legacy = on\n[on]\nactivate = 1\n")
    os.environ["OPENSSL_CONF"] = path
    os.execv(sys.executable, [sys.executable] + sys.argv)


class Ntlm:
    def __init__(self, domain, user, password, level="3", binding=""):
        from ntlm_auth.gss_channel_bindings import GssChannelBindingsStruct
        from ntlm_auth.ntlm import NtlmContext
        bindings = None
        if binding:
            bindings = GssChannelBindingsStruct()
            bindings[bindings.APPLICATION_DATA] = bytes.fromhex(binding)
        self.context = NtlmContext(user, password, domain=domain, workstation="CLIENT",
                                   cbt_data=bindings, ntlm_compatibility=int(level))

    def step(self, token):
        return self.context.step(token)

    def complete(self):
        return self.context.complete


class Gss:
    def __init__(self, mech, service, environment, binding="", flag=""):
        import gssapi
        from gssapi.raw import ChannelBindings
        os.environ.update(environment)
        bindings = ChannelBindings(application_data=bytes.fromhex(binding)) if binding else None
        oid = gssapi.OID.from_int_seq(OIDS[mech])
        creds = gssapi.Credentials(usage="initiate", mechs=[oid])
        name = gssapi.Name(service, gssapi.NameType.hostbased_service)
        flags = gssapi.RequirementFlag.mutual_authentication
        if flag:
            flags |= gssapi.RequirementFlag[flag]
        self.context = gssapi.SecurityContext(name=name, creds=creds, mech=oid, flags=flags,
                                              usage="initiate", channel_bindings=bindings)

    def step(self, token):
        return self.context.step(token)

    def complete(self):
        return self.context.complete

    def key(self):
        import gssapi.raw
        oid = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2.5.5")    # GSS_C_INQ_SSPI_SESSION_KEY
        return gssapi.raw.inquire_sec_context_by_oid(self.context, oid)[0]


def kerberos(mech, ccache, service, binding="", conf="", flag=""):
    usual = os.environ.get("KRB5_CONFIG")
    client = Gss(mech, service, {"KRB5CCNAME": ccache, "NTLM_USER_FILE": "/nonexistent"},
                 binding, flag)
    if not conf:
        return client
    rest = client.step

    def step(token):                                 # the library reads it when it makes the token
        os.environ["KRB5_CONFIG"] = conf
        try:
            return rest(token)
        finally:
            os.environ["KRB5_CONFIG"] = usual
    client.step = step
    return client


def spnego_ntlm(domain, user, password, ccache="/nonexistent"):
    handle, path = tempfile.mkstemp(prefix="wa-user-")
    with os.fdopen(handle, "w") as users:
        users.write("%s:%s:%s\n" % (domain, user, password))
    try:
        client = Gss("spnego", "HTTP@localhost", {"KRB5CCNAME": ccache, "NTLM_USER_FILE": path})
        client.first = client.context.step(None)     # reads the file
    finally:
        os.unlink(path)
    rest = client.step
    client.step = lambda token: rest(token) if token else client.first
    return client


MAKERS = {
    "ntlm": Ntlm,
    "spnego-ntlm": spnego_ntlm,
    "both": lambda ccache, *words: spnego_ntlm(*words, ccache),
    "spnego": lambda *words: kerberos("spnego", *words),
    "krb5": lambda *words: kerberos("krb5", *words),
}


def main():
    md4_from_openssl()
    hashlib.new("md4")                               # OpenSSL reads its configuration here
    os.unlink(os.environ.pop("OPENSSL_CONF"))
    clients = {}
    for line in sys.stdin:
        command, name, *words = line.rstrip("\n").split("\t")
        try:
            if command == "step":
                token = base64.b64decode(words[0]) if words else None
                answer = base64.b64encode(clients[name].step(token) or b"").decode()
            elif command == "state":
                answer = "complete" if clients[name].complete() else "open"
            elif command == "forget":
                answer = "" if clients.pop(name) else "it was empty"
            elif command == "key":
                answer = base64.b64encode(clients[name].key()).decode()
            elif command == "nthash":
                answer = hashlib.new("md4", words[0].encode("utf-16-le")).hexdigest()
            else:
                clients[name] = MAKERS[command](*words)
                answer = ""
            print("ok", answer, flush=True)
        except Exception as error:                   # whatever it is, the test wants to know
            print("error", " ".join(repr(error).split()), flush=True)


if __name__ == "__main__":
    main()
