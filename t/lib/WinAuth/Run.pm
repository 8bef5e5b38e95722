package WinAuth::Run;

# Clients that are programs, curl above all.

use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use File::Temp 'tempdir';
use POSIX ();
use WinAuth::Client;

our @EXPORT = qw(run curl scratch certificate);
our $LIMIT = 100; # seconds

my $dir;

# scratch(NAME, TEXT): a file for the time of the test.
sub scratch {
    my ($name, $text) = @_;
    $dir ||= tempdir('wa-run-XXXXXX', DIR => $ENV{WA_TMP}, CLEANUP => 1);
    if (defined $text) {
        open my $f, '>', "$dir/$name" or die "$name: $!";
        print {$f} $text;
        close $f or die "$name: $!";
    }
    return "$dir/$name";
}

sub slurp {
    my ($path) = @_;
    open my $f, '<', $path or return '';
    local $/;
    my $text = <$f>;
    return defined $text ? $text : '';
}

# run(\%ENVIRONMENT, COMMAND, ARGS...): { exit, out, err }; ends what takes longer than $LIMIT.
sub run {
    my ($environment, @command) = @_;
    my ($out, $err) = (scratch('out'), scratch('err'));
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        local %ENV = (%ENV, %{$environment});
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>', $err;
        no warnings 'exec';
        exec 'timeout', $LIMIT, @command or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return { exit => $? >> 8, out => slurp($out), err => slurp($err) };
}

# certificate(DIRECTORY, NAME, OPENSSL'S WORDS ABOUT THE KEY...): key.pem and cert.pem of a host, signed by itself;
# RSA unless said otherwise.
sub certificate {
    my ($directory, $name, @key) = @_;
    my $made = run({}, qw(openssl req -x509 -nodes -days 2 -subj), "/CN=$name", '-addext', "subjectAltName=DNS:$name",
                   '-newkey', @key ? @key : 'rsa:2048', '-keyout', "$directory/key.pem", '-out', "$directory/cert.pem");
    die "openssl: $made->{err}" if $made->{exit};
    return;
}

# curl(\%ENVIRONMENT, ARGS...): what curl sent and got:
#   { exit, body, transfers => [{ port, connects, status }], legs => [[REQUEST, RESPONSE]...] }
# where both are WinAuth::Response.  The environment's WRAPPER, a list, runs it somewhere else.
sub curl {
    my ($environment, @args) = @_;
    my %environment = %{$environment};
    my $wrapper = delete $environment{WRAPPER} || [];
    my $body = scratch('body', '');
    my $ran = run(\%environment, @{$wrapper}, qw(curl -q -4 -s -S -v --noproxy * --max-time 60 -o), $body,
                  '-w', '%{local_port} %{num_connects} %{http_code}\n', @args);
    my @transfers;
    for my $line (split /\n/, $ran->{out}) {
        my ($port, $connects, $status) = split / /, $line;
        push @transfers, { port => $port, connects => $connects, status => $status };
    }
    return { exit => $ran->{exit}, err => $ran->{err}, body => slurp($body), transfers => \@transfers,
             legs => legs($ran->{err}) };
}

# "> GET / HTTP/1.1", "> Name: value", ..., "< HTTP/1.1 200 OK", ...
sub legs {
    my ($trace) = @_;
    my (@legs, $current);
    for my $line (split /\r?\n/, $trace) {
        if ($line =~ m{^> ([A-Z]+ \S+ HTTP/[\d.]+)$}) {
            $current = bless { line => $1, headers => [] }, 'WinAuth::Response';
            push @legs, [$current];
        }
        elsif ($line =~ m{^< (HTTP/[\d.]+ (\d+).*)$} && $2 >= 200) {
            $current = bless { line => $1, status => $2, headers => [] }, 'WinAuth::Response';
            push @{ $legs[-1] }, $current;
        }
        elsif ($line =~ /^[<>] ([^:]+): ?(.*)$/) {
            push @{ $current->{headers} }, [ $1, $2 ];
        }
    }
    return \@legs;
}

1;
