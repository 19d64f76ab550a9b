# An empty zone answers for addresses that another zone of this server knows by a wider name.
has named; has dig
zone='$TTL 600\n@ IN SOA ns.office. admin.office. ( 1 3600 900 604800 600 )\n@ IN NS ns.office.\n'
mkdir zones cache
printf "$zone" > zones/empty
printf "$zone"'9.30 IN PTR files.office.\n1.16 IN PTR printer.office.\n' > zones/172
cat > conf/named.conf <<X
// the office
options {
    directory "$PWD/cache";
    pid-file "$PWD/named.pid";
    session-keyfile none; lock-file none;
    listen-on port 5300 { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no; /* our own zones only */
    empty-zones-enable no;
};
controls { };
zone "172.in-addr.arpa" { type master; file "$PWD/zones/172"; };
include "$PWD/conf/private.conf";
X
cat > conf/private.conf <<X
zone "17.172.in-addr.arpa" { type master; file "$PWD/zones/empty"; };
zone "30.172.in-addr.arpa" { type master; file "$PWD/zones/empty"; };
zone "31.172.in-addr.arpa" { type master; file "$PWD/zones/empty"; };
X
sed -i 's/^9.30 /9.0.30 /; s/^1.16 /1.0.16 /' zones/172
reload() { restart 5300 named -f -c "$PWD/conf/named.conf"; }
ask() { dig +short +time=2 +tries=2 @127.0.0.1 -p 5300 -x "$1"; }
check() {
    [ "$(ask 172.16.0.1)" = printer.office. ] || exit 2
    [ "$(ask 172.30.0.9)" = files.office. ] || exit 1
}
as_script reload
as_script check
reload || fail "named does not run: $(tail -3 log/daemon)"
bisect conf/named.conf --test "bash $PWD/check.sh" --reload "bash $PWD/reload.sh" --syntax "named-checkconf '$PWD/conf/named.conf'"
