# HTTP/2: many requests share a connection, so none of them may log it in.  What works in one leg is served on
# its stream; the rest goes back to HTTP/1.1, by itself.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Cwd 'abs_path';
use File::Basename 'dirname';
use IO::Socket::INET;
use lib 't/lib', 'lib';
use WinAuth::Own;
use WinAuth::Run;

my $LIB = abs_path(dirname(__FILE__) . '/lib');
my %KERBEROS = (KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache", NTLM_USER_FILE => '/nonexistent');
my %NOTHING = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent');
my %SPNEGO_NTLM = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => scratch('user', "WINAUTH:alice:Passw0rd-alice\n"));
my @GSS = ('--negotiate', '-u', ':');
my @PASSWORD = ('-u', 'WINAUTH\\alice:Passw0rd-alice');
my $count = 0;

my $tls = WinAuth::Server::free_port();
my $own = own(<<"END", modules => [qw(ssl http2)], mpm => $ENV{WA_MPM} eq 'prefork' ? 'event' : $ENV{WA_MPM});
Protocols h2 h2c http/1.1
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Location /ntlm>
  WinAuthProviders NTLM
</Location>
<Location /kerberos>
  WinAuthProviders Negotiate:Kerberos
</Location>
<Location /optional>
  WinAuthOptional On
  Require all granted
</Location>
<Location /none>
  AuthType None
  Require all granted
</Location>
Listen 127.0.0.1:$tls
<VirtualHost *:$tls>
  ServerName localhost
  SSLEngine On
  SSLCertificateFile \@DIR\@/cert.pem
  SSLCertificateKeyFile \@DIR\@/key.pem
</VirtualHost>
END
certificate($own->{dir}, 'localhost');
$own->file("htdocs/$_", "a page\n") for qw(ntlm kerberos optional none);
$own->start;

sub https { return "https://localhost:$tls/$_[0]" }
sub clear { return "http://localhost:$own->{port}/$_[0]" }
sub page { return ($_[0] || 'index.html') . '?' . ++$count }

# story(RUN): "VERSION STATUS" of each leg; a request without an answer was reset.
sub story {
    my ($run) = @_;
    return join ', ', map { my ($request, $response) = @$_;
                            my ($version) = ($response || $request)->{line} =~ m{HTTP/([\d.]+)};
                            "$version " . ($response ? $response->{status} : 'reset') } @{ $run->{legs} };
}

sub last_response { return $_[0]{legs}[-1][1] || bless { status => 0, headers => [] }, 'WinAuth::Response' }

# over(NAME): the ways to speak HTTP/2 from the first byte on.
my %over = ('TLS' => [ \&https, '-k', '--http2' ], 'clear text' => [ \&clear, '--http2-prior-knowledge' ]);

# --- Kerberos, on its stream

for my $over (sort keys %over) {
    my ($url, @h2) = @{ $over{$over} };
    for my $page ($over eq 'TLS' ? ('index.html', 'kerberos') : ()) { # this curl reuses no clear text connection
        my @pages = map { page($page) } 1 .. 3;
        my $run = curl(\%KERBEROS, @h2, @GSS, $url->($pages[0]), '--next', @h2, '-sv', '-o', scratch('second'), '-w',
                       '%{local_port} %{num_connects} %{http_code}\n', $url->($pages[1]), '--next', @h2, '-sv', @GSS, '-o',
                       scratch('third'), '-w', '%{local_port} %{num_connects} %{http_code}\n', $url->($pages[2]));
        my $what = "$over, $page";
        is $run->{exit}, 0, "$what: curl is content" or diag $run->{err};
        is story($run), '2 200, 2 401, 2 200', "$what: Kerberos, nobody, Kerberos";
        is join(' ', map { $_->{connects} } @{ $run->{transfers} }), '1 0 0', "$what: on one connection";
        my @r = map { $_->[1] } @{ $run->{legs} };
        for my $r (@r[ 0, 2 ]) {
            is user_of($r), ALICE, "$what: logged in";
            like $r->offers, qr{^Negotiate [A-Za-z0-9+/]+=*\z}, "$what: the final token";
            is $r->header('Persistent-Auth'), undef, "$what: no Persistent-Auth";
        }
        is $r[1]->offers, 'Negotiate', "$what: a stream is offered Negotiate, and never NTLM";
        is join('|', map { reasons($own, "/$_") } @pages), '200 ok|401 anonymous|200 ok', "$what: the log";
    }
    my $run = curl(\%NOTHING, @h2, $url->(page()));
    is story($run), '2 401', "$over: nobody";
    is last_response($run)->offers, 'Negotiate', "$over: nobody is offered Negotiate";
    if ($over eq 'TLS') {
        $run = curl(\%KERBEROS, @h2, qw(--anyauth -u :), $url->(page()));
        is story($run), '2 401, 2 200', 'curl --anyauth with a ticket';
        is user_of(last_response($run)), ALICE, 'curl --anyauth with a ticket: logged in';
    }
    # what the server says: this curl trips over an answer that comes before its body is read
    my $page = page();
    curl(\%KERBEROS, @h2, @GSS, '--data-binary', 'x' x 1000, $url->($page));
    is join('|', reasons($own, "/$page")), '200 ok', "$over: a body with Kerberos";
    $run = curl(\%KERBEROS, @h2, @GSS, '-I', $url->(page()));
    is story($run), '2 200', "$over: HEAD with Kerberos";
    $run = curl(\%NOTHING, @h2, $url->(page('optional')));
    is story($run), '2 200', "$over: where credentials are optional, nobody";
    is user_of(last_response($run)), '-', "$over: who is nobody";
    $run = curl(\%KERBEROS, @h2, @GSS, $url->(page('optional')));
    is story($run) . ' ' . user_of(last_response($run)), '2 200 ' . ALICE, "$over: where credentials are optional, Kerberos";
}

# --- what needs a connection of its own

sub downgraded {
    my ($run, $what) = @_;
    like $run->{err}, qr/HTTP_1_1_REQUIRED|Downgrades to HTTP\/1\.1/, "$what: with HTTP_1_1_REQUIRED";
}

for my $over (sort keys %over) {
    my ($url, @h2) = @{ $over{$over} };
    # curl comes back over HTTP/1.1 only where it has not been told that the server speaks nothing but HTTP/2
    my $comes_back = $over eq 'TLS';
    for my $how ([ 'NTLM', ntlm() ], [ 'NTLM under Negotiate', raw_negotiate() ], [ 'NTLM inside SPNEGO', spnego_ntlm() ]) {
        my ($name, $token, $scheme) = @$how;
        my $page = page();
        my $run = curl(\%NOTHING, @h2, '-H', "Authorization: $scheme " . $token->step, $url->($page));
        my $what = "$over, $name";
        like story($run), $comes_back ? qr/^2 reset, 1\.1 401\z/ : qr/^2 reset/, "$what: the stream is reset";
        downgraded($run, $what) if $comes_back;
        like last_response($run)->offers, qr{^$scheme [A-Za-z0-9+/]+=*\z}, "$what: and the leg goes on over HTTP/1.1"
            if $comes_back;
        is((reasons($own, "/$page"))[0], '403 http11-required', "$what: the reason");
    }
}
{
    my $run = curl(\%SPNEGO_NTLM, qw(-k --http2), @GSS, https(page()));
    is story($run), '2 reset, 1.1 401, 1.1 200', 'curl --negotiate without a ticket: comes back and logs in';
    is user_of(last_response($run)), ALICE, 'curl --negotiate without a ticket: who';
    is last_response($run)->header('Persistent-Auth'), 'true', 'curl --negotiate without a ticket: bound';
    $run = curl(\%SPNEGO_NTLM, qw(-k --http2 --anyauth -u :), https(page()));
    like story($run), qr/^2 401, 2 reset, 1\.1 401(?:, 1\.1 401)?, 1\.1 200\z/, 'curl --anyauth without a ticket: comes back and logs in';
    for my $page ('index.html', 'ntlm') {
        $run = curl(\%NOTHING, qw(-k --http2 --ntlm), @PASSWORD, https(page($page)));
        is $run->{transfers}[0]{status} . ' ' . user_of(last_response($run)), '200 ' . ALICE, "curl --ntlm, $page: logs in";
    }
    my $page = page('ntlm');
    $run = curl(\%NOTHING, qw(-k --http2), https($page));
    is story($run), '2 reset, 1.1 401', 'only NTLM: an anonymous stream is reset';
    downgraded($run, 'only NTLM');
    is last_response($run)->offers, 'NTLM', 'only NTLM: and asked over HTTP/1.1';
    is join('|', reasons($own, "/$page", 2)), '403 http11-required|401 anonymous', 'only NTLM: the log';
    $run = curl(\%NOTHING, qw(-k --http2 --anyauth), @PASSWORD, https(page('ntlm')));
    is $run->{transfers}[0]{status} . ' ' . user_of(last_response($run)), '200 ' . ALICE, 'only NTLM: curl --anyauth logs in';
    $run = curl(\%NOTHING, qw(-k --http2 --anyauth), @PASSWORD, '--data-binary', 'x' x 1000, https(page('ntlm')));
    is $run->{transfers}[0]{status} . ' ' . user_of(last_response($run)), '200 ' . ALICE,
        'only NTLM: curl --anyauth logs in with a body';
    $page = page('kerberos');
    $run = curl(\%SPNEGO_NTLM, qw(-k --http2), @GSS, https($page));
    is $run->{transfers}[0]{status}, 401, 'only Kerberos: NTLM inside SPNEGO is refused';
    is((reasons($own, "/$page"))[-1], '401 ntlm-not-allowed', 'only Kerberos: the reason');
    $run = curl(\%NOTHING, qw(-k --http2), '-H', 'Authorization: NTLM !!!!', https(page()));
    is story($run), '2 400', 'a malformed header is 400 on a stream';
    $run = curl(\%NOTHING, qw(-k --http2), '-H', 'Authorization: Bearer x', https(page()));
    is story($run) . ' ' . last_response($run)->offers, '2 401 Negotiate', 'a foreign scheme is nobody on a stream';
}

# --- Upgrade: what is logged in stays HTTP/1.1, or it would be served twice

{
    my $page = page();
    my $run = curl(\%KERBEROS, '--http2', @GSS, clear($page));
    is $run->{transfers}[0]{status} . ' ' . user_of(last_response($run)), '200 ' . ALICE, 'Upgrade: h2c, Kerberos';
    is join('|', reasons($own, "/$page")), '200 ok', 'Upgrade: h2c, Kerberos: judged once';
    $run = curl(\%KERBEROS, qw(--http2 --anyauth -u :), clear(page()));
    is $run->{transfers}[0]{status} . ' ' . user_of(last_response($run)), '200 ' . ALICE, 'Upgrade: h2c, curl --anyauth';
    for my $case ([ 'SPNEGO with NTLM', \%SPNEGO_NTLM, @GSS ], [ '--ntlm', \%NOTHING, '--ntlm', @PASSWORD ]) {
        my ($name, $environment, @args) = @$case;
        $run = curl($environment, '--http2', @args, clear(page()));
        is $run->{transfers}[0]{status} . ' ' . user_of(last_response($run)), '200 ' . ALICE, "Upgrade: h2c, curl $name";
    }

    # a logged-in connection that asks for HTTP/2 does not take its login along, nor does it lose it
    my @upgrade = (Connection => 'Upgrade, HTTP2-Settings', Upgrade => 'h2c', 'HTTP2-Settings' => 'AAMAAABkAAQAAP__');
    for my $how ([ 'NTLM', ntlm() ], [ 'Kerberos', kerberos() ]) {
        my ($name, @login) = @$how;
        my $client = to($own);
        my @r = $client->login('/index.html', @login, @upgrade);
        is outcome($r[-1]), '200 ' . ALICE, "Upgrade: h2c on each leg of $name: logged in";
        is outcome($client->get('/index.html', @upgrade)), '200 ' . ALICE, "Upgrade: h2c after $name: served as HTTP/1.1";
        is outcome($client->get('/index.html')), '200 ' . ALICE, "Upgrade: h2c after $name: and bound still";
    }
}

# --- streams side by side

# streams(LIST...): opens one connection in clear text and on it one stream for each list of headers; what each
# of them came to: "page" (200), "other" or "reset N".
sub streams {
    my (@lists) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $own->{port}) or die $!;
    binmode $socket;
    my $frame = sub { return substr(pack('N', length $_[3]), 1) . pack('CCN', @_[ 0 .. 2 ]) . $_[3] };
    my $string = sub { my $n = length $_[0]; return ($n < 127 ? chr $n : "\x7f" . varint($n - 127)) . $_[0] };
    my $id = -1;
    my $out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . $frame->(4, 0, 0, '');
    for my $list (@lists) {
        my @headers = (':method', 'GET', ':scheme', 'http', ':authority', 'localhost', @$list);
        my $block = '';
        while (my ($name, $value) = splice @headers, 0, 2) {
            $block .= "\x00" . $string->($name) . $string->($value);
        }
        $out .= $frame->(1, 5, $id += 2, $block);
    }
    syswrite $socket, $out;
    my ($in, %came) = ('');
    local $SIG{ALRM} = sub { die "the server does not answer\n" };
    alarm 20;
    while (keys %came < @lists) {
        sysread $socket, $in, 65536, length $in or last;
        while (length $in >= 9 && length $in >= 9 + (my $n = unpack 'N', "\0" . substr $in, 0, 3)) {
            my ($type, undef, $stream) = unpack 'CCN', substr $in, 3, 6;
            my $payload = substr $in, 9, $n;
            substr $in, 0, 9 + $n, '';
            $came{$stream} ||= $payload =~ /^[\x20-\x3f]*\x88/ ? 'page' : 'other' if $type == 1;
            $came{$stream} = 'reset ' . unpack 'N', $payload if $type == 3;
        }
    }
    alarm 0;
    return map { $came{ 2 * $_ + 1 } || 'nothing' } 0 .. $#lists;
}

# HPACK's integers, beyond their first byte.
sub varint {
    my ($n) = @_;
    my $bytes = '';
    while ($n >= 128) {
        $bytes .= chr(128 | $n & 127);
        $n >>= 7;
    }
    return $bytes . chr $n;
}

sub stream { my ($path, @headers) = @_; return [ ':path', "/$path", @headers ] }
sub authorization { my ($token, $scheme) = @_; return (authorization => "$scheme " . $token->step) }

{
    is join(', ', streams(stream('none'), stream('index.html'))), 'page, other', 'streams: one protected, one not';
    is join(', ', streams(map { (stream('index.html', authorization(kerberos($_))), stream('index.html')) } qw(alice bob alice bob))),
        join(', ', ('page, other') x 4), 'streams: each Kerberos is served, and nobody else is';
    is join(', ', streams(stream('index.html', authorization(ntlm())), stream('index.html', authorization(kerberos())),
                          stream('index.html', authorization(spnego_ntlm())), stream('none'),
                          stream('index.html', authorization(raw_negotiate())), stream('ntlm'), stream('index.html'))),
        'reset 13, page, reset 13, page, reset 13, reset 13, other', 'streams: resets are HTTP_1_1_REQUIRED, and touch no other stream';

    # a challenge of a connection is no use on a stream
    my ($token, $scheme) = ntlm();
    my $client = to($own);
    my $in = $client->get('/index.html', Authorization => "$scheme " . $token->step)->token($scheme);
    my $answer = "$scheme " . $token->step($in);
    is join(', ', streams(stream('index.html', authorization => $answer), stream('index.html'))), 'reset 13, other',
        'streams: an answer to a challenge of HTTP/1.1';
    is outcome($client->get('/index.html', Authorization => $answer)), '200 ' . ALICE, 'and that is not used up';
    my @one = authorization(kerberos());
    is join(', ', sort { $a cmp $b } streams((stream('index.html', @one)) x 3)), 'other, other, page',
        'streams: the same ticket three times is a replay twice';
    unlike $own->error_log, qr/exit signal|Segmentation/, 'all workers live';
}

# --- browsers

for my $browser (qw(chromium firefox)) {
    for my $case ([ 'Kerberos', 'index.html', \%KERBEROS ], [ 'NTLM, typed', 'index.html', \%NOTHING, 'WINAUTH\\alice', 'Passw0rd-alice' ],
                  [ 'NTLM, typed', 'ntlm', \%NOTHING, 'WINAUTH\\alice', 'Passw0rd-alice' ]) {
        my ($how, $page, $environment, @typed) = @$case;
        my $what = "$browser, $how, $page";
        $page = page($page);
        my $run = run({ %$environment, INSECURE => 1 }, "$LIB/$browser.py", https($page), @typed);
        is $run->{exit}, 0, "$what: shows a page" or diag $run->{err};
        is $run->{err}, '', "$what: and it is 200";
        like $run->{out}, qr/a page/, "$what: the right one";
        ok $own->logged('access.log', qr{^WINAUTH\S*alice "GET /\Q$page\E HTTP/[\d.]+" 200 0 0 ok$}m), "$what: logged in";
    }
}

done_testing;
