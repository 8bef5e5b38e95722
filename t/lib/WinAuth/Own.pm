package WinAuth::Own;

# What tests with servers of their own share: a configuration with keys and users, logins, outcomes.

use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use MIME::Base64 ();
use Time::HiRes qw(sleep time);
use WinAuth::Client;
use WinAuth::Server;
use WinAuth::Token;

our @EXPORT = qw(own to outcome user_of logins ntlm raw_negotiate spnego_ntlm kerberos krb5 basic reasons
                 lines_since urls ALICE BOB);

use constant { ALICE => 'WINAUTH\\alice', BOB => 'WINAUTH\\bob' };

my $TRUST = <<"END";
WinAuthKeytab $ENV{WA_KDC}/http.keytab
WinAuthNTLMAuthority file:$ENV{WA_KDC}/ntlm.users
WinAuthDomain WINAUTH.TEST WINAUTH
Header always set X-User "expr=%{REMOTE_USER}"
KeepAliveTimeout 20
MaxKeepAliveRequests 0
END

# own(CONFIG, modules => [NAME...], trust => DIRECTIVES, ...): a server that is yet to be started.  @DIR@ and
# @PORT@ in CONFIG are its own.
sub own {
    my ($config, %option) = @_;
    my $own = WinAuth::Server->new('', %option);
    my $text = (defined $option{trust} ? $option{trust} : $TRUST) . $config;
    $text =~ s/\@DIR\@/$own->{dir}/g;
    $text =~ s/\@PORT\@/$own->{port}/g;
    $own->{extra} = $option{modules};
    $own->write_config($text, $option{mpm} || $ENV{WA_MPM});
    return $own;
}

# to(SERVER): a fresh connection.
sub to { return WinAuth::Client->new($_[0]{port}) }

# The token client and the scheme, for WinAuth::Client->login.
sub ntlm { return (WinAuth::Token->ntlm($_[0] || 'alice', $_[1] || 'Passw0rd-' . ($_[0] || 'alice')), 'NTLM') }
sub raw_negotiate { return ((ntlm(@_))[0], 'Negotiate') }
sub spnego_ntlm {
    return (WinAuth::Token->spnego_ntlm($_[0] || 'alice', $_[1] || 'Passw0rd-' . ($_[0] || 'alice')), 'Negotiate');
}
sub kerberos { return (WinAuth::Token->spnego($_[0] || 'alice'), 'Negotiate') }
sub krb5 { return (WinAuth::Token->krb5($_[0] || 'alice'), 'Negotiate') }

# logins: every way to log in, by name.
sub logins {
    return ('raw NTLM' => \&ntlm, 'raw NTLM under Negotiate' => \&raw_negotiate, 'NTLM inside SPNEGO' => \&spnego_ntlm,
            Kerberos => \&kerberos, 'Kerberos without SPNEGO' => \&krb5);
}

# basic(USER, PASSWORD): the header.
sub basic {
    my ($user, $password) = @_;
    return (Authorization => 'Basic ' . MIME::Base64::encode_base64("$user:$password", ''));
}

# user_of(RESPONSE): who it was served to, or "-".
sub user_of {
    return '-' unless $_[0]{status};
    my $user = $_[0]->header('X-User');
    return defined $user && $user ne '' && $user ne '(null)' ? $user : '-';
}

# outcome(RESPONSE): status and user, or status and offers.
sub outcome {
    my ($r) = @_;
    return 'closed' unless $r->{status};
    return "$r->{status} " . ($r->{status} == 401 ? $r->offers : $r->{status} == 403 ? '' : user_of($r));
}

# reasons(SERVER, PATH, COUNT): "STATUS REASON" of the access log's lines of that address, at least COUNT.
sub reasons {
    my ($own, $path, $count) = @_;
    my @reasons;
    for (1 .. 200) {
        @reasons = $own->access_log =~ m{^\S+ "[A-Z]+ \Q$path\E(?: HTTP/[\d.]+)?" (\d+ \S+ \S+ \S+)$}mg;
        last if @reasons >= ($count || 1);
        sleep 0.05;
    }
    s/ \S+ \S+ / / for @reasons;
    return @reasons;
}

# lines_since(SERVER, LENGTH, PATTERN): what the error log has got of that kind since it was so long.
sub lines_since {
    my ($own, $length, $pattern) = @_;
    return grep { /$pattern/ } split /\n/, substr $own->error_log, $length;
}

# urls(URL...): arguments for a curl that fetches them all; only the first one's body is kept.
sub urls {
    my ($first, @more) = @_;
    return ($first, map { ('-o', '/dev/null', $_) } @more);
}

1;
