# Delegation of forwarded tickets: who gets a credential cache, what is in it, and that it goes with its login,
# whatever ends that.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use Fcntl ':flock';
use POSIX 'WNOHANG';
use Time::HiRes 'sleep';
use WinAuth::Own;
use WinAuth::Run;

my $KDC = $ENV{WA_KDC};
my $NAME = qr/[0-9a-f]{32}/;

# What an application does with a cache: asks for tickets.
my $PROGRAM = <<'END';
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
printf 'USER=%s\n' "$REMOTE_USER"
env | grep KRB5CCNAME
file=${KRB5CCNAME#FILE:}
[ -n "$file" ] || exit 0
part=${file%/*}
stat -c 'MODE=%a OF=%U TYPE=%F' "$file" "$part" "${part%/*}"
klist 2>&1
kvno host/other.test 2>&1
klist 2>&1 | tail -n +4
END

my $CONFIG = <<"END";
Protocols h2c http/1.1
SetEnv KRB5_CONFIG $KDC/krb5.conf
ScriptSock \@DIR\@/cgisock
AddHandler cgi-script .cgi
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
AliasMatch ^/[a-z]+/([a-z]+\\.s?html|[a-z]+\\.cgi) \@DIR\@/htdocs/\$1
<Directory \@DIR\@/htdocs>
  Options +ExecCGI +Includes
  AllowOverride AuthConfig
</Directory>
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
<Location /forwarded>
  WinAuthDelegation forwarded
</Location>
<Location /single>
  WinAuthDelegation Forwarded
  WinAuthPersistSingleRequest On
</Location>
<Location /unbound>
  WinAuthDelegation FORWARDED
  WinAuthPersistNonNTLM Off
</Location>
<Location /missing>
  WinAuthDelegation forwarded
  ErrorDocument 404 /off/env.cgi
</Location>
<Location /pages>
  WinAuthDelegation forwarded
</Location>
<Location /free>
  AuthType None
  Require all granted
</Location>
END

# server(DIRECTIVES, %OPTION): one that is yet to be started.
sub server {
    my ($directives, %option) = @_;
    my $own = own($CONFIG . $directives, modules => [qw(cgid include http2)], %option);
    $own->file('htdocs/env.cgi', $PROGRAM);
    chmod 0755, "$own->{dir}/htdocs/env.cgi";
    $own->file('htdocs/parts.shtml', "<!--#include virtual=\"/$_/env.cgi\" -->\n") for 'off';
    $own->file('htdocs/all.shtml', join "\n", map { "[$_]\n<!--#include virtual=\"/$_/env.cgi\" -->" } qw(forwarded off free));
    return $own;
}

# delegating(KIND): a client that forwards its ticket.
sub delegating {
    my ($kind, $user) = @_;
    return (WinAuth::Token->client($kind, "$KDC/" . ($user || 'alice') . '.ccache', 'HTTP@localhost', '', '',
                                  'delegate_to_peer'), 'Negotiate');
}

# cache(TEXT): the path of the file that a program saw, or "-".
sub cache { return $_[0] =~ m{^KRB5CCNAME=FILE:(/\S+)$}m ? $1 : '-' }

# parts(SERVER): all that is in the directory, without its name.
my %directory;
sub parts {
    my ($own) = @_;
    my $dir = $directory{$own} || "$own->{dir}/ccaches";
    my @parts = sort map { s{^\Q$dir\E/}{}r } glob "$dir/* $dir/*/*";
    return @parts;
}

sub files { return grep { m{/} } parts($_[0]) }

# gone(CODE): waits until it gives nothing any more.
sub gone {
    my ($what) = @_;
    for (1 .. 600) {
        return 1 unless $what->();
        sleep 0.05;
    }
    return 0;
}

my $own = server("WinAuthDelegationDir \@DIR\@/ccaches\nLogLevel info winauth:trace8\n", mpm => 'event')->start;

# --- what the application gets ----------------------------------------------------------------------

my %seen;
for my $kind (qw(spnego krb5)) {
    my $client = to($own);
    my ($r) = $client->login('/forwarded/env.cgi', delegating($kind));
    is $r->{status}, 200, "$kind: logged in";
    my $file = cache($r->{body});
    like $file, qr{^\Q$own->{dir}\E/ccaches/$NAME/$NAME$}, "$kind: a cache of a name that nobody guesses";
    my $owner = $> == 0 ? $ENV{WA_USER} : getpwuid $>;
    is join('|', $r->{body} =~ /^(MODE=.*)$/mg),
        "MODE=600 OF=$owner TYPE=regular file|MODE=700 OF=$owner TYPE=directory|MODE=700 OF=$owner TYPE=directory",
        "$kind: for httpd's user alone";
    like $r->{body}, qr/^Ticket cache: FILE:\Q$file\E\nDefault principal: alice\@WINAUTH\.TEST$/m, "$kind: it is alice's";
    like $r->{body}, qr{ krbtgt/WINAUTH\.TEST\@WINAUTH\.TEST$}m, "$kind: with her ticket-granting ticket";
    like $r->{body}, qr{^host/other\.test\@WINAUTH\.TEST: kvno = \d+$}m, "$kind: and gets tickets for other services";
    is $seen{$file}++, 0, "$kind: it is new";
    is_deeply [ files($own) ], [ $file =~ s{^.*/(.*/)}{$1}r ], "$kind: and the only one";

    my $again = $client->get('/forwarded/env.cgi');
    is cache($again->{body}), $file, "$kind: the login's next request has the same one";
    like $again->{body}, qr{ host/other\.test\@WINAUTH\.TEST$}m, "$kind: with what was put there";
    ok -e $file, "$kind: which is there as long as the login";

    my ($other) = $client->login('/forwarded/env.cgi', delegating($kind));
    isnt cache($other->{body}), $file, "$kind: a new login on the same connection, a new cache";
    ok !-e $file, "$kind: and the old one is gone";
    $client->close;
    ok gone(sub { files($own) }), "$kind: with the connection goes the cache";
}

{
    my ($alice, $bob) = (to($own), to($own));
    my ($a) = $alice->login('/forwarded/env.cgi', delegating('spnego', 'alice'));
    my ($b) = $bob->login('/forwarded/env.cgi', delegating('spnego', 'bob'));
    isnt cache($a->{body}), cache($b->{body}), 'two users, two caches';
    like $b->{body}, qr/^Default principal: bob\@/m, "bob's is bob's";
    like $alice->get('/forwarded/env.cgi')->{body}, qr/^Default principal: alice\@/m, "alice's is alice's";
    is scalar(files($own)), 2, 'and there are no more';
}

# A real client, and the default caches of kinit -f.
{
    my $cache = scratch('forwardable.ccache');
    my $kinit = run({ KRB5_CONFIG => "$KDC/krb5.conf" }, qw(kinit -f -k -t), "$KDC/alice.keytab", '-c', $cache, 'alice');
    is $kinit->{exit}, 0, 'kinit -f' or diag $kinit->{err};
    my $url = "http://localhost:$own->{port}/forwarded/env.cgi";
    my $curl = curl({ KRB5CCNAME => $cache }, qw(--negotiate -u : --delegation always), urls($url, $url));
    is $curl->{transfers}[0]{status}, 200, 'curl --delegation always: served';
    like $curl->{body}, qr{^host/other\.test\@WINAUTH\.TEST: kvno}m, 'curl --delegation always: its ticket can be used';
    $curl = curl({ KRB5CCNAME => $cache }, qw(--negotiate -u :), $url);
    is "$curl->{transfers}[0]{status} " . cache($curl->{body}), '200 -', 'curl by itself delegates nothing';
    my $stay = run({ KRB5_CONFIG => "$KDC/krb5.conf" }, qw(kinit -F -k -t), "$KDC/alice.keytab", '-c', $cache, 'alice');
    $curl = curl({ KRB5CCNAME => $cache }, qw(--negotiate -u : --delegation always), $url);
    is "$curl->{transfers}[0]{status} " . cache($curl->{body}), '200 -', 'a ticket that is not forwardable is not forwarded';
    $curl = curl({ KRB5CCNAME => "$KDC/alice.ccache" }, qw(--negotiate -u : --delegation always --http2-prior-knowledge), $url);
    is $curl->{transfers}[0]{status}, 200, 'on a stream: served';
    like $curl->{body}, qr/^KRB5CCNAME=/m, 'on a stream: with a cache';
    ok gone(sub { files($own) }), 'of all that, nothing is left';
}

# --- who does not ask for it, or has none ---------------------------------------------------------------

{
    my $client = to($own);
    my ($r) = $client->login('/off/env.cgi', delegating('spnego'));
    is "$r->{status} " . cache($r->{body}), '200 -', 'a section without delegation: nothing is exported';
    is_deeply [ files($own) ], [], 'nor taken';
    is $client->get('/off/env.cgi')->{status}, 200, 'the login holds there';
    my $bare = $client->get('/forwarded/env.cgi');
    is "$bare->{status} " . $bare->offers, '401 Negotiate|NTLM', 'where delegation is asked for, a new login is';
    ($r) = $client->login('/forwarded/env.cgi', delegating('spnego'));
    my $file = cache($r->{body});
    isnt $file, '-', 'which brings it';
    is cache($client->get('/off/env.cgi')->{body}), '-', 'the section without still gets nothing';
    is cache($client->get('/forwarded/env.cgi')->{body}), $file, 'and that with it what there is';
    is cache($client->get('/free/env.cgi')->{body}), '-', 'a section without us gets nothing';

    ($r) = $client->login('/forwarded/env.cgi', kerberos());
    is "$r->{status} " . cache($r->{body}), '200 -', 'a client that delegates nothing: nothing';
    is $client->get('/forwarded/env.cgi')->{status}, 200, 'and its login holds: it was asked';
    ok !-e $file, 'while the login before has gone with its cache';

    for my $kind (\&ntlm, \&spnego_ntlm) {
        my @r = $client->login('/forwarded/env.cgi', $kind->());
        is "$r[-1]{status} " . cache($r[-1]{body}), '200 -', 'NTLM delegates nothing';
        is $client->get('/forwarded/env.cgi')->{status}, 200, 'and holds';
    }
}

# Parts of pages, error pages: each by its own section.
{
    my $client = to($own);
    my ($r) = $client->login('/pages/all.shtml', delegating('spnego'));
    my %part = map { split /\]\n/, $_, 2 } split /^\[/m, $r->{body} =~ s/\A\[//r;
    isnt cache($part{forwarded}), '-', 'a part of a page that asks for it has it';
    is cache($part{off}), '-', 'one that does not has not';
    unlike $part{off}, qr/KRB5CCNAME/, 'by no name';
    unlike $part{free}, qr/KRB5CCNAME/, 'nor one without us';
    like $part{off}, qr/^USER=WINAUTH\\alice$/m, 'though it knows the user';
    $r = $client->get('/missing/nothing.html');
    like $r->{body}, qr/^USER=/m, 'an error page that is a program';
    unlike $r->{body}, qr/KRB5CCNAME/, 'does not have it either, by no name';
}

# --- a login for one request ------------------------------------------------------------------------------

for my $section (qw(single unbound)) {
    my $client = to($own);
    for my $time (1, 2) {
        my ($r) = $client->login("/$section/env.cgi", delegating('spnego'));
        my $file = cache($r->{body});
        isnt $file, '-', "$section, $time: it has a cache";
        like $r->{body}, qr/^Default principal: alice\@/m, "$section, $time: which can be read";
        ok gone(sub { -e $file }), "$section, $time: and goes with the request, though the connection stays";
    }
    is $client->get("/$section/env.cgi")->{status}, 401, "$section: the connection is open, and nobody's";
}
{
    my $client = to($own);
    my ($token, $scheme) = delegating('spnego');
    my $r = $client->get('/forwarded/env.cgi', Authorization => "$scheme " . $token->step, Via => '1.1 proxy');
    isnt cache($r->{body}), '-', 'through a proxy: it has a cache';
    ok gone(sub { -e cache($r->{body}) }), 'which goes with the request';
}

# --- whatever ends the login -------------------------------------------------------------------------------

# child(SERVER): the process that serves this connection.
sub children {
    my ($own) = @_;
    open my $f, '<', "/proc/$own->{pid}/task/$own->{pid}/children" or die $!;
    return split ' ', scalar <$f>;
}

for my $mpm (qw(event prefork)) {
    my $server = server(<<'END', mpm => $mpm)->start;
WinAuthDelegationDir @DIR@/ccaches
CoreDumpDirectory @DIR@
END
    my $client = to($server);
    my ($r) = $client->login('/forwarded/env.cgi', delegating('spnego'));
    my $file = cache($r->{body});
    ok -e $file, "$mpm: there is a cache";
    my $survivor = to($server);
    kill 'KILL', children($server);
    ok gone(sub { -e $file }), "$mpm: the child dies, and the parent removes what it left";
    (my $part = $file) =~ s{/[^/]+$}{};
    ok gone(sub { -e $part }), "$mpm: all of it";

    # a child that starts has the directory to itself for a moment: the parent comes back later
    my $other = to($server);
    ($r) = $other->login('/forwarded/env.cgi', delegating('spnego'));
    $file = cache($r->{body});
    open my $directory, '<', "$server->{dir}/ccaches" or die $!;
    flock $directory, LOCK_EX or die $!;
    kill 'KILL', children($server);
    sleep 1.5;
    ok -e $file, "$mpm: what a child left stays while another one starts";
    close $directory;
    ok gone(sub { -e $file }), "$mpm: and goes then";

    # by now there are other children
    for my $how ([ 'TERM', 'stopped' ], [ 'WINCH', 'stopped gently' ]) {
        my ($signal, $what) = @{$how};
        my $open = to($server);
        ($r) = $open->login('/forwarded/env.cgi', delegating('spnego'));
        isnt cache($r->{body}), '-', "$mpm, $what: there is a cache" or diag $r->{body};
        kill $signal, $server->{pid};
        $open->close if $signal eq 'WINCH';
        waitpid delete $server->{pid}, 0;
        is_deeply [ parts($server) ], [], "$mpm, $what: and nothing is left";
        $server->start;
    }

    # all of them at once, so that nobody can clean up; what is not ours stays
    my $open = to($server);
    ($r) = $open->login('/forwarded/env.cgi', delegating('spnego'));
    $file = cache($r->{body});
    my $pid = delete $server->{pid};
    kill 'KILL', -$pid; # its whole process group, cgid's daemon too
    waitpid $pid, 0;
    ok -e $file, "$mpm, killed: it is still there";
    $server->file('ccaches/notes', "mine\n");
    mkdir "$server->{dir}/ccaches/mine";
    $server->file("ccaches/mine/$_", "mine\n") for 'notes', 'a' x 32;
    mkdir "$server->{dir}/elsewhere";
    $server->file('elsewhere/' . 'b' x 32, "precious\n");
    symlink "$server->{dir}/elsewhere", "$server->{dir}/ccaches/" . 'c' x 32;
    ok gone(sub { -e "/proc/$pid" }), "$mpm, killed: the parent is gone";
    $server->start;
    ok gone(sub { -e $file }), "$mpm, killed: the next start removes it";
    is join(' ', grep { !/^$NAME$/ || -l "$server->{dir}/ccaches/$_" } parts($server)),
        join(' ', 'c' x 32, 'c' x 32 . '/' . 'b' x 32, 'mine', 'mine/' . 'a' x 32, 'mine/notes', 'notes'),
        "$mpm, killed: and nothing that is not named like it, nor what a link leads to";
}

# A graceful restart takes nothing away from those who are still served.
{
    my $server = server("WinAuthDelegationDir \@DIR\@/ccaches\n", mpm => 'event');
    $server->file('htdocs/slow.cgi', <<'END');
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
printf 'KRB5CCNAME=%s\n' "$KRB5CCNAME"
: >"${KRB5CCNAME#FILE:}.runs"
while [ ! -e "$DOCUMENT_ROOT/go" ]; do sleep 0.05; done
rm -f "${KRB5CCNAME#FILE:}.runs"
klist 2>&1
END
    chmod 0755, "$server->{dir}/htdocs/slow.cgi";
    $server->start;
    my $client = to($server);
    my ($token, $scheme) = delegating('spnego');
    $client->send('GET', '/forwarded/slow.cgi', [ Authorization => "$scheme " . $token->step ]);
    ok gone(sub { files($server) < 2 }), 'restart: there is a cache, and the program runs';
    kill 'USR1', $server->{pid};
    ok $server->logged('error.log', qr/resuming normal operations.*resuming normal operations/s), 'restart: done';
    my $next = to($server);
    my ($r) = $next->login('/forwarded/env.cgi', delegating('spnego', 'bob'));
    isnt cache($r->{body}), '-', 'restart: the new children have theirs';
    $server->file('htdocs/go', '');
    $r = $client->response('GET');
    like $r->{body}, qr/^Default principal: alice\@/m, 'restart: the old one is served with what it had';
    $_->close for $client, $next;
    ok gone(sub { files($server) }), 'restart: then all goes';
}

# --- what can be wrong ----------------------------------------------------------------------------------------

# refused(SERVER, PATTERN, WHAT): httpd -t says so, and it does not start.
sub refused {
    my ($server, $pattern, $what) = @_;
    my ($status, $output) = $server->test_config;
    isnt $status, 0, "$what: httpd -t";
    like $output, $pattern, "$what: httpd -t says why";
    start_fails(@_);
}

# start_fails(SERVER, PATTERN, WHAT): it has its socket by the time it gives up, so start may have been content.
sub start_fails {
    my ($server, $pattern, $what) = @_;
    eval { $server->start };
    ok gone(sub { $server->{pid} && waitpid($server->{pid}, WNOHANG) == 0 }), "$what: it does not start";
    delete $server->{pid};
    like $server->slurp('output') . $server->error_log, $pattern, $what;
}

{
    my $dir = 'WinAuthDelegationDir @DIR@/ccaches' . "\n";
    my $server = own($dir);
    mkdir "$server->{dir}/ccaches", 0755;
    chown +(getpwnam $ENV{WA_USER})[2, 3], "$server->{dir}/ccaches" if $> == 0;
    refused($server, qr/WA0001: WinAuthDelegationDir: \S+ is not a directory of httpd's user alone/, 'others may look into it');

    $server = own($dir);
    $server->file('ccaches', '');
    refused($server, qr/WA0001: WinAuthDelegationDir: \S+ is not a directory/, 'a file');

    $server = own($dir);
    mkdir "$server->{dir}/other", 0700;
    chown +(getpwnam $ENV{WA_USER})[2, 3], "$server->{dir}/other" if $> == 0;
    symlink 'other', "$server->{dir}/ccaches";
    refused($server, qr/WA0001: WinAuthDelegationDir: \S+ is not a directory/, 'a link');

    $server = own('WinAuthDelegationDir @DIR@/none/ccaches' . "\n");
    start_fails($server, qr/WA0001: WinAuthDelegationDir: \S+ cannot be made: No such file or directory/, 'nowhere to make it');

    if ($> == 0) {
        $server = own($dir);
        mkdir "$server->{dir}/ccaches", 0700;
        refused($server, qr/WA0001: WinAuthDelegationDir: \S+ is not a directory of httpd's user alone/, "root's own");
    }
}

# The default is in the runtime directory; and nothing is made when nothing asks for it.
{
    my $server = server("DefaultRuntimeDir \@DIR\@/run\n");
    mkdir "$server->{dir}/run";
    $server->start;
    my ($r) = to($server)->login('/forwarded/env.cgi', delegating('spnego'));
    like cache($r->{body}), qr{^\Q$server->{dir}\E/run/winauth-delegation/$NAME/$NAME$}, 'by default, in the runtime directory';

    $server = own(<<'END');
DefaultRuntimeDir @DIR@/run
<Directory @DIR@/htdocs>
  AllowOverride AuthConfig
</Directory>
<Location />
  AuthType WinAuth
  AuthName own
  Require valid-user
</Location>
END
    mkdir "$server->{dir}/run";
    mkdir "$server->{dir}/htdocs/here";
    $server->file('htdocs/here/index.html', "here\n");
    $server->file('htdocs/here/.htaccess', "WinAuthDelegation forwarded\n");
    $server->start;
    ok !-e "$server->{dir}/run/winauth-delegation", 'where nobody asks, nothing is made';
    ($r) = to($server)->login('/here/index.html', delegating('spnego'));
    is $r->{status}, 200, 'a .htaccess alone: the login is one';
    ok $server->logged('error.log', qr/\[winauth:error\].*WA0151: nothing is delegated: .*WinAuthDelegationDir/),
        'a .htaccess alone: the log says what is missing';
}

# The directory goes away under a server that runs: the login stands, and the log has it.
{
    my $server = server("WinAuthDelegationDir \@DIR\@/ccaches\n")->start;
    my $client = to($server);
    ok gone(sub { !parts($server) }), 'the children have their parts';
    run({}, 'rm', '-rf', "$server->{dir}/ccaches");
    my ($r) = $client->login('/forwarded/env.cgi', delegating('spnego'));
    is "$r->{status} " . cache($r->{body}), '200 -', 'the directory is gone: the login is one, without a cache';
    ok $server->logged('error.log', qr/\[winauth:warn\].*WA0152: WINAUTH\\\\alice delegates nothing: the credential cannot be stored: /),
        'the directory is gone: the log';
    is $client->get('/forwarded/env.cgi')->{status}, 401, 'the directory is gone: the next request tries again';
}

# Nothing of it is in the logs, at any level.
{
    my $log = $own->error_log . $own->access_log;
    like $log, qr{winauth:trace}, 'a log with all that we write';
    my @told = grep { $log =~ /\Q$_\E/ } map { s{^.*/}{}r } keys %seen;
    is_deeply \@told, [], 'no name of a cache in it';
}

done_testing;
