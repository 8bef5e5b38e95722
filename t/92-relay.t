# A relay: ntlmrelayx stands between clients and a site of ours, which it reaches over connections of its own.  What
# it gets in with, what keeps it out, and that it cannot get round that by taking the MIC away.
#
# As root all of it happens in a network of its own, which has nothing but loopback.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Cwd 'abs_path';
use File::Basename 'dirname';
use POSIX ();
use Time::HiRes 'sleep';
use lib 't/lib', 'lib';
use WinAuth::Ntlm;
use WinAuth::Own;
use WinAuth::Run;
use WinAuth::Server;

if ($> == 0 && !$ENV{WA_IN_RELAY_NET}) {
    $ENV{WA_IN_RELAY_NET} = 1;
    my @again = ($^X, (map { "-I$_" } @INC), abs_path($0));
    exec qw(unshare --net sh -c), 'ip link set lo up && exec "$@"', 'sh', @again or die "unshare: $!";
}

my $LIB = abs_path(dirname(__FILE__) . '/lib');
my %NOTHING = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent');
my @TYPED = ('WINAUTH\\alice', 'Passw0rd-alice');

# --- the site ---------------------------------------------------------------------------------------------

my @PROTECTIONS = ([ none => 'None' ], [ allow => 'Allow' ], [ require => 'Require' ]);
my %port = map { $_ => WinAuth::Server::free_port() } map { ("https-$_->[0]", "http-$_->[0]") } @PROTECTIONS;
my $config = "LogLevel warn winauth:info\n";
for my $protection (@PROTECTIONS) {
    my ($name, $value) = @{$protection};
    for my $scheme (qw(https http)) {
        my $tls = $scheme eq 'https' ? "SSLEngine On\nSSLCertificateFile \@DIR\@/cert.pem\nSSLCertificateKeyFile \@DIR\@/key.pem" : '';
        my $flags = $scheme eq 'http' && $name eq 'require' ? ' Proxy' : ''; # without TLS there is no other
        $config .= <<"END";
Listen 127.0.0.1:$port{"$scheme-$name"}
<VirtualHost *:$port{"$scheme-$name"}>
  ServerName www.site.localhost
  $tls
  <Location />
    AuthType WinAuth
    AuthName own
    Require valid-user
    WinAuthExtendedProtection $value$flags
  </Location>
</VirtualHost>
END
    }
}
my $own = own($config, modules => ['ssl'], trust => <<"END");
WinAuthNTLMAuthority file:$ENV{WA_KDC}/ntlm.users
Header always set X-User "expr=%{REMOTE_USER}"
KeepAliveTimeout 20
END
certificate($own->{dir}, 'www.site.localhost');
$own->file('htdocs/loot.html', "what only users may see\n");
$own->start;

# --- the attacker --------------------------------------------------------------------------------------------

# To each site one way as it is, and one without MIC.
my %relay = map { ($_ => WinAuth::Server::free_port(), "$_ drop-mic" => WinAuth::Server::free_port()) } keys %port;
my $out = scratch('relay', '');
my $attacker = fork;
die "fork: $!" unless defined $attacker;
if (!$attacker) {
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', $out;
    open STDERR, '>&', \*STDOUT;
    my @relays = map { my ($site, $option) = split / /; my ($scheme) = split /-/, $site;
                       join '=', $relay{$_}, "$scheme://localhost:$port{$site}/", $option ? $option : () } sort keys %relay;
    exec '/usr/bin/python3', '-B', "$LIB/relay.py", @relays or POSIX::_exit(127);
}

END {
    local $?;
    if ($attacker) {
        kill 'KILL', $attacker;
        waitpid $attacker, 0;
    }
}

sub output {
    open my $f, '<', $out or die "$out: $!";
    local $/;
    my $text = <$f>;
    return defined $text ? $text : '';
}

for my $port (values %relay) {
    for (1 .. 600) {
        last if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
        die 'ntlmrelayx does not start: ' . output() if waitpid($attacker, POSIX::WNOHANG()) != 0;
        sleep 0.05;
    }
}

# quiet: how long the access log is when nothing more is written to it.
sub quiet {
    my ($length, $now) = (-1, length $own->access_log);
    for (1 .. 40) {
        last if $now == $length;
        sleep 0.3;
        ($length, $now) = ($now, length $own->access_log);
    }
    return $now;
}

# attack(SITE, VICTIM): what comes of it: "ADMITTED", "DENIED" or what else it was; the site's reason; the loot.
sub attack {
    my ($site, $victim) = @_;
    my ($log, $said) = (quiet(), length output());
    eval { $victim->("http://files.evil.localhost:$relay{$site}", $relay{$site}); 1 };
    my $error = $@;
    my ($text, $reason) = ('', undef);
    for (1 .. 100) { # the loot comes after the answer to the victim, and the log after that
        $text = substr output(), $said;
        ($reason) = substr($own->access_log, $log) =~ / [01] \d+ (\S+)$/m;
        last if $text =~ /DENIED|LOOT/ && defined $reason;
        last if $text !~ /ADMITTED|DENIED/;
        sleep 0.05;
    }
    my ($end) = $text =~ /^(ADMITTED|DENIED)$/m;
    my ($loot) = $text =~ /^LOOT of (.*)$/m;
    return { end => defined $end ? $end : "neither: $text $error", reason => defined $reason ? $reason : '-',
             loot => defined $loot ? $loot : '-', text => $text };
}

# Those who get in have the page, as alice; those who do not have nothing.
sub succeeds {
    my ($what, $attack) = @_;
    is "$attack->{end} $attack->{reason}", 'ADMITTED ok', "$what: the relay gets in" or diag $attack->{text};
    is $attack->{loot}, q{WINAUTH/ALICE: 200 b'what only users may see\n'}, "$what: as alice";
}

sub fails {
    my ($what, $attack, $reason) = @_;
    is "$attack->{end} $attack->{reason}", "DENIED $reason", "$what: the relay is kept out" or diag $attack->{text};
    is $attack->{loot}, '-', "$what: with nothing";
}

# --- the victims, who type their password for the attacker's site ---------------------------------------------

sub curl_victim {
    my ($url) = @_;
    return curl(\%NOTHING, qw(--max-time 10 --ntlm), '-u', join(':', @TYPED), "$url/index.html");
}

sub chromium_victim {
    my ($url) = @_;
    return run(\%NOTHING, "$LIB/chromium.py", "$url/index.html", @TYPED);
}

# As Windows does it: it says that it knows of bindings and has none over clear text, which service it wants, and
# makes a MIC over all.
sub windows_victim {
    my (undef, $port) = @_;
    my $token = WinAuth::Ntlm->new('alice', 'Passw0rd-alice', 'WINAUTH', pairs => [ [ 10, "\0" x 16 ],
        [ 9, WinAuth::Ntlm::utf16_of('HTTP/files.evil.localhost') ] ]);
    return WinAuth::Client->new($port)->login('/index.html', $token, 'NTLM');
}

# One that says which service it wants, and of bindings nothing.
sub named_victim {
    my (undef, $port) = @_;
    my $token = WinAuth::Ntlm->new('alice', 'Passw0rd-alice', 'WINAUTH',
        pairs => [ [ 9, WinAuth::Ntlm::utf16_of('HTTP/files.evil.localhost') ] ]);
    return WinAuth::Client->new($port)->login('/index.html', $token, 'NTLM');
}

my %victims = (curl => \&curl_victim, windows => \&windows_victim, chromium => \&chromium_victim);

# Without protection it works with all of them, or this test would not see anything.
succeeds("https, None, $_", attack('https-none', $victims{$_})) for sort keys %victims;
succeeds("http, None, $_", attack('http-none', $victims{$_})) for qw(curl windows);

# Required, with none.
fails("https, Require, $_", attack('https-require', $victims{$_}), 'epa-missing') for sort keys %victims;

# Allowed, only with those who cannot do better.
fails("https, Allow, $_", attack('https-allow', $victims{$_}), 'epa-missing') for qw(chromium windows);
succeeds('https, Allow, curl, which makes no bindings', attack('https-allow', \&curl_victim));

# Over clear text the service name is what counts.
fails('http, Allow, a client that names the service', attack('http-allow', \&named_victim), 'spn-mismatch');
fails('http, Allow, windows', attack('http-allow', \&windows_victim), 'spn-mismatch');
fails('http, Allow, chromium', attack('http-allow', \&chromium_victim), 'spn-mismatch');
fails('http, Require, a client that names the service', attack('http-require', \&named_victim), 'epa-missing');
fails('http, Require, windows', attack('http-require', \&windows_victim), 'epa-missing');
succeeds('http, Allow, curl, which names none', attack('http-allow', \&curl_victim));

# Without the MIC: the client has said that there is one, in what its response covers.
fails("drop the MIC, https, None, $_", attack('https-none drop-mic', $victims{$_}), 'bad-mic') for qw(chromium windows);
fails('drop the MIC, https, Require, windows', attack('https-require drop-mic', \&windows_victim), 'bad-mic');
fails('drop the MIC, http, Allow, windows', attack('http-allow drop-mic', \&windows_victim), 'bad-mic');
succeeds('drop the MIC, https, None, curl, which makes none', attack('https-none drop-mic', \&curl_victim));

# The users whom nobody attacks.
my $curl = curl(\%NOTHING, qw(-k --ntlm -u), join(':', @TYPED), "https://www.site.localhost:$port{'https-allow'}/loot.html");
is $curl->{body}, "what only users may see\n", 'Allow: curl itself gets in' or diag $curl->{err};
my $chromium = run({ %NOTHING, INSECURE => 1 }, "$LIB/chromium.py", "https://www.site.localhost:$port{'https-require'}/loot.html", @TYPED);
like $chromium->{out}, qr/^what only users may see/m, 'Require: chromium itself gets in' or diag $chromium->{err};

done_testing;
