# What NTLM logins stand on goes away, and comes back: the domain controller, winbindd, the right to ask it.  A member
# of the domain, so that a domain controller that is away keeps winbindd waiting for 40 seconds.  Nobody is asked for
# a password that could not be judged, all others are served, and nothing needs a restart.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use lib 't/lib', 'lib';
use WinAuth::AD;
use WinAuth::Ntlm;
use WinAuth::Own qw(own to);
use WinAuth::Run;
use WinAuth::Token;

my $ad = WinAuth::AD->world(member => 1);

my $PW = 'Passw0rd-alice';
my $DEADLINE = 5;
my $DONE = 'ADTEST\\\\alice 200 0 0 ok';
my $DOWN = '- 503 1 2148074257 authority-down';
my @KINDS = ('ntlm_auth', 'our own client', 'SPNEGO');
my $cache = $ad->ticket('alice', $PW);
WinAuth::Token->client('spnego', $cache, 'HTTP@web1.ad.test')->step; # the service's ticket is there, too

my $server = site($ad, "WinAuthNTLMConcurrency deadline=$DEADLINE\n");

# well(WHAT): every kind of login is one at the first try.
sub well {
    my ($what) = @_;
    for my $kind (@KINDS) {
        my $login = attempt($kind, 'alice', $PW, 'ADTEST');
        is $login->{last}{status}, 200, "$what, $kind: 200 at the first try";
        is outcome($login->{path}), $DONE, "$what, $kind: the log";
    }
}

# others(WHAT): who needs no NTLM is served.
sub others {
    my ($what) = @_;
    my $start = time;
    my $gss = WinAuth::Token->client('spnego', $cache, 'HTTP@web1.ad.test');
    my $r = connection()->get('/w/negotiate/env.pl', Authorization => 'Negotiate ' . $gss->step);
    is identity($r->{body}), 'ADTEST\\alice Negotiate Kerberos', "$what: who has a ticket logs in";
    is connection()->get('/index.html')->{status}, 200, "$what: a page for everybody";
    is connection()->get('/w/both/env.pl')->{status}, 401, "$what: who brings nothing is offered all there is";
    cmp_ok time - $start, '<', $DEADLINE, "$what: without waiting";
}

# send_off(KIND): a login whose last leg is sent, and not yet answered.
sub send_off {
    my ($kind) = @_;
    my $spnego = $kind eq 'SPNEGO';
    my @words = ('alice', $PW, 'ADTEST');
    my $token = $spnego ? WinAuth::Token->spnego_ntlm(@words)
              : $kind eq 'ntlm_auth' ? WinAuth::Token->ntlm(@words) : WinAuth::Ntlm->new(@words);
    my ($path, $scheme) = $spnego ? (address('negotiate'), 'Negotiate') : (address('ntlm'), 'NTLM');
    my $client = connection();
    my $r = $client->get($path, Authorization => "$scheme " . $token->step);
    my $in = $r->token($scheme);
    $client->send('GET', $path, [ Authorization => "$scheme " . $token->step($in) ]) if $in;
    return { client => $client, path => $path, answer => $in ? undef : $r };
}

sub answer {
    my ($login) = @_;
    return $login->{answer} ||= $login->{client}->response('GET');
}

# down(WHAT): every kind of login is 503, by the deadline, and the others are served meanwhile.
sub down {
    my ($what) = @_;
    my $start = time;
    my @logins = map { send_off($_) } @KINDS;
    others($what);
    for my $kind (@KINDS) {
        my $login = shift @logins;
        my $r = answer($login);
        is $r->{status}, 503, "$what, $kind: 503";
        is $r->offers, '', "$what, $kind: nobody is asked for a password";
        is outcome($login->{path}), $DOWN, "$what, $kind: the log";
    }
    cmp_ok time - $start, '<', $DEADLINE + 15, "$what: by the deadline";
}

# started(DIRECTIVE): what a server that starts now offers, and what its log says of it.
sub started {
    my ($directive) = @_;
    my $own = own(<<"END", trust => "WinAuthKeytab $ad->{host}/http.keytab\n$directive\nLogLevel winauth:info\n")->start;
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END
    my $offers = to($own)->get('/index.html')->offers;
    my ($said) = $own->error_log =~ /(\[winauth:\w+\].* WA00(?:02|10): .*)/;
    $own->stop;
    return ($offers, defined $said ? $said : '');
}

# until_winbindd_judges: by the word of somebody else's program.
sub until_winbindd_judges {
    for (1 .. 120) {
        my $run = run({}, 'ntlm_auth', "--configfile=$ad->{host}/smb.conf", '--username=alice', '--domain=ADTEST', "--password=$PW");
        return 1 if $run->{exit} == 0;
        sleep 0.5;
    }
    return 0;
}

well('before it all');

# --- winbindd -----------------------------------------------------------------------------------------

$ad->member('stop-winbindd');
down('winbindd stopped');
like $server->error_log, qr/WA0101: authority-down: [^\n]*winbindd/, 'winbindd stopped: the error log says what to look at';
my ($offers, $said) = started('');
is $offers, 'Negotiate', 'winbindd stopped: a server that starts now offers no NTLM';
like $said, qr/winauth:info.*WA0010: NTLM is not offered/, 'winbindd stopped: and that is no more than a note';
$ad->member('start-winbindd');
well('winbindd started');

$ad->member('stop-winbindd');
$ad->member('start-winbindd');
well('winbindd restarted');

# --- the right to ask it --------------------------------------------------------------------------------

my $pipe = "$ad->{host}/state/winbindd_privileged";
my $group = (stat $pipe)[5];
chown 0, 0, $pipe or die "$pipe: $!";
$ad->member('stop-winbindd'); # what is open stays open
$ad->member('start-winbindd');
down('the pipe is closed to us');

($offers, $said) = started('');
is $offers, 'Negotiate', 'a server that starts when the pipe is closed to it offers no NTLM';
like $said, qr/winauth:warn.*WA0010: NTLM is not offered: winbindd runs, .* winbindd_privileged .*usermod/,
    'and says what is to be done';
($offers, $said) = started('WinAuthNTLMAuthority winbind');
is $offers, 'Negotiate|NTLM', 'it does when that is configured';
like $said, qr/winauth:warn.*WA0002: WinAuthNTLMAuthority winbind: winbindd runs, .* winbindd_privileged/, 'and says so, too';
chown 0, $group, $pipe or die "$pipe: $!";
($offers, $said) = started('');
is "$offers $said", 'Negotiate|NTLM ', 'with the pipe open NTLM is offered';
well('the pipe is open again');

# --- a domain controller that does not answer -------------------------------------------------------------

$ad->sh('freeze');
my $slow = send_off('our own client');
sleep 1;
$ad->sh('thaw');
is answer($slow)->{status}, 200, 'a slow domain controller: 200 all the same';
is outcome($slow->{path}), $DONE, 'a slow domain controller: the log';

$ad->sh('freeze');
down('the domain controller hangs');
$ad->sh('thaw');
ok until_winbindd_judges(), 'the domain controller goes on';
well('the domain controller goes on');

# --- a domain controller that is not there: a hundred logins, a thousand pages ---------------------------------

$ad->sh('stop-dc');
my $start = time;
my @logins = map { send_off('our own client') } 1 .. 100;
my %pages;
for (1 .. 10) {
    my $client = connection();
    $pages{ $client->get('/index.html')->{status} }++ for 1 .. 100;
}
is_deeply \%pages, { 200 => 1000 }, 'no domain controller: a thousand pages';
others('no domain controller');
my (%answers, %reasons);
for my $login (@logins) {
    my $r = answer($login);
    $answers{"$r->{status} " . $r->offers}++;
    $reasons{ outcome($login->{path}) =~ /(\S+)$/ ? $1 : '-' }++;
}
is_deeply \%answers, { '503 ' => 100 }, 'no domain controller: a hundred logins';
is join(' ', grep { !/^authority-(?:down|busy)$/ } keys %reasons), '', 'no domain controller: the log';
cmp_ok $reasons{'authority-down'} || 0, '>', 0, 'no domain controller: so it says';
cmp_ok time - $start, '<', $DEADLINE + 20, 'no domain controller: by the deadline';

$ad->sh('start');
ok until_winbindd_judges(), 'the domain controller is back';
well('the domain controller is back');

my @up = $server->error_log =~ /resuming normal operations/g;
is scalar(@up), 1, 'all without a restart';
unlike $server->error_log, qr/exit signal/, 'no process of the server died';
$server->stop;

done_testing;
