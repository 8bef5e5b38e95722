# WinAuthLockout before a real domain: an account is not locked out there, whoever guesses here.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::AD;
use WinAuth::Client;
use WinAuth::Ntlm;
use WinAuth::Token;

my $ad = WinAuth::AD->world;
$ad->samba_tool(qw(domain passwordsettings set --account-lockout-threshold=5));

sub attribute { return $ad->attribute(@_) || 0 }

sub login {
    my ($kind, $user, $password, $domain) = @_;
    my $login = attempt($kind, $user, $password, $domain);
    return outcome($login->{path}) =~ /(\d+) \d+ \d+ (\S+)$/ ? "$1 $2" : '-';
}

my $server = site($ad, "WinAuthLockout attempts=3 window=1800\nStartServers 4\n", mpm => 'prefork');

# --- ten wrong passwords, in every way and spelling

my @ways = (
    [ 'our own client', 'alice', 'ADTEST' ], [ 'SPNEGO', 'alice', 'ADTEST' ], [ 'ntlm_auth', 'alice', '' ],
    [ 'our own client', 'alice@ad.test', '' ], [ 'our own client', 'ALICE', 'AD.TEST' ], [ 'SPNEGO', 'ALICE', 'ad.test' ],
    [ 'our own client', 'alice', '' ], [ 'our own client', 'alice', 'NOWHERE' ], [ 'our own client', ' alice', 'ADTEST' ],
    [ 'our own client', 'alice@nowhere.test', '' ],
);
my @held;
my @outcomes;
for my $way (@ways) {
    my ($kind, $user, $domain) = @{$way};
    my $login = attempt($kind, $user, 'wrong', $domain);
    push @held, $login->{client} if @held < 3; # for other processes to have their turn
    push @outcomes, (split / /, outcome($login->{path}))[-1];
}
is_deeply \@outcomes, [ ('bad-password') x 3, ('locked-out') x 7 ], 'ten wrong passwords: three are submitted';
my %processes = map { $_ => 1 } $server->error_log =~ /\[pid (\d+)[^\n]*WA0101: (?:bad-password|locked-out)/g;
cmp_ok scalar(keys %processes), '>=', 2, 'by several processes';
@held = ();
is attribute('alice', 'badPwdCount'), 3, 'the domain has counted three';
is attribute('alice', 'lockoutTime'), 0, 'and has locked nobody out';
is login('our own client', 'alice', 'Passw0rd-alice', 'ADTEST'), '401 locked-out', 'the right password is not submitted either';
is attribute('alice', 'badPwdCount'), 3, 'as one sees there';

my $cache = $ad->ticket('alice', 'Passw0rd-alice');
for (1 .. 3) {
    my $gss = WinAuth::Token->client('spnego', $cache, 'HTTP@www.ad.test');
    my $r = connection()->get('/w/negotiate/env.pl', Authorization => 'Negotiate ' . $gss->step);
    is identity($r->{body}), 'ADTEST\\alice Negotiate Kerberos', 'by Kerberos alice is served as ever';
}
is login('our own client', 'bob', 'Passw0rd-bob', 'ADTEST'), '200 ok', 'and so is bob';

# --- ten at one time

my @clients = map { [ connection(), WinAuth::Ntlm->new('bob', "wrong $_", 'ADTEST') ] } 1 .. 10;
for (@clients) {
    my $in = $_->[0]->get('/w/ntlm/env.pl', Authorization => 'NTLM ' . $_->[1]->step)->token('NTLM');
    $_->[2] = $_->[1]->step($in);
}
$_->[0]->send('GET', '/w/ntlm/env.pl', [ Authorization => "NTLM $_->[2]" ]) for @clients;
my %statuses;
$statuses{ $_->[0]->response('GET')->{status} }++ for @clients;
$_->[0]->close for @clients;
is_deeply \%statuses, { 401 => 10 }, 'ten wrong passwords at one time: 401';
is attribute('bob', 'badPwdCount'), 3, 'and the domain has counted three';
is attribute('bob', 'lockoutTime'), 0, 'and has not locked bob out';

# --- the right one in between

for (1 .. 2) {
    is login('SPNEGO', "j\xc3\xb6rg", 'wrong', 'ADTEST'), '401 bad-password', 'two wrong ones' for 1 .. 2;
    is login('SPNEGO', "j\xc3\xb6rg", 'Passw0rd-joerg', 'ADTEST'), '200 ok', 'and the right one clears the count';
}
is login('our own client', "J\xc3\x96RG", 'wrong', 'ADTEST'), '401 bad-password', 'capitals beyond ASCII' for 1 .. 2;
is login('our own client', "j\xc3\xb6rg", 'wrong', ''), '401 bad-password', 'are the same letters';
is login('our own client', "j\xc3\xb6rg", 'wrong', 'ADTEST'), '401 locked-out', 'and so the fourth is not submitted';

# --- a principal name that is not the account's

is login('our own client', 'uschi@ad.test', 'wrong', ''), '401 bad-password', 'ursula by her UPN' for 1 .. 3;
is login('our own client', 'uschi@ad.test', 'wrong', ''), '401 locked-out', 'is locked by it';
is attribute('ursula', 'badPwdCount'), 3, 'the domain has counted three';
$server->stop;
unlike $server->error_log, qr/exit signal|Segmentation/, 'no process has died';
$server = site($ad, "WinAuthLockout attempts=2 window=1800\n");
is login('our own client', 'ursula', 'Passw0rd-ursula', 'ADTEST'), '200 ok', 'the count ends with the server';
is attribute('ursula', 'badPwdCount'), 0, 'and in the domain with the right password';
my @both = map { my @who = @{$_}; map { login('our own client', $who[0], 'wrong', $who[1]) } 1 .. 3 }
    [ 'uschi@ad.test', '' ], [ 'ursula', 'ADTEST' ];
is_deeply \@both, [ ('401 bad-password', '401 bad-password', '401 locked-out') x 2 ],
    'a UPN that is not the account name has a count of its own';
is attribute('ursula', 'badPwdCount'), 4, 'but not more than one';
is attribute('ursula', 'lockoutTime'), 0, 'so that less than half of the threshold is enough';
$server->stop;

# --- without it, to see that the domain would

site($ad, "WinAuthNTLMConcurrency deadline=20\n");
login('our own client', 'gina', "wrong $_", 'ADTEST') for 1 .. 6;
ok attribute('gina', 'lockoutTime'), 'without WinAuthLockout six wrong passwords lock an account out';

done_testing;
