# A location by regular expression takes what a narrower one behind it should get.
has nginx; has curl
cat > conf/nginx.conf <<X
worker_processes 1;
pid $PWD/nginx.pid;
error_log log/error;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $PWD/log/1;
    proxy_temp_path $PWD/log/2;
    fastcgi_temp_path $PWD/log/3;
    uwsgi_temp_path $PWD/log/4;
    scgi_temp_path $PWD/log/5;
    include sites/*.conf;
}
X
mkdir conf/sites
cat > conf/sites/shop.conf <<'X'
server {
    listen 127.0.0.1:8080;
    server_name shop;
    location = /health { return 200 "well\n"; }
    location / { return 200 "shop\n"; }
    location ~ \.png$ { return 200 "picture\n"; }
    # the API
    location ~ ^/api/ {
        return 200 "api\n";
    }
    location ~ ^/old/ { return 410; }
    # payments
    location ~ ^/api/pay/ {
        return 200 "pay\n";
    }
}
X
reload() { restart 8080 nginx -p "$PWD/" -c conf/nginx.conf -e log/error -g 'daemon off;'; }
check() {
    [ "$(get 127.0.0.1:8080/)" = shop ] && [ "$(get 127.0.0.1:8080/api/list)" = api ] || exit 2
    [ "$(get 127.0.0.1:8080/api/pay/1)" = pay ] || exit 1
}
as_script reload
as_script check
reload || fail "nginx does not run"
bisect conf/nginx.conf --test "bash $PWD/check.sh" --reload "bash $PWD/reload.sh" \
    --syntax "nginx -t -q -p '$PWD/' -c conf/nginx.conf -e log/error"
