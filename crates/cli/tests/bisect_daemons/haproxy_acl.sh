# One of several lines of an access list is too wide.
has haproxy; has curl
cat > conf/haproxy.cfg <<X
global
    maxconn 60
    nbthread 1
    stats socket $PWD/admin.sock mode 600

defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s

frontend web
    bind 127.0.0.1:8080
    acl inner path_beg /admin/
    acl inner path_beg /adm
    acl inner path_beg /status/
    acl alive path /alive
    http-request return status 200 content-type text/plain string "alive" if alive
    http-request deny if inner
    http-request return status 200 content-type text/plain string "page"
X
reload() { restart 8080 haproxy -q -db -f "$PWD/conf/haproxy.cfg"; }
check() {
    [ "$(get 127.0.0.1:8080/alive)" = alive ] || exit 2
    [ "$(get -o /dev/null -w '%{http_code}' 127.0.0.1:8080/admin/x)" = 403 ] || exit 2
    case $(get -o /dev/null -w '%{http_code}' 127.0.0.1:8080/admiral) in 200) exit 0 ;; 403) exit 1 ;; *) exit 2 ;; esac
}
as_script reload
as_script check
reload || fail "HAProxy does not run"
bisect conf/haproxy.cfg --test "bash $PWD/check.sh" --reload "bash $PWD/reload.sh" --syntax "haproxy -c -q -f '$PWD/conf/haproxy.cfg'"
