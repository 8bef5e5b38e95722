#!/usr/bin/python3
"""ad-users.py SMB_CONF DIR - fill the domain of ad.sh, freshly provisioned and not yet started.

One process that works on the database itself: each samba-tool call would take half a second. And
a domain controller lets nobody set lockoutTime or pwdLastSet at will; here it needs no waiting, and
no failing logons, to have such accounts.

    alice                    in g-inner, and so, by nesting, in g-outer, u-univ and dl-res
    bob, jörg                in no group of their own; jörg's password is Passw0rd-joerg
    carol                    disabled
    dave                     locked out
    erin                     must change the password at the next logon
    frank                    the account has expired
    gina                     the password has expired
    harry                    may log on at no hour of the week
    ursula                   her user principal name is uschi@ad.test
    many                     in a thousand groups, mg-000 to mg-999
    svc-http                 the web server: HTTP/www.ad.test and HTTP/localhost, in http.keytab
    svc-other                another service: HTTP/other.ad.test, in other.keytab
    WS1$                     a workstation
    Guest                    is enabled

All passwords are Passw0rd-NAME, also those of the accounts that cannot log on; jörg's, guest's and
the machine's are in ASCII and lower case. Wrong passwords are counted, but lock nobody out.
"""
import sys
import time

import ldb
from samba import dckeytab  # noqa: F401 - importing it is what gives Net its export_keytab
from samba import dsdb
from samba.auth import system_session
from samba.credentials import Credentials
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB

SERVICES = [
    ("svc-http", "http.keytab", ["HTTP/www.ad.test", "HTTP/localhost"]),
    ("svc-other", "other.keytab", ["HTTP/other.ad.test"]),
]
DAY = 24 * 3600

USERS = {
    "alice": "Passw0rd-alice",
    "bob": "Passw0rd-bob",
    "carol": "Passw0rd-carol",
    "dave": "Passw0rd-dave",
    "erin": "Passw0rd-erin",
    "frank": "Passw0rd-frank",
    "gina": "Passw0rd-gina",
    "jörg": "Passw0rd-joerg",
    "harry": "Passw0rd-harry",
    "ursula": "Passw0rd-ursula",
    "many": "Passw0rd-many",
    "svc-http": "Passw0rd-svc-http",
    "svc-other": "Passw0rd-svc-other",
}
WITH_EXPIRY = ("erin", "gina")

# name, type, member
GROUPS = [
    ("g-inner", dsdb.GTYPE_SECURITY_GLOBAL_GROUP, "alice"),
    ("g-outer", dsdb.GTYPE_SECURITY_GLOBAL_GROUP, "g-inner"),
    ("u-univ", dsdb.GTYPE_SECURITY_UNIVERSAL_GROUP, "g-outer"),
    ("dl-res", dsdb.GTYPE_SECURITY_DOMAIN_LOCAL_GROUP, "u-univ"),
    ("g-empty", dsdb.GTYPE_SECURITY_GLOBAL_GROUP, None),
]


def nttime(seconds):
    """A Unix time as Windows counts: 100 ns since 1601."""
    return str(int((seconds + 11644473600) * 10**7))


def main(conf, directory):
    lp = LoadParm()
    lp.load(conf)
    creds = Credentials()
    creds.guess(lp)
    sam = SamDB(session_info=system_session(), credentials=creds, lp=lp)

    def replace(dn, attributes, controls=None):
        message = ldb.Message(dn)
        for name, value in attributes.items():
            message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
        sam.modify(message, controls)

    def dn(account):
        return sam.search(expression="(sAMAccountName=%s)" % account, attrs=["cn"])[0].dn

    sam.transaction_start()
    for name, password in USERS.items():
        sam.newuser(name, password)
        if name not in WITH_EXPIRY:
            sam.setexpiry("(sAMAccountName=%s)" % name, 0, no_expiry_req=True)
    for name, kind, member in GROUPS:
        sam.newgroup(name, grouptype=kind)
        if member:
            sam.add_remove_group_members(name, [member], add_members_operation=True)

    many = str(dn("many"))
    for number in range(1000):
        sam.add({"dn": "CN=mg-%03d,CN=Users,%s" % (number, sam.domain_dn()), "objectClass": "group",
                 "sAMAccountName": "mg-%03d" % number, "member": many})

    sam.newcomputer("WS1")
    sam.setpassword("(sAMAccountName=WS1$)", "Passw0rd-machine")
    sam.enable_account("(sAMAccountName=Guest)")
    sam.setpassword("(sAMAccountName=Guest)", "Passw0rd-guest")

    sam.disable_account("(sAMAccountName=carol)")
    # Locked out for good. Without a threshold Samba does not count wrong passwords; no test has
    # that many.
    replace(ldb.Dn(sam, sam.domain_dn()), {"lockoutDuration": str(-2**63),
                                           "lockoutThreshold": "1000"})
    replace(dn("dave"), {"lockoutTime": nttime(time.time())})
    replace(dn("erin"), {"pwdLastSet": "0"})
    replace(dn("frank"), {"accountExpires": nttime(time.time() - DAY)})
    # Any time but "now" and "never" is refused unless the password module is left out.
    replace(dn("gina"), {"pwdLastSet": nttime(time.time() - 365 * DAY)},
            ["local_oid:%s:0" % dsdb.DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID])
    # a bit for each hour of the week
    replace(dn("harry"), {"logonHours": bytes(21)})
    replace(dn("ursula"), {"userPrincipalName": "uschi@ad.test"})
    # 24: AES keys only, for the tickets as for the keytab
    for name, _, spns in SERVICES:
        replace(dn(name), {"servicePrincipalName": spns, "msDS-SupportedEncryptionTypes": "24"})
    sam.transaction_commit()

    net = Net(creds, lp)
    for _, keytab, spns in SERVICES:
        for spn in spns:
            net.export_keytab(keytab="%s/%s" % (directory, keytab), principal=spn)


if __name__ == "__main__":
    main(*sys.argv[1:])
