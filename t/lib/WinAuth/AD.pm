package WinAuth::AD;

# A real Active Directory domain (Samba's), in a world of its own: see ad.sh and ad-users.py.
#
#   my $ad = WinAuth::AD->world;          makes the world, and runs the test file once more inside it
#   my $server = site($ad, DIRECTIVES);   a server of the domain, with sections and CGI programs
#
# world(member => 1) makes two hosts, and the file runs on the one that is a member: see ad-member.sh.
#
# Each test file gets a domain controller of its own, which begins where the users have just been made.

use strict;
use warnings FATAL => 'all';
use Apache::Test (); # before Test::More: it prints the plan
use Cwd 'abs_path';
use Exporter 'import';
use Fcntl ':flock';
use File::Basename qw(basename dirname);
use File::Path 'rmtree';
use POSIX ();
use Test::More ();
use Time::HiRes 'sleep';
use WinAuth::Client;
use WinAuth::Ntlm;
use WinAuth::Run;
use WinAuth::Server;
use WinAuth::Token;

our @EXPORT = qw(site connection address outcome environment identity attempt);

my $T = abs_path(dirname(__FILE__) . '/../..');
my $server; # the last one that site made: what the functions below talk to
my $count = 0;

# world: the domain, once we are in its world.  The first process does not get that far: it makes the world,
# runs the file inside, clears up and ends with what the file ended with.
sub world {
    my ($class, %option) = @_;
    my $file = abs_path($0);
    Test::More::plan(skip_all => 'a domain controller needs root, for namespaces of its own') if $> != 0;
    my ($number) = basename($file) =~ /^(\w+?)-/ or die "$file has no number\n";
    my $self = bless { dir => "$ENV{WA_TMP}/ad-$number", %option }, $class;
    my $host = $self->{host} = $self->{dir} . ($option{member} ? '/member' : '');
    my $script = $option{member} ? 'ad-member.sh' : 'ad.sh';
    return $self if $ENV{WA_IN_WORLD};
    my ($guard, $alive) = guard($self, $script eq 'ad.sh' ? () : $script, 'ad.sh');
    my $status = 255;
    eval {
        local $SIG{TERM} = local $SIG{INT} = local $SIG{HUP} = sub { die "ended by a signal\n" };
        $self->sh('provision', template());
        $self->script($script, 'start');
        local @ENV{qw(WA_IN_WORLD WA_AD_DIR KRB5_CONFIG)} = (1, $self->{dir}, "$host/world/krb5.conf");
        delete local $ENV{NTLM_USER_FILE};
        $status = system "$T/lib/$script", 'exec', $^X, (map { "-I$_" } @INC), $file;
        $status = $status & 127 ? 255 : $status >> 8;
        1;
    } or print "Bail out!  $@";
    close $alive;
    waitpid $guard, 0;
    rmtree($self->{dir}) if $status == 0;
    POSIX::_exit($status);
}

# guard(SCRIPTS): (the pid of a process, a pipe): once nobody has the pipe any more, for whatever reason, that
# process has the scripts clear up.
sub guard {
    my ($self, @scripts) = @_;
    pipe my $gone, my $alive or die "pipe: $!";
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        POSIX::setsid();
        local @SIG{qw(TERM INT HUP)} = ('IGNORE') x 3;
        open STDOUT, '>&', \*STDERR;
        close $alive;
        sysread $gone, my $nothing, 1;
        $ENV{WA_AD_DIR} = $self->{dir};
        system "$T/lib/$_", 'stop' for @scripts;
        POSIX::_exit(0);
    }
    close $gone;
    return ($pid, $alive);
}

# template: the directory of a domain that is never started; whoever needs it first, makes it.
sub template {
    my $dir = "$ENV{WA_TMP}/ad";
    open my $lock, '>', "$dir.lock" or die "$dir.lock: $!";
    flock $lock, LOCK_EX or die "$dir.lock: $!";
    if (!-e "$dir/provisioned") {
        local $WinAuth::Run::LIMIT = 600;
        (bless { dir => $dir })->sh('provision');
        open my $done, '>', "$dir/provisioned" or die "$dir/provisioned: $!";
    }
    return $dir;
}

# sh(VERB, ...): ad.sh.  member(VERB, ...): ad-member.sh.
sub sh { my ($self, @args) = @_; return $self->script('ad.sh', @args) }
sub member { my ($self, @args) = @_; return $self->script('ad-member.sh', @args) }

sub script {
    my ($self, $script, @args) = @_;
    my $run = run({ WA_AD_DIR => $self->{dir} }, "$T/lib/$script", @args);
    die "$script @args: $run->{out}$run->{err}" if $run->{exit};
    return $run->{out};
}

# on_dc(COMMAND, ARGS...): the command that runs that one on the domain controller's host.
sub on_dc {
    my ($self, @command) = @_;
    return ('env', "WA_AD_DIR=$self->{dir}", "$T/lib/ad.sh", 'exec', 'env', "KRB5_CONFIG=$self->{dir}/world/krb5.conf", @command);
}

# attribute(ACCOUNT, NAME): its first value in the directory, or undef.
sub attribute {
    my ($self, $account, $name) = @_;
    my $run = run({}, 'ldbsearch', '-H', "$self->{dir}/dc/private/sam.ldb", "(sAMAccountName=$account)", $name);
    die "ldbsearch: $run->{err}" if $run->{exit};
    return $run->{out} =~ /^\Q$name\E: (.*)$/m ? $1 : undef;
}

# samba_tool(ARGS): its output; on the domain controller's own database.
sub samba_tool {
    my ($self, @args) = @_;
    my $run = run({}, 'samba-tool', @args, '-H', "$self->{dir}/dc/private/sam.ldb", '-s', "$self->{dir}/dc/smb.conf");
    die "samba-tool @args: $run->{err}" if $run->{exit};
    return $run->{out};
}

# ticket(USER, PASSWORD, KINIT OPTIONS): a new credential cache, "FILE:...".
sub ticket {
    my ($self, $user, $password, @options) = @_;
    my $cache = 'FILE:' . scratch('ccache-' . ++$count);
    my $input = scratch('password', "$password\n");
    my $run = run({}, 'sh', '-c', 'input=$1; shift; exec kinit "$@" <"$input"', 'sh', $input, '-c', $cache, @options, $user);
    die "kinit $user: $run->{err}" if $run->{exit};
    return $cache;
}

# site($ad, DIRECTIVES, mpm => NAME): a server that runs, with the domain's keys and winbind.  /w/negotiate/ offers
# Negotiate, /w/ntlm/ NTLM, any other /w/NAME/ both.
sub site {
    my ($self, $config, %option) = @_;
    my $name = $self->{member} ? 'web1.ad.test' : 'www.ad.test';
    $server = WinAuth::Server->new(<<"END" . (defined $config ? $config : ''), %option);
ServerName $name
LoadModule cgid_module $ENV{WA_MODULES}/mod_cgid.so
ScriptSock $self->{dir}/cgisock-@{[ ++$count ]}
AddHandler cgi-script .pl
AliasMatch ^/w/[^/]+/(.*)\$ $T/htdocs/site/\$1
WinAuthKeytab $self->{host}/http.keytab
WinAuthNTLMAuthority winbind
<Directory $T/htdocs>
  Options +ExecCGI
  Require all granted
</Directory>
<Location /w/>
  AuthType WinAuth
  AuthName tests
  Require valid-user
</Location>
<Location /w/negotiate/>
  WinAuthProviders Negotiate
</Location>
<Location /w/ntlm/>
  WinAuthProviders NTLM
</Location>
END
    return $server->start;
}

# connection: a fresh one to the site.
sub connection { return WinAuth::Client->new($server->{port}) }

# address(SECTION): one that nobody has asked for yet; it answers with the environment of a CGI program.
sub address {
    my ($section) = @_;
    return "/w/$section/env.pl/login-" . ++$count;
}

# outcome(PATH, PATTERN): "USER STATUS SUBSTATUS WIN32 REASON" of the access log's lines of this address, once the
# last one matches.  httpd doubles a backslash.
sub outcome {
    my ($path, $pattern) = @_;
    my @lines;
    for (1 .. 60) {
        @lines = map { /^(\S+) "\w+ \Q$path\E HTTP\S+ (.*)$/ ? "$1 $2" : () } split /\n/, $server->access_log;
        last if @lines && $lines[-1] =~ ($pattern || qr/./);
        sleep 0.05;
    }
    return join '|', @lines;
}

# environment(TEXT): the variables that a CGI program printed.
sub environment {
    my ($text) = @_;
    return { map { /^(\w+)=(.*?)\s*$/ ? ($1 => $2) : () } split /\n/, $text };
}

# identity(TEXT): "USER SCHEME PACKAGE" of them.
sub identity {
    my $seen = environment($_[0]);
    return join ' ', map { defined $seen->{$_} ? $seen->{$_} : '-' } qw(REMOTE_USER AUTH_TYPE WINAUTH_PACKAGE);
}

# attempt(KIND, USER, PASSWORD, DOMAIN, ...): one login, by the client of this kind: "SPNEGO" (NTLM inside it),
# "ntlm_auth" or "our own client".  { all => RESPONSES, last => RESPONSE, path, client, offers }
sub attempt {
    my ($kind, @words) = @_;
    my ($section, $scheme) = $kind eq 'SPNEGO' ? ('negotiate', 'Negotiate') : ('ntlm', 'NTLM');
    my $token = $kind eq 'SPNEGO' ? WinAuth::Token->spnego_ntlm(@words)
              : $kind eq 'ntlm_auth' ? WinAuth::Token->ntlm(@words)
              : WinAuth::Ntlm->new(@words);
    my $path = address($section);
    my $client = connection();
    my @r = $client->login($path, $token, $scheme);
    return { all => \@r, last => $r[-1], path => $path, client => $client, offers => $scheme };
}

1;
