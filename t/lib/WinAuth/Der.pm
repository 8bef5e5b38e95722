package WinAuth::Der;

# As much DER as SPNEGO tokens need: to look into them, and to build some of our own.

use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use MIME::Base64 'decode_base64', 'encode_base64';

our @EXPORT = qw(der elements inside negotiation init_token KRB5 MS_KRB5 NEGOEX NTLMSSP);

use constant {
    SPNEGO  => pack('H*', '2b0601050502'),
    KRB5    => pack('H*', '2a864886f712010202'),
    MS_KRB5 => pack('H*', '2a864882f712010202'),
    NEGOEX  => pack('H*', '2b06010401823702021e'),
    NTLMSSP => pack('H*', '2b06010401823702020a'),
};

# der(TAG, PART...): one element.
sub der {
    my ($tag, @parts) = @_;
    my $body = join '', @parts;
    my $n = length $body;
    my $length = $n < 0x80 ? chr $n : $n < 0x100 ? pack('CC', 0x81, $n) : pack('Cn', 0x82, $n);
    return chr($tag) . $length . $body;
}

# elements(BYTES): [TAG, BODY]...; dies when something is left over.
sub elements {
    my ($bytes) = @_;
    my @elements;
    while (length $bytes) {
        my ($tag, $n) = unpack 'CC', substr $bytes, 0, 2, '';
        if ($n >= 0x80) {
            my $octets = substr $bytes, 0, $n & 0x7f, '';
            $n = hex unpack 'H*', $octets;
        }
        die "an element is cut off\n" if $n > length $bytes;
        push @elements, [ $tag, substr $bytes, 0, $n, '' ];
    }
    return @elements;
}

# inside(BYTES, TAG...): the body that this path of tags leads to, or undef.
sub inside {
    my ($bytes, @tags) = @_;
    for my $tag (@tags) {
        my ($found) = grep { $_->[0] == $tag } elements($bytes);
        return undef unless $found;
        $bytes = $found->[1];
    }
    return $bytes;
}

# negotiation(TOKEN): the fields of a NegTokenResp, given in base64: { state, mech, token, mic }.
sub negotiation {
    my ($token) = @_;
    my $raw = decode_base64($token);
    my @outer = elements($raw);
    die "not one NegTokenResp\n" unless @outer == 1 && $outer[0][0] == 0xa1;
    my $fields = inside($raw, 0xa1, 0x30);
    my $state = inside($fields, 0xa0, 0x0a);
    return {
        state => defined $state ? ord $state : undef,
        mech  => inside($fields, 0xa1, 0x06),
        token => inside($fields, 0xa2, 0x04),
        mic   => inside($fields, 0xa3, 0x04),
    };
}

# init_token(MECH TOKEN, MECH...): a first SPNEGO token, base64, with this list and optimistic token.
sub init_token {
    my ($mech_token, @mechs) = @_;
    my $list = der(0xa0, der(0x30, map { der(0x06, $_) } @mechs));
    my $optimistic = defined $mech_token ? der(0xa2, der(0x04, $mech_token)) : '';
    return encode_base64(der(0x60, der(0x06, SPNEGO), der(0xa0, der(0x30, $list, $optimistic))), '');
}

1;
