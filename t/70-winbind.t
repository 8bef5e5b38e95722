# NTLM by winbind, and Kerberos, in a real Active Directory domain (Samba's), in a world of its own.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Cwd 'abs_path';
use File::Basename 'dirname';
use MIME::Base64 'encode_base64';
use Time::HiRes 'time';
use lib 't/lib', 'lib';
use WinAuth::AD;
use WinAuth::Ntlm;
use WinAuth::Run;
use WinAuth::Token;

my $ad = WinAuth::AD->world;

my $T = abs_path(dirname(__FILE__));
my $PW = 'Passw0rd-alice';
my $JOERG = "j\xc3\xb6rg";
my $SID = qr/^S-1-5-21-1111111111-2222222222-3333333333-\d+$/;
my $server = site($ad);
my $URL = "http://www.ad.test:$server->{port}";

my @KINDS = ('ntlm_auth', 'our own client', 'SPNEGO');
my $DONE = 'ADTEST\\\\alice 200 0 0 ok';        # httpd doubles the backslash in its log
my $ASKED = '- 401 2 5 anonymous';

# --- the challenge ------------------------------------------------------------------------------

my $type1 = encode_base64(WinAuth::Ntlm::negotiate(WinAuth::Ntlm::flags(qw(UNICODE NTLM ESS)), 32), '');
my $r = connection()->get('/w/ntlm/env.pl', Authorization => "NTLM $type1");
my $c = challenge($r->token('NTLM'));
is $c->{name}, 'ADTEST', 'challenge: the target is the domain';
is join(' ', map { $_->[0] } @{ $c->{pairs} }), '2 1 4 3 5 7 0', 'challenge: all names, in the order of Windows';
is WinAuth::Ntlm::pair($c, 2), 'ADTEST', 'challenge: NetBIOS domain';
is WinAuth::Ntlm::pair($c, 1), 'DC1', 'challenge: NetBIOS name of the machine account';
is WinAuth::Ntlm::pair($c, 4), 'ad.test', 'challenge: DNS domain';
is WinAuth::Ntlm::pair($c, 3), 'dc1.ad.test', 'challenge: DNS name';
is WinAuth::Ntlm::pair($c, 5), 'ad.test', 'challenge: forest';

# --- programs -----------------------------------------------------------------------------------

my $cache = $ad->ticket('alice', $PW);
my %KERBEROS = (KRB5CCNAME => $cache);
my %NOTHING = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent');
my %SPNEGO_NTLM = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => scratch('user', "ADTEST:alice:$PW\n"));

for my $case (
    [ 'curl --ntlm', 'ntlm', \%NOTHING, [ '--ntlm', '-u', "ADTEST\\alice:$PW" ], 'NTLM NTLM' ],
    [ 'curl --negotiate, Kerberos', 'negotiate', \%KERBEROS, [qw(--negotiate -u :)], 'Negotiate Kerberos' ],
    [ 'curl --negotiate, NTLM', 'negotiate', \%SPNEGO_NTLM, [qw(--negotiate -u :)], 'Negotiate NTLM' ],
    [ 'curl --anyauth, Kerberos', 'both', \%KERBEROS, [qw(--anyauth -u :)], 'Negotiate Kerberos' ],
) {
    my ($who, $section, $environment, $args, $identity) = @{$case};
    my $path = address($section);
    my $run = curl($environment, @{$args}, $URL . $path);
    is $run->{exit}, 0, "$who: content" or diag $run->{err};
    is identity($run->{body}), "ADTEST\\alice $identity", "$who: logged in";
    like environment($run->{body})->{WINAUTH_SID}, $SID, "$who: one SID" if $identity =~ / NTLM/;
    is outcome($path, qr/ 200 /), ($who =~ /anyauth/ ? "$ASKED|" : '') . $DONE, "$who: the log";
}

# Mutual authentication with the domain's own keys.
my $gss = WinAuth::Token->client('spnego', $cache, 'HTTP@www.ad.test');
$r = connection()->get('/w/negotiate/env.pl', Authorization => 'Negotiate ' . $gss->step);
is identity($r->{body}), 'ADTEST\\alice Negotiate Kerberos', 'gssapi: logged in';
$gss->step($r->token('Negotiate'));
ok $gss->is_complete, 'gssapi: mutual';

my $requests = scratch('with-requests.py', <<'END');
import sys
import requests
from requests_ntlm import HttpNtlmAuth

session = requests.Session()
session.trust_env = False
session.auth = HttpNtlmAuth(sys.argv[2], sys.argv[3])
print(session.get(sys.argv[1]).text)
END
my %LEGACY = (OPENSSL_CONF => scratch('openssl.cnf', "openssl_conf = init\n[init]\nproviders = provs\n[provs]\n"
    . "default = on\nlegacy = on\n[on]\nactivate = 1\n"));
my $path = address('ntlm');
my $run = run(\%LEGACY, '/usr/bin/python3', $requests, $URL . $path, 'ADTEST\\alice', $PW);
is identity($run->{out}), 'ADTEST\\alice NTLM NTLM', 'requests-ntlm: logged in' or diag $run->{err};
is outcome($path, qr/ 200 /), "$ASKED|$DONE", 'requests-ntlm: the log';

for my $browser (qw(chromium firefox)) {
    for my $case ([ 'typed', 'ntlm', \%NOTHING, [ 'ADTEST\\alice', $PW ], 'NTLM NTLM' ],
                  [ 'Kerberos', 'negotiate', \%KERBEROS, [], 'Negotiate Kerberos' ]) {
        my ($what, $section, $environment, $typed, $identity) = @{$case};
        $path = address($section);
        $run = run($environment, "$T/lib/$browser.py", $URL . $path, @{$typed});
        is identity($run->{out}), "ADTEST\\alice $identity", "$browser, $what: logged in" or diag $run->{err}, $run->{out};
        is outcome($path, qr/ 200 /), "$ASKED|$DONE", "$browser, $what: the log";
    }
}

# --- one person, one name -----------------------------------------------------------------------

my %sids;
for my $kind (@KINDS) {
    for my $case ([ 'alice', 'ADTEST' ], [ 'ALICE', 'ADTEST' ], [ 'alice', 'adtest' ], [ 'alice', 'AD.TEST' ],
                  [ 'alice', 'ad.test' ], [ 'alice', '' ], [ 'alice@ad.test', '' ], [ 'Alice@AD.TEST', '' ]) {
        my ($user, $domain) = @{$case};
        my $who = "$kind: " . ($domain ? "$domain\\" : '') . $user;
        my $login = attempt($kind, $user, $PW, $domain);
        my $identity = $kind eq 'SPNEGO' ? 'Negotiate NTLM' : 'NTLM NTLM';
        is identity($login->{last}{body}), "ADTEST\\alice $identity", "$who is alice";
        is outcome($login->{path}, qr/ 200 /), $DONE, "$who, the log";
        my $sid = environment($login->{last}{body})->{WINAUTH_SID};
        $sids{ defined $sid ? $sid : '-' }++;
    }
}
is scalar(keys %sids), 1, 'whatever the spelling, there is one SID';
like((keys %sids)[0], $SID, 'which is a SID of the domain');
# by Kerberos, whatever was typed at kinit, the PAC says who it is: the same name and SID, and no WinAuthDomain
for my $typed (qw(alice ALICE Alice)) {
    my $run = run({ KRB5CCNAME => $ad->ticket($typed, $PW) }, qw(curl -s --negotiate -u :), "$URL/w/negotiate/env.pl");
    is identity($run->{out}), 'ADTEST\\alice Negotiate Kerberos', "Kerberos, $typed: is alice";
    $sids{ environment($run->{out})->{WINAUTH_SID} || '-' }++;
}
is scalar(keys %sids), 1, 'by Kerberos and by NTLM there is one SID';
# a user principal name that is not made of the account's name
for my $kind (@KINDS) {
    for my $typed ([ 'ursula', 'ADTEST' ], [ 'uschi@ad.test', '' ]) {
        my $login = attempt($kind, $typed->[0], 'Passw0rd-ursula', $typed->[1]);
        like identity($login->{last}{body}), qr/^ADTEST\\ursula /, "$kind, $typed->[0]: is ursula";
    }
}
for my $typed ([ 'ursula' ], [ 'uschi@ad.test', '-CE' ]) {
    my ($name, @options) = @{$typed};
    my $run = run({ KRB5CCNAME => $ad->ticket($name, 'Passw0rd-ursula', @options) }, qw(curl -s --negotiate -u :),
                  "$URL/w/negotiate/env.pl");
    is identity($run->{out}), 'ADTEST\\ursula Negotiate Kerberos', "Kerberos, $name: is ursula";
}
my $bob = attempt('ntlm_auth', 'bob', 'Passw0rd-bob', 'ADTEST');
is identity($bob->{last}{body}), 'ADTEST\\bob NTLM NTLM', 'bob is bob';
ok !$sids{ environment($bob->{last}{body})->{WINAUTH_SID} }, 'and has a SID of his own';
for my $kind ('our own client', 'SPNEGO') {
    my $login = attempt($kind, $JOERG, 'Passw0rd-joerg', 'ADTEST');
    like identity($login->{last}{body}), qr/^ADTEST\\$JOERG /, "$kind: $JOERG is a name";
}

# --- why not ------------------------------------------------------------------------------------

for my $kind (@KINDS) {
    for my $case (
        [ 'a wrong password', [ 'alice', 'wrong' ], 2148074252, 'bad-password' ],
        [ 'an unknown user', [ 'mallory', $PW ], 2148074252, 'unknown-user' ],
        [ 'a disabled account', [ 'carol', 'Passw0rd-carol' ], 1331, 'account-disabled' ],
        [ 'a locked account', [ 'dave', 'Passw0rd-dave' ], 1909, 'account-locked' ],
        [ 'an expired account', [ 'frank', 'Passw0rd-frank' ], 1793, 'account-expired' ],
        [ 'an expired password', [ 'gina', 'Passw0rd-gina' ], 1330, 'password-expired' ],
        [ 'a password to be changed', [ 'erin', 'Passw0rd-erin' ], 1907, 'password-must-change' ],
        [ 'not at this hour', [ 'harry', 'Passw0rd-harry' ], 1327, 'logon-restricted' ],
    ) {
        my ($what, $words, $win32, $reason) = @{$case};
        my $login = attempt($kind, @{$words}, 'ADTEST');
        is scalar(@{ $login->{all} }), 2, "$kind, $what: two requests";
        is $login->{last}{status}, 401, "$kind, $what: 401";
        is $login->{last}->offers, $login->{offers}, "$kind, $what: with the bare offer";
        is outcome($login->{path}), "- 401 1 $win32 $reason", "$kind, $what: the log";
        is $login->{client}->get('/w/ntlm/env.pl')->{status}, 401, "$kind, $what: nobody is logged in";
    }
}

# --- who may not ---------------------------------------------------------------------------------

for my $kind (@KINDS) {
    my $login = attempt($kind, 'WS1$', 'Passw0rd-machine', 'ADTEST');
    is $login->{last}{status}, 401, "$kind, a machine account: 401";
    is outcome($login->{path}), '- 401 1 1808 machine-account-refused', "$kind, a machine account: the log";
    $login = attempt($kind, 'Guest', 'Passw0rd-guest', 'ADTEST');
    is $login->{last}{status}, 401, "$kind, Guest: 401";
    is outcome($login->{path}), '- 401 1 2148074252 anonymous-refused', "$kind, Guest: the log";
}

# a right LMv2 response beside a wrong NT response is no login: the NT response's flags would be nobody's word
my $lm = attempt('our own client', 'alice', $PW, 'ADTEST', mic => 0, edit => sub {
    my ($fields, $key, $challenge) = @_;
    my $nonce = 'n' x 8;
    $fields->{lm} = WinAuth::Ntlm::hmac_md5($key, $challenge . $nonce) . $nonce;
    substr $fields->{nt}, 0, 16, "\xff" x 16;
});
is $lm->{last}{status}, 401, 'LMv2 beside a wrong NT response: 401';
is outcome($lm->{path}), '- 401 1 2148074252 bad-password', 'LMv2 beside a wrong NT response: the log';

# --- a wrong password counts once -------------------------------------------------------------

sub bad_count { return $ad->attribute($_[0], 'badPwdCount') || 0 }

for my $kind (@KINDS) {
    my $before = bad_count('bob');
    for my $try (1 .. 3) {
        attempt($kind, 'bob', "wrong $try", 'ADTEST');
        is bad_count('bob'), $before + $try, "$kind: wrong password no. $try counts once";
    }
    attempt($kind, 'bob', 'Passw0rd-bob', 'ADTEST');
    is bad_count('bob'), 0, "$kind: the right one clears the count";
}
attempt('our own client', 'bob', 'Passw0rd-bob', 'ADTEST', edit => sub { $_[0]{nt} = 'x' x 24 }, mic => 0);
is bad_count('bob'), 0, 'what is refused by its shape is not asked about';

# --- an outage ----------------------------------------------------------------------------------

$ad->sh('stop-dc');
for my $kind (@KINDS) {
    my $start = time;
    my $login = attempt($kind, 'alice', $PW, 'ADTEST');
    is $login->{last}{status}, 503, "outage, $kind: 503";
    is $login->{last}->offers, '', "outage, $kind: nobody is asked for a password";
    is outcome($login->{path}), '- 503 1 2148074257 authority-down', "outage, $kind: the log";
    cmp_ok time - $start, '<', 15, "outage, $kind: soon";
}
$gss = WinAuth::Token->client('spnego', $cache, 'HTTP@www.ad.test');
$r = connection()->get('/w/negotiate/env.pl', Authorization => 'Negotiate ' . $gss->step);
is identity($r->{body}), 'ADTEST\\alice Negotiate Kerberos', 'outage: who has a ticket can still log in';
like $server->error_log, qr/WA0101: authority-down: [^\n]*winbindd/, 'outage: the error log says what to look at';

$ad->sh('start');
for my $kind (@KINDS) {
    my $login = attempt($kind, 'alice', $PW, 'ADTEST');
    is $login->{last}{status}, 200, "after the outage, $kind: 200 at the first try";
    is outcome($login->{path}), $DONE, "after the outage, $kind: the log";
}
unlike $server->error_log, qr/exit signal/, 'no process of the server died';
$server->stop;

done_testing;
