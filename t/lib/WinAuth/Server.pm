package WinAuth::Server;

# An httpd of the test's own, for what needs another configuration than the suite's server: bad values,
# missing keys, an authority that goes away.

use strict;
use warnings FATAL => 'all';
use File::Path 'rmtree';
use File::Temp 'tempdir';
use IO::Socket::INET;
use POSIX ();
use Time::HiRes 'sleep';

my $MODULES = $ENV{WA_MODULES};

sub free_port {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)
        or die "no free port: $!";
    return $socket->sockport;
}

# new(CONFIG, wrapper => [...], mpm => NAME): writes a configuration; nothing runs yet.
sub new {
    my ($class, $config, %option) = @_;
    my $dir = tempdir('wa-server-XXXXXX', DIR => $ENV{WA_TMP}, CLEANUP => 1);
    chmod 0755, $dir;
    my $self = bless { dir => $dir, port => $option{port} || free_port(),
                       wrapper => $option{wrapper} || [] }, $class;
    mkdir "$dir/htdocs";
    $self->file('htdocs/index.html', "a page\n");
    $self->write_config($config, $option{mpm} || $ENV{WA_MPM});
    return $self;
}

sub write_config {
    my ($self, $config, $mpm) = @_;
    my $user = $> == 0 ? "User $ENV{WA_USER}\nGroup $ENV{WA_GROUP}\n" : '';
    my $modules = join '', map { "LoadModule ${_}_module $MODULES/mod_$_.so\n" }
        "mpm_$mpm", qw(authn_core authz_core authz_user authz_host env mime dir alias headers), @{ $self->{extra} || [] };
    $self->file('httpd.conf', <<"END" . $config);
${modules}LoadModule winauth_module $ENV{WA_MODULE}
${user}ServerRoot $self->{dir}
ServerName localhost
Listen 127.0.0.1:$self->{port}
PidFile $self->{dir}/httpd.pid
Mutex file:$self->{dir}
ErrorLog $self->{dir}/error.log
LogLevel info winauth:trace8
LogFormat "%u \\"%r\\" %>s %{WINAUTH_SUBSTATUS}e %{WINAUTH_WIN32}e %{WINAUTH_REASON}e" winauth
CustomLog $self->{dir}/access.log winauth
TypesConfig $ENV{WA_MIME_TYPES}
DocumentRoot $self->{dir}/htdocs
END
}

# file(NAME, TEXT): below the server's directory; readable by the workers.
sub file {
    my ($self, $name, $text) = @_;
    open my $f, '>', "$self->{dir}/$name" or die "$name: $!";
    print {$f} $text;
    close $f or die "$name: $!";
    chmod 0644, "$self->{dir}/$name";
    return "$self->{dir}/$name";
}

sub httpd {
    my ($self, @args) = @_;
    return (@{ $self->{wrapper} }, $ENV{WA_HTTPD}, '-d', $self->{dir}, '-f', "$self->{dir}/httpd.conf", @args);
}

# test_config(@ARGS): (exit status, output) of httpd -t.
sub test_config {
    my ($self, @args) = @_;
    my $command = join ' ', map { "'$_'" } $self->httpd('-t', @args);
    my $output = `$command 2>&1`;
    return ($? >> 8, $output);
}

# start: in the foreground mode, as our child, so that it ends with us.  Dies when it does not come up.  The port
# is open before the configuration has been looked at; the pid file is not there before.
sub start {
    my ($self, @args) = @_;
    @args = '-DFOREGROUND' unless @args;
    $self->{pid} = fork;
    die "fork: $!" unless defined $self->{pid};
    if (!$self->{pid}) {
        setpgrp; # httpd signals its whole process group, which must not be ours
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{dir}/output";
        open STDERR, '>&', \*STDOUT;
        exec $self->httpd(@args) or POSIX::_exit(127);
    }
    for (1 .. 600) {
        return $self if -s "$self->{dir}/httpd.pid"
            && IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port});
        if (waitpid($self->{pid}, POSIX::WNOHANG()) > 0) {
            delete $self->{pid};
            last;
        }
        sleep 0.1;
    }
    die 'httpd does not start: ' . $self->slurp('output') . $self->slurp('error.log');
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    my $status = $?;
    $self->look_for_secrets;
    return $status;
}

# What no log may hold, whatever the test was about: the passwords of the tests, and a token's beginning with
# some of the rest.  t/run.sh fails when a line was found; t/91-secrets.t looks closer.
# What httpd itself writes from trace levels on, the headers of every request, is not ours: README warns of it.
our $SECRETS = qr{^(?!.*\[http2?:trace\d\]).*(?:Passw0rd-\w|TlRMTVNTUAAD\w|Negotiate (?:YI[IE]|o[YRI])[A-Za-z0-9+/]{40}|Basic [A-Za-z0-9+/]{8})};

sub look_for_secrets {
    my ($self) = @_;
    my @found = map { my $log = $_; map { "$log: $_\n" } grep { $_ =~ $SECRETS } split /\n/, $self->slurp($log) }
        qw(error.log access.log output);
    return unless @found;
    open my $f, '>>', "$ENV{WA_TMP}/secrets" or die "secrets: $!";
    print {$f} "$0: ", @found;
    close $f or die "secrets: $!";
}

sub slurp {
    my ($self, $name) = @_;
    open my $f, '<', "$self->{dir}/$name" or return '';
    local $/;
    my $text = <$f>;
    return defined $text ? $text : '';
}

sub error_log { return $_[0]->slurp('error.log') }
sub access_log { return $_[0]->slurp('access.log') }

# logged(LOG, PATTERN): waits up to ten seconds for a line: loggers run after the answer is sent.
sub logged {
    my ($self, $name, $pattern) = @_;
    for (1 .. 200) {
        return 1 if $self->slurp($name) =~ $pattern;
        sleep 0.05;
    }
    return 0;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    $self->stop;
}

1;
