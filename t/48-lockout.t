# WinAuthLockout: after so many wrong passwords no more of them reach the authority, whichever way they come, in
# whatever spelling, to whichever process; and nobody else notices.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Time::HiRes qw(sleep time);
use WinAuth::Client;
use WinAuth::Ntlm;
use WinAuth::Own;
use WinAuth::Token;

my $SITE = <<'END';
<IfModule mpm_prefork_module>
  StartServers 4
</IfModule>
<Location />
  AuthType WinAuth
  AuthName tests
  Require valid-user
  WinAuthProviders Negotiate NTLM Basic
</Location>
END
my $count = 0;
my @held; # connections that keep their process busy

# A token client that may be wrong in every way: (USER, PASSWORD, DOMAIN).
sub own_ntlm { return (WinAuth::Ntlm->new(@_), 'NTLM') }

# attempt(SERVER, LOGIN): [last answer, path]; LOGIN is a token client and a scheme, or an Authorization header.
sub attempt {
    my ($own, @login) = @_;
    shift @held if @held > 2;
    my $path = '/index.html?' . ++$count;
    my $client = to($own);
    return [ $client->get($path, @login), $path ] if $login[0] eq 'Authorization';
    push @held, $client;
    my @r = $client->login($path, @login);
    return [ $r[-1], $path ];
}

# gives(SERVER, [LOGIN], OUTCOME, REASON, WHAT)
sub gives {
    my ($own, $login, $outcome, $reason, $what) = @_;
    my $attempt = attempt($own, @{$login});
    my ($r, $path) = @{$attempt};
    my @reasons = grep { !/handshake/ } reasons($own, $path);
    is outcome($r) . ' ' . ($reasons[-1] || '-'), "$outcome $reason", $what;
    return $r;
}

my $OFFERS = '401 Negotiate|NTLM|Basic realm="tests", charset="UTF-8"';

# --- one count for all ways, spellings and processes ------------------------------------------------

for my $mpm ('prefork', $ENV{WA_MPM} eq 'prefork' ? () : $ENV{WA_MPM}) {
    my $own = own("WinAuthLockout attempts=3 window=600\n$SITE", mpm => $mpm)->start;
    my $wrong = gives($own, [ ntlm('alice', 'wrong') ], $OFFERS, '401 bad-password', "$mpm: raw NTLM, wrong");
    gives($own, [ spnego_ntlm('alice', 'wrong') ], $OFFERS, '401 bad-password', "$mpm: inside SPNEGO, wrong");
    gives($own, [ basic('WINAUTH\\Alice', 'wrong') ], $OFFERS, '401 bad-password', "$mpm: Basic, wrong");
    my %processes = map { $_ => 1 } $own->error_log =~ /\[pid (\d+)[^\n]*WA0101: bad-password/g;
    cmp_ok scalar(keys %processes), '>=', 2, "$mpm: in several processes" if $mpm eq 'prefork';
    @held = ();
    my $locked = gives($own, [ ntlm('alice') ], $OFFERS, '401 locked-out', "$mpm: raw NTLM, right, but the fourth");
    is_deeply [ map { $_->[0] } @{ $locked->{headers} } ], [ map { $_->[0] } @{ $wrong->{headers} } ],
        "$mpm: which looks to the client like a wrong one";
    is $locked->{body}, $wrong->{body}, "$mpm: to the last letter";
    gives($own, [ raw_negotiate('alice') ], $OFFERS, '401 locked-out', "$mpm: raw NTLM under Negotiate");
    gives($own, [ spnego_ntlm('alice') ], $OFFERS, '401 locked-out', "$mpm: inside SPNEGO");
    gives($own, [ basic('alice', 'Passw0rd-alice') ], $OFFERS, '401 locked-out', "$mpm: Basic");
    for my $spelling ([ 'ALICE', '' ], [ 'alice@WINAUTH.TEST', '' ], [ 'aLiCe@winauth.test', '' ], [ 'alice', 'winauth' ],
                      [ 'alice', 'WINAUTH.TEST' ], [ 'alice', 'NOWHERE' ], [ 'alice@nowhere', 'WINAUTH' ],
                      [ ' alice ', 'WINAUTH' ], [ 'WINAUTH\\alice', '' ]) {
        my ($user, $domain) = @{$spelling};
        gives($own, [ own_ntlm($user, 'Passw0rd-alice', $domain) ], $OFFERS, '401 locked-out', "$mpm: $domain\\$user");
    }
    for my $name (qw(alice@WINAUTH.TEST winauth\\ALICE \\alice)) {
        gives($own, [ basic($name, 'Passw0rd-alice') ], $OFFERS, '401 locked-out', "$mpm: Basic, $name");
    }
    gives($own, [ kerberos('alice') ], '200 WINAUTH\\alice', '200 ok', "$mpm: who has a ticket logs in") for 1 .. 4;
    gives($own, [ ntlm('bob') ], '200 WINAUTH\\bob', '200 ok', "$mpm: so does somebody else") for 1 .. 4;
    like $own->error_log, qr/\[winauth:warn\][^\n]*WA0101: locked-out: [^\n]*WinAuthLockout: [^\n]*alice/,
        "$mpm: the error log names directive and account";
}

# --- what counts --------------------------------------------------------------------------------------

{
    my $own = own("WinAuthLockout attempts=3 window=600 per=user\n$SITE")->start;
    for my $round (1 .. 3) {
        gives($own, [ ntlm('alice', 'wrong') ], $OFFERS, '401 bad-password', "round $round: wrong") for 1 .. 2;
        gives($own, [ ntlm('alice') ], '200 WINAUTH\\alice', '200 ok', "round $round: the right one clears the count");
    }
    gives($own, [ ntlm('nobody', 'x') ], $OFFERS, '401 unknown-user', 'an account that does not exist is not counted')
        for 1 .. 5;
    my ($token) = own_ntlm('alice', 'Passw0rd-alice', 'WINAUTH', edit => sub { $_[0]{nt} = 'x' x 24 }, mic => 0);
    gives($own, [ $token, 'NTLM' ], $OFFERS, '401 ntlmv1-refused', 'nor is what is refused by its shape');
    gives($own, [ ntlm('alice') ], '200 WINAUTH\\alice', '200 ok', 'as one sees');

    # more at one time than may be refused
    my @clients = map { [ to($own), (ntlm('alice'))[0] ] } 1 .. 12;
    for (@clients) {
        my $in = $_->[0]->get('/', Authorization => 'NTLM ' . $_->[1]->step)->token('NTLM');
        $_->[2] = $_->[1]->step($in);
    }
    $_->[0]->send('GET', '/', [ Authorization => "NTLM $_->[2]" ]) for @clients;
    my %outcomes;
    $outcomes{ outcome($_->[0]->response('GET')) }++ for @clients;
    is_deeply \%outcomes, { '200 WINAUTH\\alice' => 12 }, 'twelve connections of one user at one time: all are served';
}

{
    my $own = own("WinAuthLockout attempts=2 window=2\n$SITE")->start;
    gives($own, [ ntlm('alice', 'wrong') ], $OFFERS, '401 bad-password', 'a short window: wrong') for 1 .. 2;
    gives($own, [ ntlm('alice') ], $OFFERS, '401 locked-out', 'a short window: locked');
    my $start = time;
    my $r;
    until (time - $start > 20) {
        ($r) = @{ attempt($own, ntlm('alice')) };
        last if $r->{status} == 200;
        sleep 0.2;
    }
    is $r->{status}, 200, 'a short window: passes';
    cmp_ok time - $start, '>=', 1, 'a short window: but not at once';
}

# --- addresses ------------------------------------------------------------------------------------------

{
    my $own = own(<<"END", modules => ['remoteip'])->start;
WinAuthLockout attempts=3 window=600 per=address
RemoteIPHeader X-Real-IP
RemoteIPInternalProxy 127.0.0.1
WinAuthTrustedProxy 127.0.0.1
$SITE
END
    my $from = sub { return map { to($own)->get("/?$_[0]", 'X-Real-IP' => $_[0], basic(@{$_})) } [ @_[1, 2] ] };
    my ($attacker, $neighbour) = ('192.0.2.66', '192.0.2.67');
    is +($from->($attacker, 'alice', 'wrong'))[0]{status}, 401, 'per=address: alice, wrong';
    is +($from->($attacker, 'bob', 'wrong'))[0]{status}, 401, 'per=address: bob, wrong';
    is +($from->($attacker, 'alice', 'Passw0rd-alice'))[0]{status}, 200, 'per=address: a right one';
    is +($from->($attacker, 'nobody', 'wrong'))[0]{status}, 401, 'per=address: nobody';
    is +($from->($attacker, 'alice', 'Passw0rd-alice'))[0]{status}, 401, 'per=address: that was the third';
    is +(reasons($own, "/?$attacker", 5))[-1], '401 locked-out', 'per=address: the reason';
    is +($from->($neighbour, 'alice', 'Passw0rd-alice'))[0]{status}, 200, 'per=address: others go on';
    $from->('2001:db8:1:2::1', 'alice', 'wrong') for 1 .. 3;
    is +($from->('2001:db8:1:2:aaaa::9', 'alice', 'Passw0rd-alice'))[0]{status}, 401, 'per=address: IPv6 counts by its first half';
    is +($from->('2001:db8:1:3::1', 'alice', 'Passw0rd-alice'))[0]{status}, 200, 'per=address: another half is another';
    # a front end that is trusted to pin connections speaks for many clients
    is outcome(attempt($own, basic('alice', 'wrong'))->[0]), $OFFERS, 'per=address: the proxy itself' for 1 .. 5;
    is outcome(attempt($own, basic('alice', 'Passw0rd-alice'))->[0]), '200 WINAUTH\\alice', 'per=address: is not counted';
}

# --- Kerberos' passwords ----------------------------------------------------------------------------------

{
    my $own = own(<<"END", trust => '')->start;
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthNTLMAuthority none
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User "expr=%{REMOTE_USER}"
WinAuthLockout attempts=3 window=600
$SITE
END
    my $offers = '401 Negotiate|Basic realm="tests", charset="UTF-8"';
    gives($own, [ basic($_, 'wrong') ], $offers, '401 bad-password', "asked of a KDC: $_")
        for 'alice', 'alice@WINAUTH.TEST', 'a\\lice';
    gives($own, [ basic('alice', 'Passw0rd-alice') ], $offers, '401 locked-out', 'asked of a KDC: no more');
    gives($own, [ basic('al\\ice', 'Passw0rd-alice') ], $offers, '401 locked-out', 'asked of a KDC: in no spelling');
    gives($own, [ kerberos('alice') ], '200 WINAUTH\\alice', '200 ok', 'asked of a KDC: a ticket is as good as ever');
    gives($own, [ basic('bob', 'Passw0rd-bob') ], '200 WINAUTH\\bob', '200 ok', 'asked of a KDC: somebody else');
}

# --- off ---------------------------------------------------------------------------------------------------

{
    my $own = own($SITE)->start;
    gives($own, [ ntlm('alice', 'wrong') ], $OFFERS, '401 bad-password', 'by default nothing is counted') for 1 .. 8;
    gives($own, [ ntlm('alice') ], '200 WINAUTH\\alice', '200 ok', 'as one sees');
}

# --- one count for each authority: namesakes elsewhere are others ------------------------------------

{
    my $second = WinAuth::Server::free_port();
    my $own = own(<<"END");
WinAuthLockout attempts=3 window=600
$SITE
Listen 127.0.0.1:$second
<VirtualHost *:$second>
  ServerName localhost
  WinAuthNTLMAuthority file:\@DIR\@/others
</VirtualHost>
END
    my $file = $own->file('others', "WINAUTH:alice:another-password\n");
    chown -1, (getgrnam $ENV{WA_GROUP})[2], $file if $> == 0;
    chmod 0640, $file;
    $own->start;
    my $other = bless { %{$own}, port => $second, pid => undef }, 'WinAuth::Server';
    for my $try (1 .. 2) {
        gives($own, [ ntlm('alice', 'wrong') ], $OFFERS, '401 bad-password', "two authorities: guess no. $try at one");
        gives($other, [ ntlm('alice', 'another-password') ], '200 ' . ALICE, '200 ok', 'two authorities: the namesake logs in at the other');
    }
    gives($own, [ ntlm('alice', 'wrong') ], $OFFERS, '401 bad-password', 'two authorities: guess no. 3');
    gives($own, [ ntlm('alice') ], $OFFERS, '401 locked-out', 'two authorities: which cleared no count of the first');
    gives($other, [ ntlm('alice', 'another-password') ], '200 ' . ALICE, '200 ok', 'two authorities: nor is locked out with it');
    delete $other->{pid};
}

done_testing;
