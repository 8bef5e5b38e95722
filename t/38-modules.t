# The module among others: passwords, other authentication, authorization, rewriting, caching, DAV, error pages.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'encode_base64';
use Time::HiRes 'sleep';
use WinAuth::Own;
use WinAuth::Run;

my $KDC = $ENV{WA_KDC};
my %LOGIN = logins();
my $OFFERS = '401 Negotiate|NTLM';
my $BASIC = 'Basic realm="own place", charset="UTF-8"';
my $PROTECTED = <<'END';
<Location />
  AuthType WinAuth
  AuthName "own place"
  Require valid-user
</Location>
END
my $count = 0;

sub page { return ($_[0] || '/index.html') . '?' . ++$count }

# logs_in(SERVER, PATH, WHAT, PATTERN): each way to log in there works, and holds.
sub logs_in {
    my ($own, $path, $what, $pattern) = @_;
    for my $how (sort keys %LOGIN) {
        my $client = to($own);
        my @r = $client->login($path, $LOGIN{$how}->());
        is outcome($r[-1]), '200 ' . ALICE, "$what, $how: logged in";
        like $r[-1]{body}, $pattern, "$what, $how: the right page";
        is $r[-1]->header('Persistent-Auth'), 'true', "$what, $how: bound";
        my $r = $client->get($path);
        is outcome($r), '200 ' . ALICE, "$what, $how: reused";
        like $r->{body}, $pattern, "$what, $how: for the same page";
    }
}

# --- Basic, judged by the NTLM authority

{
    my $tls = WinAuth::Server::free_port();
    my $own = own($PROTECTED . <<"END", modules => [qw(ssl auth_basic authn_file)]);
WinAuthProviders Negotiate NTLM Basic
<Location /basic>
  WinAuthProviders Basic
</Location>
<Location /nameless>
  WinAuthProviders Basic
  AuthName "a \\"quoted\\" place"
</Location>
<Location /without>
  WinAuthProviders Negotiate NTLM
</Location>
<Location /single>
  WinAuthPersistSingleRequest On
</Location>
<Location /other>
  AuthType Basic
  AuthName other
  AuthBasicProvider file
  AuthUserFile \@DIR\@/passwd
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
    $own->file('passwd', 'alice:' . crypt('other', 'sa') . "\n");
    $own->file("htdocs/$_", "a page\n") for qw(basic nameless without single other);
    $own->start;

    is outcome(to($own)->get('/index.html')), "$OFFERS|$BASIC", 'Basic: offered on loopback, last';
    is outcome(to($own)->get('/basic')), "401 $BASIC", 'Basic: alone';
    is outcome(to($own)->get('/index.html', Via => '1.1 p')), '401 Negotiate', 'Basic: not offered through a proxy';
    my $r = to($own)->get('/basic', Via => '1.1 p');
    is "$r->{status} " . $r->offers, '403 ', 'Basic: with nothing else to offer that is 403';
    for my $user ('alice', 'WINAUTH\\alice', 'winauth\\ALICE', 'alice@WINAUTH.TEST') {
        my $client = to($own);
        $r = $client->get('/index.html', basic($user, 'Passw0rd-alice'));
        like outcome($r), qr/^200 WINAUTH\\alice\z/i, "Basic: $user";
        is $r->offers, '', "Basic: $user: no final token";
        is $r->header('Persistent-Auth'), undef, "Basic: $user: no Persistent-Auth";
        is outcome($client->get('/index.html')), "$OFFERS|$BASIC", "Basic: $user: then nobody";
    }
    for my $case ([ 'wrong password', 'bad-password', 'alice', 'wrong' ], [ 'no such user', 'unknown-user', 'nobody', 'x' ],
                  [ 'another domain', 'unknown-user', 'OTHER\\alice', 'Passw0rd-alice' ],
                  [ 'no password', 'anonymous-refused', 'alice', '' ], [ 'no user', 'anonymous-refused', '', 'x' ]) {
        my ($name, $reason, @credentials) = @$case;
        my $page = page();
        $r = to($own)->get($page, basic(@credentials));
        is outcome($r), "$OFFERS|$BASIC", "Basic, $name: refused";
        is join('|', reasons($own, $page)), "401 $reason", "Basic, $name: reason";
    }
    for my $case ([ 'no colon', '401', 'bad-token', encode_base64('alice', '') ],
                  [ 'not UTF-8', '401', 'bad-token', encode_base64("alice:\xff\xfe", '') ],
                  [ 'a NUL', '401', 'bad-token', encode_base64("alice\0:Passw0rd-alice", '') ],
                  [ 'not base64', '400', 'bad-encoding', '!!!!' ]) {
        my ($name, $status, $reason, $value) = @$case;
        my $page = page();
        $r = to($own)->get($page, Authorization => "Basic $value");
        is $r->{status}, $status, "Basic, $name: refused";
        is join('|', reasons($own, $page)), "$status $reason", "Basic, $name: reason";
    }
    my $page = page();
    $r = to($own)->get($page, basic('alice', 'Passw0rd-alice'), 'X-Forwarded-For' => '192.0.2.1');
    is "$r->{status} " . $r->offers, '403 ', 'Basic through a proxy: 403';
    is join('|', reasons($own, $page)), '403 tls-required', 'Basic through a proxy: reason';
    $page = page('/without');
    is outcome(to($own)->get($page, basic('alice', 'Passw0rd-alice'))), $OFFERS, 'Basic where it is not listed';
    is join('|', reasons($own, $page)), '401 anonymous', 'Basic where it is not listed: ignored';
    is to($own)->get('/nameless')->offers, 'Basic realm="a \\"quoted\\" place", charset="UTF-8"', 'Basic: quotes in the realm';

    # through a proxy, but over TLS
    my $run = curl({}, '-k', '-H', 'Via: 1.1 p', '--basic', '-u', 'alice:Passw0rd-alice', "https://localhost:$tls/index.html");
    is $run->{transfers}[0]{status}, 200, 'Basic over TLS: through a proxy, too';
    $run = curl({}, '-k', '-H', 'Via: 1.1 p', "https://localhost:$tls/index.html");
    is $run->{legs}[0][1]->offers, "Negotiate|$BASIC", 'Basic over TLS: offered';
    $run = curl({}, qw(-k --anyauth -u alice:Passw0rd-alice), urls(map { "https://localhost:$tls/basic?$_" } 1 .. 3));
    is join(' ', map { $_->{status} } @{ $run->{transfers} }), '200 200 200', 'Basic over TLS: curl --anyauth';

    # among logins of the connection
    my $client = to($own);
    $client->login('/index.html', ntlm());
    is outcome($client->get('/index.html', basic('bob', 'Passw0rd-bob'))), '200 ' . BOB, 'Basic on a bound connection: who it says';
    is outcome($client->get('/index.html')), "$OFFERS|$BASIC", 'Basic on a bound connection: the old login is gone';
    $client->login('/index.html', ntlm());
    is outcome($client->get('/index.html', basic('bob', 'wrong'))), "$OFFERS|$BASIC", 'Basic on a bound connection, wrong: refused';
    is outcome($client->get('/index.html')), "$OFFERS|$BASIC", 'Basic on a bound connection, wrong: the old login is gone';

    # mod_auth_basic beside us
    $client = to($own);
    $client->login('/index.html', kerberos());
    is outcome($client->get('/other')), '401 Basic realm="other"', 'mod_auth_basic: asks by itself';
    is outcome($client->get('/other', basic('alice', 'Passw0rd-alice'))), '401 Basic realm="other"', 'mod_auth_basic: its own passwords';
    is outcome($client->get('/other', basic('alice', 'other'))), '200 alice', 'mod_auth_basic: its own users';
    is outcome($client->get('/index.html')), '200 ' . ALICE, 'mod_auth_basic: touches no login of ours';
    is outcome($client->get('/index.html', basic('alice', 'other'))), "$OFFERS|$BASIC", 'mod_auth_basic: whose passwords are not ours';
}

# --- Basic, judged by a Kerberos AS exchange

{
    my $asked = sub {
        my ($user, $pattern) = @_;
        open my $f, '<', "$KDC/kdc.log" or die $!;
        return scalar grep { /AS_REQ.* $pattern.*\b$user\@WINAUTH\.TEST for krbtgt/ } <$f>;
    };
    my $issued = sub { return $asked->($_[0], 'ISSUE:') };
    my $own = own($PROTECTED . <<"END", trust => "Header always set X-User expr=%{REMOTE_USER}\nKeepAliveTimeout 20\n");
WinAuthProviders Basic
WinAuthNTLMAuthority none
WinAuthKeytab \@DIR\@/http.keytab
WinAuthDomain WINAUTH.TEST WINAUTH
<Location /single>
  WinAuthPersistSingleRequest On
</Location>
<Location /two>
  WinAuthPersistLimit seconds=1
</Location>
END
    $own->file("htdocs/$_", "a page\n") for qw(single two);
    my $read = sub { open my $f, '<:raw', "$KDC/$_[0]" or die $!; local $/; return scalar <$f> };
    # keys of two services: the first two bytes of a keytab are its version
    my $keytab = $read->('http.keytab') . substr $read->('empty-of-http.keytab'), 2;
    $own->file('http.keytab', $keytab);
    $own->start;
    my @alice = basic('alice', 'Passw0rd-alice');
    my $client = to($own);
    my $before = $issued->('alice');
    is outcome($client->get('/index.html', @alice)), '200 ' . ALICE, "AS exchange: request $_" for 1 .. 5;
    is $issued->('alice') - $before, 1, 'AS exchange: one for five requests on a connection';
    my $page = page();
    is outcome($client->get($page, basic('alice', 'wrong'))), "401 $BASIC", 'AS exchange: another password is judged anew';
    is join('|', reasons($own, $page)), '401 bad-password', 'AS exchange: wrong password: reason';
    is outcome($client->get('/index.html', basic('bob', 'Passw0rd-bob'))), '200 ' . BOB, 'AS exchange: another user, too';
    is outcome($client->get('/index.html', basic('bob', 'Passw0rd-alice'))), "401 $BASIC", 'AS exchange: with his own password only';
    is outcome($client->get('/index.html', basic('alice', 'Passw0rd-bob'))), "401 $BASIC", 'AS exchange: and the other way round';
    is outcome($client->get('/index.html', @alice)), '200 ' . ALICE, 'AS exchange: the right one again';
    is outcome($client->get('/index.html')), "401 $BASIC", 'AS exchange: nobody without it';
    is outcome(to($own)->get('/index.html')), "401 $BASIC", 'AS exchange: nor elsewhere';
    $before = $issued->('alice');
    is outcome(to($own)->get('/index.html', @alice)), '200 ' . ALICE, 'AS exchange: another connection';
    is $issued->('alice') - $before, 1, 'AS exchange: which asks by itself';
    $client = to($own);
    $before = $issued->('alice');
    is outcome($client->get('/single', @alice)), '200 ' . ALICE, "AS exchange, WinAuthPersistSingleRequest On: $_" for 1 .. 3;
    is $issued->('alice') - $before, 3, 'AS exchange, WinAuthPersistSingleRequest On: one each';
    $client = to($own);
    $before = $issued->('alice');
    is outcome($client->get('/two', @alice)), '200 ' . ALICE, 'AS exchange, seconds=1: first';
    sleep 1.1;
    is outcome($client->get('/two', @alice)), '200 ' . ALICE, 'AS exchange, seconds=1: later';
    is $issued->('alice') - $before, 2, 'AS exchange, seconds=1: asked again';
    $client = to($own);
    $before = $issued->('alice');
    is outcome($client->get('/index.html', @alice, Via => '1.1 p')) , '403 ', 'AS exchange: not through a proxy';
    is $issued->('alice') - $before, 0, 'AS exchange: which the KDC never hears of';

    for my $case ([ 'unknown user', '401', 'unknown-user', 'nobody', 'x' ], [ 'no such realm', '', '', 'alice@OTHER.TEST', 'x' ],
                  [ 'alice by her full name', '200', 'ok', 'alice@WINAUTH.TEST', 'Passw0rd-alice' ],
                  [ 'no user', '401', 'anonymous-refused', '', 'x' ], [ 'no password', '401', 'anonymous-refused', 'alice', '' ]) {
        my ($name, $status, $reason, @credentials) = @$case;
        $page = page();
        my $r = to($own)->get($page, basic(@credentials));
        like $r->{status}, $status ? qr/^$status\z/ : qr/^(?:401|503)\z/, "AS exchange, $name: status";
        like join('|', reasons($own, $page)), $status ? qr/^$status $reason\z/ : qr/^\d+ (?:unknown-user|authority-down)\z/,
            "AS exchange, $name: reason";
    }
    for my $case ([ 'gone', sub { unlink "$own->{dir}/http.keytab" } ],
                  [ 'with another key', sub { $own->file('http.keytab', $read->('wrong.keytab')) } ],
                  [ 'that is none', sub { $own->file('http.keytab', 'none') } ]) {
        my ($name, $change) = @$case;
        $change->();
        $page = page();
        is to($own)->get($page, @alice)->{status}, 503, "AS exchange, keytab $name: 503";
        is join('|', reasons($own, $page)), '503 credentials-unavailable', "AS exchange, keytab $name: reason";
    }
    $own->file('http.keytab', $keytab);
    is outcome(to($own)->get('/index.html', @alice)), '200 ' . ALICE, 'AS exchange, keytab back';
    $own->file('http.keytab', $read->('http.keytab'));
    is outcome(to($own)->get('/index.html', @alice)), '200 ' . ALICE, 'AS exchange, keytab with nothing but HTTP';
    unlike $own->error_log, qr/Passw0rd/, 'no password is in the log';
}

# --- who may, and who is asked

{
    my $tls = WinAuth::Server::free_port();
    my $own = own($PROTECTED . <<"END", modules => [qw(access_compat ssl status)]);
<Location /any-here>
  <RequireAny>
    Require ip 127.0.0.1
    Require valid-user
  </RequireAny>
</Location>
<Location /any-elsewhere>
  <RequireAny>
    Require ip 192.0.2.1
    Require valid-user
  </RequireAny>
</Location>
<Location /all-here>
  <RequireAll>
    Require ip 127.0.0.1
    Require valid-user
    Require not user "WINAUTH\\\\bob"
  </RequireAll>
</Location>
<Location /all-elsewhere>
  <RequireAll>
    Require ip 192.0.2.1
    Require valid-user
  </RequireAll>
</Location>
<Location /denied>
  Require all denied
</Location>
<Location /satisfy-here>
  Order allow,deny
  Allow from 127.0.0.1
  Satisfy Any
  Require valid-user
</Location>
<Location /satisfy-elsewhere>
  Order deny,allow
  Deny from all
  Allow from 192.0.2.1
  Satisfy Any
  Require valid-user
</Location>
<Location /optional>
  WinAuthOptional On
  Require all granted
</Location>
<Location /optional-user>
  WinAuthOptional On
  Require valid-user
</Location>
<Location /offer>
  WinAuthOffer "%{HTTP_USER_AGENT} !~ /Mobile/"
</Location>
<Location /offer-basic>
  WinAuthProviders Negotiate NTLM Basic
  WinAuthOffer "-R '192.0.2.0/24'"
</Location>
<Location /tls>
  WinAuthRequireTLS On
</Location>
<Location /preflight>
  AuthType WinAuth
  <LimitExcept OPTIONS>
    Require valid-user
  </LimitExcept>
  <Limit OPTIONS>
    Require all granted
  </Limit>
</Location>
<Location /status>
  SetHandler server-status
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
    $own->file("htdocs/$_", "a page\n")
        for qw(any-here any-elsewhere all-here all-elsewhere denied satisfy-here satisfy-elsewhere optional optional-user
               offer offer-basic tls preflight);
    $own->start;

    for my $name (qw(any-here satisfy-here)) {
        is outcome(to($own)->get("/$name")), '200 -', "$name: nobody is asked";
        my $r = to($own)->get("/$name", Authorization => 'NTLM ' . (ntlm())[0]->step);
        is outcome($r), '200 -', "$name: nor is anybody's token looked at";
    }
    for my $name (qw(any-elsewhere satisfy-elsewhere all-here)) {
        is outcome(to($own)->get("/$name")), $OFFERS, "$name: asked";
        logs_in($own, "/$name", $name, qr/a page/);
    }
    my @r = to($own)->login('/all-here', kerberos('bob'));
    is outcome($r[-1]), $OFFERS, 'all-here: bob is not wanted, and may be somebody else';
    is $r[-1]->header('Persistent-Auth'), 'true', 'all-here: his login holds'
        if defined $r[-1]->header('Persistent-Auth');
    ok $own->logged('access.log', qr{"GET /all-here HTTP/1.1" 401 3 5 not-authorized$}m), 'all-here: reason';
    for my $name (qw(all-elsewhere denied)) {
        my $r = (to($own)->login("/$name", kerberos()))[-1];
        like "$r->{status}", qr/^40[13]\z/, "$name: no use";
        unlike $r->{body}, qr/a page/, "$name: not served";
    }

    is outcome(to($own)->get('/optional')), '200 -', 'WinAuthOptional: nobody';
    is to($own)->get('/optional')->header('Cache-Control'), 'private', 'WinAuthOptional: not for a cache to pass on';
    logs_in($own, '/optional', 'WinAuthOptional', qr/a page/);
    for my $how (sort grep { /NTLM/ } keys %LOGIN) {
        my $client = to($own);
        @r = $client->login('/optional', $LOGIN{$how}->('alice', 'wrong'));
        is outcome($r[-1]), $OFFERS, "WinAuthOptional, $how: wrong credentials are refused";
        is outcome($client->get('/optional')), '200 -', "WinAuthOptional, $how: and nobody is nobody again";
    }
    is outcome(to($own)->get('/optional', Authorization => 'Bearer x')), '200 -', 'WinAuthOptional: a foreign scheme is nobody';
    is to($own)->get('/optional', Authorization => 'NTLM !!!')->{status}, 400, 'WinAuthOptional: a malformed header';
    is outcome(to($own)->get('/optional-user')), $OFFERS, 'WinAuthOptional under Require valid-user: asked';
    logs_in($own, '/optional-user', 'WinAuthOptional under Require valid-user', qr/a page/);

    is outcome(to($own)->get('/offer')), $OFFERS, 'WinAuthOffer: true';
    my $r = to($own)->get('/offer', 'User-Agent' => 'A Mobile');
    is "$r->{status} " . $r->offers, '403 ', 'WinAuthOffer: false, with nothing else to offer';
    @r = to($own)->login('/offer', ntlm(), 'User-Agent' => 'A Mobile');
    is outcome($r[-1]), '200 ' . ALICE, 'WinAuthOffer: false, but credentials are judged';
    is outcome(to($own)->get('/offer-basic')), "401 $BASIC", 'WinAuthOffer: false, Basic stays';
    is outcome(to($own)->get('/offer-basic', basic('alice', 'Passw0rd-alice'))), '200 ' . ALICE, 'WinAuthOffer: false, Basic works';

    for my $headers ([], [ Authorization => 'Negotiate ' . (kerberos())[0]->step ], [ Authorization => 'NTLM ' . (ntlm())[0]->step ]) {
        my $page = page('/tls');
        $r = to($own)->get($page, @$headers);
        is "$r->{status} " . $r->offers, '403 ', 'WinAuthRequireTLS: 403 and nothing offered';
        is join('|', reasons($own, $page)), '403 tls-required', 'WinAuthRequireTLS: reason';
    }
    my $client = to($own);
    $client->login('/index.html', ntlm());
    is $client->get('/tls')->{status}, 403, 'WinAuthRequireTLS: a login in clear text is no use';
    for my $curl ([ 'Kerberos', { KRB5CCNAME => "$KDC/alice.ccache" }, qw(--negotiate -u :) ],
                  [ 'NTLM', {}, '--ntlm', '-u', 'WINAUTH\\alice:Passw0rd-alice' ]) {
        my ($how, $environment, @args) = @$curl;
        my $run = curl($environment, '-k', @args, urls(map { "https://localhost:$tls/tls?$_" } 1 .. 3));
        is join(' ', map { $_->{status} } @{ $run->{transfers} }), '200 200 200', "WinAuthRequireTLS, $how over TLS";
        is join(' ', map { $_->{connects} } @{ $run->{transfers} }), '1 0 0', "WinAuthRequireTLS, $how over TLS: one connection";
    }

    is to($own)->request('OPTIONS', '/preflight', [ Origin => 'http://a.test' ])->{status}, 200, 'preflight: OPTIONS needs no login';
    is outcome(to($own)->get('/preflight')), $OFFERS, 'preflight: GET does';
    logs_in($own, '/preflight', 'preflight', qr/a page/);
    is outcome(to($own)->get('/status')), $OFFERS, 'mod_status: protected';
    logs_in($own, '/status?auto', 'mod_status', qr/^ServerMPM: /m);
    unlike $own->error_log, qr/exit signal|Segmentation/, 'all workers live';
}

# --- what a request becomes

{
    my $own = own(<<'END', modules => [qw(rewrite include)]);
<Directory @DIR@/htdocs>
  Options +Includes +FollowSymLinks
  AllowOverride None
  Require all granted
</Directory>
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<FilesMatch "\.secret$">
  AuthType WinAuth
  AuthName "own place"
  Require valid-user
  ForceType text/plain
</FilesMatch>
<Directory @DIR@/htdocs/index>
  DirectoryIndex missing.html start.secret
</Directory>
<Directory @DIR@/htdocs/fallback>
  FallbackResource /fallback/start.secret
</Directory>
<Directory @DIR@/htdocs/rewritten>
  RewriteEngine On
  RewriteRule ^page$ start.secret [L]
</Directory>
RewriteEngine On
RewriteRule ^/through$ /index/start.secret [PT]
RewriteRule ^/inside$ /index/start.secret [L]
<Location /errors>
  Require all granted
</Location>
<Location /local>
  ErrorDocument 401 /errors/401.html
</Location>
<Location /text>
  ErrorDocument 401 "please log in"
</Location>
<Location /foreign>
  ErrorDocument 401 /index/start.secret
</Location>
<LocationMatch ^/(local|text|foreign)>
  AuthType WinAuth
  AuthName "own place"
  Require valid-user
</LocationMatch>
END
    mkdir "$own->{dir}/htdocs/$_" for qw(index fallback rewritten errors);
    $own->file("htdocs/$_/start.secret", "secret $_\n") for qw(index fallback rewritten);
    $own->file('htdocs/errors/401.html', "an error page\n");
    $own->file("htdocs/$_", "a page\n") for qw(local text foreign open.html);
    $own->file('htdocs/parts.shtml', "begin <!--#include virtual=\"/index/start.secret\" --> end\n");
    $own->file('htdocs/directory.shtml', "begin <!--#include virtual=\"/index/\" --> end\n");
    $own->start;
    for my $case ([ 'DirectoryIndex', '/index/', 'index' ], [ 'FallbackResource', '/fallback/no/such/page', 'fallback' ],
                  [ 'RewriteRule in a directory', '/rewritten/page', 'rewritten' ], [ 'RewriteRule with PT', '/through', 'index' ],
                  [ 'RewriteRule', '/rewritten/start.secret', 'rewritten' ]) {
        my ($what, $path, $name) = @$case;
        my $r = to($own)->get($path);
        is outcome($r), $OFFERS, "$what: nobody";
        unlike $r->{body}, qr/secret $name/, "$what: nobody sees it";
        logs_in($own, $path, $what, qr/^secret $name$/);
        my $client = to($own);
        my @r = $client->login($path, ntlm('alice', 'wrong'));
        is outcome($r[-1]), $OFFERS, "$what: wrong password";
        is outcome($client->get('/open.html')), '200 -', "$what: an open page is open";
        is outcome($client->get($path)), $OFFERS, "$what: nobody still";
        # the path is protected by nothing else
        $client->login('/index/', kerberos('bob'));
        is outcome($client->get($path)), '200 ' . BOB, "$what: a login by another path holds";
    }

    for my $case ([ 'a local page', '/local', qr/^an error page$/ ], [ 'a text', '/text', qr/^please log in$/ ],
                  [ 'a protected page', '/foreign', qr/Unauthorized/ ]) {
        my ($what, $path, $body) = @$case;
        my $r = to($own)->get($path);
        is outcome($r), $OFFERS, "ErrorDocument 401, $what: offers";
        like $r->{body}, $body, "ErrorDocument 401, $what: is shown";
        unlike $r->{body}, qr/secret/, "ErrorDocument 401, $what: shows no secret";
        for my $how ('raw NTLM', 'NTLM inside SPNEGO') {
            my @r = to($own)->login($path, $LOGIN{$how}->());
            unlike $r[0]{body}, qr/an error page|please log in/, "ErrorDocument 401, $what, $how: not on a leg";
            @r = to($own)->login($path, $LOGIN{$how}->('alice', 'wrong'));
            is outcome($r[-1]), $OFFERS, "ErrorDocument 401, $what, $how: wrong password";
            like $r[-1]{body}, $body, "ErrorDocument 401, $what, $how: and is shown";
        }
        logs_in($own, $path, "ErrorDocument 401, $what", qr/^a page$/);
    }

    # a part of an open page never makes the page ask
    for my $path ('/parts.shtml', '/directory.shtml') {
        for my $headers ([], [ Authorization => 'Negotiate ' . (kerberos())[0]->step ],
                         [ Authorization => 'NTLM ' . (ntlm())[0]->step ]) {
            my $client = to($own);
            my $r = $client->get($path, @$headers);
            is outcome($r), '200 -', "SSI, $path: served to nobody";
            is $r->offers, '', "SSI, $path: nothing is asked";
            like $r->{body}, qr/^begin .*end$/s, "SSI, $path: all but the part";
            unlike $r->{body}, qr/secret index/, "SSI, $path: which is nobody's";
            is outcome($client->get('/index/')), $OFFERS, "SSI, $path: and nobody is logged in";
        }
    }
    unlike $own->error_log, qr/exit signal|Segmentation/, 'all workers live';
}

# --- mod_cache

for my $quick (qw(Off On)) {
    my $own = own($PROTECTED . <<"END", modules => [qw(cache cache_disk include expires)]);
CacheRoot \@DIR\@/cache
CacheEnable disk /
CacheHeader On
CacheQuickHandler $quick
CacheDefaultExpire 1000
CacheIgnoreNoLastMod On
<Directory \@DIR\@/htdocs>
  Options +Includes
</Directory>
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
ExpiresActive On
ExpiresDefault A1000
<Location /open.shtml>
  AuthType None
  Require all granted
</Location>
<Location /optional.shtml>
  WinAuthOptional On
  Require all granted
</Location>
END
    mkdir "$own->{dir}/cache";
    chmod 0777, "$own->{dir}/cache";
    $own->file("htdocs/$_.shtml", "for <!--#echo var=\"REMOTE_USER\" encoding=\"none\" -->.\n") for qw(open mine other optional);
    $own->file('htdocs/static.html', "a page\n");
    $own->start;
    my $what = "mod_cache, CacheQuickHandler $quick";
    to($own)->get('/open.shtml');
    like to($own)->get('/open.shtml')->header('X-Cache') || '', qr/^HIT/, "$what: it does cache";
    for my $case ([ '/mine.shtml', 'NTLM', \&ntlm ], [ '/other.shtml', 'Kerberos', \&kerberos ]) {
        my ($path, $how, $login) = @$case;
        for my $round (1, 2) {
            my $client = to($own);
            my @r = $client->login($path, $login->());
            is $r[-1]{body}, 'for ' . ALICE . ".\n", "$what, $how: alice, round $round";
            for (1 .. 2) {
                my $r = $client->get($path);
                is $r->{body}, 'for ' . ALICE . ".\n", "$what, $how: alice by her connection";
                unlike $r->header('X-Cache') || '', qr/^HIT/, "$what, $how: not from the cache";
                like join(', ', $r->all('Cache-Control')), qr/\bprivate\b/, "$what, $how: which was told";
            }
            my $other = to($own);
            is outcome($other->get($path)), $OFFERS, "$what, $how: nobody gets nothing";
            @r = $other->login($path, $login->('bob'));
            is $r[-1]{body}, 'for ' . BOB . ".\n", "$what, $how: bob, round $round";
            is $other->get($path)->{body}, 'for ' . BOB . ".\n", "$what, $how: bob by his connection";
            is $client->get($path)->{body}, 'for ' . ALICE . ".\n", "$what, $how: alice once more";
            is outcome(to($own)->get($path)), $OFFERS, "$what, $how: nobody still gets nothing";
        }
        my $client = to($own);
        $client->login('/static.html', $login->());
        is outcome($client->get('/static.html')), '200 ' . ALICE, "$what, $how: a file by the connection" for 1, 2;
        is outcome(to($own)->get('/static.html')), $OFFERS, "$what, $how: not for nobody";
        is outcome($client->get('/static.html', 'If-None-Match' => '"x"')), '200 ' . ALICE, "$what, $how: with a condition";
        is outcome(to($own)->get('/static.html')), $OFFERS, "$what, $how: not for nobody after that either";
        my @r = $client->login('/optional.shtml', $login->());
        is $r[-1]{status}, 200, "$what, $how, optional: alice"; # or nobody's page, where the cache has it
        like $client->get('/optional.shtml')->{body}, qr/^for (?:WINAUTH.alice|\(none\))\.$/, "$what, $how, optional: by her connection";
        unlike to($own)->get('/optional.shtml')->{body}, qr/alice/, "$what, $how, optional: nobody is not alice";
    }
}

# --- mod_dav

{
    my $own = own($PROTECTED . <<'END', modules => [qw(dav dav_fs)]);
DavLockDB @DIR@/dav/locks
<Directory @DIR@/htdocs/dav>
  Dav On
</Directory>
<Directory @DIR@/htdocs>
  Require all granted
</Directory>
END
    for my $dir ("$own->{dir}/dav", "$own->{dir}/htdocs/dav") {
        mkdir $dir;
        chmod 0777, $dir;
    }
    $own->start;
    for my $how (sort keys %LOGIN) {
        my ($token, $scheme) = $LOGIN{$how}->();
        my $client = to($own);
        my $name = "file$count" . ++$count;
        my $body = join '', map { "$how $_\n" } 1 .. 2000;
        my $r = $client->request('PUT', "/dav/$name", [], $body);
        is outcome($r), $OFFERS, "mod_dav, $how: nobody may write";
        ok !-e "$own->{dir}/htdocs/dav/$name", "mod_dav, $how: and nothing was";
        my $in;
        while (1) {
            $r = $client->request('PUT', "/dav/$name", [ Authorization => "$scheme " . $token->step($in) ], $body);
            last unless $r->{status} == 401 && ($in = $r->token($scheme));
            ok !-e "$own->{dir}/htdocs/dav/$name", "mod_dav, $how: nor by a leg";
        }
        is outcome($r), '201 ' . ALICE, "mod_dav, $how: alice may";
        is $own->slurp("htdocs/dav/$name"), $body, "mod_dav, $how: the body came once, and whole";
        $r = $client->request('PUT', "/dav/$name", [], 'short');
        is outcome($r), '204 ' . ALICE, "mod_dav, $how: by her connection, too";
        is $own->slurp("htdocs/dav/$name"), 'short', "mod_dav, $how: with its body";
        is $client->request('DELETE', "/dav/$name")->{status}, 204, "mod_dav, $how: and delete";
        is $client->request('PROPFIND', '/dav/', [ Depth => 0 ])->{status}, 207, "mod_dav, $how: and list";
    }
    my $upload = scratch('upload', 'x' x 200_000);
    for my $curl ([ 'Kerberos', { KRB5CCNAME => "$KDC/alice.ccache" }, qw(--negotiate -u :) ],
                  [ 'NTLM', {}, '--ntlm', '-u', 'WINAUTH\\alice:Passw0rd-alice' ]) {
        my ($how, $environment, @args) = @$curl;
        (my $name = $how) =~ s/\W+/-/g;
        my $run = curl($environment, @args, '-T', $upload, "http://localhost:$own->{port}/dav/$name");
        is $run->{transfers}[0]{status}, 201, "mod_dav, curl, $how: written";
        is length $own->slurp("htdocs/dav/$name"), 200_000, "mod_dav, curl, $how: whole";
    }
}

done_testing;
