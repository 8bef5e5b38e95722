# WinAuthNTLMAudit: who still logs in by NTLM, from where, with what, and why it was not Kerberos.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use File::Copy 'copy';
use Time::HiRes 'sleep';
use WinAuth::Der;
use WinAuth::Ntlm;
use WinAuth::Own;
use WinAuth::Run;

my $KDC = $ENV{WA_KDC};
my %SPNEGO_NTLM = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => scratch('user', "WINAUTH:alice:Passw0rd-alice\n"));
my %NOTHING = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent');
my %LEGACY = (%NOTHING, OPENSSL_CONF => scratch('openssl.cnf', "openssl_conf = init\n[init]\nproviders = provs\n"
    . "[provs]\ndefault = on\nlegacy = on\n[on]\nactivate = 1\n"));

my $own = own(<<"END", trust => <<"END2");
LogLevel notice
LogFormat "%u \\"%r\\" %>s %{WINAUTH_NTLM_WHY}e" why
CustomLog \@DIR\@/why.log why
AliasMatch ^/[a-z]+/([a-z]+\\.html)\$ \@DIR\@/htdocs/\$1
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
  WinAuthNTLMAudit On
</Location>
<Location /off/>
  WinAuthNTLMAudit Off
</Location>
<Location /only/>
  WinAuthProviders NTLM
</Location>
<Location /basic/>
  WinAuthProviders Basic
</Location>
<Location /broken/>
  ErrorDocument 404 /index.html
</Location>
END
WinAuthKeytab \@DIR\@/http.keytab
WinAuthNTLMAuthority file:$KDC/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
WinAuthServiceNames HTTP/localhost HTTP/other.test
Header always set X-User "expr=%{REMOTE_USER}"
KeepAliveTimeout 20
MaxKeepAliveRequests 0
END2

sub put_keytab {
    my ($name) = @_;
    copy("$KDC/$name", "$own->{dir}/keytab.tmp") or die $!;
    chmod 0644, "$own->{dir}/keytab.tmp";
    rename "$own->{dir}/keytab.tmp", "$own->{dir}/http.keytab" or die $!;
}

put_keytab('http.keytab');
$own->start;
my $URL = "http://localhost:$own->{port}";

# lines(PATH, COUNT): the audit lines of that address, at least COUNT.
sub lines {
    my ($path, $count) = @_;
    my @lines;
    for (1 .. 40) {
        @lines = grep { /WA0153: .* to \S+?\Q$path\E, / } split /\n/, $own->error_log;
        last if @lines >= $count;
        sleep 0.05;
    }
    return @lines;
}

# why(PATH, COUNT): "USER STATUS WHY" of the access log's lines of that address, at least COUNT.
sub why {
    my ($path, $count) = @_;
    my @lines;
    for (1 .. 60) {
        @lines = $own->slurp('why.log') =~ m{^(\S+ )"[A-Z]+ \Q$path\E HTTP/[\d.]+" (\d+ \S+)$}mg;
        last if @lines >= 2 * $count;
        sleep 0.05;
    }
    return map { $lines[2 * $_] . $lines[2 * $_ + 1] } 0 .. @lines / 2 - 1;
}

my $serial = 0;
sub path { return "/$_[0]/page" . 'abcdefghijklmnopqrstuvwxyz' =~ s/\A.{@{[ $serial++ % 25 ]}}//r . '.html' }

# page(SECTION): an address of its own.
sub page {
    my ($section) = @_;
    my $path = path($section);
    my ($name) = $path =~ m{([a-z]+\.html)$};
    $own->file("htdocs/$name", "a page\n");
    return $path;
}

my $ALICE = 'WINAUTH\\\\alice'; # as httpd writes it

# --- real clients ---------------------------------------------------------------------------------------

my $requests = scratch('with-requests.py', <<'END');
import sys
import requests
from requests_ntlm import HttpNtlmAuth

session = requests.Session()
session.trust_env = False
session.auth = HttpNtlmAuth(*sys.argv[2:])
print(session.get(sys.argv[1]).status_code)
END
my @password = ('-u', 'WINAUTH\\alice:Passw0rd-alice');
my $address = "http://127.0.0.1:$own->{port}";
my $other = [ '--resolve', "other.test:$own->{port}:127.0.0.1" ];
my $OTHER = "http://other.test:$own->{port}";

# client, section, run, wrapping, agent, WINAUTH_NTLM_WHY, what the line says of it
my @cases = (
    [ 'curl --ntlm', 'audit', sub { curl(\%NOTHING, '--ntlm', @password, "$URL$_[0]") },
      'scheme NTLM', qr{curl/[\d.]+}, 'scheme-ntlm', qr/although Negotiate was offered/ ],
    [ 'curl --negotiate, without a ticket', 'audit', sub { curl(\%SPNEGO_NTLM, qw(--negotiate -u :), "$URL$_[0]") },
      'NTLM inside SPNEGO', qr{curl/[\d.]+}, 'only-ntlm', qr/proposed no Kerberos/ ],
    [ 'requests-ntlm', 'audit', sub { run(\%LEGACY, '/usr/bin/python3', $requests, "$URL$_[0]", 'WINAUTH\\alice', 'Passw0rd-alice') },
      'scheme NTLM', qr{python-requests/[\d.]+}, 'scheme-ntlm', qr/although Negotiate was offered/ ],
    [ 'curl, where Negotiate is not listed', 'only', sub { curl(\%NOTHING, '--ntlm', @password, "$URL$_[0]") },
      'scheme NTLM', qr{curl/[\d.]+}, 'negotiate-not-listed', qr/WinAuthProviders does not list Negotiate/ ],
    [ 'curl, by address', 'audit', sub { curl(\%NOTHING, '--ntlm', @password, "$address$_[0]") },
      'scheme NTLM', qr{curl/[\d.]+}, 'ip-address,scheme-ntlm', qr/no tickets for the address 127\.0\.0\.1/ ],
    [ 'curl, by a name without key', 'audit', sub { curl(\%SPNEGO_NTLM, qw(--negotiate -u :), @{$other}, "$OTHER$_[0]") },
      'NTLM inside SPNEGO', qr{curl/[\d.]+}, 'no-key,only-ntlm', qr{no key of HTTP/other\.test} ],
);
for my $case (@cases) {
    my ($who, $section, $run, $wrapping, $agent, $why, $meaning) = @{$case};
    my $path = page($section);
    my $ran = $run->($path);
    my ($line, @more) = lines($path, 1);
    is scalar(@more), 0, "$who: one line";
    my $host = $who =~ /address/ ? '127.0.0.1' : $who =~ /by a name/ ? 'other.test' : 'localhost';
    like $line, qr/\[winauth:notice\].* WA0153: NTLM login of \Q$ALICE\E from 127\.0\.0\.1 to \Q$host$path\E, $wrapping, client "$agent": /,
        "$who: who, from where, in what" or diag $ran->{err};
    my ($words) = defined $line ? $line =~ /": (.*)$/ : '';
    is join(',', $words =~ /(?:^|; )([a-z-]+): /g), $why, "$who: why, in the error log";
    like $words, $meaning, "$who: and in words";
    is +(grep { / 200 / } why($path, 1))[0], "$ALICE 200 $why", "$who: why, in the access log";
}

# --- messages no real client here can be made to send -----------------------------------------------------

# spn_client(NAME): one that says which service it wants, as Windows does.
sub target {
    my ($name) = @_;
    return sub {
        my ($fields, $key, $challenge) = @_;
        my $pair = pack 'v v a*', 9, 2 * length $name, WinAuth::Ntlm::utf16_of($name);
        my $blob = substr $fields->{nt}, 16;
        substr $blob, 28, 0, $pair;
        $fields->{nt} = WinAuth::Ntlm::hmac_md5($key, $challenge . $blob) . $blob;
    };
}

sub bytes { return WinAuth::Ntlm->new('alice', 'Passw0rd-alice', 'WINAUTH', mic => 0, @_) }

for my $case (
    [ 'bare NTLM under Negotiate', sub { raw_negotiate() }, 'only-ntlm' ],
    [ 'NTLM', sub { ntlm() }, 'scheme-ntlm' ],
    [ 'for another service name than the host', sub { (bytes(edit => target('HTTP/other.test')), 'NTLM') }, 'no-key,scheme-ntlm' ],
    [ 'for a service name with a port', sub { (bytes(edit => target('http/LOCALHOST:8080')), 'NTLM') }, 'scheme-ntlm' ],
) {
    my ($what, $login, $why) = @{$case};
    my $path = page('audit');
    my $client = to($own);
    my @r = $client->login($path, $login->());
    is outcome($r[-1]), '200 ' . ALICE, "$what: logged in";
    is +(why($path, 1))[0], "$ALICE 200 $why", "$what: $why";
}

# A list with Kerberos behind NTLM.
{
    my $path = page('audit');
    my $client = to($own);
    my ($token) = spnego_ntlm();
    my $raw = WinAuth::Token::ask('step', $token->{name});
    my $inner = inside(MIME::Base64::decode_base64($raw), 0x60, 0xa0, 0x30, 0xa2, 0x04);
    my $r = $client->get($path, Authorization => 'Negotiate ' . init_token($inner, NTLMSSP, KRB5));
    my $answer = $token->step($r->token('Negotiate'));
    my $message = inside(MIME::Base64::decode_base64($answer), 0xa1, 0x30, 0xa2, 0x04);
    $r = $client->get($path, Authorization => 'Negotiate ' . MIME::Base64::encode_base64(
        der(0xa1, der(0x30, der(0xa2, der(0x04, $message)))), ''));
    is $r->{status}, 200, 'NTLM before Kerberos: logged in';
    is +(why($path, 1))[-1], "$ALICE 200 ntlm-first", 'NTLM before Kerberos: ntlm-first';
}

# Kerberos before NTLM, on a server that has no keys of Kerberos.
{
    my $keyless = own(<<'END', trust => <<"END2", wrapper => [ 'env', 'KRB5_KTNAME=/nonexistent' ])->start;
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
  WinAuthNTLMAudit On
</Location>
END
WinAuthNTLMAuthority file:$KDC/ntlm.users
Header always set X-User "expr=%{REMOTE_USER}"
Header always set X-Why "expr=%{reqenv:WINAUTH_NTLM_WHY}"
END2
    for my $case ([ 'Kerberos before NTLM', 'localhost', 'no-key', WinAuth::Token->both('alice', 'Passw0rd-alice'), 'Negotiate' ],
                  [ 'NTLM', 'localhost', 'no-key,scheme-ntlm', ntlm() ],
                  [ 'NTLM, by address', '127.0.0.1', 'ip-address,no-key,scheme-ntlm', ntlm() ]) {
        my ($what, $host, $why, @login) = @{$case};
        my @r = to($keyless)->login('/index.html', @login, Host => $host);
        is outcome($r[-1]), '200 ' . ALICE, "no keys, $what: logged in";
        is $r[-1]->header('X-Why'), $why, "no keys, $what: why";
    }
}

# --- what a client calls itself ------------------------------------------------------------------------------

{
    my $path = page('audit');
    my $client = to($own);
    my $agent = "evil\" 127.0.0.1 \t\xff " . 'x' x 1000;
    my @r = $client->login($path, ntlm(), 'User-Agent' => $agent);
    is $r[-1]{status}, 200, 'a strange client';
    my ($line) = lines($path, 1);
    like $line, qr/client "evil' 127\.0\.0\.1 \\t\\xff x+": /, 'a strange client: escaped';
    my ($xs) = $line =~ /(x+)": /;
    cmp_ok length $xs, '<=', 200, 'a strange client: and cut';
    $path = page('audit');
    to($own)->login($path, ntlm());
    like +(lines($path, 1))[0], qr/client "-": /, 'a client that says nothing of itself';
}

# --- once for a login -------------------------------------------------------------------------------------------

{
    my $client = to($own);
    my $path = page('audit');
    $client->login($path, ntlm());
    put_keytab('empty-of-http.keytab');
    is user_of($client->get($path)), ALICE, 'the login goes on' for 1 .. 3;
    is join('|', why($path, 4)), join('|', ("$ALICE 200 scheme-ntlm") x 4), 'each request has the reason, looked up once';
    is scalar(lines($path, 1)), 1, 'the log has it once';
    my $again = page('audit');
    $client->login($again, ntlm());
    is +(why($again, 1))[0], "$ALICE 200 no-key,scheme-ntlm", 'the next login is looked at afresh';
    put_keytab('http.keytab');

    my $open = to($own);
    my $off = page('off');
    $open->login($off, ntlm());
    is +(why($off, 1))[0], "$ALICE 200 -", 'where there is no audit, no reason';
    is scalar(lines($off, 0)), 0, 'and no line';
    my $on = page('audit');
    $open->get($on) for 1 .. 2;
    is join('|', why($on, 2)), join('|', ("$ALICE 200 scheme-ntlm") x 2), 'that login, where there is one';
    is scalar(lines($on, 1)), 1, 'has its line then, once';

    unlink "$own->{dir}/http.keytab" or die $!;
    $path = page('audit');
    to($own)->login($path, ntlm());
    is +(why($path, 1))[0], "$ALICE 200 scheme-ntlm", 'a keytab that cannot be read has no word in it';
    put_keytab('http.keytab');
}

# --- an error page, an index, and who is no NTLM login --------------------------------------------------------------

{
    my $client = to($own);
    my @r = $client->login('/broken/none', ntlm());
    is $r[-1]{status}, 404, 'an error page';
    is +(why('/broken/none', 1))[0], "$ALICE 404 scheme-ntlm", 'an error page: the access log knows why';
    to($own)->login('/', ntlm());
    is +(why('/', 1))[-1], "$ALICE 200 scheme-ntlm", 'an index: the access log knows why';

    my $before = () = $own->error_log =~ /WA0153/g;
    for my $kind (\&kerberos, \&krb5) {
        my $path = page('audit');
        is outcome((to($own)->login($path, $kind->()))[-1]), '200 ' . ALICE, 'Kerberos';
        is +(why($path, 1))[0], "$ALICE 200 -", 'Kerberos: nothing to explain';
    }
    my $path = page('basic');
    is to($own)->get($path, basic('alice', 'Passw0rd-alice'))->{status}, 200, 'Basic';
    is +(why($path, 1))[0], "$ALICE 200 -", 'Basic is no NTLM login';
    $path = page('audit');
    is +(to($own)->login($path, ntlm('alice', 'wrong')))[-1]{status}, 401, 'a wrong password';
    is +(why($path, 1))[0], '- 401 -', 'a wrong password is none either';
    my $after = () = $own->error_log =~ /WA0153/g;
    is $after, $before, 'and the log has no line of any of them';
}

done_testing;
