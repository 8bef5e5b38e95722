# Items 1 to 20: how the exchange looks in HTTP.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Conformance;
use WinAuth::Der;
use WinAuth::Run;
use WinAuth::Suite qw(PW error_lines port);

my %OFFERS = (both => BOTH, negotiate => 'Negotiate', ntlm => 'NTLM', reversed => 'NTLM|Negotiate',
              kerberos => 'Negotiate', 'kerberos+ntlm' => BOTH);
my @KINDS = ('raw NTLM', 'raw NTLM under Negotiate', 'NTLM inside SPNEGO', 'Kerberos');
my $ANONYMOUS = denied('anonymous');

# ask(PATH, @HEADERS): what a fresh connection is told.
sub ask {
    my ($path, @headers) = @_;
    my $client = connection();
    return told($client, $client->get($path, @headers));
}

# --- 1 to 3: the first challenge

for my $case ([ 'GET', 'both/index.html' ], [ 'HEAD', 'both/index.html' ], [ 'POST', 'both/env.pl' ],
              [ 'OPTIONS', 'both/index.html' ], [ 'GET', 'both/there-is-none' ], [ 'GET', 'errordoc/index.html' ],
              [ 'HEAD', 'errordoc/index.html' ], [ 'GET', 'protected-errordoc/index.html' ]) {
    my ($method, $path) = @$case;
    my $client = connection();
    my $r = $client->request($method, "/w/$path", [], $method eq 'POST' ? 'x' : undef);
    is told($client, $r), $ANONYMOUS, "item 1: $method $path names the schemes";
}
for my $kind ('raw NTLM', 'Kerberos') {
    my $client = connection();
    $client->login(page('both'), login($kind));
    is told($client, $client->get(page('both') . '?status=401')), '401 [' . BOTH . '] open ' . ALICE . ' not-authorized',
        "item 1: $kind, then the application's own 401";
    is told($client, $client->get(page('bob'))), '401 [' . BOTH . '] open ' . ALICE . ' not-authorized',
        "item 1: $kind, then Require user for another";
    my @r = exchange(connection(), 'GET', page('both') . '?status=401', [ login('Kerberos') ]);
    is $r[-1]->offers, BOTH, "item 1: the application's 401 to a login names the schemes";
}

for my $section (sort keys %OFFERS) {
    for my $method (qw(GET HEAD POST)) {
        my $r = connection()->request($method, page($section), [], $method eq 'POST' ? 'x' : undef);
        is scalar(grep { !/\A(?:Negotiate|NTLM)\z/ } $r->all('WWW-Authenticate')), 0,
            "item 2: $method $section: no line has data";
        is $r->offers, $OFFERS{$section}, "item 3: $method $section: one line a provider, in order";
    }
}

# --- 4 to 9: what may stand in Authorization

for my $case ([ authorization => 'nEgOtIaTe ', 'Kerberos' ], [ AUTHORIZATION => 'negotiate ', 'raw NTLM under Negotiate' ],
              [ Authorization => 'ntlm ', 'raw NTLM' ], [ aUTHORIZATION => 'Ntlm ', 'raw NTLM' ]) {
    spelt(4, @$case, '');
}
for my $blanks ([ "\t\t", '' ], [ '   ', " \t" ], [ " \t ", '  ' ]) {
    spelt(5, Authorization => "NTLM$blanks->[0]", 'raw NTLM', $blanks->[1]);
    spelt(5, Authorization => "Negotiate$blanks->[0]", 'Kerberos', $blanks->[1]);
    spelt(5, Authorization => " \tNegotiate$blanks->[0]", 'NTLM inside SPNEGO', $blanks->[1]);
}

sub spelt {
    my ($item, $name, $before, $kind, $after) = @_;
    my $client = connection();
    my ($token, $scheme) = login($kind);
    my $r = $client->get(page('both'), $name => $before . $token->step . $after);
    $r = $client->get(page('both'), $name => $before . $token->step($r->token($scheme)) . $after) if $r->{status} == 401;
    (my $what = "'$name: $before*$after'") =~ s/\t/\\t/g;
    is told($client, $r), served($kind), "item $item: $what";
}

site(foreign => { 'env.pl' => <<'END', '.htaccess' => <<'HTACCESS' });
#!/usr/bin/perl
print "Content-Type: text/plain\n\n", map { "$_=" . (defined $ENV{$_} ? $ENV{$_} : '-') . "\n" } qw(REMOTE_USER HTTP_AUTHORIZATION);
END
AuthType WinAuth
AuthName foreign
WinAuthProviders Negotiate
WinAuthOptional On
CGIPassAuth On
Require all granted
HTACCESS
for my $credentials ('Bearer x', 'Basic YTpi', 'Digest username="x", realm="y"', 'NTLMX TlRM', 'Bearer') {
    is ask(page('both'), Authorization => $credentials), $ANONYMOUS, "item 6: $credentials ends in our 401";
    my $r = connection()->get('/site/foreign/env.pl', Authorization => $credentials);
    is "$r->{status} $r->{body}", "200 REMOTE_USER=-\nHTTP_AUTHORIZATION=$credentials\n",
        "item 6: $credentials is left to others where credentials are optional";
}
is ask(page('ntlm'), Authorization => 'Negotiate ' . (login('Kerberos'))[0]->step), denied('anonymous', 'NTLM'),
    'item 6: Negotiate where NTLM alone is offered';
is ask(page('negotiate'), Authorization => 'NTLM ' . (login('raw NTLM'))[0]->step),
    denied('ntlm-not-allowed', 'Negotiate'), 'item 6: NTLM where Negotiate alone is offered';

for my $credentials ('NTLM', 'Negotiate', 'negotiate', 'NTLM  ', "Negotiate \t") {
    is ask(page('both'), Authorization => $credentials), $ANONYMOUS, "item 7: '$credentials'";
}

my @NOT_BASE64 = qw(!!!! kGaXHz6/owHcWRlvGFk8ReUZKHo=QEZNqwQn0s8U TlRMTVNTUAA TlRM=TVN 749efa7b23409c20b92356
                    89a8742aa8729a8b028 ade0234568a4209af8bc0280289eca =AAA AAA% AA-_ A===);
for my $data (@NOT_BASE64, 'TlRM TVNT', 'TlRM,TVNT', 'TlRM, NTLM TVNT') {
    for my $scheme (qw(NTLM Negotiate)) {
        is ask(page('both'), Authorization => "$scheme $data"), '400 [] closed - bad-encoding', "item 8: $scheme $data";
    }
}
for my $kind (@KINDS) {
    for my $moment ('in mid-exchange', 'after the login') {
        next if $kind eq 'Kerberos' && $moment =~ /mid/;
        my $client = connection();
        $moment =~ /mid/ ? begin($client, 'both', login($kind)) : $client->login(page('both'), login($kind));
        $client->raw(join '', map { 'GET ' . page('both') . " HTTP/1.1\r\nHost: localhost\r\n$_\r\n" }
                     "Authorization: Negotiate !!!!\r\n", '');
        is told($client, $client->response('GET')), '400 [] closed - bad-encoding', "item 8: $kind, $moment";
        is $client->response('GET')->{status}, 0, "item 8: $kind, $moment: nothing more is served there";
    }
}

for my $credentials ('', ' ', "\t ", '=', ', NTLM') {
    (my $what = "'$credentials'") =~ s/\t/\\t/g;
    is ask(page('both'), Authorization => $credentials), '400 [] closed - bad-encoding', "item 9: $what";
}

# --- 10 to 12: a 401 goes on, or offers

for my $section (qw(both reversed logged errordoc)) {
    for my $kind (@KINDS[ 0 .. 2 ]) {
        my $client = connection();
        my @r = $client->login(page($section), login($kind, 'alice', 'wrong'));
        my $scheme = (login($kind))[1];
        my $what = "$kind, $section";
        is scalar(@r), 2, "item 10: $what: two legs";
        is told($client, $r[0]), "401 [$scheme +] open", "item 10: $what: goes on with data";
        is join('|', $r[1]->all('WWW-Authenticate')), $section eq 'reversed' ? 'NTLM|Negotiate' : BOTH,
            "item 10: $what: or offers without";
        is scalar(my @lines = $r[0]->all('WWW-Authenticate')), 1, "item 11: $what: one line";
        like $lines[0], qr{\A$scheme [A-Za-z0-9+/]+={0,2}\z}, "item 11: $what: of the client's scheme";
        is scalar(grep { $_->header('Persistent-Auth') } @r), 0, "item 12: $what: no leg has Persistent-Auth";
    }
}
is ask(page('both')), $ANONYMOUS, 'item 12: nor has the first 401';
is ask(page('both'), Authorization => 'Negotiate AAAA'), denied('bad-token'), 'item 12: nor one to a broken token';
is ask(page('both'), Authorization => 'NTLM !'), '400 [] closed - bad-encoding', 'item 12: nor a 400';
{
    my $client = connection();
    $client->login(page('both'), login('raw NTLM'));
    is told($client, $client->get(page('both'))), served(), 'item 12: nor an answer to no credentials';
}

# --- 13 to 15: the final answer

for my $kind (@KINDS, 'bare Kerberos') {
    my %persists = (both => 1, single => 0, 'nonntlm-off' => $kind !~ /Kerberos/);
    for my $section (sort keys %persists) {
        my $client = connection();
        my @r = $client->login(page($section), login($kind));
        is told($client, $r[-1]), served($kind, ALICE, $persists{$section} ? 'true' : 'false'), "item 13: $kind, $section";
        is told($client, $client->get(page($section))), $persists{$section} ? served() : $ANONYMOUS,
            "item 13: $kind, $section: and that is true";
    }
    my @answers = exchange(my $client = connection(), 'GET', page('both') . '?status=500', [ login($kind) ]);
    like told($client, $answers[-1]), qr/^500 \[.*\] false closed /, "item 13: $kind: not on a connection that closes";
}
{
    my $client = connection();
    my @r = $client->login(page('both'), login('Kerberos'), Via => '1.1 proxy.example');
    is told($client, $r[-1]), served('Kerberos', ALICE, 'false'), 'item 13: not through a proxy';
}

my $modified = connection()->get('/site/index.html')->header('Last-Modified');
my @answers = ([ 206, 'index.html', Range => 'bytes=0-1' ], [ 304, 'index.html', 'If-Modified-Since' => $modified ],
               [ 416, 'index.html', Range => 'bytes=1000-' ], [ 404, 'missing' ],
               map { [ $_, "env.pl?status=$_" ] } 200, 204, 301, 302, 403, 404, 500, 503);
for my $case (@answers) {
    my ($status, $path, @headers) = @$case;
    for my $method (qw(GET HEAD)) {
        for my $kind (@KINDS) {
            my $client = connection();
            my @r = exchange($client, $method, "/w/both/$path", [ login($kind) ], \@headers);
            (my $expected = served($kind)) =~ s/^200/$status/;
            $expected =~ s/true open/false closed/ if $status =~ /50[03]/;
            is told($client, $r[-1]), $expected, "item 14: $kind, $method $path: $status";
        }
    }
}

for my $path (qw(both/ both/rewritten both/include.shtml errordoc/missing errordoc/index.html both/missing
                 both/env.pl?status=404 both/env.pl?own)) {
    for my $kind ('Kerberos', 'NTLM inside SPNEGO') {
        my @r = connection()->login("/w/$path", login($kind));
        is scalar(grep { /Negotiate \S/ } split /[|,] ?/, $r[-1]->offers), 1, "item 15: $kind, $path: one Negotiate with data";
    }
}

# --- 16 to 18: without being asked, beside a proxy, HTTP/1.0

for my $kind (@KINDS, 'bare Kerberos') {
    my $client = connection();
    my @r = $client->login(page('both'), login($kind));
    is join(' ', map { $_->{status} } @r), $kind =~ /Kerberos/ ? '200' : '401 200', "item 16: $kind: no leg more than needed";
    is told($client, $r[-1]), served($kind), "item 16: $kind: served";
    is scalar(my @lines = log_of($client)), 1, "item 16: $kind: one line in the log";
}
for my $case ([ 'nobody', undef, $ANONYMOUS ], [ 'a login', 'login', served('Kerberos') ], [ 'a bound request', 'bound', served() ]) {
    my ($who, $how, $expected) = @$case;
    for my $credentials ('Negotiate ' . (login('Kerberos', 'bob'))[0]->step, 'Basic YTpi', 'NTLM !!!!', '') {
        my $client = connection();
        $client->login(page('both'), login('Kerberos')) if $how && $how eq 'bound';
        my @own = $how && $how eq 'login' ? (Authorization => 'Negotiate ' . (login('Kerberos'))[0]->step) : ();
        my $r = $client->get(page('both'), 'Proxy-Authorization' => $credentials, @own);
        (my $what = "item 17: $who with Proxy-Authorization: $credentials") =~ s/(.{80}).*/$1.../;
        is told($client, $r), $expected, $what;
        is $r->header('Proxy-Authenticate'), undef, "$what: no Proxy-Authenticate";
    }
}
for my $kind ('raw NTLM', 'Kerberos') {
    my $client = connection();
    my @r = $client->login(page('both') . '?status=407', login($kind));
    (my $expected = served($kind)) =~ s/^200/407/;
    is told($client, $r[-1]), $expected, "item 17: $kind: the application's 407 is its own";
    is scalar(grep { $_->[0] =~ /^Proxy-/i } @{ $r[-1]{headers} }), 0, "item 17: $kind: and stays as it is";
}

for my $kind (@KINDS) {
    my $client = connection();
    my @r = exchange($client, 'GET', '/w/both/index.html', [ login($kind) ], [ Connection => 'keep-alive' ], undef, 'HTTP/1.0');
    is told($client, $r[-1]), served($kind), "item 18: $kind, keep-alive";
    my $r = $client->request('GET', '/w/both/index.html', [ Connection => 'keep-alive' ], undef, 'HTTP/1.0');
    is told($client, $r), served(), "item 18: $kind, keep-alive: the login holds";

    $client = connection();
    my ($token, $scheme) = login($kind);
    $r = $client->request('GET', page('both'), [ Authorization => "$scheme " . $token->step ], undef, 'HTTP/1.0');
    is told($client, $r), $kind eq 'Kerberos' ? '200 [Negotiate +] false closed ' . ALICE . ' ok'
        : '401 [Negotiate] closed - keepalive-off', "item 18: $kind, no keep-alive";
}
{
    # offered NTLM again, curl would begin anew over and over
    my $run = curl({}, '-0', '--ntlm', '-u', ALICE . ':' . PW, 'http://localhost:' . port() . page('both') . '/curl-0');
    is join(' ', map { $_->[1]{status} . ' ' . $_->[1]->offers } @{ $run->{legs} }), '401 Negotiate', 'item 18: curl -0 --ntlm gives up at once';
    like WinAuth::Suite::slurp('winauth_log'), qr{curl-0\|-\|401 1 2148074248\|keepalive-off\|}, 'item 18: curl -0 --ntlm: reason';
    $run = curl({ KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache" }, qw(-0 --negotiate -u :), 'http://localhost:' . port() . page('both'));
    is $run->{transfers}[0]{status}, 200, 'item 18: curl -0 --negotiate';
}
is join("\n", error_lines('exit signal')), '', 'item 18: and nothing died of it';

# --- 19: HTTP/2, which the prefork MPM does not do

{
    my $server = own("LoadModule http2_module $ENV{WA_MODULES}/mod_http2.so\nProtocols h2c http/1.1\n",
                     mpm => $ENV{WA_MPM} eq 'prefork' ? 'event' : $ENV{WA_MPM});
    my $client = connection($server);
    is told($client, ($client->login('/index.html', login('Kerberos')))[0]), served('Kerberos'),
        'item 16: the very first request a server ever gets';
    is scalar(my @lines = split /\n/, $server->access_log), 1, 'item 16: which it was';

    my $url = "http://localhost:$server->{port}/index.html";
    my %environment = (KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache");
    my $h2 = sub { run(\%environment, qw(curl -q -4 -s -S --noproxy * -o), scratch('page', ''), '-D', '-',
                       '-w', '%{http_version} %{http_code}', @_, $url)->{out} };
    my @PRIOR = ('--http2-prior-knowledge');
    my $offers = sub { join '|', $_[0] =~ /^www-authenticate: (.*?)\r?$/mig };

    my $out = $h2->(@PRIOR);
    is $offers->($out) . ' ' . substr($out, -5), 'Negotiate 2 401', 'item 19: a bare 401, without NTLM';
    $out = $h2->(@PRIOR, qw(--negotiate -u :));
    like $offers->($out) . ' ' . substr($out, -5), qr{^Negotiate [\w+/=]+ 2 200$}, 'item 19: Kerberos is served on the stream';
    unlike $out, qr/^persistent-auth:/mi, 'item 19: and says nothing of the connection';
    my $from = length $server->slurp('port.log');
    is http2($server, [ authorization => 'Negotiate ' . (login('Kerberos'))[0]->step ], [],
             [ authorization => 'Negotiate ' . (login('Kerberos', 'bob'))[0]->step ]), 'end, end, end',
        'item 19: three streams of one connection';
    ok $server->logged('port.log', qr/\A.{$from}(?:.*\n){3}/s), 'item 19: which are in the log';
    is join(' ', sort map { (split /\|/)[ 2, 4 ] } split /\n/, substr $server->slurp('port.log'), $from),
        '- WINAUTH\\\\alice WINAUTH\\\\bob anonymous ok ok', 'item 19: and of which one is nobody';

    my %needs_more = (
        'raw NTLM' => 'NTLM ' . (login('raw NTLM'))[0]->step,
        'raw NTLM under Negotiate' => 'Negotiate ' . (login('raw NTLM'))[0]->step,
        'NTLM inside SPNEGO' => 'Negotiate ' . (login('NTLM inside SPNEGO'))[0]->step,
        'a type-3' => 'NTLM ' . base64("NTLMSSP\0" . pack('V', 3) . "\0" x 60),
    );
    for my $what (sort keys %needs_more) {
        my $before = () = $server->slurp('port.log') =~ /http11-required/g;
        is http2($server, [ authorization => $needs_more{$what} ], []), 'reset 13, end',
            "item 19: $what is reset with HTTP_1_1_REQUIRED, the next stream is served";
        ok $server->logged('port.log', qr/(?:\|403 1 50\|http11-required\n.*){@{[ $before + 1 ]}}/s), "item 19: $what: reason";
    }
    for my $case ([ 'NTLM', '--ntlm', '-u', ALICE . ':' . PW ], [ 'Kerberos', qw(--negotiate -u :) ]) {
        my ($what, @how) = @$case;
        is substr($h2->('--http2', @how), -7), '1.1 200', "item 19: $what, h2c by Upgrade: ends in HTTP/1.1";
        is substr($h2->(@PRIOR, @how), -7), '1.1 200', "item 19: $what: over HTTP/1.1 after the reset" if $what eq 'NTLM';
    }
    my @upgrade = (Connection => 'Upgrade, HTTP2-Settings', Upgrade => 'h2c', 'HTTP2-Settings' => 'AAMAAABkAAQCAAAAAAIAAAAA');
    for my $kind (@KINDS) {
        my $client = connection($server);
        my @r = $client->login('/index.html', login($kind), @upgrade);
        is told($client, $r[-1]), served($kind), "item 19: $kind with Upgrade: h2c";
        is told($client, $client->get('/index.html')), served(), "item 19: $kind with Upgrade: h2c: still HTTP/1.1, and bound";
    }
}

# --- 20: caches

{
    my $server = own(<<"END");
LoadModule cache_module $ENV{WA_MODULES}/mod_cache.so
LoadModule cache_disk_module $ENV{WA_MODULES}/mod_cache_disk.so
CacheRoot \@DIR\@/cache
CacheEnable disk /
CacheHeader On
CacheDefaultExpire 3600
<Location /public>
  AuthType None
  Require all granted
</Location>
Alias /public \@DIR\@/htdocs
END
    mkdir "$server->{dir}/cache" or die $!;
    chmod 0777, "$server->{dir}/cache" or die $!;
    utime time - 86400, time - 86400, "$server->{dir}/htdocs/index.html";       # old enough to be kept
    my @public = map { connection($server)->get('/public/index.html')->header('X-Cache') } 1 .. 2;
    like "@public", qr/^MISS .* HIT /, 'item 20: the cache works for public pages';
    my $stored = sub { scalar(my @files = split /\n/, `find '$server->{dir}/cache' -name '*.data'`) };
    is $stored->(), 1, 'item 20: where it stores one file';
    for my $kind (@KINDS) {
        my $client = connection($server);
        is +($client->login('/index.html', login($kind)))[-1]->header('Cache-Control'), undef, "item 20: $kind: none where credentials came";
        for (1, 2) {
            my $r = $client->get('/index.html');
            is told($client, $r), served(), "item 20: $kind, bound: served";
            is $r->header('Cache-Control'), 'private', "item 20: $kind, bound: Cache-Control";
            like $r->header('X-Cache'), qr/^MISS /, "item 20: $kind, bound: not from the cache";
        }
        my $other = connection($server);
        is told($other, $other->get('/index.html')), $ANONYMOUS, "item 20: $kind: nobody else gets it";
    }
    is $stored->(), 1, 'item 20: nothing of it was stored';
}

done_testing;
