# What proved somebody once proves nobody a second time: the same Kerberos authenticator, in whatever wrapping, on
# whatever connection, in whatever process, however many come at once; and an NTLM response to any challenge but
# its own.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'decode_base64', 'encode_base64';
use Time::HiRes 'sleep';
use WinAuth::Der;
use WinAuth::Own;

use constant { AT_ONCE => 8, ROUNDS => 6 };

my $KDC = $ENV{WA_KDC};
my $LOCATION = <<'END';
LogFormat "%{local}p %P %>s %{WINAUTH_REASON}e" process
CustomLog @DIR@/process.log process
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END
my $CHILDREN = <<"END";
StartServers @{[ AT_ONCE ]}
MinSpareServers @{[ AT_ONCE ]}
END
my $THREADS = <<"END";
StartServers 1
ServerLimit 1
ThreadsPerChild @{[ 2 * AT_ONCE ]}
MaxRequestWorkers @{[ 2 * AT_ONCE ]}
END

my %servers = (
    threads   => own($THREADS . $LOCATION, mpm => 'event')->start,
    processes => own($CHILDREN . $LOCATION, mpm => 'prefork')->start,
);
my $own = $servers{threads};

# said(SERVER, HEADER): what a fresh connection is told, and for what reason.
my $serial = 0;
sub said {
    my ($server, $header, $client) = @_;
    my $path = '/index.html?' . ++$serial;
    my $r = ($client || to($server))->get($path, Authorization => $header);
    my ($logged) = reasons($server, $path);
    return (defined $logged ? $logged : 'nothing logged') . ($r->{status} == 200 ? ' ' . user_of($r) : '');
}

my $DONE = '200 ok ' . ALICE;
my $REPLAY = '401 replay';

# --- Kerberos: a fresh connection, in the same process and in others ------------------------------

for my $where (sort keys %servers) {
    for my $kind (\&kerberos, \&krb5) {
        my ($client) = $kind->();
        my $token = 'Negotiate ' . $client->step;
        my $what = "$where, " . ($kind == \&krb5 ? 'bare Kerberos' : 'Kerberos');
        is said($servers{$where}, $token), $DONE, "$what: the first time";
        is said($servers{$where}, $token), $REPLAY, "$what: the second time" for 1 .. 2;
        my $other = $servers{$where eq 'threads' ? 'processes' : 'threads'};
        is said($other, $token), $REPLAY, "$what: at another server of this machine";
    }
}

# at_once(SERVER, HEADER...): all but the last byte of each request first, on a connection each, then those, in one
# go; the answers.  Every connection is accepted before: with prefork, each by a process of its own.
sub at_once {
    my ($server, @headers) = @_;
    my @clients = map { to($server) } @headers;
    $_->get('/index.html') for @clients;
    for my $i (0 .. $#clients) {
        $clients[$i]->raw("GET /index.html HTTP/1.1\r\nHost: localhost\r\nAuthorization: $headers[$i]\r\n\r");
    }
    $_->raw("\n") for @clients;
    return map { $_->response('GET') } @clients;
}

for my $where (sort keys %servers) {
    for my $round (1 .. ROUNDS) {
        my ($client) = $round % 2 ? kerberos() : krb5();
        my $token = 'Negotiate ' . $client->step;
        my @status = sort map { $_->{status} } at_once($servers{$where}, ($token) x AT_ONCE);
        is "@status", '200' . ' 401' x (AT_ONCE - 1), AT_ONCE . " $where at once, round $round: one of them";
        is said($servers{$where}, $token), $REPLAY, "$where, round $round: and none afterwards";
    }
}
my %pids = map { /^\d+ (\d+) 401 replay$/ ? ($1 => 1) : () } split /\n/, $servers{processes}->slurp('process.log');
cmp_ok scalar(keys %pids), '>=', AT_ONCE / 2, 'several processes have met a replay';

# --- Kerberos: the same authenticator in other clothes ---------------------------------------------

# long(BYTES, OCTETS): the same DER with every length in so many octets more than it needs.
sub long {
    my ($bytes, $octets) = @_;
    my $out = '';
    for my $element (elements($bytes)) {
        my ($tag, $body) = @{$element};
        $body = long($body, $octets) if $tag & 0x20;
        my $length = substr pack('N', length $body), -$octets;
        $out .= chr($tag) . chr(0x80 | $octets) . $length . $body;
    }
    return $out;
}

# with_request(KRB5 TOKEN, CODE): the token with its AP-REQ changed.
sub with_request {
    my ($token, $change) = @_;
    my $body = inside($token, 0x60);
    my $head = der(0x06, KRB5) . "\x01\x00";
    my $request = substr $body, length $head;
    return der(0x60, $head, $change->($request));
}

# field(AP-REQ, TAG, CODE): the request with one of its fields changed.
sub field {
    my ($request, $tag, $change) = @_;
    my @fields = map { der($_->[0], $_->[0] == $tag ? $change->($_->[1]) : $_->[1]) }
                     elements(inside($request, 0x6e, 0x30));
    return der(0x6e, der(0x30, @fields));
}

# In the ticket's clear part, another name: any key of the keytab may open it, so it is let in, but once.
sub other_name { return $_[0] =~ s/localhost/anyhost!!/r }

sub bare { return 'Negotiate ' . encode_base64($_[0], '') }
sub spnego { return 'Negotiate ' . init_token(@_) }

# A NegTokenResp with the token inside, for the second leg of an exchange that began without one.
sub second_leg {
    my ($server, $token) = @_;
    my $client = to($server);
    my $first = $client->get('/index.html', Authorization => spnego(undef, KRB5));
    return "no second leg: $first->{status}" unless $first->offers =~ /^Negotiate \S+$/;
    return said($server, bare(der(0xa1, der(0x30, der(0xa2, der(0x04, $token))))), $client);
}

# Each makes a header of a bare Kerberos token.  The last column: what it says when the authenticator has not been
# used, if that is a login; a refusal there means that this form is never let in.
my @clothes = (
    [ 'bare', \&bare, 1 ],
    [ 'in SPNEGO', sub { spnego($_[0], KRB5) }, 1 ],
    [ 'in SPNEGO, by the OID of Windows', sub { spnego($_[0], MS_KRB5) }, 1 ],
    [ 'in SPNEGO, with the list of Windows', sub { spnego($_[0], MS_KRB5, KRB5, NEGOEX, NTLMSSP) }, 1 ],
    [ 'SPNEGO with long lengths', sub { bare(long(decode_base64(init_token($_[0], KRB5)), 3)) }, 0 ],
    [ 'SPNEGO with longer lengths', sub { bare(long(decode_base64(init_token($_[0], KRB5)), 4)) }, 0 ],
    [ 'a long outer length', sub { bare("\x60\x84" . pack('N', length inside($_[0], 0x60)) . inside($_[0], 0x60)) }, 1 ],
    [ 'an AP-REQ with long lengths', sub { bare(with_request($_[0], sub { long($_[0], 3) })) }, 1 ],
    [ 'the same in SPNEGO', sub { spnego(with_request($_[0], sub { long($_[0], 4) }), KRB5) }, 1 ],
    [ 'other options', sub { bare(with_request($_[0], sub { field($_[0], 0xa2, sub { "\x03\x05\x00\x00\x00\x00\x00" }) })) }, 1 ],
    [ 'another service name', sub { bare(with_request($_[0], sub { field($_[0], 0xa3, \&other_name) })) }, 1 ],
    [ 'the same name in SPNEGO', sub { spnego(with_request($_[0], sub { field($_[0], 0xa3, \&other_name) }), KRB5) }, 1 ],
    [ 'bytes behind', sub { bare("$_[0]\x00") }, 0 ],
    [ 'bytes behind the request', sub { bare(with_request($_[0], sub { "$_[0]\x05\x00" })) }, undef ],
    [ 'blanks in the header', sub { 'negotiate    ' . encode_base64($_[0], '') . '  ' }, 1 ],
);

for my $case (@clothes) {
    my ($what, $dress, $lets_in) = @{$case};
    my $unused = said($own, $dress->(decode_base64((krb5())[0]->step)));
    if (defined $lets_in) {
        is $unused eq $DONE ? 1 : 0, $lets_in, "$what, never seen: " . ($lets_in ? 'a login' : 'refused') or diag $unused;
    }
    my $token = decode_base64((krb5())[0]->step);
    my $first = said($own, bare($token));
    is $first, $DONE, "$what: the original is a login";
    my $again = said($own, $dress->($token));
    like $again, qr/^40[01] (?!ok)/, "$what: then it is none";
    is $again, $REPLAY, "$what: but a replay" if $lets_in;

    # and the other way round
    $token = decode_base64((krb5())[0]->step);
    said($own, $dress->($token));
    is said($own, bare($token)), $lets_in ? $REPLAY : $DONE, "$what first: the original is " . ($lets_in ? 'a replay' : 'a login')
        if defined $lets_in;
}

{
    my $token = decode_base64((krb5())[0]->step);
    is second_leg($own, $token), $DONE, 'in a second leg: a login';
    is second_leg($own, $token), $REPLAY, 'in a second leg again: a replay';
    is said($own, bare($token)), $REPLAY, 'bare, after a second leg: a replay';
    my $other = decode_base64((krb5())[0]->step);
    is said($own, bare($other)), $DONE, 'bare: a login';
    is second_leg($own, $other), $REPLAY, 'then in a second leg: a replay';
}

# Different clothes at once, and no two of them are let in.
for my $where (sort keys %servers) {
    my $token = decode_base64((krb5())[0]->step);
    my @forms = map { $_->[1]->($token) } grep { $_->[2] } @clothes;
    my @in = grep { $_->{status} == 200 } at_once($servers{$where}, @forms[0 .. AT_ONCE - 1]);
    is scalar(@in), 1, AT_ONCE . " forms of one token, $where at once: one of them";
}

# --- a replay cache that cannot be written is no replay ---------------------------------------------

{
    my $broken = own($LOCATION, wrapper => [ 'env', 'KRB5RCACHENAME=dfl:', 'KRB5RCACHEDIR=/nonexistent' ])->start;
    for my $kind (\&kerberos, \&krb5) {
        my ($client) = $kind->();
        is said($broken, 'Negotiate ' . $client->step), '503 credentials-unavailable',
            ($kind == \&krb5 ? 'bare Kerberos' : 'Kerberos') . ', no replay cache: nobody is let in, and nobody is accused';
    }
}

# --- a ticket for another service, whose key is in the keytab ------------------------------------------

sub slurp {
    open my $f, '<:raw', $_[0] or die "$_[0]: $!";
    local $/;
    return scalar <$f>;
}

{
    my $both = slurp("$KDC/http.keytab") . substr slurp("$KDC/empty-of-http.keytab"), 2; # behind the format's number
    my $ticket = sub { 'Negotiate ' . WinAuth::Token->client($_[0], "$KDC/alice.ccache", $_[1])->step };
    for my $case ([ 'any', 1, 1 ], [ 'host', 1, 0 ], [ 'HTTP@localhost', 1, 0 ], [ 'HTTP/localhost@WINAUTH.TEST', 1, 0 ],
                  [ 'host@other.test', 0, 1 ], [ 'host/other.test', 0, 1 ]) {
        my ($name, $http, $host) = @{$case};
        my $server = own("WinAuthAcceptorName $name\nWinAuthKeytab \@DIR\@/both.keytab\n$LOCATION", trust => <<'END');
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User "expr=%{REMOTE_USER}"
END
        $server->file('both.keytab', $both);
        $server->start;
        for my $kind (qw(krb5 spnego)) {
            is said($server, $ticket->($kind, 'HTTP@localhost')), $http ? $DONE : '401 wrong-principal',
                "acceptor $name, $kind: a ticket for HTTP";
            is said($server, $ticket->($kind, 'host@other.test')), $host ? $DONE : '401 wrong-principal',
                "acceptor $name, $kind: a ticket for host";
        }
    }
}

# --- NTLM: a response is good for its challenge -----------------------------------------------------------

my %ntlm = ('raw NTLM' => \&ntlm, 'raw NTLM under Negotiate' => \&raw_negotiate, 'NTLM inside SPNEGO' => \&spnego_ntlm);

# challenged(CLIENT, TOKEN CLIENT, SCHEME): sends the first leg; the header that answers the challenge.
sub challenged {
    my ($client, $token, $scheme) = @_;
    my $r = $client->get('/index.html', Authorization => "$scheme " . $token->step);
    return "$scheme " . $token->step($r->token($scheme) || die "no challenge: $r->{line}\n");
}

for my $kind (sort keys %ntlm) {
    for my $where (sort keys %servers) {
        my $server = $servers{$where};
        my $client = to($server);
        my $answer = challenged($client, $ntlm{$kind}->());
        is said($server, $answer), '401 out-of-sequence', "$kind, $where: a connection that has seen no challenge";

        my $other = to($server);
        challenged($other, $ntlm{$kind}->());
        is said($server, $answer, $other), '401 bad-password', "$kind, $where: one with a challenge of its own";

        is said($server, $answer, $client), $DONE, "$kind, $where: its own";
        is said($server, $answer, $client), '401 out-of-sequence', "$kind, $where: its own, twice";
        is $client->get('/index.html')->{status}, 401, "$kind, $where: and what it logged in is forgotten";

        challenged($client, $ntlm{$kind}->());
        is said($server, $answer, $client), '401 bad-password', "$kind, $where: the same connection after a new type 1";
        is said($server, $answer, $client), '401 out-of-sequence', "$kind, $where: the same connection, no more challenge";

        # a right answer is refused once, and then its challenge is gone
        my $late = challenged($client, $ntlm{$kind}->());
        my $newer = challenged($client, $ntlm{$kind}->());
        is said($server, $late, $client), '401 bad-password', "$kind, $where: the answer to the challenge before the last";
        is said($server, $newer, $client), '401 out-of-sequence', "$kind, $where: the answer to the last, too late";
    }
    my @clients = map { to($own) } 1 .. AT_ONCE;
    my @answers = map { challenged($_, $ntlm{$kind}->()) } @clients;
    for my $i (0 .. $#clients) {
        $clients[$i]->raw("GET /index.html HTTP/1.1\r\nHost: localhost\r\nAuthorization: $answers[3]\r\n\r");
    }
    $_->raw("\n") for @clients;
    my @status = map { $_->response('GET')->{status} } @clients;
    is "@status", join(' ', map { $_ == 3 ? 200 : 401 } 0 .. $#clients), "$kind: one answer, to many challenges at once";
}

# One wrapping's answer to another wrapping's challenge.
{
    my $client = to($own);
    my $raw = challenged($client, raw_negotiate());
    is said($own, $raw =~ s/^Negotiate/NTLM/r, $client), '401 out-of-sequence', 'begun under Negotiate, answered under NTLM';
    $raw = challenged($client, ntlm());
    is said($own, $raw =~ s/^NTLM/Negotiate/r, $client), '401 out-of-sequence', 'begun under NTLM, answered under Negotiate';
    $raw = challenged($client, raw_negotiate());
    my $message = decode_base64($raw =~ s/^Negotiate //r);
    is said($own, bare(der(0xa1, der(0x30, der(0xa2, der(0x04, $message))))), $client), '401 out-of-sequence',
        'begun raw, answered inside SPNEGO';
    challenged($client, spnego_ntlm());
    is said($own, $raw, $client), '401 out-of-sequence', 'begun inside SPNEGO, answered raw';
}

done_testing;
