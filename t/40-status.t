# The end of an exchange rides on whatever the application answers, says truthfully whether the login
# stays, and neither bodies nor keep-alive limits get in its way.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Server;
use WinAuth::Suite;

my $ALICE = 'WINAUTH\\alice';
my $SITE = Apache::Test::vars('documentroot') . '/site';

sub ntlm { return (WinAuth::Token->ntlm('alice', PW), 'NTLM') }
sub kerberos { return (WinAuth::Token->spnego('alice'), 'Negotiate') }

# login(CLIENT, METHOD, PATH, TOKEN CLIENT, SCHEME, \@HEADERS, VERSION): the last answer of an exchange.
sub login {
    my ($client, $method, $path, $token, $scheme, $headers, $version) = @_;
    my $out = $token->step;
    while (1) {
        my $r = $client->request($method, $path, [ Authorization => "$scheme $out", @{ $headers || [] } ],
                                 undef, $version);
        my $in = $r->token($scheme);
        return $r unless $r->{status} == 401 && $in && !$token->is_complete;
        $out = $token->step($in);
    }
}

# When the page was last changed, as the server tells it.
my $MODIFIED = connection()->get('/site/index.html')->header('Last-Modified');

sub persistent { return join '|', $_[0]->all('Persistent-Auth') }

# --- every status

mkdir "$SITE/slash" or die $!;
{
    open my $f, '>', "$SITE/unreadable.html" or die $!;
    close $f;
    chmod 0, "$SITE/unreadable.html";
    open $f, '>', "$SITE/broken.pl" or die $!;
    print {$f} "#!/usr/bin/perl\nprint 'this is no header';\n";
    close $f;
    chmod 0755, "$SITE/broken.pl";
}

my @answers = (
    [ 200, 'index.html' ],
    [ 200, 'env.pl' ],
    [ 200, 'env.pl?status=200' ],
    [ 204, 'env.pl?status=204' ],
    [ 206, 'index.html', Range => 'bytes=0-1' ],
    [ 301, 'slash' ],
    [ 301, 'env.pl?status=301' ],
    [ 302, 'env.pl?status=302' ],
    [ 304, 'index.html', 'If-Modified-Since' => $MODIFIED ],
    [ 403, 'unreadable.html' ],
    [ 403, 'env.pl?status=403' ],
    [ 404, 'there-is-none' ],
    [ 404, 'env.pl?status=404' ],
    [ 410, 'env.pl?status=410' ],
    [ 416, 'index.html', Range => 'bytes=1000-' ],
    [ 500, 'env.pl?status=500' ],
    [ 500, 'broken.pl' ],
);

for my $answer (@answers) {
    my ($status, $page, @headers) = @$answer;
    for my $method (qw(GET HEAD)) {
        for my $how ([ Kerberos => \&kerberos, 1 ], [ NTLM => \&ntlm, 0 ]) {
            my ($name, $token, $final) = @$how;
            my $what = "$name, $method $page, $status";
            my $client = connection();
            my $r = login($client, $method, "/w/both/$page", $token->(), \@headers);
            is $r->{status}, $status, "$what: status";
            like $r->offers, $final ? qr{^Negotiate [A-Za-z0-9+/]+=*\z} : qr{^\z},
                "$what: " . ($final ? 'one final token and nothing else' : 'no challenge line');
            my $closes = $status == 500;
            is $r->{closed}, $closes ? 1 : 0, "$what: the connection " . ($closes ? 'closes' : 'stays');
            is persistent($r), $closes ? 'false' : 'true', "$what: Persistent-Auth";
            next if $closes;
            is bare_user($client, 'both'), $ALICE, "$what: and that is true";
            is log_line($client)->{reason}, 'ok', "$what: logged as a success";
        }
    }
}

# The final token is one the client accepts: with mutual authentication it proves the server.
for my $page ('index.html', 'env.pl?status=404') {
    my $token = WinAuth::Token->spnego('alice');
    my $r = login(connection(), 'GET', "/w/both/$page", $token, 'Negotiate');
    ok !$token->is_complete, "$page: the client waits for the server's proof";
    $token->step($r->token('Negotiate'));
    ok $token->is_complete, "$page: and has it";
}

# --- answers that close

for my $how ([ Kerberos => \&kerberos ], [ NTLM => \&ntlm ]) {
    my ($name, $token) = @$how;
    my $r;
    my $client = connection();
    if ($name eq 'NTLM') {
        # only its last leg may close
        my ($t) = ntlm();
        my $in = $client->get('/w/both/env.pl', Authorization => 'NTLM ' . $t->step)->token('NTLM');
        $r = $client->get('/w/both/env.pl', Authorization => 'NTLM ' . $t->step($in), Connection => 'close');
    }
    else {
        $r = login($client, 'GET', '/w/both/env.pl', $token->(), [ Connection => 'close' ]);
    }
    is "$r->{status} " . persistent($r), '200 false', "$name, Connection: close";
    ok !$client->is_open, "$name, Connection: close: it is closed";

    $client = connection();
    $r = login($client, 'GET', '/w/both/index.html', $token->(), [ Connection => 'keep-alive' ], 'HTTP/1.0');
    is "$r->{status} " . persistent($r), '200 true', "$name, HTTP/1.0 with keep-alive";
    is lc($r->header('Connection')), 'keep-alive', "$name, HTTP/1.0: the answer says so";
    $r = $client->request('GET', '/w/both/index.html', [ Connection => 'keep-alive' ], undef, 'HTTP/1.0');
    is $r->{status}, 200, "$name, HTTP/1.0: and the login holds";
}

{
    my $r = login(connection(), 'GET', '/w/both/index.html', kerberos(), [], 'HTTP/1.0');
    is "$r->{status} " . persistent($r), '200 false', 'Kerberos, HTTP/1.0 without keep-alive';
    # SetEnv comes after authentication, so that it ends the connection after the login only
    for my $how ([ Kerberos => \&kerberos ], [ NTLM => \&ntlm ]) {
        $r = login(connection(), 'GET', '/w/closing/index.html', $how->[1]->());
        is "$r->{status} " . persistent($r), '200 false', "$how->[0], nokeepalive";
        ok $r->{closed}, "$how->[0], nokeepalive: closed";
    }
}

# NTLM cannot go on where the connection cannot: that is said in the log, not left to be guessed.
for my $case ([ 'Connection: close', [ Connection => 'close' ] ], [ 'HTTP/1.0', [], 'HTTP/1.0' ]) {
    my ($what, $headers, $version) = @$case;
    my $client = connection();
    my ($t) = ntlm();
    my $r = $client->request('GET', '/w/both/index.html', [ Authorization => 'NTLM ' . $t->step, @$headers ], undef,
                             $version);
    is $r->{status}, 401, "a first NTLM leg, $what: 401";
    ok !$client->is_open, "a first NTLM leg, $what: closed";
    is log_line($client)->{reason}, 'keepalive-off', "a first NTLM leg, $what: reason";
}

# --- known, and yet 401

for my $how ([ Kerberos => \&kerberos ], [ NTLM => \&ntlm ]) {
    my ($name, $token) = @$how;
    my $client = connection();
    my $r = login($client, 'GET', '/w/bob/env.pl', $token->());
    is $r->{status} . ' ' . $r->offers, '401 Negotiate|NTLM', "$name, Require user: offers";
    is log_line($client)->{status}, '401 3 5', "$name, Require user: sub-status";
    is log_line($client)->{reason}, 'not-authorized', "$name, Require user: reason";
    is log_line($client)->{user}, 'WINAUTH\\\\alice', "$name, Require user: who it was";
    ok !$r->{closed}, "$name, Require user: the connection stays open";
    my $holds = bare_user($client, 'both');
    is $holds, $ALICE, "$name, Require user: elsewhere the login holds";
    is persistent($r), 'true', "$name, Require user: which was announced";
    $r = $client->get('/w/bob/env.pl');
    is $r->{status} . ' ' . $r->offers, '401 Negotiate|NTLM', "$name, Require user, bare: offers";
    is log_line($client, 3)->{reason}, 'not-authorized', "$name, Require user, bare: reason";
    my @r = $client->login('/w/bob/env.pl', WinAuth::Token->ntlm('bob', 'Passw0rd-bob'), 'NTLM');
    is $r[-1]{status}, 200, "$name, Require user: and then the right one";

    $client = connection();
    my ($t, $scheme) = $token->();
    my $answer = "$scheme " . $t->step($name eq 'NTLM' ? $client->get('/w/both/index.html',
                                           Authorization => 'NTLM ' . $t->step)->token('NTLM') : ());
    $r = $client->get('/w/both/env.pl?status=401', Authorization => $answer);
    is $r->{status}, 401, "$name, 401 from the application";
    isnt $r->offers, '', "$name, 401 from the application: has a challenge, as every 401 must";
    is scalar(grep { /^Negotiate/ } $r->all('WWW-Authenticate')), 1, "$name, 401 from the application: Negotiate once";
    is log_line($client)->{status}, '401 5 5', "$name, 401 from the application: sub-status";
    is log_line($client)->{reason}, 'not-authorized', "$name, 401 from the application: reason";
    is bare_user($client, 'both'), $ALICE, "$name, 401 from the application: the login holds";
    $r = $client->get('/w/both/env.pl?status=401');
    is $r->{status} . ' ' . $r->offers, '401 Negotiate|NTLM', "$name, the same, bare: offers";
}

# --- bodies

# post(CLIENT, PATH, BODY, CODING, @HEADERS)
sub post {
    my ($client, $path, $body, $coding, @headers) = @_;
    if ($coding eq 'length') {
        return $client->request('POST', $path, \@headers, $body);
    }
    $client->send('POST', $path, [ @headers, 'Transfer-Encoding' => 'chunked' ]);
    for (my $at = 0; $at < length $body; $at += 40_000) {
        my $chunk = substr $body, $at, 40_000;
        $client->raw(sprintf "%x\r\n%s\r\n", length $chunk, $chunk);
    }
    $client->raw("0\r\n\r\n");
    return $client->response('POST');
}

my @sizes = (0, 1000, 200_000);
for my $coding (qw(length chunked)) {
    for my $first (@sizes) {
        for my $last (@sizes) {
            my $what = "NTLM, $coding, $first then $last bytes";
            my $client = connection();
            my ($t) = ntlm();
            my $r = post($client, '/w/both/body.pl', 'a' x $first, $coding, Authorization => 'NTLM ' . $t->step);
            my $in = $r->token('NTLM');
            ok $in && !$r->{closed}, "$what: challenged, connection open";
            $r = post($client, '/w/both/body.pl', 'b' x $last, $coding, Authorization => 'NTLM ' . $t->step($in));
            my $saw = $last ? "BODY=$last b" : 'BODY=0 ';
            is $r->{body}, "$saw\nREMOTE_USER=$ALICE\n", "$what: the handler sees the last body, once";
            $r = post($client, '/w/both/body.pl', 'c' x $last, $coding);
            $saw =~ tr/b/c/;
            is $r->{body}, "$saw\nREMOTE_USER=$ALICE\n", "$what: and on the login another one";
        }
        my $what = "Kerberos, $coding, $first bytes";
        my $client = connection();
        my ($t) = kerberos();
        my $r = post($client, '/w/both/body.pl', 'k' x $first, $coding, Authorization => 'Negotiate ' . $t->step);
        is $r->{body}, ($first ? "BODY=$first k" : 'BODY=0 ') . "\nREMOTE_USER=$ALICE\n", "$what: seen once";
        is bare_user($client, 'both'), $ALICE, "$what: nothing of it left on the connection";
    }
}

for my $size (0, 1000, 200_000) {
    my $what = "Expect: 100-continue, $size bytes";
    my $client = connection();
    my ($t) = ntlm();
    my $r = post($client, '/w/both/body.pl', 'a' x $size, 'length', Authorization => 'NTLM ' . $t->step,
                 Expect => '100-continue');
    my $in = $r->token('NTLM');
    ok $in && !$r->{closed}, "$what: challenged, connection open";
    $r = post($client, '/w/both/body.pl', 'b' x 10, 'length', Authorization => 'NTLM ' . $t->step($in),
              Expect => '100-continue');
    is $r->{body}, "BODY=10 b\nREMOTE_USER=$ALICE\n", "$what: and logged in";
}

# --- limits

my $protected = <<"END";
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthNTLMAuthority file:$ENV{WA_KDC}/ntlm.users
KeepAliveTimeout 20
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END

{
    my $server = WinAuth::Server->new("${protected}WinAuthDrainLimit 1024\n")->start;
    for my $coding (qw(length chunked)) {
        my $client = WinAuth::Client->new($server->{port});
        my ($t) = ntlm();
        my $r = post($client, '/index.html', 'a' x 1024, $coding, Authorization => 'NTLM ' . $t->step);
        ok $r->token('NTLM') && !$r->{closed}, "WinAuthDrainLimit, $coding: as much as it says is read";
        ($t) = ntlm();
        $r = post($client, '/index.html', 'a' x 1025, $coding, Authorization => 'NTLM ' . $t->step);
        is $r->{status} . ' ' . $r->offers, '401 Negotiate|NTLM', "WinAuthDrainLimit, $coding: more is not";
        ok $r->{closed} && !$client->is_open, "WinAuthDrainLimit, $coding: and ends the connection";
    }
    $server->logged('access.log', qr/(?: body-too-large\n.*){2}/s);
    my @lines = grep { / 401 1 2148074254 body-too-large$/ } split /\n/, $server->access_log;
    is scalar(@lines), 2, 'WinAuthDrainLimit: logged with its reason';
}

# httpd answers MaxKeepAliveRequests requests of a connection and one more, which closes it.  Returns how
# many answers the connection gives, legs not counted.
sub answers_before_close {
    my ($server, $token, $scheme, $legs) = @_;
    my $client = WinAuth::Client->new($server->{port});
    for (1 .. $legs) {
        my ($t) = ntlm();
        $client->get('/index.html', Authorization => 'NTLM ' . $t->step);
    }
    my @r = $client->login('/index.html', $token, $scheme);
    my $count = 1;
    while (!$r[-1]{closed} && $count < 20) {
        push @r, $client->get('/index.html');
        $count++;
    }
    is join(' ', map { $_->{status} } @r[ -$count .. -1 ]), join(' ', (200) x $count), 'all of them served';
    return $count;
}

for my $max (1, 2, 5) {
    my $server = WinAuth::Server->new("${protected}MaxKeepAliveRequests $max\n")->start;
    is answers_before_close($server, kerberos(), 0), $max + 1, "MaxKeepAliveRequests $max: Kerberos";
    is answers_before_close($server, ntlm(), 0), $max + 1, "MaxKeepAliveRequests $max: NTLM";
    is answers_before_close($server, ntlm(), 10), $max + 1, "MaxKeepAliveRequests $max: NTLM at the 11th attempt";

    my $client = WinAuth::Client->new($server->{port});
    my ($t, $scheme) = ntlm();
    $client->get('/index.html') for 1 .. $max;
    my $r = $client->get('/index.html', Authorization => 'NTLM ' . $t->step);
    ok $r->token('NTLM') && !$r->{closed}, "MaxKeepAliveRequests $max: a leg at the limit";
    $r = $client->get('/index.html', Authorization => 'NTLM ' . $t->step($r->token('NTLM')));
    is "$r->{status} " . persistent($r), '200 false', "MaxKeepAliveRequests $max: the login there";
    ok $r->{closed}, "MaxKeepAliveRequests $max: is the end";
}

for my $case ([ 'KeepAlive Off', "KeepAlive Off\n" ],
              [ 'nokeepalive', "LoadModule setenvif_module $ENV{WA_MODULES}/mod_setenvif.so\n"
                               . "SetEnvIf Request_URI . nokeepalive\n" ]) {
    my ($what, $directives) = @$case;
    my $server = WinAuth::Server->new($protected . $directives)->start;
    my $client = WinAuth::Client->new($server->{port});
    my ($t) = ntlm();
    my $r = $client->get('/index.html', Authorization => 'NTLM ' . $t->step);
    is $r->{status}, 401, "$what: a first NTLM leg";
    ok !$client->is_open, "$what: the connection is closed";
    ok $server->logged('access.log', qr/ 401 1 2148074248 keepalive-off$/m), "$what: reason";
    ok $server->logged('error.log', qr/\[winauth:warn\].*WA0101: keepalive-off: /), "$what: error log";
    $client = WinAuth::Client->new($server->{port});
    $r = login($client, 'GET', '/index.html', kerberos());
    is "$r->{status} " . persistent($r), '200 false', "$what: Kerberos";
}

done_testing;
