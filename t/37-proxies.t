# Proxies of all kinds: in front of the module, behind it, and the module on one.  Nobody is ever served as
# somebody else, whatever connection a proxy sends whose requests over.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes 'sleep';
use WinAuth::Own;
use WinAuth::Run;

my %LOGIN = logins();
my @TWO_LEGS = ('NTLM inside SPNEGO', 'raw NTLM', 'raw NTLM under Negotiate');
my @ONE_LEG = ('Kerberos', 'Kerberos without SPNEGO');
my $count = 0;

my $PROTECTED = <<'END';
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Location /none>
  AuthType None
  Require all granted
</Location>
END

sub page { return '/index.html?' . ++$count }

# back(DIRECTIVES, MODULE...): a back end with the module, that is up.  Its log names the connection, too.
sub back {
    my ($directives, @modules) = @_;
    my $own = own("$PROTECTED$directives\nLogFormat \"%{remote}p %u\" ports\nCustomLog \@DIR\@/ports.log ports\n",
                  modules => \@modules);
    $own->file('htdocs/none', "a page\n");
    return $own->start;
}

# front(BACK, DIRECTIVES): a reverse proxy, one process with one connection to the back end at a time.
sub front {
    my ($back, $directives, %option) = @_;
    my $parameters = $option{parameters} || 'max=1 keepalive=On';
    return own(<<"END", modules => [qw(proxy proxy_http), @{ $option{modules} || [] }], trust => "KeepAliveTimeout 20\n")->start;
StartServers 1
@{[ $ENV{WA_MPM} eq 'prefork' ? "MaxRequestWorkers 3\nServerLimit 3" : "ServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\nMinSpareThreads 1\nMaxSpareThreads 8" ]}
ProxyPass / http://127.0.0.1:$back->{port}/ $parameters
$directives
END
}

# connections(SERVER, COUNT): how many connections carried so many requests, at least.
sub connections {
    my ($back, $least) = @_;
    my @ports;
    for (1 .. 40) {
        @ports = $back->slurp('ports.log') =~ /^(\d+) /mg;
        last if @ports >= $least;
        sleep 0.05;
    }
    my %ports = map { $_ => 1 } @ports;
    return scalar keys %ports;
}

sub get {
    my ($front, @headers) = @_;
    return to($front)->get('/index.html', @headers); # a client of its own for each request
}

sub one_leg {
    my ($front, $how, $user) = @_;
    my ($token, $scheme) = $LOGIN{$how}->($user);
    return get($front, Authorization => "$scheme " . $token->step);
}

# two_users(FRONT, BACK, WHAT): logins of two people and anonymous requests, mixed, over the connections that the
# front end shares among them.
sub two_users {
    my ($front, $back, $what, %expect) = @_;
    my $before = length $back->slurp('ports.log');
    for my $how (@ONE_LEG) {
        my @seen;
        for my $user (qw(alice bob alice)) {
            my $r = one_leg($front, $how, $user);
            is outcome($r), "200 WINAUTH\\$user", "$what, $how: $user";
            is $r->header('Persistent-Auth'), 'false', "$what, $how: $user, for one request";
            push @seen, user_of($_), $_->{status} for map { get($front) } 1 .. 3;
        }
        is "@seen", join(' ', ('- 401') x 9), "$what, $how: and nobody else is anybody";
    }
    for my $how (@TWO_LEGS) {
        my @outcomes;
        for my $user (qw(alice bob)) {
            my ($token, $scheme) = $LOGIN{$how}->($user);
            my $page = page();
            my $client = to($front);
            my $r = $client->get($page, Authorization => "$scheme " . $token->step);
            my $in = $r->token($scheme);
            push @outcomes, outcome($r);
            is((reasons($back, $page))[0], '401 untrusted-proxy', "$what, $how: reason") unless $expect{challenged};
            $r = get($front);
            push @outcomes, user_of($r);
            if ($in) {
                $r = $client->get($page, Authorization => "$scheme " . $token->step($in));
                push @outcomes, user_of($r) eq "WINAUTH\\$user" || user_of($r) eq '-' ? () : 'another';
            }
            push @outcomes, user_of(get($front));
        }
        if ($expect{challenged}) {
            s/^401 .*/401/ for @outcomes;
            is "@outcomes", join(' ', ('401 - -') x 2), "$what, $how: nobody is served as another";
        }
        else {
            is join('|', @outcomes), join('|', ('401 Negotiate', '-', '-') x 2), "$what, $how: refused, offered what works";
        }
    }
    # over connections that were kept for more than one request
    my $lines = () = substr($back->slurp('ports.log'), $before) =~ /\n/g;
    cmp_ok connections($back, 20), '<', $lines, "$what: connections were shared";
}

# --- mod_proxy in front

for my $case ([ 'X-Forwarded-For', '', '' ],
              [ 'Via alone', "ProxyAddHeaders Off\nProxyVia On\n", '' ],
              [ 'all headers', "ProxyVia Full\n", '' ],
              [ 'mod_remoteip behind', '', "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n", 'remoteip' ],
              [ 'mod_remoteip behind, not trusted', '', "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 192.0.2.1\n", 'remoteip' ],
              [ 'a header of its own', "ProxyAddHeaders Off\nRequestHeader set Forwarded for=192.0.2.9\n", '' ]) {
    my ($what, $in_front, $behind, @modules) = @$case;
    my $back = back($behind, @modules);
    my $front = front($back, $in_front);
    two_users($front, $back, $what);
    # whoever talks to the back end directly is not troubled
    my $client = to($back);
    my @r = $client->login('/index.html', ntlm());
    is outcome($r[-1]) . ' ' . $r[-1]->header('Persistent-Auth'), '200 ' . ALICE . ' true', "$what: NTLM without the proxy";
    is outcome($client->get('/index.html')), '200 ' . ALICE, "$what: reused without the proxy";
    is outcome($client->get('/index.html', 'X-Forwarded-For' => '192.0.2.1')), '401 Negotiate', "$what: not with its header";
}

# The same at the same time: two users and nobody, each with clients of their own, over the front end's shared
# connections.
{
    my $back = back('');
    my $front = front($back, '', parameters => 'max=3 keepalive=On');
    my %who = (alice => ALICE, bob => BOB, nobody => '-');
    my @running;
    for my $user (qw(alice bob nobody) x 3) {
        local $ENV{KRB5CCNAME} = "$ENV{WA_KDC}/$user.ccache";
        my @urls = map { "http://localhost:$front->{port}/index.html?$user$_" } 1 .. 30;
        open my $out, '-|', 'curl', qw(-q -s -S --noproxy * --max-time 60 -I), $user eq 'nobody' ? () : qw(--negotiate -u :),
            @urls or die "curl: $!";
        push @running, [ $user, $out ];
    }
    for my $one (@running) {
        my ($user, $out) = @{$one};
        my $text = do { local $/; <$out> };
        close $out;
        my %seen;
        for my $head (split /\r\n\r\n/, $text) {
            my ($status) = $head =~ m{^HTTP/1.1 (\d+)} or next;
            my ($name) = $head =~ /^X-User: ?(.*?)\r?$/m;
            $seen{ "$status " . (defined $name && $name ne '' && $name ne '(null)' ? $name : '-') }++;
        }
        my $expected = $user eq 'nobody' ? '401 -' : "200 $who{$user}";
        delete $seen{'401 -'} unless $user eq 'nobody'; # what curl asks before it has a token to send
        is join(', ', map { "$seen{$_} x $_" } sort keys %seen), "30 x $expected", "at the same time, $user: and never another";
    }
    cmp_ok connections($back, 200), '<', 60, 'at the same time: over shared connections';
}

# Without any header a proxy cannot be told from a client.  This is the danger the manual speaks of; a section
# that forgets each login is safe all the same, at the cost of NTLM for all but who has a connection to himself.
{
    my $back = back("WinAuthPersistSingleRequest On\n");
    my $front = front($back, "ProxyAddHeaders Off\nProxyVia Off\n");
    two_users($front, $back, 'no header, WinAuthPersistSingleRequest On', challenged => 1);
}

# --- a front end that pins connections

# relay(PORT): a plain TCP relay, one connection to the back end for each of the client's; (port, pid).
sub relay {
    my ($port) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 20) or die $!;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return ($listener->sockport, $pid) if $pid;
    $SIG{PIPE} = 'IGNORE';
    my $select = IO::Select->new($listener);
    my %peer;
    while (my @ready = $select->can_read) {
        for my $socket (@ready) {
            if ($socket == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or POSIX::_exit(1);
                @peer{ $client, $server } = ($server, $client);
                $select->add($client, $server);
                next;
            }
            my $other = $peer{$socket} or next;
            if (sysread $socket, my $bytes, 65536) {
                # what a proxy says of itself, in each request
                $bytes =~ s/^((?:GET|POST) \S+ HTTP\S+\r\n)/$1Via: 1.1 relay\r\nX-Forwarded-For: 127.0.0.1\r\n/;
                syswrite $other, $bytes;
                next;
            }
            $select->remove($socket, $other);
            delete @peer{ $socket, $other };
            close $socket;
            close $other;
        }
    }
    POSIX::_exit(0);
}

for my $trusted ('127.0.0.1', '192.0.2.1') {
    my $back = back("WinAuthTrustedProxy $trusted\n");
    my ($port, $pid) = relay($back->{port});
    my $trusts = $trusted eq '127.0.0.1';
    for my $how (@TWO_LEGS, @ONE_LEG) {
        my $what = "WinAuthTrustedProxy $trusted, relay, $how";
        my @clients = map { WinAuth::Client->new($port) } 1 .. 2;
        my @r = map { [ $clients[$_]->login('/index.html', $LOGIN{$how}->((qw(alice bob))[$_])) ] } 0, 1;
        my $works = $trusts || grep { $_ eq $how } @ONE_LEG;
        is join(' ', map { outcome($_->[-1]) } @r), $works ? '200 ' . ALICE . ' 200 ' . BOB : '401 Negotiate 401 Negotiate',
            "$what: two logins";
        is join(' ', map { $_->[-1]->header('Persistent-Auth') || 'none' } @r),
            join(' ', ($trusts ? 'true' : $works ? 'false' : 'none') x 2), "$what: and how long they hold";
        is join(' ', map { user_of($clients[$_]->get('/index.html')) } 0, 1, 0, 1),
            $trusts ? join(' ', ALICE, BOB, ALICE, BOB) : '- - - -', "$what: reused, each its own";
    }
    my $run = curl({}, '--ntlm', '-u', 'WINAUTH\\alice:Passw0rd-alice', urls(map { "http://127.0.0.1:$port/index.html?$_" } 1 .. 3));
    is join(' ', map { $_->{status} } @{ $run->{transfers} }), join(' ', ($trusts ? 200 : 401) x 3),
        "WinAuthTrustedProxy $trusted, relay: curl --ntlm";
    kill 'TERM', $pid;
    waitpid $pid, 0;
}

# --- nginx in front

NGINX: {
    my ($nginx) = grep { -x } '/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx';
    ok $nginx, 'nginx is there: t/lib/deps.sh names it' or last;
    for my $case ([ 'X-Forwarded-For', 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;' ],
                  [ 'Via', 'proxy_set_header Via "1.1 nginx";' ]) {
        my ($name, $header) = @$case;
        my $back = back('');
        my $port = WinAuth::Server::free_port();
        my $dir = $back->{dir};
        mkdir "$dir/nginx";
        my $config = $back->file('nginx/nginx.conf', <<"END");
daemon off;
worker_processes 1;
pid $dir/nginx/pid;
error_log $dir/nginx/error.log;
@{[ $> == 0 ? "user $ENV{WA_USER} $ENV{WA_GROUP};" : '' ]}
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path $dir/nginx/body; proxy_temp_path $dir/nginx/proxy; fastcgi_temp_path $dir/nginx/fastcgi;
  uwsgi_temp_path $dir/nginx/uwsgi; scgi_temp_path $dir/nginx/scgi;
  upstream back { server 127.0.0.1:$back->{port}; keepalive 4; }
  server {
    listen 127.0.0.1:$port;
    location / {
      proxy_pass http://back;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      $header
    }
  }
}
END
        my $pid = fork;
        die "fork: $!" unless defined $pid;
        if (!$pid) {
            open STDOUT, '>', "$dir/nginx/output";
            open STDERR, '>&', \*STDOUT;
            exec $nginx, '-p', "$dir/nginx", '-e', "$dir/nginx/error.log", '-c', $config or POSIX::_exit(127);
        }
        for (1 .. 100) {
            last if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
            sleep 0.05;
        }
        two_users({ port => $port }, $back, "nginx with $name");
        my $run = curl({ KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache" }, qw(--negotiate -u :),
                       urls(map { "http://localhost:$port/index.html?$_" } 1 .. 4));
        is join(' ', map { $_->{status} } @{ $run->{transfers} }), '200 200 200 200', "nginx with $name: curl --negotiate";
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
}

# --- the module on a reverse proxy

# printer(): a back end that answers with the request header it got; (port, pid).
sub printer {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 20) or die $!;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return ($listener->sockport, $pid) if $pid;
    $SIG{PIPE} = 'IGNORE';
    while (my $client = $listener->accept) {
        my $in = '';
        while ($in !~ /\r\n\r\n/) {
            sysread $client, $in, 65536, length $in or last;
        }
        syswrite $client, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($in) . "\r\n\r\n$in";
        close $client;
    }
    POSIX::_exit(0);
}

{
    my ($port, $pid) = printer();
    my $own = own(<<"END", modules => [qw(proxy proxy_http)])->start;
ProxyPass / http://127.0.0.1:$port/
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Location /optional>
  WinAuthOptional On
  Require all granted
</Location>
<Location /none>
  AuthType None
  Require all granted
</Location>
<Location /passed>
  RequestHeader set X-Remote-User expr=%{REMOTE_USER}
</Location>
END
    for my $how (@TWO_LEGS, @ONE_LEG) {
        my $client = to($own);
        my @r = $client->login('/passed', $LOGIN{$how}->());
        is outcome($r[-1]), '200 ' . ALICE, "reverse proxy, $how: logged in";
        like $r[-1]{body}, qr{^GET /passed HTTP}, "reverse proxy, $how: the back end was asked";
        unlike $r[-1]{body}, qr/^(?:Proxy-)?Authorization:/mi, "reverse proxy, $how: the token stays here";
        like $r[-1]{body}, qr/^X-Remote-User: \Q${\ALICE}\E\r$/m, "reverse proxy, $how: but the name may go on";
        is $r[-1]->header('Persistent-Auth'), 'true', "reverse proxy, $how: bound to the client's connection";
        my $r = $client->get('/index.html');
        is outcome($r), '200 ' . ALICE, "reverse proxy, $how: reused";
        is $r->header('Cache-Control'), 'private', "reverse proxy, $how: for nobody else";
    }
    my ($token, $scheme) = kerberos();
    my $first = "$scheme " . $token->step;
    my $r = to($own)->get('/none', Authorization => $first);
    like $r->{body}, qr/^Authorization: \Q$first\E\r$/m, 'reverse proxy, module off: what is the back end\'s gets there';
    $r = to($own)->get('/none', Authorization => 'Basic YTpi');
    like $r->{body}, qr/^Authorization: Basic YTpi\r$/m, 'reverse proxy, module off: whatever it is';
    $r = to($own)->get('/optional');
    is outcome($r), '200 -', 'reverse proxy, optional: nobody';
    $r = to($own)->get('/optional', Authorization => $first);
    is outcome($r), '200 ' . ALICE, 'reverse proxy, optional: Kerberos';
    unlike $r->{body}, qr/^Authorization:/mi, 'reverse proxy, optional: the token stays here';
    is outcome(to($own)->get('/index.html')), '401 Negotiate|NTLM', 'reverse proxy: nobody else gets through';
    $r = to($own)->get('/none', 'Proxy-Authorization' => $first);
    unlike outcome($r), qr/alice/, 'reverse proxy: Proxy-Authorization is no login';

    my $redirecting = own(<<"END", modules => [qw(proxy proxy_http rewrite)]);
ProxyPass /back/ http://127.0.0.1:$port/
ProxyPass /all/back/ http://127.0.0.1:$port/
<Location ~ "^/(app|all)/">
  AuthType WinAuth
  Require valid-user
</Location>
<Directory \@DIR\@/htdocs>
  RewriteEngine On
  RewriteRule ^(app|all)/page\$ /back/page
  RewriteRule ^all/inside\$ /all/back/page
</Directory>
END
    mkdir "$redirecting->{dir}/htdocs/$_" for qw(app all);
    $redirecting->start;
    for my $path ('/app/page', '/all/inside') {
        my @r = to($redirecting)->login($path, kerberos());
        like $r[-1]{body}, qr{^GET /page HTTP}, "reverse proxy by a redirect, $path: the back end was asked";
        unlike $r[-1]{body}, qr/^Authorization:/mi, "reverse proxy by a redirect, $path: the token stays here";
    }
    kill 'TERM', $pid;
    waitpid $pid, 0;
}

# --- the module on a forward proxy

{
    my $tls = WinAuth::Server::free_port();
    my $own = own(<<"END", modules => [qw(proxy proxy_http proxy_connect ssl)]);
ProxyRequests On
AllowCONNECT $tls
<Proxy *>
  AuthType WinAuth
  AuthName proxy
  Require valid-user
</Proxy>
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
Listen 127.0.0.1:$tls
<VirtualHost *:$tls>
  ServerName localhost
  ProxyRequests Off
  SSLEngine On
  SSLCertificateFile \@DIR\@/cert.pem
  SSLCertificateKeyFile \@DIR\@/key.pem
  <Location />
    AuthType None
    Require all granted
  </Location>
</VirtualHost>
END
    certificate($own->{dir}, 'localhost');
    $own->start;
    my ($origin_port, $pid) = printer();
    my $absolute = "http://127.0.0.1:$origin_port/there";

    # proxied(RESPONSE): status and the challenges of a proxy; an origin's would be wrong.
    my $proxied = sub {
        my ($r) = @_;
        return join '|', $r->{status}, $r->all('Proxy-Authenticate'), map { "WRONG $_" } $r->all('WWW-Authenticate');
    };
    my $client = to($own);
    my $r = $client->get($absolute);
    is $proxied->($r), '407|Negotiate|NTLM', 'forward proxy: nobody';
    ok !$r->{closed}, 'forward proxy: nobody, the connection stays';
    is $proxied->($client->get($absolute, Authorization => 'NTLM ' . (ntlm())[0]->step)), '407|Negotiate|NTLM',
        'forward proxy: what is for the origin is not for the proxy';
    for my $how (@TWO_LEGS, @ONE_LEG) {
        my ($token, $scheme) = $LOGIN{$how}->();
        my $connection = to($own);
        my $answer = $connection->get($absolute, 'Proxy-Authorization' => "$scheme " . $token->step);
        my $in;
        if ($answer->{status} == 407) {
            like $proxied->($answer), qr{^407\|$scheme ([A-Za-z0-9+/]+=*)\z}, "forward proxy, $how: a leg";
            ($in) = map { /^$scheme (\S+)$/ } $answer->all('Proxy-Authenticate');
            $answer = $connection->get($absolute, 'Proxy-Authorization' => "$scheme " . $token->step($in));
        }
        is $answer->{status}, 200, "forward proxy, $how: logged in";
        like $answer->{body}, qr{^GET /there HTTP}, "forward proxy, $how: the origin was asked";
        unlike $answer->{body}, qr/^Proxy-Authorization:/mi, "forward proxy, $how: and did not see the credentials";
        is $answer->header('Persistent-Auth'), undef, "forward proxy, $how: no Persistent-Auth, which is not for proxies";
        is join('|', $answer->all('WWW-Authenticate')), '', "forward proxy, $how: nothing for an origin's credentials";
        is $connection->get($absolute)->{status}, 200, "forward proxy, $how: reused";
        # one connection, two roles
        is outcome($connection->get('/index.html')), '401 Negotiate|NTLM', "forward proxy, $how: no login at the origin of the same server";
        is $connection->get($absolute)->{status}, 200, "forward proxy, $how: nor is it the end of the one at the proxy";
        my @r = $connection->login('/index.html', $LOGIN{$how}->('bob'));
        is outcome($r[-1]), '200 ' . BOB, "forward proxy, $how: another user at the origin";
        is $r[-1]->header('Persistent-Auth'), 'true', "forward proxy, $how: bound there";
        is $connection->get($absolute)->{status}, 200, "forward proxy, $how: the proxy's login holds";
        is outcome($connection->get('/index.html')), '200 ' . BOB, "forward proxy, $how: so does the origin's";
        ok $own->logged('access.log', qr{^WINAUTH\S*alice "GET \Q$absolute\E HTTP/1.1" 200 0 0 ok$}m), "forward proxy, $how: the log";

        # the other way round: a login at the origin is none at the proxy
        $connection = to($own);
        $connection->login('/index.html', $LOGIN{$how}->());
        is $proxied->($connection->get($absolute)), '407|Negotiate|NTLM', "forward proxy, $how: a login at the origin is none here";
        is outcome($connection->get('/index.html')), '200 ' . ALICE, "forward proxy, $how: and stays";
        is outcome($connection->get('/index.html', 'Proxy-Authorization' => 'NTLM !!!!')), '200 ' . ALICE,
            "forward proxy, $how: Proxy-Authorization is nothing to the origin";
    }

    my @proxy = ('--proxy', "http://localhost:$own->{port}", '--noproxy', '');
    my %ticket = (KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache");
    my %spnego_ntlm = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => scratch('user', "WINAUTH:alice:Passw0rd-alice\n"));
    for my $how ([ '--proxy-negotiate', \%ticket, '-U', ':' ], [ '--proxy-negotiate', \%spnego_ntlm, '-U', ':' ],
                 [ '--proxy-ntlm', {}, '-U', 'WINAUTH\\alice:Passw0rd-alice' ], [ '--proxy-anyauth', \%ticket, '-U', ':' ]) {
        my ($arg, $environment, @user) = @$how;
        my $what = "forward proxy, curl $arg" . ($environment == \%spnego_ntlm ? ' without a ticket' : '');
        my $run = curl($environment, $arg, @user, @proxy, $absolute);
        is "$run->{exit} $run->{transfers}[0]{status}", '0 200', "$what: a page";
        unlike $run->{body}, qr/^Proxy-Authorization:/mi, "$what: whose origin does not see the credentials";
        $run = curl($environment, $arg, @user, @proxy, '-k', "https://localhost:$tls/index.html");
        is "$run->{exit} $run->{transfers}[0]{status}", '0 200', "$what: CONNECT" or diag $run->{err};
        is $run->{body}, "a page\n", "$what: the page behind it";
    }
    my $run = curl({}, '--proxy-ntlm', '-U', 'WINAUTH\\alice:wrong', '--proxy', "http://localhost:$own->{port}", '--noproxy', '', $absolute);
    is $run->{transfers}[0]{status}, 407, 'forward proxy, curl --proxy-ntlm, wrong password: 407';
    $run = curl({}, '--proxy', "http://localhost:$own->{port}", '--noproxy', '', '-k', "https://localhost:$tls/index.html");
    isnt $run->{exit}, 0, 'forward proxy: CONNECT for nobody is refused';
    unlike $own->error_log, qr/exit signal|Segmentation/, 'all workers live';
    kill 'TERM', $pid;
    waitpid $pid, 0;
}

# Where the module is not on the proxy, Proxy-Authorization is not its business.
{
    my ($port, $pid) = printer();
    my $own = own(<<"END", modules => [qw(proxy proxy_http)])->start;
ProxyRequests On
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Proxy *>
  Require all granted
</Proxy>
END
    my $absolute = "http://127.0.0.1:$port/there";
    my $client = to($own);
    my ($token, $scheme) = kerberos();
    my $first = "$scheme " . $token->step;
    for my $value ($first, 'NTLM !!!!', 'Basic YTpi') {
        my $r = $client->get($absolute, 'Proxy-Authorization' => $value, Authorization => $value);
        is $r->{status}, 200, "a proxy without the module, $scheme: open";
        like $r->{body}, qr/^Proxy-Authorization: \Q$value\E\r$/m, 'a proxy without the module: Proxy-Authorization goes on';
        like $r->{body}, qr/^Authorization: \Q$value\E\r$/m, 'a proxy without the module: so does Authorization';
        is $r->header('Proxy-Authenticate'), undef, 'a proxy without the module: nothing is said about it';
    }
    is outcome($client->get('/index.html', Authorization => $first)), '200 ' . ALICE, 'a proxy without the module: nothing was used up';
    kill 'TERM', $pid;
    waitpid $pid, 0;
}

done_testing;
