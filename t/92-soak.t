# All kinds of clients at the same time, while the server restarts, the KDC goes and comes back, keytab and user
# file are replaced: every answer goes to the right user or to nobody, no child dies, nothing grows.
# "make soak T=600 MPM=event" makes it longer than the few seconds it has here.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Cwd 'abs_path';
use File::Basename 'dirname';
use POSIX ();
use Time::HiRes qw(sleep time);

# A KDC of its own: that of the other tests is not to be stopped.
my ($KDC, $SUITES, $SCRIPT);
BEGIN {
    $SCRIPT = abs_path(dirname(__FILE__)) . '/lib/kdc.sh';
    $KDC = "$ENV{WA_TMP}/soak-kdc";
    system("$SCRIPT start $KDC >/dev/null") == 0 or die "kdc.sh start\n";
    chmod 0755, $KDC;
    @ENV{qw(WA_KDC KRB5_CONFIG)} = ($KDC, "$KDC/krb5.conf");
}
END { local $?; system "$SCRIPT stop $KDC" if $KDC && !$main::worker }
use WinAuth::Client;
use WinAuth::Own;
use WinAuth::Run;

my $SECONDS = $ENV{WINAUTH_SOAK_T} || 20;
my $WORKERS = 4;
my $EVERY = $SECONDS < 60 ? 1 : 4;  # seconds between two disturbances
my $RESTARTS_UNTIL = 0.6;       # of the time; then the same children stay, and must not grow
my $ASAN = ($ENV{WA_SAN} || '') eq 'address';   # keeps far more memory than it gives back
my $CHILD_KIB = $ASAN ? 1 << 20 : 8 << 10;     # how much a child may grow from then on
my $PARENT_KIB = $ASAN ? 1 << 16 : 150;        # and the parent with every restart: httpd loads all modules anew
my $FDS = 3;
our $worker = 0;

# As many children as there will ever be.
my $POOL = $ENV{WA_MPM} eq 'prefork'
    ? "ServerLimit 12\nStartServers 12\nMinSpareServers 1\nMaxSpareServers 12\nMaxRequestWorkers 12\n"
    : "ServerLimit 4\nStartServers 2\nMinSpareThreads 1\nMaxSpareThreads 50\nThreadsPerChild 25\nMaxRequestWorkers 50\n";
my $SECTION = <<'END';
MaxConnectionsPerChild 0
KeepAliveTimeout 10
MaxKeepAliveRequests 0
Header always set X-User "expr=%{REMOTE_USER}"
WinAuthDomain WINAUTH.TEST WINAUTH
<Location />
  AuthType WinAuth
  AuthName soak
  WinAuthProviders Negotiate NTLM Basic
  Require valid-user
</Location>
END

sub put {
    my ($own, $name, $text, $mode) = @_;
    $own->file("$name.new", $text);
    chmod $mode, "$own->{dir}/$name.new";
    chown 0, scalar(getgrnam $ENV{WA_GROUP}), "$own->{dir}/$name.new" if $> == 0;
    rename "$own->{dir}/$name.new", "$own->{dir}/$name" or die "$name: $!";
}

my $keys = WinAuth::Run::slurp("$KDC/http.keytab");
my $more_keys = $keys . substr WinAuth::Run::slurp("$KDC/empty-of-http.keytab"), 2;

# NT hashes: of a clear password gss-ntlmssp makes one for each login, and loses 8 KB with it.
my $users = join '', map {
    my ($hash) = `printf 'nthash\\t-\\tPassw0rd-$_\\n' | /usr/bin/python3 t/lib/tokens.py` =~ /^ok ([0-9a-f]{32})$/
        or die "no hash\n";
    "WINAUTH\\$_:1000:" . 'X' x 32 . ":\U$hash\E:[U          ]:LCT-00000000:\n";
} qw(alice bob);

# The second server has no NTLM: Basic goes to the KDC.
my @servers = map {
    my $own = own($POOL . $SECTION, trust => "WinAuthKeytab \@DIR\@/keytab\nWinAuthNTLMAuthority $_\n");
    put($own, 'keytab', $keys, 0640);
    put($own, 'users', $users, 0640);
    $own;
} 'file:@DIR@/users', 'none';
$_->start for @servers;
my ($own, $kerberos_only) = @servers;

# --- clients ------------------------------------------------------------------------------------

my %seen;                       # what happened how often
my @wrong;

# expect(WHAT, RESPONSE, USER): the right user, or nobody at all because a restart closed the connection.
sub expect {
    my ($what, $r, $user, @also) = @_;
    my $status = $r->{status};
    my $got = user_of($r);
    # a child that is about to end for a restart does not begin what it could not finish
    if (!$status || ($r->{closed} && $status == 401 && $got eq '-')) {
        $seen{ $status ? 'not begun' : 'closed' }++;
        return 0;
    }
    $seen{ $user eq '-' ? 'refused' : 'served' }++ if $got eq $user;
    return 1 if $status == ($user eq '-' ? 401 : 200) && $got eq $user;
    return $seen{"allowed $status"}++ * 0 if $got eq '-' && grep { $status == $_ } @also;
    push @wrong, sprintf "%s: %s for '%s' instead of '%s' at %.3f: %s", $what, $status, $got, $user, time,
        join '; ', map { join ': ', @{$_} } @{ $r->{headers} };
    return 0;
}

my %ways = logins();
my @ways = sort keys %ways;

sub one_connection {
    my $who = rand() < 0.5 ? 'alice' : 'bob';
    my $way = $ways[ rand @ways ];
    my $to = to($own);
    expect("$way: nobody yet", $to->get('/index.html'), '-') or return if rand() < 0.3;
    for my $login (1 .. 1 + rand 3) {
        my $good = rand() < 0.8 || $way !~ /NTLM/;
        my ($token, $scheme) = $ways{$way}->($who, $good ? () : 'a guess');
        my @r = $to->login('/index.html', $token, $scheme);
        WinAuth::Token::ask('forget', $token->{name});
        my $name = $good ? "WINAUTH\\$who" : '-';
        expect("$way as $who", $r[-1], $name) or return;
        for (1 .. rand 6) {
            expect("$way as $who, behind it", $to->get('/index.html'), $name) or return;
        }
        $who = $who eq 'alice' ? 'bob' : 'alice';
        $way = $ways[ rand @ways ];
    }
    $to->close;
}

sub one_password {
    my $good = rand() < 0.7;
    my $server = rand() < 0.5 ? $own : $kerberos_only;
    my $to = to($server);
    for (1 .. 1 + rand 3) {
        expect('Basic', $to->get('/index.html', basic('alice', $good ? 'Passw0rd-alice' : 'a guess')), $good ? ALICE : '-',
               $server == $kerberos_only ? 503 : ()) or return;
    }
}

# curl opens another connection when one is closed: 401 then is what it may get.
sub one_curl {
    my ($who, $how) = (qw(alice bob)[ rand 2 ], int rand 2);
    my @login = $how ? ('--ntlm', '-u', "WINAUTH\\$who:Passw0rd-$who") : qw(--negotiate -u :);
    my $run = curl({ KRB5CCNAME => "$KDC/$who.ccache" }, @login, '-m', 20,
                   urls(map { "http://localhost:$own->{port}/index.html?$_" } 1 .. 4));
    my @last = map { @{$_} > 1 ? $_->[1] : () } @{ $run->{legs} };
    my $again = $run->{exit} || grep { $_->{connects} } @{ $run->{transfers} }[ 1 .. $#{ $run->{transfers} } ];
    for my $r (@last) {
        my $user = user_of($r);
        next if $r->{status} == 401 && $user eq '-' && ($again || $r->offers =~ / /);
        expect("curl @login[0 .. 0] as $who", $r, "WINAUTH\\$who", $again ? 401 : ());
    }
    $seen{curl}++;
}

sub work {
    my ($number, $until) = @_;
    srand 4711 + $number;
    while (time < $until && @wrong < 10) {
        my $dice = rand;
        eval { $dice < 0.8 ? one_connection() : $dice < 0.93 ? one_password() : one_curl(); 1 }
            or push @wrong, "a client: $@";
    }
    open my $f, '>', "$own->{dir}/worker-$number" or die $!;
    print {$f} map({ "$_\t$seen{$_}\n" } sort keys %seen), map { s/\n/ /gr . "\n" } map { "wrong\t$_" } @wrong;
    close $f or die $!;
}

# Both have their tickets before the KDC goes for the first time.
for my $user (qw(alice bob)) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        $worker = 1;
        my @r = to($own)->login('/index.html', kerberos($user));
        POSIX::_exit($r[-1]{status} == 200 ? 0 : 1);
    }
    waitpid $pid, 0;
    is $?, 0, "$user has a ticket";
}

my $start = time;
my $end = $start + $SECONDS;
my @pids = map {
    my $number = $_;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        $worker = 1;
        work($number, $end);
        POSIX::_exit(0);
    }
    $pid;
} 1 .. $WORKERS;

# --- disturbances -----------------------------------------------------------------------------------

sub status_of {
    my ($pid) = @_;
    my ($rss) = WinAuth::Run::slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    return [ $rss || 0, scalar(my @files = glob "/proc/$pid/fd/*") ];
}
sub children { return grep { /^\d+$/ } split ' ', `ps -o pid= --ppid $own->{pid}` }

my ($restarts, $turn, $no_kdc, $steady) = (0, 0, 0);
my @parent;

sub restart {
    for my $server (@servers) {
        my $ups = () = $server->error_log =~ /resuming normal operations/g;
        kill 'USR1', $server->{pid};
        for (1 .. 300) {
            last if $ups < (() = $server->error_log =~ /resuming normal operations/g);
            sleep 0.1;
        }
    }
    $restarts++;
    push @parent, status_of($own->{pid});
}

sub kdc {
    my ($run) = @_;
    system $run ? "$SCRIPT resume $KDC >/dev/null" : "$SCRIPT stop $KDC" and die "kdc.sh\n";
    $no_kdc = !$run;
}

my @disturbances = (
    \&restart,
    sub { kdc(0) },
    sub { put($own, 'keytab', $more_keys, 0640); put($kerberos_only, 'keytab', $more_keys, 0640) },
    \&restart,
    sub { put($own, 'users', "# $turn\n$users" . "WINAUTH:carol$turn:x\n", 0640) },
    sub { kdc(1) },
    sub { put($own, 'keytab', $keys, 0640); put($kerberos_only, 'keytab', $keys, 0640) },
);
while (time < $end - 1) {
    if (!$steady && time - $start > $RESTARTS_UNTIL * $SECONDS) {
        sleep 2;                # what the last restart made has warmed up
        $steady = { map { $_ => status_of($_) } children() };
    }
    my $next = $disturbances[ $turn++ % @disturbances ];
    $next->() unless $steady && $next == \&restart;
    my $left = $end - time;
    sleep($left < $EVERY ? ($left > 0 ? $left : 0) : $EVERY);
}
waitpid $_, 0 for @pids;
kdc(1) if $no_kdc;

# --- what came of it ----------------------------------------------------------------------------

my $reports = 0;
for my $number (1 .. $WORKERS) {
    my $text = WinAuth::Run::slurp("$own->{dir}/worker-$number");
    $reports++ if $text ne '';
    for (split /\n/, $text) {
        my ($what, $n) = split /\t/, $_, 2;
        $what eq 'wrong' ? push(@wrong, $n) : ($seen{$what} += $n);
    }
}
is $reports, $WORKERS, 'every client came to its end';
is join("\n", @wrong), '', 'every answer is for whom it is for';
note join ', ', map { "$_: $seen{$_}" } sort keys %seen;
diag grep { /WA0101/ && !/bad-password|anonymous|not-authorized/ } split /^/, $own->error_log if @wrong;
cmp_ok $seen{served} || 0, '>', $SECONDS, 'many were served';
cmp_ok $seen{refused} || 0, '>', $SECONDS / 4, 'and many refused, as they should be';
cmp_ok(($seen{closed} || 0) + ($seen{'not begun'} || 0), '<', $seen{served} / 20, 'few were in the way of a restart');
cmp_ok $restarts, '>=', 2, "restarts: $restarts";

for (1 .. 150) {
    last unless grep { $steady->{$_} && status_of($_)->[1] > $steady->{$_}[1] } children();
    sleep 0.1;
}
my %now = map { $_ => status_of($_) } children();
my @stayed = grep { $now{$_} } sort keys %{$steady};
cmp_ok scalar(@stayed), '>=', 1, 'the last children live';
is join(' ', sort keys %now), join(' ', sort keys %{$steady}), 'all of them, and no others' if $SECONDS >= 60;
for my $pid (@stayed) {
    my ($kib, $fds) = map { $now{$pid}[$_] - $steady->{$pid}[$_] } 0, 1;
    cmp_ok $kib, '<', $CHILD_KIB, "child $pid: not $CHILD_KIB KiB more";
    cmp_ok $fds, '<=', $FDS, "child $pid: no open files are left";
    note "child $pid: $steady->{$pid}[0] KiB, $steady->{$pid}[1] files; then $kib KiB and $fds files more";
}
if (@parent > 2) {
    my ($kib, $fds) = map { $parent[-1][$_] - $parent[1][$_] } 0, 1;
    cmp_ok $kib / (@parent - 2), '<', $PARENT_KIB, "the parent: not $PARENT_KIB KiB more with every restart";
    cmp_ok $fds, '<=', 0, 'and no open file';
    note "parent: $parent[1][0] KiB, $parent[1][1] files; then $kib KiB and $fds files more in $#parent restarts";
}
for my $server (@servers) {
    unlike $server->error_log, qr/exit signal|Segmentation|AddressSanitizer|runtime error/, 'no child has died';
}

done_testing;
