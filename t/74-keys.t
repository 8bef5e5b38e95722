# The keytab's life on a server that runs, under logins that never pause: replaced, rotated, out of reach, back.  No
# restart, and no request without its answer.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Cwd 'abs_path';
use File::Basename 'dirname';
use File::Copy 'copy';
use POSIX ();
use Time::HiRes qw(sleep time);
use lib 't/lib', 'lib';
use WinAuth::Own;
use WinAuth::Run;
use WinAuth::Token;

# A realm of our own: its keys change.
my $T = abs_path(dirname(__FILE__));
my $KDC = "$ENV{WA_TMP}/keys";
my $started = run({}, "$T/lib/kdc.sh", 'start', $KDC);
die "kdc.sh: $started->{err}" if $started->{exit};
my $main = $$;
END {
    if ($main && $$ == $main) {
        local $?;
        system "$T/lib/kdc.sh", 'stop', $KDC;
    }
}
$ENV{KRB5_CONFIG} = "$KDC/krb5.conf";
$ENV{KRB5_KDC_PROFILE} = "$KDC/kdc.conf";

my $own = own(<<'END', trust => <<"TRUST");
DocumentRoot @DIR@
<Location /htdocs>
  AuthType WinAuth
  AuthName tests
  Require valid-user
</Location>
<Location /open.html>
  Require all granted
</Location>
END
WinAuthKeytab \@DIR\@/http.keytab
WinAuthNTLMAuthority file:$KDC/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User "expr=%{REMOTE_USER}"
MaxKeepAliveRequests 0
TRUST
$own->file('open.html', "open to all\n");
my $KEYTAB = "$own->{dir}/http.keytab";

# put(FILE): the new keytab takes the old one's place in one step.
sub put {
    my ($from) = @_;
    copy($from, "$KEYTAB.new") or die "$from: $!";
    chmod 0644, "$KEYTAB.new";
    rename "$KEYTAB.new", $KEYTAB or die "$KEYTAB: $!";
}

sub command {
    my ($input, @words) = @_;
    my $run = run({}, 'sh', '-c', 'input=$1; shift; exec "$@" <"$input"', 'sh', scratch('input', $input), @words);
    die "@words: $run->{out}$run->{err}" if $run->{exit};
    return $run->{out};
}

# kvno(CACHE): the version of the key that this cache's ticket is for; gets one if there is none.
sub kvno { return command('', 'kvno', '-c', $_[0], 'HTTP/localhost') =~ /kvno = (\d+)/ ? $1 : 'none' }

my $count = 0;

# fresh: a cache with a ticket that the KDC has yet to make.
sub fresh {
    my $path = "$own->{dir}/ccache-$$-" . ++$count;
    copy("$KDC/alice.ccache", $path) or die $!;
    return $path;
}

# login(CACHE): its outcome.
sub login {
    my ($cache) = @_;
    my $token = WinAuth::Token->client('spnego', "FILE:$cache", 'HTTP@localhost');
    return outcome((to($own)->login('/htdocs/index.html', $token, 'Negotiate'))[-1]);
}

# --- the loops ------------------------------------------------------------------------------------------

my $OLD = fresh();
is kvno($OLD), 2, 'a ticket for the key of now';
put("$KDC/http.keytab");
$own->start;

# Each one a process: logs in again and again, and writes down when and what came of it.
my %LOOPS = (
    'old ticket' => sub { login($OLD) },
    'new tickets' => sub { my $cache = fresh(); my $outcome = login($cache); unlink $cache; $outcome },
    NTLM => sub { outcome((to($own)->login('/htdocs/index.html', ntlm()))[-1]) },
    anonymous => sub { outcome(to($own)->get('/open.html')) },
);
my %pid;
for my $name (sort keys %LOOPS) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open my $log, '>>', "$own->{dir}/loop-$name" or POSIX::_exit(1);
        $log->autoflush(1);
        while (!-e "$own->{dir}/enough" && getppid == $main) {
            my $from = time;
            my $outcome = eval { $LOOPS{$name}->() } || "died: $@";
            chomp $outcome;
            print {$log} join("\t", $from, time, $outcome), "\n";
        }
        POSIX::_exit(0);
    }
    $pid{$name} = $pid;
}

sub seen {
    my ($name) = @_;
    return map { [ split /\t/ ] } $own->slurp("loop-$name") =~ /^(.*)\n/mg;
}

# turns(N): waits until each loop has begun and ended N more times.
sub turns {
    my ($n) = @_;
    my $from = time;
    for my $name (sort keys %LOOPS) {
        for (1 .. 1200) {
            last if grep({ $_->[0] > $from } seen($name)) >= $n;
            sleep 0.05;
        }
    }
}

# --- replaced: the same keys in a new file ------------------------------------------------------------

turns(3);
for (1 .. 20) {
    put("$KDC/http.keytab");
    sleep 0.02;
}
turns(3);

# --- rotated: the new key goes into the keytab first, then to the KDC ----------------------------------

my $ENTRY = 'addent -password -p HTTP/localhost@WINAUTH.TEST -k 3 -e aes256-cts-hmac-sha1-96';
command("rkt $KDC/http.keytab\n$ENTRY\nrotated\nwkt $KDC/two.keytab\n", 'ktutil');
command("$ENTRY\nrotated\nwkt $KDC/new.keytab\n", 'ktutil');
put("$KDC/two.keytab");
turns(3);
command('', qw(kadmin.local -r WINAUTH.TEST cpw -keepold -pw rotated HTTP/localhost));
my $NEW = fresh();
is kvno($NEW), 3, 'the key is another one now';
turns(3);
is login($OLD), '200 ' . ALICE, 'rotated: a ticket for the old key is good';
is login($NEW), '200 ' . ALICE, 'rotated: so is one for the new key';

# --- out of reach, and back ------------------------------------------------------------------------------

my $gone = time;
chmod $> == 0 ? 0600 : 0, $KEYTAB or die $!; # the workers are somebody else, if they can be
is login($NEW), '503 -', 'unreadable: 503';
turns(3);
chmod 0644, $KEYTAB or die $!;
my $back = time;
is login($NEW), '200 ' . ALICE, 'readable again: 200 at the first try';
turns(3);

# --- what the loops saw -----------------------------------------------------------------------------------

$own->file('enough', '');
for my $name (sort keys %LOOPS) {
    waitpid $pid{$name}, 0;
    is $?, 0, "$name: the loop went on to the end";
    my $keys = $name =~ /ticket/;
    my (%outcome, %meanwhile);
    for my $turn (seen($name)) {
        my ($from, $to, $outcome) = @{$turn};
        $to < $gone || $from > $back ? $outcome{$outcome}++ : $meanwhile{$outcome}++;
    }
    my $good = $name eq 'anonymous' ? '200 -' : '200 ' . ALICE;
    is join('|', keys %outcome), $good, "$name: every one served";
    cmp_ok $outcome{$good}, '>=', 15, "$name: so many";
    is join('|', grep { $_ ne $good } keys %meanwhile), $keys ? '503 -' : '', "$name: while the keytab is out of reach";
}

# --- the old key is given up -------------------------------------------------------------------------------

put("$KDC/new.keytab");
is login($OLD), '401 Negotiate|NTLM', 'the old key is gone: so are its tickets';
is login($NEW), '200 ' . ALICE, 'the old key is gone: the new ones are good';
like $own->error_log, qr/WA0101: no-key: /, 'the old key is gone: the error log says it';

my @up = $own->error_log =~ /resuming normal operations/g;
is scalar(@up), 1, 'all without a restart';
unlike $own->error_log, qr/exit signal/, 'no process of the server died';

done_testing;
