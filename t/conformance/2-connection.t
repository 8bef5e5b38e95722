# Items 21 to 36: what a connection remembers, and for whom.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'decode_base64';
use Time::HiRes 'sleep';
use WinAuth::Conformance;
use WinAuth::Der;
use WinAuth::Ntlm;
use WinAuth::Suite qw(error_lines);

my @LEGS = ('raw NTLM', 'raw NTLM under Negotiate', 'NTLM inside SPNEGO');    # those of more than one
my $ANONYMOUS = denied('anonymous');

# bare(CLIENT, SECTION, @HEADERS): what a request without credentials is told.
sub bare {
    my ($client, $section, @headers) = @_;
    return told($client, $client->get(page($section || 'both'), @headers));
}

# with(CLIENT, CREDENTIALS, SECTION): what one with these is told.
sub with {
    my ($client, $credentials, $section) = @_;
    return told($client, $client->get(page($section || 'both'), Authorization => $credentials));
}

# logs_in(CLIENT, [LOGIN], SECTION): what the end of an exchange is told.
sub logs_in {
    my ($client, $login, $section) = @_;
    my @r = $client->login(page($section || 'both'), @$login);
    return told($client, $r[-1]);
}

for my $kind (@LEGS) {
    my ($one, $two) = (connection(), connection());
    my (undef, $answer) = begin($one, 'both', login($kind));
    is with($two, $answer), denied('out-of-sequence'), "item 21: $kind: the last leg on a fresh connection";
    begin($two, 'both', login($kind, 'bob'));
    is with($two, $answer), denied('bad-password'), "item 21: $kind: on one with another challenge";
    is bare($two), $ANONYMOUS, "item 21: $kind: nobody is logged in there";
    is with($one, $answer), served($kind), "item 21: $kind: on its own";
    is bare($two), $ANONYMOUS, "item 21: $kind: which is nothing to others";

    my $client = connection();
    for my $try (1 .. 4) {
        is logs_in($client, [ login($kind, 'alice', "wrong $try") ]), denied('bad-password'), "item 22: $kind: wrong, try $try";
        is bare($client), $ANONYMOUS, "item 22: $kind: nobody";
    }
    is logs_in($client, [ login($kind) ]), served($kind), "item 22: $kind: then right";
}

for my $kind (@LEGS, 'Kerberos', 'bare Kerberos') {
    my $client = connection();
    is logs_in($client, [ login($kind) ]), served($kind), "item 23: $kind: alice";
    is logs_in($client, [ login($kind, 'bob') ]), served($kind, BOB), "item 23: $kind: then bob";
    is bare($client), served(undef, BOB), "item 23: $kind: who stays";
    for my $case ([ 'a broken token', 'Negotiate AAAA', denied('bad-token') ], [ 'no data', 'NTLM', $ANONYMOUS ],
                  [ 'a scheme of others', 'Bearer x', $ANONYMOUS ],
                  [ 'a type-3', 'NTLM ' . base64("NTLMSSP\0" . pack('V', 3) . "\0" x 60), denied('out-of-sequence') ]) {
        my ($what, $credentials, $expected) = @$case;
        $client = connection();
        $client->login(page('both'), login($kind));
        is with($client, $credentials), $expected, "item 23: $kind, then $what";
        is bare($client), $ANONYMOUS, "item 23: $kind, then $what: the login is gone";
    }
    my (undef, $answer) = begin($client, 'both', login('raw NTLM', 'bob'));
    is bare($client), $ANONYMOUS, "item 23: $kind, then a first leg: the login is gone";
}

for my $kind (@LEGS) {
    my $client = connection();
    my (undef, $answer) = begin($client, 'both', login($kind));
    is bare($client), $ANONYMOUS, "item 24: $kind: without Authorization in mid-exchange";
    is with($client, $answer), denied('out-of-sequence'), "item 24: $kind: the exchange is over";
    is bare($client), $ANONYMOUS, "item 24: $kind: and nobody logged in";
}

for my $case ([ 'raw NTLM', 'Negotiate' ], [ 'raw NTLM under Negotiate', 'NTLM' ]) {
    my ($kind, $to) = @$case;
    my $client = connection();
    my (undef, $answer) = begin($client, 'both', login($kind));
    (my $switched = $answer) =~ s/^\S+/$to/;
    is with($client, $switched), denied('out-of-sequence'), "item 25: $kind, then $to";
    is with($client, $answer), denied('out-of-sequence'), "item 25: $kind, then $to, then back";
    begin($client, 'both', login($kind));
    is logs_in($client, [ (login($kind))[0], $to ]), served($kind), "item 25: $kind, then $to from the start";
}
{
    my $client = connection();
    my (undef, $answer) = begin($client, 'both', login('raw NTLM'));
    is logs_in($client, [ login('Kerberos', 'bob') ]), served('Kerberos', BOB), 'item 25: raw NTLM, then Kerberos';
    is with($client, $answer), denied('out-of-sequence'), 'item 25: raw NTLM, then Kerberos, then back';
}

{
    my $type3 = (begin(connection(), 'both', login('raw NTLM')))[1] =~ s/^NTLM //r;
    my (undef, $response) = begin(connection(), 'both', login('NTLM inside SPNEGO'));
    my %first = ('a type-3 of raw NTLM' => "NTLM $type3", 'a type-3 under Negotiate' => "Negotiate $type3",
                 'a type-3 inside SPNEGO' => $response);
    for my $what (sort keys %first) {
        my $client = connection();
        is with($client, $first{$what}), denied('out-of-sequence'), "item 26: $what comes first";
        is bare($client), $ANONYMOUS, "item 26: $what: nobody";
    }
    my $client = connection();
    is with($client, 'Negotiate ' . init_token(decode_base64($type3), NTLMSSP)), denied('out-of-sequence'),
        'item 26: a type-3 in the first token of SPNEGO';
}

for my $kind (@LEGS) {
    my $client = connection();
    my ($first, $old) = begin($client, 'both', login($kind));
    my ($second, $new) = begin($client, 'both', login($kind));
    isnt $second->offers, $first->offers, "item 27: $kind: another challenge";
    is with($client, $old), denied('bad-password'), "item 27: $kind: the old one's answer";
    begin($client, 'both', login($kind));
    (undef, $new) = begin($client, 'both', login($kind));
    is with($client, $new), served($kind), "item 27: $kind: the new one's answer";
    is with($client, $new), denied('out-of-sequence'), "item 27: $kind: and again";
}

{
    my %wrap = ('raw NTLM' => sub { base64($_[0]) }, 'raw NTLM under Negotiate' => sub { base64($_[0]) },
                'NTLM inside SPNEGO, first' => sub { init_token($_[0], NTLMSSP) },
                'NTLM inside SPNEGO' => sub { resp_token({ token => $_[0] }) });
    my $type2 = decode_base64(connection()->get(page('both'), Authorization => 'NTLM ' . (login('raw NTLM'))[0]->step)->token('NTLM'));
    for my $what (sort keys %wrap) {
        my ($kind) = split /,/, $what;
        my $scheme = $kind eq 'raw NTLM' ? 'NTLM' : 'Negotiate';
        my $credentials = "$scheme " . $wrap{$what}->($type2);
        my $client = connection();
        is with($client, $credentials), denied($what eq 'NTLM inside SPNEGO' ? 'out-of-sequence' : 'bad-token'),
            "item 28: $what: a type-2 comes first";
        my (undef, $answer) = begin($client, 'both', login($kind));
        is with($client, $credentials), denied('bad-token'), "item 28: $what: a type-2 answers a type-2";
        is with($client, $answer), denied('out-of-sequence'), "item 28: $what: which ends the exchange";
    }
}

# --- 29 to 32: where a login does not count

my @via = (Via => '1.1 proxy.example');
for my $kind (@LEGS, 'Kerberos') {
    my $client = connection();
    $client->login(page('both'), login($kind));
    is bare($client, 'both', @via), denied('anonymous', 'Negotiate'), "item 29: $kind: not used with Via";
    is bare($client), served(), "item 29: $kind: but without";
    my $r = $client->get(page('both'), Authorization => 'Negotiate ' . (login('Kerberos', 'bob'))[0]->step, @via);
    is told($client, $r), served('Kerberos', BOB, 'false'), "item 29: $kind, then Kerberos with Via";
    is bare($client), $ANONYMOUS, "item 29: $kind, then Kerberos with Via: not bound";
    next if $kind eq 'Kerberos';
    my ($token, $scheme) = login($kind);
    $r = $client->get(page('both'), Authorization => "$scheme " . $token->step, @via);
    is told($client, $r), denied('untrusted-proxy', 'Negotiate'), "item 29: $kind with Via";
    my (undef, $answer) = begin($client, 'both', login($kind));
    $r = $client->get(page('both'), Authorization => $answer, @via);
    is told($client, $r), denied('untrusted-proxy', 'Negotiate'), "item 29: $kind, its last leg with Via";
    is bare($client), $ANONYMOUS, "item 29: $kind, its last leg with Via: nobody";
}

for my $kind (@LEGS, 'Kerberos', 'bare Kerberos') {
    my $client = connection();
    is logs_in($client, [ login($kind) ], 'single'), served($kind, ALICE, 'false'), "item 30: $kind: the first request";
    is bare($client, 'single'), $ANONYMOUS, "item 30: $kind: the second";
    $client->login(page('both'), login($kind));
    is bare($client, 'single'), denied('policy-changed'), "item 30: $kind: bound elsewhere";

    my $persists = $kind !~ /Kerberos/;
    $client = connection();
    is logs_in($client, [ login($kind) ], 'nonntlm-off'), served($kind, ALICE, $persists ? 'true' : 'false'), "item 31: $kind: the first request";
    is bare($client, 'nonntlm-off'), $persists ? served() : $ANONYMOUS, "item 31: $kind: the second";
    $client->login(page('both'), login($kind));
    is bare($client, 'nonntlm-off'), $persists ? served() : denied('policy-changed'), "item 31: $kind: bound elsewhere";

    $client = connection();
    $client->login(page('both'), login($kind));
    for my $path ('/w/none/env.pl', '/site/env.pl') {
        my $r = $client->get($path);
        is told($client, $r), '200 [] open - -', "item 32: $kind, then $path, which is not ours";
        unlike $r->{body}, qr/REMOTE_USER|WINAUTH|AUTH_TYPE/, "item 32: $kind, then $path: no user";
    }
    my $r = $client->get('/w/none/include.shtml');
    is $r->{status}, 200, "item 32: $kind, then an open page with protected parts";
    unlike $r->{body}, qr/alice|REMOTE_USER/, "item 32: $kind, then an open page with protected parts: without them";
    is bare($client), served(), "item 32: $kind: still there where it belongs";
    my $accepted = $kind =~ /Kerberos/;
    is bare($client, 'kerberos'), $accepted ? served() : denied('policy-changed', 'Negotiate'), "item 32: $kind, then a stricter section";
}

# --- servers with another trust, and limits

my $server = own("LimitRequestFieldSize 200000\n" . join '', map { <<"END" }
<VirtualHost *:\@PORT\@>
  ServerName $_->[0]
  $_->[1]
</VirtualHost>
END
    [ localhost => '' ], [ other => "WinAuthKeytab $ENV{WA_KDC}/wrong.keytab" ], [ small => 'WinAuthMaxToken 1024' ],
    [ off => 'KeepAlive Off' ], [ two => 'MaxKeepAliveRequests 2' ], [ short => 'KeepAliveTimeout 1' ]);

sub own_connection { return connection($server) }

# at(CLIENT, HOST, [CREDENTIALS], @HEADERS): the answer of that host.
sub at {
    my ($client, $host, $credentials, @headers) = @_;
    return $client->get('/index.html', Host => $host, @headers, defined $credentials ? (Authorization => $credentials) : ());
}

for my $kind (@LEGS, 'Kerberos') {
    my $client = own_connection();
    is told($client, ($client->login('/index.html', login($kind)))[-1]), served($kind), "item 32: $kind, one host";
    is told($client, at($client, 'other')), denied('policy-changed'), "item 32: $kind, another host on the same connection";
    is told($client, at($client, 'localhost')), served(), "item 32: $kind, the first host again";
    next if $kind eq 'Kerberos';
    my ($token, $scheme) = login($kind);
    my $r = at($client, 'localhost', "$scheme " . $token->step);
    $r = at($client, 'other', "$scheme " . $token->step($r->token($scheme)));
    is told($client, $r), denied('out-of-sequence'), "item 32: $kind, begun at one host, ended at another";
}

my @waiting;
for my $kind (@LEGS) {
    my ($client, $scheme) = (connection(), (login($kind))[1]);
    for my $section (qw(both errordoc logged single), $kind eq 'raw NTLM' ? 'ntlm' : 'negotiate') {
        my ($r, $answer) = begin($client, $section, login($kind));
        is told($client, $r), "401 [$scheme +] open", "item 34: $kind, $section: the leg stays open";
    }

    $client = own_connection();
    at($client, 'two') for 1, 2;
    my ($token) = login($kind);
    my $r = at($client, 'two', "$scheme " . $token->step);
    is told($client, $r), "401 [$scheme +] open", "item 34: $kind, MaxKeepAliveRequests reached: the leg stays open";
    is told($client, at($client, 'two', "$scheme " . $token->step($r->token($scheme)))),
        served($kind, ALICE, 'false') =~ s/open/closed/r, "item 34: $kind, MaxKeepAliveRequests reached: the login is the end";

    for my $case ([ off => 'Negotiate' ], [ localhost => 'Negotiate', Connection => 'close' ]) {
        my ($host, $offers, @headers) = @$case;
        my $before = () = $server->error_log =~ /WA0101: keepalive-off: /g;
        $client = own_connection();
        $r = at($client, $host, "$scheme " . (login($kind))[0]->step, @headers);
        is told($client, $r), "401 [$offers] closed - keepalive-off", "item 34: $kind, no keep-alive at $host";
        my @lines = $server->error_log =~ /\[winauth:warn\].*WA0101: keepalive-off: .*/g;
        is scalar(@lines), $before + 1, "item 34: $kind, no keep-alive at $host: the log says so";
    }

    $client = own_connection();
    ($token) = login($kind);
    $r = at($client, 'short', "$scheme " . $token->step);
    my $answer = "$scheme " . $token->step($r->token($scheme));
    push @waiting, [ $kind, $client, $answer ];
    if ($kind eq $LEGS[-1]) {
        sleep 1.5;
        ok !$_->[1]->is_open, "item 35: $_->[0]: an exchange waits no longer than KeepAliveTimeout" for @waiting;
        is told($client = own_connection(), at($client, 'short', $_->[2])), denied('out-of-sequence'),
            "item 35: $_->[0]: and is gone" for @waiting;
    }
}

for my $first (@LEGS) {
    for my $second (grep { $_ ne $first } @LEGS) {
        my $client = connection();
        my (undef, $old) = begin($client, 'both', login($first));
        my (undef, $new) = begin($client, 'both', login($second));
        is with($client, $old), denied('out-of-sequence'), "item 35: $first, then $second: the second takes the place of the first";
        is with($client, $new), denied('out-of-sequence'), "item 35: $first, then $second: and one answer ends it";
    }
}
for my $case ([ small => 1024 ], [ localhost => 65536 ]) {
    my ($host, $max) = @$case;
    my $client = own_connection();
    is told($client, at($client, $host, 'NTLM ' . base64('x' x $max))), denied('bad-token'), "item 35: $max bytes are looked at";
    is told($client, at($client, $host, 'NTLM ' . base64('x' x ($max + 1)))), '400 [] closed - token-too-large',
        'item 35: one more and they are not';
}

sub request {
    my ($section, $credentials) = @_;
    return 'GET ' . page($section) . " HTTP/1.1\r\nHost: localhost\r\n"
        . (defined $credentials ? "Authorization: $credentials\r\n" : '') . "\r\n";
}

for my $kind (@LEGS) {
    my ($client, $scheme) = (connection(), (login($kind))[1]);
    my ($token) = login($kind);
    $client->raw(request('both', "$scheme " . $token->step) . request('both'));
    my $leg = $client->response('GET');
    is told($client, $leg), "401 [$scheme +] open", "item 36: $kind: a first leg";
    is told($client, $client->response('GET')), $ANONYMOUS, "item 36: $kind: the request behind it is nobody's";
    is with($client, "$scheme " . $token->step($leg->token($scheme))), denied('out-of-sequence'), "item 36: $kind: and ended the exchange";
    my (undef, $answer) = begin($client, 'both', login($kind));
    $client->raw(request('both', $answer) . request('both') . request('both', 'Negotiate AAAA') . request('both'));
    my @r = map { $client->response('GET') } 1 .. 4;
    is join(' ', map { $_->{status} } @r), '200 200 401 401', "item 36: $kind: behind the last leg it is the user's";
}

is join("\n", error_lines('exit signal'), grep { /exit signal/ } split /\n/, $server->error_log), '', 'item 35: and nothing died of it';
done_testing;
