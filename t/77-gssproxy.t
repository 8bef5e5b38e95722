# gssproxy holds the keytab, and httpd's user cannot read it: Kerberos works all the same.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Digest::SHA 'sha256';
use File::Copy 'copy';
use File::Temp 'tempdir';
use MIME::Base64 'decode_base64', 'encode_base64';
use POSIX ();
use Time::HiRes qw(sleep time);
use WinAuth::Own;
use WinAuth::Run;

my $KDC = $ENV{WA_KDC};

# The path of a Unix socket may have 107 bytes.
my $DIR = tempdir('wa-gp-XXXXXX', DIR => $ENV{WA_TMP}, CLEANUP => 1);
chmod 0755, $DIR;
mkdir "$DIR/$_", 0700 for qw(rcache clients);
copy("$KDC/http.keytab", "$DIR/http.keytab") or die $!;
chmod 0600, "$DIR/http.keytab" or die $!;
my $uid = $> == 0 ? (getpwnam $ENV{WA_USER})[2] : $>;

sub file {
    my ($name, $text) = @_;
    open my $f, '>', "$DIR/$name" or die "$name: $!";
    print {$f} $text;
    close $f or die "$name: $!";
}

# httpd's parent is root, and asks for mechanisms at start-up: it gets a service without any key.
file('gssproxy.conf', <<"END" . ($> == 0 ? <<"END" : ''));
[gssproxy]
[service/HTTP]
  mechs = krb5
  socket = $DIR/http.sock
  cred_store = keytab:$DIR/http.keytab
  cred_store = ccache:FILE:$DIR/clients/krb5cc_%U
  cred_usage = accept
  euid = $uid
END
[service/HTTP-start]
  mechs = krb5
  socket = $DIR/http.sock
  cred_store = keytab:$DIR/none.keytab
  cred_usage = accept
  euid = 0
END

my $daemon;

sub start_gssproxy {
    $daemon = fork;
    die "fork: $!" unless defined $daemon;
    if (!$daemon) {
        $ENV{KRB5RCACHEDIR} = "$DIR/rcache";
        delete $ENV{GSS_USE_PROXY};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$DIR/out";
        open STDERR, '>&', \*STDOUT;
        exec 'gssproxy', '-i', '-c', "$DIR/gssproxy.conf", '-s', "$DIR/default.sock" or POSIX::_exit(127);
    }
    for (1 .. 200) {
        return if -S "$DIR/http.sock";
        sleep 0.05;
    }
    die "gssproxy does not start\n";
}

sub stop_gssproxy {
    my $pid = $daemon or return;
    undef $daemon;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    unlink "$DIR/http.sock";
}

END {
    local $?;
    stop_gssproxy();
}

start_gssproxy();
certificate($DIR, 'localhost');

# KRB5CCNAME: gssproxy's library puts what it got from the daemon, which is of no use without it, into the default
# credential cache, and fails where it cannot.  An ordinary user could read the keytab, so httpd must not know it.
my %proxied = (GSS_USE_PROXY => 'yes', GSSPROXY_SOCKET => "$DIR/http.sock", KRB5_KTNAME => $> == 0 ? "$DIR/http.keytab" : "$DIR/none",
               KRB5CCNAME => 'MEMORY:');

# site(DIRECTIVES, %ENVIRONMENT): a server without keys.
sub site {
    my ($directives, %environment) = @_;
    return own(<<'END' . $directives, trust => <<"END2", wrapper => [ 'env', map { "$_=$environment{$_}" } sort keys %environment ])->start;
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Location /basic/>
  WinAuthProviders Basic
</Location>
<Location /delegation/>
  WinAuthDelegation forwarded
</Location>
END
WinAuthDelegationDir \@DIR\@/ccaches
WinAuthNTLMAuthority file:$KDC/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User "expr=%{REMOTE_USER}"
Header always set X-Cache "expr=%{reqenv:KRB5CCNAME}"
KeepAliveTimeout 20
MaxKeepAliveRequests 0
END2
}

my $own = site('', %proxied);
my %kerberos = (Kerberos => \&kerberos, 'Kerberos without SPNEGO' => \&krb5);

# said(SERVER, PATH, HEADERS): status, reason and user of a request on a fresh connection.
my $serial = 0;
sub said {
    my ($server, $path, @headers) = @_;
    $path .= '?' . ++$serial;
    my $r = to($server)->get($path, @headers);
    my ($logged) = reasons($server, $path);
    return (defined $logged ? $logged : 'nothing logged') . ($r->{status} == 200 ? ' ' . user_of($r) : '');
}

sub ticket {
    my ($client) = $_[0]->();
    return (Authorization => 'Negotiate ' . $client->step);
}

# --- what works -------------------------------------------------------------------------------------

if ($> == 0) {
    my $cat = run({}, 'setpriv', "--reuid=$uid", '--regid=' . (getpwuid $uid)[3], '--clear-groups', 'cat', "$DIR/http.keytab");
    like $cat->{err}, qr/Permission denied/, "httpd's user cannot read the keytab";
    my $without = site('', %proxied, GSS_USE_PROXY => 'no');
    is said($without, '/index.html', ticket(\&kerberos)), '503 credentials-unavailable', 'and without gssproxy nobody logs in by Kerberos';
}

my %logins = logins();
for my $kind (sort keys %logins) {
    my $client = to($own);
    my @r = $client->login('/index.html', $logins{$kind}->());
    is outcome($r[-1]), '200 ' . ALICE, "$kind: logged in";
    is outcome($client->get('/index.html')), '200 ' . ALICE, "$kind: bound";
}
{
    my ($client) = kerberos();
    my $r = to($own)->get('/index.html', Authorization => 'Negotiate ' . $client->step);
    $client->step($r->token('Negotiate'));
    ok $client->is_complete, 'mutual authentication';
    my $curl = curl({ KRB5CCNAME => "$KDC/alice.ccache" }, qw(--negotiate -u :), "http://localhost:$own->{port}/index.html");
    is $curl->{transfers}[0]{status}, 200, 'curl';
    my @clients = map { to($own) } 1 .. 16;
    my @headers = map { { ticket($_ % 2 ? \&kerberos : \&krb5) } } 0 .. $#clients;
    $clients[$_]->send('GET', '/index.html', [ %{ $headers[$_] } ]) for 0 .. $#clients;
    my @users = map { user_of($_->response('GET')) } @clients;
    is_deeply \@users, [ (ALICE) x 16 ], 'sixteen at once';
}
for my $kind (sort keys %kerberos) {
    my @ticket = ticket($kerberos{$kind});
    is said($own, '/index.html', @ticket), '200 ok ' . ALICE, "$kind: a ticket";
    is said($own, '/index.html', @ticket), '401 replay', "$kind: a second time";
}

# A name for the acceptor, and a client that could do NTLM: by Kerberos all the same, though no keytab can be seen.
{
    my $named = site("WinAuthAcceptorName host\n", %proxied);
    is said($named, '/index.html', ticket($kerberos{$_})), '200 ok ' . ALICE, "acceptor host, $_" for sort keys %kerberos;
    my $other = site("WinAuthAcceptorName HTTP/other.test\n", %proxied);
    is said($other, '/index.html', ticket($kerberos{$_})), '503 credentials-unavailable', "another acceptor, $_" for sort keys %kerberos;
    my $both = WinAuth::Token->both('alice', 'Passw0rd-alice');
    is said($own, '/index.html', Authorization => 'Negotiate ' . $both->step), '200 ok ' . ALICE, 'Kerberos and NTLM: Kerberos';
    unlike $own->error_log, qr/WA0011/, 'nobody says that there are no keys';
}

# Over TLS, tied to the channel, and tied to another.
{
    my $tls = WinAuth::Server::free_port();
    my $secure = site(<<"END", %proxied);
LoadModule ssl_module $ENV{WA_MODULES}/mod_ssl.so
Listen 127.0.0.1:$tls
<VirtualHost *:$tls>
  SSLEngine On
  SSLCertificateFile $DIR/cert.pem
  SSLCertificateKeyFile $DIR/key.pem
  <Location />
    WinAuthExtendedProtection Require
  </Location>
</VirtualHost>
END
    for my $case ([ 'none', undef, '401 epa-missing' ], [ 'the right one', sub { $_[0] }, '200 ok ' . ALICE ],
                  [ 'a wrong one', sub { WinAuth::Token::flipped($_[0], 40) }, '401 epa-mismatch' ]) {
        my ($what, $change, $expected) = @{$case};
        for my $kind (qw(krb5 spnego)) {
            my $client = WinAuth::Client->tls($tls, 'localhost');
            my $binding = 'tls-server-end-point:' . sha256($client->certificate);
            $binding = $change ? decode_base64($change->(encode_base64($binding, ''))) : '';
            my $token = WinAuth::Token->bound($kind, 'alice', $binding);
            my $path = '/index.html?' . ++$serial;
            my $r = $client->get($path, Authorization => 'Negotiate ' . $token->step);
            my ($logged) = reasons($secure, $path);
            is $logged . ($r->{status} == 200 ? ' ' . user_of($r) : ''), $expected, "channel binding, $kind: $what";
        }
    }
}

# --- what does not ------------------------------------------------------------------------------------

# A password by Kerberos must be checked against a key, which nobody here has.
{
    my $basic = site("WinAuthNTLMAuthority none\n", %proxied);
    mkdir "$basic->{dir}/htdocs/basic";
    $basic->file('htdocs/basic/index.html', "a page\n");
    is said($basic, '/basic/index.html', basic('alice', 'Passw0rd-alice')), '503 credentials-unavailable',
        'Basic by Kerberos needs the keytab itself';
}

# A delegated ticket stays with gssproxy: what is exported is of use only to programs that ask gssproxy.
{
    mkdir "$own->{dir}/htdocs/delegation";
    $own->file('htdocs/delegation/index.html', "a page\n");
    my $client = to($own);
    my $token = WinAuth::Token->client('spnego', "$KDC/alice.ccache", 'HTTP@localhost', '', '', 'delegate_to_peer');
    my ($r) = $client->login('/delegation/index.html', $token, 'Negotiate');
    is $r->{status}, 200, 'delegation: a login';
    my $klist = run({}, 'klist', '-c', $r->header('X-Cache'));
    like $klist->{out}, qr{Encrypted/Credentials/\S*GSSPROXY}, 'delegation: what is exported is sealed by gssproxy' or diag $klist->{err};
    unlike $klist->{out}, qr/krbtgt/, 'delegation: no ticket in it';
}

# --- the daemon goes away and comes back ----------------------------------------------------------------

stop_gssproxy();
is said($own, '/index.html', ticket($kerberos{$_})), '503 credentials-unavailable', "no daemon, $_: 503" for sort keys %kerberos;
is outcome((to($own)->login('/index.html', ntlm()))[-1]), '200 ' . ALICE, 'no daemon: NTLM is another matter';
start_gssproxy();
is said($own, '/index.html', ticket($kerberos{$_})), '200 ok ' . ALICE, "a new daemon, $_: and on it goes" for sort keys %kerberos;

# New keys are used without a restart of anything.
copy("$KDC/wrong.keytab", "$DIR/http.keytab") or die $!;
is said($own, '/index.html', ticket($kerberos{$_})), '401 wrong-key', "other keys, $_: refused" for sort keys %kerberos;
copy("$KDC/http.keytab", "$DIR/http.keytab") or die $!;
is said($own, '/index.html', ticket($kerberos{$_})), '200 ok ' . ALICE, "the right ones, $_: served" for sort keys %kerberos;

done_testing;
