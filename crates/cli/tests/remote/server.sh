# A server with a real ssh daemon and a client, each in a network namespace of its own, for the tests of changes of
# the firewall over ssh. Told: $surefoot, $folder, $backend (legacy, nftables, nft).
set -u
cd "$folder"
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd

# The client's namespace lives as long as this process.
unshare -n sleep 300 &
client=$!
trap 'kill $client $(cat sshd.pid 2> /dev/null) 2> /dev/null' EXIT
for _ in $(seq 200); do
    [ "$(readlink /proc/$client/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break
    sleep 0.02
done
at_client() { nsenter --net=/proc/$client/ns/net "$@"; }

ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth1 netns $client
ip link set eth0 up
ip addr add 192.0.2.1/24 dev eth0
ip -6 addr add 2001:db8::1/64 dev eth0 nodad
at_client ip link set lo up
at_client ip link set eth1 up
at_client ip addr add 192.0.2.9/24 dev eth1
at_client ip -6 addr add 2001:db8::9/64 dev eth1 nodad

ssh-keygen -q -t ed25519 -N '' -f host_key
ssh-keygen -q -t ed25519 -N '' -f key
cp key.pub authorized
cat > sshd_config << END
Port 22
HostKey $folder/host_key
PidFile $folder/sshd.pid
AuthorizedKeysFile $folder/authorized
StrictModes no
PermitRootLogin yes
UsePAM no
PermitUserEnvironment no
END
$(command -v sshd) -f "$folder/sshd_config" -E sshd.log
SSH_OPTIONS="-F none -i $folder/key -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=no"
SSH_OPTIONS="$SSH_OPTIONS -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
server=192.0.2.1
# Runs a command at the server, from the client.
over_ssh() { at_client ssh $SSH_OPTIONS "$@"; }
for _ in $(seq 100); do over_ssh root@$server true 2> /dev/null && break; sleep 0.05; done

case "$backend" in
legacy) v4=iptables-legacy-restore v6=ip6tables-legacy-restore ;;
*) v4=iptables-nft-restore v6=ip6tables-nft-restore ;;
esac

# Writes the rules that are called old, all, port, interface, flush, six and set.
write_rules() {
    local port=22 door= open=1 home=192.0.2.9 output=ACCEPT six=1
    case $1 in
    all) open= output=DROP six= ;;
    port) port=2222 ;;
    interface) door="-i eth9" ;;
    flush) open= six= ;;
    six) six= ;;
    set) home=203.0.113.1 ;;
    esac
    printf 'create home hash:ip\nadd home %s\n' $home > $1.sets
    {
        printf '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT %s [0:0]\n' $output
        [ $open ] && cat << END
-A INPUT -i lo -j ACCEPT
-A INPUT $door -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT $door -p tcp -m set --match-set home src -m tcp --dport $port -j ACCEPT
END
        echo COMMIT
    } > $1.v4
    {
        printf '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT %s [0:0]\n' $output
        [ $six ] && cat << END
-A INPUT -i lo -j ACCEPT
-A INPUT $door -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p ipv6-icmp -j ACCEPT
-A INPUT $door -p tcp -m tcp --dport $port -j ACCEPT
END
        echo COMMIT
    } > $1.v6
    local way=${door:+iifname eth9}
    {
        printf 'flush ruleset\ntable inet f {\n'
        printf '    set home { type ipv4_addr; elements = { %s }; }\n' $home
        printf '    chain output { type filter hook output priority 0; policy %s; }\n' ${output,,}
        printf '    chain input {\n        type filter hook input priority 0; policy drop;\n'
        [ $open ] && cat << END
        iif lo accept
        meta nfproto ipv4 $way ct state established,related accept
        $way ip saddr @home tcp dport $port accept
END
        [ $six ] && cat << END
        meta nfproto ipv6 $way ct state established,related accept
        meta l4proto ipv6-icmp accept
        meta nfproto ipv6 $way tcp dport $port accept
END
        printf '    }\n}\n'
    } > $1.nft
}
for name in old all port interface flush six set; do write_rules $name; done

files() {
    case "$backend" in
    nft) echo $1.nft ;;
    *) echo $1.sets $1.v4 $1.v6 ;;
    esac
}
case "$backend" in
nft) nft -f old.nft ;;
*) ipset restore < old.sets; $v4 < old.v4; $v6 < old.v6 ;;
esac

loose=cat
# Everything but comments and counters. What a mechanism that is not used holds is nothing.
rules() {
    case "$backend" in
    legacy) { iptables-legacy-save; ip6tables-legacy-save; ipset save; } ;;
    nftables) { iptables-nft-save; ip6tables-nft-save; nft -s list ruleset; ipset save; } ;;
    nft) nft -s list ruleset ;;
    esac 2> /dev/null | grep -v '^#' | sed -E 's/ \[[0-9]+:[0-9]+\]$//; s/ initval [^ ]*//; s/ hashsize [^ ]*//' | $loose
}
rules > before
now() { date +%s.%N; }
# Waits until the rules are the old ones, or others than those; at most so many seconds.
wait_for() {
    local end=$((SECONDS + $2))
    while [ $SECONDS -le $end ]; do
        rules > there
        cmp -s before there
        case $1/$? in old/0|new/1) now > moment; return 0 ;; esac
        sleep 0.02
    done
    echo "no $1 rules within $2 s"
    return 1
}
