package WinAuth::Conformance;

# What the conformance tests share: a whole answer in one line, so that one comparison sees status, challenge
# lines, Persistent-Auth, what becomes of the connection, user and reason.

use strict;
use warnings FATAL => 'all';
use Apache::Test ();
use Exporter 'import';
use MIME::Base64 'encode_base64';
use Time::HiRes 'sleep';
use WinAuth::Client;
use WinAuth::Der;
use WinAuth::Ntlm;
use WinAuth::Server;
use WinAuth::Suite qw(port);
use WinAuth::Token;

our @EXPORT = qw(ALICE BOB BOTH connection page told log_of denied served login begin exchange own field site
                 base64 ntlm_flags resp_token http2 http2_on);

use constant {
    ALICE => 'WINAUTH\\alice',
    BOB   => 'WINAUTH\\bob',
    BOTH  => 'Negotiate|NTLM',
};

my $FORMAT = '"%{remote}p|%m %U|%u|%>s %{WINAUTH_SUBSTATUS}e %{WINAUTH_WIN32}e|%{WINAUTH_REASON}e"';
my %own;                                        # the servers of the test's own, by port

sub page { return "/w/$_[0]/env.pl" }
sub base64 { return encode_base64($_[0], '') }
sub ntlm_flags { return WinAuth::Ntlm::flags(@_) }

# The ways to log in: [ TOKEN CLIENT, SCHEME ], for a user with the password of the user file or another.
my %KINDS = (
    'raw NTLM' => sub { (WinAuth::Token->ntlm(@_), 'NTLM') },
    'raw NTLM under Negotiate' => sub { (WinAuth::Token->ntlm(@_), 'Negotiate') },
    'NTLM inside SPNEGO' => sub { (WinAuth::Token->spnego_ntlm(@_), 'Negotiate') },
    'Kerberos' => sub { (WinAuth::Token->spnego($_[0]), 'Negotiate') },
    'bare Kerberos' => sub { (WinAuth::Token->krb5($_[0]), 'Negotiate') },
);

# login(KIND, [USER, [PASSWORD]]): such a pair, for WinAuth::Client->login.
sub login {
    my ($kind, $user, $password) = @_;
    $user ||= 'alice';
    return $KINDS{$kind}->($user, defined $password ? $password : "Passw0rd-$user");
}

# begin(CLIENT, SECTION, TOKEN CLIENT, SCHEME, @HEADERS): the first leg: (its answer, the credentials to go
# on with).
sub begin {
    my ($client, $section, $token, $scheme, @headers) = @_;
    my $r = $client->get(page($section), Authorization => "$scheme " . $token->step, @headers);
    my $challenge = $r->token($scheme) or die "no challenge: $r->{line} " . $r->offers . "\n";
    return ($r, "$scheme " . $token->step($challenge));
}

# exchange(CLIENT, METHOD, PATH, [TOKEN CLIENT, SCHEME], \@HEADERS, BODY, VERSION): all answers.
sub exchange {
    my ($client, $method, $path, $login, $headers, $body, $version) = @_;
    my ($token, $scheme) = @{$login};
    my ($out, @r) = ($token->step);
    while (1) {
        push @r, $client->request($method, $path, [ Authorization => "$scheme $out", @{ $headers || [] } ], $body,
                                  $version);
        my $in = $r[-1]->token($scheme);
        return @r unless $r[-1]{status} == 401 && $in;
        $out = $token->step($in);
    }
}

# log_text(SERVER PORT): that server's log.
sub log_text {
    my $server = $own{ $_[0] };
    return $server ? $server->slurp('port.log') : WinAuth::Suite::slurp('winauth_log');
}

# connection(SERVER): a fresh one, to the suite's server or this one.  Ports come again: only what is logged
# from now on is about this connection.
sub connection {
    my ($server) = @_;
    my $port = $server ? $server->{port} : port();
    my $from = length log_text($port);
    my $client = WinAuth::Client->new($port);
    $client->{log_from} = $from;
    return $client;
}

# log_of(CLIENT, COUNT): the lines of that connection's log as { user, status, reason }, once there are COUNT,
# or as many as answers that are no legs, which are not logged.
sub log_of {
    my ($client, $count) = @_;
    my $port = $client->{socket}->sockport;
    $count = $client->{answers} unless defined $count;
    my @lines;
    for (1 .. 400) {
        @lines = substr(log_text($client->{port}), $client->{log_from}) =~ /^$port\|.*/mg;
        last if @lines >= $count;
        sleep 0.005;
    }
    @lines = map { WinAuth::Suite::parse($_) } @lines >= $count ? @lines : '|-|not logged|-|-';
    $_->{user} =~ s/\\\\/\\/g for @lines;
    return @lines;
}

# told(CLIENT, RESPONSE): "STATUS [LINE|LINE] (Persistent-Auth) (open or closed) USER REASON", where + stands
# for a line's data.  A leg, which is not logged, has neither user nor reason.
sub told {
    my ($client, $r) = @_;
    my $text = join ' ', $r->{status}, '[' . join('|', map { s/(?<=^Negotiate |^.{4} )\S+$/+/r } $r->all('WWW-Authenticate')) . ']',
        $r->all('Persistent-Auth'), $r->{closed} ? 'closed' : 'open';
    return $text if $text =~ /^401 \[\w+ \+\]/;
    my $line = (log_of($client))[-1];
    return "$text $line->{user} $line->{reason}";
}

# denied(REASON, OFFERS): what a refusal looks like in told().
sub denied {
    my ($reason, $offers) = @_;
    return '401 [' . (defined $offers ? $offers : BOTH) . "] open - $reason";
}

# served(KIND, USER, PERSISTENT): what the end of a login looks like; without KIND, a bound request.
sub served {
    my ($kind, $user, $persistent) = @_;
    my $final = $kind && $kind =~ /Kerberos|SPNEGO/ ? 'Negotiate +' : '';
    return "200 [$final] " . ($kind ? ($persistent || 'true') . ' ' : '') . 'open ' . ($user || ALICE) . ' ok';
}

# own(DIRECTIVES, wrapper => [...], mpm => NAME, before => CODE): a server of the test's own, started, all of it protected.  In DIRECTIVES @DIR@ is
# its directory, @PORT@ its port.
sub own {
    my ($directives, %option) = @_;
    my $server = WinAuth::Server->new('', %option);
    my $site = Apache::Test::vars('documentroot') . '/site';
    my $config = <<"END" . $directives;
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthNTLMAuthority file:$ENV{WA_KDC}/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
LoadModule cgid_module $ENV{WA_MODULES}/mod_cgid.so
ScriptSock \@DIR\@/cgisock
CustomLog \@DIR\@/port.log $FORMAT
Alias /site $site
<Directory $site>
  Options +ExecCGI
</Directory>
AddHandler cgi-script .pl
KeepAliveTimeout 20
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END
    $config =~ s/\@DIR\@/$server->{dir}/g;
    $config =~ s/\@PORT\@/$server->{port}/g;
    $server->write_config($config, $option{mpm} || $ENV{WA_MPM});
    $own{ $server->{port} } = $server;
    $option{before}->($server) if $option{before};
    return $server->start;
}

# http2(SERVER, [NAME => VALUE...]...): one GET /index.html a list, each a stream of the same connection, one
# after the other; pseudo-headers come first.  What became of the streams: "end", or "reset CODE".
sub http2 {
    my ($server, @streams) = @_;
    return http2_on(connection($server), @streams);
}

# http2_on(CLIENT, [NAME => VALUE...]...): the same on a connection that is there.
sub http2_on {
    my ($client, @streams) = @_;
    my $send = sub { $client->raw(pack('CnCCN', 0, length $_[3], @_[ 0 .. 2 ]) . $_[3]) };
    $client->raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $send->(4, 0, 0, '');
    my @ends;
    for my $id (map { 2 * $_ + 1 } 0 .. $#streams) {
        my @given = @{ shift @streams };
        my %pseudo = (':method' => 'GET', ':scheme' => 'http', ':path' => '/index.html', ':authority' => 'localhost');
        while (@given && $given[0] =~ /^:/) {
            my ($name, $value) = splice @given, 0, 2;
            $pseudo{$name} = $value;
        }
        my @headers = (%pseudo, @given);
        my $block = '';
        while (my @pair = splice @headers, 0, 2) {
            $block .= "\0" . join '', map { hpack_length(length $_) . $_ } @pair;
        }
        $send->(1, 5, $id, $block);
        push @ends, stream_end($client, $id, $send);
    }
    return join ', ', @ends;
}

sub hpack_length {
    my ($n) = @_;
    return chr $n if $n < 127;
    my $text = "\x7f";
    for ($n -= 127; $n >= 128; $n >>= 7) {
        $text .= chr($n & 127 | 128);
    }
    return $text . chr $n;
}

sub stream_end {
    my ($client, $wanted, $send) = @_;
    while (1) {
        while (length $client->{buffer} < 9 || length $client->{buffer} < 9 + unpack 'N', "\0$client->{buffer}") {
            $client->fill or return 'closed';
        }
        my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', substr $client->{buffer}, 0, 9, '';
        my $payload = substr $client->{buffer}, 0, $high * 65536 + $low, '';
        $send->(4, 1, 0, '') if $type == 4 && !($flags & 1);
        return 'goaway' if $type == 7;
        next unless $id == $wanted;
        return 'reset ' . unpack 'N', $payload if $type == 3;
        return 'end' if $type < 2 && $flags & 1;
    }
}

# site(NAME, { FILE => TEXT }): a directory of the suite's site; programs end in .pl.
sub site {
    my ($name, $files) = @_;
    my $dir = Apache::Test::vars('documentroot') . "/site/$name";
    mkdir $dir or die "$dir: $!";
    for my $file (sort keys %{$files}) {
        open my $f, '>', "$dir/$file" or die "$file: $!";
        print {$f} $files->{$file};
        close $f or die "$file: $!";
        chmod $file =~ /\.pl$/ ? 0755 : 0644, "$dir/$file";
    }
    return $dir;
}

# field(TOKEN, OFFSET, LENGTH, MAXLEN, WHERE): an NTLM message with that descriptor.
sub field {
    my ($token, $offset, @values) = @_;
    return WinAuth::Token::changed($token, $offset, pack 'vvV', @values);
}

# resp_token(FIELDS): a NegTokenResp, base64: { state, mech, token, mic }.
sub resp_token {
    my ($f) = @_;
    return base64(der(0xa1, der(0x30,
        defined $f->{state} ? der(0xa0, der(0x0a, chr $f->{state})) : '',
        defined $f->{mech} ? der(0xa1, der(0x06, $f->{mech})) : '',
        defined $f->{token} ? der(0xa2, der(0x04, $f->{token})) : '',
        defined $f->{mic} ? der(0xa3, der(0x04, $f->{mic})) : '')));
}

1;
