#!/usr/bin/perl
# Prints what a CGI program sees of a login, and the length of the body it got.
use strict;
use warnings;
my $body = '';
read STDIN, $body, $ENV{CONTENT_LENGTH} if $ENV{CONTENT_LENGTH};
my $status = $ENV{QUERY_STRING} && $ENV{QUERY_STRING} =~ /^status=(\d+)$/ ? "Status: $1\n" : '';
my $own = $ENV{QUERY_STRING} && $ENV{QUERY_STRING} eq 'own' ? "WWW-Authenticate: Negotiate b3Vycw==\n" : '';
print "${status}${own}Content-Type: text/plain\n\n";
exit if $status =~ /204|304/;
for my $name (sort keys %ENV) {
    print "$name=$ENV{$name}\n" if $name =~ /^(?:REDIRECT_)?(?:WINAUTH_|REMOTE_USER|AUTH_TYPE|HTTP_AUTHORIZATION)/;
}
print 'BODY=', length $body, "\n";
