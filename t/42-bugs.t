# Defects that were found by reading the source; each block is named after its defect.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Client;
use WinAuth::Own ();
use WinAuth::Server;
use WinAuth::Suite;
use MIME::Base64 'encode_base64';

my $SERVER = <<"END";
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthDomain WINAUTH.TEST WINAUTH
END

# server(CONFIG, FILES...): a server that is up.
sub server {
    my ($config, @files) = @_;
    my $server = WinAuth::Server->new($SERVER . $config);
    $server->file("htdocs/$_", "page $_\n") for @files;
    return $server->start;
}

sub status {
    my ($server, $path) = @_;
    my $r = WinAuth::Client->new($server->{port})->get($path);
    return $r->{status};
}

sub basic {
    my ($user, $password) = @_;
    return (Authorization => 'Basic ' . encode_base64("$user:$password", ''));
}

# --- the final token of an index look-up was kept in the look-up's pool, which mod_dir frees
{
    my $server = server(<<'END', 'index.html');
WinAuthNTLMAuthority none
DirectoryIndex one.html two.html three.html index.html
<LocationMatch "^/two\.">
  AuthType WinAuth
  Require valid-user
</LocationMatch>
END
    for my $try (1 .. 5) {
        my $token = WinAuth::Token->spnego('alice');
        my $r = WinAuth::Client->new($server->{port})->get('/', Authorization => 'Negotiate ' . $token->step);
        is $r->{status}, 200, "look-up, try $try: the page";
        $token->step($r->token('Negotiate'));
        ok $token->is_complete, "look-up, try $try: with the whole final token";
    }
    unlike $server->error_log, qr/exit signal/, 'look-up: no process died';
}

# --- an anonymous page of an optional section was refused its own parts
{
    my $server = server(<<'END', 'index.html');
WinAuthNTLMAuthority none
<Location "/">
  AuthType WinAuth
  WinAuthOptional On
  Require all granted
</Location>
<Files "index.html">
  SetEnv made 1
</Files>
END
    is status($server, '/index.html'), 200, 'optional: the page itself';
    is status($server, '/'), 200, 'optional: the page as an index';
}

# --- a remembered password knew no limit of requests; a client could choose the KDC
{
    my $server = server(<<'END', 'index.html');
WinAuthNTLMAuthority none
<Location "/">
  AuthType WinAuth
  WinAuthProviders Basic
  WinAuthPersistLimit requests=2
  Require valid-user
</Location>
END
    my $client = WinAuth::Client->new($server->{port});
    my @statuses;
    for (1 .. 7) {
        my $r = $client->get('/index.html', basic('alice', PW));
        push @statuses, $r->{status};
    }
    is "@statuses", '200 200 200 200 200 200 200', 'Basic: every request is served';
    my @asked = $server->error_log =~ /logged in by Kerberos/g;
    is scalar(@asked), 3, 'Basic: and every third asks the KDC';
    for my $user ('alice@NOWHERE.TEST', 'alice@', '@', 'alice@winauth.test') {
        my $r = WinAuth::Client->new($server->{port})->get('/index.html', basic($user, PW));
        is $r->{status}, 401, "Basic, $user: 401";
        ok $server->logged('access.log', qr/ 401 1 \d+ (?:unknown-user|bad-token)$/m), "Basic, $user: nobody knows";
    }
    unlike $server->error_log, qr/authority-down/, 'Basic: a wrong realm is no outage';
}

# --- a login over clear text was inherited by a section that requires TLS
{
    my $server = WinAuth::Server->new($SERVER . <<'END');
WinAuthNTLMAuthority none
<Location "/">
  AuthType WinAuth
  Require valid-user
  ErrorDocument 404 /secret.html
</Location>
<Location "/secret.html">
  WinAuthRequireTLS On
</Location>
END
    $server->file('htdocs/secret.html', "secret\n");
    $server->start;
    my $client = WinAuth::Client->new($server->{port});
    my $token = WinAuth::Token->spnego('alice');
    my $r = $client->get('/missing', Authorization => 'Negotiate ' . $token->step);
    is $r->{status}, 404, 'TLS: the page is missing';
    unlike $r->{body}, qr/secret/, 'TLS: and what stands for it is not sent in the clear';
    ok $server->logged('error.log', qr/WA0101: tls-required/), 'TLS: with its reason';
    is $client->get('/secret.html')->{status}, 403, 'TLS: as when it is asked for itself';
}

# --- one bit of a client's token was reported as a broken keytab
{
    my $server = WinAuth::Server->new($SERVER . <<'END')->start;
WinAuthNTLMAuthority none
<Location "/">
  AuthType WinAuth
  Require valid-user
</Location>
END
    my $token = WinAuth::Token->spnego('alice')->step;
    my $raw = MIME::Base64::decode_base64($token);
    my $inner = rindex $raw, "\x2a\x86\x48\x86\xf7";
    cmp_ok $inner, '>', index($raw, "\x2a\x86\x48\x86\xf7"), 'SPNEGO: the mechanism is named twice';
    my $r = WinAuth::Client->new($server->{port})
        ->get('/index.html', Authorization => 'Negotiate ' . WinAuth::Token::changed($token, $inner + 3, "\x82"));
    is $r->{status}, 401, 'SPNEGO with a token of another mechanism than it names: refused';
    ok $server->logged('error.log', qr/WA0101: bad-token/), 'SPNEGO: for what it is';
    unlike $server->error_log, qr/credentials-unavailable/, 'SPNEGO: not as trouble with the keytab';
}

# --- what a look ahead of the rewriting had proved was taken for a login to whatever section came of it
{
    my $server = WinAuth::Own::own(<<'END', modules => [qw(rewrite auth_basic authn_file)]);
<Location "/loose">
  AuthType WinAuth
  Require valid-user
</Location>
<LocationMatch "^/loose/once">
  WinAuthPersistLimit requests=1
</LocationMatch>
<Location "/other">
  AuthType Basic
  AuthName other
  AuthBasicProvider file
  AuthUserFile /dev/null
  Require valid-user
</Location>
<Location "/tight">
  AuthType WinAuth
  WinAuthProviders Negotiate:Kerberos
  WinAuthUserFormat Principal
  Require valid-user
</Location>
<Directory "/">
  Options FollowSymLinks
</Directory>
RewriteEngine On
RewriteCond %{LA-U:REMOTE_USER} .
RewriteRule ^/loose/up$ /tight/page.html [PT]
RewriteCond %{LA-U:REMOTE_USER} .
RewriteRule ^/loose/over$ /other/page.html [PT]
RewriteCond %{LA-U:REMOTE_USER} alice
RewriteRule ^/loose/(page|once).html$ - [E=seen:1]
END
    # without a <Directory> httpd takes the look for the request itself and authenticates nobody
    mkdir "$server->{dir}/htdocs/$_" for qw(loose tight other);
    $server->file("htdocs/$_.html", "a page\n") for qw(loose/page loose/once tight/page other/page);
    $server->start;
    my %login = WinAuth::Own::logins();
    for my $how (sort keys %login) {
        my @r = WinAuth::Own::to($server)->login('/loose/page.html', $login{$how}->());
        is WinAuth::Own::outcome($r[-1]), '200 ' . WinAuth::Own::ALICE(), "look ahead, $how: logged in";
    }
    my $client = WinAuth::Own::to($server);
    $client->login('/loose/page.html', WinAuth::Own::ntlm());
    is WinAuth::Own::outcome($client->get('/loose/up')), '401 Negotiate', 'look ahead: the other section has a word in it';
    like WinAuth::Own::outcome($client->get('/loose/over')), qr/^401 Basic/, 'look ahead: and so has another module';
    $client = WinAuth::Own::to($server);
    $client->login('/loose/page.html', WinAuth::Own::ntlm());
    is WinAuth::Own::outcome($client->get('/loose/once.html')), '200 ' . WinAuth::Own::ALICE(), 'look ahead: one request';
    is WinAuth::Own::outcome($client->get('/loose/once.html')), '401 Negotiate|NTLM', 'look ahead: counts as one';
    my @r = WinAuth::Own::to($server)->login('/loose/up', WinAuth::Own::kerberos());
    is WinAuth::Own::outcome($r[-1]), '200 alice@WINAUTH.TEST', 'look ahead: and shows whom it lets in its own way';
    is WinAuth::Own::outcome(WinAuth::Own::to($server)->get('/loose/page.html')), '401 Negotiate|NTLM', 'look ahead: nobody';
}

# --- "Require not" by an alias of a provider let in whose groups nobody knew
{
    my $server = WinAuth::Server->new($SERVER . <<'END')->start;
WinAuthNTLMAuthority none
<AuthzProviderAlias winauth-group strangers "WINAUTH\\Strangers">
</AuthzProviderAlias>
<Location "/">
  AuthType WinAuth
  <RequireAll>
    Require valid-user
    Require not strangers
  </RequireAll>
</Location>
<Location "/in">
  Require strangers
</Location>
END
    for my $path ('/index.html', '/in') {
        my $token = WinAuth::Token->spnego('alice');
        my $r = WinAuth::Client->new($server->{port})->get($path, Authorization => 'Negotiate ' . $token->step);
        is $r->{status}, 500, "alias, $path: what is not known lets nobody in";
    }
}

done_testing;
