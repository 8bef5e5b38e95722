# The Kerberos flow: two requests, one connection, both sides proven to each other.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use MIME::Base64 'decode_base64', 'encode_base64';
use lib 't/lib', 'lib';
use WinAuth::Der;
use WinAuth::Run;
use WinAuth::Suite;

my $CACHE = "$ENV{WA_KDC}/alice.ccache";
my $ALICE = 'WINAUTH\\\\alice';                 # httpd doubles the backslash in its log
my $KERBEROS = qr{^Negotiate [A-Za-z0-9+/]+={0,2}$};

sub names { return join ' ', sort map { $_->[0] } @{ $_[0]{headers} } }

sub environment {
    my ($response) = @_;
    return { map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/, $response->{body} };
}

# flow(WHO, 401, 200): what the two answers must look like.
sub flow {
    my ($who, $first, $second) = @_;
    is $first->{line}, 'HTTP/1.1 401 Unauthorized', "$who: the first answer is 401";
    is $first->offers, 'Negotiate', "$who: with exactly one bare line";
    is names($first), 'Content-Length Content-Type Date Server WWW-Authenticate',
        "$who: and no other header: no Persistent-Auth, no Connection";
    is $second->{line}, 'HTTP/1.1 200 OK', "$who: the second answer is 200";
    is scalar(my @lines = $second->all('WWW-Authenticate')), 1, "$who: with one line";
    like $second->offers, $KERBEROS, "$who: that has the final token";
    is $second->header('Persistent-Auth'), 'true', "$who: Persistent-Auth: true";
    is names($second), 'Accept-Ranges Content-Length Content-Type Date ETag Last-Modified Persistent-Auth '
        . 'Server WWW-Authenticate', "$who: and no header that a page without login would not have";
}

# flow_log(WHO, CLIENT): what is logged of it.
sub flow_log {
    my ($who, $client) = @_;
    my @log = log_lines($client, 2);
    is scalar(@log), 2, "$who: two lines in the log";
    is "$log[0]{user} $log[0]{status}", '- 401 2 5', "$who: 401 2 5";
    is $log[0]{reason}, 'anonymous', "$who: because nobody was there yet";
    is "$log[1]{user} $log[1]{status}", "$ALICE 200 0 0", "$who: 200 0 0";
    is $log[1]{reason}, 'ok', "$who: because all is well";
}

# reply(WHO, TOKEN, MECH): the final token of SPNEGO, and the Kerberos reply in it.
sub reply {
    my ($who, $token, $mech) = @_;
    my $answer = negotiation($token);
    is $answer->{state}, 0, "$who: accept-completed";
    is unpack('H*', $answer->{mech}), unpack('H*', $mech), "$who: supportedMech";
    is $answer->{mic}, undef, "$who: no MIC that nobody needs";
    return krb5_reply($who, $answer->{token});
}

sub krb5_reply {
    my ($who, $token) = @_;
    my $body = inside($token, 0x60);
    my $start = der(0x06, KRB5) . "\x02\0";
    is unpack('H*', substr $body, 0, length $start), unpack('H*', $start), "$who: a Kerberos reply";
    is ord(substr $body, length $start, 1), 0x6f, "$who: which is an AP-REP";
}

# --- curl ---------------------------------------------------------------------------------------

my $run = curl({ KRB5CCNAME => $CACHE }, qw(--negotiate --anyauth -u :),
               'http://localhost:' . port() . '/w/negotiate/index.html');
is $run->{exit}, 0, 'curl is content';
is $run->{body}, "a page\n", 'curl gets the page';
is $run->{transfers}[0]{connects}, 1, 'curl needs one connection';
my @legs = @{ $run->{legs} };
is scalar(@legs), 2, 'curl needs two requests';
is $legs[0][0]->header('Authorization'), undef, 'curl: the first without credentials';
like $legs[1][0]->header('Authorization'), qr/^Negotiate YII/, 'curl: the second with a Kerberos token';
flow('curl', $legs[0][1], $legs[1][1]);
flow_log('curl', $run->{transfers}[0]{port});
reply('curl', $legs[1][1]->token('Negotiate'), KRB5);

# --- MIT GSSAPI on a socket of ours -------------------------------------------------------------

my $client = connection();
my $token = WinAuth::Token->spnego('alice');
my $first = $client->get('/w/negotiate/index.html');
my $ticket = $token->step;
my $second = $client->get('/w/negotiate/index.html', Authorization => "Negotiate $ticket");
flow('gssapi', $first, $second);
is $second->{body}, "a page\n", 'gssapi: the page';
ok !$token->is_complete, 'gssapi: before it read the answer the client is not satisfied';
$token->step($second->token('Negotiate'));
ok $token->is_complete, 'gssapi: the client has proof that the server is who it says';
flow_log('gssapi', $client);
reply('gssapi', $second->token('Negotiate'), KRB5);

# The login holds for the connection.
my $third = $client->get('/w/negotiate/index.html');
is $third->{status}, 200, 'a third request needs no token';
is $third->offers, '', 'and gets none';
my $line = log_line($client, 3);
is "$line->{user} $line->{status}", "$ALICE 200 0 0", 'and is alice in the log';

# --- without being asked ------------------------------------------------------------------------

$client = connection();
$token = WinAuth::Token->spnego('bob');
my $r = $client->get('/w/negotiate/index.html', Authorization => 'Negotiate ' . $token->step);
is $r->{status}, 200, 'a token in the very first request is enough';
$token->step($r->token('Negotiate'));
ok $token->is_complete, 'and mutual';
is scalar(@{ [ log_lines($client) ] }), 1, 'with one line in the log';
is log_line($client)->{user}, 'WINAUTH\\\\bob', 'that is bob';

for my $method (qw(HEAD POST)) {
    $client = connection();
    $token = WinAuth::Token->spnego('alice');
    $r = $client->request($method, '/w/negotiate/env.pl', [ Authorization => 'Negotiate ' . $token->step ],
                          $method eq 'POST' ? 'x' x 70_000 : undef);
    is $r->{status}, 200, "$method: 200";
    like $r->offers, $KERBEROS, "$method: the final token";
    is $r->header('Persistent-Auth'), 'true', "$method: Persistent-Auth";
    like $r->{body}, qr/^BODY=70000$/m, "$method: the program got the body" if $method eq 'POST';
}

$client = connection();
$token = WinAuth::Token->spnego('alice');
$r = $client->get('/w/negotiate/missing.html', Authorization => 'Negotiate ' . $token->step);
is $r->{status}, 404, 'whatever the answer is';
like $r->offers, $KERBEROS, 'the final token is on it';
is $r->header('Persistent-Auth'), 'true', 'and Persistent-Auth';
$token->step($r->token('Negotiate'));
ok $token->is_complete, 'and the client believes the 404';
$line = log_line($client);
is "$line->{user} $line->{status}", "$ALICE 404 0 0", 'logged with the user';

# --- what Windows sends -------------------------------------------------------------------------

# The list that Windows proposes: its own misspelt OID first.  The answer must name what was chosen.
sub windows {
    my ($who, $first_token) = @_;
    my $connection = connection();
    my $answer = $connection->get('/w/both/env.pl', Authorization => "Negotiate $first_token");
    is $answer->{status}, 200, "$who: 200";
    reply($who, $answer->token('Negotiate'), MS_KRB5);
    my $seen = environment($answer);
    is "$seen->{REMOTE_USER} $seen->{WINAUTH_PACKAGE}", 'WINAUTH\\alice Kerberos', "$who: it is alice";
    is bare_user($connection, 'both'), 'WINAUTH\\alice', "$who: and stays alice";
}

my $raw = decode_base64(WinAuth::Token->spnego('alice')->step);
my $at = index $raw, KRB5;
ok $at > 0 && $at < 40, 'the client proposes the standard OID';
substr $raw, $at, length KRB5, MS_KRB5;
windows('the OID of Windows alone', encode_base64($raw, ''));

sub mech_token {
    my $bytes = decode_base64(WinAuth::Token->spnego('alice')->step);
    my ($oid, $negotiation) = elements(inside($bytes, 0x60));
    return inside($negotiation->[1], 0x30, 0xa2, 0x04);
}

windows('the list of Windows', init_token(mech_token(), MS_KRB5, KRB5, NEGOEX, NTLMSSP));

# Only the misspelt one, and one that nobody knows behind it.
windows('a list with a stranger', init_token(mech_token(), MS_KRB5, pack 'H*', '2b0601040182370202ff01'));

# --- Kerberos without SPNEGO around it ----------------------------------------------------------

$client = connection();
$token = WinAuth::Token->krb5('alice');
my $bare = $token->step;
is unpack('H*', substr decode_base64($bare), 0, 1), '60', 'a bare Kerberos token';
$r = $client->get('/w/negotiate/env.pl', Authorization => "Negotiate $bare");
is $r->{status}, 200, 'bare Kerberos: 200';
krb5_reply('bare Kerberos', decode_base64($r->token('Negotiate')));
$token->step($r->token('Negotiate'));
ok $token->is_complete, 'bare Kerberos: mutual';
is environment($r)->{REMOTE_USER}, 'WINAUTH\\alice', 'bare Kerberos: alice';
is $r->header('Persistent-Auth'), 'true', 'bare Kerberos: Persistent-Auth';
is bare_user($client, 'negotiate'), 'WINAUTH\\alice', 'bare Kerberos: the login holds';

# --- the same token again -----------------------------------------------------------------------

for my $case ([ 'SPNEGO', $ticket ], [ 'bare Kerberos', $bare ]) {
    my ($kind, $again) = @{$case};
    $client = connection();
    $r = $client->get('/w/negotiate/index.html', Authorization => "Negotiate $again");
    is $r->{status}, 401, "$kind replayed: 401";
    is $r->offers, 'Negotiate', "$kind replayed: with the bare offer";
    is $r->header('Persistent-Auth'), undef, "$kind replayed: no Persistent-Auth";
    $line = log_line($client);
    is "$line->{user} $line->{status} $line->{reason}", '- 401 1 2148074256 replay', "$kind replayed: the log";
    ok !$r->{closed}, "$kind replayed: the connection stays";
    is bare_user($client, 'negotiate'), '-', "$kind replayed: nobody is logged in";
    my $fresh = WinAuth::Token->spnego('bob');
    $r = $client->get('/w/negotiate/env.pl', Authorization => 'Negotiate ' . $fresh->step);
    is environment($r)->{REMOTE_USER}, 'WINAUTH\\bob', "$kind replayed: a fresh token works there";
}

# One bit of the ticket changed: who made it had not our key.
$client = connection();
my $good = WinAuth::Token->krb5('alice')->step;
$r = $client->get('/w/negotiate/index.html', Authorization => 'Negotiate ' . WinAuth::Token::flipped($good, 400));
is $r->{status}, 401, 'an altered ticket: 401';
$line = log_line($client);
is "$line->{user} $line->{status} $line->{reason}", "- 401 1 2148074252 wrong-key",
    'an altered ticket: the log';

# --- where Kerberos is let in -------------------------------------------------------------------

for my $section (qw(kerberos both negotiate reversed kerberos+ntlm)) {
    $client = connection();
    $token = WinAuth::Token->spnego('alice');
    $r = $client->get("/w/$section/env.pl", Authorization => 'Negotiate ' . $token->step);
    is $r->{status}, 200, "$section: 200";
    like $r->offers, $KERBEROS, "$section: one line";
    my $seen = environment($r);
    is $seen->{REMOTE_USER}, 'WINAUTH\\alice', "$section: REMOTE_USER";
    is $seen->{AUTH_TYPE}, 'Negotiate', "$section: AUTH_TYPE";
    is $seen->{WINAUTH_PACKAGE}, 'Kerberos', "$section: WINAUTH_PACKAGE";
    is $seen->{HTTP_AUTHORIZATION}, undef, "$section: the program does not see the token";
    is $seen->{WINAUTH_SID}, undef, "$section: no SID that nobody knows";
}

for my $kind (qw(spnego krb5)) {
    $client = connection();
    $r = $client->get('/w/ntlm/index.html', Authorization => 'Negotiate ' . WinAuth::Token->$kind('alice')->step);
    is $r->{status}, 401, "$kind, a section with NTLM alone: 401";
    is $r->offers, 'NTLM', "$kind, a section with NTLM alone: that is all it offers";
    $line = log_line($client);
    is "$line->{user} $line->{status} $line->{reason}", '- 401 2 5 anonymous',
        "$kind, a section with NTLM alone: the log";
    is bare_user($client, 'both'), '-', "$kind, a section with NTLM alone: nobody is logged in";
    $client = connection();
    $r = $client->get('/w/ntlm/index.html', Authorization => 'NTLM ' . WinAuth::Token->$kind('alice')->step);
    is $r->{status}, 401, "$kind under the name of NTLM: 401";
    $line = log_line($client);
    is "$line->{status} $line->{reason}", '401 1 2148074248 bad-token', "$kind under the name of NTLM: the log";
}

# --- how REMOTE_USER looks ----------------------------------------------------------------------

for my $case ([ principal => 'alice@WINAUTH.TEST' ], [ sam => 'alice' ], [ both => 'WINAUTH\\alice' ]) {
    my ($section, $name) = @{$case};
    $client = connection();
    $r = $client->get("/w/$section/env.pl",
                      Authorization => 'Negotiate ' . WinAuth::Token->spnego('alice')->step);
    is environment($r)->{REMOTE_USER}, $name, "$section: $name";
    is bare_user($client, $section), $name, "$section: also in the next request";
}

done_testing;
