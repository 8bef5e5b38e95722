# Items 70, 72 and 76 to 81: extended protection.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Digest::MD5 'md5';
use Digest::SHA qw(sha256 sha384 sha512);
use Encode 'encode';
use WinAuth::Client;
use WinAuth::Conformance ();
use WinAuth::Ntlm;
use WinAuth::Own;
use WinAuth::Run;
use WinAuth::Server;
use WinAuth::Token;

my $tls = WinAuth::Server::free_port();
my $count = 0;

# One port, many names, each with a certificate of its own kind: [ OPENSSL'S WORDS, HASH OF THE BINDING ].
my %CERT = (
    'sha256.test' => [ [qw(rsa:2048 -sha256)], \&sha256 ],
    'sha384.test' => [ [qw(rsa:2048 -sha384)], \&sha384 ],
    'sha512.test' => [ [qw(rsa:2048 -sha512)], \&sha512 ],
    'sha1.test'   => [ [qw(rsa:2048 -sha1)], \&sha256 ],
    'pss.test'    => [ [qw(rsa:2048 -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1)], \&sha512 ],
    'ecdsa.test'  => [ [qw(ec -pkeyopt ec_paramgen_curve:P-256 -sha384)], \&sha384 ],
    'ed.test'     => [ [qw(ed25519)], undef ],
    'both.test'   => [ [qw(rsa:2048 -sha256)], \&sha256 ],
);
my $hosts = '';
for my $name (sort keys %CERT) {
    $hosts .= <<"END";
<VirtualHost *:$tls>
  ServerName $name
  ServerAlias *.$name short
  SSLEngine On
  SSLCertificateFile \@DIR\@/$name/cert.pem
  SSLCertificateKeyFile \@DIR\@/$name/key.pem
END
    $hosts .= "  SSLCertificateFile \@DIR\@/ec.both.test/cert.pem\n  SSLCertificateKeyFile \@DIR\@/ec.both.test/key.pem\n"
        if $name eq 'both.test';
    $hosts .= "</VirtualHost>\n";
}
my $own = own(<<"END", modules => [qw(ssl http2)], mpm => $ENV{WA_MPM} eq 'prefork' ? 'event' : $ENV{WA_MPM});
Protocols h2 http/1.1
SSLCipherSuite ALL:\@SECLEVEL=0
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Location /none>
  WinAuthExtendedProtection None
</Location>
<Location /require>
  WinAuthExtendedProtection Require
</Location>
<Location /require/proxy>
  WinAuthExtendedProtection Require Proxy
</Location>
<Location /require/cohosted>
  WinAuthExtendedProtection Require Proxy ProxyCohosting
</Location>
<Location /require/unnamed>
  WinAuthExtendedProtection Require Proxy NoServiceNameCheck
</Location>
<Location /require/dotless>
  WinAuthExtendedProtection Require Proxy AllowDotlessSpn
</Location>
<Location /proxy>
  WinAuthExtendedProtection Allow Proxy
</Location>
<Location /listed>
  WinAuthServiceNames HTTP/www.example.com http/intranet
</Location>
<Location /listed/dotless>
  WinAuthExtendedProtection Allow AllowDotlessSpn
</Location>
<Location /unnamed>
  WinAuthExtendedProtection Allow NoServiceNameCheck
</Location>
Listen 127.0.0.1:$tls
<VirtualHost *:\@PORT\@>
  ServerName www.localhost.test
  ServerAlias other
</VirtualHost>
$hosts
END
for my $name (sort(keys %CERT), 'ec.both.test') {
    my @words = $name eq 'ec.both.test' ? qw(ec -pkeyopt ec_paramgen_curve:P-256 -sha384) : @{ $CERT{$name}[0] };
    mkdir "$own->{dir}/$name";
    certificate("$own->{dir}/$name", $name, @words);
}
my @sections = qw(none require require/proxy require/cohosted require/unnamed require/dotless proxy listed listed/dotless
                  unnamed allow);
mkdir "$own->{dir}/htdocs/$_" for @sections;
$own->file("htdocs/$_/page", "a page\n") for @sections;
$own->start;

sub secure { my ($name, @tls) = @_; return WinAuth::Client->tls($tls, $name || 'sha256.test', @tls) }
sub end_point { my ($client, $hash) = @_; return 'tls-server-end-point:' . $hash->($client->certificate) }
sub digest { return md5("\0" x 16 . pack('V', length $_[0]) . $_[0]) }

# ask(CLIENT, SECTION, LOGIN, HOST): "STATUS USER-OR-OFFERS, REASON, EPA" of one login.
sub ask {
    my ($client, $section, $login, $host) = @_;
    my $page = "/$section/page?" . ++$count;
    my @r = $login ? $client->login($page, @{$login}, $host ? (Host => $host) : ())
                   : $client->get($page, $host ? (Host => $host) : ());
    my ($reason) = (reasons($own, $page))[-1] =~ /(\S+)$/;
    return outcome($r[-1]) . ", $reason";
}

sub pair { my ($id, $text) = @_; return [ $id, encode('UTF-16LE', $text) ] }
sub ntlm_with { return [ WinAuth::Ntlm->new('alice', 'Passw0rd-alice', 'WINAUTH', pairs => [@_]), 'NTLM' ] }
sub kerberos_with { my ($binding, $conf) = @_; return [ WinAuth::Token->bound('spnego', 'alice', $binding, $conf), 'Negotiate' ] }
sub bare_with { my ($binding, $conf) = @_; return [ WinAuth::Token->bound('krb5', 'alice', $binding, $conf), 'Negotiate' ] }

my $IN = '200 ' . ALICE . ', ok';
sub out { return "401 Negotiate|NTLM, $_[0]" }
my ($MISSING, $WRONG, $SPN) = map { out($_) } qw(epa-missing epa-mismatch spn-mismatch);

# --- 72: three modes, every kind of client ----------------------------------------------------------

# a client that declares that it makes bindings, KERB_AP_OPTIONS_CBT, and sends none
my $declares = scratch('declares.conf', do { local (@ARGV, $/) = "$ENV{WA_KDC}/krb5.conf"; <> }
                       =~ s/(\[libdefaults\]\n)/$1    client_aware_channel_bindings = true\n/r);
my %right = map { my $kind = $_; $kind => sub {
    my ($binding) = @_;
    return $kind eq 'raw NTLM' ? ntlm_with([ 10, digest($binding) ])
         : $kind eq 'ntlm_auth' ? [ WinAuth::Token->client('ntlm', 'WINAUTH', 'alice', 'Passw0rd-alice', 3, unpack 'H*', $binding), 'NTLM' ]
         : $kind eq 'Kerberos' ? kerberos_with($binding) : bare_with($binding);
} } ('raw NTLM', 'ntlm_auth', 'Kerberos', 'bare Kerberos');

for my $kind (sort keys %right) {
    for my $case ([ none => $IN, $IN ], [ allow => $IN, $WRONG ], [ require => $IN, $WRONG ]) {
        my ($section, $matching, $other) = @{$case};
        my $client = secure();
        is ask($client, $section, $right{$kind}->(end_point($client, \&sha256)), 'sha256.test'), $matching,
            "item 72: $section, $kind, the binding of this channel";
        $client = secure();
        is ask($client, $section, $right{$kind}->('tls-server-end-point:' . sha256('another')), 'sha256.test'), $other,
            "item 72: $section, $kind, the binding of another";
    }
}
for my $case (
    [ 'raw NTLM, no binding', sub { ntlm_with() }, $IN, $IN, $MISSING ],
    [ 'raw NTLM, an empty one', sub { ntlm_with([ 10, "\0" x 16 ]) }, $IN, $MISSING, $MISSING ],
    [ 'raw NTLM, the hash of an empty structure', sub { ntlm_with([ 10, md5("\0" x 20) ]) }, $IN, $WRONG, $WRONG ],
    [ 'raw NTLM, a binding twice', sub { ntlm_with(([ 10, "\0" x 16 ]) x 2) }, (out('bad-token')) x 3 ],
    [ 'raw NTLM, half a binding', sub { ntlm_with([ 10, "\1" x 8 ]) }, (out('bad-token')) x 3 ],
    [ 'NTLM inside SPNEGO, no binding', sub { [ spnego_ntlm() ] }, $IN, $IN, $MISSING ],
    [ 'Kerberos, no binding', sub { [ kerberos() ] }, $IN, $IN, $MISSING ],
    [ 'bare Kerberos, no binding', sub { [ krb5() ] }, $IN, $IN, $MISSING ],
    [ 'Kerberos, none from a client that declares them', sub { kerberos_with('', $declares) }, $IN, $WRONG, $WRONG ],
    [ 'bare Kerberos, none from a client that declares them', sub { bare_with('', $declares) }, $IN, $WRONG, $WRONG ],
) {
    my ($what, $login, @expected) = @{$case};
    for my $section (qw(none allow require)) {
        is ask(secure(), $section, $login->(), 'sha256.test'), shift @expected, "item 72: $section, $what";
    }
}
like join('|', lines_since($own, 0, 'WA0101: epa-mismatch')), qr/another TLS channel/, 'item 72: the log says what it means';

# --- 70: what the authenticator does not vouch for is not there ------------------------------------

is ask(secure(), 'require', [ krb5() ], 'sha256.test'), $MISSING, 'item 70: no binding in the checksum: none at all';

# --- 76 to 78: the certificate served ---------------------------------------------------------------

for my $name (sort keys %CERT) {
    my $hash = $CERT{$name}[1] or next;
    next if $name eq 'both.test'; # item 78
    for my $kind ('raw NTLM', 'Kerberos') {
        my $client = secure($name);
        is ask($client, 'require', $right{$kind}->(end_point($client, $hash)), $name), $IN,
            "item 77: $name, $kind: its own hash";
        $client = secure($name);
        is ask($client, 'require', $right{$kind}->(end_point($client, $hash == \&sha256 ? \&sha384 : \&sha256)), $name), $WRONG,
            "item 77: $name, $kind: another hash";
    }
}
for my $kind ('raw NTLM', 'Kerberos') {
    my $other = end_point(secure('ecdsa.test'), \&sha384);
    is ask(secure('sha384.test'), 'require', $right{$kind}->($other), 'sha384.test'), $WRONG,
        "item 76: $kind: the certificate of another host of this server";
    # a certificate without a hash has no binding: the service name must do
    my $client = secure('ed.test');
    is ask($client, 'require', $right{$kind}->(end_point($client, \&sha256)), 'ed.test'), $MISSING, "item 77: Ed25519, $kind: none is defined";
    is ask(secure('ed.test'), 'allow', $right{$kind}->(''), 'ed.test'), $IN, "item 77: Ed25519, $kind: allowed without";
}
is ask(secure('ed.test'), 'allow', ntlm_with(pair(9, 'HTTP/ed.test')), 'ed.test'), $IN, 'item 77: Ed25519: the right service';
is ask(secure('ed.test'), 'allow', ntlm_with(pair(9, 'HTTP/sha256.test')), 'ed.test'), $SPN, 'item 77: Ed25519: another service';
for my $case ([ 'RSA', 'ECDHE-RSA-AES128-GCM-SHA256', \&sha256 ], [ 'ECDSA', 'ECDHE-ECDSA-AES128-GCM-SHA256', \&sha384 ]) {
    my ($what, $cipher, $hash) = @{$case};
    my %tls = (SSL_version => 'TLSv1_2', SSL_cipher_list => $cipher);
    for my $kind ('raw NTLM', 'Kerberos') {
        my $client = secure('both.test', %tls);
        is ask($client, 'require', $right{$kind}->(end_point($client, $hash)), 'both.test'), $IN, "item 78: $what of two, $kind";
    }
    my $rest = $what eq 'RSA' ? 'ECDSA' : 'RSA';
    my $other = end_point(secure('both.test', %tls, SSL_cipher_list => $cipher =~ s/$what/$rest/r), $what eq 'RSA' ? \&sha384 : \&sha256);
    is ask(secure('both.test', %tls), 'require', $right{'raw NTLM'}->($other), 'both.test'), $WRONG, "item 78: $what of two: the other one's";
}

# --- 79, 80: TLS that ends elsewhere ----------------------------------------------------------------

sub clear { return to($own) }
my $named = pair(9, 'HTTP/localhost.test');
my $mine = pair(9, 'HTTP/www.localhost.test');
my $some = [ 10, 'some other channel' =~ /(.{16})/ ];
is ask(clear(), 'require', $right{$_}->('x')), '403 , tls-required', "item 80: Require over clear text, $_: refused" for sort keys %right;
is ask(clear(), 'require'), '403 , tls-required', 'item 80: and nothing is offered';
for my $case (
    [ 'require/proxy', 'a binding and our name', [ $some, $mine ], $IN ],
    [ 'require/proxy', 'a binding and no name', [$some], $SPN ],
    [ 'require/proxy', 'a binding and another name', [ $some, $named ], $SPN ],
    [ 'require/proxy', 'no binding', [$mine], $MISSING ],
    [ 'require/proxy', 'an empty binding', [ [ 10, "\0" x 16 ], $mine ], $MISSING ],
    [ 'require/cohosted', 'no binding and our name', [$mine], $IN ],
    [ 'require/cohosted', 'no binding and no name', [], $SPN ],
    [ 'require/unnamed', 'a binding and another name', [ $some, $named ], $IN ],
    [ 'require/unnamed', 'no binding', [], $MISSING ],
    [ 'proxy', 'nothing at all', [], $IN ],
    [ 'proxy', 'another name', [ $some, $named ], $SPN ],
) {
    my ($section, $what, $pairs, $expected) = @{$case};
    is ask(clear(), $section, ntlm_with(@{$pairs})), $expected, "item 79: $section, clear text, $what";
    my $client = secure('sha256.test');
    # over TLS to the proxy's own back end the client's binding is the front's, and the names are that host's
    my @own = map { $_ == $mine ? pair(9, 'HTTP/www.sha256.test') : $_ } @{$pairs};
    is ask($client, $section, ntlm_with(@own), 'sha256.test'), $expected, "item 79: $section, TLS, $what";
}
for my $section ('require/proxy', 'require/cohosted', 'proxy') {
    is ask(clear(), $section, $right{Kerberos}->('tls-server-end-point:front')), $IN, "item 79: $section, Kerberos: the ticket names the service";
}
{
    my $other = WinAuth::Own::own('', modules => ['ssl']);
    for my $case (
        [ 'Require without TLS', "<Location /x>\nWinAuthExtendedProtection Require\n</Location>", 1 ],
        [ 'Require in a host without TLS', "<VirtualHost *:1>\nSSLEngine On\n</VirtualHost>\n"
            . "<VirtualHost *:2>\n<Location /x>\nWinAuthExtendedProtection Require\n</Location>\n</VirtualHost>", 1 ],
        [ 'Require with Proxy', "<Location /x>\nWinAuthExtendedProtection Require Proxy\n</Location>", 0 ],
        [ 'Require in a host with TLS', "<VirtualHost *:1>\nSSLEngine On\n<Location /x>\nWinAuthExtendedProtection Require\n"
            . "</Location>\n</VirtualHost>", 0 ],
        [ 'Require for hosts with TLS', "<Location /x>\nWinAuthExtendedProtection Require\n</Location>\n"
            . "<VirtualHost *:1>\nSSLEngine On\n</VirtualHost>", 0 ],
        [ 'Allow without TLS', "<Location /x>\nWinAuthExtendedProtection Allow\n</Location>", 0 ],
    ) {
        my ($what, $config, $refused) = @{$case};
        $other->write_config("$config\n", $ENV{WA_MPM});
        my ($status, $output) = $other->test_config;
        is $status ? 1 : 0, $refused, "item 80: at start-up, $what" or diag $output;
        like $output, qr/WinAuthExtendedProtection: \S+ line \d+: Require needs TLS/, "item 80: $what: the message" if $refused;
    }
}

# --- 81: the service the client asked for -----------------------------------------------------------

for my $case (
    [ allow => 'HTTP/localhost', $IN ], [ allow => 'http/LocalHost', $IN ], [ allow => 'HTTP/localhost:8080', $IN ],
    [ allow => 'HTTP/www.localhost.test', $IN ], [ allow => 'HTTP/WWW.localhost.TEST/x', $IN ], [ allow => 'HTTP@www.localhost.test', $IN ],
    [ allow => 'HTTP/other', $IN ], [ allow => 'HTTP/www.example.com', $SPN ], [ allow => 'HTTP/ww.localhost.test', $SPN ],
    [ allow => 'HTTP/www.localhost.test.evil', $SPN ], [ allow => 'cifs/www.localhost.test', $SPN ], [ allow => 'HTTPS/localhost', $SPN ],
    [ allow => 'www.localhost.test', $SPN ], [ allow => 'HTTP/', $SPN ], [ allow => "HTTP/localhost\0.evil", $SPN ],
    [ listed => 'HTTP/www.example.com', $IN ], [ listed => 'HTTP/localhost', $IN ], [ listed => 'HTTP/www.localhost.test', $SPN ],
    [ listed => 'HTTP/intranet', $SPN ], [ 'listed/dotless' => 'HTTP/intranet', $IN ], [ 'listed/dotless' => 'HTTP/other', $SPN ],
    [ unnamed => 'cifs/www.localhost.test', $IN ], [ none => 'cifs/www.localhost.test', $IN ],
    [ 'require/cohosted' => 'HTTP/other', $SPN ],
) {
    my ($section, $spn, $expected) = @{$case};
    is ask(clear(), $section, ntlm_with(pair(9, $spn))), $expected, "item 81: $section, " . $spn =~ s/\0/(NUL)/r;
}
is ask(clear(), 'require/dotless', ntlm_with($some, pair(9, 'HTTP/other'))), $IN, 'item 81: AllowDotlessSpn under Require';
is ask(clear(), 'require/proxy', ntlm_with($some, pair(9, 'HTTP/other'))), $SPN, 'item 81: a dotless name under Require';
is ask(clear(), 'allow', ntlm_with(pair(9, 'cifs/x'), [ 6, pack 'V', 4 ])), $IN, 'item 81: a name the client does not vouch for is none';
is ask(clear(), 'require/cohosted', ntlm_with($mine, [ 6, pack 'V', 4 ])), $SPN, 'item 81: nor where one is required';
is ask(clear(), 'allow', [ krb5() ]), $IN, 'item 81: Kerberos: the ticket is the name';
my $client = secure('sha256.test');
is ask($client, 'allow', ntlm_with([ 10, digest(end_point($client, \&sha256)) ], pair(9, 'cifs/x')), 'sha256.test'), $IN,
    'item 81: what is bound to the channel needs no name';
is ask(secure('sha256.test'), 'proxy', ntlm_with(pair(9, 'HTTP/deep.sha256.test')), 'sha256.test'), $IN, 'item 81: ServerAlias with a pattern';

# --- one connection, many sections: what was proved counts, not that something was -------------------

for my $kind ('raw NTLM', 'Kerberos') {
    $client = secure('sha256.test');
    is ask($client, 'none', $right{$kind}->('tls-server-end-point:' . 'x' x 32), 'sha256.test'), $IN, "$kind: logged in where nothing is asked";
    is ask($client, $_, undef, 'sha256.test'), out('policy-changed'), "$kind: and not where $_ asks" for qw(allow require);
    is ask($client, 'none', undef, 'sha256.test'), $IN, "$kind: the login stays";
    $client = secure('sha256.test');
    is ask($client, 'allow', $right{$kind}->(end_point($client, \&sha256)), 'sha256.test'), $IN, "$kind: logged in with a binding";
    is ask($client, $_, undef, 'sha256.test'), $IN, "$kind: which counts in $_" for qw(require none allow);
}
$client = secure('sha256.test');
is ask($client, 'allow', ntlm_with(), 'sha256.test'), $IN, 'without a binding: logged in where it is allowed';
is ask($client, 'require', undef, 'sha256.test'), out('policy-changed'), 'without a binding: not where it is required';
$client = clear();
is ask($client, 'allow', ntlm_with(pair(9, 'HTTP/other'))), $IN, 'a service name of the host';
is ask($client, 'listed', undef), out('policy-changed'), 'is none where others are listed';

# streams of HTTP/2 are bound to the channel they share
for my $case ([ 'its binding', \&sha256 ], [ 'another binding', \&sha384 ], [ 'none', undef ]) {
    my ($what, $hash) = @{$case};
    $client = secure('sha256.test', SSL_alpn_protocols => ['h2']);
    my $page = '/require/page?' . ++$count;
    my $token = $hash ? kerberos_with(end_point($client, $hash)) : [ kerberos() ];
    is WinAuth::Conformance::http2_on($client, [ ':authority' => 'sha256.test', ':path' => $page, ':scheme' => 'https', authorization => 'Negotiate ' . $token->[0]->step ]),
        'end', "HTTP/2, $what: answered";
    is((reasons($own, $page))[-1], !$hash ? '401 epa-missing' : $hash == \&sha256 ? '200 ok' : '401 epa-mismatch', "HTTP/2, $what: the log");
}

# a challenge from one section, answered in another: the second one's rules hold
{
    $client = secure('sha256.test');
    my $token = ntlm_with()->[0];
    my $r = $client->get('/none/page', Host => 'sha256.test', Authorization => 'NTLM ' . $token->step);
    $r = $client->get('/require/page', Host => 'sha256.test', Authorization => 'NTLM ' . $token->step($r->token('NTLM')));
    is outcome($r), '401 Negotiate|NTLM', 'begun without protection, ended where it is required: refused';
    $client = secure('sha256.test');
    $token = ntlm_with([ 10, digest(end_point($client, \&sha256)) ])->[0];
    $r = $client->get('/none/page', Host => 'sha256.test', Authorization => 'NTLM ' . $token->step);
    $r = $client->get('/require/page', Host => 'sha256.test', Authorization => 'NTLM ' . $token->step($r->token('NTLM')));
    is outcome($r), '200 ' . ALICE, 'and with a binding: served';
}

done_testing;
