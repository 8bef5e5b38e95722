package WinAuth::Client;

# An HTTP/1.x client that owns its socket: the test decides what goes over which connection, and sees
# every header line as it came, in order.

use strict;
use warnings FATAL => 'all';
use IO::Socket::INET;
use IO::Socket::SSL ();
use MIME::Base64 ();

my $TIMEOUT = 20;

# new(PORT): connects.
sub new {
    my ($class, $port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp',
                                       Timeout => $TIMEOUT)
        or die "cannot connect to port $port: $@";
    binmode $socket;
    return bless { socket => $socket, port => $port, buffer => '' }, $class;
}

# tls(PORT, NAME, %TLS): the same over TLS, to the server of that name; %TLS goes to IO::Socket::SSL.
sub tls {
    my ($class, $port, $name, %tls) = @_;
    my $socket = IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => $TIMEOUT,
                                      SSL_hostname => $name, SSL_verify_mode => 0, %tls)
        or die "no TLS to $name: $IO::Socket::SSL::SSL_ERROR";
    return bless { socket => $socket, port => $port, buffer => '' }, $class;
}

# certificate: the server's, in DER.
sub certificate {
    my ($self) = @_;
    my $pem = Net::SSLeay::PEM_get_string_X509($self->{socket}->peer_certificate);
    $pem =~ s/-----.*//g;
    return MIME::Base64::decode_base64($pem);
}

# get(PATH, [NAME => VALUE]...): the usual request.
sub get {
    my ($self, $path, @headers) = @_;
    return $self->request('GET', $path, \@headers);
}

# request(METHOD, PATH, \@HEADERS, BODY, VERSION): sends, and returns the response.
sub request {
    my ($self, $method, $path, $headers, $body, $version) = @_;
    $self->send($method, $path, $headers, $body, $version);
    return $self->response($method);
}

sub send {
    my ($self, $method, $path, $headers, $body, $version) = @_;
    my @headers = @{ $headers || [] };
    my %given = map { lc $headers[2 * $_] => 1 } 0 .. @headers / 2 - 1;
    my $text = "$method $path " . ($version || 'HTTP/1.1') . "\r\n";
    $text .= "Host: localhost:$self->{port}\r\n" unless $given{host};
    while (my ($name, $value) = splice @headers, 0, 2) {
        $text .= "$name: $value\r\n";
    }
    $text .= 'Content-Length: ' . length($body) . "\r\n" if defined $body;
    $self->raw("$text\r\n" . (defined $body ? $body : ''));
}

# raw(BYTES): as they are.
sub raw {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    return defined syswrite $self->{socket}, $bytes;
}

sub fill {
    my ($self) = @_;
    local $SIG{ALRM} = sub { die "the server does not answer\n" };
    alarm $TIMEOUT;
    my $n = sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
    alarm 0;
    $self->{eof} = 1 unless $n;
    return $n;
}

# response(METHOD): the next response: { status, line, headers => [[NAME, VALUE]...], body, closed }.
sub response {
    my ($self, $method) = @_;
    until ($self->{buffer} =~ /\r\n\r\n/) {
        $self->fill or return bless { status => 0, headers => [], body => $self->{buffer}, closed => 1 }, 'WinAuth::Response';
    }
    my ($head, $rest) = split /\r\n\r\n/, $self->{buffer}, 2;
    $self->{buffer} = $rest;
    my ($line, @lines) = split /\r\n/, $head;
    my $response = { line => $line, headers => [ map { [ split /: ?/, $_, 2 ] } @lines ] };
    ($response->{status}) = $line =~ m{^HTTP/1\.\d (\d+)} or die "no status line: $line";
    return $self->response($method) if $response->{status} == 100;
    bless $response, 'WinAuth::Response';
    $self->{answers}++ unless $response->{status} == 401 && $response->offers =~ / /;
    $response->{body} = $self->body($method, $response);
    $response->{closed} = $self->closes($response);
    return $response;
}

sub body {
    my ($self, $method, $response) = @_;
    return '' if $method eq 'HEAD' || $response->{status} =~ /^(?:204|304)$/;
    if (($response->header('Transfer-Encoding') || '') eq 'chunked') {
        return $self->chunks;
    }
    my $length = $response->header('Content-Length');
    if (!defined $length) {
        1 while $self->fill;
        return delete $self->{buffer};
    }
    while (length $self->{buffer} < $length) {
        $self->fill or die "the body is cut off\n";
    }
    return substr $self->{buffer}, 0, $length, '';
}

sub chunks {
    my ($self) = @_;
    my $body = '';
    while (1) {
        $self->fill until $self->{buffer} =~ /\r\n/ || $self->{eof};
        $self->{buffer} =~ s/^([0-9a-fA-F]+)[^\r]*\r\n// or die "no chunk\n";
        my $n = hex $1;
        while (length $self->{buffer} < $n + 2) {
            $self->fill or die "the chunk is cut off\n";
        }
        $body .= substr $self->{buffer}, 0, $n, '';
        $self->{buffer} =~ s/^\r\n//;
        return $body unless $n;
    }
}

# True iff the server said or showed that it closes.
sub closes {
    my ($self, $response) = @_;
    return 1 if $self->{eof};
    my $connection = lc($response->header('Connection') || '');
    return $connection =~ /close/ || ($response->{line} =~ /^HTTP\/1\.0/ && $connection !~ /keep-alive/)
        ? 1 : 0;
}

# is_open: false once the server has closed the socket.
sub is_open {
    my ($self) = @_;
    my $bits = '';
    vec($bits, fileno $self->{socket}, 1) = 1;
    return 1 unless select $bits, undef, undef, 0.2;
    return $self->fill ? 1 : 0;
}

sub close {
    my ($self) = @_;
    close $self->{socket};
}

# login(CLIENT, PATH, TOKEN CLIENT, SCHEME, @HEADERS): runs a whole exchange on this connection, and
# returns all its responses.
sub login {
    my ($self, $path, $token, $scheme, @headers) = @_;
    my @responses;
    my $out = $token->step;
    while (1) {
        push @responses, $self->get($path, Authorization => "$scheme $out", @headers);
        my $in = $responses[-1]->token($scheme);
        last unless $responses[-1]{status} == 401 && $in;
        $out = $token->step($in);
    }
    return @responses;
}

package WinAuth::Response;

# header(NAME): the first value, or undef.
sub header {
    my ($self, $name) = @_;
    my ($first) = $self->all($name);
    return $first;
}

# all(NAME): every value, in order.
sub all {
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $self->{headers} };
}

# offers: the challenge lines, joined by "|" so that a test can compare them in one go.
sub offers {
    my ($self) = @_;
    return join '|', $self->all('WWW-Authenticate');
}

# token(SCHEME): the data of the challenge line of that scheme, or undef.
sub token {
    my ($self, $scheme) = @_;
    for my $line ($self->all('WWW-Authenticate')) {
        return $1 if $line =~ /^\Q$scheme\E (\S+)$/;
    }
    return;
}

1;
