# The module is in the server that the other tests talk to.  Never skipped: a suite without the module has
# failed.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Apache::TestRequest 'GET';

plan tests => 3;

my $response = GET '/w/both/index.html';
is $response->code, 401, 'a protected page is protected';
is join('|', $response->header('WWW-Authenticate')), 'Negotiate|NTLM', 'by this module';
is GET('/site/index.html')->code, 200, 'an unprotected page is not';
