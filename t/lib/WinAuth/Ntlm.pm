package WinAuth::Ntlm;

# An NTLMv2 client of our own, for messages that no real client can be made to send, and a decoder of
# challenges.  Source: [MS-NLMP] 2.2.1, 2.2.2.1, 2.2.2.7, 3.3.2.

use strict;
use warnings FATAL => 'all';
use Digest::MD5 'md5';
use Encode 'decode', 'encode';
use Exporter 'import';
use MIME::Base64 'decode_base64', 'encode_base64';
use WinAuth::Token ();

our @EXPORT = qw(challenge);

our %FLAG = (
    UNICODE => 0x1, OEM => 0x2, REQUEST_TARGET => 0x4, SIGN => 0x10, SEAL => 0x20, DATAGRAM => 0x40,
    LM_KEY => 0x80, NTLM => 0x200, ANONYMOUS => 0x800, DOMAIN_SUPPLIED => 0x1000,
    WORKSTATION_SUPPLIED => 0x2000, LOCAL_CALL => 0x4000, ALWAYS_SIGN => 0x8000,
    TARGET_DOMAIN => 0x10000, TARGET_SERVER => 0x20000, ESS => 0x80000, TARGET_INFO => 0x800000,
    VERSION => 0x2000000, 128 => 0x20000000, KEY_EXCH => 0x40000000, 56 => 0x80000000,
);

# flags(NAME...): their sum.
sub flags {
    my $sum = 0;
    $sum |= $FLAG{$_} || die "no flag $_" for @_;
    return $sum;
}

# negotiate(FLAGS, LENGTH): a type-1 of 16, 32 or 40 bytes.
sub negotiate {
    my ($flags, $length) = @_;
    my $message = "NTLMSSP\0" . pack 'VV', 1, $flags;
    $message .= pack 'vvVvvV', 0, 0, 0, 0, 0, 0 if $length >= 32;
    $message .= pack 'CCvCCCC', 10, 0, 19041, 0, 0, 0, 15 if $length >= 40;
    return $message;
}

# challenge(TOKEN): a type-2, given in base64, decoded.
sub challenge {
    my ($token) = @_;
    my $raw = decode_base64($token);
    my ($signature, $type, $name_len, undef, $name_off, $flags, $nonce, $reserved, $info_len, undef,
        $info_off, $version) = unpack 'a8 V v v V V a8 a8 v v V a8', $raw;
    my $info = substr $raw, $info_off, $info_len;
    my @pairs;
    while (length $info) {
        my ($id, $length) = unpack 'vv', substr $info, 0, 4, '';
        push @pairs, [ $id, substr $info, 0, $length, '' ];
    }
    my $name = substr $raw, $name_off, $name_len;
    return {
        raw => $raw, signature => $signature, type => $type, flags => $flags, nonce => $nonce,
        reserved => $reserved, version => $version, pairs => \@pairs,
        name => $flags & $FLAG{UNICODE} ? utf8_of($name) : $name,
    };
}

sub utf8_of { return encode('UTF-8', decode('UTF-16LE', $_[0])) }
sub utf16_of { return encode('UTF-16LE', decode('UTF-8', $_[0])) }

# pair(CHALLENGE, ID): the value of an AV pair as text, or undef.
sub pair {
    my ($challenge, $id) = @_;
    my ($found) = grep { $_->[0] == $id } @{ $challenge->{pairs} };
    return $found ? utf8_of($found->[1]) : undef;
}

sub hmac_md5 {
    my ($key, $data) = @_;
    $key = substr $key . "\0" x 64, 0, 64;
    return md5(($key ^ "\x5c" x 64) . md5(($key ^ "\x36" x 64) . $data));
}

# RC4, with which a key exchange hides the key.
sub rc4 {
    my ($key, $data) = @_;
    my ($j, @state) = (0, 0 .. 255);
    for my $i (0 .. 255) {
        $j = ($j + $state[$i] + ord substr $key, $i % length $key, 1) % 256;
        @state[ $i, $j ] = @state[ $j, $i ];
    }
    my ($x, $y) = (0, 0);
    return join '', map {
        $x = ($x + 1) % 256;
        $y = ($y + $state[$x]) % 256;
        @state[ $x, $y ] = @state[ $y, $x ];
        chr(ord($_) ^ $state[ ($state[$x] + $state[$y]) % 256 ]);
    } split //, $data;
}

# new(USER, PASSWORD, DOMAIN, type1 => BYTES, oem => 1, mic => 0, exchange => KEY, pairs => [ [ID, BYTES]... ], edit => CODE): a
# client; pairs are added to the server's.  With exchange it
# sends that key of 16 bytes for the MIC; its type-1 must ask for it.  CODE gets the
# fields of the type-3 { lm, nt, domain, user, workstation, key, flags } before it is put together, the NTLMv2
# hash and the server's challenge.
sub new {
    my ($class, $user, $password, $domain, %option) = @_;
    my $flags = flags(qw(UNICODE OEM REQUEST_TARGET NTLM ALWAYS_SIGN ESS));
    return bless { user => $user, password => $password, domain => $domain, mic => 1,
                   type1 => negotiate($flags, 32), %option }, $class;
}

# step(SERVER TOKEN): the next token, base64; as WinAuth::Token.
sub step {
    my ($self, $token) = @_;
    return encode_base64(defined $token ? $self->authenticate(decode_base64($token)) : $self->{type1}, '');
}

# The client's half of the response; the flag in front of the end says that there is a MIC.
sub blob {
    my ($self, $challenge) = @_;
    my $info = '';
    my $time = pack 'V2', 0, 0x1da0000;
    for my $pair (@{ $challenge->{pairs} }) {
        $time = $pair->[1] if $pair->[0] == 7;
        $info .= pack 'v v a*', $pair->[0], length $pair->[1], $pair->[1] if $pair->[0];
    }
    my ($flags) = grep { $_->[0] == 6 } @{ $self->{pairs} || [] };
    $info .= pack 'v v V', 6, 4, ($self->{mic} ? 2 : 0) | ($flags ? unpack 'V', $flags->[1] : 0)
        if $self->{mic} || $flags;
    $info .= pack 'v v a*', $_->[0], length $_->[1], $_->[1] for grep { $_->[0] != 6 } @{ $self->{pairs} || [] };
    return pack('C C v V a8 a8 V', 1, 1, 0, 0, $time, 'nonce678', 0) . $info . pack 'V2', 0, 0;
}

sub authenticate {
    my ($self, $type2) = @_;
    my $challenge = challenge(encode_base64($type2, ''));
    my $hash = pack 'H*', WinAuth::Token::ask('nthash', '-', $self->{password});
    my $key = hmac_md5($hash, encode('UTF-16LE', uc(decode('UTF-8', $self->{user}))
                                     . decode('UTF-8', $self->{domain})));
    my $blob = $self->blob($challenge);
    my $proof = hmac_md5($key, $challenge->{nonce} . $blob);
    my $text = $self->{oem} ? sub { $_[0] } : \&utf16_of;
    my %field = (lm => "\0" x 24, nt => $proof . $blob, domain => $text->($self->{domain}),
                 user => $text->($self->{user}), workstation => $text->('CLIENT'), key => '',
                 flags => $challenge->{flags});
    my $exported = hmac_md5($key, $proof);
    if ($self->{exchange}) {
        $field{key} = rc4($exported, $self->{exchange});
        $exported = $self->{exchange};
    }
    $self->{edit}->(\%field, $key, $challenge->{nonce}) if $self->{edit};
    my $message = type3(\%field);
    if ($self->{mic}) {
        substr $message, 72, 16, hmac_md5($exported, $self->{type1} . $type2 . $message);
    }
    return $message;
}

# The fields follow the fixed part, the version and the MIC.
sub type3 {
    my ($field) = @_;
    my ($fixed, $payload) = ("NTLMSSP\0" . pack('V', 3), '');
    for my $name (qw(lm nt domain user workstation key)) {
        my $n = length $field->{$name};
        $fixed .= pack 'v v V', $n, $n, 88 + length $payload;
        $payload .= $field->{$name};
    }
    return $fixed . pack('V', $field->{flags}) . "\0" x 24 . $payload;
}

1;
