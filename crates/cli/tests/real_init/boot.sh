# Boots an init system as process 1 of the namespaces that this runs in, with a root of its own in which only
# /etc and /var can be written and stay.
#
# usage: bash boot.sh KIND WORK UNPACKED PROGRAM
set -eu
kind=$1 work=$2 unpacked=$3 program=$4
here=$(dirname "$0")
root=$work/root
mkdir -p "$root" "$work/etc" "$work/var/lib"
mount -t tmpfs -o mode=755 tmpfs "$root"
cp "$here/terminals.pl" "$root/terminals.pl"
cd "$root"
mkdir bin sbin usr etc dev proc sys run tmp var root old
mount --rbind /usr usr
mount -o remount,bind,ro usr
for name in lib lib32 lib64 libx32; do
    if [ "$name" = lib ] && [ "$kind" = openrc ]; then
        # OpenRC has parts of its own in /lib.
        mkdir lib
        for part in /lib/*; do
            ln -s "/usr/lib/${part##*/}" lib/
        done
        cp -a "$unpacked/lib/rc" lib/
        cp "$unpacked"/lib/*/librc.so.1 "$unpacked"/lib/*/libeinfo.so.1 lib/
    elif [ -L "/$name" ]; then
        cp -P "/$name" .
    elif [ -d "/$name" ]; then
        mkdir "$name"
        mount --bind "/$name" "$name"
        mount -o remount,bind,ro "$name"
    fi
done
for name in sh kill true sleep; do
    program_file=/usr/bin/$name
    [ -e "$program_file" ] || program_file=/bin/$name
    ln -s "$(readlink -f "$program_file")" "bin/$name"
done
mount --bind "$work/etc" etc
mount --bind "$work/var" var
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
perl terminals.pl "$root" tty0 tty1 tty2 tty3 tty4 hvc0 console < /dev/null > "$work/terminals.log" 2>&1 &
for attempt in $(seq 200); do
    [ ! -e run/terminals ] || break
    sleep 0.05
done
[ -e run/terminals ] || { cat "$work/terminals.log" >&2; exit 9; }
rm run/terminals
touch surefoot
mount --bind "$program" surefoot
ln -s /usr/sbin/agetty sbin/agetty
case $kind in
sysvinit)
    cp "$unpacked/sbin/init" "$unpacked/sbin/telinit" sbin/
    ln -s agetty sbin/getty
    ;;
busybox)
    cp "$unpacked/bin/busybox" bin/
    ln -s ../bin/busybox sbin/init
    ln -s ../bin/busybox sbin/getty
    ;;
runit)
    cp "$unpacked/lib/runit/runit-init" sbin/init
    cp "$unpacked/sbin/runit" "$unpacked/usr/sbin/runsvchdir" sbin/
    for name in chpst runsv runsvdir sv; do
        cp "$unpacked/usr/bin/$name" bin/
    done
    # The stages are Debian's own; nothing else of this machine is started.
    cp "$unpacked/etc/runit/1" "$unpacked/etc/runit/2" "$unpacked/etc/runit/3" etc/runit/
    ln -s agetty sbin/getty
    ;;
openrc)
    cp "$unpacked/sbin/openrc-init" sbin/init
    for name in openrc openrc-run openrc-shutdown rc rc-service rc-update start-stop-daemon supervise-daemon; do
        [ ! -e "$unpacked/sbin/$name" ] || cp -a "$unpacked/sbin/$name" sbin/
    done
    cp "$unpacked/etc/init.d/agetty" etc/init.d/
    for name in boot nonetwork off shutdown sysinit; do
        mkdir -p "etc/runlevels/$name"
    done
    ;;
systemd)
    ln -s /lib/systemd/systemd sbin/init
    # The units that a login prompt needs, and no others of this machine.
    mkdir -p "$work/units/multi-user.target.wants"
    for unit in basic console-getty final getty getty@ local-fs multi-user paths serial-getty@ \
        shutdown slices sockets sysinit timers umount; do
        for ending in service target; do
            [ ! -e "/lib/systemd/system/$unit.$ending" ] || cp "/lib/systemd/system/$unit.$ending" "$work/units/"
        done
    done
    ln -sf ../getty.target "$work/units/multi-user.target.wants/getty.target"
    mount --bind "$work/units" usr/lib/systemd/system
    mount -t sysfs sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -o remount,bind,ro sys
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro proc/sys
    ;;
esac
pivot_root . old
umount -l /old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=linux /sbin/init < /dev/console > /dev/console 2>&1
