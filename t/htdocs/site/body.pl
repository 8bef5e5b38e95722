#!/usr/bin/perl
# Reads its whole body, however it comes, and tells what it was: how long, and made of which characters.
use strict;
use warnings;
local $/;
my $body = <STDIN>;
$body = '' unless defined $body;
my %seen = map { $_ => 1 } split //, $body;
print "Content-Type: text/plain\n\nBODY=", length $body, ' ', join('', sort keys %seen), "\n";
print 'REMOTE_USER=', defined $ENV{REMOTE_USER} ? $ENV{REMOTE_USER} : '', "\n";
