# The NTLM flow: three requests, one connection; and everything that an NTLM login can be refused for.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use MIME::Base64 'decode_base64', 'encode_base64';
use POSIX 'uname';
use lib 't/lib', 'lib';
use WinAuth::Der;
use WinAuth::Ntlm;
use WinAuth::Run;
use WinAuth::Suite;

my $ALICE = 'WINAUTH\\\\alice';                 # httpd doubles the backslash in its log
my $NTLM = qr{^NTLM TlRMTVNTUAAC[A-Za-z0-9+/]+={0,2}$};
my $JOERG = "j\xc3\xb6rg";

sub names { return join ' ', sort map { $_->[0] } @{ $_[0]{headers} } }

sub environment {
    my ($response) = @_;
    return { map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/, $response->{body} };
}

sub identity {
    my $seen = environment($_[0]);
    return join ' ', map { defined $seen->{$_} ? $seen->{$_} : '-' } qw(REMOTE_USER AUTH_TYPE WINAUTH_PACKAGE);
}

# outcome(CLIENT): the last line of its log.
sub outcome {
    my $line = log_line(@_);
    return "$line->{user} $line->{status} $line->{reason}";
}

# refused(WHO, CLIENT, RESPONSE, OFFERS, OUTCOME): a 401 that ends the exchange, not the connection.
sub refused {
    my ($who, $client, $r, $offers, $outcome) = @_;
    is $r->{status}, 401, "$who: 401";
    is $r->offers, $offers, "$who: with the bare offers";
    is $r->header('Persistent-Auth'), undef, "$who: no Persistent-Auth";
    ok !$r->{closed}, "$who: the connection stays open";
    is outcome($client), $outcome, "$who: the log";
}

# --- the three requests -------------------------------------------------------------------------

sub flow {
    my ($who, $first, $second, $third) = @_;
    is $first->{line}, 'HTTP/1.1 401 Unauthorized', "$who: the first answer is 401";
    is $first->offers, 'NTLM', "$who: with exactly one bare line";
    is names($first), 'Content-Length Content-Type Date Server WWW-Authenticate', "$who: and no other header";

    is $second->{line}, 'HTTP/1.1 401 Unauthorized', "$who: the second answer is 401";
    is scalar(my @lines = $second->all('WWW-Authenticate')), 1, "$who: with exactly one line";
    like $second->offers, $NTLM, "$who: that has the challenge";
    is names($second), 'Content-Length Content-Type Date Server WWW-Authenticate',
        "$who: and no other header: no Persistent-Auth, no Connection";
    cmp_ok $second->header('Content-Length'), '<=', 341, "$who: and a small body";
    cmp_ok $second->header('Content-Length'), '>', 0, "$who: but a body";

    is $third->{line}, 'HTTP/1.1 200 OK', "$who: the third answer is 200";
    is $third->header('Persistent-Auth'), 'true', "$who: Persistent-Auth: true";
    is names($third), 'Accept-Ranges Content-Length Content-Type Date ETag Last-Modified Persistent-Auth Server',
        "$who: and no other header, above all no WWW-Authenticate";
}

# The challenge is not logged.
sub flow_log {
    my ($who, $client) = @_;
    my @log = log_lines($client, 2);
    is scalar(@log), 2, "$who: two lines in the log";
    is "$log[0]{user} $log[0]{status} $log[0]{reason}", '- 401 2 5 anonymous', "$who: 401 2 5";
    is "$log[1]{user} $log[1]{status} $log[1]{reason}", "$ALICE 200 0 0 ok", "$who: 200 0 0";
}

my $run = curl({}, qw(--ntlm --anyauth -u), 'WINAUTH\\alice:' . PW, 'http://localhost:' . port() . '/w/ntlm/index.html');
is $run->{exit}, 0, 'curl is content';
is $run->{body}, "a page\n", 'curl gets the page';
is $run->{transfers}[0]{connects}, 1, 'curl needs one connection';
my @legs = @{ $run->{legs} };
is scalar(@legs), 3, 'curl needs three requests';
is $legs[0][0]->header('Authorization'), undef, 'curl: the first without credentials';
like $legs[1][0]->header('Authorization'), qr/^NTLM TlRMTVNTUAAB/, 'curl: the second with a type-1';
like $legs[2][0]->header('Authorization'), qr/^NTLM TlRMTVNTUAAD/, 'curl: the third with a type-3';
flow('curl', map { $_->[1] } @legs);
flow_log('curl', $run->{transfers}[0]{port});

my $client = connection();
my $token = WinAuth::Token->ntlm('alice', PW);
my $first = $client->get('/w/ntlm/index.html');
my ($second, $third) = $client->login('/w/ntlm/index.html', $token, 'NTLM');
flow('ntlm_auth', $first, $second, $third);
like $second->{body}, qr/The authentication exchange goes on/, 'ntlm_auth: the body is our own';
is $third->{body}, "a page\n", 'ntlm_auth: the page';
flow_log('ntlm_auth', $client);
ok $token->is_complete, 'ntlm_auth: the client has said all it had to say';
is bare_user($client, 'ntlm'), 'WINAUTH\\alice', 'the login holds for the connection';
is outcome($client, 3), "$ALICE 200 0 0 ok", 'also in the log';

# Without being asked, and whatever the answer is.
$client = connection();
my @r = $client->login('/w/ntlm/missing.html', WinAuth::Token->ntlm('alice', PW), 'NTLM');
is join(' ', map { $_->{status} } @r), '401 404', 'a first request with a type-1 starts the exchange';
is $r[1]->header('Persistent-Auth'), 'true', 'Persistent-Auth is on a 404 too';
is $r[1]->offers, '', 'and no challenge';
is scalar(@{ [ log_lines($client) ] }), 1, 'one line in the log';
is outcome($client), "$ALICE 404 0 0 ok", 'which is that of the 404';

$client = connection();
@r = $client->login('/w/errordoc/index.html', WinAuth::Token->ntlm('alice', PW), 'NTLM');
like $r[0]{body}, qr/exchange goes on/, 'an ErrorDocument has no say in the challenge';
is $r[1]{status}, 200, 'and the login goes through';

# WinAuthLogHandshake
$client = connection();
@r = $client->login('/w/logged/index.html', WinAuth::Token->ntlm('alice', PW), 'NTLM');
is join(' ', map { $_->{status} } @r), '401 200', 'logged: the flow is the same';
is join('|', map { "$_->{user} $_->{status} $_->{reason}" } log_lines($client, 2)),
    "- 401 1 2148074254 handshake|$ALICE 200 0 0 ok", 'logged: the challenge is in the log';

# A body on every leg.
$client = connection();
$token = WinAuth::Token->ntlm('alice', PW);
my $r = $client->request('POST', '/w/ntlm/env.pl', [ Authorization => 'NTLM ' . $token->step ], 'x' x 70_000);
is $r->{status}, 401, 'POST: the challenge';
ok !$r->{closed}, 'POST: the connection stays open';
$r = $client->request('POST', '/w/ntlm/env.pl', [ Authorization => 'NTLM ' . $token->step($r->token('NTLM')) ],
                      'y' x 70_001);
is $r->{status}, 200, 'POST: the answer';
like $r->{body}, qr/^BODY=70001$/m, 'POST: the program got the last body';
$client = connection();
$token = WinAuth::Token->ntlm('alice', PW);
$r = $client->request('HEAD', '/w/ntlm/index.html', [ Authorization => 'NTLM ' . $token->step ]);
like $r->offers, $NTLM, 'HEAD: the challenge';
$r = $client->request('HEAD', '/w/ntlm/index.html', [ Authorization => 'NTLM ' . $token->step($r->token('NTLM')) ]);
is $r->{status}, 200, 'HEAD: the answer';
is $r->header('Persistent-Auth'), 'true', 'HEAD: Persistent-Auth';

# --- the challenge ------------------------------------------------------------------------------

# asked(CLIENT, FLAGS, LENGTH, SCHEME): the challenge that this type-1 gets.
sub asked {
    my ($connection, $flags, $length, $scheme) = @_;
    $scheme ||= 'NTLM';
    my $section = $scheme eq 'NTLM' ? 'ntlm' : 'both';
    my $type1 = encode_base64(WinAuth::Ntlm::negotiate($flags, $length || 32), '');
    my $answer = $connection->get("/w/$section/index.html", Authorization => "$scheme $type1");
    return challenge($answer->token($scheme));
}

sub flags { return WinAuth::Ntlm::flags(@_) }

my $usual = flags(qw(UNICODE OEM REQUEST_TARGET NTLM ALWAYS_SIGN ESS));
$client = connection();
my $c = asked($client, $usual);
is $c->{signature}, "NTLMSSP\0", 'challenge: signature';
is $c->{type}, 2, 'challenge: type';
is unpack('H*', $c->{reserved}), '00' x 8, 'challenge: the reserved field is zero';
is $c->{name}, 'WINAUTH', 'challenge: the target is the domain';
is join(' ', map { $_->[0] } @{ $c->{pairs} }), '2 1 7 0',
    'challenge: domain, computer, time, end; no DNS names that nobody knows';
is WinAuth::Ntlm::pair($c, 2), 'WINAUTH', 'challenge: NetBIOS domain';
is WinAuth::Ntlm::pair($c, 1), uc substr((split /\./, (uname)[1])[0], 0, 15), 'challenge: NetBIOS name of this machine';
my ($low, $high) = unpack 'VV', $c->{pairs}[2][1];
my $now = ($high * 2**32 + $low) / 1e7 - 11644473600;
cmp_ok abs($now - time), '<', 60, 'challenge: the time is now';
is unpack('H*', $c->{version}), '00' x 8, 'challenge: no version, as nobody asked';

my $always = flags(qw(REQUEST_TARGET NTLM ALWAYS_SIGN TARGET_INFO TARGET_DOMAIN));
for my $case (
    [ [qw(UNICODE)], [qw(UNICODE)] ],
    [ [qw(OEM)], [qw(OEM)] ],
    [ [qw(UNICODE OEM)], [qw(UNICODE)] ],
    [ [qw(UNICODE ESS LM_KEY)], [qw(UNICODE ESS)] ],
    [ [qw(UNICODE LM_KEY)], [qw(UNICODE)] ],
    [ [qw(UNICODE SIGN)], [qw(UNICODE SIGN)] ],
    [ [qw(UNICODE SEAL)], [qw(UNICODE SEAL)] ],
    [ [qw(UNICODE 56 128)], [qw(UNICODE 56 128)] ],
    [ [qw(UNICODE SIGN KEY_EXCH)], [qw(UNICODE SIGN KEY_EXCH)] ],
    [ [qw(UNICODE SEAL KEY_EXCH)], [qw(UNICODE SEAL KEY_EXCH)] ],
    [ [qw(UNICODE SIGN 56 128)], [qw(UNICODE SIGN 56 128)] ],
    [ [qw(UNICODE SEAL 128)], [qw(UNICODE SEAL 128)] ],
    [ [qw(UNICODE VERSION)], [qw(UNICODE VERSION)] ],
    [ [qw(UNICODE KEY_EXCH LOCAL_CALL DATAGRAM ANONYMOUS TARGET_SERVER)], [qw(UNICODE)] ],
) {
    my ($asked, $got) = @{$case};
    $c = asked($client, flags(@{$asked}), 40);
    is sprintf('%08x', $c->{flags}), sprintf('%08x', $always | flags(@{$got})), "flags: @{$asked} gives @{$got}";
    is ord(substr $c->{version}, 7, 1), 15, 'flags: and a version' if "@{$got}" =~ /VERSION/;
    is $c->{name}, 'WINAUTH', 'flags: and the target in OEM characters' if "@{$got}" eq 'OEM';
}

my %seen;
for my $connections (1 .. 10) {
    my $connection = connection();
    $seen{ asked($connection, $usual)->{nonce} }++ for 1 .. 20;
}
is scalar(keys %seen), 200, 'no challenge comes twice, on one connection or on several';

# What can be no type-1 at all.
for my $case (
    [ 'neither UNICODE nor OEM', WinAuth::Ntlm::negotiate(flags(qw(NTLM)), 32) ],
    [ '12 bytes', substr WinAuth::Ntlm::negotiate($usual, 32), 0, 12 ],
    [ 'a domain outside', substr(WinAuth::Ntlm::negotiate($usual | flags('DOMAIN_SUPPLIED'), 32), 0, 16)
                          . pack('vvV vvV', 9, 9, 32, 0, 0, 0) ],
    [ 'type 0', "NTLMSSP\0" . pack('VV', 0, $usual) ],
    [ 'type 2', "NTLMSSP\0" . pack('VV', 2, $usual) . "\0" x 40 ],
    [ 'type 4', "NTLMSSP\0" . pack('VV', 4, $usual) ],
    [ 'another signature', "NTLMSSQ\0" . pack('VV', 1, $usual) ],
) {
    my ($what, $bytes) = @{$case};
    $client = connection();
    $r = $client->get('/w/ntlm/index.html', Authorization => 'NTLM ' . encode_base64($bytes, ''));
    refused($what, $client, $r, 'NTLM', '- 401 1 2148074248 bad-token');
}

# Every length that clients send, every encoding, with and without MIC.
for my $length (16, 32, 40) {
    for my $encoding (qw(UNICODE OEM)) {
        for my $mic (0, 1) {
            my $type1 = WinAuth::Ntlm::negotiate(flags($encoding, qw(REQUEST_TARGET NTLM ALWAYS_SIGN ESS)), $length);
            my $who = "$length bytes, $encoding, " . ($mic ? 'MIC' : 'no MIC');
            $client = connection();
            @r = $client->login('/w/ntlm/env.pl', WinAuth::Ntlm->new('alice', PW, 'WINAUTH', type1 => $type1,
                mic => $mic, oem => $encoding eq 'OEM' ? 1 : 0), 'NTLM');
            is join(' ', map { $_->{status} } @r), '401 200', "$who: logged in";
            is identity($r[1]), 'WINAUTH\\alice NTLM NTLM', "$who: as alice";
        }
    }
}

# --- the MIC ------------------------------------------------------------------------------------

# leg_two(CLIENT, TOKEN CLIENT, CHANGE, PATH): the answer to a type-3 that was changed on its way.
sub leg_two {
    my ($connection, $login, $change, $path) = @_;
    $path ||= '/w/ntlm/index.html';
    my $challenge = $connection->get($path, Authorization => 'NTLM ' . $login->step)->token('NTLM');
    return $connection->get($path, Authorization => 'NTLM ' . $change->($login->step($challenge)));
}

for my $offset (72, 80, 87) {
    $client = connection();
    $r = leg_two($client, WinAuth::Token->ntlm('alice', PW), sub { WinAuth::Token::flipped($_[0], $offset) });
    refused("one bit of the MIC, byte $offset", $client, $r, 'NTLM', '- 401 1 2148074255 bad-mic');
    is bare_user($client, 'ntlm'), '-', 'and nobody is logged in';
}
$client = connection();
$r = leg_two($client, WinAuth::Token->ntlm('alice', PW), sub { WinAuth::Token::flipped($_[0], 63) });
refused('one bit of the flags', $client, $r, 'NTLM', '- 401 1 2148074255 bad-mic');

# A type-1 that is not the one the client sent.
my $sent = WinAuth::Ntlm::negotiate($usual, 32);
my $login = WinAuth::Ntlm->new('alice', PW, 'WINAUTH', type1 => $sent);
$client = connection();
$r = $client->get('/w/ntlm/index.html', Authorization => 'NTLM '
    . encode_base64(WinAuth::Ntlm::negotiate($usual & ~flags('ALWAYS_SIGN'), 32), ''));
$r = $client->get('/w/ntlm/index.html', Authorization => 'NTLM ' . $login->step($r->token('NTLM')));
refused('another type-1', $client, $r, 'NTLM', '- 401 1 2148074255 bad-mic');

# --- who it is ----------------------------------------------------------------------------------

for my $case (
    [ 'alice', 'WINAUTH' ], [ 'alice', 'winauth' ], [ 'alice', 'WinAuth' ], [ 'ALICE', 'WINAUTH' ], [ 'aLiCe', '' ],
    [ 'alice', '' ], [ 'alice@WINAUTH.TEST', '' ], [ 'Alice@winauth.test', '' ], [ 'alice@winauth', '' ],
) {
    my ($user, $domain) = @{$case};
    my $who = "$user of " . ($domain || 'nowhere');
    for my $kind (qw(Token Ntlm)) {
        my $class = "WinAuth::$kind";
        $login = $kind eq 'Token' ? $class->ntlm($user, PW, $domain) : $class->new($user, PW, $domain);
        $client = connection();
        @r = $client->login('/w/ntlm/env.pl', $login, 'NTLM');
        is identity($r[-1]), 'WINAUTH\\alice NTLM NTLM', "$kind: $who is alice";
        is outcome($client), "$ALICE 200 0 0 ok", "$kind: $who, the log";
    }
}

# ntlm_auth cannot spell this one.
for my $name ($JOERG, "J\xc3\x96RG") {
    for my $domain ('WINAUTH', 'winauth', '') {
        $client = connection();
        @r = $client->login('/w/ntlm/env.pl', WinAuth::Ntlm->new($name, 'Passw0rd-joerg', $domain), 'NTLM');
        is identity($r[-1]), "WINAUTH\\$JOERG NTLM NTLM", "$name of " . ($domain || 'nowhere') . " is $JOERG";
    }
}

for my $case ([ principal => 'WINAUTH\\alice' ], [ sam => 'alice' ]) {
    my ($section, $name) = @{$case};
    $client = connection();
    @r = $client->login("/w/$section/env.pl", WinAuth::Token->ntlm('alice', PW), 'NTLM');
    is environment($r[-1])->{REMOTE_USER}, $name, "$section: $name";
}

# --- who it is not ------------------------------------------------------------------------------

for my $case (
    [ 'a wrong password', [ 'alice', 'wrong' ], 'bad-password 2148074252' ],
    [ 'an empty password', [ 'alice', '' ], 'bad-password 2148074252' ],
    [ 'the password of somebody else', [ 'alice', 'Passw0rd-bob' ], 'bad-password 2148074252' ],
    [ 'an unknown user', [ 'mallory', PW ], 'unknown-user 2148074252' ],
    [ 'an unknown domain', [ 'alice', PW, 'ELSEWHERE' ], 'unknown-user 2148074252' ],
    [ 'an unknown realm', [ 'alice@ELSEWHERE.TEST', PW, '' ], 'unknown-user 2148074252' ],
) {
    my ($what, $words, $expected) = @{$case};
    my ($reason, $win32) = split / /, $expected;
    $client = connection();
    @r = $client->login('/w/ntlm/env.pl', WinAuth::Token->ntlm(@{$words}), 'NTLM');
    is scalar(@r), 2, "$what: two requests";
    refused($what, $client, $r[1], 'NTLM', "- 401 1 $win32 $reason");
    is bare_user($client, 'ntlm'), '-', "$what: nobody is logged in";
    @r = $client->login('/w/ntlm/env.pl', WinAuth::Token->ntlm('alice', PW), 'NTLM');
    is identity($r[-1]), 'WINAUTH\\alice NTLM NTLM', "$what: the next try on the same connection is a new one";
}

$client = connection();
for my $try (1 .. 5) {
    @r = $client->login('/w/both/env.pl', WinAuth::Token->ntlm('bob', "wrong $try"), 'NTLM');
    refused("try $try", $client, $r[1], 'Negotiate|NTLM', '- 401 1 2148074252 bad-password');
}
@r = $client->login('/w/both/env.pl', WinAuth::Token->ntlm('bob', 'Passw0rd-bob'), 'NTLM');
is identity($r[-1]), 'WINAUTH\\bob NTLM NTLM', 'and then the right one';

$client = connection();
@r = $client->login('/w/ntlm/env.pl', WinAuth::Token->ntlmv1('alice', PW), 'NTLM');
refused('NTLMv1', $client, $r[1], 'NTLM', '- 401 1 2148074252 ntlmv1-refused');

# edited(CODE, OPTIONS): what a type-3 with these fields is told.
sub edited {
    my ($what, $edit, $outcome, %option) = @_;
    my $connection = connection();
    my @answers = $connection->login('/w/ntlm/env.pl',
                                     WinAuth::Ntlm->new('alice', PW, 'WINAUTH', edit => $edit, %option), 'NTLM');
    is scalar(@answers), 2, "$what: two requests";
    refused($what, $connection, $answers[1], 'NTLM', "- 401 1 $outcome");
    my @again = $connection->login('/w/ntlm/env.pl', WinAuth::Ntlm->new('alice', PW, 'WINAUTH'), 'NTLM');
    is identity($again[-1]), 'WINAUTH\\alice NTLM NTLM', "$what: the same process serves on";
}

my $empty = '2148074252 anonymous-refused';
edited('anonymous', sub { @{ $_[0] }{qw(user domain nt lm)} = ('', '', '', "\0"); $_[0]{flags} |= flags('ANONYMOUS') },
       $empty, mic => 0);
edited('no user', sub { $_[0]{user} = '' }, $empty);
edited('a user and no response', sub { @{ $_[0] }{qw(nt lm)} = ('', '') }, $empty, mic => 0);
edited('the anonymous flag alone', sub { $_[0]{flags} |= flags('ANONYMOUS') }, $empty);
edited('LM alone', sub { $_[0]{nt} = ''; $_[0]{lm} = 'x' x 24 }, '2148074252 ntlmv1-refused', mic => 0);
edited('24 bytes', sub { $_[0]{nt} = 'x' x 24 }, '2148074252 ntlmv1-refused', mic => 0);
edited('a response that ends early', sub { $_[0]{nt} = substr $_[0]{nt}, 0, 40 }, '2148074248 bad-token');
edited('a key exchange without key', sub { $_[0]{flags} |= flags('KEY_EXCH') }, '2148074248 bad-token');
edited('a key exchange without key or MIC', sub { $_[0]{flags} |= flags('KEY_EXCH') }, '2148074248 bad-token',
       mic => 0);
edited('a key of 8 bytes', sub { $_[0]{flags} |= flags('KEY_EXCH'); $_[0]{key} = 'x' x 8 }, '2148074248 bad-token',
       mic => 0);
# A key exchange: offered to who asks, and the MIC is made with the key that came.
my $EXCHANGE = WinAuth::Ntlm::negotiate(flags(qw(UNICODE REQUEST_TARGET NTLM ALWAYS_SIGN ESS SIGN KEY_EXCH 128)), 40);
for my $case ([ 'right', {}, '' ], [ 'without MIC', { mic => 0 }, '' ],
              [ 'with another key than the MIC\'s', { edit => sub { substr($_[0]{key}, 3, 1) ^= "\1" } }, '2148074255 bad-mic' ],
              [ 'without the flag', { edit => sub { $_[0]{flags} &= ~flags('KEY_EXCH') } }, '2148074255 bad-mic' ]) {
    my ($what, $option, $outcome) = @{$case};
    $client = connection();
    @r = $client->login('/w/ntlm/env.pl', WinAuth::Ntlm->new('alice', PW, 'WINAUTH', type1 => $EXCHANGE,
                                                             exchange => 'a key, 16 bytes.', %{$option}), 'NTLM');
    if ($outcome) {
        refused("key exchange, $what", $client, $r[-1], 'NTLM', "- 401 1 $outcome");
    }
    else {
        is identity($r[-1]), 'WINAUTH\\alice NTLM NTLM', "key exchange, $what";
    }
}
$client = connection();
@r = $client->login('/w/ntlm/env.pl', WinAuth::Ntlm->new('alice', PW, 'WINAUTH', type1 => $EXCHANGE,
                                                         edit => sub { $_[0]{flags} &= ~flags('KEY_EXCH') }), 'NTLM');
is identity($r[-1]), 'WINAUTH\\alice NTLM NTLM', 'key exchange, offered and not made use of';

edited('half a character', sub { $_[0]{user} .= 'x' }, '2148074248 bad-token');
edited('a name with NUL', sub { $_[0]{user} .= "\0\0" }, '2148074248 bad-token');

# --- legs that do not belong together -----------------------------------------------------------

$client = connection();
$login = WinAuth::Token->ntlm('alice', PW);
my $old = $client->get('/w/ntlm/env.pl', Authorization => 'NTLM ' . $login->step)->token('NTLM');
my $type3 = $login->step($old);
my $other = connection();
$r = $other->get('/w/ntlm/env.pl', Authorization => "NTLM $type3");
refused('a type-3 on another connection', $other, $r, 'NTLM', '- 401 1 2148074248 out-of-sequence');
asked($client, $usual | flags(qw(SIGN KEY_EXCH)));
$r = $client->get('/w/ntlm/env.pl', Authorization => "NTLM $type3");
refused('the answer to an older challenge', $client, $r, 'NTLM', '- 401 1 2148074252 bad-password');
$r = $client->get('/w/ntlm/env.pl', Authorization => "NTLM $type3");
refused('a second answer', $client, $r, 'NTLM', '- 401 1 2148074248 out-of-sequence');

# --- raw NTLM under Negotiate -------------------------------------------------------------------

for my $section (qw(both negotiate)) {
    $client = connection();
    @r = $client->login("/w/$section/env.pl", WinAuth::Token->ntlm('alice', PW), 'Negotiate');
    is join(' ', map { $_->{status} } @r), '401 200', "raw under Negotiate, $section: logged in";
    like $r[0]->offers, qr{^Negotiate TlRMTVNTUAAC}, "raw under Negotiate, $section: the challenge is raw too";
    is $r[1]->offers, '', "raw under Negotiate, $section: no final token";
    is $r[1]->header('Persistent-Auth'), 'true', "raw under Negotiate, $section: Persistent-Auth";
    is identity($r[1]), 'WINAUTH\\alice Negotiate NTLM', "raw under Negotiate, $section: the scheme was Negotiate";
    is bare_user($client, $section), 'WINAUTH\\alice', "raw under Negotiate, $section: the login holds";
}
$client = connection();
@r = $client->login('/w/both/env.pl', WinAuth::Token->ntlm('alice', 'wrong'), 'Negotiate');
refused('raw under Negotiate, wrong password', $client, $r[1], 'Negotiate|NTLM', '- 401 1 2148074252 bad-password');

# A type-1 under one scheme, the type-3 under the other.
$client = connection();
$login = WinAuth::Token->ntlm('alice', PW);
$r = $client->get('/w/both/env.pl', Authorization => 'NTLM ' . $login->step);
$r = $client->get('/w/both/env.pl', Authorization => 'Negotiate ' . $login->step($r->token('NTLM')));
refused('the scheme changed in between', $client, $r, 'Negotiate|NTLM', '- 401 1 2148074248 out-of-sequence');

my $NOT_ALLOWED = '- 401 1 2148074245 ntlm-not-allowed';
for my $case ([ 'kerberos', 'Negotiate' ], [ 'kerberos+ntlm', 'Negotiate|NTLM' ]) {
    my ($section, $offers) = @{$case};
    for my $kind (qw(ntlm spnego_ntlm)) {
        $client = connection();
        @r = $client->login("/w/$section/env.pl", WinAuth::Token->$kind('alice', PW), 'Negotiate');
        is scalar(@r), 1, "$kind under Negotiate, $section: refused at once";
        refused("$kind under Negotiate, $section", $client, $r[0], $offers, $NOT_ALLOWED);
    }
}
for my $section (qw(kerberos negotiate)) {
    $client = connection();
    @r = $client->login("/w/$section/env.pl", WinAuth::Token->ntlm('alice', PW), 'NTLM');
    is scalar(@r), 1, "NTLM, $section: refused at once";
    refused("NTLM, $section", $client, $r[0], 'Negotiate', $NOT_ALLOWED);
}
$client = connection();
@r = $client->login('/w/kerberos+ntlm/env.pl', WinAuth::Token->ntlm('alice', PW), 'NTLM');
is identity($r[-1]), 'WINAUTH\\alice NTLM NTLM', 'NTLM, kerberos+ntlm: that is what it is for';

# --- NTLM inside SPNEGO -------------------------------------------------------------------------

for my $section (qw(both negotiate)) {
    $client = connection();
    $token = WinAuth::Token->spnego_ntlm('alice', PW);
    @r = $client->login("/w/$section/env.pl", $token, 'Negotiate');
    is join(' ', map { $_->{status} } @r), '401 200', "SPNEGO, $section: logged in";
    is names($r[0]), 'Content-Length Content-Type Date Server WWW-Authenticate', "SPNEGO, $section: the challenge";
    my $answer = negotiation($r[0]->token('Negotiate'));
    is $answer->{state}, 1, "SPNEGO, $section: accept-incomplete";
    is unpack('H*', $answer->{mech}), unpack('H*', NTLMSSP), "SPNEGO, $section: supportedMech";
    is challenge(encode_base64($answer->{token}, ''))->{type}, 2, "SPNEGO, $section: a challenge inside";
    is identity($r[1]), 'WINAUTH\\alice Negotiate NTLM', "SPNEGO, $section: identity";
    is $r[1]->header('Persistent-Auth'), 'true', "SPNEGO, $section: Persistent-Auth";
    cmp_ok scalar(@{ [ $r[1]->all('WWW-Authenticate') ] }), '<=', 1, "SPNEGO, $section: at most one line";
    is negotiation($r[1]->token('Negotiate'))->{state}, 0, "SPNEGO, $section: accept-completed";
    $token->step($r[1]->token('Negotiate'));
    ok $token->is_complete, "SPNEGO, $section: the client agrees";
    is join('|', map { "$_->{user} $_->{status} $_->{reason}" } log_lines($client)), "$ALICE 200 0 0 ok",
        "SPNEGO, $section: one line in the log";
    is bare_user($client, $section), 'WINAUTH\\alice', "SPNEGO, $section: the login holds";
}

for my $case (
    [ 'a wrong password', [ 'alice', 'wrong' ], 'bad-password' ],
    [ 'an unknown user', [ 'mallory', PW ], 'unknown-user' ],
    [ 'an unknown domain', [ 'alice', PW, 'ELSEWHERE' ], 'unknown-user' ],
) {
    my ($what, $words, $reason) = @{$case};
    $client = connection();
    @r = $client->login('/w/both/env.pl', WinAuth::Token->spnego_ntlm(@{$words}), 'Negotiate');
    is scalar(@r), 2, "SPNEGO, $what: two requests";
    refused("SPNEGO, $what", $client, $r[1], 'Negotiate|NTLM', "- 401 1 2148074252 $reason");
    @r = $client->login('/w/both/env.pl', WinAuth::Token->spnego_ntlm('alice', PW), 'Negotiate');
    is identity($r[-1]), 'WINAUTH\\alice Negotiate NTLM', "SPNEGO, $what: the next try is a new one";
}

for my $words ([ 'ALICE', PW ], [ 'alice', PW, '' ]) {
    $client = connection();
    @r = $client->login('/w/both/env.pl', WinAuth::Token->spnego_ntlm(@{$words}), 'Negotiate');
    is identity($r[-1]), 'WINAUTH\\alice Negotiate NTLM', "SPNEGO: $words->[0] with " . @{$words} . ' words is alice';
}

# A login by NTLM is none where only Kerberos counts, and stays one elsewhere.
for my $kind (qw(ntlm spnego_ntlm)) {
    $client = connection();
    $client->login('/w/both/env.pl', WinAuth::Token->$kind('alice', PW), 'Negotiate');
    $r = $client->get('/w/kerberos/env.pl');
    refused("$kind, carried over to Kerberos", $client, $r, 'Negotiate', '- 401 2 5 policy-changed');
    is bare_user($client, 'both'), 'WINAUTH\\alice', "$kind: where it was proved it holds";
}

# inner(TOKEN, OFFSET, BYTES): the type-3 in a token overwritten at this offset.
sub inner {
    my ($spnego, $offset, $bytes) = @_;
    my $start = index decode_base64($spnego), "NTLMSSP\0" . pack('V', 3);
    die "no type-3\n" if $start < 0;
    return WinAuth::Token::changed($spnego, $start + $offset, $bytes);
}

for my $case (
    [ 'a key exchange without key', sub {
        my $raw = decode_base64($_[0]);
        my $flags = unpack 'V', substr $raw, index($raw, "NTLMSSP\0" . pack('V', 3)) + 60, 4;
        return inner(inner($_[0], 60, pack 'V', $flags | flags('KEY_EXCH')), 52, pack 'vv', 0, 0);
    }, '2148074248 bad-token' ],
    (map {
        my $length = $_;
        [ "a key of $length bytes where one of 16 was promised", sub {
            my $raw = decode_base64($_[0]);
            my $at = index $raw, "NTLMSSP\0" . pack 'V', 3;
            my $flags = unpack 'V', substr $raw, $at + 60, 4;
            die "no key exchange\n" unless $flags & flags('KEY_EXCH');
            return inner(inner($_[0], 60, pack 'V', $flags & ~flags('KEY_EXCH')), 52, pack 'vv', $length, $length);
        }, '2148074248 bad-token' ]
    } 0, 1, 8, 15),
    [ 'another encoding than was agreed', sub {
        my $raw = decode_base64($_[0]);
        my $flags = unpack 'V', substr $raw, index($raw, "NTLMSSP\0" . pack('V', 3)) + 60, 4;
        return inner($_[0], 60, pack 'V', $flags & ~flags('UNICODE') | flags('OEM'));
    }, '2148074248 bad-token' ],
    [ 'a name outside of the message', sub { inner($_[0], 36, pack 'vvV', 10, 10, 60_000) }, '2148074248 bad-token' ],
    [ 'NTLMv1', sub { inner($_[0], 20, pack 'vv', 24, 24) }, '2148074252 ntlmv1-refused' ],
    [ 'no user', sub { inner($_[0], 36, pack 'vv', 0, 0) }, '2148074252 anonymous-refused' ],
    [ 'one bit of the MIC', sub {
        my $start = index decode_base64($_[0]), "NTLMSSP\0" . pack('V', 3);
        return WinAuth::Token::flipped($_[0], $start + 75);
    }, '2148074255 bad-mic' ],
) {
    my ($what, $change, $outcome) = @{$case};
    $client = connection();
    $token = WinAuth::Token->spnego_ntlm('alice', PW);
    $r = $client->get('/w/both/env.pl', Authorization => 'Negotiate ' . $token->step);
    $r = $client->get('/w/both/env.pl', Authorization => 'Negotiate ' . $change->($token->step($r->token('Negotiate'))));
    refused("SPNEGO, $what", $client, $r, 'Negotiate|NTLM', "- 401 1 $outcome");
    @r = $client->login('/w/both/env.pl', WinAuth::Token->spnego_ntlm('alice', PW), 'Negotiate');
    is identity($r[-1]), 'WINAUTH\\alice Negotiate NTLM', "SPNEGO, $what: the same process serves on";
}

is join("\n", error_lines('exit signal')), '', 'no process of the server died of any of this';

done_testing;
