# Many handshakes at the same time, their legs in any order: nobody ever gets somebody else's login.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Time::HiRes 'time';
use WinAuth::Client;
use WinAuth::Server;
use WinAuth::Token;

my $CONNECTIONS = 32;
my $HANDSHAKES = 1000;
my $BARE = 200;
my $SECONDS = 40;
my $PAGE = '/index.html';

srand 20240607;

# A server that can hold all of the connections open at once, whatever its MPM.
my $server = WinAuth::Server->new(<<"END")->start;
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthNTLMAuthority file:$ENV{WA_KDC}/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
MaxKeepAliveRequests 0
KeepAliveTimeout 60
<IfModule mpm_prefork_module>
  StartServers 48
  MinSpareServers 8
  MaxSpareServers 64
</IfModule>
Header always set X-User expr=%{REMOTE_USER}
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END
my $start = time;

sub connection { return WinAuth::Client->new($server->{port}) }

my @makers = (
    [ alice => 'NTLM', sub { WinAuth::Token->ntlm('alice', 'Passw0rd-alice') } ],
    [ bob => 'NTLM', sub { WinAuth::Token->ntlm('bob', 'Passw0rd-bob') } ],
    [ alice => 'Negotiate', sub { WinAuth::Token->spnego('alice') } ],
    [ bob => 'Negotiate', sub { WinAuth::Token->spnego('bob') } ],
);

# A line is one connection with one user.  Between two events on it, any number happen on others, so that
# requests of many connections are at the server at the same time.
my @lines = map {
    my ($user, $scheme, $make) = @{ $makers[$_ % @makers] };
    { client => connection(), name => "WINAUTH\\$user", scheme => $scheme, make => $make, done => 0 };
} 0 .. $CONNECTIONS - 1;

my ($begun, $done, $bare, $at_once) = (0, 0, 0, 0);
my @wrong;

# send_next(LINE): an open handshake's next leg, else a new handshake or a bare request.
sub send_next {
    my ($line) = @_;
    my $out;
    if ($line->{answer}) {
        ($out, $line->{expect}) = (delete $line->{answer}, 'login');
    }
    elsif ($begun < $HANDSHAKES && (!$line->{done} || rand() < 0.7)) {
        $begun++;
        $line->{token} = $line->{make}->();
        $out = $line->{token}->step;
        $line->{expect} = $line->{scheme} eq 'NTLM' ? 'challenge' : 'login';
    }
    elsif ($line->{done}) {
        $line->{expect} = 'reuse';
    }
    else {
        return;
    }
    $line->{client}->send('GET', $PAGE, defined $out ? [ Authorization => "$line->{scheme} $out" ] : []);
    $line->{waiting} = 1;
}

sub user_in {
    my ($r) = @_;
    return $r->{status} == 200 && $r->header('X-User') || "nobody: $r->{status} " . $r->offers;
}

sub receive {
    my ($line) = @_;
    my $r = $line->{client}->response('GET');
    $line->{waiting} = 0;
    if ($line->{expect} eq 'challenge') {
        my $in = $r->token('NTLM');
        if (!defined $in || $r->{status} != 401) {
            push @wrong, "no challenge: $r->{status} " . $r->offers;
            return;
        }
        $line->{answer} = $line->{token}->step($in);
        return;
    }
    my $user = user_in($r);
    push @wrong, "$line->{expect} by $line->{scheme}: $user instead of $line->{name}" if $user ne $line->{name};
    $line->{expect} eq 'login' ? ($done++, $line->{done}++) : $bare++;
}

while ($done < $HANDSHAKES && !@wrong && time - $start < $SECONDS) {
    my $line = $lines[ int rand @lines ];
    $line->{waiting} ? receive($line) : send_next($line);
    my $waiting = grep { $_->{waiting} } @lines;
    $at_once = $waiting if $waiting > $at_once;
}

is_deeply \@wrong, [], 'everybody got what was theirs';
is $done, $HANDSHAKES, "$HANDSHAKES handshakes";
cmp_ok scalar(grep { $_->{done} } @lines), '==', $CONNECTIONS, "over $CONNECTIONS connections";
cmp_ok $at_once, '>=', 8, 'several at a time';
cmp_ok $bare, '>=', 100, 'with requests on the logins in between';

for my $line (grep { !$_->{answer} } @lines) {
    receive($line) if $line->{waiting};
    next if $line->{answer};
    is user_in($line->{client}->get($PAGE)), $line->{name}, "and at the end $line->{name} by $line->{scheme}";
}

{
    my $client = connection();
    $client->login($PAGE, WinAuth::Token->ntlm('alice', 'Passw0rd-alice'), 'NTLM');
    my %users;
    $users{ user_in($client->get("$PAGE?row")) }++ for 1 .. $BARE;
    is_deeply \%users, { 'WINAUTH\\alice' => $BARE }, "$BARE requests in a row on one login";
    ok $server->logged('access.log', qr/(?:^WINAUTH\S+alice "GET \Q$PAGE\E\?row HTTP[^"]*" 200 0 0 ok\n){$BARE}/m),
        'all of them logged as hers';
}

cmp_ok time - $start, '<', $SECONDS, "in less than $SECONDS seconds";

unlike $server->error_log, qr/exit signal|Segmentation/, 'and all workers live';

done_testing;
