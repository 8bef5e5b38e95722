# Real browsers, as they are: single sign-on by Kerberos, NTLM with what somebody typed in.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Cwd 'abs_path';
use File::Basename 'dirname';
use Time::HiRes 'sleep';
use lib 't/lib', 'lib';
use WinAuth::Run;
use WinAuth::Suite;

my $LIB = abs_path(dirname(__FILE__) . '/lib');
my %KERBEROS = (KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache", NTLM_USER_FILE => '/nonexistent');
my %NOTHING = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent');
my %SPNEGO_NTLM = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => scratch('user', 'WINAUTH:alice:' . PW . "\n"));
my @TYPED = ('WINAUTH\\alice', PW);
my $DONE = 'WINAUTH\\\\alice 200 0 0 ok';       # httpd doubles the backslash in its log
my $ASKED = '- 401 2 5 anonymous';
my $count = 0;

# logged(PATH, PATTERN): "USER STATUS REASON" of the lines of this address, once the last one matches.
sub logged {
    my ($path, $pattern) = @_;
    my @lines;
    for (1 .. 60) {
        @lines = map { my @f = split /\|/; "$f[2] $f[3] $f[4]" }
            grep { /^\d+\|\w+ \Q$path\E\|/ } split /\n/, WinAuth::Suite::slurp('winauth_log');
        last if @lines && $lines[-1] =~ $pattern;
        sleep 0.05;
    }
    return @lines;
}

sub identity {
    my %seen = map { /^(\w+)=(.*?)\s*$/ ? ($1 => $2) : () } split /\n/, $_[0];
    return join ' ', map { defined $seen{$_} ? $seen{$_} : '-' } qw(REMOTE_USER AUTH_TYPE WINAUTH_PACKAGE);
}

for my $browser (qw(chromium firefox)) {
    for my $case (
        [ 'Kerberos', 'both', \%KERBEROS, [], 'Negotiate Kerberos' ],
        [ 'Kerberos', 'negotiate', \%KERBEROS, [], 'Negotiate Kerberos' ],
        [ 'NTLM, typed', 'ntlm', \%NOTHING, \@TYPED, 'NTLM NTLM' ],
        [ 'NTLM, typed', 'both', \%NOTHING, \@TYPED, 'NTLM NTLM' ],
        [ 'NTLM inside SPNEGO', 'negotiate', \%SPNEGO_NTLM, [], 'Negotiate NTLM' ],
    ) {
        my ($what, $section, $environment, $typed, $identity) = @{$case};
        my $who = "$browser, $what, $section";
        my $path = "/w/$section/env.pl/visit-" . ++$count;
        my $run = run($environment, "$LIB/$browser.py", 'http://localhost:' . port() . $path, @{$typed});
        is $run->{exit}, 0, "$who: shows a page" or diag $run->{err};
        is $run->{err}, '', "$who: and it is 200";
        is identity($run->{out}), "WINAUTH\\alice $identity", "$who: logged in";
        # Chromium tries Negotiate first, which has nothing to send, and asks once more.
        like join('|', logged($path, qr/ 200 /)), qr/^(?:\Q$ASKED\E\|){1,2}\Q$DONE\E$/, "$who: the log";
    }

    my $path = '/w/ntlm/env.pl/visit-' . ++$count;
    my $run = run(\%NOTHING, "$LIB/$browser.py", 'http://localhost:' . port() . $path, 'WINAUTH\\alice', 'wrong');
    is $run->{exit}, 0, "$browser, wrong password: shows a page" or diag $run->{err};
    is $run->{err}, "HTTP 401\n", "$browser, wrong password: and it is 401";
    like $run->{out}, qr/Unauthorized/, "$browser, wrong password: which says so";
    my @log = logged($path, qr/bad-password/);
    is $log[0], $ASKED, "$browser, wrong password: asked";
    is $log[-1], '- 401 1 2148074252 bad-password', "$browser, wrong password: and refused";
    is scalar(grep { !/^- 401 / } @log), 0, "$browser, wrong password: and never let in";
}

done_testing;
