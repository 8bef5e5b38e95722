# A login holds for one connection, as long as the section it serves allows, and for nobody else.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'encode_base64';
use Time::HiRes 'sleep';
use WinAuth::Server;
use WinAuth::Suite;

my $ALICE = 'WINAUTH\\alice';
my $BOB = 'WINAUTH\\bob';

sub ntlm { return WinAuth::Token->ntlm($_[0], $_[1] || "Passw0rd-$_[0]") }
sub spnego_ntlm { return WinAuth::Token->spnego_ntlm($_[0], "Passw0rd-$_[0]") }
sub kerberos { return WinAuth::Token->spnego($_[0]) }

sub page { return "/w/$_[0]/env.pl" }

sub user_in {
    my ($r) = @_;
    return $r->{body} =~ /^REMOTE_USER=(.*)$/m ? $1 : '-';
}

# The outcome of a response in one line: status, offers or user.
sub outcome {
    my ($r) = @_;
    return "$r->{status} " . ($r->{status} == 200 ? user_in($r) : $r->offers);
}

# The last leg of a login, which must be served as that user.
sub login_ok {
    my ($client, $section, $token, $scheme, $user, $what) = @_;
    my @r = $client->login(page($section), $token, $scheme);
    is outcome($r[-1]), "200 $user", "$what: logged in";
    return $r[-1];
}

# first_leg(CLIENT, SECTION, TOKEN CLIENT, SCHEME, @HEADERS): the challenge and the client's answer to it.
sub first_leg {
    my ($client, $section, $token, $scheme, @headers) = @_;
    my $r = $client->get(page($section), Authorization => "$scheme " . $token->step, @headers);
    my $challenge = $r->token($scheme) or die "no challenge: $r->{line} " . $r->offers . "\n";
    return ($challenge, "$scheme " . $token->step($challenge));
}

sub refused {
    my ($client, $r, $offers, $reason, $what) = @_;
    is outcome($r), "401 $offers", "$what: refused with the offers";
    ok !$r->{closed}, "$what: the connection stays open";
    is $r->header('Persistent-Auth'), undef, "$what: no Persistent-Auth";
    # the line of this request is the last one, and the connection has not moved on yet
    my $mark = page('none') . '/' . int rand 1e9;
    $client->get($mark);
    my @lines = ();
    for (1 .. 60) {
        @lines = log_lines($client);
        last if $lines[-1] && $lines[-1]{request} =~ /\Q$mark\E$/;
        sleep 0.05;
    }
    is $lines[-2]{reason}, $reason, "$what: reason";
}

# --- one connection, and no other

{
    my $what = 'two connections';
    my ($one, $two) = (connection(), connection());
    my (undef, $answer) = first_leg($one, 'both', ntlm('alice'), 'NTLM');
    refused($two, $two->get(page('both'), Authorization => $answer), 'Negotiate|NTLM', 'out-of-sequence',
            "$what: an answer on a fresh one");
    first_leg($two, 'both', ntlm('bob'), 'NTLM');
    refused($two, $two->get(page('both'), Authorization => $answer), 'Negotiate|NTLM', 'bad-password',
            "$what: an answer on one with its own challenge");
    is bare_user($two, 'both'), '-', "$what: and nobody is logged in there";
    is outcome($one->get(page('both'), Authorization => $answer)), "200 $ALICE", "$what: on its own it works";
    is bare_user($two, 'both'), '-', "$what: and logs in nobody elsewhere";
    is bare_user($one, 'both'), $ALICE, "$what: but here";

    (undef, $answer) = first_leg($one, 'both', spnego_ntlm('alice'), 'Negotiate');
    refused($two, $two->get(page('both'), Authorization => $answer), 'Negotiate|NTLM',
            'out-of-sequence', "$what: the same inside SPNEGO");
    is outcome($one->get(page('both'), Authorization => $answer)), "200 $ALICE", "$what: on its own it works";
}

# --- the same connection, again and again

for my $scheme (qw(NTLM Negotiate)) {
    my $client = connection();
    for my $attempt (1 .. 3) {
        my @r = $client->login(page('both'), ntlm('alice', 'wrong'), $scheme);
        refused($client, $r[-1], 'Negotiate|NTLM', 'bad-password', "$scheme, wrong password $attempt");
    }
    is bare_user($client, 'both'), '-', "$scheme: nobody is logged in";
    my $r = login_ok($client, 'both', ntlm('alice'), $scheme, $ALICE, "$scheme, then the right password");
    is $r->header('Persistent-Auth'), 'true', "$scheme: Persistent-Auth";
    login_ok($client, 'both', ntlm('bob'), $scheme, $BOB, "$scheme, then another user");
    is bare_user($client, 'both'), $BOB, "$scheme: who stays";
    my @r = $client->login(page('both'), ntlm('alice', 'wrong'), $scheme);
    refused($client, $r[-1], 'Negotiate|NTLM', 'bad-password', "$scheme, then a wrong password again");
    is bare_user($client, 'both'), '-', "$scheme: which costs the old login";
}

{
    my $what = 'abandoned handshake';
    my $client = connection();
    my (undef, $answer) = first_leg($client, 'both', ntlm('alice'), 'NTLM');
    login_ok($client, 'both', kerberos('bob'), 'Negotiate', $BOB, "$what, then Kerberos");
    refused($client, $client->get(page('both'), Authorization => $answer), 'Negotiate|NTLM',
            'out-of-sequence', "$what: the late answer");
    is bare_user($client, 'both'), '-', "$what: which costs the login";
}

for my $scheme (qw(NTLM Negotiate)) {
    my $client = connection();
    my ($one, $two) = (ntlm('alice'), ntlm('alice'));
    my ($first, $old_answer) = first_leg($client, 'both', $one, $scheme);
    my ($second, $answer) = first_leg($client, 'both', $two, $scheme);
    isnt $second, $first, "$scheme restart: another challenge";
    isnt substr($second, 32, 8), substr($first, 32, 8), "$scheme restart: with another nonce";
    refused($client, $client->get(page('both'), Authorization => $old_answer), 'Negotiate|NTLM',
            'bad-password', "$scheme restart: the answer to the first one");
    refused($client, $client->get(page('both'), Authorization => $answer), 'Negotiate|NTLM',
            'out-of-sequence', "$scheme restart: one challenge, one answer");
    (undef, $answer) = first_leg($client, 'both', ntlm('alice'), $scheme);
    is outcome($client->get(page('both'), Authorization => $answer)), "200 $ALICE",
        "$scheme restart: a third one is answered rightly";
}

for my $case ([ 'NTLM', 'Negotiate' ], [ 'Negotiate', 'NTLM' ]) {
    my ($from, $to) = @$case;
    my $client = connection();
    my (undef, $answer) = first_leg($client, 'both', ntlm('alice'), $from);
    (my $switched = $answer) =~ s/^\S+/$to/;
    refused($client, $client->get(page('both'), Authorization => $switched), 'Negotiate|NTLM',
            'out-of-sequence', "switch from $from to $to");
    refused($client, $client->get(page('both'), Authorization => $answer), 'Negotiate|NTLM',
            'out-of-sequence', "and back to $from");
}

{
    my $client = connection();
    my (undef, $answer) = first_leg($client, 'both', ntlm('alice'), 'NTLM');
    is bare_user($client, 'both'), '-', 'a bare request in mid-exchange is nobody';
    refused($client, $client->get(page('both'), Authorization => $answer), 'Negotiate|NTLM',
            'out-of-sequence', 'and the exchange is over');

    (undef, $answer) = first_leg($client, 'both', ntlm('alice'), 'NTLM');
    is $client->get('/w/none/index.html')->{status}, 200, 'an unprotected page in mid-exchange is served';
    is outcome($client->get(page('both'), Authorization => $answer)), "200 $ALICE", 'and disturbs nothing';
    is outcome($client->get(page('none'))), '200 -', 'an unprotected page has no user after a login';
    is outcome($client->get(page('none'), Authorization => $answer)), '200 -', 'nor looks at credentials';
    is bare_user($client, 'both'), $ALICE, 'and the login stays';
}

# --- the persistence directives

{
    my %logins = (
        'raw NTLM' => sub { (ntlm('alice'), 'NTLM') },
        'raw NTLM under Negotiate' => sub { (ntlm('alice'), 'Negotiate') },
        'NTLM inside SPNEGO' => sub { (spnego_ntlm('alice'), 'Negotiate') },
        'Kerberos' => sub { (kerberos('alice'), 'Negotiate') },
    );
    for my $how (sort keys %logins) {
        my %bound = (both => 1, single => 0, 'nonntlm-off' => $how ne 'Kerberos');
        for my $section (sort keys %bound) {
            my $what = "$how, $section";
            my $client = connection();
            my $r = login_ok($client, $section, $logins{$how}->(), $ALICE, $what);
            is join('|', $r->all('Persistent-Auth')), $bound{$section} ? 'true' : 'false',
                "$what: Persistent-Auth";
            is $r->header('Cache-Control'), undef, "$what: no Cache-Control on an answer to credentials";
            $r = $client->get(page($section));
            is $r->{status}, $bound{$section} ? 200 : 401, "$what: the second request";
            is user_in($r), $bound{$section} ? $ALICE : '-', "$what: and its user";
            is $r->header('Cache-Control'), $bound{$section} ? 'private' : undef, "$what: and Cache-Control";
            is $r->header('Persistent-Auth'), undef, "$what: Persistent-Auth only when credentials came";
            is log_line($client, 2)->{reason}, $bound{$section} ? 'ok' : 'anonymous', "$what: its reason";
        }
    }

    my $what = 'NTLM elsewhere, then WinAuthPersistNonNTLM Off';
    my $client = connection();
    login_ok($client, 'both', ntlm('alice'), 'NTLM', $ALICE, $what);
    is bare_user($client, 'nonntlm-off'), $ALICE, "$what: NTLM holds there";
    my $r = login_ok($client, 'nonntlm-off', kerberos('bob'), 'Negotiate', $BOB, "$what, then Kerberos");
    is $r->header('Persistent-Auth'), 'false', "$what: Kerberos does not";
    is bare_user($client, 'nonntlm-off'), '-', "$what: and took the NTLM login away";
    is bare_user($client, 'both'), '-', "$what: everywhere";

    $what = 'Kerberos elsewhere, then WinAuthPersistNonNTLM Off';
    $client = connection();
    login_ok($client, 'both', kerberos('alice'), 'Negotiate', $ALICE, $what);
    refused($client, $client->get(page('nonntlm-off')), 'Negotiate|NTLM', 'policy-changed', $what);
    is bare_user($client, 'both'), $ALICE, "$what: the login still works in its own section";

    $what = 'any login elsewhere, then WinAuthPersistSingleRequest On';
    refused($client, $client->get(page('single')), 'Negotiate|NTLM', 'policy-changed', $what);
    is bare_user($client, 'both'), $ALICE, "$what: the login still works in its own section";
}

{
    my $client = connection();
    login_ok($client, 'three', ntlm('alice'), 'NTLM', $ALICE, 'requests=3');
    is bare_user($client, 'three'), $ALICE, "requests=3: request $_" for 1 .. 3;
    refused($client, $client->get(page('three')), 'Negotiate|NTLM', 'persist-limit', 'requests=3, the fourth');
    is bare_user($client, 'both'), '-', 'requests=3: then the login is gone everywhere';
    login_ok($client, 'both', ntlm('alice'), 'NTLM', $ALICE, 'requests=3, elsewhere');
    is bare_user($client, 'both'), $ALICE, "requests=3, elsewhere: request $_" for 1 .. 4;
    refused($client, $client->get(page('three')), 'Negotiate|NTLM', 'persist-limit',
            'requests=3: those served elsewhere count');

    $client = connection();
    login_ok($client, 'second', kerberos('alice'), 'Negotiate', $ALICE, 'seconds=1');
    is bare_user($client, 'second'), $ALICE, 'seconds=1: at once';
    sleep 1.1;
    refused($client, $client->get(page('second')), 'Negotiate|NTLM', 'persist-limit', 'seconds=1, later');
    is bare_user($client, 'both'), '-', 'seconds=1: then the login is gone everywhere';
    login_ok($client, 'second', kerberos('alice'), 'Negotiate', $ALICE, 'seconds=1, once more');
    is bare_user($client, 'second'), $ALICE, 'seconds=1: at once';
}

# --- a login goes where its kind is accepted

for my $case (
    [ 'raw NTLM', sub { (ntlm('alice'), 'NTLM') }, { kerberos => 'Negotiate', negotiate => 'Negotiate' },
      [ 'both', 'ntlm', 'kerberos+ntlm' ] ],
    [ 'raw NTLM under Negotiate', sub { (ntlm('alice'), 'Negotiate') },
      { kerberos => 'Negotiate', ntlm => 'NTLM', 'kerberos+ntlm' => 'Negotiate|NTLM' }, [ 'both', 'negotiate' ] ],
    [ 'NTLM inside SPNEGO', sub { (spnego_ntlm('alice'), 'Negotiate') },
      { kerberos => 'Negotiate', ntlm => 'NTLM', 'kerberos+ntlm' => 'Negotiate|NTLM' }, [ 'both', 'negotiate' ] ],
    [ 'Kerberos', sub { (kerberos('alice'), 'Negotiate') }, { ntlm => 'NTLM' },
      [ 'both', 'negotiate', 'kerberos', 'kerberos+ntlm' ] ],
) {
    my ($how, $login, $refusing, $accepting) = @$case;
    my $client = connection();
    login_ok($client, 'both', $login->(), $ALICE, $how);
    for my $section (sort keys %$refusing) {
        refused($client, $client->get(page($section)), $refusing->{$section}, 'policy-changed',
                "$how, then $section");
    }
    is bare_user($client, $_), $ALICE, "$how: still holds in $_" for @$accepting;
}

# An exchange may begin in one section and end in another; the one it ends in decides.
for my $case ([ 'raw NTLM', sub { (ntlm('alice'), 'NTLM') } ],
              [ 'raw NTLM under Negotiate', sub { (ntlm('alice'), 'Negotiate') } ],
              [ 'NTLM inside SPNEGO', sub { (spnego_ntlm('alice'), 'Negotiate') } ]) {
    my ($how, $login) = @$case;
    my $client = connection();
    my (undef, $answer) = first_leg($client, 'both', $login->());
    refused($client, $client->get(page('kerberos'), Authorization => $answer), 'Negotiate',
            'ntlm-not-allowed', "$how begun where it is accepted, ended where not");
    is bare_user($client, 'both'), '-', "$how: and logs in nobody";
    (undef, $answer) = first_leg($client, 'both', $login->());
    my $r = $client->get(page('single'), Authorization => $answer);
    is outcome($r), "200 $ALICE", "$how: ended in a section of single requests";
    is $r->header('Persistent-Auth'), 'false', "$how: which does not bind";
    is bare_user($client, 'both'), '-', "$how: nor elsewhere";
}

# --- proxies

for my $header ([ Via => '1.1 proxy.example' ], [ 'X-Forwarded-For' => '192.0.2.7' ],
                [ Forwarded => 'for=192.0.2.7' ]) {
    my @proxied = @$header;
    my $name = $proxied[0];
    my $client = connection();
    login_ok($client, 'both', ntlm('alice'), 'NTLM', $ALICE, $name);
    refused($client, $client->get(page('both'), @proxied), 'Negotiate', 'anonymous', "$name: no reuse");
    is bare_user($client, 'both'), $ALICE, "$name: the login stays for requests without it";

    for my $case ([ 'raw NTLM', sub { (ntlm('bob'), 'NTLM') } ],
                  [ 'raw NTLM under Negotiate', sub { (ntlm('bob'), 'Negotiate') } ],
                  [ 'NTLM inside SPNEGO', sub { (spnego_ntlm('bob'), 'Negotiate') } ]) {
        my ($how, $login) = @$case;
        my ($token, $scheme) = $login->();
        login_ok($client, 'both', ntlm('alice'), 'NTLM', $ALICE, $name);
        my $r = $client->get(page('both'), Authorization => "$scheme " . $token->step, @proxied);
        refused($client, $r, 'Negotiate', 'untrusted-proxy', "$name: $how, first leg");
        is bare_user($client, 'both'), '-', "$name: $how, and the old login is gone";
        my (undef, $answer) = first_leg($client, 'both', $login->());
        $r = $client->get(page('both'), Authorization => $answer, @proxied);
        refused($client, $r, 'Negotiate', 'untrusted-proxy', "$name: $how, last leg");
        is bare_user($client, 'both'), '-', "$name: $how, and nobody is logged in";
    }

    login_ok($client, 'both', ntlm('alice'), 'NTLM', $ALICE, $name);
    my $r = $client->get(page('both'), Authorization => 'Negotiate ' . kerberos('bob')->step, @proxied);
    is outcome($r), "200 $BOB", "$name: Kerberos is served";
    is $r->header('Persistent-Auth'), 'false', "$name: unbound";
    is bare_user($client, 'both'), '-', "$name: which shows";
    refused($client, $client->get(page('both'), @proxied), 'Negotiate', 'anonymous', "$name: with it, too");

    $client = connection();
    $r = $client->get(page('ntlm'), @proxied);
    is outcome($r), '403 ', "$name: where nothing can be offered, nothing is";
    is log_line($client)->{reason}, 'anonymous', "$name: with its reason";
}

# --- spelling

for my $case ([ authorization => 'ntlm ' ], [ AUTHORIZATION => "NTLM\t\t" ], [ aUTHORIZATION => " \tnTlM \t " ],
              [ Authorization => 'NTLM  ' ]) {
    my ($name, $scheme) = @$case;
    (my $what = "$name: $scheme") =~ s/\t/\\t/g;
    my $client = connection();
    my $token = ntlm('alice');
    my $r = $client->get(page('both'), $name => $scheme . $token->step . " \t");
    my $challenge = $r->token('NTLM');
    ok $challenge, "'$what': challenged";
    is outcome($client->get(page('both'), $name => $scheme . $token->step($challenge) . ' ')), "200 $ALICE",
        "'$what': logged in";
}
for my $scheme ('nEgOtIaTe ', "negotiate\t", 'NEGOTIATE   ') {
    my $r = connection()->get(page('both'), authorization => $scheme . kerberos('alice')->step);
    is outcome($r), "200 $ALICE", "'$scheme': logged in";
    ok $r->token('Negotiate'), "'$scheme': the answer spells it as usual";
}

# --- several requests in one go

sub request {
    my ($section, %headers) = @_;
    return 'GET ' . page($section) . " HTTP/1.1\r\nHost: localhost\r\n"
        . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers) . "\r\n";
}

{
    my $client = connection();
    my ($alice, $bob) = (ntlm('alice'), ntlm('bob'));
    $client->raw(request('both', Authorization => 'NTLM ' . $alice->step) . request('both'));
    my $r = $client->response('GET');
    my $challenge = $r->token('NTLM');
    ok $challenge, 'pipelined behind a type 1: challenged';
    is outcome($client->response('GET')), '401 Negotiate|NTLM', 'and the bare request is anonymous';
    refused($client, $client->get(page('both'), Authorization => 'NTLM ' . $alice->step($challenge)),
            'Negotiate|NTLM', 'out-of-sequence', 'and has ended the exchange');

    my (undef, $answer) = first_leg($client, 'both', $bob, 'NTLM');
    $client->raw(request('both', Authorization => $answer) . request('both')
                 . request('both', Authorization => $answer) . request('both'));
    is outcome($client->response('GET')), "200 $BOB", 'pipelined: a type 3';
    is outcome($client->response('GET')), "200 $BOB", 'then a bare request, on its login';
    is outcome($client->response('GET')), '401 Negotiate|NTLM', 'then the type 3 again';
    is outcome($client->response('GET')), '401 Negotiate|NTLM', 'then a bare request, anonymous';

    $client->raw(request('both', Authorization => 'NTLM ' . ntlm('alice')->step)
                 . request('both', Authorization => 'NTLM ' . ntlm('alice')->step)
                 . request('both', Authorization => 'Negotiate ' . kerberos('alice')->step)
                 . request('both') . request('both', Via => '1.1 p') . request('both'));
    my @tokens = map { $client->response('GET')->token('NTLM') } 1 .. 2;
    isnt $tokens[0], $tokens[1], 'pipelined: two type 1, two challenges';
    is outcome($client->response('GET')), "200 $ALICE", 'then Kerberos';
    is outcome($client->response('GET')), "200 $ALICE", 'then a bare request';
    is outcome($client->response('GET')), '401 Negotiate', 'then one through a proxy';
    is outcome($client->response('GET')), "200 $ALICE", 'then one not';
}

# --- what only another configuration shows

my $protected = <<"END";
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthNTLMAuthority file:$ENV{WA_KDC}/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
LimitRequestFieldSize 200000
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END

sub token_of { return encode_base64('x' x $_[0], '') }

for my $case ([ "WinAuthMaxToken 1024\n", 1024 ], [ '', 65536 ]) {
    my ($directive, $max) = @$case;
    my $server = WinAuth::Server->new($protected . $directive)->start;
    my $client = WinAuth::Client->new($server->{port});
    my @r = $client->login('/index.html', ntlm('alice'), 'NTLM');
    is $r[-1]{status}, 200, "at most $max bytes: NTLM tokens are shorter";
    my $r = $client->get('/index.html', Authorization => 'NTLM ' . token_of($max));
    is $r->{status} . ' ' . $r->offers, '401 Negotiate|NTLM', "$max bytes are looked at";
    ok $server->logged('access.log', qr/^- .* 401 1 2148074248 bad-token$/m), "$max bytes: bad-token";
    $r = $client->get('/index.html', Authorization => 'NTLM ' . token_of($max + 1));
    is $r->{status} . ' ' . $r->offers, '400 ', 'one more byte and they are not';
    ok $r->{closed}, 'and the connection is closed';
    ok $server->logged('access.log', qr/^- .* 400 1 2148074248 token-too-large$/m), 'token-too-large';
}

my @via = (Via => '1.1 proxy.example');
for my $case ([ '127.0.0.1', 1 ], [ '192.0.2.0/24 127.0.0.0/8', 1 ], [ '192.0.2.1', 0 ]) {
    my ($trusted, $trusts) = @$case;
    my $server = WinAuth::Server->new("${protected}WinAuthTrustedProxy $trusted\n")->start;
    my $client = WinAuth::Client->new($server->{port});
    my @r = $client->login('/index.html', ntlm('alice'), 'NTLM', @via);
    is $r[-1]{status}, $trusts ? 200 : 401, "WinAuthTrustedProxy $trusted: NTLM";
    @r = $client->login('/index.html', kerberos('alice'), 'Negotiate', @via);
    is $r[-1]{status} . ' ' . $r[-1]->header('Persistent-Auth'), $trusts ? '200 true' : '200 false',
        "WinAuthTrustedProxy $trusted: Kerberos";
    is $client->get('/index.html', @via)->{status}, $trusts ? 200 : 401, "WinAuthTrustedProxy $trusted: reuse";
}

{
    my $server = WinAuth::Server->new("${protected}Header set Cache-Control max-age=60\n")->start;
    my $client = WinAuth::Client->new($server->{port});
    $client->login('/index.html', ntlm('alice'), 'NTLM');
    my $r = $client->get('/index.html');
    is join(', ', sort map { split /, */ } $r->all('Cache-Control')), 'max-age=60, private',
        'Cache-Control: private beside what the site says itself';
}

# obs-fold (RFC 7230 section 3.2.4): httpd joins the lines before anybody sees them
{
    my $client = connection();
    my $token = WinAuth::Token->ntlm('alice', PW);
    $client->raw("GET /w/both/index.html HTTP/1.1\r\nHost: localhost\r\nAuthorization: NTLM\r\n " . $token->step
                 . "\r\n\r\n");
    my $r = $client->response('GET');
    is $r->{status}, 401, 'a folded header: a leg';
    my $answer = $token->step($r->token('NTLM'));
    $client->raw("GET /w/both/index.html HTTP/1.1\r\nHost: localhost\r\nAuthorization:\r\n\tNTLM $answer\r\n\r\n");
    is $client->response('GET')->{status}, 200, 'a folded header: a login';
}

done_testing;
