# Many sections and hosts, one connection: each judges for itself whether a login is one of its own.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Own;

my $KDC = $ENV{WA_KDC};
my %LOGIN = logins();
my $OFFERS = '401 Negotiate|NTLM';
my $count = 0;

sub at { my ($path) = @_; return "$path?" . ++$count }

# refused(SERVER, CLIENT, PATH, OUTCOME, REASON, WHAT, HEADERS): and why.
sub refused {
    my ($own, $client, $path, $outcome, $reason, $what, @headers) = @_;
    my $page = at($path);
    is outcome($client->get($page, @headers)), $outcome, $what;
    like join('|', reasons($own, $page)), qr/ \Q$reason\E\z/, "$what: reason";
}

# users(SERVER, NAME, USER...): a user file that the workers may read and others may not.
sub users {
    my ($own, $name, @users) = @_;
    my $path = $own->file($name, join '', map { "WINAUTH:$_:Passw0rd-$_\n" } @users);
    chown -1, (getgrnam $ENV{WA_GROUP})[2], $path if $> == 0;
    chmod 0640, $path;
}

# --- sections of one server

{
    my $own = own(<<'END');
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
<Location /negotiate>
  WinAuthProviders Negotiate
</Location>
<Location /single>
  WinAuthPersistSingleRequest On
</Location>
<Location /tls>
  WinAuthRequireTLS On
</Location>
<Location /sam>
  WinAuthUserFormat SAM
</Location>
<Location /sam/kerberos>
  WinAuthProviders Negotiate:Kerberos
</Location>
<Location /sam/kerberos/principal>
  WinAuthUserFormat Principal
</Location>
<Location /open>
  AuthType None
  Require all granted
</Location>
<Location /open/closed>
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Directory @DIR@/htdocs>
  AllowOverride AuthConfig
</Directory>
<Location /if>
  <If "%{QUERY_STRING} =~ /strict/">
    WinAuthProviders Negotiate:Kerberos
  </If>
  <If "%{QUERY_STRING} =~ /short/">
    WinAuthUserFormat SAM
  </If>
  <If "%{QUERY_STRING} =~ /public/">
    AuthType None
    Require all granted
  </If>
</Location>
END
    mkdir "$own->{dir}/htdocs/$_" for qw(sam sam/kerberos open ht ht/inner ht/none);
    $own->file("htdocs/$_", "a page\n")
        for qw(ntlm kerberos negotiate single tls sam/page sam/kerberos/page sam/kerberos/principal open/page open/closed if
               ht/page ht/inner/page ht/none/page);
    $own->file('htdocs/ht/.htaccess', "WinAuthProviders NTLM\nWinAuthUserFormat SAM\n");
    $own->file('htdocs/ht/inner/.htaccess', "WinAuthUserFormat Principal\n");
    $own->file('htdocs/ht/none/.htaccess', "AuthType None\nRequire all granted\n");
    $own->start;

    # a login begun in one section and what it is worth in the others
    my %user = ('/sam/page' => '200 alice', '/if?short' => '200 alice');
    for my $how (sort keys %LOGIN) {
        my $client = to($own);
        my @r = $client->login('/index.html', $LOGIN{$how}->());
        is outcome($r[-1]), '200 ' . ALICE, "$how: logged in";
        my $kerberos = $how =~ /^Kerberos/;
        my $raw = $how eq 'raw NTLM';
        my %takes = ('/ntlm' => $raw, '/kerberos' => $kerberos, '/negotiate' => !$raw, '/single' => 0, '/sam/page' => 1,
                     '/if' => 1, '/sam/kerberos/page' => $kerberos, '/ht/page' => $raw);
        my %offers = ('/ntlm' => 'NTLM', '/ht/page' => 'NTLM', '/single' => 'Negotiate|NTLM');
        for my $path (sort keys %takes) {
            if ($takes{$path}) {
                is outcome($client->get($path)), $path =~ m{^/(?:sam|ht)} ? '200 alice' : '200 ' . ALICE, "$how, then $path: served";
            }
            else {
                refused($own, $client, $path, '401 ' . ($offers{$path} || 'Negotiate'), 'policy-changed', "$how, then $path: asked");
            }
            is outcome($client->get('/open/page')), '200 -', "$how, then $path: an open page has no user";
            is outcome($client->get('/index.html')), '200 ' . ALICE, "$how, then $path: the login stays";
        }
        refused($own, $client, '/tls', '403 ', 'tls-required', "$how, then one that needs TLS");
    }

    # one member overridden at a time
    for my $case ([ '/sam/page', 'alice', '401 Negotiate|NTLM' ], [ '/sam/kerberos/page', 'alice', '401 Negotiate' ],
                  [ '/sam/kerberos/principal', 'alice@WINAUTH.TEST', '401 Negotiate' ], [ '/open/closed', ALICE, '401 Negotiate|NTLM' ]) {
        my ($path, $user, $offers) = @$case;
        is outcome(to($own)->get($path)), $offers, "$path: offers";
        my $client = to($own);
        my @r = $client->login($path, kerberos());
        is outcome($r[-1]), "200 $user", "$path: logged in";
        is outcome($client->get($path)), "200 $user", "$path: reused";
        is outcome($client->get('/index.html')), '200 ' . ALICE, "$path: and elsewhere, as there";
    }
    is outcome(to($own)->get('/ht/page')), '401 NTLM', '.htaccess: offers';
    is outcome(to($own)->get('/ht/inner/page')), '401 NTLM', '.htaccess further in: the same offers';
    my $client = to($own);
    is outcome(($client->login('/ht/page', ntlm()))[-1]), '200 alice', '.htaccess: logged in';
    like outcome($client->get('/ht/inner/page')), qr/^200 (?:alice\@WINAUTH\.TEST|WINAUTH\\alice)\z/, '.htaccess further in: its own format';
    is outcome($client->get('/ht/page')), '200 alice', '.htaccess: as before';
    $client = to($own);
    is outcome(($client->login('/ht/page', kerberos()))[-1]), '401 NTLM', '.htaccess: Kerberos is not listed';
    is outcome(to($own)->get('/if')), $OFFERS, '<If>: offers';
    is outcome(to($own)->get('/if?strict')), '401 Negotiate', '<If>, true: its offers';
    is outcome(to($own)->get('/if?public')), '200 -', '<If>, AuthType None: open';
    $client = to($own);
    is outcome(($client->login('/if?short', ntlm()))[-1]), '200 alice', '<If>: its format';
    is outcome($client->get('/if')), '200 ' . ALICE, '<If>, false: the usual one';
    is outcome($client->get('/if?strict')), '401 Negotiate', '<If>: a login that its providers do not take';
    is outcome($client->get('/if?public')), '200 -', '<If>, AuthType None: no user';
    is outcome($client->get('/if')), '200 ' . ALICE, '<If>: and the login stays';

    # AuthType None in the middle of an exchange, and of a login
    for my $how (grep { /NTLM/ } sort keys %LOGIN) {
        for my $open ('/open/page', '/if?public') {
            my ($token, $scheme) = $LOGIN{$how}->();
            $client = to($own);
            my $in = $client->get('/index.html', Authorization => "$scheme " . $token->step)->token($scheme);
            is outcome($client->get($open)), '200 -', "$how: AuthType None in mid-exchange, $open";
            is outcome($client->get($open, Authorization => 'NTLM !!!')), '200 -', "$how: where no header matters";
            is outcome($client->get('/index.html', Authorization => "$scheme " . $token->step($in))), '200 ' . ALICE,
                "$how: and the exchange goes on";
            is outcome($client->get($open)), '200 -', "$how: AuthType None after the login, $open";
            is outcome($client->get('/index.html')), '200 ' . ALICE, "$how: and the login stays";
        }
    }

    # begun in a section, ended in another: the last one decides
    for my $how (grep { /NTLM/ } sort keys %LOGIN) {
        for my $case ([ '/kerberos', '401 Negotiate', '-' ], [ '/tls', '403 ', '-' ], [ '/sam/page', '200 alice', ALICE ],
                      [ '/single', '200 ' . ALICE, '-' ]) {
            my ($path, $outcome, $then) = @$case;
            my ($token, $scheme) = $LOGIN{$how}->();
            $client = to($own);
            my $in = $client->get('/index.html', Authorization => "$scheme " . $token->step)->token($scheme);
            is outcome($client->get($path, Authorization => "$scheme " . $token->step($in))), $outcome, "$how, ended at $path";
            is user_of($client->get('/index.html')), $then, "$how, ended at $path: who is it then";
        }
    }
    unlike $own->error_log, qr/exit signal|Segmentation/, 'all workers live';
}

# --- hosts with keys and users of their own

{
    my $own = own('');
    $own->write_config(<<"END", $ENV{WA_MPM});
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User expr=%{REMOTE_USER}
KeepAliveTimeout 20
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<VirtualHost *>
  ServerName both.test
  WinAuthKeytab $KDC/http.keytab
  WinAuthNTLMAuthority file:$own->{dir}/alice
</VirtualHost>
<VirtualHost *>
  ServerName same.test
  WinAuthKeytab $KDC/http.keytab
  WinAuthNTLMAuthority file:$own->{dir}/alice
  WinAuthMaxToken 30000
</VirtualHost>
<VirtualHost *>
  ServerName others.test
  WinAuthKeytab $KDC/http.keytab
  WinAuthNTLMAuthority file:$own->{dir}/bob
</VirtualHost>
<VirtualHost *>
  ServerName none.test
  WinAuthKeytab $KDC/http.keytab
  WinAuthNTLMAuthority none
</VirtualHost>
<VirtualHost *>
  ServerName wrong.test
  WinAuthKeytab $KDC/wrong.keytab
  WinAuthNTLMAuthority file:$own->{dir}/alice
</VirtualHost>
<VirtualHost *>
  ServerName named.test
  WinAuthKeytab $KDC/http.keytab
  WinAuthNTLMAuthority file:$own->{dir}/alice
  WinAuthAcceptorName HTTP/localhost
</VirtualHost>
<VirtualHost *>
  ServerName stranger.test
  WinAuthKeytab $KDC/http.keytab
  WinAuthNTLMAuthority file:$own->{dir}/alice
  WinAuthAcceptorName HTTP/other.test
</VirtualHost>
<VirtualHost *>
  ServerName domain.test
  WinAuthKeytab $KDC/http.keytab
  WinAuthNTLMAuthority file:$own->{dir}/alice
  WinAuthDomain WINAUTH.TEST ELSEWHERE
</VirtualHost>
<VirtualHost *>
  ServerName off.test
  WinAuthKeytab $KDC/http.keytab
  WinAuthNTLMAuthority file:$own->{dir}/alice
  <Location />
    AuthType None
    Require all granted
  </Location>
</VirtualHost>
END
    users($own, 'alice', 'alice');
    users($own, 'bob', 'bob');
    $own->start;
    my $login = sub {
        my ($client, $host, @login) = @_;
        return outcome(($client->login('/index.html', @login, Host => $host))[-1]);
    };
    my @all = qw(both same others none wrong named stranger domain off);
    my %bare = map { $_ => $_ eq 'none' ? '401 Negotiate' : $_ eq 'off' ? '200 -' : $OFFERS } @all;

    for my $how ([ 'raw NTLM', ntlm() ], [ 'raw NTLM under Negotiate', raw_negotiate() ], [ 'Kerberos', kerberos() ]) {
        my ($name, @login) = @$how;
        my $client = to($own);
        is $login->($client, 'both.test', @login), '200 ' . ALICE, "hosts, $name: logged in";
        for my $host (@all) {
            my $outcome = $host eq 'both' || $host eq 'same' ? '200 ' . ALICE : $bare{$host};
            my $page = at('/index.html');
            is outcome($client->get($page, Host => "$host.test")), $outcome, "hosts, $name: then $host.test";
            is join('|', reasons($own, $page)), '401 policy-changed', "hosts, $name: then $host.test: reason" if $outcome =~ /^401/;
            is outcome($client->get('/index.html', Host => 'both.test')), '200 ' . ALICE, "hosts, $name: then $host.test: the login stays";
        }
        is $login->($client, 'others.test', ntlm('bob')), '200 ' . BOB, "hosts, $name: a login at another host";
        is outcome($client->get('/index.html', Host => 'both.test')), $OFFERS, "hosts, $name: replaces the one before";
        is outcome($client->get('/index.html', Host => 'others.test')), '200 ' . BOB, "hosts, $name: and holds there";
    }

    # each host for itself
    my %kerberos = map { $_ => '200 ' . ALICE } @all;
    @kerberos{qw(wrong stranger off domain)} = ($OFFERS, '503 -', '200 -', '200 ELSEWHERE\\alice');
    my %ntlm = map { $_ => '200 ' . ALICE } @all;
    @ntlm{qw(others none off)} = ($OFFERS, '401 Negotiate', '200 -');
    for my $host (@all) {
        is outcome(to($own)->get('/index.html', Host => "$host.test")), $bare{$host}, "$host.test: offers";
        is $login->(to($own), "$host.test", kerberos()), $kerberos{$host}, "$host.test: Kerberos";
        is $login->(to($own), "$host.test", krb5()), $kerberos{$host}, "$host.test: Kerberos without SPNEGO";
        is $login->(to($own), "$host.test", ntlm()), $ntlm{$host}, "$host.test: NTLM" unless $host eq 'domain';
    }

    # an exchange does not change hosts, unless they are as one
    for my $host (@all) {
        next if $host eq 'off';
        my ($token, $scheme) = ntlm();
        my $client = to($own);
        my $in = $client->get('/index.html', Host => 'both.test', Authorization => "$scheme " . $token->step)->token($scheme);
        my $page = at('/index.html');
        my $r = $client->get($page, Host => "$host.test", Authorization => "$scheme " . $token->step($in));
        my $same = $host eq 'both' || $host eq 'same';
        is outcome($r), $same ? '200 ' . ALICE : $bare{$host}, "an exchange that goes on at $host.test";
        is user_of($client->get('/index.html', Host => "$_.test")), $same ? ALICE : '-', "an exchange that goes on at $host.test: at $_.test"
            for qw(both same);
    }
    unlike $own->error_log, qr/exit signal|Segmentation/, 'all workers live';
}

# --- hosts without a directive of ours, whose names make their acceptors

{
    my $own = own(<<"END");
WinAuthAcceptorName host
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<VirtualHost *>
  ServerName localhost
</VirtualHost>
<VirtualHost *>
  ServerName bare.test
</VirtualHost>
<VirtualHost *>
  ServerName other.test
</VirtualHost>
<VirtualHost *>
  ServerName localhost
  ServerAlias again.test
</VirtualHost>
END
    # keys of two services: the first two bytes of a keytab are its version
    my $keys = '';
    for my $name ('http', 'empty-of-http') {
        open my $f, '<:raw', "$KDC/$name.keytab" or die $!;
        local $/;
        my $part = <$f>;
        $keys .= $keys eq '' ? $part : substr $part, 2;
    }
    $own->file('both.keytab', $keys);
    (my $config = $own->slurp('httpd.conf')) =~ s{^WinAuthKeytab .*}{WinAuthKeytab $own->{dir}/both.keytab}m;
    $own->file('httpd.conf', $config);
    $own->start;
    for my $how ('Kerberos', 'Kerberos without SPNEGO') {
        my $client = to($own);
        my $login = sub { return outcome(($client->login('/index.html', $LOGIN{$how}->($_[1]), Host => $_[0]))[-1]) };
        is $login->('localhost'), '200 ' . ALICE, "acceptor host, $how: localhost";
        for my $host ('bare.test', 'other.test') {
            my $page = at('/index.html');
            is outcome($client->get($page, Host => $host)), $OFFERS, "acceptor host, $how: not at $host, which has another name";
            is join('|', reasons($own, $page)), '401 policy-changed', "acceptor host, $how: not at $host: reason";
            is outcome($client->get('/index.html', Host => 'localhost')), '200 ' . ALICE, "acceptor host, $how: then $host: the login stays";
        }
        is outcome($client->get('/index.html', Host => 'again.test')), '200 ' . ALICE, "acceptor host, $how: at a host of the same name";
        for my $host ('bare.test', 'other.test') {
            $client = to($own);
            is $login->($host), '503 -', "acceptor host, $how: at $host, whose name has no key";
            is user_of($client->get('/index.html', Host => $_)), '-', "acceptor host, $how: at $host: nobody at $_" for 'localhost', $host;
        }
    }
    for my $how (sort grep { /NTLM/ } keys %LOGIN) {
        my $client = to($own);
        is outcome(($client->login('/index.html', $LOGIN{$how}->(), Host => 'bare.test'))[-1]), '200 ' . ALICE, "acceptor host, $how: bare.test";
        is outcome($client->get('/index.html', Host => 'bare.test')), '200 ' . ALICE, "acceptor host, $how: reused";
        is outcome($client->get('/index.html', Host => $_)), $OFFERS, "acceptor host, $how: not at $_" for 'other.test', 'localhost';
    }
}

done_testing;
