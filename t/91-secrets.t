# Every way to log in, and to fail, with everything logged that can be: no password, no hash, no key and no
# token is in any log, in no spelling.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use MIME::Base64 'decode_base64', 'encode_base64';
use lib 't/lib', 'lib';
use WinAuth::Client;
use WinAuth::Ntlm;
use WinAuth::Own;
use WinAuth::Run;

my $own = own(<<'END');
WinAuthProviders Negotiate NTLM Basic
WinAuthLogHandshake On
<Location />
  AuthType WinAuth
  AuthName tests
  Require valid-user
</Location>
<Location /bob/>
  Require user "WINAUTH\\bob"
</Location>
<Location /large/>
  WinAuthProviders Negotiate:Kerberos
</Location>
END
my $config = $own->slurp('httpd.conf');
# From http:trace4 on httpd itself writes the headers of every request, credentials and all; README warns of it.
$config =~ s/^LogLevel.*$/LogLevel trace8 http:trace3/m;
$own->file('httpd.conf', $config);
$own->start;

# secret(WHAT, BYTES): may stand nowhere, neither as it is nor in hex nor in base64.
my %secret;
sub secret {
    my ($what, $bytes) = @_;
    length $bytes >= 6 or die "$what: too short to be looked for";
    $secret{$what} = $bytes;
}

# Any 24 characters of a token are a secret's worth; those at the front are the same in every token.
my %token;
sub token {
    my ($text) = @_;
    $token{$text}++;
}

# A client that keeps what goes to and fro.
sub Watched::new { return bless { client => $_[1] }, $_[0] }
sub Watched::step {
    my ($self, $in) = @_;
    my $out = $self->{client}->step(defined $in ? $in : ());
    main::token($_) for grep { defined } $in, $out;
    return $out;
}

sub login {
    my ($path, $client, $scheme) = @_;
    return (to($own)->login($path, Watched->new($client), $scheme))[-1];
}

my %ways = logins();
my @wrong = map { "Wr0ng-guess-$_" } 'a' .. 'f';
secret("password of $_", "Passw0rd-$_") for qw(alice bob joerg);
secret("guess $_", $_) for @wrong;
secret("NT hash of $_", pack 'H*', WinAuth::Token::ask('nthash', '-', $_))
    for (map { "Passw0rd-$_" } qw(alice bob joerg)), @wrong;

for my $way (sort keys %ways) {
    is outcome(login('/index.html', $ways{$way}->())), '200 ' . ALICE, "$way: logged in";
    is login('/bob/index.html', $ways{$way}->())->{status}, 401, "$way: not authorized";
}
is login('/index.html', $ways{$_}->('alice', shift @wrong))->{status}, 401, "$_: wrong password"
    for grep { /NTLM/ } sort keys %ways;
is login('/index.html', $ways{$_}->('mallory', shift @wrong))->{status}, 401, "$_: unknown user" for 'raw NTLM';
is login('/large/index.html', ntlm())->{status}, 401, 'NTLM where it is not allowed';

# a client of our own, whose keys are known
is outcome(login('/index.html', WinAuth::Ntlm->new('alice', 'Passw0rd-alice', 'WINAUTH', edit => sub {
    my ($field, $key) = @_;
    secret('NTLMv2 hash', $key);
    secret('NTLM session key', WinAuth::Ntlm::hmac_md5($key, substr $field->{nt}, 0, 16));
    secret('NTLM proof', substr $field->{nt}, 0, 16);
}), 'NTLM')), '200 ' . ALICE, 'NTLM by ourselves';

# Kerberos' keys: the ticket's, and the two that client and server agree upon
{
    my ($client, $scheme) = kerberos();
    my $r = login('/index.html', $client, $scheme);
    is outcome($r), '200 ' . ALICE, 'Kerberos, once more';
    $client->step($r->token($scheme));
    secret('Kerberos key of the context', decode_base64(WinAuth::Token::ask('key', $client->{name})));
}
for my $keytab (qw(http wrong alice)) {
    my $list = `klist -K -e -k $ENV{WA_KDC}/$keytab.keytab`;
    my @keys = $list =~ /\(0x([0-9a-f]{32,})\)/g;
    ok scalar(@keys), "$keytab.keytab has keys";
    secret("key $_ of $keytab.keytab", pack 'H*', $keys[$_]) for 0 .. $#keys;
}

# what is refused in front of every library, and behind it
my ($client, $scheme) = kerberos();
my $ticket = $client->step;
token($ticket);
is to($own)->get('/index.html', Authorization => "$scheme $ticket")->{status}, 200, 'a ticket';
is to($own)->get('/index.html', Authorization => "$scheme $ticket")->{status}, 401, 'its replay';
is to($own)->get('/index.html', Authorization => "$scheme $ticket", Authorization => "$scheme $ticket")->{status}, 400, 'twice';
is to($own)->get('/index.html', Authorization => "$scheme $ticket!")->{status}, 400, 'no base64';
is to($own)->get('/index.html', Authorization => "Bearer $ticket")->{status}, 401, 'another scheme';
is to($own)->get('/index.html', 'Authorization' => "$scheme " . WinAuth::Token::flipped($ticket, -40))->{status}, 401, 'altered';
is to($own)->get('/large/index.html', Authorization => "$scheme $ticket" . 'A' x 6000)->{status}, 400, 'too large';

# passwords in the clear
for my $pair ([ 'alice', 'Passw0rd-alice', 200 ], [ 'WINAUTH\\bob', 'Passw0rd-bob', 200 ],
              [ 'alice', $wrong[-1], 401 ], [ 'mallory', $wrong[-1], 401 ], [ '', 'Passw0rd-alice', 401 ],
              [ 'Passw0rd-alice', '', 401 ]) {
    my ($user, $password, $status) = @{$pair};
    my %header = basic($user, $password);
    token((split / /, $header{Authorization})[1]);
    next if $user eq 'Passw0rd-alice';      # a password typed as the name is a name to the log
    is to($own)->get('/index.html', %header)->{status}, $status, "Basic, $user";
}
is $own->stop & 127, 0, 'the server has ended';

# --- the logs ---------------------------------------------------------------------------------------

my $text = join '', map { WinAuth::Run::slurp($_) } glob "$own->{dir}/*log* $own->{dir}/output";
cmp_ok length $text, '>', 100_000, 'everything is logged';
like $text, qr/WA0105: .*alice/, 'logins among it';
like $text, qr/winauth:trace/, 'and our own traces';

# spellings(BYTES): how they may stand in a log
sub spellings {
    my ($bytes) = @_;
    my $hex = unpack 'H*', $bytes;
    (my $spaced = $hex) =~ s/(..)(?=.)/$1 /g;
    (my $colons = $spaced) =~ tr/ /:/;
    (my $escaped = $bytes) =~ s/([^ !#-\[\]-~])/sprintf '\\x%02x', ord $1/ge;     # as httpd writes it
    my $utf16 = $bytes =~ /^[ -~]+$/ ? pack 'v*', unpack 'C*', $bytes : $bytes;
    # three offsets of base64, without the characters that the neighbours have a part in
    my @base64 = map { my $t = encode_base64('x' x $_ . $bytes, ''); $t =~ s/=+$//; substr $t, $_ ? 4 : 0, -2 } 0 .. 2;
    return ($bytes, $utf16, $hex, uc $hex, $spaced, $colons, $escaped, grep { length >= 6 } @base64);
}
for my $what (sort keys %secret) {
    my @found = grep { index($text, $_) >= 0 } spellings($secret{$what});
    is join(' ', map { unpack 'H*', $_ } @found), '', "$what is not in the log";
}
my @lines;
for my $token (sort keys %token) {
    my $raw = decode_base64($token);
    my @pieces = map { length $token > 2 * $_ ? substr $token, $_, 24 : () } 24, int(length($token) / 2) - 12;
    push @pieces, substr $token, -24 if length $token >= 24;
    push @pieces, map { ($_, unpack 'H*', $_) } map { substr $raw, $_, 12 } int(length($raw) / 2), -12
        if length $raw >= 24;
    for my $piece (grep { !/^A+=*$/ && !/^[0\0]+$/ } @pieces ? @pieces : $token) {
        my $at = index $text, $piece;
        push @lines, substr $text, rindex($text, "\n", $at) + 1, 300 if $at >= 0;
    }
}
cmp_ok scalar(keys %token), '>', 30, 'tokens of all kinds were sent';
is join("\n", @lines), '', 'and none of them is in the log';

done_testing;
