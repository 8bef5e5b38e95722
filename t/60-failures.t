# What goes wrong on a server that runs: keys and user files that go away, come back, change, or are not
# those one thought.  Nothing of it prompts a user for a password that would not help, and nothing needs a
# restart to be mended.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use File::Copy 'copy';
use MIME::Base64 ();
use Time::HiRes qw(sleep time);
use WinAuth::Client;
use WinAuth::Der;
use WinAuth::Run;
use WinAuth::Server;
use WinAuth::Token;

my $KDC = $ENV{WA_KDC};
my $ALICE = 'WINAUTH\\alice';
my $BOB = 'WINAUTH\\bob';

sub ntlm { return (WinAuth::Token->ntlm($_[0] || 'alice', $_[1] || 'Passw0rd-' . ($_[0] || 'alice')), 'NTLM') }
sub raw_negotiate { return ((ntlm(@_))[0], 'Negotiate') }
sub spnego_ntlm { return (WinAuth::Token->spnego_ntlm($_[0] || 'alice', $_[1] || 'Passw0rd-' . ($_[0] || 'alice')), 'Negotiate') }
sub kerberos { return (WinAuth::Token->spnego($_[0] || 'alice'), 'Negotiate') }
sub krb5 { return (WinAuth::Token->krb5($_[0] || 'alice'), 'Negotiate') }
sub both { return (WinAuth::Token->both('alice', 'Passw0rd-alice'), 'Negotiate') }

# The body of every configuration; what the server trusts is the test's.
my $PROTECTED = <<'END';
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User expr=%{REMOTE_USER}
KeepAliveTimeout 20
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END

# server(DIRECTIVES, %OPTION): one that is yet to be started; @DIR@ is its directory.
sub server {
    my ($directives, %option) = @_;
    my $own = WinAuth::Server->new('', %option);
    $directives =~ s/\@DIR\@/$own->{dir}/g;
    $own->write_config($PROTECTED . $directives, $ENV{WA_MPM});
    return $own;
}

# put(SERVER, NAME, SOURCE FILE): a fresh file under that name, as an administrator replaces one.
sub put {
    my ($own, $name, $from) = @_;
    copy($from, "$own->{dir}/$name.tmp") or die "$from: $!";
    chmod 0644, "$own->{dir}/$name.tmp";
    rename "$own->{dir}/$name.tmp", "$own->{dir}/$name" or die "$name: $!";
}

# A user file that the workers may read and others may not.
sub put_users {
    my ($own, $text, $mode) = @_;
    my $name = "$own->{dir}/users";
    open my $f, '>', "$name.tmp" or die $!;
    print {$f} $text;
    close $f or die $!;
    chown -1, (getgrnam $ENV{WA_GROUP})[2], "$name.tmp" if $> == 0;
    chmod defined $mode ? $mode : 0640, "$name.tmp";
    rename "$name.tmp", $name or die $!;
}

# outcome(RESPONSE): status, user or offers.
sub outcome {
    my ($r) = @_;
    my $user = $r->header('X-User');
    return $r->{status} == 200 ? "200 $user" : "$r->{status} " . $r->offers;
}

my $attempt = 0;

# try_login(SERVER, TOKEN CLIENT, SCHEME): the last answer of a whole exchange on a fresh connection.  The
# access log names the attempt by its number.
sub try_login {
    my ($own, @login) = @_;
    $attempt++;
    my @r = WinAuth::Client->new($own->{port})->login("/index.html?$attempt", @login);
    return $r[-1];
}

# refused(SERVER, [LOGIN], ANSWER, REASON, LEVEL, WHAT): the answer, the reason in both logs, how loud it is.
sub refused {
    my ($own, $login, $answer, $reason, $level, $what) = @_;
    my $before = length $own->error_log;
    is outcome(try_login($own, @$login)), $answer, $what;
    my $said = substr $own->error_log, $before;
    ok $own->logged('access.log', qr/^- "GET \/index\.html\?$attempt HTTP[^"]*" \d+ \S+ \S+ \Q$reason\E$/m),
        "$what: reason";
    my @lines = grep { /WA0101: / } split /\n/, $said;
    is scalar(@lines), 1, "$what: one line in the error log";
    like $lines[0] || '', qr/\[winauth:$level\].*WA0101: \Q$reason\E: /, "$what: with the reason, at level $level";
}

sub served {
    my ($own, $login, $user, $what) = @_;
    is outcome(try_login($own, @$login)), "200 $user", $what;
}

my $OFFERS = '401 Negotiate|NTLM';
my $USERS = "WINAUTH:alice:Passw0rd-alice\nWINAUTH:bob:Passw0rd-bob\n";

# --- the keytab

{
    my $own = server("WinAuthKeytab \@DIR\@/http.keytab\nWinAuthNTLMAuthority file:$KDC/ntlm.users\n");
    put($own, 'http.keytab', "$KDC/http.keytab");
    $own->start;
    my $pid = $own->slurp('httpd.pid');
    served($own, [ kerberos() ], $ALICE, 'keytab: good');

    unlink "$own->{dir}/http.keytab";
    for my $how ([ Kerberos => \&kerberos ], [ 'Kerberos without SPNEGO' => \&krb5 ]) {
        refused($own, [ $how->[1]->() ], '503 ', 'credentials-unavailable', 'error', "keytab gone: $how->[0]");
    }
    served($own, [ ntlm() ], $ALICE, 'keytab gone: NTLM');
    served($own, [ spnego_ntlm() ], $ALICE, 'keytab gone: NTLM inside SPNEGO');
    put($own, 'http.keytab', "$KDC/http.keytab");
    served($own, [ kerberos() ], $ALICE, 'keytab back: Kerberos');
    served($own, [ krb5() ], $ALICE, 'keytab back: without SPNEGO');

    put($own, 'http.keytab', "$KDC/wrong.keytab");
    refused($own, [ kerberos() ], $OFFERS, 'wrong-key', 'warn', 'keytab with another key');
    refused($own, [ krb5() ], $OFFERS, 'wrong-key', 'warn', 'keytab with another key, without SPNEGO');
    put($own, 'http.keytab', "$KDC/empty-of-http.keytab");
    refused($own, [ kerberos() ], $OFFERS, 'no-key', 'warn', 'keytab without a key for HTTP');
    refused($own, [ krb5() ], $OFFERS, 'no-key', 'warn', 'keytab without a key for HTTP, without SPNEGO');
    $own->file('http.keytab', "this is no keytab\n");
    refused($own, [ kerberos() ], '503 ', 'credentials-unavailable', 'error', 'keytab that is none');
    $own->file('http.keytab', '');
    refused($own, [ kerberos() ], '503 ', 'credentials-unavailable', 'error', 'keytab of no bytes');
    put($own, 'http.keytab', "$KDC/http.keytab");
    served($own, [ kerberos() ], $ALICE, 'keytab good again');
    served($own, [ kerberos('bob') ], $BOB, 'keytab good again, for bob');

    if ($> == 0) { # the workers are somebody else
        chmod 0600, "$own->{dir}/http.keytab";
    }
    else {
        chmod 0, "$own->{dir}/http.keytab";
    }
    refused($own, [ kerberos() ], '503 ', 'credentials-unavailable', 'error', 'keytab the workers may not read');
    chmod 0644, "$own->{dir}/http.keytab";
    served($own, [ kerberos() ], $ALICE, 'and may again');
    is $own->slurp('httpd.pid'), $pid, 'all by the same server';
    unlike $own->error_log, qr/exit signal|Segmentation/, 'whose workers all live';
}

# From the first request on, with no credential acquired before.
for my $case ([ 'wrong.keytab', $OFFERS, 'wrong-key', 'warn' ], [ 'empty-of-http.keytab', $OFFERS, 'no-key', 'warn' ]) {
    my ($keytab, $answer, $reason, $level) = @$case;
    my $own = server("WinAuthKeytab $KDC/$keytab\nWinAuthNTLMAuthority file:$KDC/ntlm.users\n")->start;
    refused($own, [ kerberos() ], $answer, $reason, $level, "a fresh server with $keytab");
    served($own, [ ntlm() ], $ALICE, "a fresh server with $keytab: NTLM");
}

{
    my $own = server("WinAuthKeytab \@DIR\@/http.keytab\nWinAuthNTLMAuthority none\n");
    put($own, 'http.keytab', "$KDC/http.keytab");
    chmod $> == 0 ? 0600 : 0, "$own->{dir}/http.keytab";
    $own->start;
    ok $own->logged('error.log', qr/\[winauth:error\].*WA0007: .*\Q$own->{dir}\E\/http\.keytab/),
        'a keytab the workers may not read is said at start-up';
    refused($own, [ kerberos() ], '503 ', 'credentials-unavailable', 'error', 'and to who needs it');
}

# A name without a key is the server's fault; one with a key, but not the ticket's, the client's.
my @no_such_key = ('503 ', 'credentials-unavailable', 'error');
for my $case ([ 'any' ], [ 'HTTP/localhost' ], [ 'HTTP/localhost@WINAUTH.TEST' ], [ 'host' ], [ 'HTTP@localhost' ],
              [ 'HTTP/other.test', @no_such_key ], [ 'HTTP/localhost@OTHER.TEST', @no_such_key ],
              [ 'host/other.test', '401 Negotiate', 'wrong-principal', 'info' ]) {
    my ($acceptor, @refusal) = @$case;
    my $own = server("WinAuthKeytab \@DIR\@/both.keytab\nWinAuthNTLMAuthority none\nWinAuthAcceptorName $acceptor\n");
    # both services, so that the directive alone decides
    my $keys = '';
    for ("$KDC/http.keytab", "$KDC/empty-of-http.keytab") {
        open my $f, '<:raw', $_ or die $!;
        local $/;
        my $part = <$f>;
        $keys .= $keys eq '' ? $part : substr $part, 2; # without the version at its beginning
    }
    $own->file('both.keytab', $keys);
    $own->start;
    if (@refusal) {
        refused($own, [ kerberos() ], @refusal, "WinAuthAcceptorName $acceptor");
        refused($own, [ krb5() ], @refusal, "WinAuthAcceptorName $acceptor, without SPNEGO");
    }
    else {
        served($own, [ kerberos() ], $ALICE, "WinAuthAcceptorName $acceptor");
        served($own, [ krb5() ], $ALICE, "WinAuthAcceptorName $acceptor, without SPNEGO");
    }
}

# The names in a domain's DNS say nothing about who may accept: a krb5.conf that leaves libkrb5 its defaults, by which
# it would ask for the canonical names of hosts.
{
    my $conf = WinAuth::Run::slurp("$KDC/krb5.conf");
    is $conf =~ s/^\s*(?:dns_canonicalize_hostname|rdns) = .*\n//mg, 2, 'acceptor and DNS: libkrb5 at its defaults';
    my $section = "WinAuthNTLMAuthority none\n<Location /basic/>\n  WinAuthProviders Basic\n</Location>\n";
    my $password = sub {
        my ($own) = @_;
        mkdir "$own->{dir}/htdocs/basic";
        $own->file('htdocs/basic/index.html', "a page\n");
        return outcome(WinAuth::Client->new($own->{port})->get('/basic/index.html',
            Authorization => 'Basic ' . MIME::Base64::encode_base64('alice:Passw0rd-alice', '')));
    };
    for my $case ([ 'localhost', 'host', 1 ], [ 'LOCALHOST', 'host', 1 ], [ '127.0.0.1', 'host', 0 ],
                  [ 'other.test', 'HTTP@localhost', 1 ], [ 'other.test', 'http@LocalHost', 1 ], [ 'localhost', 'HTTP@127.0.0.1', 0 ]) {
        my ($name, $acceptor, $good) = @$case;
        my $what = "ServerName $name, WinAuthAcceptorName $acceptor";
        my $own = server("WinAuthKeytab $KDC/http.keytab\nServerName $name\nWinAuthAcceptorName $acceptor\n$section");
        $own->{wrapper} = [ '/usr/bin/env', 'KRB5_CONFIG=' . $own->file('krb5.conf', $conf) ];
        $own->start;
        if ($good) {
            served($own, [ kerberos() ], $ALICE, $what);
            served($own, [ krb5() ], $ALICE, "$what, without SPNEGO");
            is $password->($own), "200 $ALICE", "$what: a password";
        }
        else {
            refused($own, [ kerberos() ], @no_such_key, $what);
            refused($own, [ krb5() ], @no_such_key, "$what, without SPNEGO");
            is $password->($own), '503 ', "$what: a password";
            my @said = grep { m{http\.keytab has no key of HTTP/127\.0\.0\.1} } $own->error_log =~ /(WA0101: credentials-unavailable: .*)/g;
            is scalar(@said), 3, "$what: the log names the key that is missing, each time";
        }
    }
}

# A server without any key of Kerberos: who can do both gets in by NTLM.
{
    my %ways = ('no keytab' => '@DIR@/none', 'a keytab of no keys' => '@DIR@/empty', 'a keytab that is none' => '@DIR@/text',
                "a keytab that httpd's user may not read" => '@DIR@/closed');
    for my $way (sort keys %ways) {
        my $own = server("WinAuthNTLMAuthority file:$KDC/ntlm.users\n<Location /kerberos/>\n  WinAuthProviders Negotiate:Kerberos\n</Location>\n");
        $own->file('empty', "\5\2");
        $own->file('text', "this is no keytab\n");
        put($own, 'closed', "$KDC/http.keytab");
        chmod $> == 0 ? 0600 : 0, "$own->{dir}/closed";
        $own->{wrapper} = [ '/usr/bin/env', 'GSS_USE_PROXY=no', 'KRB5_KTNAME=' . $ways{$way} =~ s/\@DIR\@/$own->{dir}/r ];
        $own->start;
        ok $own->logged('error.log', qr/\[winauth:info\].*WA0011: .*WinAuthKeytab/), "$way: is said at start-up";
        my @pids = $own->error_log =~ /\[pid (\d+)\S*\].*WA0011/g;
        my %pids = map { $_ => 1 } @pids;
        is scalar(@pids), scalar(keys %pids), "$way: once by each child";
        my ($first) = WinAuth::Client->new($own->{port})->login('/index.html', both());
        my $choice = $first->token('Negotiate');
        is $choice && unpack('H*', negotiation($choice)->{mech}), unpack('H*', NTLMSSP), "$way: Kerberos and NTLM: NTLM is chosen";
        served($own, [ both() ], $ALICE, "$way: Kerberos and NTLM");
        my $curl = curl({ KRB5CCNAME => "$KDC/alice.ccache", NTLM_USER_FILE => scratch('alice', "WINAUTH:alice:Passw0rd-alice\n") },
                        qw(--negotiate -u :), "http://localhost:$own->{port}/index.html?curl");
        is $curl->{transfers}[0]{status}, 200, "$way: curl, Kerberos and NTLM" or diag $curl->{err};
        ok $own->logged('access.log', qr/^WINAUTH\\+alice "GET \/index\.html\?curl /m), "$way: curl, Kerberos and NTLM: who it is";
        served($own, [ ntlm() ], $ALICE, "$way: NTLM");
        served($own, [ spnego_ntlm() ], $ALICE, "$way: NTLM inside SPNEGO");
        refused($own, [ kerberos() ], '503 ', 'credentials-unavailable', 'error', "$way: Kerberos alone");
        refused($own, [ krb5() ], '503 ', 'credentials-unavailable', 'error', "$way: Kerberos without SPNEGO");
        my ($r) = WinAuth::Client->new($own->{port})->login('/kerberos/', both());
        is outcome($r), '503 ', "$way: Kerberos and NTLM, where there is only Kerberos";
        unlike $own->error_log, qr/exit signal|Segmentation/, "$way: all workers live";
    }
}

# With a key, Kerberos goes first: that of WinAuthKeytab, also while it cannot be had; or the default one.
{
    my $own = server("WinAuthKeytab \@DIR\@/http.keytab\nWinAuthNTLMAuthority file:$KDC/ntlm.users\n",
                     wrapper => [ '/usr/bin/env', 'KRB5_KTNAME=/nonexistent' ]);
    put($own, 'http.keytab', "$KDC/http.keytab");
    $own->start;
    served($own, [ both() ], $ALICE, 'WinAuthKeytab, Kerberos and NTLM');
    unlike $own->error_log, qr/WA0011/, 'WinAuthKeytab: nothing is said';
    unlink "$own->{dir}/http.keytab";
    refused($own, [ both() ], '503 ', 'credentials-unavailable', 'error', 'WinAuthKeytab gone, Kerberos and NTLM');
}
{
    my $own = server("WinAuthNTLMAuthority file:$KDC/ntlm.users\n", wrapper => [ '/usr/bin/env', "KRB5_KTNAME=$KDC/http.keytab" ])->start;
    my @r = WinAuth::Client->new($own->{port})->login('/index.html', both());
    is scalar(@r) . ' ' . outcome($r[-1]), "1 200 $ALICE", 'a default keytab, Kerberos and NTLM: by Kerberos';
    unlike $own->error_log, qr/WA0011/, 'a default keytab: nothing is said';
}

# --- the user file

{
    my $own = server("WinAuthKeytab $KDC/http.keytab\nWinAuthNTLMAuthority file:\@DIR\@/users\n");
    put_users($own, $USERS);
    $own->start;
    my %ways = ('raw NTLM' => \&ntlm, 'raw NTLM under Negotiate' => \&raw_negotiate, 'NTLM inside SPNEGO' => \&spnego_ntlm);
    my $all_well = sub {
        my ($what) = @_;
        served($own, [ $ways{$_}->() ], $ALICE, "$what: $_") for sort keys %ways;
    };
    my $down = sub {
        my ($what) = @_;
        refused($own, [ $ways{$_}->() ], '503 ', 'authority-down', 'error', "$what: $_") for sort keys %ways;
        served($own, [ kerberos() ], $ALICE, "$what: Kerberos all the same");
    };
    $all_well->('user file: good');

    unlink "$own->{dir}/users";
    $down->('user file gone');
    put_users($own, $USERS);
    $all_well->('user file back');

    chmod 0644, "$own->{dir}/users";
    $down->('user file open to everybody');
    like $own->error_log, qr/\Q$own->{dir}\E\/users.*chmod 640/, 'user file open to everybody: and what to do';
    chmod 0640, "$own->{dir}/users";
    $all_well->('user file closed again');

    put_users($own, "WINAUTH:alice:Passw0rd-alice\nWINAUTH:bob\n");
    $down->('user file with a broken line');
    like $own->error_log, qr/\Q$own->{dir}\E\/users line 2/, 'user file with a broken line: which one';
    put_users($own, join '', map { chr } 0 .. 255);
    $down->('user file of garbage');
    put_users($own, '');
    refused($own, [ ntlm() ], $OFFERS, 'unknown-user', 'info', 'user file of no bytes');
    put_users($own, $USERS);
    $all_well->('user file good again');

    put_users($own, "WINAUTH:alice:new\nWINAUTH:bob:Passw0rd-bob\nWINAUTH:carol:Passw0rd-carol\n");
    for my $way (sort keys %ways) {
        refused($own, [ $ways{$way}->() ], $OFFERS, 'bad-password', 'info', "new password, $way: the old one");
        served($own, [ $ways{$way}->('alice', 'new') ], $ALICE, "new password, $way");
        served($own, [ $ways{$way}->('carol') ], 'WINAUTH\\carol', "new user, $way");
    }
    put_users($own, "WINAUTH:alice:Passw0rd-alice\n");
    for my $way (sort keys %ways) {
        refused($own, [ $ways{$way}->('bob') ], $OFFERS, 'unknown-user', 'info', "user removed, $way");
        served($own, [ $ways{$way}->() ], $ALICE, "the one who stays, $way");
    }

    # changed in place within the same second, to the same length
    for my $password (qw(one two six ten)) {
        open my $f, '+<', "$own->{dir}/users" or die $!;
        truncate $f, 0;
        print {$f} "WINAUTH:alice:$password\n";
        close $f or die $!;
        served($own, [ ntlm('alice', $password) ], $ALICE, "edited in place: $password");
    }

    # a challenge is out when the file goes: the answer cannot be judged
    my ($t) = ntlm('alice', 'ten');
    my $client = WinAuth::Client->new($own->{port});
    my $in = $client->get('/index.html', Authorization => 'NTLM ' . $t->step)->token('NTLM');
    unlink "$own->{dir}/users";
    my $r = $client->get('/index.html', Authorization => 'NTLM ' . $t->step($in));
    is outcome($r), '503 ', 'user file gone between the legs';
    unlike $own->error_log, qr/exit signal|Segmentation/, 'and all workers live';
    unlike $own->error_log, qr/Passw0rd/, 'and no password is in the log';
}

{
    # the NT hashes of "Passw0rd-alice" and "Passw0rd-bob": no clear password in the file
    my %hash = map { my $p = $_; ($p => nt_hash($p)) } qw(Passw0rd-alice Passw0rd-bob Passw0rd-carol Passw0rd-dave);
    my $none = 'X' x 32;
    my $own = server("WinAuthKeytab $KDC/http.keytab\nWinAuthNTLMAuthority file:\@DIR\@/users\n");
    put_users($own, "WINAUTH\\alice:1000:$none:$hash{'Passw0rd-alice'}:[U          ]:LCT-00000000:\n"
                    . "WINAUTH\\bob:1001:$none:$hash{'Passw0rd-bob'}:[UD         ]:LCT-00000000:\n"
                    . "WINAUTH\\carol:1002:$none:$hash{'Passw0rd-carol'}:[UL         ]:LCT-00000000:\n"
                    . "WINAUTH\\dave\$:1003:$none:$hash{'Passw0rd-dave'}:[W          ]:LCT-00000000:\n"
                    . "WINAUTH\\erin:1004:$none:$none:[U          ]:LCT-00000000:\n");
    $own->start;
    served($own, [ ntlm() ], $ALICE, 'smbpasswd: a hash');
    served($own, [ spnego_ntlm() ], $ALICE, 'smbpasswd: a hash, inside SPNEGO');
    refused($own, [ ntlm('alice', 'wrong') ], $OFFERS, 'bad-password', 'info', 'smbpasswd: wrong password');
    for my $case ([ \&ntlm, 'raw' ], [ \&spnego_ntlm, 'inside SPNEGO' ]) {
        my ($ntlm, $way) = @$case;
        refused($own, [ $ntlm->('bob') ], $OFFERS, 'account-disabled', 'info', "smbpasswd, $way: disabled");
        refused($own, [ $ntlm->('bob', 'wrong') ], $OFFERS, 'bad-password', 'info',
                "smbpasswd, $way: disabled is told to nobody who does not know the password");
        refused($own, [ $ntlm->('carol') ], $OFFERS, 'account-locked', 'info', "smbpasswd, $way: locked");
        refused($own, [ $ntlm->('dave$', 'Passw0rd-dave') ], $OFFERS, 'machine-account-refused', 'info',
                "smbpasswd, $way: a machine");
        refused($own, [ $ntlm->('erin', $_) ], $OFFERS, 'logon-restricted', 'info', "smbpasswd, $way: no hash, '$_'")
            for 'X', 'Passw0rd-erin';
    }
}

# nt_hash(PASSWORD): as smbpasswd writes it, by somebody else's implementation.
sub nt_hash {
    my ($password) = @_;
    my $program = 'import sys; from ntlm_auth.compute_hash import _ntowfv1; print(_ntowfv1(sys.argv[1]).hex().upper())';
    local $ENV{OPENSSL_CONF} = "$ENV{WA_TMP}/legacy.cnf";
    open my $f, '>', $ENV{OPENSSL_CONF} or die $!;
    print {$f} "openssl_conf = init\n[init]\nproviders = provs\n[provs]\ndefault = on\nlegacy = on\n[on]\nactivate = 1\n";
    close $f or die $!;
    open my $p, '-|', '/usr/bin/python3', '-c', $program, $password or die $!;
    my $hash = <$p>;
    close $p or die "no NT hash\n";
    chomp $hash;
    $hash =~ /^[0-9A-F]{32}\z/ or die "NT hash: $hash\n";
    return $hash;
}

# --- NTLM not wanted, or not there

{
    my $own = server("WinAuthKeytab $KDC/http.keytab\nWinAuthNTLMAuthority none\n"
                     . "<Location /only-ntlm>\n  WinAuthProviders NTLM\n</Location>\n")->start;
    is outcome(WinAuth::Client->new($own->{port})->get('/index.html')), '401 Negotiate', 'authority none: not offered';
    refused($own, [ ntlm() ], '401 Negotiate', 'ntlm-not-allowed', 'info', 'authority none: raw NTLM');
    refused($own, [ raw_negotiate() ], '401 Negotiate', 'ntlm-not-allowed', 'info', 'authority none: raw under Negotiate');
    refused($own, [ spnego_ntlm() ], '401 Negotiate', 'ntlm-not-allowed', 'info', 'authority none: inside SPNEGO');
    served($own, [ kerberos() ], $ALICE, 'authority none: Kerberos');
    is outcome(WinAuth::Client->new($own->{port})->get('/only-ntlm/index.html')), '403 ', 'authority none: nothing to offer is no 401';
    ok $own->logged('error.log', qr/\[winauth:warn\].*WA0102: .*WinAuthNTLMAuthority/), 'authority none: and is said';
}

{
    my $own = server("WinAuthKeytab $KDC/http.keytab\nWinAuthNTLMAuthority file:$KDC/ntlm.users\n",
                     wrapper => [ '/usr/bin/env', 'GSS_MECH_CONFIG=/dev/null' ]);
    $own->start;
    $own->logged('error.log', qr/WA0005/); # it has its socket before it says so
    my @notices = grep { /WA0005/ } split /\n/, $own->error_log;
    is scalar(@notices), 1, 'without gss-ntlmssp: one notice at start-up';
    like $notices[0], qr/\[winauth:notice\].*gss-ntlmssp/, 'without gss-ntlmssp: which names it';
    is outcome(WinAuth::Client->new($own->{port})->get('/index.html')), $OFFERS, 'without gss-ntlmssp: the offers';
    served($own, [ ntlm() ], $ALICE, 'without gss-ntlmssp: raw NTLM');
    served($own, [ raw_negotiate() ], $ALICE, 'without gss-ntlmssp: raw NTLM under Negotiate');
    served($own, [ kerberos() ], $ALICE, 'without gss-ntlmssp: Kerberos');
    served($own, [ krb5() ], $ALICE, 'without gss-ntlmssp: Kerberos without SPNEGO');
    refused($own, [ spnego_ntlm() ], $OFFERS, 'ntlm-not-allowed', 'info', 'without gss-ntlmssp: NTLM inside SPNEGO');
}

# --- two sites with users of their own

{
    my $own = server(<<"END");
WinAuthKeytab $KDC/http.keytab
<VirtualHost *>
  ServerName first.test
  WinAuthNTLMAuthority file:\@DIR\@/users
</VirtualHost>
<VirtualHost *>
  ServerName second.test
  WinAuthNTLMAuthority file:\@DIR\@/others
</VirtualHost>
<VirtualHost *>
  ServerName twin.test
  WinAuthNTLMAuthority file:\@DIR\@/users
</VirtualHost>
END
    put_users($own, "WINAUTH:bob:Passw0rd-bob\n");
    rename "$own->{dir}/users", "$own->{dir}/others" or die $!;
    put_users($own, "WINAUTH:alice:Passw0rd-alice\n");
    $own->start;
    my @notices = grep { /\[winauth:notice\].*WA0003/ } split /\n/, $own->error_log;
    is scalar(@notices), 1, 'two user files: one notice at start-up';

    my $at = sub {
        my ($host, $client, @login) = @_;
        my @r = $client->login('/index.html', @login, Host => $host);
        return outcome($r[-1]);
    };
    my $fresh = sub { return WinAuth::Client->new($own->{port}) };
    is $at->('first.test', $fresh->(), ntlm()), "200 $ALICE", 'two user files: alice at the first';
    is $at->('second.test', $fresh->(), ntlm('bob')), "200 $BOB", 'two user files: bob at the second';
    is $at->('first.test', $fresh->(), ntlm('bob')), $OFFERS, 'two user files: bob not at the first';
    ok $own->logged('access.log', qr/ unknown-user$/m), 'two user files: reason';
    is $at->('second.test', $fresh->(), ntlm()), $OFFERS, 'two user files: alice not at the second';
    is $at->($_, $fresh->(), spnego_ntlm()), $OFFERS, "two user files: no NTLM inside SPNEGO at $_" for qw(first.test second.test);
    ok $own->logged('access.log', qr/ ntlm-not-allowed$/m), 'two user files: reason';

    my $client = $fresh->();
    is $at->('first.test', $client, ntlm()), "200 $ALICE", 'one connection, two hosts: alice at the first';
    my $get = sub { return outcome($client->get('/index.html', Host => $_[0])) };
    is $get->('first.test'), "200 $ALICE", 'one connection, two hosts: the first knows her';
    is $get->('second.test'), $OFFERS, 'one connection, two hosts: the second does not';
    ok $own->logged('access.log', qr/^- .* policy-changed$/m), 'one connection, two hosts: reason';
    is $get->('first.test'), "200 $ALICE", 'one connection, two hosts: the first still does';
    is $get->('twin.test'), "200 $ALICE", 'one connection, two hosts: so does one with the same settings';
    is $at->('second.test', $client, ntlm('bob')), "200 $BOB", 'one connection, two hosts: bob at the second';
    is $get->('first.test'), $OFFERS, 'one connection, two hosts: who is nobody at the first';

    # an exchange does not go from one host to the other either
    my ($t) = ntlm();
    $client = $fresh->();
    my $in = $client->get('/index.html', Host => 'first.test', Authorization => 'NTLM ' . $t->step)->token('NTLM');
    my $answer = 'NTLM ' . $t->step($in);
    is outcome($client->get('/index.html', Host => 'second.test', Authorization => $answer)), $OFFERS,
        'one connection, two hosts: an answer at the other one';
    ok $own->logged('access.log', qr/^- .* out-of-sequence$/m), 'one connection, two hosts: reason';
    is $get->('second.test'), $OFFERS, 'one connection, two hosts: nobody there';
    is $get->('first.test'), $OFFERS, 'one connection, two hosts: nobody here';
    is $at->('first.test', $fresh->(), kerberos('bob')), "200 $BOB", 'two user files: Kerberos at the first';
    is $at->('second.test', $fresh->(), kerberos()), "200 $ALICE", 'two user files: Kerberos at the second';
}

# --- restarts

{
    my $own = server("WinAuthKeytab $KDC/http.keytab\nWinAuthNTLMAuthority file:\@DIR\@/users\n");
    put_users($own, $USERS);
    $own->start;
    my %ways = ('raw NTLM' => \&ntlm, 'NTLM inside SPNEGO' => \&spnego_ntlm, Kerberos => \&kerberos);
    for my $round (1 .. 3) {
        my $client = WinAuth::Client->new($own->{port});
        my ($t) = ntlm();
        my $in = $client->get('/index.html', Authorization => 'NTLM ' . $t->step)->token('NTLM');
        ok $in, "restart $round: a handshake is open";
        kill 'USR1', $own->{pid};
        ok resumed($own, $round), "restart $round: it resumes";
        served($own, [ $ways{$_}->() ], $ALICE, "restart $round: $_") for sort keys %ways;
        # what began in the old worker ends there, or on a closed connection, never in a wrong login
        my $r = $client->get('/index.html', Authorization => 'NTLM ' . $t->step($in));
        like $r->{status} ? outcome($r) : 'closed', qr/^(?:200 \Q$ALICE\E|closed|401 Negotiate\|NTLM)\z/,
            "restart $round: the open handshake";
    }
    # the user file of the new configuration counts, inside SPNEGO as well
    put_users($own, "WINAUTH:carol:Passw0rd-carol\n");
    rename "$own->{dir}/users", "$own->{dir}/new-users" or die $!;
    put_users($own, $USERS);
    (my $config = $own->slurp('httpd.conf')) =~ s{file:\S+/users$}{file:$own->{dir}/new-users}m;
    $own->file('httpd.conf', $config);
    kill 'USR1', $own->{pid};
    ok resumed($own, 4), 'restart with another user file: it resumes';
    for my $way (sort grep { /NTLM/ } keys %ways) {
        served($own, [ $ways{$way}->('carol') ], 'WINAUTH\\carol', "restart with another user file, $way");
        refused($own, [ $ways{$way}->() ], $OFFERS, 'unknown-user', 'info', "restart with another user file, $way: who is not in it");
    }
    kill 'HUP', $own->{pid};
    ok resumed($own, 5), 'a hard restart: it resumes';
    served($own, [ kerberos() ], $ALICE, 'a hard restart: Kerberos');
    served($own, [ spnego_ntlm('carol') ], 'WINAUTH\\carol', 'a hard restart: NTLM inside SPNEGO');
    unlike $own->error_log, qr/exit signal|Segmentation/, 'restarts: all workers live';
}

# resumed(SERVER, N): waits until the server has come up N times after its start.
sub resumed {
    my ($own, $n) = @_;
    my $until = time + 20;
    while (time < $until) {
        my @ups = $own->error_log =~ /resuming normal operations/g;
        if (@ups > $n && WinAuth::Client->new($own->{port})->get('/index.html')->{status} == 401) {
            return 1;
        }
        sleep 0.05;
    }
    return 0;
}

done_testing;
