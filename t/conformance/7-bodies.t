# Items 82 to 87: bodies, sizes, HEAD.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Digest::MD5 'md5_hex';
use WinAuth::Conformance;
use WinAuth::Ntlm;
use WinAuth::Suite qw(PW error_lines);

my @LEGS = ('raw NTLM', 'raw NTLM under Negotiate', 'NTLM inside SPNEGO');
my @KINDS = (@LEGS, 'Kerberos');

# A program that tells what it got: how much, and whether it is that.
site(bodies => { 'sum.pl' => <<'END' });
#!/usr/bin/perl
use Digest::MD5 'md5_hex';
local $/;
my $body = <STDIN>;
$body = '' unless defined $body;
print "Content-Type: text/plain\n\n", length $body, ' ', md5_hex($body), " $ENV{REMOTE_USER}\n";
END
my $SUM = '/w/both/bodies/sum.pl';
my $OWN = '/site/bodies/sum.pl';

sub seen { return length($_[0]) . ' ' . md5_hex($_[0]) . ' ' . ALICE . "\n" }

# post(CLIENT, PATH, BODY, CODING, @HEADERS): sends; CODING is length or chunked.
sub post {
    my ($client, $path, $body, $coding, @headers) = @_;
    return $client->request('POST', $path, \@headers, $body) if $coding eq 'length';
    $client->send('POST', $path, [ @headers, 'Transfer-Encoding' => 'chunked' ]);
    for (my $at = 0; $at < length $body; $at += 500_000) {
        my $chunk = substr $body, $at, 500_000;
        $client->raw(sprintf "%x\r\n%s\r\n", length $chunk, $chunk);
    }
    $client->raw("0\r\n\r\n");
    return $client->response('POST');
}

# legs(CLIENT, KIND, PATH, [FIRST BODY, CODING], [LAST BODY, CODING], @HEADERS): all answers.
sub legs {
    my ($client, $kind, $path, $first, $last, @headers) = @_;
    my ($token, $scheme) = login($kind);
    return post($client, $path, @$last, Authorization => "$scheme " . $token->step, @headers) if $kind eq 'Kerberos';
    my $r = post($client, $path, @$first, Authorization => "$scheme " . $token->step, @headers);
    my $in = $r->token($scheme) or return $r;
    return ($r, post($client, $path, @$last, Authorization => "$scheme " . $token->step($in), @headers));
}

sub body { return substr join('', map { pack 'N', $_ } 1 .. $_[0] / 4 + 1), 0, $_[0] }

my %BODY = map { $_ => body($_) } 0, 1, 8000, 200_000;
$BODY{10_000_000} = $BODY{200_000} x 50;

for my $kind (@LEGS) {
    my $scheme = (login($kind))[1];
    for my $size (1, 200_000) {
        my $client = connection();
        my @r = legs($client, $kind, $SUM, [ '', 'length' ], [ $BODY{$size}, 'length' ]);
        is told($client, $r[0]), "401 [$scheme +] open", "item 82: $kind: Content-Length 0 with the first leg";
        is $r[1]{body}, seen($BODY{$size}), "item 82: $kind: $size bytes with the last, and the handler sees them";
        is told($client, $r[1]), served($kind), "item 82: $kind: served";
    }
}

# 10 MB with a first leg are above the default of WinAuthDrainLimit.
my $wide = own("WinAuthDrainLimit 20000000\nLimitRequestFieldSize 65536\n");
for my $kind (@KINDS) {
    my $scheme = (login($kind))[1];
    for my $coding (qw(length chunked)) {
        for my $size (sort { $a <=> $b } keys %BODY) {
            my $body = $BODY{$size};
            my $what = "$kind, $coding, $size bytes";
            my $client = $size > 1e6 ? connection($wide) : connection();
            my $path = $size > 1e6 ? $OWN : $SUM;
            my @r = legs($client, $kind, $path, [ $body, $coding ], [ $body, $coding ]);
            is told($client, $r[0]), "401 [$scheme +] open", "item 83: $what: the first leg" if $kind ne 'Kerberos';
            is $r[-1]{body}, seen($body), "item 83: $what: seen once";
            is told($client, $r[-1]), served($kind), "item 83: $what: served";
            my $r = post($client, $path, "$body!", $coding);
            is $r->{body}, seen("$body!"), "item 83: $what: the next one on that connection, too";
        }
    }
}

# --- 84: Expect: 100-continue

# expecting(CLIENT, CREDENTIALS, BODY): sends the head, waits for the 100, sends the body: the answer.
sub expecting {
    my ($client, $credentials, $body) = @_;
    $client->send('POST', $SUM, [ Authorization => $credentials, Expect => '100-continue', 'Content-Length' => length $body ]);
    $client->fill or die "closed\n" until $client->{buffer} =~ /\r\n\r\n/;
    my $said = $client->{buffer} =~ s{\AHTTP/1\.1 100 Continue\r\n\r\n}{} ? 100 : 0;
    $client->raw($body);
    return ($said, $client->response('POST'));
}

for my $kind (@KINDS) {
    for my $size (1, 200_000) {
        my ($client, $said, $r) = connection();
        my ($token, $scheme) = login($kind);
        my $credentials = "$scheme " . $token->step;
        if ($kind ne 'Kerberos') {
            ($said, $r) = expecting($client, $credentials, $BODY{$size});
            is $said, 100, "item 84: $kind, $size bytes, first leg: 100";
            is told($client, $r), "401 [$scheme +] open", "item 84: $kind, $size bytes, first leg: stays open";
            $credentials = "$scheme " . $token->step($r->token($scheme));
        }
        ($said, $r) = expecting($client, $credentials, $BODY{$size});
        is $said, 100, "item 84: $kind, $size bytes, last leg: 100";
        is $r->{body}, seen($BODY{$size}), "item 84: $kind, $size bytes, last leg: the body";
        is told($client, $r), served($kind), "item 84: $kind, $size bytes, last leg: served";
    }
    next if $kind eq 'Kerberos';
    my $client = connection();
    my ($r) = legs($client, $kind, $SUM, [ '', 'length' ], [ 'x', 'length' ], Expect => '100-continue');
    is told($client, $r), '401 [' . (login($kind))[1] . ' +] open', "item 84: $kind, first leg: nothing to wait for";
}

# --- 85, 86: limits

for my $kind (@LEGS) {
    for my $coding (qw(length chunked)) {
        for my $size (1_048_577, 4_000_000) {
            my $client = connection();
            my @r = legs($client, $kind, $SUM, [ 'x' x $size, $coding ], [ '', 'length' ]);
            is told($client, $r[0]), '401 [' . BOTH . '] closed - body-too-large', "item 85: $kind, $coding, $size bytes";
            ok !$client->is_open, "item 85: $kind, $coding, $size bytes: closed";
        }
    }
    my $client = connection();
    my @r = legs($client, $kind, $SUM, [ 'x' x 1_048_576, 'length' ], [ 'y', 'length' ]);
    is told($client, $r[-1]), served($kind), "item 85: $kind: as much as the cap says is read";
}

my $usual = ntlm_flags(qw(UNICODE OEM REQUEST_TARGET NTLM ALWAYS_SIGN ESS));
my $long = WinAuth::Ntlm::negotiate($usual, 32) . "\0" x (48_000 - 32);
for my $case ([ 'garbage', base64('x' x 48_000), denied('bad-token') ], [ 'a type-1', base64($long), '401 [NTLM +] open' ]) {
    my ($what, $token, $expected) = @$case;
    is length $token, 64_000, "item 86: $what of 64,000 characters";
    for my $scheme (qw(NTLM Negotiate)) {
        my $client = connection($wide);
        is told($client, $client->get('/index.html', Authorization => "$scheme $token")), $expected =~ s/\[NTLM /[$scheme /r,
            "item 86: $what, $scheme, LimitRequestFieldSize 65536";
        $client = connection();
        like told($client, $client->get(page('both'), Authorization => "$scheme $token")), qr/^400 \[\] closed - /,
            "item 86: $what, $scheme, by default";
    }
}
{
    my $client = connection($wide);
    my @r = $client->login('/index.html', WinAuth::Ntlm->new('alice', PW, 'WINAUTH', type1 => $long), 'NTLM');
    is told($client, $r[-1]), served('raw NTLM'), 'item 86: such a type-1 starts a login';
    isnt scalar(error_lines('exceeds LimitRequestFieldSize|exceeds server limit')), 0, "item 86: httpd's log has the hint";
}

# --- 87: HEAD

for my $kind (@KINDS) {
    my $client = connection();
    my $r = $client->request('HEAD', '/w/both/index.html');
    is told($client, $r), denied('anonymous'), "item 87: $kind: nobody yet";
    my @r = exchange($client, 'HEAD', '/w/both/index.html', [ login($kind, 'alice', 'wrong') ]);
    is told($client, $r[-1]), $kind eq 'Kerberos' ? served($kind) : denied('bad-password'), "item 87: $kind: a wrong password";
    @r = exchange($client, 'HEAD', '/w/both/index.html', [ login($kind) ]);
    is told($client, $r[0]), '401 [' . (login($kind))[1] . ' +] open', "item 87: $kind: the first leg" if $kind ne 'Kerberos';
    is told($client, $r[-1]), served($kind), "item 87: $kind: the last leg";
    is $r[-1]->header('Content-Length'), 7, "item 87: $kind: as GET";
    is told($client, $client->request('HEAD', '/w/both/index.html')), served(), "item 87: $kind: bound";
    is $client->get('/w/both/index.html')->{body}, "a page\n", "item 87: $kind: and no body came in between";
}

is join("\n", error_lines('exit signal')), '', 'item 83: and nothing died of it';
done_testing;
