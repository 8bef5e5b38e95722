# Item 73: the PAC.  Tickets of our own making, sealed with the service's real key: what libkrb5 must verify, and
# what we must when the signature is right.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Conformance;
use WinAuth::Run;
use WinAuth::Suite qw(error_lines);

my $KDC = $ENV{WA_KDC};
my $SOURCE = $ENV{WA_SOURCE} or die "WA_SOURCE: the source tree\n";
my $REALM = 'WINAUTH.TEST';
my $DOMAIN = 'S-1-5-21-1111111111-2222222222-3333333333';
my $GROUPS = join ',', (map { "$DOMAIN-$_" } 513, 1108 .. 1111), 'S-1-18-1';

sub slurp {
    open my $f, '<:raw', $_[0] or die "$_[0]: $!";
    local $/;
    return scalar <$f>;
}

my $forge = scratch('forge');
my $built = run({}, 'sh', '-c', "cc -o '$forge' '$SOURCE/t/lib/forge.c' \$(pkg-config --cflags --libs krb5)");
$built->{exit} == 0 or die "forge: $built->{err}";

# A whole PAC of a domain controller, for alice.
my $PAC = slurp("$SOURCE/t/unit/vectors/pac-whole.bin");

# place(PAC, TYPE): (index, offset, length) of a buffer.
sub place {
    my ($pac, $wanted) = @_;
    for my $row (0 .. unpack('V', $pac) - 1) {
        my ($type, $size, $offset) = unpack 'VVQ<', substr $pac, 8 + 16 * $row, 16;
        return ($row, $offset, $size) if $type == $wanted;
    }
    die "no buffer $wanted\n";
}

# put(PAC, OFFSET, BYTES), and the same inside a buffer.
sub put { my ($pac, $at, $bytes) = @_; substr $pac, $at, length $bytes, $bytes; return $pac }
sub put_in { my ($pac, $type, $at, $bytes) = @_; return put($pac, (place($pac, $type))[1] + $at, $bytes) }

# with_buffer(PAC, TYPE, BYTES): one buffer more; those behind the header move by its row.
sub with_buffer {
    my ($pac, $type, $bytes) = @_;
    my $count = unpack 'V', $pac;
    my $head = '';
    for my $row (0 .. $count - 1) {
        my ($kind, $size, $offset) = unpack 'VVQ<', substr $pac, 8 + 16 * $row, 16;
        $head .= pack 'VVQ<', $kind, $size, $offset + 16;
    }
    my $body = substr $pac, 8 + 16 * $count;
    $body .= "\0" x (-length($body) % 8);
    my $new = pack 'VVQ<', $type, length $bytes, 8 + 16 * ($count + 1) + length $body;
    return pack('VV', $count + 1, 0) . $head . $new . $body . $bytes . "\0" x (-length($bytes) % 8);
}

# without(PAC, TYPE): that buffer is of a kind nobody knows.
sub without { my ($pac, $type) = @_; return put($pac, 8 + 16 * (place($pac, $type))[0], pack 'V', 99) }

my $server = own(<<'END');
WinAuthExport groups
WinAuthExtendedProtection None
END

my $count = 0;

# ticket(PAC, EDITS): a cache with a ticket for alice that has this PAC.
sub ticket {
    my ($pac, @edits) = @_;
    my $cache = 'FILE:' . scratch('forged-' . ++$count);
    my $run = run({}, $forge, "$KDC/http.keytab", "HTTP/localhost\@$REALM", "alice\@$REALM", scratch("pac-$count", $pac),
                  $cache, @edits);
    die "forge: $run->{err}" if $run->{exit};
    return $cache;
}

# comes(PAC, EDITS): what becomes of it: status, user, SIDs, reason.
my $client;
sub comes {
    my ($kind, @ticket) = @_;
    my $token = WinAuth::Token->client($kind eq 'Kerberos' ? 'spnego' : 'krb5', ticket(@ticket), 'HTTP@localhost');
    $client = connection($server);
    my $r = ($client->login('/site/env.pl', $token, 'Negotiate'))[-1];
    my %seen = map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/, $r->{body};
    my $log = (log_of($client))[-1];
    return join ' ', $r->{status}, $log->{user}, $log->{reason},
        map { defined $seen{$_} ? $seen{$_} : '-' } qw(WINAUTH_SID WINAUTH_UPN WINAUTH_GROUPS);
}

my $SERVED = "200 ADTEST\\alice ok $DOMAIN-1103 alice\@ad.test $GROUPS";
my $REFUSED = '401 - bad-token - - -';

for my $kind ('Kerberos', 'bare Kerberos') {
    # --- signed by the service's key: what a controller would have written
    is comes($kind, $PAC), $SERVED, "item 73: $kind: a signed PAC: name, SID, UPN, groups";
    is comes($kind, slurp("$SOURCE/t/unit/vectors/pac-resource-groups.bin")),
        $SERVED =~ s/($DOMAIN-513)/S-1-5-21-10-20-30-4000,S-1-5-21-10-20-30-4001,$1/r,
        "item 73: $kind: resource groups, of which one is not enabled";
    is comes($kind, with_buffer($PAC, 18, pack 'H*', '010500000000000515000000c7353a428e6b748455a1aec64f040000')), $SERVED,
        "item 73: $kind: the requestor is the user";
    is comes($kind, without($PAC, 1)), '200 WINAUTH\\alice ok - alice@WINAUTH.TEST -',
        "item 73: $kind: without logon information there is a name, and no SID";
    is comes($kind, without($PAC, 12)), $SERVED =~ s/alice\@ad.test/alice\@winauth.test/r,
        "item 73: $kind: without UPN_DNS_INFO the UPN is made up";

    # --- the signature
    my (undef, $logon) = place($PAC, 1);
    my (undef, $signature) = place($PAC, 6);
    for my $byte ([ 'the user\'s RID', $logon + 120 ], [ 'the first group\'s RID', $logon + 0x158 ],
                  [ 'the account\'s name', $logon + 0xf8 ], [ 'the signature', $signature + 4 ],
                  [ 'the signature\'s last byte', $signature + 15 ], [ 'the UPN', (place($PAC, 12))[1] + 24 ],
                  [ 'the last byte', length($PAC) - 1 ]) {
        is comes($kind, $PAC, "flip=$byte->[1]"), $REFUSED, "item 73: $kind: one bit of $byte->[0]";
    }
    is comes($kind, $PAC, 'unsigned'), $REFUSED, "item 73: $kind: somebody else's signature";
    is comes($kind, $PAC, 'wrong-key'), $REFUSED, "item 73: $kind: another key's signature";
    is comes($kind, $PAC, 'old'), $REFUSED, "item 73: $kind: the PAC of another ticket";
    is comes($kind, put_in($PAC, 10, 10, pack 'v', ord 'b')), $REFUSED, "item 73: $kind: the PAC of another client";
    is comes($kind, without($PAC, 6), 'unsigned'), $REFUSED, "item 73: $kind: no signature";
    is comes($kind, without($PAC, 10)), $REFUSED, "item 73: $kind: no client information";

    # --- signed, and yet not to be believed
    my $logon_info = substr $PAC, $logon, (place($PAC, 1))[2];
    my %damaged = (
        'two logon informations' => with_buffer($PAC, 1, $logon_info),
        'the requestor is another' => with_buffer($PAC, 18, pack 'H*', '010500000000000515000000c7353a428e6b748455a1aec650040000'),
        'the requestor is nobody' => with_buffer($PAC, 18, "\0" x 8),
        'UPN_DNS_INFO is about another' => put_in($PAC, 12, 0x52 + 24, pack 'V', 500),
        'UPN_DNS_INFO lies about a length' => put_in($PAC, 12, 0, pack 'v', 0xfffe),
        'more groups than bytes' => put_in($PAC, 1, 128, pack 'V', 0x7fffffff),
        'more extra SIDs than bytes' => put_in($PAC, 1, 216, pack 'V', 0x7fffffff),
        'an object longer than its buffer' => put_in($PAC, 1, 8, pack 'V', 0x7fffffff),
        'a name that could be read in two ways' => put_in($PAC, 1, 0xf8, pack 'v', ord '\\'),
        'a name with a NUL' => put_in($PAC, 1, 0xf8, pack 'v', 0),
    );
    for my $what (sort keys %damaged) {
        is comes($kind, $damaged{$what}), $REFUSED, "item 73: $kind: signed, but $what";
        is told($client, $client->get('/site/env.pl')), denied('anonymous'), "item 73: $kind: $what: nobody is logged in";
    }

    # --- not even a container
    for my $cut (0, 4, 8, 100, length($PAC) - 200) {
        like comes($kind, $PAC, "cut=$cut"), qr/^401 - [a-z-]+ - - -$/, "item 73: $kind: a PAC of $cut bytes";
    }
}

is join("\n", error_lines('exit signal')), '', 'item 73: and nothing died of it';
unlike $server->error_log, qr/exit signal/, 'item 73: nor here';
done_testing;
