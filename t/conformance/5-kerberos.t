# Items 67 to 75: Kerberos.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'decode_base64';
use Time::HiRes qw(sleep time);
use WinAuth::Conformance;
use WinAuth::Der;
use WinAuth::Run;
use WinAuth::Suite qw(error_lines);

my $KDC = $ENV{WA_KDC};
my @KINDS = ('Kerberos', 'bare Kerberos');

# slurp(PATH): a file's bytes.
sub slurp {
    open my $f, '<:raw', $_[0] or die "$_[0]: $!";
    local $/;
    return scalar <$f>;
}

# said(SERVER, TOKEN, @HEADERS): what a fresh connection is told; without SERVER it is the suite's.
sub said {
    my ($server, $token, @headers) = @_;
    my $client = $server ? connection($server) : connection();
    my $r = $client->get($server ? '/index.html' : page('both'), Authorization => "Negotiate $token", @headers);
    return told($client, $r);
}

# A ticket of a few seconds, and servers that know no clock skew.
my $strict = scratch('strict.conf', slurp("$KDC/krb5.conf") =~ s/(\[libdefaults\]\n)/$1    clockskew = 1\n/r);
chmod 0644, $strict or die $!;
(my $dir = $strict) =~ s{/[^/]+$}{};
chmod 0755, $dir or die $!;
my $server = own('', wrapper => [ 'env', "KRB5_CONFIG=$strict" ]);
my $cache = scratch('short.ccache');
my $made = run({ KRB5_CONFIG => "$KDC/krb5.conf" }, 'kinit', '-l', '4s', '-k', '-t', "$KDC/alice.keytab", '-c', $cache, 'alice');
die "kinit: $made->{err}" if $made->{exit};
my $born = time;
my %short;
for my $kind (@KINDS) {
    my $token = WinAuth::Token->client($kind eq 'Kerberos' ? 'spnego' : 'krb5', $cache, 'HTTP@localhost');
    my $client = connection($server);
    my @r = $client->login('/index.html', $token, 'Negotiate');
    is told($client, $r[-1]), served($kind), "item 74: $kind: logged in with it";
    is told($client, $client->get('/index.html')), served(), "item 74: $kind: bound";
    my $late = (login($kind))[0]->step;
    $short{$kind} = [ $client, $late ];
}

# --- 67: the AP-REQ

for my $kind (@KINDS) {
    my ($token) = login($kind);
    my $ticket = $token->step;
    is said(undef, $ticket), served($kind), "item 67: $kind";
    is said(undef, $ticket), denied('replay'), "item 67: $kind: the same again";
    is said(undef, $ticket), denied('replay'), "item 67: $kind: and again";
    my $fresh = (login($kind))[0]->step;
    is said(undef, WinAuth::Token::flipped($fresh, 400)), denied('wrong-key'), "item 67: $kind: one bit of the ticket";
    is said(undef, WinAuth::Token::flipped($fresh, -1)), denied('wrong-key'), "item 67: $kind: one bit of the authenticator";
    is said(undef, $fresh), served($kind), "item 67: $kind: unchanged it is right, for it was not used up";
    my $service = $kind eq 'Kerberos' ? 'spnego' : 'krb5';
    my $other = WinAuth::Token->client($service, "$KDC/alice.ccache", 'host@other.test')->step;
    is said(undef, $other), denied('no-key'), "item 67: $kind: a ticket for another service";
}
{
    my $wrong = own("WinAuthKeytab $KDC/wrong.keytab\n");
    is said($wrong, (login($_))[0]->step), denied('wrong-key'), "item 67: $_: made with another key" for @KINDS;
    is said($wrong, (login('NTLM inside SPNEGO'))[0]->step), '401 [Negotiate +] open', 'item 67: which only Kerberos minds';
}

# --- 68: keys and names

{
    my ($first, @rest) = map { slurp("$KDC/$_.keytab") } qw(empty-of-http wrong http);
    my $all = own("WinAuthKeytab \@DIR\@/all.keytab\n", before => sub {
        $_[0]->file('all.keytab', $first . join '', map { substr $_, 2 } @rest);       # behind the format's number
    });
    for my $kind (@KINDS) {
        is said($all, (login($kind))[0]->step), served($kind), "item 68: $kind: the last of the keytab's keys";
        my $service = $kind eq 'Kerberos' ? 'spnego' : 'krb5';
        is said($all, WinAuth::Token->client($service, "$KDC/alice.ccache", 'host@other.test')->step), served($kind),
            "item 68: $kind: the first of them, of another service";
        for my $host ('www.elsewhere.test', 'other.test:8080', '127.0.0.1') {
            is said($all, (login($kind))[0]->step, Host => $host), served($kind), "item 68: $kind: Host: $host";
        }
    }
}

# --- 69: mutual authentication

for my $kind (@KINDS) {
    for my $path ('/w/both/index.html', '/w/both/missing', '/w/both/env.pl?status=302') {
        my ($token) = login($kind);
        my $r = connection()->get($path, Authorization => 'Negotiate ' . $token->step);
        ok !$token->is_complete, "item 69: $kind, $path: the client waits for the server's proof";
        my $reply = $r->token('Negotiate');
        my $raw = $kind eq 'Kerberos' ? negotiation($reply)->{token} : decode_base64($reply);
        my $start = der(0x06, KRB5) . "\x02\0\x6f";
        is unpack('H*', substr inside($raw, 0x60), 0, length $start), unpack('H*', $start), "item 69: $kind, $path: an AP-REP";
        $token->step($reply);
        ok $token->is_complete, "item 69: $kind, $path: which the client accepts";
    }
    my ($token) = login($kind);
    my ($other) = login($kind, 'bob');
    $token->step;
    my $r = connection()->get(page('both'), Authorization => 'Negotiate ' . $other->step);
    ok !eval { $token->step($r->token('Negotiate')); $token->is_complete }, "item 69: $kind: but not one made for another";
}

# --- 67 once more, 74: later

my $wait = $born + 6.5 - time; # the ticket's four seconds, one of skew, and those that had begun
sleep $wait if $wait > 0;
for my $kind (@KINDS) {
    my ($client, $late) = @{ $short{$kind} };
    is said($server, $late), denied('clock-skew'), "item 67: $kind: a token made too long ago";
    is told($client, $client->get('/index.html')), denied('persist-limit'), "item 74: $kind: its ticket has expired";
    is told($client, $client->get('/index.html')), denied('anonymous'), "item 74: $kind: and the login is gone";
    is told($client, ($client->login('/index.html', login($kind)))[-1]), served($kind), "item 74: $kind: a new one starts";
    is told($client, $client->get('/index.html')), served(), "item 74: $kind: and lasts";
}

is join("\n", error_lines('exit signal')), '', 'item 67: and nothing died of it';
done_testing;
