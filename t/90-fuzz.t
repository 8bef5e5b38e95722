# Changed credentials, thrown at a server by the thousand: nobody gets in, no child dies, nothing is lost.
# WINAUTH_FUZZ_N and WINAUTH_FUZZ_SEED ("make fuzz-server N=1000000 SEED=x") make it another run.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Cwd 'abs_path';
use File::Basename 'dirname';
use Time::HiRes qw(sleep time);
use WinAuth::Own;
use WinAuth::Run;

my $COUNT = $ENV{WINAUTH_FUZZ_N} || 10_000;
my $SEED = $ENV{WINAUTH_FUZZ_SEED} || 1;
my $WARM_UP = 2000;
my $RSS = ($ENV{WA_SAN} || '') eq 'address' ? 1 << 20 : 8 << 10;  # KiB a child; ASan keeps far more than it gives back
my $FDS = 2;

# As many children as there will ever be, so that one that dies shows; all of them are met in the warm-up.
my $own = own(<<"END", modules => [qw(proxy proxy_http)]);
ServerLimit 2
StartServers 2
MinSpareThreads 1
MaxSpareThreads 50
ThreadsPerChild 25
MaxRequestWorkers 50
<IfModule mpm_prefork_module>
  ServerLimit 8
  StartServers 8
  MaxSpareServers 8
  MaxRequestWorkers 8
</IfModule>
MaxConnectionsPerChild 0
LimitRequestFieldSize 40000
WinAuthMaxToken 24000
ProxyRequests On
<Location />
  AuthType WinAuth
  AuthName fuzz
  WinAuthProviders Negotiate NTLM Basic
  Require valid-user
</Location>
<Location /kerberos/>
  WinAuthProviders Negotiate:Kerberos
</Location>
<Location /ntlm/>
  WinAuthProviders NTLM
</Location>
<Location /optional/>
  WinAuthOptional On
  Require all granted
</Location>
<Proxy "*">
  AuthType WinAuth
  AuthName fuzz
  Require valid-user
</Proxy>
END
mkdir "$own->{dir}/htdocs/optional";
$own->file('htdocs/optional/index.html', "for all\n");
# millions of lines that nobody reads
my $config = $own->slurp('httpd.conf');
$config =~ s/^CustomLog.*$//m;
$config =~ s/^LogLevel.*$/LogLevel notice winauth:info/m;
$config =~ s/^(ThreadsPerChild|MinSpareThreads|MaxSpareThreads|ThreadsPerChild) .*\n//mg if $ENV{WA_MPM} eq 'prefork';
$own->file('httpd.conf', $config);
$own->start;

# --- bases: tokens of real clients, none of them good any more ------------------------------------

my @bases;
for my $way (\&kerberos, \&krb5) {
    my ($token, $scheme) = $way->();
    my $ticket = $token->step;
    my $r = to($own)->get('/index.html', Authorization => "$scheme $ticket");
    is outcome($r), '200 ' . ALICE, 'a ticket is used, and so used up';
    is to($own)->get('/index.html', Authorization => "$scheme $ticket")->{status}, 401, 'a second time it is a replay';
    push @bases, "$scheme $ticket";
}
for my $way (\&ntlm, \&raw_negotiate, \&spnego_ntlm) {
    my ($token, $scheme) = $way->();
    my $type1 = $token->step;
    my $in = to($own)->get('/index.html', Authorization => "$scheme $type1")->token($scheme);
    push @bases, "$scheme $type1", "$scheme $in", "$scheme " . $token->step($in);   # its challenge never comes again
}
push @bases, 'Basic ' . MIME::Base64::encode_base64($_, '') for 'alice:guess', 'WINAUTH\\alice:', ':', 'nobody';
my $tokens = scratch('bases', join '', map { "$_\n" } @bases);
my $hash = WinAuth::Token::ask('nthash', '-', 'Passw0rd-alice');
my $fuzzer = abs_path(dirname(__FILE__)) . '/lib/server-fuzz';

# --- what the children have -------------------------------------------------------------------------

sub children { return sort grep { /^\d+$/ } split ' ', `ps -o pid= --ppid $own->{pid}` }

# usage: pid => [KiB, open files]
sub usage {
    my %usage;
    for my $pid (children()) {
        my ($rss) = WinAuth::Run::slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
        $usage{$pid} = [ $rss || 0, scalar(my @files = glob "/proc/$pid/fd/*") ];
    }
    return \%usage;
}

# settled: usage, once connections that were just closed are gone.
sub settled {
    my ($before) = @_;
    my $usage;
    for (1 .. 100) {
        $usage = usage();
        last unless grep { $before->{$_} && $usage->{$_}[1] > $before->{$_}[1] + $FDS } keys %{$usage};
        sleep 0.1;
    }
    return $usage;
}

sub fuzz {
    my ($count, $seed) = @_;
    my $run = `/usr/bin/python3 $fuzzer --port $own->{port} --tokens $tokens --hash $hash --count $count --seed $seed 2>&1`;
    return ($?, $run);
}

my ($status, $said) = fuzz($WARM_UP, "$SEED-warm-up");
is $status, 0, 'the warm-up' or diag $said;
my $before = usage();
my $logins = () = $own->error_log =~ /WA0105/g;
($status, $said) = fuzz($COUNT, $SEED);
is $status, 0, 'no changed request is a login, nor is a bare one behind it; all are answered' or diag $said;
my ($done) = $said =~ /^requests (\d+)/;
cmp_ok $done || 0, '>=', $COUNT, "$COUNT requests";
note $said;

my $after = settled($before);
is join(' ', sort keys %{$after}), join(' ', sort keys %{$before}), 'the children are the same';
for my $pid (sort grep { $after->{$_} } keys %{$before}) {
    my ($rss, $fds) = map { $after->{$pid}[$_] - $before->{$pid}[$_] } 0, 1;
    cmp_ok $rss, '<', $RSS, "child $pid: not $RSS KiB more";
    cmp_ok $fds, '<=', $FDS, "child $pid: no open files are left";
    note "child $pid: $before->{$pid}[0] KiB, $before->{$pid}[1] files; then $rss KiB and $fds files more";
}
is join("\n", grep { /\[winauth:(?:error|crit)\]/ } split /\n/, $own->error_log), '',
    'nothing that a client sends is the administrator\'s trouble';
is scalar(() = $own->error_log =~ /WA0105/g), $logins, 'the log knows of no login';
unlike $own->error_log, qr/exit signal|Segmentation|AddressSanitizer|runtime error/, 'and of no death';
is outcome((to($own)->login('/index.html', kerberos()))[-1]), '200 ' . ALICE, 'and who has a ticket gets in';

done_testing;
