package WinAuth::Token;

# Tokens of independent clients (t/lib/tokens.py), one object a client.

use strict;
use warnings FATAL => 'all';
use File::Basename 'dirname';
use File::Spec;
use IPC::Open2;
use MIME::Base64 'decode_base64', 'encode_base64';

my ($in, $out, $pid);
my $count = 0;

sub ask {
    my (@words) = @_;
    if (!$pid) {
        my $program = File::Spec->rel2abs(dirname(__FILE__) . '/../tokens.py');
        $pid = open2($out, $in, '/usr/bin/python3', $program);
    }
    print {$in} join("\t", @words), "\n";
    $in->flush;
    my $line = <$out>;
    die "tokens.py is gone\n" unless defined $line;
    chomp $line;
    $line =~ s/^ok ?// or die "@words[0, 1]: $line\n";
    return $line;
}

END {
    if ($pid) {
        local $?;
        close $in;
        waitpid $pid, 0;
    }
}

# ntlm(USER, PASSWORD, DOMAIN), spnego_ntlm(same), spnego(CCACHE), krb5(CCACHE), both(USER, PASSWORD): a client.
sub client {
    my ($class, $kind, @words) = @_;
    my $name = 'c' . $count++;
    ask($kind, $name, @words);
    return bless { name => $name }, $class;
}

sub ntlm {
    my ($class, $user, $password, $domain) = @_;
    return $class->client('ntlm', defined $domain ? $domain : 'WINAUTH', $user, $password);
}

# ntlmv1(USER, PASSWORD): a client that only knows the old response.
sub ntlmv1 {
    my ($class, $user, $password) = @_;
    return $class->client('ntlm', 'WINAUTH', $user, $password, 0);
}

sub spnego_ntlm {
    my ($class, $user, $password, $domain) = @_;
    return $class->client('spnego-ntlm', defined $domain ? $domain : 'WINAUTH', $user, $password);
}

sub spnego {
    my ($class, $user) = @_;
    return $class->client('spnego', "$ENV{WA_KDC}/$user.ccache", 'HTTP@localhost');
}

# both(USER, PASSWORD): proposes Kerberos, and NTLM behind it.
sub both {
    my ($class, $user, $password) = @_;
    return $class->client('both', "$ENV{WA_KDC}/$user.ccache", 'WINAUTH', $user, $password);
}

# bound(KIND, USER, BINDING, CONF): Kerberos, "spnego" or "krb5", tied to a TLS channel; see tokens.py.
sub bound {
    my ($class, $kind, $user, $binding, $conf) = @_;
    return $class->client($kind, "$ENV{WA_KDC}/$user.ccache", 'HTTP@localhost', unpack('H*', $binding),
                          defined $conf ? $conf : ());
}

sub krb5 {
    my ($class, $user) = @_;
    return $class->client('krb5', "$ENV{WA_KDC}/$user.ccache", 'HTTP@localhost');
}

# step(SERVER TOKEN): the next token, base64.
sub step {
    my ($self, $token) = @_;
    return ask('step', $self->{name}, defined $token ? $token : ());
}

sub is_complete {
    my ($self) = @_;
    return ask('state', $self->{name}) eq 'complete';
}

# changed(TOKEN, OFFSET, BYTES): the token with bytes overwritten at an offset (from its end if < 0).
sub changed {
    my ($token, $offset, $bytes) = @_;
    my $raw = decode_base64($token);
    substr $raw, $offset, length $bytes, $bytes;
    return encode_base64($raw, '');
}

# flipped(TOKEN, OFFSET): the token with one bit changed.
sub flipped {
    my ($token, $offset) = @_;
    my $raw = decode_base64($token);
    substr($raw, $offset, 1) ^= "\x01";
    return encode_base64($raw, '');
}

1;
