# Handshakes that are begun and never ended: they cost little, they are bounded by address and in all, they keep
# nobody else out, and the server's status counts them.

use strict;
use warnings FATAL => 'all';

# Five thousand sockets are more than a process usually may have.
BEGIN {
    if (!$ENV{WA_MANY_FILES}) {
        $ENV{WA_MANY_FILES} = 1;
        exec 'sh', '-c', 'n=$(ulimit -Hn); [ "$n" != unlimited ] && [ "$n" -lt 20000 ] || n=20000; ulimit -n $n; exec "$@"',
            'sh', $^X, (map { "-I$_" } @INC), $0 or die "sh: $!";
    }
}

use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use IO::Socket::INET;
use MIME::Base64 'encode_base64';
use Time::HiRes qw(sleep time);
use WinAuth::Client;
use WinAuth::Ntlm;
use WinAuth::Own;
use WinAuth::Token;

my $CONNECTIONS = 5000;
my $PER_ADDRESS = 100;
my $KIB = ($ENV{WA_SAN} || '') eq 'address' ? 96 : 64; # ASan puts a fence around each piece of memory
my $TYPE1 = encode_base64(WinAuth::Ntlm::negotiate(WinAuth::Ntlm::flags(qw(UNICODE NTLM ESS)), 32), '');

my $SITE = <<'END';
ExtendedStatus On
KeepAliveTimeout 300
<Location /site>
  AuthType WinAuth
  AuthName tests
  Require valid-user
</Location>
<Location /status>
  SetHandler server-status
</Location>
Alias /site @DIR@/htdocs/index.html
END

sub server {
    my ($config, %option) = @_;
    return own($config . $SITE, modules => ['status'], mpm => 'event', %option)->start;
}

# from(SERVER, ADDRESS): a connection from there.
sub from {
    my ($own, $address) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $own->{port}, LocalAddr => $address,
                                       Timeout => 30) or die "no connection from $address: $@";
    return bless { socket => $socket, port => $own->{port}, buffer => '' }, 'WinAuth::Client';
}

# begin(SERVER, ADDRESS): the same, with the first message of a handshake sent.
sub begin {
    my $client = from(@_);
    $client->send('GET', '/site', [ Authorization => "NTLM $TYPE1" ]);
    return $client;
}

sub begun {
    my ($client) = @_;
    my $r = $client->response('GET');
    return $r->{status} == 401 && $r->token('NTLM') ? 'challenge' : "$r->{status} " . ($r->offers || '-');
}

# status(SERVER): the module's lines of mod_status, by name.
sub status {
    my ($own) = @_;
    return { to($own)->get('/status?auto')->{body} =~ /^WinAuth(\w+): (\d+)$/mg };
}

sub until_true {
    my ($condition) = @_;
    for (1 .. 600) {
        return 1 if $condition->();
        sleep 0.05;
    }
    return 0;
}

sub children {
    my ($own) = @_;
    open my $f, '<', "/proc/$own->{pid}/task/$own->{pid}/children" or die $!;
    return split ' ', <$f> || '';
}

# memory(SERVER): of its processes, in KiB, without what they share.
sub memory {
    my ($own) = @_;
    my $sum = 0;
    for my $pid (children($own)) {
        open my $f, '<', "/proc/$pid/status" or next;
        local $/;
        $sum += $1 if <$f> =~ /^RssAnon:\s+(\d+) kB/m;
    }
    return $sum;
}

# --- five thousand half-open connections ------------------------------------------------------------

{
    my $own = server(<<'END', wrapper => [ 'sh', '-c', 'ulimit -n $(ulimit -Sn) && exec "$@"', 'sh' ]);
ServerLimit 2
StartServers 2
ThreadLimit 64
ThreadsPerChild 64
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
AsyncRequestWorkerFactor 100
ListenBacklog 4096
END
    is outcome((to($own)->login('/site', ntlm('alice')))[-1]), '200 WINAUTH\\alice', 'before';
    my $before = memory($own);
    my (@open, %answers);
    for my $n (0 .. $CONNECTIONS / $PER_ADDRESS - 1) {
        my @some = map { begin($own, "127.1.0." . ($n + 1)) } 1 .. $PER_ADDRESS;
        $answers{ begun($_) }++ for @some;
        push @open, @some;
    }
    is_deeply \%answers, { challenge => $CONNECTIONS }, "$CONNECTIONS handshakes are begun";
    is status($own)->{HandshakesPending}, $CONNECTIONS, 'the status knows';
    my $each = (memory($own) - $before) / $CONNECTIONS;
    diag sprintf 'a half-open connection costs %.1f KiB', $each;
    cmp_ok $each, '<', $KIB, "a half-open connection costs less than $KIB KiB, httpd's own part included";
    is outcome((to($own)->login('/site', ntlm('bob')))[-1]), '200 WINAUTH\\bob', 'others log in by NTLM';
    is outcome((to($own)->login('/site', spnego_ntlm('bob')))[-1]), '200 WINAUTH\\bob', 'by NTLM inside SPNEGO';
    is outcome((to($own)->login('/site', kerberos('bob')))[-1]), '200 WINAUTH\\bob', 'and by Kerberos';
    is status($own)->{HandshakesPending}, $CONNECTIONS, 'and leave nothing pending';

    # one address alone
    my @greedy = map { begin($own, '127.2.0.1') } 1 .. 210;
    my %greedy;
    $greedy{ begun($_) }++ for @greedy;
    is_deeply \%greedy, { challenge => 200, '503 -' => 10 }, 'one address may have 200 of them, and no more';
    like $own->error_log, qr/\[winauth:error\][^\n]*client 127\.2\.0\.1[^\n]*WA0101: too-many-handshakes: [^\n]*\(WinAuthPendingLimit address\)/,
        'and the error log names the directive';
    is status($own)->{HandshakesRefused}, 10, 'the status counts them';
    is outcome((to($own)->login('/site', ntlm('bob')))[-1]), '200 WINAUTH\\bob', 'which is nobody else\'s trouble';
    is outcome((from($own, '127.2.0.1')->login('/site', kerberos('alice')))[-1]), '200 WINAUTH\\alice',
        'and not even its own, by Kerberos';

    $_->close for splice @open, 0, $CONNECTIONS / 2;
    ok until_true(sub { status($own)->{HandshakesPending} <= $CONNECTIONS / 2 + 200 }), 'who closes gives back';
    my @before = children($own);
    kill 'KILL', @before;
    ok until_true(sub { my %now = map { $_ => 1 } children($own); !grep { $now{$_} } @before }), 'the processes die';
    ok until_true(sub { status($own)->{HandshakesPending} == 0 }), 'and give back what they had';
    is outcome((to($own)->login('/site', ntlm('alice')))[-1]), '200 WINAUTH\\alice', 'after';
}

# --- in all, and for how long ---------------------------------------------------------------------------

{
    my $own = server("WinAuthPendingLimit total=6 address=4\n");
    my @some = map { begin($own, "127.0.0.$_") } 2, 2, 2, 2, 3, 3;
    is join(' ', map { begun($_) } @some), join(' ', ('challenge') x 6), 'six from two addresses';
    my $seventh = begin($own, '127.0.0.4');
    is begun($seventh), '503 -', 'the seventh is one too many, whoever it is';
    like $own->error_log, qr/WA0101: too-many-handshakes: [^\n]*\(WinAuthPendingLimit total\)/, 'the error log names the bound';
    is +(reasons($own, '/site', 7))[-1], '503 too-many-handshakes', 'the access log has the reason';
    is outcome((to($own)->login('/site', kerberos('alice')))[-1]), '200 WINAUTH\\alice', 'Kerberos needs none';

    # a handshake that goes on, is given up, or begins anew gives back its own
    is outcome($some[0]->get('/site')), '401 Negotiate|NTLM', 'one is given up';
    is outcome((to($own)->login('/site', ntlm('alice')))[-1]), '200 WINAUTH\\alice', 'another can be had';
    is outcome((to($own)->login('/site', ntlm('alice')))[-1]), '200 WINAUTH\\alice', 'and again';
    $some[1]->send('GET', '/site', [ Authorization => "NTLM $TYPE1" ]);
    is begun($some[1]), 'challenge', 'one begins anew';
    is status($own)->{HandshakesPending}, 5, 'five are left';
}

{
    my $own = server("WinAuthPendingLimit total=2 seconds=2\n");
    my $other = begin($own, '127.0.0.2');
    my ($token) = ntlm('alice');
    my $slow = to($own);
    my $in = $slow->get('/site', Authorization => 'NTLM ' . $token->step)->token('NTLM');
    my $answer = $token->step($in);
    ok until_true(sub { my $new = begin($own, '127.0.0.5'); begun($new) eq 'challenge'
                            && status($own)->{HandshakesExpired} >= 2 }), 'after two seconds there is room';
    is outcome($slow->get('/site', Authorization => "NTLM $answer")), '401 Negotiate|NTLM', 'and who is late is not served';
    ok $own->logged('access.log', qr{"GET /site HTTP/1\.1" 401 \S+ \S+ out-of-sequence$}m), 'but begins anew';
    is outcome(($slow->login('/site', ntlm('alice')))[-1]), '200 WINAUTH\\alice', 'on the same connection';
}

# --- a proxy that pins connections speaks for many ----------------------------------------------------------

{
    my $own = server("WinAuthPendingLimit address=3\nWinAuthTrustedProxy 127.0.0.9\n");
    my %from;
    for my $address ('127.0.0.9', '127.0.0.8') {
        my @some = map { begin($own, $address) } 1 .. 6;
        $from{$address}{ begun($_) }++ for @some;
    }
    is_deeply \%from, { '127.0.0.9' => { challenge => 6 }, '127.0.0.8' => { challenge => 3, '503 -' => 3 } },
        'a trusted proxy is not counted by address';
}

# --- the status ---------------------------------------------------------------------------------------------

{
    my $own = server("WinAuthLockout attempts=1 window=60\n");
    my $zero = status($own);
    is_deeply [ sort keys %{$zero} ],
        [ qw(AuthorityAsked AuthorityBusy AuthorityLate AuthorityWaiting HandshakesExpired HandshakesPending
             HandshakesRefused LockedOut LoginsKerberos LoginsNTLM Refusals) ], 'status: all of the lines';
    is_deeply [ grep { $_ } values %{$zero} ], [], 'status: nothing has happened yet';
    to($own)->login('/site', kerberos('alice')) for 1 .. 2;
    to($own)->login('/site', ntlm('alice')) for 1 .. 3;
    to($own)->get('/site');
    to($own)->login('/site', ntlm('bob', 'wrong'));
    to($own)->login('/site', ntlm('bob')) for 1 .. 2;
    my $pending = begin($own, '127.0.0.1');
    begun($pending);
    my %seen = %{ status($own) };
    is_deeply [ map { "$_ $seen{$_}" } grep { $seen{$_} } sort keys %seen ],
        [ 'HandshakesPending 1', 'LockedOut 2', 'LoginsKerberos 2', 'LoginsNTLM 3', 'Refusals 3' ], 'status: what has';
    my $page = to($own)->get('/status')->{body};
    like $page, qr{<h2>mod_winauth</h2>\n<table>}, 'status: a section for people';
    like $page, qr{<td>logins by Kerberos</td><td>2</td>}, 'status: with the same numbers';
    kill 'USR1', $own->{pid};
    ok until_true(sub { $own->error_log =~ /resuming normal operations.*resuming normal operations/s }), 'a graceful restart';
    is status($own)->{LoginsKerberos}, 2, 'status: is kept over a restart';
}

done_testing;
