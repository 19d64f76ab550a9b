# A Match block that is meant for one network gives a user more than it should.
has sshd; has ssh-keygen
ssh-keygen -q -t ed25519 -N '' -f key || fail "no key"
cat > conf/sshd_config <<X
Port 2222
HostKey $PWD/key
PermitRootLogin no
PasswordAuthentication no
X11Forwarding no

# the office
Match Address 10.0.0.0/8,192.0.2.0/24
    X11Forwarding yes
    PasswordAuthentication yes

Match User backup
    PasswordAuthentication no
    AllowTcpForwarding no
X
check() {
    said=$(sshd -T -f conf/sshd_config -C user=backup,host=x,addr=192.0.2.9) || exit 2
    grep -q '^permitrootlogin no' <<< "$said" && grep -q '^allowtcpforwarding no' <<< "$said" || exit 2
    grep -q '^x11forwarding yes' <<< "$said" || exit 2
    grep -q '^passwordauthentication yes' <<< "$said" && exit 1
    exit 0
}
# What is asked of sshd itself needs no reload.
as_script check
bisect conf/sshd_config --test "bash $PWD/check.sh" --syntax "sshd -t -f '$PWD/conf/sshd_config'"
