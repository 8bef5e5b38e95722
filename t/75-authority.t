# An authority that hangs: winbindd stopped in its tracks, as it seems to be when its domain controller is away.
# Logins that need it get 503 by the deadline, only so many are under way in all processes, and everybody else
# is served; when it goes on, so do they.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Time::HiRes qw(sleep time);
use WinAuth::AD;
use WinAuth::Client;
use WinAuth::Ntlm;
use WinAuth::Own 'own';
use WinAuth::Token;

my $ad = WinAuth::AD->world;
my $PW = 'Passw0rd-alice';
my $cache = $ad->ticket('alice', $PW);

# The processes of winbindd in this world.
sub winbindd {
    my $world = readlink '/proc/self/ns/net';
    return grep {
        (readlink "/proc/$_/exe" || '') =~ m{/winbindd$} && (readlink "/proc/$_/ns/net" || '') eq $world
    } map { m{/(\d+)$} } glob '/proc/[0-9]*';
}

# freeze and thaw it.  It goes on also when this test dies.
my $test = $$;
sub freeze { kill 'STOP', winbindd() or die "no winbindd\n" }
sub thaw { kill 'CONT', winbindd() }
END { local $?; thaw() if $test && $$ == $test }

# The clients' libraries ask winbindd as well, so what is sent while it hangs is made before.
#
# prepare(KIND, LEGS): a login of which so many legs are done; send_off sends the next one.
sub prepare {
    my ($kind, $legs) = @_;
    my $spnego = $kind eq 'SPNEGO';
    my $token = $spnego ? WinAuth::Token->spnego_ntlm('alice', $PW, 'ADTEST') : WinAuth::Ntlm->new('alice', $PW, 'ADTEST');
    my $scheme = $spnego ? 'Negotiate' : 'NTLM';
    my $login = { client => connection(), path => address(lc $scheme), scheme => $scheme, out => $token->step };
    for (1 .. $legs) {
        send_off($login);
        my $in = $login->{client}->response('GET')->token($scheme) or die "$kind: no challenge\n";
        $login->{out} = $token->step($in);
    }
    return $login;
}

sub send_off {
    my ($login) = @_;
    $login->{client}->send('GET', $login->{path}, [ Authorization => "$login->{scheme} $login->{out}" ]);
    return $login;
}

# late(LOGIN, WHAT): it is refused by the deadline of two seconds.
sub late {
    my ($login, $what) = @_;
    my $start = time;
    my $r = send_off($login)->{client}->response('GET');
    is $r->{status}, 503, "$what: 503";
    is $r->offers, '', "$what: nobody is asked for a password";
    cmp_ok time - $start, '>=', 1.5, "$what: after the deadline";
    cmp_ok time - $start, '<', 8, "$what: and soon";
    is outcome($login->{path}), '- 503 1 2148074257 authority-down', "$what: the log";
}

sub children {
    my ($server) = @_;
    open my $f, '<', "/proc/$server->{pid}/task/$server->{pid}/children" or return;
    return split ' ', <$f> || '';
}

# until_true(SUB): waits for up to 30 seconds.
sub until_true {
    my ($condition) = @_;
    for (1 .. 600) {
        my $value = $condition->();
        return $value if $value;
        sleep 0.05;
    }
    return;
}

sub logs_in {
    my ($what) = @_;
    my $last = attempt('our own client', 'alice', $PW, 'ADTEST')->{last};
    is $last->{status}, 200, $what;
}

sub busy { return attempt('our own client', 'alice', $PW, 'ADTEST')->{last}{status} == 503 }

# --- the deadline -------------------------------------------------------------------------------

{
    my $server = site($ad, "WinAuthNTLMConcurrency 3 deadline=2\nKeepAliveTimeout 60\n", mpm => 'event');
    logs_in('while winbindd answers, so do we');
    my @logins = (prepare('raw NTLM', 1), prepare('SPNEGO', 1), prepare('SPNEGO', 0));
    my $fourth = prepare('raw NTLM', 1);
    my $ticket = WinAuth::Token->client('spnego', $cache, 'HTTP@www.ad.test')->step;
    freeze();
    late($logins[0], 'raw NTLM, the response');
    late($logins[1], 'NTLM inside SPNEGO, the response');
    late($logins[2], 'NTLM inside SPNEGO, the first message');
    like $server->error_log, qr/WA0101: authority-down: [^\n]*no answer within 2 s [^\n]*WinAuthNTLMConcurrency/,
        'the error log names the directive';

    my $start = time;
    is send_off($fourth)->{client}->response('GET')->{status}, 503, 'three abandoned ones are all there may be: 503';
    cmp_ok time - $start, '<', 1.5, 'at once';
    is outcome($fourth->{path}), '- 503 1 2148074257 authority-busy', 'and the log says busy';
    like $server->error_log, qr/WA0101: authority-busy: [^\n]*WinAuthNTLMConcurrency 3\b/, 'and what the bound is';

    my $r = connection()->get('/w/negotiate/env.pl', Authorization => "Negotiate $ticket");
    is identity($r->{body}), 'ADTEST\\alice Negotiate Kerberos', 'who has a ticket logs in meanwhile';

    thaw();
    ok until_true(sub { !busy() }), 'winbindd goes on, and so do logins';
    logs_in('without a restart');
    is attempt('SPNEGO', 'alice', $PW, 'ADTEST')->{last}{status}, 200, 'inside SPNEGO as well';

    freeze();
    is attempt('our own client', 'alice', $PW, 'ADTEST')->{last}{status}, 503, 'it hangs again'; # our own asks nobody
    $start = time;
    $server->stop;
    cmp_ok time - $start, '<', 5, 'the server ends without waiting for what hangs';
    unlike $server->error_log, qr/exit signal|Segmentation|still did not exit/, 'and nothing has died of it';
    thaw();
}

# --- a start while it hangs: it is asked once for all virtual hosts, twice in all ------------------------

{
    my @hosts = map { my $n = $_; map { <<"END" } '', 'WinAuthNTLMAuthority winbind' } 1 .. 4;
<VirtualHost *>
  ServerName www$n.ad.test
  WinAuthDomain AD.TEST ADTEST
  WinAuthDomain OTHER$n.TEST OTHER$n
  $_
</VirtualHost>
END
    freeze();
    my $start = time;
    my $server = own("@hosts", trust => "WinAuthKeytab $ad->{host}/http.keytab\nLogLevel winauth:info\n")->start;
    my $took = time - $start;
    thaw();
    cmp_ok $took, '<', 20, 'eight virtual hosts start in the time of one';
    my @lines = $server->error_log =~ /(WA00(?:02|10)): [^\n]*no answer within 5 s/g;
    is join(' ', sort @lines), 'WA0002 WA0010', 'and one line each says why: NTLM that was asked for, NTLM that was not';
    $server->stop;
}

# --- a hundred at one time ------------------------------------------------------------------------

{
    # one process, so that its idle threads are there when they are needed: half of 150 wait, the rest is turned away
    my $server = site($ad, <<'END', mpm => 'event');
WinAuthNTLMConcurrency deadline=3
KeepAliveTimeout 60
ServerLimit 1
StartServers 1
ThreadLimit 150
ThreadsPerChild 150
MaxRequestWorkers 150
END
    logs_in('before the rush');
    my @logins = map { prepare('raw NTLM', 1) } 1 .. 100;
    freeze();
    my $start = time;
    send_off($_) for @logins;
    my %pages;
    for (1 .. 10) {
        my $client = WinAuth::Client->new($server->{port});
        $pages{ $client->get('/index.html')->{status} }++ for 1 .. 100;
    }
    is_deeply \%pages, { 200 => 1000 }, 'a thousand pages for everybody, while a hundred wait for winbindd';
    my %statuses;
    $statuses{ $_->{client}->response('GET')->{status} || 'closed' }++ for @logins;
    is_deeply \%statuses, { 503 => 100 }, 'and each of those gets 503';
    cmp_ok time - $start, '<', 15, 'by the deadline';
    thaw();
    ok until_true(sub { !busy() }), 'then winbindd answers';
    logs_in('and the next login is one');
    $server->stop;
    unlike $server->error_log, qr/exit signal|Segmentation/, 'no process has died';
}

# --- the bound is one for all processes, and survives them ------------------------------------------

{
    my $server = site($ad, <<'END', mpm => 'prefork');
WinAuthNTLMConcurrency 2 deadline=60
KeepAliveTimeout 60
StartServers 6
MinSpareServers 4
END
    logs_in('processes of one thread');
    my @hanging = map { prepare('raw NTLM', 1) } 1 .. 2;
    freeze();
    send_off($_) for @hanging;
    sleep 2; # their processes must have read them: otherwise it is the next one that hangs
    ok until_true(sub { busy() }), 'two wait in processes of their own: a third is turned away';
    my @before = children($server);
    kill 'KILL', @before;
    thaw();
    ok until_true(sub { my %now = map { $_ => 1 } children($server); !grep { $now{$_} } @before }), 'all of them die';
    logs_in('what they held is given back') for 1 .. 4;
    is attempt('SPNEGO', 'alice', $PW, 'ADTEST')->{last}{status}, 200, 'and to SPNEGO as well';

    @hanging = map { prepare('raw NTLM', 1) } 1 .. 2;
    freeze();
    send_off($_) for @hanging;
    sleep 2; # their processes must have read them: otherwise it is the next one that hangs
    ok until_true(sub { busy() }), 'again two wait';
    kill 'USR1', $server->{pid};
    ok until_true(sub { $server->error_log =~ /resuming normal operations.*resuming normal operations/s }),
        'a graceful restart, which does not wait for winbindd';
    like $server->error_log, qr/WA0002: [^\n]*no answer within 5 s/, 'but says that there was no answer';
    for (1 .. 3) {
        my $login = attempt('our own client', 'alice', $PW, 'ADTEST');
        is $login->{last}{status}, 503, 'the bound holds for the new processes';
        is outcome($login->{path}), '- 503 1 2148074257 authority-busy', 'for it is the same one';
    }
    thaw();
    is $_->{client}->response('GET')->{status}, 200, 'who waited in the old ones is served when winbindd goes on' for @hanging;
    logs_in('and so are others');
    $server->stop;
}

done_testing;
