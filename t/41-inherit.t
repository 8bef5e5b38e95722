# Requests that httpd makes itself (sub-requests, internal redirects, error pages) stand on what the
# client's own request proved, and sections inherit what they do not set.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Server;
use WinAuth::Suite;

my $ALICE = 'WINAUTH\\alice';
my $SITE = Apache::Test::vars('documentroot') . '/site';

sub ntlm { return (WinAuth::Token->ntlm('alice', PW), 'NTLM') }
sub spnego_ntlm { return (WinAuth::Token->spnego_ntlm('alice', PW), 'Negotiate') }
sub kerberos { return (WinAuth::Token->spnego('alice'), 'Negotiate') }
my %logins = (Kerberos => \&kerberos, NTLM => \&ntlm, 'NTLM inside SPNEGO' => \&spnego_ntlm);

sub user_in {
    my ($r) = @_;
    return $r->{body} =~ /^REMOTE_USER=(.*)$/m ? $1 : '-';
}

# --- server-side includes: include.shtml shows a page of /w/both/ and one of /w/kerberos/

sub parts {
    my ($r) = @_;
    my ($own, $included, $stranger) = $r->{body} =~ /\Auser=(.*?)\nincluded=(.*?)\nstranger=(.*)\z/s;
    return { own => $own, included => $included, stranger => $stranger };
}

sub check_include {
    my ($r, $strict, $what) = @_;
    is $r->{status}, 200, "$what: served";
    my $part = parts($r);
    is $part->{own}, $ALICE, "$what: the page knows the user";
    like $part->{included}, qr/^REMOTE_USER=WINAUTH\\alice$/m, "$what: so does what it includes";
    like $part->{included}, qr/^WINAUTH_REASON=ok$/m, "$what: and why";
    if ($strict) {
        like $part->{stranger}, qr/^REMOTE_USER=WINAUTH\\alice$/m, "$what: a section that accepts the login";
    }
    else {
        like $part->{stranger}, qr/an error occurred/, "$what: a section that does not accept the login";
        unlike $part->{stranger}, qr/alice|WINAUTH/, "$what: gives away nothing";
    }
}

for my $how (sort keys %logins) {
    my $client = connection();
    my @r = $client->login('/w/both/include.shtml', $logins{$how}->());
    check_include($r[-1], $how eq 'Kerberos', $how);
    my @offers = $r[-1]->all('WWW-Authenticate');
    is scalar(grep { !/^Negotiate \S+$/ } @offers), 0, "$how: the included refusal offers nothing to the client";
    cmp_ok scalar(@offers), '<=', 1, "$how: at most the final token";
    is join('|', $r[-1]->all('Persistent-Auth')), 'true', "$how: Persistent-Auth once";
    is log_line($client)->{reason}, 'ok', "$how: logged by the page, not by what it includes";
    check_include($client->get('/w/both/include.shtml'), $how eq 'Kerberos', "$how, on the login");
    is bare_user($client, 'both'), $ALICE, "$how: the login is not touched by it";
}

{
    my $r = connection()->get('/w/both/include.shtml');
    is $r->{status} . ' ' . $r->offers, '401 Negotiate|NTLM', 'anonymous: the page itself is refused';

    my $client = connection();
    my @r = $client->login('/w/both/index.html', ntlm());
    for my $case ([ 'with a login on the connection', [] ],
                  [ 'with credentials', [ Authorization => 'Negotiate ' . (kerberos())[0]->step ] ]) {
        my ($what, $headers) = @$case;
        $r = $client->get('/w/none/include.shtml', @$headers);
        is $r->{status} . ' ' . $r->offers, '200 ', "an unprotected page $what is served";
        my $part = parts($r);
        is $part->{own}, '(none)', "an unprotected page $what has no user";
        like $part->{$_}, qr/an error occurred/, "an unprotected page $what: protected $_ page is not" for qw(included stranger);
        unlike $r->{body}, qr/alice/, "an unprotected page $what: gives away nothing";
    }
    is bare_user($client, 'both'), $ALICE, 'and the login stays';
}

# --- error pages, directory indexes

for my $how (sort keys %logins) {
    for my $bare (0, 1) {
        my $what = "$how, 404 with a local page" . ($bare ? ', on the login' : '');
        my $client = connection();
        my @r = $client->login('/w/errordoc/' . ($bare ? 'index.html' : 'missing'), $logins{$how}->());
        push @r, $client->get('/w/errordoc/missing') if $bare;
        my $r = $r[-1];
        is "$r->{status} $r->{body}", "404 our own 404\n", $what;
        is join('|', $r->all('Persistent-Auth')), $bare ? '' : 'true', "$what: Persistent-Auth";
        if ($bare || $how ne 'Kerberos') {
            is scalar(grep { !/^Negotiate \S+$/ } $r->all('WWW-Authenticate')), 0, "$what: no offers";
        }
        else {
            like $r->offers, qr{^Negotiate [A-Za-z0-9+/]+=*\z}, "$what: the final token";
        }
        my $line = log_line($client, 1 + $bare);
        is "$line->{user} $line->{status} $line->{reason}", 'WINAUTH\\\\alice 404 0 0 ok', "$what: logged";
        is bare_user($client, 'errordoc'), $ALICE, "$what: the login stays";

        $what = "$how, directory index" . ($bare ? ', on the login' : '');
        $client = connection();
        @r = $client->login('/w/both/' . ($bare ? 'index.html' : ''), $logins{$how}->());
        push @r, $client->get('/w/both/') if $bare;
        is "$r[-1]{status} $r[-1]{body}", "200 a page\n", $what;
        is join('|', $r[-1]->all('Persistent-Auth')), $bare ? '' : 'true', "$what: Persistent-Auth";
        $line = log_line($client, 1 + $bare);
        is "$line->{user} $line->{status} $line->{reason}", 'WINAUTH\\\\alice 200 0 0 ok', "$what: logged";
    }
}

for my $how (sort keys %logins) {
    my $client = connection();
    my @r = $client->login('/w/both/rewritten', $logins{$how}->());
    is "$r[-1]{status} $r[-1]{body}", "200 a page\n", "$how, a rewritten URL";
    is join('|', $r[-1]->all('Persistent-Auth')), 'true', "$how, a rewritten URL: Persistent-Auth";
    is log_line($client)->{reason}, 'ok', "$how, a rewritten URL: logged";
}

# A refused login gets the local page too, with the offers of the page asked for.
{
    my $client = connection();
    my @r = $client->login('/w/errordoc/index.html', WinAuth::Token->ntlm('alice', 'wrong'), 'NTLM');
    is "$r[-1]{status} $r[-1]{body}" . $r[-1]->offers, "401 our own 401\nNegotiate|NTLM", 'a refused login, 401 with a local page';
    is log_line($client)->{reason}, 'bad-password', 'a refused login: logged with its reason';
    isnt $r[-2]{body}, "our own 401\n", 'an intermediate leg keeps its own body';
    @r = $client->login('/w/protected-errordoc/index.html', WinAuth::Token->ntlm('alice', 'wrong'), 'NTLM');
    is $r[-1]{status} . ' ' . $r[-1]->offers, '401 Negotiate|NTLM', 'a refused login, 401 with a protected page';
    is log_line($client, 2)->{reason}, 'bad-password', 'a refused login, protected page: the first reason counts';
    @r = $client->login('/w/protected-errordoc/index.html', ntlm());
    is "$r[-1]{status} $r[-1]{body}", "200 a page\n", 'and the right one is served';
}

# --- .htaccess

# with_htaccess(NAME, TEXT): a directory of the site.
sub with_htaccess {
    my ($name, $text) = @_;
    mkdir "$SITE/$name" or die "$name: $!";
    open my $f, '>', "$SITE/$name/.htaccess" or die $!;
    print {$f} $text;
    close $f or die $!;
    open $f, '>', "$SITE/$name/index.html" or die $!;
    print {$f} "a page\n";
    close $f or die $!;
    open $f, '>', "$SITE/$name/env.pl" or die $!;
    print {$f} qq(#!/usr/bin/perl\nprint "Content-Type: text/plain\\n\\nREMOTE_USER=\$ENV{REMOTE_USER}\\n";\n);
    close $f or die $!;
    chmod 0755, "$SITE/$name/env.pl";
}

my $auth = "AuthType WinAuth\nAuthName here\nRequire valid-user\n";
with_htaccess('plain', $auth);
with_htaccess('ntlm-only', "${auth}WinAuthProviders NTLM\n");
with_htaccess('kerberos-only', "${auth}WinAuthProviders Negotiate:Kerberos\n");
with_htaccess('all', "${auth}WinAuthProviders NTLM Negotiate\nWinAuthPersistSingleRequest On\n"
                     . "WinAuthPersistNonNTLM Off\nWinAuthPersistLimit seconds=9 requests=9\n"
                     . "WinAuthUserFormat SAM\nWinAuthLogHandshake On\n");
with_htaccess('for-bob', "${auth}Require user \"WINAUTH\\\\bob\"\n");
with_htaccess('for-bob-only', "AuthType WinAuth\nAuthName here\nRequire user \"WINAUTH\\\\bob\"\n");

{
    my %offers = (plain => 'Negotiate|NTLM', 'ntlm-only' => 'NTLM', 'kerberos-only' => 'Negotiate',
                  all => 'NTLM|Negotiate', 'for-bob-only' => 'Negotiate|NTLM');
    for my $name (sort keys %offers) {
        my $r = connection()->get("/w/none/$name/index.html");
        is $r->{status} . ' ' . $r->offers, "401 $offers{$name}", ".htaccess $name: offers";
    }
    my $client = connection();
    my @r = $client->login('/w/none/plain/env.pl', kerberos());
    is user_in($r[-1]), $ALICE, '.htaccess: logged in';
    is $client->get('/w/none/ntlm-only/index.html')->{status}, 401, '.htaccess: Kerberos is not for NTLM only';
    is log_line($client, 2)->{reason}, 'policy-changed', '.htaccess: reason';
    is user_in($client->get('/w/none/kerberos-only/env.pl')), $ALICE, '.htaccess: but for Kerberos only';
    is $client->get('/w/none/for-bob-only/index.html')->{status}, 401, '.htaccess: Require user';
    is log_line($client, 4)->{reason}, 'not-authorized', '.htaccess: reason';
    is $client->get('/w/none/for-bob/index.html')->{status}, 200, '.htaccess: Require one of two';

    $client = connection();
    @r = $client->login('/w/none/all/env.pl', ntlm());
    is user_in($r[-1]), 'alice', '.htaccess: WinAuthUserFormat';
    is $r[-1]->header('Persistent-Auth'), 'false', '.htaccess: WinAuthPersistSingleRequest';
    is join(' ', map { $_->{reason} } log_lines($client, 2)), 'handshake ok', '.htaccess: WinAuthLogHandshake';
    is $client->get('/w/none/all/env.pl')->{status}, 401, '.htaccess: nothing stays';

    # a section is inside any directory: what it sets wins, what it does not comes from .htaccess
    is connection()->get('/w/reversed/kerberos-only/index.html')->offers, 'NTLM|Negotiate', '.htaccess inside a section that sets the same';
    is connection()->get('/w/sam/ntlm-only/index.html')->offers, 'NTLM', '.htaccess inside a section that sets something else';
    @r = connection()->login('/w/principal/all/env.pl', kerberos());
    is user_in($r[-1]), 'alice@WINAUTH.TEST', 'and that section keeps what it sets';
    is $r[-1]->header('Persistent-Auth'), 'false', 'and takes the rest from .htaccess';
}

# --- nested sections, one directive each; internal redirects by rules in directories

my $modules = join '', map { "LoadModule ${_}_module $ENV{WA_MODULES}/mod_$_.so\n" } qw(rewrite include);
my $server = WinAuth::Server->new(<<"END");
$modules
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthNTLMAuthority file:$ENV{WA_KDC}/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User expr=%{REMOTE_USER}
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory />
  Options FollowSymLinks Includes
</Directory>
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
  WinAuthProviders NTLM Negotiate
  WinAuthUserFormat SAM
</Location>
<Location /a>
  WinAuthPersistNonNTLM Off
</Location>
<Location /a/b>
  WinAuthUserFormat Principal
</Location>
<Location /a/b/c>
  WinAuthProviders Negotiate
</Location>
<Location /a/b/c/d>
  WinAuthPersistNonNTLM On
  WinAuthUserFormat Windows
</Location>
<Location /open>
  Require all granted
</Location>
<Location /off>
  AuthType None
  Require all granted
</Location>
<Location /strict>
  WinAuthProviders Negotiate:Kerberos
</Location>
<Directory "@{[ $ENV{WA_TMP} ]}">
  RewriteEngine On
  RewriteRule ^(?:.*/)?inner\\.html\$ /strict/index.html
  RewriteRule ^(?:.*/)?same\\.html\$ /a/index.html
</Directory>
Alias /a/b/c/d @{[ $ENV{WA_TMP} ]}/nested
Alias /a/b/c @{[ $ENV{WA_TMP} ]}/nested
Alias /a/b @{[ $ENV{WA_TMP} ]}/nested
Alias /a @{[ $ENV{WA_TMP} ]}/nested
Alias /open @{[ $ENV{WA_TMP} ]}/nested
Alias /off @{[ $ENV{WA_TMP} ]}/nested
Alias /strict @{[ $ENV{WA_TMP} ]}/nested
ErrorDocument 404 /off/404.html
<Location /strict>
  ErrorDocument 404 /strict/404.html
</Location>
END
mkdir "$ENV{WA_TMP}/nested" or die $!;
for my $page ([ 'index.html', "nested\n" ], [ '404.html', "own 404\n" ]) {
    open my $f, '>', "$ENV{WA_TMP}/nested/$page->[0]" or die $!;
    print {$f} $page->[1];
    close $f or die $!;
}
$server->start;

sub own { return WinAuth::Client->new($server->{port}) }

my %nested = (
    ''         => [ 'NTLM|Negotiate', 'alice', 'true' ],
    '/a'       => [ 'NTLM|Negotiate', 'alice', 'false' ],
    '/a/b'     => [ 'NTLM|Negotiate', 'alice@WINAUTH.TEST', 'false' ],
    '/a/b/c'   => [ 'Negotiate', 'alice@WINAUTH.TEST', 'false' ],
    '/a/b/c/d' => [ 'Negotiate', $ALICE, 'true' ],
);
for my $path (sort keys %nested) {
    my ($offers, $user, $persistent) = @{ $nested{$path} };
    is own()->get("$path/index.html")->offers, $offers, "section '$path': WinAuthProviders";
    my $client = own();
    my @r = $client->login("$path/index.html", kerberos());
    is $r[-1]->header('X-User'), $user, "section '$path': WinAuthUserFormat";
    is $r[-1]->header('Persistent-Auth'), $persistent, "section '$path': WinAuthPersistNonNTLM";
    is $client->get("$path/index.html")->{status}, $persistent eq 'true' ? 200 : 401, "section '$path': as announced";
}

{
    is own()->get('/open/index.html')->{status}, 200, 'Require all granted: nobody is asked';
    is own()->get('/off/index.html')->{status}, 200, 'AuthType None: nobody is asked';
    my $client = own();
    $client->login('/index.html', kerberos());
    is $client->get('/off/index.html')->header('X-User') || '', '', 'AuthType None: no user, login or not';

    for my $how (sort keys %logins) {
        $client = own();
        my @r = $client->login('/same.html', $logins{$how}->());
        is "$r[-1]{status} $r[-1]{body}", "200 nested\n", "$how, internal redirect into another section";
        is $r[-1]->header('X-User'), 'alice', "$how, internal redirect: the user";
        is join('|', $r[-1]->all('Persistent-Auth')), 'true', "$how, internal redirect: what the first request says";
        is $client->get('/index.html')->{status}, 200, "$how, internal redirect: the login holds";

        $client = own();
        @r = $client->login('/inner.html', $logins{$how}->());
        if ($how eq 'Kerberos') {
            is "$r[-1]{status} $r[-1]{body}", "200 nested\n", "$how, internal redirect into a stricter section";
        }
        else {
            is $r[-1]{status} . ' ' . $r[-1]->offers, '401 Negotiate', "$how, internal redirect into a stricter section: its offers";
            unlike $r[-1]{body}, qr/nested/, "$how, internal redirect into a stricter section: not its page";
        }
        is $client->get('/index.html')->{status}, 200, "$how, and the login still holds where it was proved";

        # the error page of a stricter section, which must not be shown to a login it does not accept
        $client = own();
        @r = $client->login('/missing', $logins{$how}->());
        is "$r[-1]{status} $r[-1]{body}", "404 own 404\n", "$how, error page elsewhere";
        is join('|', $r[-1]->all('Persistent-Auth')), 'true', "$how, error page elsewhere: Persistent-Auth";
    }
    $client = own();
    my @r = $client->login('/strict/missing', kerberos());
    is "$r[-1]{status} $r[-1]{body}", "404 own 404\n", 'a protected error page for who may see it';
    is scalar($r[-1]->all('WWW-Authenticate')), 1, 'with the final token, once';
    is join('|', $r[-1]->all('Persistent-Auth')), 'true', 'and Persistent-Auth, once';
}
$server->stop;

done_testing;
