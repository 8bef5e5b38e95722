# mod_auth_form beside us: single sign-on for those who can, a login form for the others, one application for both.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use WinAuth::Own;
use WinAuth::Run;

my $own = own(<<"END", modules => [qw(authn_file authn_socache socache_shmcb auth_form session session_cookie request)]);
<Location />
  AuthUserFile \@DIR\@/users
</Location>
<Location /app>
  AuthType WinAuth
  AuthName own
  Require valid-user
  ErrorDocument 401 /login.html
  <If "-n %{HTTP_COOKIE} && %{HTTP_COOKIE} =~ /(^|; )session=/">
    AuthType form
    AuthFormProvider file
    AuthFormLoginRequiredLocation /login.html
    Session On
    SessionCookieName session path=/
  </If>
</Location>
<Location /dologin>
  SetHandler form-login-handler
  Require all granted
  AuthType form
  AuthName own
  AuthFormProvider file
  AuthFormLoginRequiredLocation /login.html
  AuthFormLoginSuccessLocation /app/page
  Session On
  SessionCookieName session path=/
</Location>
<Location /named>
  AuthType WinAuth
  AuthName own
  <RequireAny>
    Require user carol
    Require user "WINAUTH\\\\bob"
  </RequireAny>
</Location>
END
my $hash = run({}, qw(openssl passwd -apr1 -salt saltsalt form-secret))->{out};
$own->file('users', "carol:$hash");
mkdir "$own->{dir}/htdocs/$_" for qw(app);
$own->file('htdocs/app/page', "a page\n");
$own->file('htdocs/named', "a page\n");
$own->file('htdocs/login.html', "<form method=post action=/dologin>\n");
$own->start;

my %LOGIN = logins();
my $count = 0;
sub app { return '/app/page?' . ++$count }

# nobody: the offers, and the form for those who take none of them
my $client = to($own);
my $r = $client->get(app());
is outcome($r), '401 Negotiate|NTLM', 'nobody: offered both';
like $r->{body}, qr/<form/, 'nobody: and shown the form';

# the form's own login
my $form = 'httpd_username=carol&httpd_password=form-secret';
$r = $client->request('POST', '/dologin', [ 'Content-Type' => 'application/x-www-form-urlencoded' ], $form);
is $r->{status}, 302, 'the form: taken' or diag $own->error_log;
like $r->header('Location'), qr{/app/page$}, 'the form: on to the application';
my ($cookie) = map { /^(session=[^;]+)/ ? $1 : () } $r->all('Set-Cookie');
ok $cookie, 'the form: a session';
is outcome(to($own)->get(app(), Cookie => $cookie)), '200 carol', 'the session is its user, on any connection';
$r = to($own)->request('POST', '/dologin', [ 'Content-Type' => 'application/x-www-form-urlencoded' ],
                       'httpd_username=carol&httpd_password=wrong');
isnt $r->{status}, 200, 'the form, wrong password: no page';
is scalar(grep { /^session=.*carol/ } $r->all('Set-Cookie')), 0, 'the form, wrong password: no session of carol';

# both on one connection: neither becomes the other
for my $how (sort keys %LOGIN) {
    $client = to($own);
    my @r = $client->login(app(), $LOGIN{$how}->());
    is outcome($r[-1]), '200 ' . ALICE, "$how: logged in";
    is outcome($client->get(app(), Cookie => $cookie)), '200 carol', "$how: a session on that connection is the session's user";
    is outcome($client->get(app())), '200 ' . ALICE, "$how: and without it the connection's";
    $r = $client->get(app(), Cookie => 'session=carol-user=carol');
    isnt user_of($r), ALICE, "$how: a forged session is not the connection's user";
    isnt user_of($r), 'carol', "$how: nor the one it names" if $r->{status} == 200;
    is outcome($client->get(app())), '200 ' . ALICE, "$how: whose login stays";
}
$client = to($own);
is outcome($client->get(app(), Cookie => $cookie)), '200 carol', 'a session';
is outcome($client->get(app())), '401 Negotiate|NTLM', 'leaves no login on the connection';
is outcome($client->get('/named', Cookie => $cookie)), '401 Negotiate|NTLM', 'nor does it count where only we decide';

# an authorization that names users of both kinds
is outcome(($client->login('/named', $LOGIN{'raw NTLM'}->('bob')))[-1]), '200 ' . BOB, 'RequireAny: one of ours';
is outcome((to($own)->login('/named', $LOGIN{'raw NTLM'}->('alice')))[-1]), '401 Negotiate|NTLM', 'RequireAny: another of ours';

done_testing;
