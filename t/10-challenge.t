# The first, anonymous answer: which schemes are offered, in which order, and how.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Suite;

my %offers = (
    both            => 'Negotiate|NTLM',
    negotiate       => 'Negotiate',
    ntlm            => 'NTLM',
    reversed        => 'NTLM|Negotiate',
    kerberos        => 'Negotiate',
    'kerberos+ntlm' => 'Negotiate|NTLM',
);

for my $section (sort keys %offers) {
    for my $method (qw(GET HEAD POST OPTIONS)) {
        my $client = connection();
        my $r = $client->request($method, "/w/$section/index.html", [], $method eq 'POST' ? 'x' : undef);
        is $r->{status}, 401, "$method $section: 401";
        is $r->offers, $offers{$section}, "$method $section: one bare line per provider, in order";
        is $r->header('Persistent-Auth'), undef, "$method $section: no Persistent-Auth";
        ok !$r->{closed}, "$method $section: the connection stays open";
    }
}

my $client = connection();
$client->get('/w/both/index.html');
my $log = log_line($client);
is "$log->{user} $log->{status}", '- 401 2 5', 'logged as IIS does';
is $log->{reason}, 'anonymous', 'with its reason';

my $r = connection()->get('/w/errordoc/index.html');
is $r->{body}, "our own 401\n", 'ErrorDocument applies to the first 401';
is $r->offers, 'Negotiate|NTLM', 'and takes nothing away';
$client = connection();
$r = $client->get('/w/protected-errordoc/index.html');
is $r->{status}, 401, 'a protected ErrorDocument does not loop';
is $r->offers, 'Negotiate|NTLM', 'and the offers are those of the page asked for';

done_testing;
