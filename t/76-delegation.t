# Delegation in a real Active Directory domain: the application goes on to a back end that demands Kerberos, as the
# user, by constrained delegation (S4U2Proxy) and with a forwarded ticket.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Time::HiRes qw(sleep time);
use WinAuth::AD;
use WinAuth::Run;
use WinAuth::Server;
use WinAuth::Token;

my $ad = WinAuth::AD->world;

# change(LDIF): on the domain controller's own database.
sub change {
    my ($ldif) = @_;
    my $run = run({}, 'ldbmodify', '-H', "$ad->{dir}/dc/private/sam.ldb", scratch('ldif', $ldif));
    die "ldbmodify: $run->{out}$run->{err}" if $run->{exit};
}

# The service must be known by the name in its tickets, as after ktpass or "net ads join createupn=...".
change(<<'END');
dn: CN=svc-http,CN=Users,DC=ad,DC=test
changetype: modify
replace: userPrincipalName
userPrincipalName: HTTP/www.ad.test@AD.TEST
END
$ad->samba_tool(qw(delegation add-service svc-http HTTP/other.ad.test));
$ad->samba_tool(qw(user sensitive bob on));

# --- the back end, another service with keys of its own --------------------------------------------------

my $back = WinAuth::Server->new(<<"END")->start;
ServerName other.ad.test
WinAuthKeytab $ad->{dir}/other.keytab
Header always set X-User "expr=%{REMOTE_USER}"
<Location />
  AuthType WinAuth
  AuthName back
  WinAuthProviders Negotiate:Kerberos
  Require valid-user
</Location>
END

# --- the front end and its application ---------------------------------------------------------------------

my $PROGRAM = <<"END";
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
printf 'USER=%s\\n' "\$REMOTE_USER"
env | grep KRB5CCNAME
[ -n "\$KRB5CCNAME" ] || exit 0
curl -q -s -o /dev/null -w 'BACK=%{http_code} ' -D - --noproxy '*' --resolve other.ad.test:$back->{port}:127.0.0.1 \\
    --negotiate -u : http://other.ad.test:$back->{port}/ | tr -d '\\r' | sed -n '/^X-User: ./s/^/BACK /p; /^BACK=/p'
klist 2>&1
END

sub front {
    my ($directives) = @_;
    my $server = WinAuth::Server->new('');
    $directives =~ s/\@DIR\@/$server->{dir}/g;
    $server->write_config(<<"END" . $directives, $ENV{WA_MPM});
LoadModule cgid_module $ENV{WA_MODULES}/mod_cgid.so
ScriptSock $server->{dir}/cgisock
AddHandler cgi-script .cgi
ServerName www.ad.test
WinAuthDelegationDir $server->{dir}/ccaches
Header always set X-User "expr=%{REMOTE_USER}"
AliasMatch ^/[a-z]+/([a-z]+\\.cgi) $server->{dir}/htdocs/\$1
SetEnv KRB5_CONFIG $ad->{dir}/world/krb5.conf
<Directory $server->{dir}/htdocs>
  Options +ExecCGI
</Directory>
<Location />
  AuthType WinAuth
  AuthName front
  Require valid-user
</Location>
<Location /constrained>
  WinAuthDelegation constrained
</Location>
<Location /forwarded>
  WinAuthDelegation forwarded
</Location>
END
    $server->file('htdocs/app.cgi', $PROGRAM);
    chmod 0755, "$server->{dir}/htdocs/app.cgi";
    return $server->start;
}

my $server = front("WinAuthKeytab $ad->{dir}/http.keytab\nWinAuthNTLMAuthority winbind\n");

# login(SERVER, SECTION, CCACHE, KIND, FLAG): the client, and the answer of the application.
sub login {
    my ($to, $section, $cache, $kind, $flag) = @_;
    my $token = WinAuth::Token->client($kind, $cache, 'HTTP@www.ad.test', '', '', $flag || '');
    my $client = WinAuth::Client->new($to->{port});
    my ($r) = $client->login("/$section/app.cgi", $token, 'Negotiate');
    return ($client, $r);
}

sub cache { return $_[0]{body} =~ m{^KRB5CCNAME=FILE:(/\S+)$}m ? $1 : '-' }

# back(RESPONSE): what the back end said to the application.
sub back {
    my ($r) = @_;
    my $user = $r->{body} =~ /^BACK X-User: (.*)$/m ? $1 : '-';
    return ($r->{body} =~ /BACK=(\d+)/ ? $1 : '-') . " $user";
}

sub gone {
    my ($file) = @_;
    for (1 .. 200) {
        return 1 unless -e $file;
        sleep 0.05;
    }
    return 0;
}

my $alice = $ad->ticket('alice', 'Passw0rd-alice');
my $bob = $ad->ticket('bob', 'Passw0rd-bob');

for my $kind (qw(spnego krb5)) {
    my ($client, $r) = login($server, 'constrained', $alice, $kind);
    is "$r->{status} " . $r->header('X-User'), '200 ADTEST\\alice', "constrained, $kind: logged in";
    my $file = cache($r);
    like $file, qr{/ccaches/[0-9a-f]{32}/[0-9a-f]{32}$}, "constrained, $kind: a cache";
    is back($r), '200 ADTEST\\alice', "constrained, $kind: the back end sees alice" or diag $r->{body}, $server->error_log;
    like $r->{body}, qr/^Default principal: alice\@AD\.TEST$/m, "constrained, $kind: the cache is hers";
    unlike $r->{body}, qr{for client alice.*krbtgt/}, "constrained, $kind: without her own ticket-granting ticket";
    is back($client->get('/constrained/app.cgi')), '200 ADTEST\\alice', "constrained, $kind: and again on the connection";
    $client->close;
    ok gone($file), "constrained, $kind: with the connection goes the cache";
}

# Who may not be delegated, and who delegates too much.
{
    my ($client, $r) = login($server, 'constrained', $bob, 'spnego');
    is "$r->{status} " . $r->header('X-User') . ' ' . back($r), '200 ADTEST\\bob 401 -', 'a sensitive account: a login, but the KDC gives no ticket';
    is $client->get('/constrained/app.cgi')->{status}, 200, 'which holds';
    ($client, $r) = login($server, 'constrained', $alice, 'spnego', 'delegate_to_peer');
    is "$r->{status} " . cache($r), '200 -', 'a forwarded ticket is not what a constrained section takes';
    ($client, $r) = login($server, 'forwarded', $alice, 'spnego');
    is "$r->{status} " . cache($r), '200 -', 'nor does a section for forwarded ones help itself';
    ($client, $r) = login($server, 'off', $alice, 'spnego');
    is "$r->{status} " . cache($r), '200 -', 'and where delegation is off, there is none';
    is $client->get('/constrained/app.cgi')->{status}, 401, 'to a login without, a constrained section is another';
}

# By a forwarded ticket the back end needs no entry in the directory.
{
    my ($client, $r) = login($server, 'forwarded', $alice, 'spnego', 'delegate_to_peer');
    is back($r), '200 ADTEST\\alice', 'forwarded: the back end sees alice' or diag $r->{body};
    like $r->{body}, qr{ krbtgt/AD\.TEST\@AD\.TEST$}m, 'forwarded: her own ticket-granting ticket';
    ($client, $r) = login($server, 'forwarded', $bob, 'spnego', 'delegate_to_peer');
    is "$r->{status} " . back($r), '200 - -', 'forwarded: not for a sensitive account';
}

# A back end that is not on the list of the service.
$ad->samba_tool(qw(delegation del-service svc-http HTTP/other.ad.test));
{
    my ($client, $r) = login($server, 'constrained', $alice, 'spnego');
    is "$r->{status} " . back($r), '200 401 -', 'a back end the service may not delegate to: the KDC says no';
}
$ad->samba_tool(qw(delegation add-service svc-http HTTP/other.ad.test));

# --- the service gets no ticket of its own ----------------------------------------------------------------------

# Its keys are right, but the domain knows no account of that name.
{
    my $nameless = front("WinAuthKeytab $ad->{dir}/http.keytab\nWinAuthAcceptorName HTTP/localhost\n");
    my $token = WinAuth::Token->client('spnego', $alice, 'HTTP@localhost');
    my $client = WinAuth::Client->new($nameless->{port});
    my ($r) = $client->login('/constrained/app.cgi', $token, 'Negotiate');
    is "$r->{status} " . cache($r), '200 -', 'a name that is no account: a login all the same';
    ok $nameless->logged('error.log', qr/\[winauth:warn\].*WA0152: ADTEST\\\\alice delegates nothing: the service gets no ticket of its own: /),
        'a name that is no account: the log says what fails';
    is $client->get('/constrained/app.cgi')->{status}, 401, 'a name that is no account: the next request asks again';
}

$ad->sh('stop-dc');
{
    my ($client, $r);
    for (1 .. 20) { # each process has a ticket of its own, or none yet
        ($client, $r) = login($server, 'constrained', $alice, 'spnego');
        last if cache($r) ne '-';
    }
    isnt cache($r), '-', 'outage: with the ticket it has, the service still delegates';
    my $fresh = front("WinAuthKeytab $ad->{dir}/http.keytab\nWinAuthNTLMAuthority winbind\n");
    my $start = time;
    ($client, $r) = login($fresh, 'constrained', $alice, 'spnego');
    is "$r->{status} " . cache($r), '200 -', 'outage: without one, the login stands';
    ($client, $r) = login($fresh, 'constrained', $alice, 'spnego') for 1 .. 3;
    is "$r->{status} " . cache($r), '200 -', 'outage: again';
    cmp_ok time - $start, '<', 20, 'outage: and nobody waits long';
    $ad->sh('start');
    for (1 .. 60) {
        ($client, $r) = login($fresh, 'constrained', $alice, 'spnego');
        last if cache($r) ne '-';
        sleep 0.5;
    }
    is back($r), '200 ADTEST\\alice', 'when the domain is back, so is delegation';
}

done_testing;
