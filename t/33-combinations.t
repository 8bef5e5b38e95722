# What a connection knows, times what a request brings, times how its body comes, times who ends the connection:
# the answer, whether the connection stays, and who the next request without credentials is.
#
# The rules, as this file knows them: whoever did not prove on this very connection who he is is nobody; a leg that
# cannot have a successor gets the offers, not a challenge; a body changes nothing but what httpd itself does
# with one that it was not let read.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'encode_base64';
use WinAuth::Own;

my $own = own(<<'END')->start;
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END

# pending(CLIENT, TOKEN CLIENT, SCHEME): sends the first leg; the header that answers the challenge.
sub pending {
    my ($client, $token, $scheme) = @_;
    my $in = $client->get('/index.html', Authorization => "$scheme " . $token->step)->token($scheme) || die "no challenge\n";
    return "$scheme " . $token->step($in);
}

sub bound {
    my ($client, @login) = @_;
    my $answer = pending($client, ntlm());
    my @r = $client->login('/index.html', @login);
    die "no login: $r[-1]{line}\n" unless $r[-1]{status} == 200;
    return $answer;
}

# Each returns the answer to the last challenge of the connection.
my @states = (
    [ 'nothing', sub { my $answer = pending($_[0], ntlm()); $_[0]->get('/index.html'); return $answer } ],
    [ 'NTLM begun', sub { pending($_[0], ntlm()) } ],
    [ 'SPNEGO begun', sub { pending($_[0], spnego_ntlm()) } ],
    [ 'alice by Kerberos', sub { bound($_[0], kerberos()) } ],
    [ 'alice by NTLM', sub { bound($_[0], ntlm()) } ],
);

# Answers to challenges of other connections, for whom they are no use; they may be used again and again.
my $TYPE_3 = pending(to($own), ntlm('bob'));
my $RESPONSE = pending(to($own), spnego_ntlm('bob'));
my $GARBAGE = encode_base64("\x30\x82 no token of any kind", '');

# What comes of a header where it depends on the state; otherwise always the same: "offers" is a 401 with both of
# them, "leg" a 401 with a challenge, a name a login, "=name" a login that was there already.
sub where_begun { return $_[0] =~ /begun/ ? 'alice' : 'offers' }
sub where_bound { return $_[0] =~ /by/ ? '=alice' : 'offers' }
my @headers = (
    [ 'no header', undef, \&where_bound ],
    [ 'type 1', sub { 'NTLM ' . (ntlm('bob'))[0]->step }, 'leg' ],
    [ 'type 1 under Negotiate', sub { 'Negotiate ' . (ntlm('bob'))[0]->step }, 'leg' ],
    [ 'SPNEGO with NTLM', sub { 'Negotiate ' . (spnego_ntlm('bob'))[0]->step }, 'leg' ],
    [ 'the answer', sub { $_[0] }, \&where_begun ],
    [ "another connection's type 3", sub { $TYPE_3 }, 'offers' ],
    [ "another connection's SPNEGO answer", sub { $RESPONSE }, 'offers' ],
    [ 'Kerberos', sub { 'Negotiate ' . (kerberos('bob'))[0]->step }, 'bob' ],
    [ 'garbage', sub { "Negotiate $GARBAGE" }, 'offers' ],
    [ 'no base64', sub { 'NTLM !!!!' }, 'malformed' ],
    [ 'NTLM and nothing', sub { 'NTLM' }, 'offers' ],
    [ 'Bearer', sub { 'Bearer abc' }, 'offers' ],
);

my $TEXT = 'x' x 1000;
my @bodies = (
    [ 'no body', [], '' ],
    [ 'length 0', [ 'Content-Length' => 0 ], '' ],
    [ '1 kB', [ 'Content-Length' => 1000 ], $TEXT ],
    [ '1 kB chunked', [ 'Transfer-Encoding' => 'chunked' ], sprintf "%x\r\n%s\r\n0\r\n\r\n", 1000, $TEXT ],
    [ '1 kB expecting 100', [ 'Content-Length' => 1000, Expect => '100-continue' ], $TEXT ],
);

my @options = (
    [ 'HTTP/1.1', 'HTTP/1.1', [] ],
    [ 'HTTP/1.1 close', 'HTTP/1.1', [ Connection => 'close' ] ],
    [ 'HTTP/1.0 keep-alive', 'HTTP/1.0', [ Connection => 'keep-alive' ] ],
    [ 'HTTP/1.0', 'HTTP/1.0', [] ],
);

# stays(OUTCOME, BODY, OPTION): whether the connection lives on; undef where httpd may do as it likes.
sub stays {
    my ($outcome, $body, $option) = @_;
    return 0 if $outcome eq 'malformed' || $option =~ /close|^HTTP\/1\.0$/;
    return 1 if $outcome eq 'leg';
    return undef if $body =~ /chunked|expecting/ && $option =~ /1\.0/; # which knows neither
    # httpd: it has not asked for the body, so it cannot know what comes next
    return 0 if $outcome eq 'offers' && $body =~ /expecting/;
    return 1;
}

# told(RESPONSE): status, user and challenges, with tokens cut.
sub told {
    my ($r) = @_;
    my $offers = join '|', map { s/ .*/ token/r } $r->all('WWW-Authenticate');
    my $persistent = $r->header('Persistent-Auth');
    return join ' ', $r->{status}, user_of($r), $offers || 'none', defined $persistent ? $persistent : 'none';
}

sub expected {
    my ($outcome, $header, $state, $open) = @_;
    return '401 - Negotiate|NTLM none' if $outcome eq 'offers';
    return '401 - Negotiate none' if $outcome eq 'cut off';    # NTLM would be tried again and again
    return '401 - ' . ($header eq 'type 1' ? 'NTLM' : 'Negotiate') . ' token none' if $outcome eq 'leg';
    return '400 - none none' if $outcome eq 'malformed';
    return '200 ' . ALICE . ' none none' if $outcome eq '=alice';
    # a final token comes with SPNEGO
    my $token = $outcome eq 'bob' || $state =~ /SPNEGO/ ? 'Negotiate token' : 'none';
    return '200 WINAUTH\\' . "$outcome $token " . ($open ? 'true' : 'false');
}

for my $state (@states) {
    for my $header (@headers) {
        for my $body (@bodies) {
            for my $option (@options) {
                my $what = join ', ', map { $_->[0] } $state, $header, $body, $option;
                my $client = to($own);
                my $answer = $state->[1]->($client);
                my @authorization = $header->[1] ? (Authorization => $header->[1]->($answer)) : ();
                my $outcome = ref $header->[2] ? $header->[2]->($state->[0]) : $header->[2];
                $outcome = 'cut off' if $outcome eq 'leg' && $option->[0] =~ /close|^HTTP\/1\.0$/;

                $client->send('GET', '/index.html', [ @authorization, @{ $body->[1] }, @{ $option->[2] } ], undef, $option->[1]);
                $client->raw($body->[2]) if $body->[2] ne '';
                my $r = $client->response('GET');
                my $open = !$r->{closed};
                my $stays = stays($outcome, $body->[0], $option->[0]);
                my $user = $open && $outcome =~ /(alice|bob)/ ? "WINAUTH\\$1" : '-';
                my $next = ($open ? $client : to($own))->get('/index.html');
                is join(', ', told($r), $open ? 'open' : 'closed', 'next ' . user_of($next)),
                    join(', ', expected($outcome, $header->[0], $state->[0], $open),
                         (defined $stays ? $stays : $open) ? 'open' : 'closed', "next $user"), $what;
                $client->close;
            }
        }
    }
}
unlike $own->error_log, qr/exit signal|Segmentation/, 'all workers live';

done_testing;
