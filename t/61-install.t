# make install and uninstall, in each layout, into a directory of the test's own.

use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use lib 't/lib', 'lib';
use File::Find 'find';
use WinAuth::Client;
use WinAuth::Server;

my $SOURCE = $ENV{WA_SOURCE} or die "WA_SOURCE: the source tree\n";
-e "$SOURCE/Makefile" or die "$SOURCE: no source tree\n";
my $EXAMPLE = "$SOURCE/conf.d/winauth.conf";

sub read_file {
    my ($name) = @_;
    open my $f, '<', $name or return;
    local $/;
    my $text = <$f>;
    return $text;
}

sub write_file {
    my ($name, $text) = @_;
    open my $f, '>', $name or die "$name: $!";
    print {$f} $text;
    close $f or die "$name: $!";
}

# make(TARGET, DESTDIR, LAYOUT): (exit status, output).  The module is the one under test, not built anew.
sub make {
    my ($target, $dest, $layout) = @_;
    my $make = $ENV{MAKE} || 'make';
    my $output = do {
        local %ENV = %ENV;
        delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
        qx{'$make' -s -C '$SOURCE' -o build/mod_winauth.so '$target' DESTDIR='$dest' LAYOUT='$layout' 2>&1};
    };
    return ($? >> 8, $output);
}

# Every file below a directory => its mode.
sub files {
    my ($dir) = @_;
    my %files;
    find({ no_chdir => 1, wanted => sub {
        $files{ substr $_, length $dir } = sprintf '%04o', (stat $_)[2] & 07777 if -f $_;
    } }, $dir);
    return %files;
}

my ($libexec, $sysconf, $include) = map { my $v = qx{apxs -q $_}; chomp $v; $v } qw(LIBEXECDIR sysconfdir INCLUDEDIR);
(my $parent = $sysconf) =~ s{/conf$}{};
my %layouts = (
    debian => [ "$sysconf/mods-available/winauth.load", "$sysconf/mods-available/winauth.conf" ],
    fedora => [ "$parent/conf.modules.d/10-winauth.conf", "$parent/conf.d/winauth.conf" ],
    plain  => [ "$sysconf/conf.d/00-winauth.load.conf", "$sysconf/conf.d/winauth.conf" ],
);
my $module = "$libexec/mod_winauth.so";
my $header = "$include/mod_winauth.h";
my $example = read_file($EXAMPLE);
like $example, qr/WinAuth/, 'there is an example configuration';

for my $layout (sort keys %layouts) {
    my ($loader, $conf) = @{ $layouts{$layout} };
    my $dest = "$ENV{WA_TMP}/install-$layout";
    mkdir $dest or die $!;
    chmod 0755, $dest;

    my $old_mask = umask 077; # whatever root's umask is, httpd must be able to read it
    my ($status, $output) = make('install', $dest, $layout);
    umask $old_mask;
    is $status, 0, "$layout: installed" or diag $output;
    is_deeply { files($dest) }, { map { $_ => '0644' } $module, $header, $loader, $conf },
        "$layout: four files, for everybody to read";
    is read_file("$dest$module"), read_file("$SOURCE/build/mod_winauth.so"), "$layout: the module";
    is read_file("$dest$header"), read_file("$SOURCE/src/mod_winauth.h"), "$layout: the header for other modules";
    is read_file("$dest$conf"), $example, "$layout: the example configuration";
    like read_file("$dest$loader"), qr{^LoadModule winauth_module \Q$module\E$}m, "$layout: the loader, with the final path";
    unlike read_file("$dest$loader"), qr/\Q$dest\E/, "$layout: not that of DESTDIR";
    like read_file("$dest$loader"), qr/^# Depends: .*authz_core/m, 'debian: what a2enmod must know' if $layout eq 'debian';

    # the loader loads: with the module where it says
    (my $load = read_file("$dest$loader")) =~ s/\Q$module\E/$dest$module/;
    my $server = WinAuth::Server->new('');
    (my $config = $server->slurp('httpd.conf')) =~ s/^LoadModule winauth_module .*\n/${load}Include $dest$conf\n/m;
    $server->file('httpd.conf', $config);
    ($status, $output) = $server->test_config;
    is $status, 0, "$layout: httpd -t";
    like $output, qr/^Syntax OK$/m, "$layout: httpd -t: no complaint";
    my $modules = qx{@{[ join ' ', map { "'$_'" } $server->httpd('-M') ]} 2>/dev/null};
    like $modules, qr/^ winauth_module \(shared\)$/m, "$layout: the module is loaded";

    # once more: nothing changes
    ($status) = make('install', $dest, $layout);
    is $status, 0, "$layout: installed again";
    is_deeply { files($dest) }, { map { $_ => '0644' } $module, $header, $loader, $conf }, "$layout: nothing new";

    # an edited configuration and loader stay
    my ($edited, $edited_loader) = ("# mine\n$example", "# mine\n" . read_file("$dest$loader"));
    write_file("$dest$conf", $edited);
    write_file("$dest$loader", $edited_loader);
    ($status, $output) = make('install', $dest, $layout);
    is $status, 0, "$layout: installed over an edited configuration";
    is read_file("$dest$conf"), $edited, "$layout: which stays";
    is read_file("$dest$conf.new"), $example, "$layout: ours beside it";
    like $output, qr/\Q$dest$conf\E.*\Q$conf.new\E/, "$layout: and that is said";
    is read_file("$dest$loader"), $edited_loader, "$layout: the loader stays too";

    ($status, $output) = make('uninstall', $dest, $layout);
    is $status, 0, "$layout: uninstalled" or diag $output;
    is_deeply [ keys %{ { files($dest) } } ], [ $conf ], "$layout: but for the edited configuration";
    is read_file("$dest$conf"), $edited, "$layout: which is untouched";

    # and one that nobody edited goes
    unlink "$dest$conf";
    make('install', $dest, $layout);
    ($status) = make('uninstall', $dest, $layout);
    is $status, 0, "$layout: uninstalled again";
    is_deeply { files($dest) }, {}, "$layout: completely";
}

{
    my $dest = "$ENV{WA_TMP}/install-nonsense";
    mkdir $dest or die $!;
    my ($status, $output) = make('install', $dest, 'nonsense');
    isnt $status, 0, 'an unknown LAYOUT is refused';
    like $output, qr/LAYOUT/, 'and named';
    is_deeply { files($dest) }, {}, 'before anything is written';
}

# --- the example changes nothing

{
    my $page = "<Location /page>\n  Require all granted\n</Location>\n";
    my $with = WinAuth::Server->new("${page}Include $EXAMPLE\n");
    my ($status, $output) = $with->test_config;
    is $status, 0, 'conf.d/winauth.conf as it is: httpd -t';
    like $output, qr/^Syntax OK$/m, 'no complaint';
    unlike $output, qr/winauth|warn/i, 'nor comment';

    my $without = WinAuth::Server->new($page);
    my %dump = map {
        my ($s) = $_->test_config('-D', 'DUMP_WINAUTH');
        is $s, 0, 'its values can be shown';
        my (undef, $text) = $_->test_config('-D', 'DUMP_WINAUTH');
        ($_->{dir} => $text);
    } $with, $without;
    is $dump{ $with->{dir} }, $dump{ $without->{dir} }, 'every value is what it is without it';

    $_->file('htdocs/page', "a page\n") for $with, $without;
    for my $server ($with, $without) {
        $server->start;
        my $r = WinAuth::Client->new($server->{port})->get('/page');
        is "$r->{status} $r->{body}", "200 a page\n", 'and pages are served as ever';
        is $r->offers, '', 'with nothing offered';
        $server->stop;
    }

    # without the module it is no error either
    (my $config = $with->slurp('httpd.conf')) =~ s/^LoadModule winauth_module .*\n//m;
    $config =~ s/ winauth:trace\d$//m;
    $with->file('httpd.conf', $config);
    ($status, $output) = $with->test_config;
    is $status, 0, 'conf.d/winauth.conf without the module: httpd -t' or diag $output;
}

# Uncommented, it is a configuration, whichever lines are.
{
    my $server = WinAuth::Server->new('');
    my $text = "Define APACHE_LOG_DIR $server->{dir}\n";
    my $lines = 0;
    for (split /\n/, $example) {
        next unless /^\s*#\s*((?:WinAuth|AuthType|Require|LogFormat|CustomLog|<\/?Location)\b?.*)/;
        my $line = $1;
        $line =~ s{/etc/apache2/http\.keytab}{$ENV{WA_KDC}/http.keytab};
        $line =~ s{/run/apache2/}{$server->{dir}/};
        $text .= "$line\n";
        $lines++;
    }
    cmp_ok $lines, '>', 25, 'the example has its lines';
    $server->file('httpd.conf', $server->slurp('httpd.conf') . $text);
    my ($status, $output) = $server->test_config;
    is $status, 0, 'conf.d/winauth.conf with all lines uncommented: httpd -t' or diag $output;
}

{
    my @lines = split /\n/, $example;
    my %seen;
    for (@lines) {
        $seen{$1} = 1 if /^\s*#?\s*(WinAuth\w+)/;
    }
    my $server = WinAuth::Server->new('');
    my $list = qx{@{[ join ' ', map { "'$_'" } $server->httpd('-L') ]} 2>&1};
    my @missing = grep { !$seen{$_} } $list =~ /^(WinAuth\w+) \(mod_winauth\.c\)/mg;
    is "@missing", '', 'the example knows every directive';
}

done_testing;
