# What every scene has: a network and a mount namespace of its own, in which nothing of the machine is changed.
set -u
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
mount --make-rprivate /
for folder in /run /var/log /var/lib /var/cache; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /run/sshd /run/php /run/named /var/log/nginx /var/log/apache2 /var/lib/nginx /var/cache/bind
mkdir conf log
fail() { echo "scene: $*" >&2; exit 90; }
has() { command -v "$1" > /dev/null || fail "$1 is not installed; cargo xtask packages installs it"; }
# Waits for a port, not longer than the daemon lives. Looks are counted and not seconds: a busy machine has more time.
wait_port() {
    for _ in $(seq 60); do
        (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null && return 0
        grep -q '^State:.[^ZX]' "/proc/$(cat daemon.pid)/status" 2> /dev/null || return 1
        sleep 0.02
    done
    return 1
}
wait_no_port() {
    for _ in $(seq 500); do (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null || return 0; sleep 0.02; done
    return 1
}
# restart PORT COMMAND...: ends what ran before and starts it, in the background.
restart() {
    local port=$1 old; shift
    old=$(cat daemon.pid 2> /dev/null)
    [ -n "$old" ] && { kill -TERM "$old" 2> /dev/null; wait_no_port "$port" || return 1; }
    "$@" < /dev/null >> log/daemon 2>&1 &
    echo $! > daemon.pid
    wait_port "$port"
}
get() { curl -s -m 5 "$@"; }
snapshot() { (cd conf && find . -type f -exec stat -c '%n %i %a %u %g %y %s' {} + | sort; find . -type f -exec sha256sum {} + | sort); }
# bisect CONFIG OPTION...: the answer on standard output, and everything as before.
bisect() {
    snapshot > before
    "$surefoot" bisect "$@" --state-dir state --format json --within 100s > answer || cat answer >&2
    snapshot > after
    cmp before after >&2 || fail "the files are not as before"
    cat answer
}
# as_script NAME: the function as a script, since a shell that is not bash hands no functions on.
as_script() { { declare -f; echo "cd '$PWD'; $1"; } > "$1.sh"; }
