# Who somebody is and which groups they are in, in a real Active Directory domain: one identity, whatever proved it;
# authorization by groups; what programs and other modules get.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use MIME::Base64 'encode_base64';
use Time::HiRes qw(sleep time);
use lib 't/lib', 'lib';
use WinAuth::AD;
use WinAuth::Client;
use WinAuth::Ntlm;
use WinAuth::Run;
use WinAuth::Server;
use WinAuth::Token;

my $ad = WinAuth::AD->world;
my $SOURCE = $ENV{WA_SOURCE} or die "WA_SOURCE: the source tree\n";
my $T = "$ENV{WA_TMP}/t";
my $DOMAIN = 'S-1-5-21-1111111111-2222222222-3333333333';

# sid_of(KIND, NAME): as the directory says.
sub sid_of {
    my ($kind, $name) = @_;
    my $shown = $ad->samba_tool($kind, 'show', $name, '--attributes=objectSid');
    return $shown =~ /^objectSid: (S-1-\S+)/m ? $1 : die "no SID of $name: $shown";
}

my @OF_ALICE = qw(g-inner g-outer u-univ dl-res);
my %sid = map { $_ => sid_of('group', $_) } @OF_ALICE, 'g-empty', 'mg-000', 'mg-999';
$sid{users} = "$DOMAIN-513";
$sid{alice} = sid_of('user', 'alice');
$sid{bob} = sid_of('user', 'bob');

my $probe = "$ENV{WA_TMP}/mod_probe.so";
my $built = run({}, 'sh', '-c', "cc -shared -fPIC -I'$SOURCE/src' -I\$(apxs -q INCLUDEDIR) \$(apxs -q EXTRA_CPPFLAGS) "
    . "\$(apr-1-config --includes) -o '$probe' '$SOURCE/t/lib/mod_probe.c'");
$built->{exit} == 0 or die "mod_probe: $built->{err}";

# --- the server

my %sections = (
    # name => [ directives, [ alice, bob, many by Kerberos ] ]
    'nested' => [ 'Require winauth-group g-outer', [ 1, 0, 0 ] ],
    'domain-local' => [ 'Require winauth-group ADTEST\\dl-res', [ 1, 0, 0 ] ],
    'escaped' => [ 'Require winauth-group "ADTEST\\\\u-univ"', [ 1, 0, 0 ] ],
    'dns-domain' => [ 'Require winauth-group ad.test\\g-inner', [ 1, 0, 0 ] ],
    'any-case' => [ 'Require winauth-group adtest\\G-INNER', [ 1, 0, 0 ] ],
    'blanks' => [ 'Require winauth-group "ADTEST\\Domain Users"', [ 1, 1, 1 ] ],
    'sid' => [ "Require winauth-group $sid{'dl-res'}", [ 1, 0, 0 ] ],
    'one-of-three' => [ "Require winauth-group g-empty S-1-5-32-544 $sid{'g-inner'}", [ 1, 0, 0 ] ],
    'last' => [ "Require winauth-group $sid{'mg-999'}", [ 0, 0, 1 ] ],
    'first' => [ 'Require winauth-group mg-000', [ 0, 0, 1 ] ],
    'own-sid' => [ "Require winauth-group $sid{bob}", [ 0, 1, 0 ] ],
    'nearly' => [ "Require winauth-group $sid{'g-inner'}0 $DOMAIN-1 $DOMAIN", [ 0, 0, 0 ] ],
    'empty' => [ 'Require winauth-group g-empty', [ 0, 0, 0 ] ],
    'missing' => [ 'Require winauth-group g-missing', [ 0, 0, 0 ] ],
    'user' => [ 'Require winauth-group alice', [ 0, 0, 0 ] ],
    'not' => [ "<RequireAll>\nRequire valid-user\nRequire not winauth-group g-inner\n</RequireAll>", [ 0, 1, 1 ] ],
    'not-sid' => [ "<RequireAll>\nRequire valid-user\nRequire not winauth-group $sid{'g-inner'}\n</RequireAll>", [ 0, 1, 1 ] ],
    'not-missing' => [ "<RequireAll>\nRequire valid-user\nRequire not winauth-group g-missing\n</RequireAll>", [ 0, 0, 0 ] ],
    'none' => [ "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire winauth-group mg-000\nRequire winauth-group g-inner\n"
        . "</RequireNone>\n</RequireAll>", [ 0, 1, 0 ] ],
    'none-missing' => [ "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire winauth-group g-missing\n</RequireNone>\n"
        . "</RequireAll>", [ 0, 0, 0 ] ],
    'any' => [ "<RequireAny>\nRequire winauth-group g-missing mg-000\nRequire winauth-group g-inner\n</RequireAny>", [ 1, 0, 1 ] ],
    'all' => [ "<RequireAll>\nRequire winauth-group g-outer\nRequire winauth-group dl-res\n</RequireAll>", [ 1, 0, 0 ] ],
    'all-packages' => [ 'Require winauth-package Kerberos NTLM', [ 1, 1, 1 ] ],
    'kerberos' => [ 'Require winauth-package kerberos', [ 1, 1, 1 ] ],
    'not-ntlm' => [ "<RequireAll>\nRequire winauth-group $sid{users}\nRequire not winauth-package NTLM\n</RequireAll>", [ 1, 1, 1 ] ],
    'ntlm' => [ 'Require winauth-package NTLM', [ 0, 0, 0 ] ],
    'epa' => [ 'Require winauth-epa', [ 0, 0, 0 ] ],
    'not-epa' => [ "<RequireAll>\nRequire valid-user\nRequire not winauth-epa\n</RequireAll>", [ 1, 1, 1 ] ],
);
my %formats = (
    Windows => [ 'ADTEST\\alice', 'ADTEST\\ursula' ], UPN => [ 'alice@ad.test', 'uschi@ad.test' ], SAM => [ 'alice', 'ursula' ],
    Principal => [ 'alice@AD.TEST', 'ursula@AD.TEST' ], SID => [ $sid{alice}, sid_of('user', 'ursula') ],
);

my $config = <<"END";
LimitRequestFieldSize 65536
LimitRequestLine 65536
WinAuthExtendedProtection None
LoadModule probe_module $probe
<Location /w/out/>
  WinAuthExport groups
</Location>
<Location /w/names/>
  WinAuthExport groups group-names
</Location>
<Location /w/basic/>
  WinAuthProviders Basic
  WinAuthExport groups
</Location>
<Location /w/probe/>
  SetHandler probe
</Location>
<Location /w/probe-open/>
  SetHandler probe
  AuthType None
  Require all granted
</Location>
LogFormat "%U%q %{PROBE_LATE}e" late
CustomLog $ad->{dir}/late.log late
END
for my $name (sort keys %sections) {
    $config .= "<Location /w/g-$name/>\nAuthMerging Off\n$sections{$name}[0]\n</Location>\n";
}
for my $format (sort keys %formats) {
    $config .= "<Location /w/f-$format/>\nWinAuthUserFormat $format\n</Location>\n";
}
$config .= <<"END";
<Location /w/g-forbidden/>
  AuthMerging Off
  AuthzSendForbiddenOnFailure On
  Require winauth-group g-empty
</Location>
AllowEncodedSlashes On
Alias /h/ $ad->{dir}/htaccess/
<Directory $ad->{dir}/htaccess>
  AllowOverride AuthConfig
</Directory>
<Location /h/>
  AuthType WinAuth
</Location>
END
mkdir "$ad->{dir}/htaccess" or die $!;
for my $pair ([ 'g-inner', 'in' ], [ 'g-empty', 'out' ], [ $sid{'u-univ'}, 'by-sid' ], [ 'S-1-5', 'broken' ]) {
    my ($group, $dir) = @{$pair};
    mkdir "$ad->{dir}/htaccess/$dir" or die $!;
    for my $file ([ '.htaccess', "Require winauth-group $group\n" ], [ 'index.html', "a page\n" ]) {
        open my $f, '>', "$ad->{dir}/htaccess/$dir/$file->[0]" or die $!;
        print {$f} $file->[1];
    }
}
my $server = site($ad, $config);

# --- logins

my %PASSWORD = map { $_ => "Passw0rd-$_" } qw(alice bob many ursula);
my %cache = map { $_ => $ad->ticket($_, $PASSWORD{$_}) } sort keys %PASSWORD;

# by(KIND, USER): a token client and its scheme.
sub by {
    my ($kind, $user, @words) = @_;
    my ($name, $domain) = @words ? @words : ($user, 'ADTEST');
    return (WinAuth::Token->client('spnego', $cache{$user}, 'HTTP@localhost'), 'Negotiate') if $kind eq 'Kerberos';
    return (WinAuth::Token->spnego_ntlm($name, $PASSWORD{$user}, $domain), 'Negotiate') if $kind eq 'SPNEGO';
    return (WinAuth::Token->ntlm($name, $PASSWORD{$user}, $domain), 'NTLM');
}

# seen(KIND, USER, SECTION): the environment of a program.
sub seen {
    my ($kind, $user, $section, @words) = @_;
    my $path = address($section);
    return environment(connection()->get($path, Authorization => 'Basic '
        . encode_base64("ADTEST\\$user:$PASSWORD{$user}", ''))->{body}) if $kind eq 'Basic';
    my $r = (connection()->login($path, by($kind, $user, @words)))[-1];
    return { %{ environment($r->{body}) }, status => $r->{status} };
}

# --- one identity

my @WHO = qw(REMOTE_USER WINAUTH_SID WINAUTH_UPN WINAUTH_DOMAIN WINAUTH_ACCOUNT);
sub who { my ($e) = @_; return join ' ', map { defined $e->{$_} ? $e->{$_} : '-' } @WHO }

# Kerberos has one SID more, which says how it was proved.
sub groups {
    my ($e) = @_;
    return '-' unless defined $e->{WINAUTH_GROUPS};
    return join ' ', grep { $_ ne 'S-1-18-1' } sort split /,/, $e->{WINAUTH_GROUPS};
}

my $GROUPS = join ' ', sort @sid{qw(users), @OF_ALICE};
for my $kind ('Kerberos', 'NTLM', 'SPNEGO', 'Basic') {
    my $e = seen($kind, 'alice', $kind eq 'Basic' ? 'basic' : 'out');
    is who($e), "ADTEST\\alice $sid{alice} alice\@ad.test ADTEST alice", "alice by $kind: who it is";
    is groups($e), $GROUPS, "alice by $kind: the groups, nested and domain-local ones";
    unlike $e->{WINAUTH_GROUPS}, qr/\Q$sid{alice}\E/, "alice by $kind: not herself";
}
for my $typed ([ 'alice', 'ADTEST' ], [ 'ALICE', 'ADTEST' ], [ 'alice@ad.test', '' ], [ 'ALICE@AD.TEST', '' ], [ 'alice', 'AD.TEST' ]) {
    my $e = seen('NTLM', 'alice', 'out', @{$typed});
    is who($e) . ' ' . groups($e), "ADTEST\\alice $sid{alice} alice\@ad.test ADTEST alice $GROUPS",
        "typed as $typed->[1]\\$typed->[0], it is alice";
}
for my $kind ('Kerberos', 'NTLM', 'SPNEGO') {
    for my $format (sort keys %formats) {
        is seen($kind, 'alice', "f-$format")->{REMOTE_USER}, $formats{$format}[0], "$kind, $format: alice";
        # the winbindd of a domain controller does not tell UPNs, other than a member's: see 72-member.t
        my $ursula = $format eq 'UPN' && $kind ne 'Kerberos' ? 'ursula@ad.test' : $formats{$format}[1];
        is seen($kind, 'ursula', "f-$format")->{REMOTE_USER}, $ursula, "$kind, $format: ursula, who has a UPN of her own";
    }
}
my $upn = seen('NTLM', 'ursula', 'out', 'uschi@ad.test', '');
is who($upn), "ADTEST\\ursula $formats{SID}[1] ursula\@ad.test ADTEST ursula", 'by her UPN: ursula';

# --- a thousand groups

for my $kind ('Kerberos', 'NTLM') {
    my $e = seen($kind, 'many', 'out');
    my @sids = split / /, groups($e);
    is scalar(@sids), 1001, "$kind: a thousand groups and the primary one";
    my %uniq = map { $_ => 1 } @sids;
    is scalar(keys %uniq), 1001, "$kind: each once";
    ok $uniq{ $sid{'mg-000'} } && $uniq{ $sid{'mg-999'} }, "$kind: the first and the last";
    is groups(seen($kind, 'many', 'negotiate')), '-', "$kind: not set where nobody asks for it" if $kind eq 'Kerberos';
}

# --- authorization

sub status_of {
    my ($path, @login) = @_;
    my $client = connection();
    my @r = $client->login($path, @login);
    return ($r[-1], $client);
}

my %why = (0 => '401 not-authorized', 1 => '200 ok');
for my $name (sort keys %sections) {
    my @expected = @{ $sections{$name}[1] };
    for my $user (qw(alice bob many)) {
        my $expected = shift @expected;
        my $path = address("g-$name");
        my ($r) = status_of($path, by('Kerberos', $user));
        my ($status, $reason) = outcome($path, qr/ (?:ok|not-authorized)$/) =~ / (\d+) \S+ \S+ (\S+)$/;
        is "$status $reason", $why{$expected}, "Require, $name: $user";
        is $r->offers, 'Negotiate|NTLM', "Require, $name: $user: may try another account" if !$expected;
    }
    next if $name =~ /kerberos|ntlm|package|^(?:first|last|own|any|none|not)/;
    my $path = address("g-$name");
    my ($r) = status_of($path, by('NTLM', 'alice'));
    is $r->{status}, $sections{$name}[1][0] ? 200 : 401, "Require, $name: alice by NTLM";
}
for my $case ([ 'kerberos', 401 ], [ 'ntlm', 200 ], [ 'not-ntlm', 401 ], [ 'all-packages', 200 ]) {
    for my $kind ('NTLM', 'SPNEGO') {
        my ($r) = status_of(address("g-$case->[0]"), by($kind, 'alice'));
        is $r->{status}, $case->[1], "Require, $case->[0]: $kind";
    }
}
my $path = address('g-nested');
is connection()->get($path)->offers, 'Negotiate|NTLM', 'who is nobody yet is asked to log in';
is outcome($path), '- 401 2 5 anonymous', 'with the reason of that';
my ($r, $client) = status_of(address('g-nested'), by('Kerberos', 'alice'));
is $client->get('/w/g-sid/env.pl')->{status}, 200, 'a bound login: another section of hers';
is $client->get('/w/g-last/env.pl')->{status}, 401, 'a bound login: not one of others';
is $client->get('/w/g-nested/env.pl')->{status}, 200, 'a bound login: which does not end it';
$path = address('g-forbidden');
($r) = status_of($path, by('Kerberos', 'alice'));
is $r->{status}, 403, 'AuthzSendForbiddenOnFailure: 403';
is outcome($path), 'ADTEST\\\\alice 403 0 5 not-authorized', 'AuthzSendForbiddenOnFailure: with the reason in the log';
for my $case ([ 'in', 200 ], [ 'out', 401 ], [ 'by-sid', 200 ], [ 'broken', 500 ]) {
    ($r) = status_of("/h/$case->[0]/index.html", by('Kerberos', 'alice'));
    is $r->{status}, $case->[1], ".htaccess: $case->[0]";
}

# complaints(TEXT): how many lines of the error log, at most, a process has written about it.
sub complaints {
    my %lines = (none => 0);
    $lines{$_}++ for map { /WA0160/ && /\Q$_[0]\E/ && /\[pid (\d+)/ ? $1 : () } split /\n/, $server->error_log;
    return (sort { $b <=> $a } values %lines)[0];
}
is complaints('Require winauth-group g-missing: the group does not exist'), 1, 'a name that is none: one line in the error log';
is complaints('Require winauth-group alice: the group does not exist: it is no group'), 1, 'so is the name of a user';
is complaints('g-empty'), 0, 'no line about a group that exists';

# --- names for programs

my $e = seen('Kerberos', 'alice', 'names');
my @names = sort split /,/, $e->{WINAUTH_GROUP_NAMES};
is join(' ', grep { $_ ne 'S-1-18-1' && $_ !~ /asserted/ } @names), join(' ', sort map { "ADTEST\\$_" } 'Domain Users', @OF_ALICE),
    'group-names: the names';
is groups($e), $GROUPS, 'group-names: beside the SIDs';
my $start = time;
@names = split /,/, seen('Kerberos', 'many', 'names')->{WINAUTH_GROUP_NAMES};
is scalar(grep { /^ADTEST\\mg-\d{3}$/ } @names), 1000, 'group-names: a thousand';
diag sprintf 'a thousand names: %.1f s', time - $start;

# --- other modules

my $member = sub { (status_of("/w/probe/x?$_[0]", by($_[1] || 'Kerberos', 'alice')))[0]{body} };
my $body = $member->($sid{'dl-res'});
like $body, qr/^user=Kerberos alice ADTEST alice\@ad\.test $sid{alice} 0 1$/m, 'mod_winauth.h: the user';
is join(' ', grep { !/S-1-18-1/ } sort $body =~ /^sid=(\S+)$/mg), join(' ', sort $sid{alice}, split / /, $GROUPS), 'mod_winauth.h: all SIDs';
like $body, qr/^each=0\nstopped=42\nmember=1$/m, 'mod_winauth.h: a visit can be stopped, and she is a member';
like $member->($sid{$_}), qr/^member=1$/m, "mod_winauth.h: $_" for qw(alice users g-outer);
like $member->($_), qr/^member=0$/m, "mod_winauth.h: not of '$_'" for $sid{'g-empty'}, "$sid{'dl-res'}0", 'dl-res', '', 'S-1-5';
like $member->($sid{'dl-res'}, 'NTLM'), qr/^user=NTLM alice .*^member=1$/ms, 'mod_winauth.h: by NTLM';
is connection()->get("/w/probe-open/x?$sid{'dl-res'}")->{body}, "each=0\nstopped=0\nmember=0\n", 'mod_winauth.h: nobody';
ok $server->logged('access.log', qr/probe-open/), 'the log is there';
open my $late, '<', "$ad->{dir}/late.log" or die $!;
is join(' ', grep { /known/ } <$late>), '', 'mod_winauth.h: when a request is logged, nothing is known any more';

# --- the recipe for back ends

my $back = WinAuth::Server->new(<<'END');
LogFormat "%{X-Remote-User}i|%{X-Remote-Groups}i" seen
CustomLog seen.log seen
<Location />
  Require all granted
</Location>
END
$back->start;
my $front = WinAuth::Server->new(<<"END");
LoadModule proxy_module $ENV{WA_MODULES}/mod_proxy.so
LoadModule proxy_http_module $ENV{WA_MODULES}/mod_proxy_http.so
WinAuthKeytab $ad->{dir}/http.keytab
RequestHeader unset X-Remote-User early
RequestHeader unset X-Remote-Groups early
<Location "/app/">
    AuthType WinAuth
    WinAuthExport groups
    Require valid-user
    RequestHeader set X-Remote-User "expr=%{REMOTE_USER}"
    RequestHeader set X-Remote-Groups "expr=%{reqenv:WINAUTH_GROUPS}"
    ProxyPass http://127.0.0.1:$back->{port}/
</Location>
<Location "/open/">
    ProxyPass http://127.0.0.1:$back->{port}/
</Location>
END
$front->start;
my @LIES = ('X-Remote-User' => 'ADTEST\\administrator', 'X-Remote-Groups' => "$DOMAIN-512", 'x-remote-user' => 'root');
is +(WinAuth::Client->new($front->{port})->login('/app/index.html', by('Kerberos', 'alice'), @LIES))[-1]{status}, 200, 'a back end behind us';
is(WinAuth::Client->new($front->{port})->get('/open/index.html', @LIES)->{status}, 200, 'a section that is open');
ok $back->logged('seen.log', qr/\n.*\n/), 'the back end has seen both';
my ($first, $second) = split /\n/, $back->slurp('seen.log');
like $first, qr/^ADTEST\\\\alice\|(?:$DOMAIN-\d+,)+/, 'a back end gets the user and the groups';
unlike $first, qr/administrator|root|-512/, 'and not what the client made up';
is $second, '-|-', 'nor where nobody is logged in';
$_->stop for $front, $back;

# --- an outage

# What was looked up is remembered by each process: this server has one.
my $one = $ENV{WA_MPM} eq 'prefork' ? "MinSpareServers 1\nMaxSpareServers 1\nMaxRequestWorkers 1\n" : "ThreadsPerChild 16\nMaxRequestWorkers 16\n";
my $warm = site($ad, <<"END");
StartServers 1
ServerLimit 1
$one
LimitRequestFieldSize 65536
WinAuthExtendedProtection None
<Location /w/name/>
  AuthMerging Off
  Require winauth-group g-outer
</Location>
<Location /w/sid/>
  AuthMerging Off
  Require winauth-group $sid{'mg-999'}
</Location>
END
undef $client;
($r) = status_of(address('name'), by('Kerberos', 'alice'));
is $r->{status}, 200, 'before an outage: a name';
$ad->sh('stop-dc');
($r) = status_of(address('name'), by('Kerberos', 'alice'));
is $r->{status}, 200, 'outage: a name that was looked up before';
($r) = status_of(address('sid'), by('Kerberos', 'many'));
is $r->{status}, 200, 'outage: a SID';
my $cold = site($ad, "WinAuthExtendedProtection None\n<Location /w/cold/>\nAuthMerging Off\nRequire winauth-group g-inner\n</Location>\n"
    . "<Location /w/cold-not/>\nAuthMerging Off\n<RequireAll>\nRequire valid-user\nRequire not winauth-group mg-000\n</RequireAll>\n</Location>\n");
for my $section ('cold', 'cold-not') {
    $path = address($section);
    ($r) = status_of($path, by('Kerberos', 'alice'));
    is $r->{status}, 401, "outage, $section: a name that nobody can look up lets nobody in";
    like outcome($path), qr/ 401 3 5 not-authorized$/, "outage, $section: the reason";
}
like $cold->error_log, qr/WA0160: Require winauth-group g-inner: the group cannot be looked up: /, 'outage: the error log';
# the domain trusts another one, which nobody has ever seen
my $trust = scratch('trust.ldif', <<'END');
dn: CN=away.test,CN=System,DC=ad,DC=test
objectClass: trustedDomain
trustPartner: away.test
flatName: AWAY
trustDirection: 3
trustType: 2
trustAttributes: 8
securityIdentifier: S-1-5-21-70-80-90

END
my $added = run({}, 'ldbadd', '-H', "$ad->{dir}/dc/private/sam.ldb", $trust);
$added->{exit} == 0 or die "ldbadd: $added->{err}";
$ad->sh('start');
for my $section ('cold', 'cold-not') {
    my $status = 0;
    for (1 .. 60) {
        ($r) = status_of(address($section), by('Kerberos', 'alice'));
        $status = $r->{status};
        last if $status == 200;
        sleep 0.5;
    }
    is $status, 200, "after the outage, $section: by itself";
}

# --- groups of other domains

my $far = site($ad, <<'END');
WinAuthExtendedProtection None
<Location /w/away/>
  AuthMerging Off
  Require winauth-group AWAY\g
</Location>
<Location /w/away-dns/>
  AuthMerging Off
  Require winauth-group away.test\g
</Location>
<Location /w/nowhere/>
  AuthMerging Off
  Require winauth-group NOWHERE\g
</Location>
END
for my $case ([ 'away', 'AWAY\\\\g', 'cannot be looked up: no domain controller of away answers' ],
              [ 'away-dns', 'away.test\\\\g', 'cannot be looked up: no domain controller of away.test answers' ],
              [ 'nowhere', 'NOWHERE\\\\g', 'does not exist: winbindd knows no such name' ]) {
    my ($section, $group, $why) = @{$case};
    ($r) = status_of(address($section), by('Kerberos', 'alice'));
    is $r->{status}, 401, "a group of another domain, $section: not in it";
    like $far->error_log, qr/WA0160: Require winauth-group \Q$group\E: the group $why/, "a group of another domain, $section: why";
}
my ($own_kind) = status_of(address('both'), by('NTLM', 'alice'));
is identity($own_kind->{body}), 'ADTEST\\alice NTLM NTLM', 'where another domain is trusted, our own is our own';

unlike $server->error_log . $warm->error_log . $cold->error_log, qr/exit signal/, 'no process of the servers died';
done_testing;
