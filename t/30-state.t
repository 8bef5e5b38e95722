# Everything a connection can know, times everything a request can bring: the answer, its reason, and who
# the next request without credentials is.
#
# The rules, as this file knows them: a login comes from a proof on this very connection; a request with
# any Authorization header costs the connection what it knew before; 400 closes it.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use MIME::Base64 'encode_base64';
use WinAuth::Suite;

my %OFFERS = (both => 'Negotiate|NTLM', negotiate => 'Negotiate', ntlm => 'NTLM');
my $ALICE = 'WINAUTH\\alice';
my $BOB = 'WINAUTH\\bob';

sub ntlm { return WinAuth::Token->ntlm($_[0], "Passw0rd-$_[0]") }
sub spnego_ntlm { return WinAuth::Token->spnego_ntlm($_[0], "Passw0rd-$_[0]") }

# challenged(CLIENT, TOKEN CLIENT, SCHEME): sends the first leg; the client's answer to the challenge.
sub challenged {
    my ($client, $token, $scheme) = @_;
    my $r = $client->get('/w/both/index.html', Authorization => "$scheme " . $token->step);
    return $token->step($r->token($scheme) || die "no challenge: $r->{line}\n");
}

# An answer to a challenge that went out on another connection.
sub stale {
    my ($token, $scheme) = @_;
    return challenged(connection(), $token, $scheme);
}

# bound(CLIENT, TOKEN CLIENT, SCHEME): a login; the answer is to a challenge that came before it.
sub bound {
    my ($client, $token, $scheme) = @_;
    my $answer = challenged($client, ntlm('alice'), 'NTLM');
    my @r = $client->login('/w/both/index.html', $token, $scheme);
    die "no login: $r[-1]{line}\n" unless $r[-1]{status} == 200;
    return { answer => "NTLM $answer", log => ['ok'] };
}

# What the connection knows.  pending: the scheme and kind of the open exchange; user: its login.
# answer: the Authorization value that fits the last challenge this connection has seen.
my @states = (
    { name => 'nothing known', reach => sub {
        my ($client) = @_;
        my $answer = challenged($client, ntlm('alice'), 'NTLM');
        $client->get('/w/both/index.html');
        return { answer => "NTLM $answer", log => ['anonymous'] };
    } },
    { name => 'challenge out, scheme NTLM', pending => 'NTLM raw', reach => sub {
        return { answer => 'NTLM ' . challenged($_[0], ntlm('alice'), 'NTLM'), log => [] };
    } },
    { name => 'challenge out, scheme Negotiate', pending => 'Negotiate raw', reach => sub {
        return { answer => 'Negotiate ' . challenged($_[0], ntlm('alice'), 'Negotiate'), log => [] };
    } },
    { name => 'challenge out, inside SPNEGO', pending => 'Negotiate spnego', reach => sub {
        return { answer => 'Negotiate ' . challenged($_[0], spnego_ntlm('alice'), 'Negotiate'), log => [] };
    } },
    { name => 'alice by Kerberos', user => $ALICE, reach => sub {
        return bound($_[0], WinAuth::Token->spnego('alice'), 'Negotiate');
    } },
    { name => 'alice by NTLM', user => $ALICE, reach => sub {
        my $token = ntlm('alice');
        my $answer = challenged($_[0], $token, 'NTLM');
        $_[0]->get('/w/both/index.html', Authorization => "NTLM $answer");
        return { answer => "NTLM $answer", log => ['ok'] };
    } },
    { name => 'alice by NTLM inside SPNEGO', user => $ALICE, reach => sub {
        return bound($_[0], spnego_ntlm('alice'), 'Negotiate');
    } },
    { name => 'bob by NTLM', user => $BOB, reach => sub {
        return bound($_[0], ntlm('bob'), 'NTLM');
    } },
);

my $GARBAGE = encode_base64("\x30\x82 no token of any kind", '');
my $EMPTY_RESP = encode_base64("\xa1\x07\x30\x05\xa0\x03\x0a\x01\x01", '');
my $TYPE_2 = connection()->get('/w/both/index.html', Authorization => 'NTLM ' . ntlm('alice')->step)->token('NTLM');

sub refused { return { status => 401, reason => $_[0] } }
sub leg { return { status => 401, leg => $_[0] } }
sub login { return { status => 200, reason => 'ok', user => $_[0], token => $_[1] } }
my $bad_request = { status => 400, reason => 'bad-encoding' };

# What the request brings: header => its Authorization values, expect => what must come of it in which
# state.  New logins are those of somebody else than the connection's, so that the two differ.
my @requests = (
    { name => 'no header', header => sub { () }, expect => sub {
        return $_[0]{user} ? { %{ login($_[0]{user}) }, reused => 1 } : refused('anonymous');
    } },
    { name => 'type 1, scheme NTLM', header => sub { 'NTLM ' . ntlm($_[1])->step },
      expect => sub { leg('NTLM') } },
    { name => 'type 1, scheme Negotiate', header => sub { 'Negotiate ' . ntlm($_[1])->step },
      expect => sub { leg('Negotiate') } },
    { name => 'the answer', header => sub { $_[2] }, expect => sub {
        return $_[0]{pending} ? login($ALICE, $_[0]{pending} =~ /spnego/ ? 'maybe' : 'none')
                              : refused('out-of-sequence');
    } },
    { name => 'the answer under another scheme name',
      header => sub { my $v = $_[2]; $v =~ s/^(\S+)/$1 eq 'NTLM' ? 'Negotiate' : 'NTLM'/e; $v },
      expect => sub {
          my $spnego = ($_[0]{pending} || '') =~ /spnego/; # no such thing as SPNEGO under NTLM
          return refused($spnego ? 'bad-token' : 'out-of-sequence');
      } },
    { name => "another connection's type 3, scheme NTLM", header => sub { 'NTLM ' . stale(ntlm($_[1]), 'NTLM') },
      expect => sub {
          return refused(($_[0]{pending} || '') eq 'NTLM raw' ? 'bad-password' : 'out-of-sequence');
      } },
    { name => "another connection's type 3, scheme Negotiate",
      header => sub { 'Negotiate ' . stale(ntlm($_[1]), 'Negotiate') },
      expect => sub {
          return refused(($_[0]{pending} || '') eq 'Negotiate raw' ? 'bad-password' : 'out-of-sequence');
      } },
    { name => "another connection's NegTokenResp",
      header => sub { 'Negotiate ' . stale(spnego_ntlm($_[1]), 'Negotiate') },
      expect => sub {
          return refused(($_[0]{pending} || '') eq 'Negotiate spnego' ? 'bad-password' : 'out-of-sequence');
      } },
    { name => 'NegTokenResp without a token', header => sub { "Negotiate $EMPTY_RESP" }, expect => sub {
        return refused(($_[0]{pending} || '') eq 'Negotiate spnego' ? 'bad-token' : 'out-of-sequence');
    } },
    { name => 'Kerberos', header => sub { 'Negotiate ' . WinAuth::Token->spnego($_[1])->step },
      expect => sub { login("WINAUTH\\$_[1]", 'one') } },
    { name => 'Kerberos without SPNEGO', header => sub { 'Negotiate ' . WinAuth::Token->krb5($_[1])->step },
      expect => sub { login("WINAUTH\\$_[1]", 'one') } },
    { name => 'Kerberos, scheme NTLM', header => sub { 'NTLM ' . WinAuth::Token->spnego($_[1])->step },
      expect => sub { refused('bad-token') } },
    { name => 'NTLM inside SPNEGO', header => sub { 'Negotiate ' . spnego_ntlm($_[1])->step },
      expect => sub { leg('Negotiate') } },
    { name => 'garbage, scheme Negotiate', header => sub { "Negotiate $GARBAGE" },
      expect => sub { refused('bad-token') } },
    { name => 'garbage, scheme NTLM', header => sub { "NTLM $GARBAGE" },
      expect => sub { refused('bad-token') } },
    { name => 'type 2, scheme NTLM', header => sub { "NTLM $TYPE_2" },
      expect => sub { refused('bad-token') } },
    { name => 'type 2, scheme Negotiate', header => sub { "Negotiate $TYPE_2" },
      expect => sub { refused('bad-token') } },
    { name => 'outside the alphabet', header => sub { 'NTLM !!!!' }, expect => sub { $bad_request } },
    { name => '= in the middle', header => sub { 'NTLM kGaXHz6/owHcWRlvGFk8ReUZKHo=QEZNqwQn0s8U' },
      expect => sub { $bad_request } },
    { name => 'not whole quads', header => sub { 'Negotiate TlRMTVNTU' }, expect => sub { $bad_request } },
    { name => 'two tokens', header => sub { my $t = ntlm($_[1])->step; "NTLM $t $t" },
      expect => sub { $bad_request } },
    { name => 'empty value', header => sub { '' }, expect => sub { $bad_request } },
    { name => 'no scheme name', header => sub { '=' . ntlm($_[1])->step }, expect => sub { $bad_request } },
    { name => 'NTLM and nothing', header => sub { 'NTLM' }, expect => sub { refused('anonymous') } },
    { name => 'Negotiate and blanks', header => sub { 'Negotiate   ' }, expect => sub { refused('anonymous') } },
    { name => 'Basic', header => sub { 'Basic ' . encode_base64("$_[1]:Passw0rd-$_[1]", '') },
      expect => sub { refused('anonymous') } },
    { name => 'Bearer', header => sub { 'Bearer abc.def.ghi' }, expect => sub { refused('anonymous') } },
    { name => 'two headers, same scheme', header => sub {
        return ('NTLM ' . ntlm($_[1])->step, 'NTLM ' . ntlm($_[1])->step);
      }, expect => sub { $bad_request } },
    { name => 'two headers, Kerberos and the answer', header => sub {
        return ('Negotiate ' . WinAuth::Token->spnego($_[1])->step, $_[2]);
      }, expect => sub { $bad_request } },
    { name => 'two headers, the answer and Bearer', header => sub { ($_[2], 'Bearer abc') },
      expect => sub { $bad_request } },
    # httpd joins them: what begins with a foreign scheme is a foreign header, whatever follows
    { name => 'two headers, Bearer and the answer', header => sub { ('Bearer abc', $_[2]) },
      expect => sub { refused('anonymous') } },
    { name => 'NTLM where only Negotiate is listed', section => 'negotiate',
      header => sub { 'NTLM ' . ntlm($_[1])->step }, expect => sub { refused('ntlm-not-allowed') } },
    { name => 'the answer where only Negotiate is listed', section => 'negotiate',
      header => sub { my $v = $_[2]; $v =~ s/^\S+/NTLM/; $v }, expect => sub { refused('ntlm-not-allowed') } },
    { name => 'Kerberos where only NTLM is listed', section => 'ntlm',
      header => sub { 'Negotiate ' . WinAuth::Token->spnego($_[1])->step },
      expect => sub { refused('anonymous') } },
);

sub user_in {
    my ($r) = @_;
    return $r->{body} =~ /^REMOTE_USER=(.*)$/m ? $1 : '-';
}

# The challenge lines: all bare, or what a login or a leg brings.
sub check_offers {
    my ($r, $want, $section, $what) = @_;
    if ($want->{leg}) {
        like $r->offers, qr{^$want->{leg} [A-Za-z0-9+/]+=*\z}, "$what: one line, with a token";
    }
    elsif ($want->{status} == 401) {
        is $r->offers, $OFFERS{$section}, "$what: bare offers";
    }
    elsif (($want->{token} || '') eq 'one') {
        like $r->offers, qr{^Negotiate [A-Za-z0-9+/]+=*\z}, "$what: one final token";
    }
    elsif (($want->{token} || '') eq 'maybe') {
        like $r->offers, qr{^(?:Negotiate [A-Za-z0-9+/]+=*)?\z}, "$what: at most a final token";
    }
    else {
        is $r->offers, '', "$what: nothing offered";
    }
}

sub check {
    my ($state, $request) = @_;
    my $what = "$state->{name}; $request->{name}";
    my $section = $request->{section} || 'both';
    my $somebody_else = ($state->{user} || '') eq $BOB ? 'alice' : 'bob';
    my $client = connection();
    my $reached = $state->{reach}->($client);
    my @values = $request->{header}->($state, $somebody_else, $reached->{answer});
    my $want = $request->{expect}->($state, $somebody_else);
    my @log = @{ $reached->{log} };

    my $r = $client->get("/w/$section/env.pl", map { (Authorization => $_) } @values);
    is $r->{status}, $want->{status}, "$what: $want->{status}";
    check_offers($r, $want, $section, $what);
    is user_in($r), $want->{user} || '-', "$what: served as";
    my $persistent = $want->{status} == 200 && !$want->{reused} ? 'true' : undef;
    is $r->header('Persistent-Auth'), $persistent, "$what: Persistent-Auth";
    push @log, $want->{reason} unless $want->{leg};

    if ($want->{status} == 400) {
        ok $r->{closed} && !$client->is_open, "$what: the connection is gone";
    }
    else {
        ok !$r->{closed}, "$what: the connection stays open";
        is bare_user($client, 'both'), $want->{user} || '-', "$what: and the next bare request";
        push @log, $want->{user} ? 'ok' : 'anonymous';
    }
    is join(' ', map { $_->{reason} } log_lines($client, scalar @log)), "@log", "$what: logged";
    $client->close;
}

for my $state (@states) {
    check($state, $_) for @requests;
}

done_testing;
