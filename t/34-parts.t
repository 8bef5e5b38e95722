# Requests that httpd makes of one request: redirects inside of it, looks for an index, parts of pages, listings,
# error pages.  A login is theirs where they are the client's, nothing of it gets into a page for others, and whatever
# counts requests counts legs as well.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Time::HiRes 'sleep';
use WinAuth::Own;
use WinAuth::Run;
use WinAuth::Token;

my $OFFERS = '401 Negotiate|NTLM';
my $ENV_PL = <<'END';
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
env | grep -E '^(REMOTE_USER|AUTH_TYPE|WINAUTH_|KRB5CCNAME)' | sort
END
my $NO_PL = "#!/bin/sh\nprintf 'Status: 401 Unauthorized\\nContent-Type: text/plain\\n\\nno\\n'\n";
my $FORBIDDEN_PL = "#!/bin/sh\nprintf 'Status: 403 Forbidden\\nContent-Type: text/plain\\n\\nno\\n'\n";
my $SCRIPTS = <<'END';
ScriptSock @DIR@/cgisock
<Directory @DIR@/htdocs>
  Options +ExecCGI +FollowSymLinks +Indexes +Includes
  AllowOverride All
  AddHandler cgi-script .pl
  <IfModule include_module>
    AddType text/html .shtml
    AddOutputFilter INCLUDES .shtml
  </IfModule>
  Require all granted
</Directory>
END

sub script {
    my ($own, $name, $text) = @_;
    $own->file("htdocs/$name", $text);
    chmod 0755, "$own->{dir}/htdocs/$name";
}

# variables(RESPONSE): what the program saw, by name.
sub variables { return { $_[0]{body} =~ /^(\w+)=(.*)$/mg } }

# --- a front controller, in the same section as the page ----------------------------------------------------

{
    my $auth = "AuthType WinAuth\nAuthName own\nRequire valid-user\nWinAuthDelegation forwarded\nWinAuthExport groups\n";
    my $front = "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule ^ env.pl [L]\n";
    my %case = (
        'all in a directory'    => [ "<Directory \@DIR\@/htdocs>\n$auth$front</Directory>\n", '' ],
        'all in .htaccess'      => [ '', $auth . $front ],
        'location and .htaccess' => [ "<Location />\n$auth</Location>\n", $front ],
    );
    for my $name (sort keys %case) {
        my ($config, $htaccess) = @{ $case{$name} };
        my $own = own("WinAuthDelegationDir \@DIR\@/ccaches\n$SCRIPTS$config", modules => [qw(cgid rewrite include)]);
        script($own, 'env.pl', $ENV_PL);
        $own->file('htdocs/.htaccess', $htaccess) if $htaccess;
        $own->start;
        my $client = to($own);
        my $token = WinAuth::Token->client('spnego', "$ENV{WA_KDC}/alice.ccache", 'HTTP@localhost', '', '', 'delegate_to_peer');
        my $r = $client->get('/some/page', Authorization => 'Negotiate ' . $token->step);
        my $direct = variables(to($own)->get('/env.pl', Authorization => 'Negotiate '
            . WinAuth::Token->client('spnego', "$ENV{WA_KDC}/alice.ccache", 'HTTP@localhost', '', '', 'delegate_to_peer')->step));
        my $seen = variables($r);
        is $seen->{REMOTE_USER}, ALICE, "$name: the front controller sees the user";
        like $seen->{KRB5CCNAME} || '', qr/^FILE:/, "$name: and what the client delegated";
        is join(' ', sort keys %{$seen}), join(' ', sort keys %{$direct}), "$name: and all that a page of its own would";
        is $seen->{WINAUTH_REASON}, 'ok', "$name: the reason among them";
        like $r->header('WWW-Authenticate') || '', qr/^Negotiate \S/, "$name: the answer has the final token";
        script($own, 'part.pl', "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nprintf 'PART=%s %s\\n' \"\$REMOTE_USER\" \"\$KRB5CCNAME\"\n");
        $own->file('htdocs/page.shtml', '<!--#include virtual="/part.pl" -->');
        like $client->get('/page.shtml')->{body}, qr/^PART=WINAUTH\\alice \Q$seen->{KRB5CCNAME}\E$/m,
            "$name: so does a part of a page";
        $seen = variables($client->get('/another/page'));
        is "$seen->{REMOTE_USER} $seen->{WINAUTH_PACKAGE}", ALICE . ' Kerberos', "$name: so does the next page of the connection";
        $own->stop;
    }
}

# --- who may not, and an error page in the same section; a redirect in a part of a page ---------------------------

{
    my $own = own(<<'END' . $SCRIPTS, modules => [qw(cgid include)]);
WinAuthDelegationDir @DIR@/ccaches
<Location />
  AuthType WinAuth
  AuthName own
  Require user "WINAUTH\\bob"
  WinAuthDelegation forwarded
  ErrorDocument 401 /env.pl
  ErrorDocument 404 /env.pl
</Location>
<Location /forbidding>
  AuthzSendForbiddenOnFailure On
  ErrorDocument 403 /forbidding/env.pl
</Location>
<Location /part>
  SetEnv SECTION part
</Location>
END
    script($own, 'env.pl', $ENV_PL);
    mkdir "$own->{dir}/htdocs/$_" for qw(part forbidding);
    script($own, 'part/env.pl', $ENV_PL);
    script($own, 'forbidding/env.pl', $ENV_PL);
    script($own, 'part/there.pl', "#!/bin/sh\nprintf 'Location: /part/env.pl\\n\\n'\n");
    $own->file('htdocs/page.shtml', '<!--#include virtual="/part/there.pl" -->');
    $own->file("htdocs/$_", "a page\n") for qw(page forbidding/page);
    $own->start;
    my $token = sub { WinAuth::Token->client('spnego', "$ENV{WA_KDC}/$_[0].ccache", 'HTTP@localhost', '', '', 'delegate_to_peer')->step };
    for my $case ([ '/page', '401 3 5 not-authorized' ], [ '/forbidding/page', '403 0 5 not-authorized' ]) {
        my ($page, $log) = @{$case};
        my $r = to($own)->get($page, Authorization => 'Negotiate ' . $token->('alice'));
        my $seen = variables($r);
        is $seen->{WINAUTH_REASON}, 'not-authorized', "$page: the error page knows why";
        is join(' ', grep { /WINAUTH_(?:PACKAGE|SID)|KRB5CCNAME/ && !/^REDIRECT/ } keys %{$seen}), '', "$page: and nobody is logged in for it";
        ok $own->logged('access.log', qr/"GET \Q$page\E HTTP\/1.1" $log$/m), "$page: the log";
    }
    my $client = to($own);
    my $r = $client->get('/none', Authorization => 'Negotiate ' . $token->('bob'));
    is variables($r)->{WINAUTH_PACKAGE}, 'Kerberos', 'who may is, also for the page that says that there is none';
    ok $own->logged('access.log', qr{"GET /none HTTP/1.1" 404 0 0 ok$}m), 'the log of that';
    my $seen = variables($client->get('/page.shtml'));
    is "$seen->{REMOTE_USER} $seen->{WINAUTH_PACKAGE}", BOB . ' Kerberos', 'a redirect in a part of a page: all is handed on';
    like $seen->{KRB5CCNAME} || '', qr/^FILE:/, 'and what was delegated';
    $own->stop;
}

# --- the application's own 401, at the end of a redirect ------------------------------------------------------

{
    my $back = own($SCRIPTS, modules => ['cgid']);
    script($back, 'no.pl', $NO_PL);
    script($back, 'own.pl', "#!/bin/sh\nprintf 'Status: 401 Unauthorized\\nWWW-Authenticate: Basic realm=back\\n\\nno\\n'\n");
    $back->start;
    my $own = own(<<"END" . $SCRIPTS, modules => [qw(cgid actions proxy proxy_http)]);
ProxyPass /back/ http://127.0.0.1:$back->{port}/
<LocationMatch "^/(?!open)">
  AuthType WinAuth
  AuthName own
  Require valid-user
</LocationMatch>
<Location /act>
  Action act /no.pl virtual
  SetHandler act
</Location>
<Location /back/>
  ProxyErrorOverride On
  ErrorDocument 401 /open/error.html
</Location>
END
    script($own, 'no.pl', $NO_PL);
    script($own, 'local.pl', "#!/bin/sh\nprintf 'Location: /no.pl\\n\\n'\n");
    mkdir "$own->{dir}/htdocs/open";
    $own->file('htdocs/open/error.html', "the error page\n");
    $own->file('htdocs/act', '');
    $own->start;
    for my $page (qw(/no.pl /local.pl /act /back/no.pl)) {
        for my $kind (\&kerberos, \&ntlm) {
            my ($token, $scheme) = $kind->();
            my $client = to($own);
            my @r = $client->login($page, $token, $scheme);
            is outcome($r[-1]), $OFFERS, "$page, $scheme: offers, and no final token";
            is outcome($client->get($page)), $OFFERS, "$page, $scheme: and offers on a bound connection";
            is $r[-1]{body}, "the error page\n", "$page, $scheme: with the error page" if $page =~ /back/;
        }
    }
    my $client = to($own);
    my ($r) = $client->login('/back/own.pl', kerberos());
    is $r->offers, 'Basic realm=back', 'a challenge of the back end is kept';
    is $client->get('/back/own.pl')->offers, 'Basic realm=back', 'on a bound connection, too';
    $own->stop;
    $back->stop;
}

# --- parts of open pages, and a cache --------------------------------------------------------------------------

{
    my $back = own(<<'END', modules => ['expires']);
AddType text/html .shtml
ExpiresActive On
ExpiresDefault A1000
END
    $back->file('htdocs/page.shtml', "[<!--#include virtual=\"/secret.pl\" -->]\n");
    $back->start;
    my $own = own(<<"END" . $SCRIPTS . <<'END', modules => [qw(cgid proxy proxy_http include cache cache_disk expires autoindex)]);
ProxyPass /cached/ http://127.0.0.1:$back->{port}/
END
CacheRoot @DIR@/cache
CacheEnable disk /cached/
CacheEnable disk /list/
CacheHeader On
CacheIgnoreNoLastMod On
IndexOptions FancyIndexing
<Location /list>
  ExpiresActive On
  ExpiresDefault A1000
</Location>
<FilesMatch "^(?:secret.*|login\.html)$">
  AuthType WinAuth
  AuthName own
  Require valid-user
</FilesMatch>
<Location /cached/>
  Options +Includes
  SetOutputFilter INCLUDES
</Location>
END
    mkdir "$own->{dir}/$_" for qw(htdocs/list cache);
    chmod 0777, "$own->{dir}/cache";
    script($own, 'secret.pl', "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nsecret of %s' \"\$REMOTE_USER\"\n");
    $own->file("htdocs/$_", "a page\n") for qw(login.html list/open.txt list/secret.txt);
    $own->start;
    for my $how (logins()) {
        next unless ref $how;
        my $client = to($own);
        is outcome(($client->login('/login.html', $how->()))[-1]), '200 ' . ALICE, 'logged in elsewhere';
        my $count = ++$own->{pages};
        for my $page ("/cached/page.shtml?$count", "/list/?$count") {
            my $r = $client->get($page);
            is $r->{status}, 200, "$page is open";
            unlike $r->{body}, qr/secret/, 'and has nothing that is for users only, for a user either';
            sleep 0.3;
            $r = to($own)->get($page);
            like $r->header('X-Cache') || '', qr/^HIT/, 'the cache gives it to others';
            unlike $r->{body}, qr/secret/, 'who do not see it, either';
        }
    }
    my ($token) = ntlm();
    my $client = to($own);
    my $r = $client->get('/cached/page.shtml?type1', Authorization => 'NTLM ' . $token->step);
    is "$r->{status} " . $r->offers, '200 ', 'a token on an open page with a part for users: no exchange begins';
    $own->stop;
    $back->stop;
}

# --- legs count where requests are counted, but for the access log -----------------------------------------------

{
    my $own = own(<<'END' . $SCRIPTS, modules => [qw(cgid log_forensic rewrite)]);
<Location /page>
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Directory @DIR@/htdocs/open>
  RewriteEngine On
  RewriteRule ^p$ /page [L]
</Directory>
LogFormat "%U %>s in=%I out=%O" io
CustomLog @DIR@/io.log io
ForensicLog @DIR@/forensic.log
END
    mkdir "$own->{dir}/htdocs/open";
    $own->file('htdocs/page', "a page\n");
    $own->start;
    my $client = to($own);
    is outcome(($client->login('/page', ntlm()))[-1]), '200 ' . ALICE, 'an NTLM login';
    is outcome($client->get('/page')), '200 ' . ALICE, 'and a page';
    my @r = to($own)->login('/open/p', ntlm());
    is outcome($r[-1]), '200 ' . ALICE, 'and a login behind a redirect';
    ok $own->logged('io.log', qr/\A(?:.*\n){3,}/), 'the access log has its lines';
    my @lines = split /\n/, $own->slurp('io.log');
    is join(' ', map { /^(\S+ \d+)/ } @lines), '/page 200 /page 200 /open/p 200', 'and none of a leg';
    my @out = map { /out=(\d+)/ } @lines;
    cmp_ok abs($out[0] - $out[1]), '<', 60, 'bytes of a leg are not counted for the request behind it';
    my $forensic = $own->slurp('forensic.log');
    my %open = map { $_ => 1 } $forensic =~ /^\+([^|\n]+)\|/mg;
    delete $open{$_} for $forensic =~ /^-(\S+)$/mg;
    is join(' ', keys %open), '', 'what notes the beginning of each request notes its end';
    $own->stop;
}

# --- a look for an index -----------------------------------------------------------------------------------------

{
    my $own = own(<<'END' . $SCRIPTS, modules => [qw(cgid http2)], mpm => $ENV{WA_MPM} eq 'prefork' ? 'event' : $ENV{WA_MPM});
Protocols h2c http/1.1
DirectoryIndex index.pl index.html
<Files "index.*">
  AuthType WinAuth
  AuthName own
  Require valid-user
</Files>
<Location /ask>
  DirectoryIndex index.html
  AuthzSendForbiddenOnFailure On
</Location>
<Location /ask/index.html>
  AuthType WinAuth
  AuthName own
  Require user nobody
</Location>
END
    mkdir "$own->{dir}/htdocs/$_" for qw(program page ask);
    script($own, 'program/index.pl', $FORBIDDEN_PL);
    $own->file("htdocs/$_/index.html", "a page\n") for qw(page ask);
    $own->start;
    for my $page (qw(/program/ /program/index.pl)) {
        is outcome((to($own)->login($page, kerberos()))[-1]), '403 ', "$page: the application's 403";
        is join(' ', reasons($own, $page)), '403 ok', "$page: which is not ours";
    }
    is outcome((to($own)->login('/ask/', kerberos()))[-1]), '403 ', "authorization's 403";
    is join(' ', reasons($own, '/ask/')), '403 not-authorized', 'which is in the log, also for an index';
    my ($token) = ntlm();
    my $type1 = $token->step;
    for my $page (qw(/page/ /page/index.html)) {
        my $ran = run({}, qw(curl -q -s -S -i --max-time 20 --http2-prior-knowledge -H), "Authorization: NTLM $type1",
                      "http://127.0.0.1:$own->{port}$page");
        like $ran->{out}, qr{^HTTP/1\.1 401 }, "$page over HTTP/2: the exchange goes on over HTTP/1.1" or diag $ran->{err};
    }
    $own->stop;
}

# --- optional logins, and users who may not ----------------------------------------------------------------------

{
    my $own = own(<<'END' . $SCRIPTS, modules => ['cgid']);
<LocationMatch "^/(?:optional|forbidding|any)">
  AuthType WinAuth
  AuthName own
  WinAuthOptional On
  Require user "WINAUTH\\bob"
</LocationMatch>
<Location /forbidding>
  AuthzSendForbiddenOnFailure On
</Location>
<Location /any>
  <RequireAny>
    Require user "WINAUTH\\bob"
    Require env open
  </RequireAny>
</Location>
<Location /all>
  AuthType WinAuth
  AuthName own
  WinAuthOptional On
  Require all granted
</Location>
END
    $own->file("htdocs/$_", "a page\n") for qw(optional forbidding any all);
    $own->start;
    for my $page (qw(/optional /any)) {
        is outcome(to($own)->get($page)), $OFFERS, "$page: who is nobody is asked";
        my $client = to($own);
        is outcome(($client->login($page, kerberos('bob')))[-1]), '200 ' . BOB, "$page: who may gets in";
        is outcome($client->get($page)), '200 ' . BOB, "$page: and again";
        $client = to($own);
        is outcome(($client->login($page, kerberos()))[-1]), $OFFERS, "$page: who may not is asked for another account";
        is outcome($client->get($page)), $OFFERS, "$page: and again";
        is outcome(($client->login($page, kerberos('bob')))[-1]), '200 ' . BOB, "$page: which gets in";
    }
    is outcome((to($own)->login('/forbidding', kerberos()))[-1]), '403 ', 'unless that is configured';
    is join(' ', reasons($own, '/forbidding')), '403 not-authorized', 'with its reason';
    is outcome(to($own)->get('/all')), '200 -', 'who is nobody gets in where all do';
    is outcome((to($own)->login('/all', kerberos()))[-1]), '200 ' . ALICE, 'and who has a name has it there';
    $own->stop;
}

# --- silence behind a leg is not a request ------------------------------------------------------------------------

for my $mpm (qw(prefork worker event)) {
    my $own = own(<<'END', mpm => $mpm);
KeepAliveTimeout 1
MaxKeepAliveRequests 2
<Location /page>
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END
    $own->file('htdocs/page', "a page\n");
    $own->start;
    my ($token) = ntlm();
    my $client = to($own);
    is $client->get('/page', Authorization => 'NTLM ' . $token->step)->{status}, 401, "$mpm: a leg";
    my $other = to($own);
    my @r = $other->login('/page', ntlm());
    is outcome($r[-1]), '200 ' . ALICE, "$mpm: another client goes on";
    is outcome($other->get('/page')), '200 ' . ALICE, "$mpm: and has the two requests it may have";
    sleep 2.5;
    unlike $own->access_log, qr/ 408 /, "$mpm: one that does not leaves no line";
    $own->stop;
}

done_testing;
