# What a login costs, in pairs of rounds on one machine, one after the other: only ratios mean anything.  In the suite
# the rounds are short and what counts is that each answer is the right one; "make bench" prints the medians.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Time::HiRes 'time';
use WinAuth::Own;
use WinAuth::Token;

my $rounds = $ENV{WINAUTH_BENCH_ROUNDS} || 1;
my $tokens = $ENV{WINAUTH_BENCH_TOKENS} || 25;
my $pages = $ENV{WINAUTH_BENCH_PAGES} || 200;
my $gssapi = -e "$ENV{WA_MODULES}/mod_auth_gssapi.so";

my $SITE = <<'END';
LogLevel warn
<Location /open>
  Require all granted
</Location>
END
my $ours = own($SITE . <<'END')->start;
<Location /bound>
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Location /each>
  AuthType WinAuth
  AuthName own
  WinAuthPersistNonNTLM Off
  Require valid-user
</Location>
END
$ours->file("htdocs/$_", "a page\n") for qw(open bound each);

# the same server with the module taken out, and with the one most people have today
sub without {
    my ($config, @modules) = @_;
    my $own = own($SITE . $config, modules => \@modules, trust => "Header always set X-User \"expr=%{REMOTE_USER}\"\n"
                  . "KeepAliveTimeout 20\nMaxKeepAliveRequests 0\n");
    my $text = $own->slurp('httpd.conf') =~ s/^LoadModule winauth_module .*\n//mr =~ s/ winauth:trace\d//r
        =~ s/^(?:LogFormat|CustomLog) .*\n//mgr;
    $own->file('httpd.conf', $text . "CustomLog $own->{dir}/access.log \"%u %r %>s\"\n");
    $own->file("htdocs/$_", "a page\n") for qw(open each);
    return $own->start;
}
my $bare = without('');
my $theirs = $gssapi ? without(<<"END", 'auth_gssapi') : undef;
<Location /each>
  AuthType GSSAPI
  AuthName own
  GssapiCredStore keytab:$ENV{WA_KDC}/http.keytab
  GssapiAllowedMech krb5
  Require valid-user
</Location>
END

# get(SERVER, PATH, USER, HEADERS...): seconds for all of them, one after the other on one connection.
sub get {
    my ($own, $path, $user, $headers, $client) = @_;
    $client ||= to($own);
    my $right = 0;
    my $start = time;
    for my $header (@{$headers}) {
        my $r = $client->get($path, @{$header});
        $right += $r->{status} == 200 && user_of($r) eq $user;
    }
    my $seconds = time - $start;
    is $right, scalar @{$headers}, "$path: each answer is the right one";
    return $seconds / @{$headers};
}

sub kerberos_headers {
    return [ map { [ Authorization => 'Negotiate ' . WinAuth::Token->spnego('alice')->step ] } 1 .. $tokens ];
}

my @nothing = map { [] } 1 .. $pages;
my $client = to($ours);
my @login = $client->login('/bound', ntlm());
is outcome($login[-1]), '200 ' . ALICE, 'a login for many requests';

# name => [ A, B ]: the ratio of A to B
my %pair = (
    'a page outside of the module, to httpd without it' => [ sub { get($ours, '/open', '-', \@nothing) }, sub { get($bare, '/open', '-', \@nothing) } ],
    'a page of a bound login, to an open one' => [ sub { get($ours, '/bound', ALICE, \@nothing, $client) }, sub { get($ours, '/open', '-', \@nothing) } ],
    'a login by Kerberos, to an open page' => [ sub { get($ours, '/each', ALICE, kerberos_headers()) }, sub { get($ours, '/open', '-', \@nothing) } ],
);
$pair{'a login by Kerberos, to one of mod_auth_gssapi'} = [
    sub { get($ours, '/each', ALICE, kerberos_headers()) }, sub { get($theirs, '/each', 'alice@WINAUTH.TEST', kerberos_headers()) },
] if $theirs;

for my $name (sort keys %pair) {
    my ($one, $other) = @{ $pair{$name} };
    my @ratios = sort { $a <=> $b } map { my $first = $one->(); $first / $other->() } 1 .. $rounds;
    diag sprintf '%-60s %.2f (%.2f to %.2f)', $name, $ratios[ @ratios / 2 ], @ratios[ 0, -1 ] if $ENV{WINAUTH_BENCH_ROUNDS};
}

done_testing;
