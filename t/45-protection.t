# Extended protection with real clients: who binds logs in where it is required, and who does not is refused without
# an endless prompt.  Each rule by itself: t/conformance/6-protection.t.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Cwd 'abs_path';
use File::Basename 'dirname';
use Time::HiRes 'sleep';
use lib 't/lib', 'lib';
use WinAuth::Own;
use WinAuth::Run;
use WinAuth::Server;

my $LIB = abs_path(dirname(__FILE__) . '/lib');
my %KERBEROS = (KRB5CCNAME => "$ENV{WA_KDC}/alice.ccache", NTLM_USER_FILE => '/nonexistent');
my %NOTHING = (KRB5CCNAME => '/nonexistent', NTLM_USER_FILE => '/nonexistent');
my %LEGACY = (%NOTHING, OPENSSL_CONF => scratch('openssl.cnf', "openssl_conf = init\n[init]\nproviders = provs\n"
    . "[provs]\ndefault = on\nlegacy = on\n[on]\nactivate = 1\n"));
my @TYPED = ('WINAUTH\\alice', 'Passw0rd-alice');

# Hosts of one port, told apart by SNI, each with a certificate of its own kind: OPENSSL'S WORDS.
my %HOST = (
    'localhost'       => [qw(rsa:2048)],
    'ecdsa.localhost' => [qw(ec -pkeyopt ec_paramgen_curve:P-256 -sha384)],
    'pss.localhost'   => [qw(rsa:2048 -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1)],
);
my $tls = WinAuth::Server::free_port();
my $hosts = join '', map { <<"END" } sort keys %HOST;
<VirtualHost *:$tls>
  ServerName $_
  SSLEngine On
  SSLCertificateFile \@DIR\@/$_/cert.pem
  SSLCertificateKeyFile \@DIR\@/$_/key.pem
  <Location />
    AuthType WinAuth
    AuthName own
    Require valid-user
  </Location>
  <LocationMatch ^/require>
    WinAuthExtendedProtection Require
  </LocationMatch>
</VirtualHost>
END
my $own = own(<<"END", modules => [qw(ssl cgid)]);
ScriptSock \@DIR\@/cgisock
AddHandler cgi-script .pl
<Directory \@DIR\@/htdocs>
  Options +ExecCGI
</Directory>
Listen 127.0.0.1:$tls
$hosts
END
for my $name (sort keys %HOST) {
    mkdir "$own->{dir}/$name";
    certificate("$own->{dir}/$name", $name, @{ $HOST{$name} });
}
for my $page (qw(allow.pl require.pl)) {
    $own->file("htdocs/$page", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nEPA=%s\\n' \"\$WINAUTH_EPA\"\n");
    chmod 0755, "$own->{dir}/htdocs/$page";
}
$own->start;
my $URL = "https://localhost:$tls";

my $requests = scratch('with-requests.py', <<'END');
import socket
import sys
import urllib3
import requests
from requests_ntlm import HttpNtlmAuth

urllib3.disable_warnings()
real = socket.getaddrinfo  # *.localhost is this machine, whatever its resolver says
socket.getaddrinfo = lambda host, *more: real("127.0.0.1" if host.endswith("localhost") else host, *more)
session = requests.Session()
session.trust_env = False
session.verify = False
session.auth = HttpNtlmAuth(*sys.argv[2:])
answer = session.get(sys.argv[1])
print("%d %s" % (answer.status_code, answer.text))
END

# client, how, environment, command up to the URL and after it, what it says of itself; bound?
my @clients = (
    [ 'requests-ntlm', \%LEGACY, [ '/usr/bin/python3', $requests ], [@TYPED], 'bound' ],
    [ 'chromium, NTLM', { %NOTHING, INSECURE => 1 }, ["$LIB/chromium.py"], [@TYPED], 'bound' ],
    [ 'curl, NTLM', \%NOTHING, [qw(curl -qsk --noproxy * --ntlm -u), join ':', @TYPED], [], 'none' ],
    [ 'curl, Kerberos', \%KERBEROS, [qw(curl -qsk --noproxy * --negotiate -u :)], [], 'none' ],
    [ 'firefox, NTLM', { %NOTHING, INSECURE => 1 }, ["$LIB/firefox.py"], [@TYPED], 'none' ],
);
for my $client (@clients) {
    my ($who, $environment, $before, $after, $epa) = @{$client};
    my $run = run($environment, @{$before}, "$URL/allow.pl", @{$after});
    like $run->{out}, qr/EPA=$epa/, "$who: logged in, $epa" or diag $run->{err};
    my $from = length $own->access_log;
    $run = run($environment, @{$before}, "$URL/require.pl", @{$after});
    if ($epa eq 'bound') {
        like $run->{out}, qr/EPA=bound/, "$who: and where it is required" or diag $run->{err};
        for my $host (grep { $_ ne 'localhost' } sort keys %HOST) {
            $run = run($environment, @{$before}, "https://$host:$tls/require.pl", @{$after});
            # a client that says itself that it cannot make this binding is refused like any that makes none
            my $shown = $run->{err} =~ /unable to pass channel bindings/ ? qr/^401 / : qr/EPA=bound/;
            like $run->{out}, $shown, "$who: and on $host" or diag $run->{err};
        }
    }
    else {
        unlike $run->{out}, qr/EPA=/, "$who: not where it is required";
        my @asked; # httpd may write a line after it has answered
        for (1 .. 200) {
            @asked = grep { /require\.pl/ } split /\n/, substr $own->access_log, $from;
            last if grep { / 401 1 2148074310 epa-missing$/ } @asked;
            sleep 0.05;
        }
        ok +(grep { / 401 1 2148074310 epa-missing$/ } @asked), "$who: the log says why";
        ok !(grep { / 200 / } @asked), "$who: and nothing was served";
        cmp_ok scalar(@asked), '<', 10, "$who: gives up";
    }
}

done_testing;
