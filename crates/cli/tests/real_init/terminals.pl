# Makes terminals in a root that is being built: pseudo-terminals under the names of virtual and hypervisor
# consoles. Holds their masters, reads what is written to them, and outlives a hang-up.
#
# usage: perl terminals.pl ROOT NAME...
use strict;
use warnings;

my ($root, @names) = @ARGV;
alarm 300;
my @lines;
for my $name (@names) {
    open(my $master, "+<", "$root/dev/pts/ptmx") or die "ptmx: $!";
    my $number = pack("i", 0);
    ioctl($master, 0x40045431, $number) or die "TIOCSPTLCK: $!";
    ioctl($master, 0x80045430, $number) or die "TIOCGPTN: $!";
    my $line = "$root/dev/pts/" . unpack("i", $number);
    open(my $node, ">", "$root/dev/$name") or die "$name: $!";
    close($node);
    system("mount", "--bind", $line, "$root/dev/$name") == 0 or die "cannot mount $name";
    # A line that stays open is not lost between two gettys.
    open(my $kept, "+<", $line) or die "$line: $!";
    push @lines, [$master, $kept];
}
open(my $ready, ">", "$root/run/terminals") or die "$root/run: $!";
close($ready);
while (1) {
    for my $line (@lines) {
        my $ready_ones = "";
        vec($ready_ones, fileno($line->[0]), 1) = 1;
        # A master is not readable for a moment after a hang-up.
        sysread($line->[0], my $text, 4096) if select($ready_ones, undef, undef, 0.02);
    }
}
