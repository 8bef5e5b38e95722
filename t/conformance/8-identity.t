# Items 88 to 91: who it was, and what is written down.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Conformance;
use WinAuth::Ntlm;
use WinAuth::Suite qw(PW);

my @LEGS = ('raw NTLM', 'raw NTLM under Negotiate', 'NTLM inside SPNEGO');
my @KINDS = (@LEGS, 'Kerberos', 'bare Kerberos');
my $HANDSHAKE = '- 401 1 2148074254 handshake';
my %token;                                      # what must be in no log

# lines(CLIENT, COUNT): "USER STATUS SUBSTATUS WIN32 REASON" of every line.
sub lines { return join '|', map { "$_->{user} $_->{status} $_->{reason}" } log_of(@_) }

# keep(CLIENT, PATH, KIND, USER, PASSWORD): a login, whose answers' tokens are kept to be looked for in the logs.
sub keep {
    my ($client, $path, $kind, @who) = @_;
    my ($token, $scheme) = login($kind, @who);
    my @r = $client->login($path, $token, $scheme);
    $token{ $_->token($scheme) || '' } = 1 for @r;
    return @r;
}

for my $kind (@KINDS) {
    my $done = ALICE . ' 200 0 0 ok';
    my $client = connection();
    $client->get(page('both'));
    keep($client, page('both'), $kind);
    $client->get(page('both'));
    is lines($client, 3), "- 401 2 5 anonymous|$done|$done", "item 88: $kind: no leg in the log";
    $client = connection();
    keep($client, page('logged'), $kind);
    is lines($client, $kind =~ /Kerberos/ ? 1 : 2), ($kind =~ /Kerberos/ ? '' : "$HANDSHAKE|") . $done,
        "item 88: $kind: but where that is asked for";
    $client = connection();
    keep($client, '/w/both/missing', $kind);
    is lines($client, 1), ALICE . ' 404 0 0 ok', "item 88: $kind: the final answer has the user, whatever it is";
}

# environment(RESPONSE, NAME...): what the program saw.
sub environment {
    my ($r, @names) = @_;
    my %seen = $r->{body} =~ /^(\w+)=(.*)$/mg;
    return join ' ', map { defined $seen{$_} ? $seen{$_} : '-' } @names;
}

my %SCHEME = map { $_ => $_ eq 'raw NTLM' ? 'NTLM' : 'Negotiate' } @KINDS;
for my $kind (@KINDS) {
    my $package = $kind =~ /Kerberos/ ? 'Kerberos' : 'NTLM';
    for my $user (qw(alice bob)) {
        my $client = connection();
        my @r = keep($client, page('both'), $kind, $user);
        my @names = qw(REMOTE_USER AUTH_TYPE WINAUTH_PACKAGE);
        my $expected = "WINAUTH\\$user $SCHEME{$kind} $package";
        is environment($r[-1], @names), $expected, "item 89: $kind, $user";
        is environment($client->get(page('both')), @names), $expected, "item 89: $kind, $user: bound";
    }
}

# --- 90: what is not given away

site(pass => { 'env.pl' => <<'END', '.htaccess' => "CGIPassAuth On\n" });
#!/usr/bin/perl
print "Content-Type: text/plain\n\n", map { "$_=$ENV{$_}\n" } grep { /AUTH|REMOTE/ } sort keys %ENV;
END
site(keep => { 'env.pl' => <<'END' });
#!/usr/bin/perl
print "Content-Type: text/plain\n\n", map { "$_=$ENV{$_}\n" } sort keys %ENV;
END
for my $kind (@KINDS) {
    my $client = connection();
    my ($token, $scheme) = login($kind);
    my $sent = "$scheme " . $token->step;
    if ($kind !~ /Kerberos/) {
        $token{ $sent =~ s/.* //r } = 1;
        $sent = "$scheme " . $token->step($client->get('/w/both/keep/env.pl', Authorization => $sent)->token($scheme));
    }
    $token{ $sent =~ s/.* //r } = 1;
    my $r = $client->get('/w/both/keep/env.pl', Authorization => $sent);
    is $r->{status}, 200, "item 90: $kind: served";
    is index($r->{body}, $sent =~ s/.* //r), -1, "item 90: $kind: the program does not see the token";
    unlike $r->{body}, qr/AUTHORIZATION/, "item 90: $kind: nor the header";

    $client = connection();
    my @r = $client->login('/w/both/pass/env.pl', login($kind));
    like $r[-1]{body}, qr/^HTTP_AUTHORIZATION=$scheme [\w+\/]+=*$/m, "item 90: $kind: where httpd is told to, it does";
}
{
    my $client = connection();
    for my $kind (@LEGS) {
        keep($client, page('both'), $kind, 'alice', 'not-this-one');
        keep($client, page('both'), $kind, 'mallory', 'nor-this-one');
    }
    $client->get(page('both'), Authorization => "NTLM $_") for 'TlRMTVNTUAADAAAA////', 'bm90IGEgdG9rZW4gYXQgYWxs';
    delete $token{''};
    cmp_ok scalar(keys %token), '>=', 20, 'item 90: there are tokens to look for';
    log_of($client);
    for my $log (qw(error_log winauth_log access_log)) {
        my $text = WinAuth::Suite::slurp($log);
        # parts of tokens, too: no 16 characters of the middle of one
        is join(' ', grep { index($text, $_) >= 0 } map { length > 60 ? substr $_, length($_) / 2, 16 : $_ } keys %token), '',
            "item 90: no token in $log";
        my @secrets = (PW, qw(Passw0rd-bob not-this-one nor-this-one TlRMTVNTUAADAAAA bm90IGEgdG9rZW4),
                       WinAuth::Token::ask('nthash', '-', PW));
        is join(' ', grep { $text =~ /\Q$_\E/i } @secrets), '', "item 90: nor a password or hash in $log";
    }
}

# --- 91: sub-status and Win32 code

sub edited { return WinAuth::Ntlm->new('alice', PW, 'WINAUTH', mic => 0, edit => $_[0]) }

my $type3 = 'NTLM ' . base64("NTLMSSP\0" . pack('V', 3) . "\0" x 60);
for my $case (
    [ '- 401 2 5 anonymous', sub { $_[0]->get(page('both')) } ],
    [ $HANDSHAKE, sub { begin($_[0], 'logged', login('raw NTLM')) } ],
    [ '- 401 1 2148074248 bad-token', sub { $_[0]->get(page('both'), Authorization => 'NTLM AAAA') } ],
    [ '- 401 1 2148074248 out-of-sequence', sub { $_[0]->get(page('both'), Authorization => $type3) } ],
    [ '- 400 1 2148074248 bad-encoding', sub { $_[0]->get(page('both'), Authorization => 'NTLM !') } ],
    [ '- 401 1 2148074252 anonymous-refused', sub { $_[0]->login(page('both'), edited(sub { $_[0]{user} = '' }), 'NTLM') } ],
    [ '- 401 1 2148074252 ntlmv1-refused', sub { $_[0]->login(page('both'), WinAuth::Token->ntlmv1('alice', PW), 'NTLM') } ],
    [ '- 401 1 2148074252 wrong-key', sub {
        $_[0]->get(page('both'), Authorization => 'Negotiate ' . WinAuth::Token::flipped((login('Kerberos'))[0]->step, 400));
    } ],
    [ '- 401 1 2148074256 replay', sub {
        my $token = (login('Kerberos'))[0]->step;
        connection()->get(page('both'), Authorization => "Negotiate $token");
        $_[0]->get(page('both'), Authorization => "Negotiate $token");
    } ],
    [ '- 401 1 2148074255 bad-mic', sub {
        my $token = WinAuth::Ntlm->new('alice', PW, 'WINAUTH');
        my $r = $_[0]->get(page('both'), Authorization => 'NTLM ' . $token->step);
        $_[0]->get(page('both'), Authorization => 'NTLM ' . WinAuth::Token::flipped($token->step($r->token('NTLM')), 72));
    } ],
    [ '- 401 1 2148074245 ntlm-not-allowed', sub { $_[0]->login(page('kerberos'), login('raw NTLM under Negotiate')) } ],
    [ '- 401 1 5 untrusted-proxy', sub { $_[0]->login(page('both'), login('raw NTLM'), Via => '1.1 p') } ],
    [ '- 401 1 2148074248 keepalive-off', sub { $_[0]->login(page('both'), login('raw NTLM'), Connection => 'close') } ],
    [ ALICE . ' 401 3 5 not-authorized', sub { $_[0]->login(page('bob'), login('Kerberos')) } ],
    [ ALICE . ' 401 5 5 not-authorized', sub {
        $_[0]->get(page('both') . '?status=401', Authorization => 'Negotiate ' . (login('Kerberos'))[0]->step);
    } ],
    [ ALICE . ' 302 0 0 ok', sub { $_[0]->login(page('both') . '?status=302', login('Kerberos')) } ],
    map { my $kind = $_; (
        [ ALICE . ' 200 0 0 ok', sub { $_[0]->login(page('both'), login($kind)) } ],
        $kind =~ /Kerberos/ ? () : (
            [ '- 401 1 2148074252 bad-password', sub { $_[0]->login(page('both'), login($kind, 'alice', 'wrong')) } ],
            [ '- 401 1 2148074252 unknown-user', sub { $_[0]->login(page('both'), login($kind, 'mallory')) } ]),
    ) } @KINDS) {
    my ($expected, $do) = @$case;
    my $client = connection();
    $do->($client);
    is lines($client, 1), $expected, "item 91: $expected";
}

done_testing;
