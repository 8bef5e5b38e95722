# One login and one refusal of each kind under valgrind: no invalid access, no uninitialised value, no leak.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use MIME::Base64 'decode_base64';
use lib 't/lib', 'lib';
use WinAuth::Client;
use WinAuth::Ntlm;
use WinAuth::Run;
use WinAuth::Server;
use WinAuth::Token;

my $PW = 'Passw0rd-alice';

# A client whose answer to a challenge is changed on its way.
sub Altered::new {
    my ($class, $client, $change) = @_;
    return bless { client => $client, change => $change }, $class;
}
sub Altered::step {
    my ($self, $token) = @_;
    return defined $token ? $self->{change}->($self->{client}->step($token)) : $self->{client}->step;
}

# What the libraries lose themselves, each down to the function of theirs that took the memory: a block
# that they hand to us, and we lose, is not among them.
my $suppressions = scratch('suppressions', <<'END');
{
   gss-ntlmssp: a name for each credential, never freed
   Memcheck:Leak
   match-leak-kinds: definite
   fun:calloc
   obj:*/gssntlmssp.so
   obj:*/gssntlmssp.so
   fun:gss_acquire_cred_from
}
{
   gss-ntlmssp: an OpenSSL library context with the legacy provider, for MD4
   Memcheck:Leak
   match-leak-kinds: definite
   fun:malloc
   fun:CRYPTO_zalloc
   ...
   fun:EVP_MD_fetch
   obj:*/gssntlmssp.so
}
{
   libgssapi: the handle of a mechanism's plugin, when httpd unloads us between reading its configuration twice
   Memcheck:Leak
   match-leak-kinds: definite
   fun:calloc
   fun:krb5int_open_plugin
   obj:*/libgssapi_krb5.so*
}
END
my $log = scratch('valgrind.log', '');
my $server = WinAuth::Server->new(<<"END", wrapper => [
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthNTLMAuthority file:$ENV{WA_KDC}/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
<Location />
  AuthType WinAuth
  AuthName tests
  Require valid-user
</Location>
END
    qw(valgrind --tool=memcheck --leak-check=full --show-leak-kinds=definite --keep-debuginfo=yes --num-callers=40
       --error-limit=no --fullpath-after=), "--log-file=$log", "--suppressions=$suppressions" ]);
$server->start('-X');

# keyless(TOKEN): the type-3 in it says that there is a key exchange, and has no key.
sub keyless {
    my ($token) = @_;
    my $raw = decode_base64($token);
    my $start = index $raw, "NTLMSSP\0" . pack 'V', 3;
    die "no type-3\n" if $start < 0;
    my $flags = unpack 'V', substr $raw, $start + 60, 4;
    return WinAuth::Token::changed(WinAuth::Token::changed($token, $start + 60, pack 'V', $flags | 0x40000000),
                                   $start + 52, pack 'vv', 0, 0);
}

sub connection { return WinAuth::Client->new($server->{port}) }

my $client = connection();
is $client->get('/index.html')->{status}, 401, 'nobody';
is $client->get('/index.html', Authorization => 'NTLM !!!!')->{status}, 400, 'nonsense';

# Two of each, because the first of its kind fills caches.
for my $round (1, 2) {
    for my $case (
        [ 'Kerberos', 'Negotiate', sub { WinAuth::Token->spnego('alice') } ],
        [ 'bare Kerberos', 'Negotiate', sub { WinAuth::Token->krb5('alice') } ],
        [ 'NTLM', 'NTLM', sub { WinAuth::Token->ntlm('alice', $PW) } ],
        [ 'NTLM with MIC, by ourselves', 'NTLM', sub { WinAuth::Ntlm->new('alice', $PW, 'WINAUTH') } ],
        [ 'NTLM under Negotiate', 'Negotiate', sub { WinAuth::Token->ntlm('alice', $PW) } ],
        [ 'NTLM inside SPNEGO', 'Negotiate', sub { WinAuth::Token->spnego_ntlm('alice', $PW) } ],
    ) {
        my ($what, $scheme, $make) = @{$case};
        $client = connection();
        my @r = $client->login('/index.html', $make->(), $scheme);
        is $r[-1]{status}, 200, "$what, round $round: logged in";
        is $client->get('/index.html')->{status}, 200, "$what, round $round: and once more without token";
        $client->close;
    }
}

my $ticket = WinAuth::Token->spnego('alice')->step;
my $bare = WinAuth::Token->krb5('alice')->step;
for my $case (
    [ 'Kerberos, altered', $ticket, 600 ],
    [ 'bare Kerberos, altered', $bare, 400 ],
) {
    my ($what, $token, $offset) = @{$case};
    $client = connection();
    my $r = $client->get('/index.html', Authorization => 'Negotiate ' . WinAuth::Token::flipped($token, $offset));
    is $r->{status}, 401, "$what: refused";
}
is connection()->get('/index.html', Authorization => "Negotiate $ticket")->{status}, 200, 'a ticket';
is connection()->get('/index.html', Authorization => "Negotiate $ticket")->{status}, 401, 'a replay: refused';
for my $case (
    [ 'NTLM, wrong password', 'NTLM', sub { WinAuth::Token->ntlm('alice', 'wrong') } ],
    [ 'NTLM, unknown user', 'NTLM', sub { WinAuth::Token->ntlm('mallory', $PW) } ],
    [ 'NTLMv1', 'NTLM', sub { WinAuth::Token->ntlmv1('alice', $PW) } ],
    [ 'NTLM inside SPNEGO, wrong password', 'Negotiate', sub { WinAuth::Token->spnego_ntlm('alice', 'wrong') } ],
    [ 'NTLM inside SPNEGO, unknown user', 'Negotiate', sub { WinAuth::Token->spnego_ntlm('mallory', $PW) } ],
    [ 'NTLM inside SPNEGO, a key exchange without key', 'Negotiate', sub {
        return Altered->new(WinAuth::Token->spnego_ntlm('alice', $PW), \&keyless) } ],
    [ 'NTLM, a key exchange without key', 'NTLM', sub {
        return Altered->new(WinAuth::Token->ntlm('alice', $PW), \&keyless) } ],
    [ 'NTLM, wrong MIC', 'NTLM', sub {
        return Altered->new(WinAuth::Token->ntlm('alice', $PW), sub { WinAuth::Token::flipped($_[0], 72) }) } ],
) {
    my ($what, $scheme, $make) = @{$case};
    $client = connection();
    my @r = $client->login('/index.html', $make->(), $scheme);
    is scalar(@r), 2, "$what: two requests";
    is $r[-1]{status}, 401, "$what: refused";
    $client->close;
}

for my $case ([ 'NTLM', WinAuth::Token->ntlm('alice', $PW) ],
              [ 'Negotiate', WinAuth::Token->spnego_ntlm('alice', $PW) ]) {
    my ($scheme, $token) = @{$case};
    my $type1 = $token->step;
    $client = connection();
    is $client->get('/index.html', Authorization => "$scheme $type1")->{status}, 401, "$scheme: half an exchange";
    is $client->get('/index.html', Authorization => "$scheme $type1")->{status}, 401, "$scheme: begun again";
    $client->close;
}
is connection()->get('/index.html')->{status}, 401, 'the server lives';

is $server->stop & 127, 0, 'and ends of its own';

# --- what valgrind says -------------------------------------------------------------------------

my $report = WinAuth::Run::slurp($log);
like $report, qr/ERROR SUMMARY: \d+ errors/, 'valgrind came to its end';
like $report, qr/LEAK SUMMARY:|All heap blocks were freed/, 'and has looked for leaks';
$report =~ s/^==\d+== ?//mg;
my @errors = grep { /^ +(?:at|by) 0x/m } split /\n\s*\n/, $report;

# With debug information our frames carry the path of the source, without it that of the module.
my $OURS = qr{mod_winauth|\bsrc/(?:core|engine|httpd)/\w+\.c:\d+};
is join("\n\n", grep { !/lost in loss record/ && $_ =~ $OURS } @errors), '',
    'no invalid access and no uninitialised value in us or below us';
is join("\n\n", grep { /definitely lost in loss record/ && $_ =~ $OURS } @errors), '',
    'no block lost by us or through us';
unlike $report, qr/Process terminating/, 'and no crash';

done_testing;
