# Items 56 to 66: SPNEGO.  (Of 61 only that it is so: the library does it.)

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'decode_base64';
use WinAuth::Conformance;
use WinAuth::Der;
use WinAuth::Ntlm;
use WinAuth::Suite qw(PW error_lines);

my $STRANGER = pack 'H*', '2b0601040182370202ff01';
my $U2U = pack 'H*', '2a864886f71201020203';
my $BAD = denied('bad-token');
my $DONE = served('Kerberos');

sub type1 { return WinAuth::Ntlm::negotiate(ntlm_flags(qw(UNICODE REQUEST_TARGET NTLM SIGN ALWAYS_SIGN ESS VERSION 128)), 40) }

# The Kerberos token inside a client's first SPNEGO token.
sub kerberos_token { return decode_base64((login('bare Kerberos', @_))[0]->step) }

# init(MECHS, MECH TOKEN, REST, BEFORE): a NegTokenInit with further fields, before and behind the token.
sub init {
    my ($mechs, $token, $rest, $before) = @_;
    return base64(der(0x60, der(0x06, pack 'H*', '2b0601050502'), der(0xa0, der(0x30,
        der(0xa0, der(0x30, map { der(0x06, $_) } @$mechs)), defined $before ? $before : '',
        defined $token ? der(0xa2, der(0x04, $token)) : '', defined $rest ? $rest : ''))));
}

# send_token(TOKEN, CLIENT, SECTION): (what it is told, the answer, the client).
sub send_token {
    my ($token, $client, $section) = @_;
    $client ||= connection();
    my $r = $client->get(page($section || 'both'), Authorization => "Negotiate $token");
    return (told($client, $r), $r, $client);
}

sub said { return (send_token(@_))[0] }

sub reply { return negotiation($_[0]->token('Negotiate')) }

sub nobody { is told($_[0], $_[0]->get(page('both'))), denied('anonymous'), "$_[1]: nobody is logged in" }

# --- 56: framing

is said((login('Kerberos'))[0]->step), $DONE, 'item 56: Kerberos in SPNEGO';
is said((login('bare Kerberos'))[0]->step), $DONE, 'item 56: Kerberos without';
{
    my $raw = kerberos_token();
    my (undef, $negotiation) = elements(inside(decode_base64(init([KRB5], $raw)), 0x60));
    my %frames = ('no framing' => base64(der($negotiation->[0], $negotiation->[1])),
                  'the AP-REQ alone' => base64(substr $raw, index($raw, "\x6e\x82")),
                  'the OID of NTLM' => base64(der(0x60, der(0x06, NTLMSSP), type1())),
                  'an OID of nobody' => base64(der(0x60, der(0x06, $STRANGER), 'x')),
                  "Windows' OID, without SPNEGO" => base64($raw =~ s/\x48\x86\xf7/\x48\x82\xf7/r),
                  'something behind it' => base64(decode_base64(init([KRB5], $raw)) . 'x'),
                  'nothing in it' => base64(der(0x60)), 'no bytes but one' => base64("\x60"));
    is said($frames{$_}), $BAD, "item 56: $_" for sort keys %frames;
    is said((login('Kerberos'))[0]->step, undef, 'ntlm'), denied('anonymous', 'NTLM'), 'item 56: where it is not offered';
}

# --- 57 to 60: lists, replies, what is ignored

my %LISTS = ("Windows' list" => [ MS_KRB5, KRB5, NEGOEX, NTLMSSP ], "Windows' OID and a stranger" => [ MS_KRB5, $STRANGER ],
             'Kerberos and strangers' => [ KRB5, $STRANGER, NEGOEX, $U2U ], 'Kerberos twice' => [ KRB5, KRB5 ],
             "Windows' OID alone" => [MS_KRB5], 'Kerberos alone' => [KRB5], 'Kerberos, NTLM' => [ KRB5, NTLMSSP ]);
for my $what (sort keys %LISTS) {
    my @mechs = @{ $LISTS{$what} };
    my ($told, $r) = send_token(init(\@mechs, kerberos_token()));
    my $item = grep({ $_ eq $STRANGER || $_ eq NEGOEX } @mechs) ? 57 : 59;
    is $told, $DONE, "item $item: $what";
    my $reply = reply($r);
    is unpack('H*', $reply->{mech}), unpack('H*', $mechs[0]), 'item ' . ($mechs[0] eq MS_KRB5 ? 58 : 59) . ": $what: supportedMech";
    is $reply->{state}, 0, "item 59: $what: accept-completed";
    is substr(unpack('H*', $reply->{token}), 0, 2), '60', "item 58: $what: the reply inside has Kerberos' own OID" if $mechs[0] eq MS_KRB5;
    is index($reply->{token}, MS_KRB5), -1, "item 58: $what: and not the other" if $mechs[0] eq MS_KRB5;
    is $reply->{mic}, undef, "item 63: $what: no mechListMIC";
}
# A list that begins with something else: the optimistic token is not for us, we choose and ask.
for my $case ([ 'a stranger', $STRANGER ], [ 'NEGOEX', NEGOEX ], [ 'user-to-user', $U2U ]) {
    my ($what, $first) = @$case;
    for my $mech ([ 'Kerberos', KRB5 ], [ "Windows' OID", MS_KRB5 ], [ 'NTLM', NTLMSSP ]) {
        my ($told, $r, $client) = send_token(init([ $first, $mech->[1] ], 'an optimistic token'));
        is $told, '401 [Negotiate +] open', "item 57: $what, then $mech->[0]: goes on";
        my $reply = reply($r);
        is unpack('H*', $reply->{mech}), unpack('H*', $mech->[1]), "item 57: $what, then $mech->[0]: which is chosen";
        is $reply->{state}, 3, "item 59: $what, then $mech->[0]: request-mic";
        nobody($client, "item 57: $what, then $mech->[0]");
    }
    is said(init([$first], 'x')), $BAD, "item 64: $what alone";
    is said(init([ $first, $STRANGER ], undef)), $BAD, "item 64: $what and another, without token";
}

{
    my $client = connection();
    my ($token) = login('NTLM inside SPNEGO');
    my @r = $client->login(page('both'), $token, 'Negotiate');
    my ($first, $last) = map { reply($_) } @r;
    is "$first->{state} " . unpack('H*', $first->{mech}), '1 ' . unpack('H*', NTLMSSP), 'item 59: NTLM: accept-incomplete, supportedMech';
    is $first->{mic}, undef, 'item 63: NTLM: no mechListMIC before its time';
    is $last->{state}, 0, 'item 59: NTLM: accept-completed';
    is $last->{mech}, undef, 'item 59: NTLM: supportedMech only in the first reply';
    is told($client, $r[1]), served('NTLM inside SPNEGO'), 'item 59: NTLM: logged in';
}

sub req_flags { return der(0xa1, der(0x03, "\1", chr $_[0])) }

my %IGNORED = (
    'reqFlags 0' => [ undef, req_flags(0) ],
    'reqFlags, all' => [ undef, req_flags(0xfe) ],
    'an unknown field' => [ der(0xa5, der(0x04, 'x')) ],
    'unknown fields' => [ der(0xa6, der(0x30)) . der(0xaf, der(0x02, "\1")), req_flags(0x40) ],
);
for my $what (sort keys %IGNORED) {
    is said(init([KRB5], kerberos_token(), @{ $IGNORED{$what} })), $DONE, "item 60: $what: Kerberos";
    is said(init([NTLMSSP], type1(), @{ $IGNORED{$what} })), '401 [Negotiate +] open', "item 60: $what: NTLM";
}

# --- 62, 64, 66: MICs, refusals, no second choice

for my $mic ('x', 'x' x 28, pack 'H*', '040404ffffffffff' . '00' x 20) {
    for my $list ([KRB5], [ MS_KRB5, KRB5, NTLMSSP ]) {
        my ($told, undef, $client) = send_token(init($list, kerberos_token(), der(0xa3, der(0x04, $mic))));
        is $told, $BAD, 'item 62: Kerberos with a wrong mechListMIC of ' . length($mic) . ' bytes, ' . @$list . ' mechanisms';
        nobody($client, 'item 62');
    }
    my $client = connection();
    my (undef, $answer) = begin($client, 'both', login('NTLM inside SPNEGO'));
    my $type3 = inside(decode_base64($answer =~ s/^Negotiate //r), 0xa1, 0x30, 0xa2, 0x04);
    is said(resp_token({ token => $type3, mic => $mic }), $client), $BAD, 'item 62: NTLM with a wrong mechListMIC of ' . length($mic) . ' bytes';
    nobody($client, 'item 62: NTLM');
}

my %REFUSED = (
    'an altered ticket' => [ sub { WinAuth::Token::flipped((login('Kerberos'))[0]->step, 400) }, 'wrong-key' ],
    'no list' => [ sub { base64(der(0x60, der(0x06, pack 'H*', '2b0601050502'), der(0xa0, der(0x30, der(0xa2, der(0x04, 'x')))))) }, 'bad-token' ],
    'an empty list' => [ sub { init([], 'x') }, 'bad-token' ],
    'a token that is none' => [ sub { init([KRB5], 'x' x 100) }, 'bad-token' ],
    'an empty token' => [ sub { init([NTLMSSP], 'x') }, 'bad-token' ],
    'what a server would begin with' => [ sub {
        init([KRB5], undef, der(0xa3, der(0x30, der(0xa0, der(0x1b, 'not_defined_in_RFC4178@please_ignore')))));
    }, 'bad-token' ],
    'a response comes first' => [ sub { resp_token({ token => 'x' }) }, 'out-of-sequence' ],
    'a reject comes first' => [ sub { resp_token({ state => 2 }) }, 'out-of-sequence' ],
);
for my $what (sort keys %REFUSED) {
    my ($token, $reason) = @{ $REFUSED{$what} };
    my ($told, undef, $client) = send_token($token->());
    is $told, denied($reason), "item 64: $what";
    is said((login('Kerberos'))[0]->step, $client), $DONE, "item 64: $what: and the connection stays usable";
}
for my $case ([ 'a reject', { state => 2 } ], [ 'nothing', {} ], [ 'an empty token', { token => '' } ], [ 'text', { token => 'x' } ]) {
    my $client = connection();
    my (undef, $answer) = begin($client, 'both', login('NTLM inside SPNEGO'));
    is said(resp_token($case->[1]), $client), $BAD, "item 64: $case->[0] where a type-3 is due";
    is said($answer =~ s/^Negotiate //r, $client), denied('out-of-sequence'), "item 64: $case->[0] where a type-3 is due: it is over";
}

for my $list ([ KRB5, NTLMSSP ], [ MS_KRB5, KRB5, NEGOEX, NTLMSSP ]) {
    my $what = @$list . ' mechanisms';
    my $broken = substr(kerberos_token(), 0, -1) . '!';
    my ($told, undef, $client) = send_token(init($list, $broken));
    is $told, denied('wrong-key'), "item 66: $what: Kerberos failed, NTLM is not asked for";
    is said(resp_token({ token => type1() }), $client), denied('out-of-sequence'), "item 66: $what: nor accepted";
    is said(init($list, type1())), $BAD, "item 66: $what: NTLM where Kerberos was chosen";
    nobody($client, "item 66: $what");
}
# Not the client's first choice: where there are keys for it, nobody is logged in without the client's MIC.
for my $case ([ 'Kerberos', KRB5 ], [ 'NTLM', NTLMSSP ]) {
    my ($what, $mech) = @$case;
    for my $choice (1, 2) {
        my @list = $choice == 1 ? $mech : ($STRANGER, $mech);
        my $token = WinAuth::Ntlm->new('alice', PW, 'WINAUTH', mic => 0, type1 => type1());
        my $first = $mech eq KRB5 ? kerberos_token() : decode_base64($token->step);
        my ($told, $r, $client) = send_token(init(\@list, $choice == 1 ? $first : 'x'));
        ($told, $r) = send_token(resp_token({ token => $first }), $client) if $choice == 2;
        ($told, $r) = send_token(resp_token({ token => decode_base64($token->step(base64(reply($r)->{token}))) }), $client)
            if $mech eq NTLMSSP;
        my $name = "item " . ($choice == 1 ? 63 : 61) . ": $what without mechListMIC, choice $choice";
        if ($choice == 1) {
            like $told, qr/^200 \[Negotiate \+\] true open \Q${\ALICE}\E ok$/, $name;
            next;
        }
        is $told, $mech eq KRB5 ? '401 [Negotiate +] open' : denied('bad-mic'), $name;
        is said(resp_token({ state => 0 }), $client), denied($mech eq KRB5 ? 'bad-token' : 'out-of-sequence'), "$name: nor when it insists";
        nobody($client, "item 66: $what without mechListMIC, choice $choice");
    }
}

# --- 65: hostile DER

{
    my $good = decode_base64(init([ MS_KRB5, KRB5, NTLMSSP ], kerberos_token()));
    for my $length (1 .. 60, map { length($good) - $_ } 1 .. 3) {
        is said(base64(substr $good, 0, $length)), $BAD, "item 65: cut off after $length bytes";
    }
    my $list = der(0xa0, der(0x30, der(0x06, KRB5)));
    my $spnego = der(0x06, pack 'H*', '2b0601050502');
    my $nested = '';
    $nested = der(0x30, $nested) for 1 .. 1500;
    my %hostile = (
        'an indefinite length' => "\x60\x80$spnego" . der(0xa0, der(0x30, $list)) . "\0\0",
        'an indefinite length inside' => der(0x60, $spnego, "\xa0\x80" . der(0x30, $list) . "\0\0"),
        'a length of 5 octets' => "\x60\x85\0\0\0\0\x10$spnego" . 'x' x 8,
        'a length of 127 octets' => "\x60\xff" . 'x' x 200,
        'a length of 4 GB' => "\x60\x84\xff\xff\xff\xff$spnego",
        'a length of 4 GB inside' => der(0x60, $spnego, "\xa0\x84\xff\xff\xff\xff"),
        'a list of 4 GB' => der(0x60, $spnego, der(0xa0, der(0x30, "\xa0\x84\xff\xff\xff\xf0"))),
        'a token of 2 GB' => der(0x60, $spnego, der(0xa0, der(0x30, $list, "\xa2\x84\x7f\xff\xff\xff"))),
        'nested 1500 times' => der(0x60, $spnego, $nested),
        'nested in the list' => der(0x60, $spnego, der(0xa0, der(0x30, der(0xa0, $nested)))),
        'an OID of no bytes' => der(0x60, $spnego, der(0xa0, der(0x30, der(0xa0, der(0x30, der(0x06)))))),
        'a thousand mechanisms' => der(0x60, $spnego, der(0xa0, der(0x30, der(0xa0, der(0x30, map { der(0x06, $STRANGER) } 1 .. 400))))),
        'two lists' => der(0x60, $spnego, der(0xa0, der(0x30, $list, $list, der(0xa2, der(0x04, 'x'))))),
        'two tokens' => der(0x60, $spnego, der(0xa0, der(0x30, $list, map { der(0xa2, der(0x04, $_)) } 'x', 'y'))),
        'no sequence' => der(0x60, $spnego, der(0xa0, $list)),
        'an OID that does not end' => der(0x60, $spnego, der(0xa0, der(0x30, der(0xa0, der(0x30, der(0x06, "\xff" x 40)))))),
    );
    is said(base64($hostile{$_})), $BAD, "item 65: $_" for sort keys %hostile;
    for my $what (sort keys %hostile) {
        my $client = connection();
        begin($client, 'both', login('NTLM inside SPNEGO'));
        my $told = said(base64($hostile{$what} =~ s/^\x60/\xa1/r), $client);
        is $told, $BAD, "item 65: $what, in mid-exchange";
    }
    is said((login('Kerberos'))[0]->step), $DONE, 'item 65: the server serves on';
}

is join("\n", error_lines('exit signal')), '', 'item 65: and nothing died of it';
done_testing;
