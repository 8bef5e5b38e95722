# A connection that ends too early: whoever ends it, and at whatever leg, an exchange that cannot be finished is
# not begun, is said once, and is no loop.  Legs cost nothing of MaxKeepAliveRequests.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Time::HiRes qw(sleep time);
use WinAuth::Own;
use WinAuth::Run;

my $PROTECTED = <<'END';
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Location /ntlm>
  WinAuthProviders NTLM
</Location>
<Location /none>
  AuthType None
  Require all granted
</Location>
END
my %LOGIN = logins();
my @TWO_LEGS = ('NTLM inside SPNEGO', 'raw NTLM', 'raw NTLM under Negotiate');
my @ONE_LEG = ('Kerberos', 'Kerberos without SPNEGO');
my $count = 0;

sub page { return '/index.html?' . ++$count }

# with(DIRECTIVES): a server that is up.
sub with {
    my ($directives, @modules) = @_;
    my $own = own("$PROTECTED$directives", modules => ['setenvif', @modules]);
    $own->file('htdocs/ntlm', "a page\n");
    $own->file('htdocs/none', "a page\n");
    return $own->start;
}

# persistence(RESPONSE): the header, and whether the connection stays.
sub persistence {
    my ($r) = @_;
    my $header = $r->header('Persistent-Auth');
    return (defined $header ? $header : 'none') . ($r->{closed} ? ' closed' : ' open');
}

# refused_leg(SERVER, REQUEST CODE, OFFERS, SETTING, WHAT): the answer to a leg that can have no successor.
sub refused_leg {
    my ($own, $request, $offers, $setting, $what) = @_;
    my $before = length $own->error_log;
    my $page = page();
    my $r = $request->($page);
    is outcome($r), "401 $offers", "$what: offers, and no challenge with data";
    is $r->header('Persistent-Auth'), undef, "$what: no Persistent-Auth";
    ok $r->{closed}, "$what: the connection ends";
    is join('|', reasons($own, $page)), '401 keepalive-off', "$what: the reason";
    my @lines = lines_since($own, $before, qr/WA010[12]: /);
    is scalar(@lines), 1, "$what: one line in the error log";
    like $lines[0] || "", qr/\[winauth:warn\].*WA0101: keepalive-off: .*: \Q$setting\E/, "$what: which names what ends it";
}

# --- MaxKeepAliveRequests

# httpd keeps N connections of N + 1 requests alive: the last of them is told that it closes.
for my $max (1, 2, 3, 100) {
    my $own = with("MaxKeepAliveRequests $max\n");
    for my $before ($max == 100 ? (0, 99, 100) : (0 .. $max)) {
        for my $how (@TWO_LEGS, @ONE_LEG) {
            my $what = "MaxKeepAliveRequests $max, $before before, $how";
            my $client = to($own);
            my $open = 1;
            for my $n (1 .. $before) {
                $open &&= !$client->get('/index.html')->{closed};
            }
            ok $open, "$what: still open" if $before;
            my @r = $client->login('/index.html', $LOGIN{$how}->());
            my $ends = $before >= $max;
            is scalar(@r), (grep { $_ eq $how } @ONE_LEG) ? 1 : 2, "$what: as many legs as ever";
            is scalar(grep { $_->{closed} } @r[ 0 .. $#r - 1 ]), 0, "$what: no leg closes";
            is outcome($r[-1]), '200 ' . ALICE, "$what: logged in";
            is persistence($r[-1]), $ends ? 'false closed' : 'true open', "$what: and told the truth";
            next if $ends;
            my $r = $client->get('/index.html');
            is outcome($r), '200 ' . ALICE, "$what: reused";
            is $r->{closed}, $before + 1 >= $max ? 1 : 0, "$what: as long as httpd allows";
        }
    }
    for my $how ([ KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache", qw(--negotiate -u :) ],
                 [ KRB5CCNAME => '/nonexistent', '--ntlm', '-u', 'WINAUTH\\alice:Passw0rd-alice' ],
                 [ KRB5CCNAME => '/nonexistent', '--anyauth', '-u', 'WINAUTH\\alice:Passw0rd-alice' ]) {
        my ($name, $value, @args) = @$how;
        my $page = $args[0] eq '--anyauth' ? 'ntlm' : 'index.html';
        my $run = curl({ $name => $value }, @args, urls(map { "http://localhost:$own->{port}/$page?$_" } 1 .. 4));
        is join(' ', map { $_->{status} } @{ $run->{transfers} }), '200 200 200 200',
            "MaxKeepAliveRequests $max: curl $args[0], four times";
    }
}

# A hundred legs are free, no more: else one connection could ask for challenges for ever.
{
    my $own = with("MaxKeepAliveRequests 2\n");
    for my $how (@TWO_LEGS) {
        my $client = to($own);
        my $scheme = ($LOGIN{$how}->())[1];
        my $out = ($LOGIN{$how}->())[0]->step;
        my $leg = sub { return $client->get('/index.html', Authorization => "$scheme $out") };
        my @free = grep { my $r = $leg->(); $r->token($scheme) && !$r->{closed} } 1 .. 100;
        is scalar(@free), 100, "a hundred legs, $how: all are challenged and stay open";
        is persistence($leg->()), 'none open', "a hundred legs, $how: two more";
        is persistence($leg->()), 'none open', "a hundred legs, $how: as any request";
        my $r = $leg->();
        ok $r->{closed} && !$client->is_open, "a hundred legs, $how: then they have counted";
        is outcome(($client = to($own))->get('/none')), '200 -', "a hundred legs, $how: a new connection";

        # a login in between: they are free again
        $client = to($own);
        @free = grep { my $r = $leg->(); $r->token($scheme) && !$r->{closed} } 1 .. 90;
        my @r = $client->login('/index.html', $LOGIN{$how}->());
        is persistence($r[-1]), 'true open', "ninety legs and a login, $how";
        push @free, grep { my $r = $leg->(); $r->token($scheme) && !$r->{closed} } 1 .. 100;
        is scalar(@free), 190, "ninety legs, a login and a hundred, $how: all free";
        @r = $client->login('/index.html', kerberos('bob'));
        is outcome($r[-1]), '200 ' . BOB, "ninety legs, a login and a hundred, $how: then another login";
        is $client->get('/index.html')->{closed}, 1, "ninety legs, a login and a hundred, $how: requests count as ever";
    }
}

# --- the server ends each connection

for my $case ([ 'KeepAlive Off', "KeepAlive Off\n", 'KeepAlive is off' ],
              [ 'KeepAliveTimeout 0', "KeepAliveTimeout 0\n", 'KeepAlive is off' ],
              [ 'SetEnvIf nokeepalive', "SetEnvIf Request_URI . nokeepalive\n", 'the variable nokeepalive is set' ]) {
    my ($what, $directive, $setting) = @$case;
    my $own = with($directive);
    my $r = to($own)->get('/index.html');
    is outcome($r), '401 Negotiate', "$what: only what works in one leg is offered";
    ok $r->{closed}, "$what: and the connection ends";
    for my $how (@TWO_LEGS) {
        my ($token, $scheme) = $LOGIN{$how}->();
        refused_leg($own, sub { to($own)->get($_[0], Authorization => "$scheme " . $token->step) }, 'Negotiate',
                    $setting, "$what, $how");
    }
    for my $how (@ONE_LEG) {
        my @r = to($own)->login('/index.html', $LOGIN{$how}->());
        is outcome($r[-1]), '200 ' . ALICE, "$what, $how: logged in";
        is persistence($r[-1]), 'false closed', "$what, $how: and told the truth";
    }

    # where NTLM is all there is, nothing can be offered
    my $before = length $own->error_log;
    $r = to($own)->get('/ntlm');
    is $r->{status} . $r->offers, 403, "$what, only NTLM: 403 and no offers";
    my @lines = lines_since($own, $before, qr/WA0102: /);
    is scalar(@lines), 1, "$what, only NTLM: one line in the error log";
    like $lines[0] || '', qr/\[winauth:warn\].*: \Q$setting\E/, "$what, only NTLM: which names the setting";
    $before = length $own->error_log;
    $r = to($own)->get('/ntlm', Authorization => 'NTLM ' . (ntlm())[0]->step);
    is $r->{status} . $r->offers, 403, "$what, only NTLM, type 1: 403 and no challenge";
    @lines = lines_since($own, $before, qr/WA0101: keepalive-off/);
    is scalar(@lines), 1, "$what, only NTLM, type 1: one line with the reason";
    ok $own->logged('access.log', qr{^- "GET /ntlm HTTP/1.1" 403 .* keepalive-off$}m), "$what, only NTLM, type 1: reason";

    # nobody goes round in circles
    for my $curl ([ '--ntlm', 401 ], [ '--anyauth', 401 ], [ '--negotiate', 401, 'NTLM_USER_FILE' ]) {
        my ($arg, $status, $file) = @$curl;
        my %environment = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent');
        $environment{NTLM_USER_FILE} = scratch('user', "WINAUTH:alice:Passw0rd-alice\n") if $file;
        my $run = curl(\%environment, $arg, '-u', $file ? ':' : 'WINAUTH\\alice:Passw0rd-alice',
                       "http://localhost:$own->{port}/index.html");
        is "$run->{exit} $run->{transfers}[0]{status}", "0 $status", "$what: curl $arg is refused";
        cmp_ok scalar(@{ $run->{legs} }), '<=', 2, "$what: curl $arg asks no more than twice";
    }
    my $run = curl({ KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache" }, qw(--negotiate -u :),
                   urls(map { "http://localhost:$own->{port}/index.html?$_" } 1 .. 3));
    is join(' ', map { $_->{status} } @{ $run->{transfers} }), '200 200 200', "$what: curl --negotiate, three times";
}

# SetEnv comes after the login: the legs run, and the page's connection ends.
{
    my $own = with("SetEnv nokeepalive 1\n");
    is outcome(to($own)->get('/index.html')), '401 Negotiate|NTLM', 'SetEnv nokeepalive: all is offered';
    for my $how (@TWO_LEGS, @ONE_LEG) {
        my $client = to($own);
        my @r = $client->login('/index.html', $LOGIN{$how}->());
        is outcome($r[-1]), '200 ' . ALICE, "SetEnv nokeepalive, $how: logged in";
        is persistence($r[-1]), 'false closed', "SetEnv nokeepalive, $how: and told the truth";
        ok !$client->is_open, "SetEnv nokeepalive, $how: it does end";
    }
    my $run = curl({}, '--ntlm', '-u', 'WINAUTH\\alice:Passw0rd-alice',
                   urls(map { "http://localhost:$own->{port}/index.html?$_" } 1 .. 3));
    is join(' ', map { "$_->{status}/$_->{connects}" } @{ $run->{transfers} }), '200/1 200/1 200/1',
        'SetEnv nokeepalive: curl --ntlm, three times';
}

# --- the client ends its connection

{
    my $own = with('');
    for my $case ([ 'Connection: close', 'HTTP/1.1', [ Connection => 'close' ], 'the client closes after each request' ],
                  [ 'Connection: x, Close', 'HTTP/1.1', [ Connection => 'x, Close' ], 'the client closes after each request' ],
                  [ 'HTTP/1.0', 'HTTP/1.0', [], 'the client speaks HTTP/1.0 without keep-alive' ],
                  [ 'HTTP/1.0 and Connection: close', 'HTTP/1.0', [ Connection => 'close' ],
                    'the client closes after each request' ]) {
        my ($name, $version, $headers, $setting) = @$case;
        my $get = sub {
            my ($client, $page, @more) = @_;
            return $client->request('GET', $page, [ @more, @$headers ], undef, $version);
        };
        my $r = $get->(to($own), '/index.html');
        is outcome($r), '401 Negotiate|NTLM', "$name: the next connection may be better, so all is offered";
        ok $r->{closed}, "$name: and this one ends";
        for my $how (@TWO_LEGS) {
            my ($token, $scheme) = $LOGIN{$how}->();
            refused_leg($own, sub { $get->(to($own), $_[0], Authorization => "$scheme " . $token->step) },
                        'Negotiate', $setting, "$name, $how, first leg");

            # the last leg needs no successor
            ($token, $scheme) = $LOGIN{$how}->();
            my $client = to($own);
            my $in = $client->get('/index.html', Authorization => "$scheme " . $token->step)->token($scheme);
            $r = $get->($client, '/index.html', Authorization => "$scheme " . $token->step($in));
            is outcome($r), '200 ' . ALICE, "$name, $how, last leg: logged in";
            is persistence($r), 'false closed', "$name, $how, last leg: and told the truth";
            ok !$client->is_open, "$name, $how, last leg: it does end";

            # a wrong password's last leg: an ordinary refusal
            ($token, $scheme) = $LOGIN{$how}->('alice', 'wrong');
            $client = to($own);
            $in = $client->get('/index.html', Authorization => "$scheme " . $token->step)->token($scheme);
            $r = $get->($client, '/index.html', Authorization => "$scheme " . $token->step($in));
            is outcome($r) . ($r->{closed} ? ' closed' : ''), '401 Negotiate|NTLM closed', "$name, $how, wrong password";
        }
        for my $how (@ONE_LEG) {
            my ($token, $scheme) = $LOGIN{$how}->();
            $r = $get->(to($own), '/index.html', Authorization => "$scheme " . $token->step);
            is outcome($r), '200 ' . ALICE, "$name, $how: logged in";
            is persistence($r), 'false closed', "$name, $how: and told the truth";
        }
    }

    # HTTP/1.0 with keep-alive is as good as HTTP/1.1
    for my $how (@TWO_LEGS, @ONE_LEG) {
        my ($token, $scheme) = $LOGIN{$how}->();
        my $client = to($own);
        my $get = sub {
            return $client->request('GET', '/index.html', [ Connection => 'Keep-Alive', @_ ], undef, 'HTTP/1.0');
        };
        my $r = $get->(Authorization => "$scheme " . $token->step);
        if (my $in = $r->{status} == 401 && $r->token($scheme)) {
            ok !$r->{closed}, "HTTP/1.0 with keep-alive, $how: a leg stays open";
            $r = $get->(Authorization => "$scheme " . $token->step($in));
        }
        is outcome($r), '200 ' . ALICE, "HTTP/1.0 with keep-alive, $how: logged in";
        is persistence($r), 'true open', "HTTP/1.0 with keep-alive, $how: bound";
        is outcome($get->()), '200 ' . ALICE, "HTTP/1.0 with keep-alive, $how: reused";
        $r = $client->request('GET', '/index.html', [], undef, 'HTTP/1.0');
        is outcome($r), '200 ' . ALICE, "HTTP/1.0 with keep-alive, $how: reused by one that closes";
        ok !$client->is_open, "HTTP/1.0 with keep-alive, $how: and closes";
    }

    for my $curl ([ qw(--ntlm --http1.0) ], [ '--ntlm', '-H', 'Connection: close' ], [ qw(--anyauth --http1.0) ],
                  [ '--anyauth', '-H', 'Connection: close' ]) {
        my $run = curl({ KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent' }, @$curl, '-u',
                       'WINAUTH\\alice:Passw0rd-alice', "http://localhost:$own->{port}/ntlm");
        is $run->{transfers}[0]{status}, 403, "curl @$curl: is refused";
        # an offer of NTLM would make this curl try once more, on a new connection, up to --max-redirs times
        cmp_ok scalar(@{ $run->{legs} }), '<=', 4, "curl @$curl: after few requests";
    }
    is outcome((to($own)->login('/index.html', ntlm()))[-1]), '200 ' . ALICE, 'and the next login works';
}

# --- a restart in between

# resumed(SERVER, N): waits until the server has come up N times after its start.
sub resumed {
    my ($own, $n) = @_;
    my $until = time + 15;
    while (time < $until) {
        my @ups = $own->error_log =~ /resuming normal operations/g;
        return 1 if @ups > $n && eval { to($own)->get("/none")->{status} == 200 };
        sleep 0.05;
    }
    return 0;
}

{
    my $own = with('');
    my $round = 0;
    for my $how (@TWO_LEGS, @ONE_LEG) {
        my ($token, $scheme) = $LOGIN{$how}->();
        my $client = to($own);
        is outcome($client->get('/index.html')), '401 Negotiate|NTLM', "restart, $how: a connection";
        # the worker has begun to read when the restart comes
        my $page = page();
        my $before = length $own->error_log;
        $client->raw("GET $page HTTP/1.1\r\nHost: localhost\r\nAuthorization: $scheme " . $token->step . "\r\n");
        sleep 0.2;
        kill 'USR1', $own->{pid};
        ok resumed($own, ++$round), "restart, $how: it resumes";
        $client->raw("\r\n");
        my $r = $client->response('GET');
        if (grep { $_ eq $how } @ONE_LEG) {
            is outcome($r), '200 ' . ALICE, "restart, $how: logged in";
            is persistence($r), 'false closed', "restart, $how: for once";
        }
        else {
            is outcome($r), '401 Negotiate', "restart, $how: offers of what works, and no challenge with data";
            ok $r->{closed} && !$client->is_open, "restart, $how: the connection ends";
            is join('|', reasons($own, $page)), '401 keepalive-off', "restart, $how: the reason";
            my @lines = lines_since($own, $before, qr/WA010[12]: keepalive-off/);
            is scalar(@lines), 1, "restart, $how: one line in the error log";
            like $lines[0] || '', qr/: the server is restarting/, "restart, $how: which names it";
        }
        is outcome((to($own)->login('/index.html', $LOGIN{$how}->()))[-1]), '200 ' . ALICE, "restart, $how: the next login";
    }
    unlike $own->error_log, qr/exit signal|Segmentation/, 'restarts: all workers live';
}

# --- several requests in one go

sub text {
    my ($page, %headers) = @_;
    return "GET $page HTTP/1.1\r\nHost: localhost\r\n" . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers) . "\r\n";
}

{
    my $own = with("MaxKeepAliveRequests 2\n");
    for my $how (@TWO_LEGS) {
        my ($token, $scheme) = $LOGIN{$how}->();
        my $client = to($own);
        my $first = "$scheme " . $token->step;
        $client->raw(text('/index.html', Authorization => $first) x 5);
        my @r = map { $client->response('GET') } 1 .. 5;
        is scalar(grep { $_->token($scheme) && !$_->{closed} } @r), 5, "pipelined, $how: five first legs, five challenges";
        my $answer = "$scheme " . $token->step($r[-1]->token($scheme));
        $client->raw(text('/index.html', Authorization => $answer) . text('/index.html') . text('/none')
                     . text('/index.html'));
        is outcome($client->response('GET')), '200 ' . ALICE, "pipelined, $how: the answer to the last one";
        is outcome($client->response('GET')), '200 ' . ALICE, "pipelined, $how: the request behind it";
        my $r = $client->response('GET');
        is outcome($r) . ($r->{closed} ? ' closed' : ''), '200 - closed', "pipelined, $how: the one that is too much";
        is outcome($client->response('GET')), 'closed', "pipelined, $how: nothing is answered behind it";

        # what is pipelined behind a leg that closes is not served either
        ($token, $scheme) = $LOGIN{$how}->();
        $client = to($own);
        $client->raw(text('/index.html', Authorization => "$scheme " . $token->step, Connection => 'close')
                     . text('/index.html') . text('/none'));
        is outcome($client->response('GET')), '401 Negotiate', "pipelined, $how, Connection: close: refused";
        is outcome($client->response('GET')), 'closed', "pipelined, $how, Connection: close: and that is all";
    }
}

done_testing;
