# The configuration: what is wrong stops start-up with a message that says which directive and why, what
# is right is accepted, and every section sets only what it names.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Client;
use WinAuth::Server;
use WinAuth::Token;

my $KDC = $ENV{WA_KDC};
my $ALICE = 'WINAUTH\\alice';

my %server_directives = (
    WinAuthKeytab => "$KDC/http.keytab", WinAuthAcceptorName => 'any', WinAuthNTLMAuthority => 'none',
    WinAuthDomain => 'EXAMPLE.COM EXAMPLE', WinAuthMaxToken => 1024, WinAuthDrainLimit => 1024,
    WinAuthTrustedProxy => '192.0.2.1', WinAuthDelegationDir => '/tmp/x',
);
my %global_directives = (WinAuthNTLMConcurrency => '5', WinAuthLockout => 'Off',
                         WinAuthPendingLimit => 'total=1');
my %section_directives = (
    WinAuthProviders => 'NTLM', WinAuthPersistSingleRequest => 'On', WinAuthPersistNonNTLM => 'Off',
    WinAuthPersistLimit => 'seconds=1', WinAuthUserFormat => 'SAM', WinAuthLogHandshake => 'On',
    WinAuthRequireTLS => 'Off', WinAuthOptional => 'Off', WinAuthOffer => '"true"', WinAuthDelegation => 'forwarded',
    WinAuthNTLMAudit => 'On',
    WinAuthExtendedProtection => 'None', WinAuthServiceNames => 'HTTP/www.example.com',
    WinAuthExport => 'groups',
);

# Every check changes one file and asks "httpd -t".
my $server = WinAuth::Server->new('');

sub check {
    my ($config, @args) = @_;
    $server->write_config($config, $ENV{WA_MPM});
    return $server->test_config(@args);
}

# refused(DIRECTIVE, ARGUMENTS, PATTERN): not accepted, named, and said why.
sub refused {
    my ($directive, $arguments, $pattern) = @_;
    my $text = "$directive $arguments\n";
    $text = "<Location /x>\n$text</Location>\n" if $section_directives{$directive};
    my ($status, $output) = check($text);
    my @lines = split /\n/, $server->slurp('httpd.conf');
    my ($line) = grep { $lines[$_ - 1] =~ /^$directive/ } reverse 1 .. @lines;
    isnt $status, 0, "$directive $arguments: refused";
    like $output, qr/^(?:AH\d+: )?Syntax error on line $line of \Q$server->{dir}\E\/httpd\.conf:\n$directive $pattern/m,
        "$directive $arguments: where and why";
}

# The same for what is looked at once all of the configuration is known.
sub refused_later {
    my ($directive, $arguments, $pattern) = @_;
    my ($status, $output) = check("$directive $arguments\n");
    isnt $status, 0, "$directive $arguments: refused";
    like $output, qr/\[winauth:emerg\].*$directive: $pattern/, "$directive $arguments: and why";
}

sub accepted {
    my ($directive, $arguments) = @_;
    my $text = "$directive $arguments\n";
    $text = "<Location /x>\n$text</Location>\n" if $section_directives{$directive};
    my ($status, $output) = check($text);
    is $status, 0, "$directive $arguments: accepted";
    like $output, qr/^Syntax OK$/m, "$directive $arguments: without complaint";
    unlike $output, qr/WinAuth/, "$directive $arguments: nor comment";
}

# --- values

my @flags = qw(WinAuthNTLMAudit WinAuthPersistSingleRequest WinAuthPersistNonNTLM WinAuthLogHandshake WinAuthRequireTLS
               WinAuthOptional);
for my $directive (@flags) {
    refused($directive, $_, qr/takes On or Off$/) for '', 'yes', '1', 'On Off', 'Onn', '""';
    accepted($directive, $_) for qw(On Off on OFF);
}

my $number = qr/takes a number of bytes from 1 to 1073741824$/;
for my $directive (qw(WinAuthMaxToken WinAuthDrainLimit)) {
    refused($directive, $_, $number)
        for '', '0', '-1', '+1', '1k', '1.5', '0x10', '1 2', '" 5"', '1073741825', '18446744073709551617',
            '99999999999999999999999';
    accepted($directive, $_) for qw(1 1073741824);
}

my $limit = qr/takes seconds=N and\/or requests=N, N from 1 to 1000000000$/;
refused('WinAuthPersistLimit', $_, $limit)
    for '', '5', 'seconds', 'seconds=', 'seconds=0', 'seconds=-1', 'seconds=1.5', 'seconds=1s', 'requests=x',
        'requests=0', 'requests=+1', 'minutes=5', 'seconds=1 seconds=2', 'requests=1 requests=1',
        'seconds=1000000001', 'requests=18446744073709551617', 'seconds=1 requests=0';
accepted('WinAuthPersistLimit', $_)
    for 'seconds=1', 'requests=1', 'seconds=5 requests=7', 'requests=7 seconds=5', 'Seconds=1000000000';

my $providers = qr/takes one or more of Negotiate .* each once$/;
refused('WinAuthProviders', $_, $providers)
    for '', 'Kerberos', 'Negotiate Negotiate', 'NTLM ntlm', 'Negotiate Negotiate:Kerberos', 'Negotiate:NTLM',
        '"Negotiate NTLM"', 'Negotiate,NTLM', 'NTLM:Kerberos', 'NTLM none', '""';
accepted('WinAuthProviders', $_)
    for 'Negotiate', 'NTLM', 'Negotiate NTLM', 'NTLM Negotiate', 'Negotiate:Kerberos', 'NTLM negotiate:kerberos';

refused('WinAuthUserFormat', $_, qr/takes Windows, /) for '', 'DN', 'Windows SAM', '""';
accepted('WinAuthUserFormat', $_) for qw(Windows Principal SAM UPN SID windows upn);

my $exports = qr/takes groups and\/or group-names, or none$/;
refused('WinAuthExport', $_, $exports)
    for '', 'group', 'groups groups', 'groups none', 'none groups', 'groups,group-names', 'sids', '"groups group-names"', '""';
accepted('WinAuthExport', $_) for 'groups', 'group-names', 'groups group-names', 'Group-Names groups', 'none', 'None';

# Require: what is behind the provider's name
sub require_line {
    my ($line, $message) = @_;
    my ($status, $output) = check("<Location /x>\nAuthType WinAuth\n$line\n</Location>\n");
    return is $status, 0, "$line: accepted" if !$message;
    isnt $status, 0, "$line: refused";
    like $output, qr/^(?:AH\d+: )?Syntax error on line \d+ of .*\n.*$message$/m, "$line: and why";
}
require_line($_, 'winauth-group takes names or SIDs of groups') for 'Require winauth-group', 'Require winauth-group ""';
require_line("Require winauth-group $_", "winauth-group: '.*' is no SID")
    for 'S-1-5', 'S-1-5-x', 's-1-5-32-544-', 'S-1-5-32-544,S-1-5-32-545', '"S-1-5-32-544 S-1-5-32-545"';
require_line("Require winauth-group $_", "winauth-group: '.*' is neither NAME, DOMAIN.{1,2}NAME nor a SID")
    for 'A\\\\B\\\\C', '\\\\B', '"A\\\\"', 'a@b', 'a:b', 'a/b', 'a,b', "good 'b;c'", "'a\x01b'", "'a*'";
require_line("Require winauth-group $_")
    for qw(staff EXAMPLE\staff EXAMPLE\\\\staff S-1-5-32-544 s-1-5-32-544), '"Domain Users"', '"EXAMPLE\\\\Domain Users" S-1-5-32-544',
        "j\xc3\xb6rgs", '"BUILTIN\\Administrators"';
require_line("Require winauth-package $_", 'winauth-package takes Kerberos or NTLM')
    for '', 'Negotiate', 'Kerberos,NTLM', 'Kerberos Basic', '""';
require_line("Require winauth-package $_") for qw(Kerberos NTLM kerberos), 'Kerberos NTLM';
require_line('Require winauth-epa on', 'winauth-epa takes no argument');
require_line($_) for 'Require winauth-epa', 'Require valid-user';

refused('WinAuthDelegation', $_, qr/takes off, forwarded or constrained$/) for '', 'on', 'forwarded constrained', '""';
accepted('WinAuthDelegation', $_) for qw(off forwarded constrained Off FORWARDED);
refused('WinAuthDelegationDir', $_, qr/takes one file name$/) for '', 'a b', '""';
accepted('WinAuthDelegationDir', $_) for qw(/run/x run/x);

refused('WinAuthOffer', $_, qr/./) for '', '"%{"', '"-R"', '"true" "false"';
accepted('WinAuthOffer', $_) for '"-R \'10.0.0.0/8\'"', '"%{HTTP_USER_AGENT} !~ /curl/"';

refused('WinAuthAcceptorName', $_, qr/takes any, host, or a service such as/)
    for '', 'www.example.com', 'HTTP/', '/www.example.com', 'any host', '""';
accepted('WinAuthAcceptorName', $_)
    for qw(any host HTTP/www.example.com HTTP@www.example.com HTTP/www.example.com@EXAMPLE.COM);

refused('WinAuthNTLMAuthority', $_, qr/takes winbind, file:PATH or none$/)
    for '', 'ldap', 'file:', 'file', 'winbind none', '""';
accepted('WinAuthNTLMAuthority', $_) for 'none', 'None', "file:$KDC/ntlm.users", "FILE:$KDC/ntlm.users";

my $concurrency = qr/takes a number from 1 to 1024 and\/or deadline=SECONDS, 1 to 300$/;
refused('WinAuthNTLMConcurrency', $_, $concurrency)
    for '', '0', '1025', '-1', '5 6', '5s', '""', 'deadline', 'deadline=', 'deadline=0', 'deadline=301', 'deadline=1.5',
        'deadline=1 deadline=2', 'seconds=5', '5 deadline=x', '1 deadline=2 3';
accepted('WinAuthNTLMConcurrency', $_) for '1', '1024', 'deadline=300', '5 deadline=1', 'Deadline=1 5';

my $pending = qr/takes total=N and\/or address=N, 1 to 16384, and\/or seconds=N, 1 to 3600$/;
refused('WinAuthPendingLimit', $_, $pending)
    for '', '5', 'total=0', 'total=16385', 'address=0', 'seconds=3601', 'total=1 total=1', 'total', 'all=1', 'seconds=1s';
accepted('WinAuthPendingLimit', $_)
    for 'total=1', 'total=16384 address=16384 seconds=3600', 'seconds=1 address=1', 'Total=5';

my $lockout = qr/takes attempts=N, 1 to 1000, window=SECONDS, 1 to 604800, and perhaps per=user or per=address; or Off$/;
refused('WinAuthLockout', $_, $lockout)
    for '', '3', 'attempts=3', 'window=3', 'attempts=0 window=3', 'attempts=3 window=0', 'attempts=1001 window=1',
        'attempts=1 window=604801', 'attempts=3 attempts=3', 'attempts=3 window=3 per=all', 'attempts=3 window=3 per=',
        'attempts=3 per=user', 'attempts=3 window=3 per=user per=user', 'attempts=3 window=3 Off', 'On', 'per=user per=address';
accepted('WinAuthLockout', $_)
    for 'Off', 'off', 'attempts=1 window=1', 'window=604800 attempts=1000', 'per=address attempts=5 window=60',
        'attempts=5 window=60 Per=User';

refused('WinAuthDomain', $_, qr/takes a realm and its NetBIOS domain name$/)
    for '', 'EXAMPLE.COM', 'EXAMPLE.COM A B', 'EXAMPLE.COM SIXTEENLETTERS16', 'EXAMPLE.COM ""', '"" EXAMPLE',
        'EXAMPLE.COM "A\\\\B"';
accepted('WinAuthDomain', $_) for 'EXAMPLE.COM EXAMPLE', 'EXAMPLE.COM FIFTEENLETTERS1';
refused('WinAuthDomain', "EXAMPLE.COM A\nWinAuthDomain example.com B", qr/names this realm a second time$/);
accepted('WinAuthDomain', "EXAMPLE.COM A\nWinAuthDomain EXAMPLE.ORG B");

refused('WinAuthTrustedProxy', '', qr/takes addresses such as/);
refused('WinAuthTrustedProxy', $_, qr/does not understand the address '\Q$_\E'$/)
    for 'proxy.example', '10.0.0.0/33', '10.0.0.256', '10.0.0.0/', '10.0.0.0/x', '::1/129', '/8', '192.0.2.1/24/8';
refused('WinAuthTrustedProxy', '192.0.2.1 nonsense', qr/does not understand the address 'nonsense'$/);
accepted('WinAuthTrustedProxy', $_)
    for '192.0.2.1', '192.0.2.0/24 198.51.100.1', '2001:db8::/32', '::1', '10.0.0.0/255.0.0.0';

# --- files

refused('WinAuthKeytab', $_, qr/takes one file name$/) for '', 'one two', '""';
refused_later('WinAuthKeytab', "$KDC/none.keytab", qr/\Q$KDC\E\/none\.keytab/);
refused_later('WinAuthKeytab', 'conf/relative.keytab', qr/\Q$server->{dir}\E\/conf\/relative\.keytab/);
accepted('WinAuthKeytab', "$KDC/http.keytab");

my $users = "$server->{dir}/users";

sub user_file {
    my ($text, $mode) = @_;
    unlink $users;
    $server->file('users', $text);
    chmod $mode, $users or die $!;
}

# File modes: whoever holds passwords must not be open to everybody.
for my $mode (0644, 0604, 0646, 0602, 0666) {
    user_file("WINAUTH:alice:secret\n", $mode);
    refused_later('WinAuthNTLMAuthority', "file:$users", qr/\Q$users\E .*chmod/);
}
for my $mode (0600, 0640, 0440) {
    user_file("WINAUTH:alice:secret\n", $mode);
    accepted('WinAuthNTLMAuthority', "file:$users");
}
my $hash = '8846F7EAEE8FB117AD06BDD830B7586C';
my $no_hash = 'X' x 32;
for my $case ([ 'no line at all', "alice\n", 1 ],
              [ 'two fields', "# users\n\nWINAUTH:alice:secret\nWINAUTH:bob\n", 4 ],
              [ 'no user', "WINAUTH:alice:secret\nWINAUTH::secret\n", 2 ],
              [ 'no domain', ":alice:secret\n", 1 ],
              [ 'a name with a slash', "WINAUTH:al/ice:secret\n", 1 ],
              [ 'a password that is not UTF-8', "WINAUTH:alice:\xff\xfe\n", 1 ],
              [ 'a very long line', "WINAUTH:alice:" . 'x' x 5000 . "\n", 1 ],
              [ 'smbpasswd without a user', ":1000:$no_hash:$hash:[U          ]:LCT-00000000:\n", 1 ]) {
    my ($what, $text, $line) = @$case;
    user_file($text, 0600);
    my ($status, $output) = check("WinAuthNTLMAuthority file:$users\n");
    isnt $status, 0, "a user file with $what: refused";
    like $output, qr/\[winauth:emerg\].*WinAuthNTLMAuthority: \Q$users\E line $line: /, "$what: file and line";
    unlike $output, qr/secret|$hash/, "$what: no password in the message";
}
user_file("# a comment\n\nWINAUTH:alice:secret\r\nalice:1000:$no_hash:$hash:[U          ]:LCT-00000000:\n"
          . "OTHER\\bob:1001:$no_hash:$hash:[D          ]:LCT-00000000:\nWINAUTH:j\xc3\xb6rg:pa ss\n", 0600);
accepted('WinAuthNTLMAuthority', "file:$users");
refused_later('WinAuthNTLMAuthority', "file:$server->{dir}/none", qr/\Q$server->{dir}\E\/none/);
refused_later('WinAuthNTLMAuthority', "file:$server->{dir}", qr/\Q$server->{dir}\E.*/);
refused_later('WinAuthNTLMAuthority', 'file:relative', qr/\Q$server->{dir}\E\/relative/);

# --- contexts

for my $directive (sort keys %global_directives) {
    my ($status, $output) = check("<VirtualHost *:1>\n$directive $global_directives{$directive}\n</VirtualHost>\n");
    isnt $status, 0, "$directive in a virtual host: refused";
    like $output, qr/^$directive bounds the whole server: not inside <VirtualHost>$/m, "$directive in a virtual host: why";
}
for my $directive (sort keys %server_directives) {
    for my $section ('Location /x', 'Directory /x', 'LocationMatch ^/x', 'Files x', 'If "true"') {
        my ($end) = $section =~ /^(\w+)/;
        my ($status, $output) = check("<$section>\n$directive $server_directives{$directive}\n</$end>\n");
        isnt $status, 0, "$directive in <$section>: refused";
        like $output, qr/^$directive not allowed/m, "$directive in <$section>: and why";
    }
    my ($status) = check("<VirtualHost *:1>\n$directive $server_directives{$directive}\n</VirtualHost>\n");
    is $status, 0, "$directive in a virtual host: accepted";
}
for my $directive (sort keys %section_directives) {
    for my $section ('Location /x', 'Directory /x', 'Files x', 'VirtualHost *:1', 'If "true"') {
        my ($end) = $section =~ /^(\w+)/;
        my ($status, $output) = check("<$section>\n$directive $section_directives{$directive}\n</$end>\n");
        is $status, 0, "$directive in <$section>: accepted" or diag $output;
    }
}

my @known = (keys %server_directives, keys %global_directives, keys %section_directives);
{
    my ($status, $output) = check('', '-L');
    my @ours = grep { /^WinAuth/ } map { /^(\w+) \(mod_winauth\.c\)/ } split /\n/, qx{@{[ join ' ', map { "'$_'" } $server->httpd('-L') ]} 2>&1};
    my %tested = map { $_ => 1 } @known;
    is join(' ', grep { !$tested{$_} } sort @ours), '', 'no directive is left out here';
    is scalar(@ours), scalar(@known), 'and all of them are there';
}

# --- .htaccess, which is read by a running server

my $protected = <<"END";
WinAuthKeytab $KDC/http.keytab
WinAuthNTLMAuthority file:$KDC/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User expr=%{REMOTE_USER}
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END

{
    my $own = WinAuth::Server->new(<<"END");
$protected
<Directory />
  AllowOverride AuthConfig
</Directory>
<Directory "@{[ $ENV{WA_TMP} ]}/no-override">
  AllowOverride Limit
</Directory>
Alias /no-override @{[ $ENV{WA_TMP} ]}/no-override
END
    mkdir "$ENV{WA_TMP}/no-override" or die $!;
    $own->start;
    my $get = sub { return WinAuth::Client->new($own->{port})->get($_[0])->{status} };
    is $get->('/index.html'), 401, '.htaccess: none';
    for my $directive (sort keys %server_directives, keys %global_directives) {
        $own->file('htdocs/.htaccess', "$directive " . ($server_directives{$directive} || $global_directives{$directive}) . "\n");
        is $get->('/index.html'), 500, ".htaccess: $directive";
        ok $own->logged('error.log', qr/\.htaccess: $directive not allowed here/), ".htaccess: $directive: why";
    }
    for my $directive (sort keys %section_directives) {
        $own->file('htdocs/.htaccess', "$directive $section_directives{$directive}\n");
        is $get->('/index.html'), 401, ".htaccess: $directive";
        $own->file('htdocs/.htaccess', "$directive a bad value\n");
        is $get->('/index.html'), 500, ".htaccess: $directive with a bad value";
        ok $own->logged('error.log', qr/\.htaccess: $directive /), ".htaccess: $directive: why";
    }
    open my $f, '>', "$ENV{WA_TMP}/no-override/.htaccess" or die $!;
    print {$f} "WinAuthProviders NTLM\n";
    close $f or die $!;
    is $get->('/no-override/'), 500, 'AllowOverride without AuthConfig: not for .htaccess';
    ok $own->logged('error.log', qr/WinAuthProviders not allowed here/), 'AllowOverride without AuthConfig: why';
}

# --- merging: server, virtual host, section, .htaccess

my $sites = <<"END";
WinAuthKeytab $KDC/http.keytab
WinAuthNTLMAuthority file:$KDC/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
WinAuthMaxToken 2048
WinAuthNTLMConcurrency 7
WinAuthPendingLimit address=8
WinAuthLockout per=user window=9 attempts=2
WinAuthTrustedProxy 192.0.2.1 192.0.2.2
WinAuthProviders NTLM Negotiate
WinAuthPersistNonNTLM Off
Header always set X-User expr=%{REMOTE_USER}
LoadModule setenvif_module $ENV{WA_MODULES}/mod_setenvif.so
<Directory />
  AllowOverride AuthConfig
</Directory>
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<VirtualHost *>
  ServerName first.test
</VirtualHost>
<VirtualHost *>
  ServerName second.test
  WinAuthMaxToken 4096
  WinAuthDrainLimit 10
  WinAuthAcceptorName HTTP/localhost
  WinAuthUserFormat SAM
  <Location /one>
    WinAuthProviders Negotiate
  </Location>
  <Location /one/two>
    WinAuthPersistNonNTLM On
  </Location>
</VirtualHost>
<VirtualHost *>
  ServerName third.test
  WinAuthDomain EXAMPLE.COM EXAMPLE
  WinAuthDomain EXAMPLE.ORG EXAMPLE2
  WinAuthNTLMAuthority none
  WinAuthTrustedProxy 10.0.0.0/8
</VirtualHost>
END

# The dump: per server, a name and its effective value a line.
sub dumped {
    my ($config) = @_;
    my ($status, $output) = check($config, '-D', 'DUMP_WINAUTH');
    is $status, 0, 'DUMP_WINAUTH: all is well';
    my (%values, $site);
    for (split /\n/, $output) {
        $site = $1 if /^mod_winauth, server (\S+):\d+$/;
        $values{$site}{$1} = $2 if $site && /^ +(WinAuth\w+|NTLM authority in use) +(.*?)$/;
    }
    return %values;
}

{
    my %dump = dumped($sites);
    is join(' ', sort keys %dump), 'first.test localhost second.test third.test', 'DUMP_WINAUTH: every server';
    my %main = (
        WinAuthKeytab => "$KDC/http.keytab",
        WinAuthNTLMAuthority => "file:$KDC/ntlm.users",
        'NTLM authority in use' => "file:$KDC/ntlm.users",
        WinAuthDomain => 'WINAUTH.TEST WINAUTH',
        WinAuthMaxToken => 2048,
        WinAuthDrainLimit => 1048576,
        WinAuthNTLMConcurrency => '7 deadline=10',
        WinAuthPendingLimit => 'total=10000 address=8 seconds=60',
        WinAuthLockout => 'attempts=2 window=9 per=user',
    );
    my %want = (
        localhost => \%main,
        'first.test' => \%main,
        'second.test' => { %main, WinAuthMaxToken => 4096, WinAuthDrainLimit => 10, WinAuthAcceptorName => 'HTTP/localhost' },
        'third.test' => { %main, WinAuthDomain => 'EXAMPLE.COM EXAMPLE, EXAMPLE.ORG EXAMPLE2',
                          WinAuthNTLMAuthority => 'none', 'NTLM authority in use' => 'none' },
    );
    for my $site (sort keys %want) {
        is $dump{$site}{$_}, $want{$site}{$_}, "DUMP_WINAUTH: $site $_" for sort keys %{ $want{$site} };
    }
    is $dump{localhost}{WinAuthAcceptorName}, 'any', 'DUMP_WINAUTH: a default is shown as one would write it';
    like $dump{localhost}{WinAuthTrustedProxy}, qr/192\.0\.2\.1.*192\.0\.2\.2/, 'DUMP_WINAUTH: which proxies';
    like $dump{'third.test'}{WinAuthTrustedProxy}, qr/^10\./, 'DUMP_WINAUTH: which proxies, in a virtual host';
}

{
    my $own = WinAuth::Server->new($sites);
    mkdir "$own->{dir}/htdocs/one";
    mkdir "$own->{dir}/htdocs/one/two";
    mkdir "$own->{dir}/htdocs/three";
    $own->file("htdocs/$_/index.html", "a page\n") for qw(one one/two three);
    $own->file('htdocs/three/.htaccess', "WinAuthUserFormat Principal\n");
    $own->start;

    my $offers = sub {
        my ($host, $path) = @_;
        return WinAuth::Client->new($own->{port})->get($path, Host => $host)->offers;
    };
    is $offers->('first.test', '/index.html'), 'NTLM|Negotiate', 'virtual host: WinAuthProviders of the server';
    is $offers->('second.test', '/index.html'), 'NTLM|Negotiate', 'virtual host: the same beside settings of its own';
    is $offers->('second.test', '/one/index.html'), 'Negotiate', 'section: WinAuthProviders';
    is $offers->('second.test', '/one/two/index.html'), 'Negotiate', 'section inside: what the outer one says';
    is $offers->('third.test', '/index.html'), 'Negotiate', 'virtual host: no authority, no NTLM';

    my $login = sub {
        my ($host, $path) = @_;
        my @r = WinAuth::Client->new($own->{port})
            ->login($path, WinAuth::Token->spnego('alice'), 'Negotiate', Host => $host);
        return join ' ', map { defined $_ ? $_ : '-' } $r[-1]{status}, $r[-1]->header('X-User'), $r[-1]->header('Persistent-Auth');
    };
    is $login->('first.test', '/index.html'), "200 $ALICE false", 'virtual host: WinAuthPersistNonNTLM of the server';
    is $login->('second.test', '/index.html'), '200 alice false', 'virtual host: WinAuthUserFormat of its own';
    is $login->('second.test', '/one/index.html'), '200 alice false', 'section: that of the virtual host';
    is $login->('second.test', '/one/two/index.html'), '200 alice true', 'section inside: WinAuthPersistNonNTLM of its own';
    is $login->('first.test', '/three/index.html'), '200 alice@WINAUTH.TEST false', '.htaccess: one directive, the rest as it was';
    is $login->('second.test', '/three/index.html'), '200 alice@WINAUTH.TEST false', '.htaccess: the same in the other virtual host';
    is $login->('third.test', '/index.html'), '200 alice@WINAUTH.TEST false', 'virtual host: WinAuthDomain of its own knows not the realm';

    my $token = sub {
        my ($host, $bytes) = @_;
        my $r = WinAuth::Client->new($own->{port})
            ->get('/index.html', Host => $host, Authorization => 'Negotiate ' . 'AAAA' x ($bytes / 3));
        return $r->{status};
    };
    is $token->('first.test', 2046), 401, 'WinAuthMaxToken of the server: below';
    is $token->('first.test', 2049), 400, 'WinAuthMaxToken of the server: above';
    is $token->('second.test', 4095), 401, 'WinAuthMaxToken of the virtual host: below';
    is $token->('second.test', 4098), 400, 'WinAuthMaxToken of the virtual host: above';
}

# The configuration is right or wrong at start-up as it is for "httpd -t".
{
    my $own = WinAuth::Server->new("WinAuthKeytab $KDC/none.keytab\n");
    ok !eval { $own->start; 1 }, 'a missing keytab: httpd does not start';
    like $@, qr/WinAuthKeytab: \Q$KDC\E\/none\.keytab/, 'and says why';
}

done_testing;
