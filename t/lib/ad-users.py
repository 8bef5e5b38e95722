#!/usr/bin/python3
"""ad-users.py SMB_CONF KEYTAB - fill the domain of ad.sh, freshly provisioned and not yet started.

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
    svc-http                 the web server: HTTP/www.ad.test and HTTP/localhost

All passwords are Passw0rd-NAME, also those of the accounts that cannot log on.
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

WEB_SPNS = ["HTTP/www.ad.test", "HTTP/localhost"]
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
    "svc-http": "Passw0rd-svc-http",
}

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


def main(conf, keytab):
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
        if name not in ("erin", "gina"):
            sam.setexpiry("(sAMAccountName=%s)" % name, 0, no_expiry_req=True)
    for name, kind, member in GROUPS:
        sam.newgroup(name, grouptype=kind)
        if member:
            sam.add_remove_group_members(name, [member], add_members_operation=True)

    sam.disable_account("(sAMAccountName=carol)")
    # Locked out for good. There is no lockout threshold: wrong passwords in tests lock nobody out.
    replace(ldb.Dn(sam, sam.domain_dn()), {"lockoutDuration": str(-2**63)})
    replace(dn("dave"), {"lockoutTime": nttime(time.time())})
    replace(dn("erin"), {"pwdLastSet": "0"})
    replace(dn("frank"), {"accountExpires": nttime(time.time() - DAY)})
    # Any time but "now" and "never" is refused unless the password module is left out.
    replace(dn("gina"), {"pwdLastSet": nttime(time.time() - 365 * DAY)},
            ["local_oid:%s:0" % dsdb.DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID])
    # 24: AES keys only, for the tickets as for the keytab
    replace(dn("svc-http"), {"servicePrincipalName": WEB_SPNS,
                             "msDS-SupportedEncryptionTypes": "24"})
    sam.transaction_commit()

    net = Net(creds, lp)
    for spn in WEB_SPNS:
        net.export_keytab(keytab=keytab, principal=spn)


if __name__ == "__main__":
    main(*sys.argv[1:])
