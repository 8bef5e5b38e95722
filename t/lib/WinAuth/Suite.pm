package WinAuth::Suite;

# What the test files share: connections to the suite's server, its log, ready clients.

use strict;
use warnings FATAL => 'all';
use Apache::Test ();
use Exporter 'import';
use Time::HiRes 'sleep';
use WinAuth::Client;
use WinAuth::Token;

our @EXPORT = qw(connection port log_line log_lines error_lines bare_user PW);

use constant PW => 'Passw0rd-alice';

sub port { return Apache::Test::vars('port') }

# connection: a fresh one to the suite's server.
sub connection {
    my $from = log_size();
    my $client = WinAuth::Client->new(port());
    $client->{log_from} = $from;
    return $client;
}

sub log_size {
    my $size = -s Apache::Test::vars('serverroot') . '/logs/winauth_log';
    return defined $size ? $size : 0;
}

# The system gives a port to many connections in the course of a suite: lines from before a connection, or
# from before this test file, are another's.
my $file_from = log_size();

sub slurp {
    my ($name) = @_;
    open my $f, '<', Apache::Test::vars('serverroot') . "/logs/$name" or return '';
    local $/;
    my $text = <$f>;
    return defined $text ? $text : '';
}

# log_lines(CLIENT, COUNT): the access log lines of that connection (or client port), oldest first; waits
# until there are COUNT of them, because loggers run after the answer was sent.  Without COUNT it is all
# answers that the client got, but for the challenges, which are not logged.
sub log_lines {
    my ($client, $count) = @_;
    my $port = ref $client ? $client->{socket}->sockport : $client;
    my $from = ref $client && defined $client->{log_from} ? $client->{log_from} : $file_from;
    $count = ref $client && $client->{answers} || 1 unless defined $count;
    my @lines;
    for (1 .. 60) {
        @lines = map { parse($_) } grep { /^$port\|/ } split /\n/, substr slurp('winauth_log'), $from;
        last if @lines >= $count;
        sleep 0.05;
    }
    return @lines;
}

sub parse {
    my (undef, $request, $user, $status, $reason) = split /\|/, $_[0];
    return { request => $request, user => $user, status => $status, reason => $reason };
}

# log_line(CLIENT, COUNT): the last of them.
sub log_line {
    my ($client, $count) = @_;
    my @lines = log_lines($client, $count);
    return @lines ? $lines[-1] : { request => '', user => '', status => '', reason => '' };
}

# error_lines(PATTERN): lines of the error log.
sub error_lines {
    my ($pattern) = @_;
    return grep { /$pattern/ } split /\n/, slurp('error_log');
}

# bare_user(CLIENT, SECTION): who a request without any header is on this connection: a name, or "-".
sub bare_user {
    my ($client, $section) = @_;
    my $r = $client->get("/w/$section/env.pl");
    return $r->{status} == 200 && $r->{body} =~ /^REMOTE_USER=(.*)$/m ? $1 : '-';
}

1;
