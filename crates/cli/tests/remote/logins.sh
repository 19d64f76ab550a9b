# A machine with a real ssh daemon, in namespaces of its own, on which logins are stopped. Told: $surefoot, $folder.
set -u
cd "$folder"
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
ip link set lo up
ssh-keygen -q -t ed25519 -N '' -f host_key
ssh-keygen -q -t ed25519 -N '' -f key
cat > sshd_config << END
Port 22
ListenAddress 127.0.0.1
HostKey $folder/host_key
PidFile $folder/sshd.pid
AuthorizedKeysFile $folder/key.pub
StrictModes no
PermitRootLogin yes
UsePAM no
END
$(command -v sshd) -f "$folder/sshd_config" -E sshd.log
options="-F none -i $folder/key -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=no"
options="$options -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
over_ssh() { ssh $options "$@"; }
for _ in $(seq 100); do over_ssh root@127.0.0.1 true 2> /dev/null && break; sleep 0.05; done
daemon=$(cat sshd.pid)

# Says what comes of a stop, with a word in front and the status behind.
stop() {
    local name=$1
    shift
    "$surefoot" stop "$@" > said 2>&1
    local status=$?
    sed "s/^/$name: /" said
    echo "$name: status $status"
}
# Begins a login on a terminal, and waits until it is there. Its process is in the file of its name.
login() {
    over_ssh -tt root@127.0.0.1 "echo \$\$ > $folder/$1; sleep 60; :" > "$1.typed" 2>&1 < /dev/null &
    for _ in $(seq 200); do [ -s "$1" ] && return; sleep 0.02; done
    echo "login $1 does not come"
    cat "$1.typed" sshd.log
    exit 1
}
above() { sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$1/stat"; }

# What carries the session that one works in.
over_ssh root@127.0.0.1 "$surefoot stop \$PPID -n; echo status \$?" 2>&1 | sed 's/^/session: /'
over_ssh root@127.0.0.1 "$surefoot stop $daemon -n; echo status \$?" 2>&1 | sed 's/^/daemon of it: /'

login one
one=$(cat one)
stop last "$one" -n
stop carrier "$(above "$one")" -n
stop daemon "$daemon" -n
login two
two=$(cat two)
stop one-of-two "$one" -n
stop both "$one" "$two" -n
stop both-carriers "$(above "$one")" "$(above "$two")" -n
stop carried "$(above "$one")"
for _ in $(seq 100); do [ -d "/proc/$one" ] || break; sleep 0.02; done
[ -d "/proc/$one" ] && echo "login one is still there" || echo "login one is gone"
stop insisted "$two" --yes
