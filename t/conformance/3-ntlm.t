# Items 37 to 55: NTLM messages.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'decode_base64';
use WinAuth::Conformance;
use WinAuth::Der;
use WinAuth::Ntlm;
use WinAuth::Suite qw(PW error_lines);

my $USUAL = ntlm_flags(qw(UNICODE OEM REQUEST_TARGET NTLM ALWAYS_SIGN ESS));
my $BAD = denied('bad-token', 'NTLM');
my $LEG = '401 [NTLM +] open';
my $DONE = served('raw NTLM');

# first(BYTES, SECTION, SCHEME): what a first message is told.
sub first {
    my ($bytes, $section, $scheme) = @_;
    my $client = connection();
    return told($client, $client->get(page($section || 'ntlm'), Authorization => ($scheme || 'NTLM') . ' ' . base64($bytes)));
}

# type1(FLAGS, LENGTH, DOMAIN FIELDS, WORKSTATION FIELDS, REST)
sub type1 {
    my ($flags, $length, $domain, $workstation, $rest) = @_;
    my $message = WinAuth::Ntlm::negotiate($flags, $length || 32);
    substr $message, 16, 8, pack 'vvV', @$domain if $domain;
    substr $message, 24, 8, pack 'vvV', @$workstation if $workstation;
    return $message . (defined $rest ? $rest : '');
}

# own_client(%OPTIONS): our own NTLMv2 client as alice.
sub own_client { return WinAuth::Ntlm->new('alice', PW, 'WINAUTH', @_) }

# last_leg(TOKEN CLIENT, CHANGE, CHALLENGE CHANGE): what its type-3 is told, after these changes.
sub last_leg {
    my ($token, $change, $before) = @_;
    my $client = connection();
    my $challenge = $client->get(page('ntlm'), Authorization => 'NTLM ' . $token->step)->token('NTLM');
    my $answer = $token->step($before ? $before->($challenge) : $challenge);
    return told($client, $client->get(page('ntlm'), Authorization => 'NTLM ' . ($change ? $change->($answer) : $answer)));
}

# inside_spnego(CHANGE): the same for NTLM inside SPNEGO; CHANGE gets the offset of the type-3, too.
sub inside_spnego {
    my ($change) = @_;
    my $client = connection();
    my (undef, $answer) = begin($client, 'both', login('NTLM inside SPNEGO'));
    (my $token = $answer) =~ s/^Negotiate //;
    my $at = index decode_base64($token), "NTLMSSP\0" . pack('V', 3);
    die "no type-3\n" if $at < 0;
    return told($client, $client->get(page('both'), Authorization => 'Negotiate ' . $change->($token, $at)));
}

# challenge_for(FLAGS, LENGTH): the type-2 that this type-1 gets.
sub challenge_for {
    my ($flags, $length) = @_;
    my $r = connection()->get(page('ntlm'), Authorization => 'NTLM ' . base64(type1($flags, $length || 40)));
    return challenge($r->token('NTLM'));
}

# --- 37 to 39: signature, type, fields

for my $byte (0 .. 7) {
    my $flip = sub { WinAuth::Token::flipped($_[0], $byte + ($_[1] || 0)) };
    is first(decode_base64($flip->(base64(type1($USUAL))))), $BAD, "item 37: type-1, byte $byte of the signature";
    is last_leg(own_client(), $flip), $BAD, "item 37: type-3, byte $byte of the signature";
    is inside_spnego($flip), denied('bad-token'), "item 37: type-3 inside SPNEGO, byte $byte of the signature";
}
is last_leg(own_client()), $DONE, 'item 37: and unchanged it is right';

for my $type (0, 2, 4, 0xffffffff) {
    my $change = sub { WinAuth::Token::changed($_[0], 8 + ($_[1] || 0), pack 'V', $type) };
    is first(decode_base64($change->(base64(type1($USUAL))))), $BAD, "item 38: type $type for 1";
    is first(decode_base64($change->(base64(type1($USUAL)))), 'both', 'Negotiate'), denied('bad-token'), "item 38: type $type for 1, under Negotiate";
    is last_leg(own_client(), $change), $BAD, "item 38: type $type for 3";
    is inside_spnego($change), denied('bad-token'), "item 38: type $type for 3, inside SPNEGO";
}
is first(type1($USUAL)), $LEG, 'item 38: type 1 comes first';
is first("NTLMSSP\0" . pack('V', 3) . "\0" x 60), denied('out-of-sequence', 'NTLM'), 'item 38: type 3 does not';
is last_leg(own_client(), sub { base64(type1($USUAL)) }), $LEG, 'item 38: type 1 comes again';

my %FIELD = (lm => 12, nt => 20, domain => 28, user => 36, workstation => 44, key => 52);
for my $name (sort keys %FIELD) {
    my $at = $FIELD{$name};
    for my $case ([ 'outside', 10, 10, 60_000 ], [ 'one byte too long', 10, 10, -9 ], [ 'that wraps around', 10, 10, 0xfffffff8 ],
                  [ 'of 65535 bytes', 0xffff, 0, 64 ], [ 'at 0', 10, 10, 0 ], [ 'in the fixed part', 10, 10, 63 ]) {
        my ($what, @values) = @$case;
        my $change = sub {
            my ($token, $start) = @_;
            my @v = @values;
            $v[2] += length(decode_base64($token)) - ($start || 0) if $v[2] < 0;
            return field($token, $at + ($start || 0), @v);
        };
        is last_leg(own_client(mic => 0), $change), $BAD, "item 39: $name $what";
        is inside_spnego($change), denied('bad-token'), "item 39: $name $what, inside SPNEGO" if $what eq 'outside';
    }
    my $maxlen = sub { WinAuth::Token::changed($_[0], $at + 2, pack 'v', $_[1]) };
    is last_leg(own_client(mic => 0), sub { $maxlen->($_[0], $_) }), $DONE, "item 39: $name: MaxLen $_ is ignored" for 0, 1, 0xffff;
}
for my $name (qw(lm workstation key)) {
    for my $where (0, 0xffffffff, 100_000) {
        is last_leg(own_client(mic => 0), sub { field($_[0], $FIELD{$name}, 0, 0, $where) }), $DONE,
            "item 39: $name: empty, and its offset $where ignored";
    }
}
is last_leg(own_client(mic => 0), sub { my $raw = decode_base64($_[0]); field($_[0], 44, unpack 'vvV', substr $raw, 28, 8) }), $DONE,
    'item 39: fields that overlap';
for my $length (0, 8, 11, 12, 20, 40, 63) {
    is last_leg(own_client(mic => 0), sub { base64(substr decode_base64($_[0]), 0, $length || 1) }), $BAD, "item 39: a type-3 of $length bytes";
}

# --- 40, 41: type-1

for my $length (16, 32, 40) {
    for my $encoding (qw(UNICODE OEM)) {
        my $type1 = type1(ntlm_flags($encoding, qw(REQUEST_TARGET NTLM ALWAYS_SIGN ESS)), $length);
        my %option = (type1 => $type1, oem => $encoding eq 'OEM' ? 1 : 0);
        is last_leg(own_client(%option, mic => $_)), $DONE, "item 40: $length bytes, $encoding, MIC $_" for 0, 1;
    }
}
is first(substr type1($USUAL), 0, $_), $BAD, "item 40: $_ bytes" for 1, 8, 11, 12, 15;
for my $case ([ 'DOMAIN_SUPPLIED', 'domain', [ 7, 7, 32 ], undef ], [ 'WORKSTATION_SUPPLIED', 'workstation', undef, [ 6, 6, 39 ] ]) {
    my ($flag, $what, $domain, $workstation) = @$case;
    my $wild = [ 9, 9, 60_000 ];
    my $with = $USUAL | ntlm_flags($flag);
    is last_leg(own_client(type1 => type1($with, 32, $domain, $workstation, 'WINAUTHCLIENT'))), $DONE, "item 40: a $what with its flag";
    is last_leg(own_client(type1 => type1($USUAL, 32, $wild, $wild))), $DONE, "item 40: a $what without its flag is not looked at";
    is first(type1($with, 32, $domain && $wild, $workstation && $wild)), $BAD, "item 40: a $what with its flag, outside";
    is first(type1($with, 16)), $BAD, "item 40: a flag for a $what, and no room for it";
}

for my $length (16, 32, 40) {
    my $flags = ntlm_flags(qw(REQUEST_TARGET NTLM ESS));
    is first(type1($flags, $length)), $BAD, "item 41: neither UNICODE nor OEM, $length bytes";
    is first(type1($flags, $length), 'both', 'Negotiate'), denied('bad-token'), "item 41: the same under Negotiate, $length bytes";
    is first(decode_base64(init_token(type1($flags, $length), NTLMSSP)), 'both', 'Negotiate'), denied('bad-token'),
        "item 41: the same inside SPNEGO, $length bytes";
}

# --- 42, 43, 45, 55: type-2

for my $length (16, 32, 40) {
    my $c = challenge_for($USUAL | ntlm_flags('VERSION'), $length);
    is "$c->{signature}$c->{type}", "NTLMSSP\0002", "item 42: $length bytes: signature and type";
    is unpack('H*', $c->{reserved}), '00' x 8, "item 42: $length bytes: the reserved field";
    is $c->{name}, 'WINAUTH', "item 42: $length bytes: the target";
    is join(' ', map { $_->[0] } @{ $c->{pairs} }), '2 1 7 0', "item 42: $length bytes: the info, in Windows' order, to its end";
    is length $c->{pairs}[-1][1], 0, "item 42: $length bytes: which is empty";
    is ord(substr $c->{version}, 7), 15, "item 42: $length bytes: the version, as the flag says";
    my ($low, $high) = unpack 'VV', $c->{pairs}[2][1];
    cmp_ok abs(($high * 2**32 + $low) / 1e7 - 11644473600 - time), '<', 60, "item 45: $length bytes: the time is now";
}
{
    my %seen;
    for (1 .. 5) {
        my $client = connection();
        for (1 .. 20) {
            my $r = $client->get(page('ntlm'), Authorization => 'NTLM ' . base64(type1($USUAL)));
            $seen{ challenge($r->token('NTLM'))->{nonce} }++;
        }
    }
    is scalar(keys %seen), 100, 'item 42: no nonce comes twice';
    my $r = connection()->get(page('both'), Authorization => 'Negotiate ' . (login('NTLM inside SPNEGO'))[0]->step);
    my $c = challenge(base64(negotiation($r->token('Negotiate'))->{token}));
    is_deeply [ $c->{type}, unpack('H*', $c->{reserved}), $c->{pairs}[-1][0] ], [ 2, '00' x 8, 0 ], 'item 42: inside SPNEGO';
    is scalar(grep { $_->[0] == 7 } @{ $c->{pairs} }), 1, 'item 45: inside SPNEGO';
    is $c->{flags} & ntlm_flags(qw(LOCAL_CALL DATAGRAM)), 0, 'item 55: inside SPNEGO';
}

my $always = ntlm_flags(qw(REQUEST_TARGET NTLM ALWAYS_SIGN TARGET_INFO TARGET_DOMAIN));
for my $case ([ 'UNICODE', 'UNICODE' ], [ 'OEM', 'OEM' ], [ 'UNICODE OEM', 'UNICODE' ], [ 'UNICODE ESS LM_KEY', 'UNICODE ESS' ],
              [ 'UNICODE LM_KEY', 'UNICODE' ], [ 'UNICODE SIGN', 'UNICODE SIGN' ], [ 'UNICODE SEAL', 'UNICODE SEAL' ],
              [ 'UNICODE 56 128', 'UNICODE 56 128' ], [ 'UNICODE KEY_EXCH', 'UNICODE' ], [ 'UNICODE SIGN KEY_EXCH', 'UNICODE SIGN KEY_EXCH' ], [ 'UNICODE SIGN 56', 'UNICODE SIGN 56' ], [ 'UNICODE SEAL 128', 'UNICODE SEAL 128' ],
              [ 'UNICODE SIGN SEAL 56 128 VERSION', 'UNICODE SIGN SEAL 56 128 VERSION' ],
              [ 'UNICODE ANONYMOUS TARGET_SERVER DOMAIN_SUPPLIED WORKSTATION_SUPPLIED', 'UNICODE' ]) {
    my ($asked, $got) = @$case;
    is sprintf('%08x', challenge_for(ntlm_flags(split / /, $asked))->{flags}),
        sprintf('%08x', $always | ntlm_flags(split / /, $got)), "item 43: $asked gives $got";
}
is challenge_for(ntlm_flags('OEM'))->{name}, 'WINAUTH', 'item 43: OEM: the target in OEM characters';

for my $asked ('LOCAL_CALL', 'DATAGRAM', 'LOCAL_CALL DATAGRAM') {
    my $flags = $USUAL | ntlm_flags(split / /, $asked);
    is challenge_for($flags)->{flags} & ntlm_flags(qw(LOCAL_CALL DATAGRAM)), 0, "item 55: $asked";
}

# --- 46 to 52: type-3

sub utf16 { return WinAuth::Ntlm::utf16_of($_[0]) }

for my $case ([ 'alice', 'WINAUTH' ], [ 'ALICE', 'WINAUTH' ], [ 'aLiCe', 'winauth' ], [ 'alice', 'WinAuth' ], [ 'alice', '' ]) {
    is last_leg(WinAuth::Ntlm->new($case->[0], PW, $case->[1])), $DONE, "item 46: '$case->[1]\\$case->[0]', our client";
    is last_leg(WinAuth::Token->ntlm($case->[0], PW, $case->[1])), $DONE, "item 46: '$case->[1]\\$case->[0]', ntlm_auth";
}
is last_leg(WinAuth::Ntlm->new('alice', PW, '', edit => sub { $_[0]{domain} = utf16('WINAUTH') })), $DONE,
    'item 46: computed without the domain that is sent';
is last_leg(own_client(edit => sub { $_[0]{domain} = utf16('winauth') })), denied('bad-password', 'NTLM'),
    'item 46: the domain counts as it is sent';
is last_leg(own_client(edit => sub { $_[0]{user} = utf16('bob') })), denied('bad-password', 'NTLM'), 'item 46: another user';
for my $byte (0, 7, 15, 24, 44) {
    my $edit = sub { substr($_[0]{nt}, $byte, 1) ^= "\1" };
    is last_leg(own_client(edit => $edit, mic => 0)), denied('bad-password', 'NTLM'), "item 46: byte $byte of the response";
}

my $MIC = denied('bad-mic', 'NTLM');
for my $kind (qw(Ntlm Token)) {
    my $new = sub { $kind eq 'Ntlm' ? own_client() : WinAuth::Token->ntlm('alice', PW) };
    is last_leg($new->()), $DONE, "item 47: $kind: right";
    is last_leg($new->(), sub { WinAuth::Token::flipped($_[0], $_) }), $MIC, "item 47: $kind: byte $_ of type-3" for 63, 64, 71, 72 .. 87;
    is last_leg($new->(), undef, sub { WinAuth::Token::flipped($_[0], 48) }), $MIC, "item 47: $kind: the client saw another type-2";
}
{
    my $token = own_client();
    my $client = connection();
    my $r = $client->get(page('ntlm'), Authorization => 'NTLM ' . base64(type1($USUAL & ~ntlm_flags('ALWAYS_SIGN'))));
    is told($client, $client->get(page('ntlm'), Authorization => 'NTLM ' . $token->step($r->token('NTLM')))), $MIC,
        'item 47: the client sent another type-1';
    is inside_spnego(sub { WinAuth::Token::flipped($_[0], $_[1] + 75) }), denied('bad-mic'), 'item 47: inside SPNEGO';
}

is last_leg(own_client(mic => 0)), $DONE, 'item 48: without a MIC, as Firefox and curl';
is last_leg(own_client(mic => 0), sub { WinAuth::Token::changed($_[0], 72, 'x' x 16) }), $DONE, 'item 48: which is then not looked at';

for my $length (0, 1, 8, 15, 17, 32) {
    for my $mic (0, 1) {
        is last_leg(own_client(mic => $mic, edit => sub { $_[0]{flags} |= ntlm_flags('KEY_EXCH'); $_[0]{key} = 'k' x $length })), $BAD,
            "item 49: a key of $length bytes, MIC $mic";
    }
}
is last_leg(own_client(mic => 0, edit => sub { $_[0]{flags} |= ntlm_flags('KEY_EXCH'); $_[0]{key} = 'k' x 16 })), $DONE,
    'item 49: a key of 16 bytes';
is inside_spnego(sub {
    my ($token, $at) = @_;
    my $flags = unpack 'V', substr decode_base64($token), $at + 60, 4;
    return field(WinAuth::Token::changed($token, $at + 60, pack 'V', $flags | ntlm_flags('KEY_EXCH')), $at + 52, 0, 0, 0);
}), denied('bad-token'), 'item 49: no key, inside SPNEGO';

my $V1 = denied('ntlmv1-refused', 'NTLM');
is last_leg(WinAuth::Token->ntlmv1('alice', PW)), $V1, 'item 50: NTLMv1 by ntlm_auth';
is last_leg(own_client(mic => 0, edit => sub { $_[0]{nt} = 'x' x 24 })), $V1, 'item 50: a response of 24 bytes';
is last_leg(own_client(mic => 0, edit => sub { $_[0]{nt} = 'x' x 24; $_[0]{lm} = 'clientch' . "\0" x 16 })), $V1, 'item 50: NTLM2 session';
is last_leg(own_client(mic => 0, edit => sub { @{ $_[0] }{qw(nt lm)} = ('', 'x' x 24) })), $V1, 'item 50: LM alone';
is last_leg(own_client(mic => 0, edit => sub { $_[0]{nt} = substr $_[0]{nt}, 0, 43 })), $BAD, 'item 50: neither the one nor the other';
is inside_spnego(sub { WinAuth::Token::changed($_[0], $_[1] + 20, pack 'vv', 24, 24) }), denied('ntlmv1-refused'), 'item 50: inside SPNEGO';

my $NOBODY = denied('anonymous-refused', 'NTLM');
for my $case ([ 'a null session', sub { @{ $_[0] }{qw(user domain nt lm)} = ('', '', '', "\0"); $_[0]{flags} |= ntlm_flags('ANONYMOUS') } ],
              [ 'a null session without LM', sub { @{ $_[0] }{qw(user domain nt lm)} = ('', '', '', ''); $_[0]{flags} |= ntlm_flags('ANONYMOUS') } ],
              [ 'no flag', sub { @{ $_[0] }{qw(user domain nt lm)} = ('', '', '', "\0") } ],
              [ 'no user', sub { $_[0]{user} = '' } ], [ 'no response', sub { @{ $_[0] }{qw(nt lm)} = ('', '') } ],
              [ 'the flag alone', sub { $_[0]{flags} |= ntlm_flags('ANONYMOUS') } ]) {
    is last_leg(own_client(mic => 0, edit => $case->[1])), $NOBODY, "item 51: $case->[0]";
}
is inside_spnego(sub { WinAuth::Token::changed($_[0], $_[1] + 36, pack 'vv', 0, 0) }), denied('anonymous-refused'), 'item 51: inside SPNEGO';

for my $user ('alice@WINAUTH.TEST', 'Alice@winauth.test', 'alice@winauth', 'ALICE@WINAUTH') {
    is last_leg(WinAuth::Ntlm->new($user, PW, '')), $DONE, "item 52: $user, our client";
    is last_leg(WinAuth::Token->ntlm($user, PW, '')), $DONE, "item 52: $user, ntlm_auth";
}
is last_leg(WinAuth::Ntlm->new('alice@ELSEWHERE.TEST', PW, '')), denied('unknown-user', 'NTLM'), 'item 52: another realm';
is last_leg(WinAuth::Ntlm->new('alice@WINAUTH.TEST', 'wrong', '')), denied('bad-password', 'NTLM'), 'item 52: a wrong password';

# --- 53, 54: NTLM under Negotiate

for my $section (qw(both negotiate reversed)) {
    my $client = connection();
    my @r = $client->login(page($section), login('raw NTLM under Negotiate'));
    like $r[0]->offers, qr{\ANegotiate TlRMTVNTUAAC[\w+/]+=*\z}, "item 53: $section: answered raw";
    is told($client, $r[1]), served('raw NTLM'), "item 53: $section: accepted";
    like $r[1]{body}, qr/^AUTH_TYPE=Negotiate\n(?s:.*)^WINAUTH_PACKAGE=NTLM$/m, "item 53: $section: and called so";
    is told($client, $client->get(page($section))), served(), "item 53: $section: bound";
}
for my $case ([ kerberos => 'Negotiate' ], [ 'kerberos+ntlm' => BOTH ]) {
    my ($section, $offers) = @$case;
    for my $kind ('raw NTLM under Negotiate', 'NTLM inside SPNEGO') {
        my $client = connection();
        my @r = $client->login(page($section), login($kind));
        is scalar(@r), 1, "item 54: $section, $kind: at once";
        is told($client, $r[0]), denied('ntlm-not-allowed', $offers), "item 54: $section, $kind: refused";
        $client->login(page('both'), login($kind));
        is told($client, $client->get(page($section))), denied('policy-changed', $offers), "item 54: $section, $kind: nor one from elsewhere";
        my (undef, $answer) = begin($client, 'both', login($kind));
        is told($client, $client->get(page($section), Authorization => $answer)), denied('ntlm-not-allowed', $offers),
            "item 54: $section, $kind: nor one begun elsewhere";
    }
    my $client = connection();
    is told($client, ($client->login(page($section), login('Kerberos')))[-1]), served('Kerberos'), "item 54: $section: Kerberos is accepted";
}

is join("\n", error_lines('exit signal')), '', 'item 39: and nothing died of it';
done_testing;
