# The web server as an ordinary member of the domain, its domain controller on another host.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use MIME::Base64 'encode_base64';
use lib 't/lib', 'lib';
use WinAuth::AD;
use WinAuth::Ntlm;
use WinAuth::Run;
use WinAuth::Server;
use WinAuth::Token;

my $ad = WinAuth::AD->world(member => 1);

my $PW = 'Passw0rd-alice';
my $SID = qr/^S-1-5-21-1111111111-2222222222-3333333333-\d+$/;
my $DONE = 'ADTEST\\\\alice 200 0 0 ok';
my @KINDS = ('ntlm_auth', 'our own client', 'SPNEGO');
my $port = WinAuth::Server::free_port();
my $server = site($ad, "Listen 192.0.2.20:$port\n");

# --- whose names the challenge has: item 44 of the conformance table ------------------------------------

my $type1 = encode_base64(WinAuth::Ntlm::negotiate(WinAuth::Ntlm::flags(qw(UNICODE NTLM ESS)), 32), '');
my $c = challenge(connection()->get('/w/ntlm/env.pl', Authorization => "NTLM $type1")->token('NTLM'));
is $c->{name}, 'ADTEST', 'challenge: the target is the domain';
is WinAuth::Ntlm::pair($c, 2), 'ADTEST', 'challenge: NetBIOS domain';
is WinAuth::Ntlm::pair($c, 1), 'WEB1', "challenge: the member's machine account, not the domain controller's";
is WinAuth::Ntlm::pair($c, 4), 'ad.test', 'challenge: DNS domain';
is WinAuth::Ntlm::pair($c, 3), 'web1.ad.test', 'challenge: DNS name';

# The domain controller compares it to the account that the logon comes in by.  The client's proof is made afresh, so
# that nothing but the name is wrong.
for my $case ([ 'WEB1', 200, $DONE ], [ 'web1', 200, $DONE ], [ 'DC1', 401, '- 401 1 2148074252 bad-password' ],
              [ 'WEB2', 401, '- 401 1 2148074252 bad-password' ]) {
    my ($name, $status, $log) = @{$case};
    my $login = attempt('our own client', 'alice', $PW, 'ADTEST', mic => 0, edit => sub {
        my ($fields, $key, $nonce) = @_;
        my $blob = substr $fields->{nt}, 16;
        my $pair = sub { pack 'v v a*', 1, length $_[0], $_[0] };
        my ($is, $becomes) = map { $pair->(WinAuth::Ntlm::utf16_of($_)) } 'WEB1', $name;
        $blob =~ s/\Q$is\E/$becomes/ or die "no WEB1 in the response\n";
        $fields->{nt} = WinAuth::Ntlm::hmac_md5($key, $nonce . $blob) . $blob;
    });
    is $login->{last}{status}, $status, "a response made for $name: $status";
    is outcome($login->{path}), $log, "a response made for $name: the log";
}

# --- logins ---------------------------------------------------------------------------------------------

my %sids;
for my $kind (@KINDS) {
    for my $case ([ 'alice', 'ADTEST' ], [ 'ALICE', 'ad.test' ], [ 'alice@ad.test', '' ]) {
        my ($user, $domain) = @{$case};
        my $who = "$kind: " . ($domain ? "$domain\\" : '') . $user;
        my $login = attempt($kind, $user, $PW, $domain);
        is identity($login->{last}{body}), 'ADTEST\\alice ' . ($kind eq 'SPNEGO' ? 'Negotiate' : 'NTLM') . ' NTLM', "$who is alice";
        is outcome($login->{path}), $DONE, "$who, the log";
        $sids{ environment($login->{last}{body})->{WINAUTH_SID} || '-' }++;
    }
    for my $case ([ 'a wrong password', 'alice', 'wrong', 2148074252, 'bad-password' ],
                  [ 'an unknown user', 'mallory', $PW, 2148074252, 'unknown-user' ],
                  [ 'a disabled account', 'carol', 'Passw0rd-carol', 1331, 'account-disabled' ],
                  [ 'not at this hour', 'harry', 'Passw0rd-harry', 1327, 'logon-restricted' ],
                  [ 'the own machine account', 'WEB1$', 'not known', 2148074252, 'bad-password' ],
                  [ 'a machine account', 'WS1$', 'Passw0rd-machine', 1808, 'machine-account-refused' ]) {
        my ($what, $user, $password, $win32, $reason) = @{$case};
        my $login = attempt($kind, $user, $password, 'ADTEST');
        is $login->{last}{status}, 401, "$kind, $what: 401";
        is outcome($login->{path}), "- 401 1 $win32 $reason", "$kind, $what: the log";
    }
}

my $cache = $ad->ticket('alice', $PW);
for my $service ('HTTP@web1.ad.test', 'HTTP@web1') {
    my $gss = WinAuth::Token->client('spnego', $cache, $service);
    my $r = connection()->get('/w/negotiate/env.pl', Authorization => 'Negotiate ' . $gss->step);
    is identity($r->{body}), 'ADTEST\\alice Negotiate Kerberos', "$service: logged in";
    $gss->step($r->token('Negotiate'));
    ok $gss->is_complete, "$service: mutual";
    $sids{ environment($r->{body})->{WINAUTH_SID} || '-' }++;
}
# the same client's ticket for another service of the domain is worth nothing here
for my $service ('HTTP@www.ad.test', 'HTTP@other.ad.test', 'host@dc1.ad.test') {
    my $path = address('negotiate');
    my $r = connection()->get($path, Authorization => 'Negotiate ' . WinAuth::Token->client('spnego', $cache, $service)->step);
    is $r->{status}, 401, "a ticket for $service: 401";
    is outcome($path), '- 401 1 2148074245 no-key', "a ticket for $service: the log";
}
is scalar(keys %sids), 1, 'whatever the way, there is one SID';
like((keys %sids)[0], $SID, 'which is a SID of the domain');

# --- a client on the other host -----------------------------------------------------------------------

my $url = "http://web1.ad.test:$port/w";
for my $case ([ 'Kerberos', { KRB5CCNAME => $cache }, 'negotiate', [qw(--negotiate -u :)], 'Negotiate Kerberos' ],
              [ 'NTLM', { KRB5CCNAME => '/nonexistent' }, 'ntlm', [ '--ntlm', '-u', "ADTEST\\alice:$PW" ], 'NTLM NTLM' ]) {
    my ($what, $environment, $section, $args, $identity) = @{$case};
    my $run = run($environment, $ad->on_dc('curl', '-s', '-w', "FROM=%{local_ip}\n", @{$args},
                                              "$url/$section/env.pl"));
    is identity($run->{out}), "ADTEST\\alice $identity", "from another host, $what: logged in" or diag $run->{err};
    is environment($run->{out})->{FROM}, '192.0.2.10', "from another host, $what: indeed";
}

# --- the user principal name, which this winbindd tells

for my $case ([ 'alice', 'alice@ad.test' ], [ 'ursula', 'uschi@ad.test' ]) {
    my ($user, $upn) = @{$case};
    for my $kind (@KINDS) {
        is environment(attempt($kind, $user, "Passw0rd-$user", 'ADTEST')->{last}{body})->{WINAUTH_UPN}, $upn, "$kind: the UPN of $user";
    }
}

# --- an account of the member itself, which is none of the domain's; it needs a user of the system, any

my $added = run({}, 'sh', '-c', 'printf "%s\n%s\n" "$2" "$2" | pdbedit -s "$1" -t -a daemon', 'sh', "$ad->{host}/smb.conf", 'Passw0rd-daemon');
$added->{exit} == 0 or die "pdbedit: $added->{err}";
for my $kind (@KINDS) {
    my $login = attempt($kind, 'daemon', 'Passw0rd-daemon', 'WEB1');
    is identity($login->{last}{body}), 'WEB1\\daemon ' . ($kind eq 'SPNEGO' ? 'Negotiate' : 'NTLM') . ' NTLM', "$kind: a local account";
    my $e = environment($login->{last}{body});
    unlike $e->{WINAUTH_SID}, $SID, "$kind: with a SID of the machine";
    is $e->{WINAUTH_UPN}, undef, "$kind: and no UPN";
    is attempt($kind, 'daemon', 'wrong', 'WEB1')->{last}{status}, 401, "$kind: with its own password only";
}

unlike $server->error_log, qr/exit signal/, 'no process of the server died';
$server->stop;

done_testing;
