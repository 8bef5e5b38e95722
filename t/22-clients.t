# Programs that people use: each logs in, with every method, and the log shows who it was.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes 'sleep';
use lib 't/lib', 'lib';
use WinAuth::Run;
use WinAuth::Suite;

my $URL = 'http://localhost:' . port();
my $BODY = scratch('upload', 'x' x 100_000);
my %KERBEROS = (KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache");
my %SPNEGO_NTLM = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => scratch('user', 'WINAUTH:alice:' . PW . "\n"));
my $count = 0;

# Every login goes to an address of its own, by which its lines are found in the log.
sub address {
    my ($section) = @_;
    return "/w/$section/env.pl/login-" . ++$count;
}

# logged(PATH): "USER STATUS REASON" of every line, once one of them is a success.
sub logged {
    my ($path) = @_;
    my @lines;
    for (1 .. 60) {
        @lines = map { my @f = split /\|/; "$f[2] $f[3] $f[4]" }
            grep { /^\d+\|\w+ \Q$path\E\|/ } split /\n/, WinAuth::Suite::slurp('winauth_log');
        last if grep { / 200 / } @lines;
        sleep 0.05;
    }
    return @lines;
}

sub environment {
    my ($text) = @_;
    return { map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/, $text };
}

my $DONE = 'WINAUTH\\\\alice 200 0 0 ok';       # httpd doubles the backslash in its log
my $ASKED = '- 401 2 5 anonymous';

# seen(WHO, TEXT, IDENTITY, LENGTH): what the program behind the address saw.
sub seen {
    my ($who, $text, $identity, $length) = @_;
    my $seen = environment($text);
    is join(' ', map { defined $seen->{$_} ? $seen->{$_} : '-' } qw(REMOTE_USER AUTH_TYPE WINAUTH_PACKAGE)), $identity,
        "$who: logged in";
    is $seen->{BODY}, $length, "$who: the whole body arrived";
}

# --- curl ---------------------------------------------------------------------------------------

my @NTLM = ('--ntlm', '-u', 'WINAUTH\\alice:' . PW);
my @GSS = ('--negotiate', '-u', ':');
my ($K, $N, $S) = map { "WINAUTH\\alice $_" } 'Negotiate Kerberos', 'NTLM NTLM', 'Negotiate NTLM';

for my $case (
    [ 'negotiate', 'both', \%KERBEROS, \@GSS, $K, 0 ],
    [ 'negotiate', 'negotiate', \%KERBEROS, \@GSS, $K, 0 ],
    [ 'negotiate', 'kerberos', \%KERBEROS, \@GSS, $K, 0 ],
    [ 'ntlm', 'both', {}, \@NTLM, $N, 0 ],
    [ 'ntlm', 'ntlm', {}, \@NTLM, $N, 0 ],
    [ 'anyauth, with a ticket', 'both', \%KERBEROS, [qw(--anyauth -u :)], $K, 1 ],
    [ 'anyauth, with a password', 'ntlm', {}, [ '--anyauth', @NTLM[ 1, 2 ] ], $N, 1 ],
    [ 'SPNEGO with NTLM', 'both', \%SPNEGO_NTLM, \@GSS, $S, 0 ],
    [ 'SPNEGO with NTLM', 'negotiate', \%SPNEGO_NTLM, \@GSS, $S, 0 ],
    [ 'anyauth, SPNEGO with NTLM', 'both', \%SPNEGO_NTLM, [qw(--anyauth -u :)], $S, 1 ],
) {
    my ($what, $section, $environment, $args, $identity, $asks) = @{$case};
    for my $method ([ 'GET', 0 ], [ 'HEAD', 0, '-I' ], [ 'POST', 100_000, '--data-binary', "\@$BODY" ],
                    [ 'POST without waiting', 100_000, '-H', 'Expect:', '--data-binary', "\@$BODY" ]) {
        my ($name, $length, @method) = @{$method};
        my $who = "curl $what, $section, $name";
        my $path = address($section);
        my $run = curl($environment, @{$args}, @method, $URL . $path);
        is $run->{exit}, 0, "$who: curl is content";
        is $run->{transfers}[0]{status}, 200, "$who: 200";
        is $run->{transfers}[0]{connects}, 1, "$who: over one connection";
        seen($who, $run->{body}, $identity, $length) unless $name eq 'HEAD';
        is join('|', logged($path)), join('|', $asks ? ($ASKED, $DONE) : $DONE), "$who: the log";
    }
}

# What has no credentials, or wrong ones, is told so once, and does not go round in circles.
for my $case (
    [ 'no ticket', { KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent' }, \@GSS, '401 2 5 anonymous' ],
    [ 'wrong password', {}, [ '--ntlm', '-u', 'WINAUTH\\alice:wrong' ], '401 1 2148074252 bad-password' ],
    [ 'wrong password in SPNEGO', { KRB5CCNAME => '/nonexistent',
        NTLM_USER_FILE => scratch('wrong', "WINAUTH:alice:wrong\n") }, \@GSS, '401 1 2148074252 bad-password' ],
) {
    my ($what, $environment, $args, $outcome) = @{$case};
    my $run = curl($environment, @{$args}, "$URL/w/both/index.html");
    is $run->{transfers}[0]{status}, 401, "curl, $what: 401";
    like $run->{body}, qr/401 Unauthorized/, "curl, $what: httpd's own page";
    my $line = log_line($run->{transfers}[0]{port});
    is "$line->{user} $line->{status} $line->{reason}", "- $outcome", "curl, $what: the log";
    cmp_ok scalar(@{ $run->{legs} }), '<=', 2, "curl, $what: at most two requests";
}

# --- two hundred requests, one handshake -------------------------------------------------------

for my $case ([ 'negotiate', \%KERBEROS, \@GSS ], [ 'ntlm', {}, \@NTLM ], [ 'SPNEGO with NTLM', \%SPNEGO_NTLM, \@GSS ],
              [ 'anyauth', \%KERBEROS, [qw(--anyauth -u :)] ]) {
    my ($what, $environment, $args) = @{$case};
    my $list = scratch('list', join '', map { "url = $URL/w/both/index.html?$_\noutput = /dev/null\n" } 1 .. 200);
    my $run = run($environment, qw(curl -q -4 -s -S --noproxy * --max-time 90), @{$args},
                  '-w', '%{local_port} %{num_connects} %{http_code}\n', '-K', $list);
    is $run->{exit}, 0, "200 by curl $what: curl is content";
    my @done = map { [split] } split /\n/, $run->{out};
    is scalar(@done), 200, "200 by curl $what: all of them";
    is scalar(grep { $_->[2] == 200 } @done), 200, "200 by curl $what: with 200";
    my %ports = map { $_->[0] => 1 } @done;
    is scalar(keys %ports), 1, "200 by curl $what: over one connection";
    is scalar(grep { $_->[1] } @done), 1, "200 by curl $what: which was opened once";
    my ($port) = keys %ports;
    my $asks = $what eq 'anyauth' ? 1 : 0;
    my @log = log_lines($port, 200 + $asks);
    is scalar(grep { "$_->{user} $_->{status} $_->{reason}" eq $DONE } @log), 200, "200 by curl $what: in the log";
    is scalar(@log), 200 + $asks, "200 by curl $what: no 401 that could be spared";
    is scalar(my @logins = error_lines("client 127\\.0\\.0\\.1:$port\\] WA0105: ")), 1,
        "200 by curl $what: exactly one login";
}

# --- requests-ntlm ------------------------------------------------------------------------------

# ntlm_auth below it needs MD4, which OpenSSL 3 keeps in its legacy provider.
my %LEGACY = (OPENSSL_CONF => scratch('openssl.cnf', <<'END'));
openssl_conf = init
[init]
providers = provs
[provs]
default = on
legacy = on
[on]
activate = 1
END
my $requests = scratch('with-requests.py', <<'END');
import sys
import requests
from requests_ntlm import HttpNtlmAuth

method, url, user, password, body = sys.argv[1:]
session = requests.Session()
session.trust_env = False
session.auth = HttpNtlmAuth(user, password)
for _ in range(3):
    answer = session.request(method, url, data="x" * int(body) or None)
    print("STATUS=%d" % answer.status_code)
print("PERSISTENT=" + answer.headers.get("Persistent-Auth", "-"))
print(answer.text)
END
for my $case ([ 'GET', 0 ], [ 'POST', 100_000 ]) {
    my ($method, $length) = @{$case};
    for my $section (qw(ntlm both)) {
        my $who = "requests-ntlm, $section, $method";
        my $path = address($section);
        my $run = run(\%LEGACY, '/usr/bin/python3', $requests, $method, $URL . $path, 'WINAUTH\\alice', PW, $length);
        is $run->{exit}, 0, "$who: content" or diag $run->{err};
        is scalar(() = $run->{out} =~ /^STATUS=200$/mg), 3, "$who: three times 200";
        seen($who, $run->{out}, $N, $length);
        my @log = logged($path);
        is scalar(grep { $_ eq $DONE } @log), 3, "$who: three in the log";
        is scalar(grep { $_ ne $DONE && $_ ne $ASKED } @log), 0, "$who: and nothing but these and 401 2 5";
    }
}
my $run = run(\%LEGACY, '/usr/bin/python3', $requests, 'GET', "$URL/w/ntlm/index.html", 'WINAUTH\\alice', 'wrong', 0);
is scalar(() = $run->{out} =~ /^STATUS=401$/mg), 3, 'requests-ntlm, wrong password: 401';

# --- python3-gssapi over http.client ------------------------------------------------------------

my $gssapi = scratch('with-gssapi.py', <<'END');
import base64
import http.client
import sys
import gssapi

method, port, path, length = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", int(port))
body = b"x" * int(length) or None
connection.request(method, path, body)
answer = connection.getresponse()
answer.read()
print("FIRST=%d %s" % (answer.status, answer.getheader("WWW-Authenticate")))
context = gssapi.SecurityContext(
    name=gssapi.Name("HTTP@localhost", gssapi.NameType.hostbased_service), usage="initiate",
    mech=gssapi.OID.from_int_seq("1.3.6.1.5.5.2"),
    flags=gssapi.RequirementFlag.mutual_authentication)
token = None
while not context.complete:
    token = context.step(token)
    if token is None:
        break
    connection.request(method, path, body, {"Authorization": "Negotiate " + base64.b64encode(token).decode()})
    answer = connection.getresponse()
    text = answer.read().decode()
    token = base64.b64decode((answer.getheader("WWW-Authenticate") or " ").split(" ")[1])
print("SECOND=%d" % answer.status)
print("PORT=%d" % connection.sock.getsockname()[1])
print("MUTUAL=%s" % bool(context.actual_flags & gssapi.RequirementFlag.mutual_authentication))
print("COMPLETE=%s" % context.complete)
print(text)
END
for my $case ([ 'Kerberos', \%KERBEROS, $K ], [ 'NTLM', \%SPNEGO_NTLM, $S ]) {
    my ($what, $environment, $identity) = @{$case};
    for my $method ([ 'GET', 0 ], [ 'POST', 100_000 ]) {
        my ($name, $length) = @{$method};
        my $who = "python3-gssapi, $what, $name";
        my $path = address('negotiate');
        $run = run($environment, '/usr/bin/python3', $gssapi, $name, port(), $path, $length);
        is $run->{exit}, 0, "$who: content" or diag $run->{err};
        my $seen = environment($run->{out});
        is $seen->{FIRST}, '401 Negotiate', "$who: asked";
        is $seen->{SECOND}, 200, "$who: answered";
        is $seen->{COMPLETE}, 'True', "$who: both sides agree";
        is $seen->{MUTUAL}, 'True', "$who: and know each other" if $what eq 'Kerberos';
        seen($who, $run->{out}, $identity, $length);
        is join('|', logged($path)), "$ASKED|$DONE", "$who: the log";
        is scalar(@{ [ log_lines($seen->{PORT}, 2) ] }), 2, "$who: over one connection";
    }
}

is join("\n", error_lines('exit signal')), '', 'no process of the server died';

done_testing;
