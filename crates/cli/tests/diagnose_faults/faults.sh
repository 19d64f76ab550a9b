# One function a fault: it makes the world, breaks it, and looks.

healthy() { start_all; page; }
db_stopped() { start_all; kill $db; waits 10 dead $db; page; }
db_frozen() { start_all; kill -STOP $db; page; }
wrong_db_port() { database_url=mysql://shop:pw@127.0.0.1:3307/shop; start_all; page; }
apps_stopped() { start_all; kill $app3001 $app3002; waits 5 silent 3001; waits 5 silent 3002; page; }
one_app_stopped() { start_all; kill $app3001; waits 5 silent 3001; page; }
apps_frozen() { start_all; kill -STOP $app3001 $app3002; page; }
redis_stopped() { start_all; kill $redis; waits 5 silent 6379; page; }
redis_frozen() { start_all; kill -STOP $redis; page; }
redis_full() { redis_options="--maxmemory 1kb --maxmemory-policy noeviction"; start_all; page; }
apache_stopped() { start_all; stop_apache; page; }
apache_frozen() { start_all; kill -STOP $(pgrep -x apache2); page; }
nginx_stopped() { start_all; kill $(cat /run/nginx.pid); waits 5 silent 80; page; }
drop_to_db() { start_all; nft add table t; nft 'add chain t c { type filter hook output priority 0; }'; nft add rule t c tcp dport 3306 drop; page; }
reject_to_db() { start_all; nft add table t; nft 'add chain t c { type filter hook output priority 0; }'; nft add rule t c tcp dport 3306 reject with tcp reset; page; }
wrong_password() { database_url=mysql://shop:no@127.0.0.1:3306/shop; start_all; page; }
db_connections() {
    db_connections=10; start_all
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do $python -c 'import sys,time
exec(open(sys.argv[1]).read().split("def ask_cache")[0])
held = Database("mysql://shop:pw@127.0.0.1:3306/shop"); time.sleep(60)' "$scripts/app.py" 2>/dev/null & done
    waits 10 sh -c "[ \$(ss -Htn state established 'dport = :3306' | wc -l) -ge 10 ]"; sleep 0.5; page
}
no_table() { start_all; sql "DROP TABLE item"; page; }
empty_table() { start_all; sql "DELETE FROM item"; page --expect "items: 2"; }
app_disk_full() { mount -t tmpfs -o size=64k tmpfs uploads; chmod 777 uploads; start_all; head -c 100000 /dev/zero > uploads/old 2>/dev/null; page --method POST --data "$(head -c 3000 /dev/zero | tr '\0' x)"; }
app_inodes_full() { mount -t tmpfs -o size=1m,nr_inodes=5 tmpfs uploads; chmod 777 uploads; start_all; for n in 1 2 3 4 5 6; do : > uploads/$n; done 2>/dev/null; page --method POST --data x; }
db_disk_full() { mkdir data; mount -t tmpfs -o size=220m tmpfs data; cp -a "$database/." data/; start_all; head -c 300000000 /dev/zero > data/old 2>/dev/null; page; }
app_files() {
    start_all
    for app in $app3001 $app3002; do prlimit --pid $app --nofile=5; done; page
}
apache_exhausted() {
    apache_servers=1 apache_threads=4 apache_workers=4 start_all; kill -STOP $app3001 $app3002
    for n in 1 2 3 4 5 6; do curl -s -m 20 -o /dev/null http://127.0.0.1:8080/ & done; sleep 0.5; page
}
broken_config() { start_all; stop_apache; echo 'ProxyPas /x http://127.0.0.1:1/' >> /etc/apache2/apache2.conf; page; }
port_taken() { start_all; stop_apache; $python -c 'import socket,time
s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(("127.0.0.1", 8080)); s.listen(1); time.sleep(60)' & waits 5 listens 8080
    apache2 -d /etc/apache2 -f apache2.conf -k start 2>/dev/null; page; }
app_killed() { start_all; kill -KILL $app3001 $app3002; waits 5 silent 3001; waits 5 silent 3002; page; }

# Of our own.
fpm_permission() { start_redis; echo '<?php echo "hello\n";' > www/index.php; start_fpm $here/php.sock; nginx_http=${php_server/FPM/unix:$here/php.sock}; start_nginx; page; }
fpm_stopped() { start_redis; echo '<?php echo "hello\n";' > www/index.php; fpm_extra='listen.owner = www-data'; start_fpm $here/php.sock; nginx_http=${php_server/FPM/unix:$here/php.sock}; start_nginx; waits 5 test -s /run/php/fpm.pid; pid=$(cat /run/php/fpm.pid); kill $pid; waits 5 dead $pid; page; }
fpm_exhausted() { echo '<?php usleep(20000000);' > www/index.php; start_fpm 127.0.0.1:9000; nginx_http=${php_server/FPM/127.0.0.1:9000}; start_nginx; for n in 1 2 3; do curl -s -m 20 -o /dev/null http://127.0.0.1/ & done; sleep 0.5; page; }
partner_hangs() {
    echo '<?php $f = fsockopen("127.0.0.5", 9400, $no, $msg, 2); fwrite($f, "PRICE\n"); echo fgets($f);' > www/index.php
    $python -c 'import socket
s = socket.socket(); s.bind(("127.0.0.5", 9400)); s.listen(50); held = []
while True: held.append(s.accept())' & waits 5 listens 9400
    start_fpm 127.0.0.1:9000; nginx_http=${php_server/FPM/127.0.0.1:9000}; start_nginx; for n in 1 2; do curl -s -m 20 -o /dev/null http://127.0.0.1/ & done; sleep 0.5; page
}
certificate_expired() { certificate 200101000000Z 210101000000Z; tls_world; }
certificate_early() { certificate 480101000000Z 490101000000Z; tls_world; }
tls_world() {
    modules=ssl; apache_extra="SSLEngine on
SSLCertificateFile $here/app.pem
SSLCertificateKeyFile $here/app.key"
    start_db; start_redis; start_app 3001; start_app 3002; start_apache
    nginx_http="    server { listen 127.0.0.1:80; location / { proxy_pass https://127.0.0.1:8080; proxy_ssl_name app.test; proxy_ssl_verify on; proxy_ssl_trusted_certificate $here/ca.pem; } }"
    start_nginx; page
}
rewrite_loop() { nginx_http="    server { listen 127.0.0.1:80; location / { rewrite ^/(.*)\$ /x/\$1 last; } }"; start_nginx; page; }
redirect_loop() { nginx_http="    server { listen 127.0.0.1:80; location / { return 302 /; } }"; start_nginx; page; }
stale_pid_file() { start_all; stop_apache; sleep 60 & echo $! > /run/apache2/apache2.pid; page; }
name_gone() { start_redis; database_url=mysql://shop:pw@db.nowhere.test:3306/shop; : > resolv; mount --bind resolv /etc/resolv.conf; start_db; start_app 3001; start_app 3002; start_apache; start_nginx; page; }
redis_misconf() {
    mkdir dump; mount -t tmpfs -o size=64k tmpfs dump; start_db
    redis-server --port 6379 --bind 127.0.0.1 --save '1 1' --dir $here/dump --logfile /var/log/redis.log </dev/null >/dev/null 2>&1 & waits 5 listens 6379
    head -c 100000 /dev/zero > dump/old 2>/dev/null
    $python -c 'import socket
s = socket.create_connection(("127.0.0.1", 6379)); s.sendall(b"SET a b\r\n"); s.recv(9)'
    waits 20 $python -c 'import socket,sys
s = socket.create_connection(("127.0.0.1", 6379)); s.sendall(b"PING\r\n"); sys.exit(not s.recv(99).startswith(b"-MISCONF"))'
    start_app 3001; start_app 3002; start_apache; start_nginx; page
}
backlog_overflow() {
    $python -c 'import socket,time
s = socket.socket(); s.bind(("127.0.0.1", 8080)); s.listen(1); time.sleep(60)' & waits 5 listens 8080
    start_nginx; for n in 1 2 3 4; do curl -s -m 20 -o /dev/null http://127.0.0.1:8080/ & done; sleep 0.5; page
}
redis_clients() { redis_options="--maxclients 4"; start_all; for n in 1 2 3 4 5; do $python -c 'import socket,time
s = socket.create_connection(("127.0.0.1", 6379)); time.sleep(60)' & done; sleep 1; page; }
quiet_db_stopped() { export QUIET=1; start_all; kill $db; waits 10 dead $db; page; }
quiet_redis_and_unused() { export QUIET=1; start_all; kill $redis; waits 5 silent 6379; page; }
not_found() { nginx_http="    server { listen 127.0.0.1:80; root $here/www; location /api { proxy_pass http://127.0.0.1:8080; } }"; start_nginx; page; }

# Something is broken, and something else is to blame.
bug_and_dead_redis() { export BUG=1; start_all; kill $redis; waits 5 silent 6379; page; }
bug_and_full_disk() { export BUG=1 QUIET=1; mount -t tmpfs -o size=64k tmpfs uploads; start_all; head -c 100000 /dev/zero > uploads/old 2>/dev/null; page; }
spin_and_frozen_redis() { export SPIN=1; start_all; kill -STOP $redis; page; }
own_500_and_dead_upstream() { nginx_http="    server { listen 127.0.0.1:80; location / { return 500; } location ~ php { proxy_pass http://127.0.0.1:8080; } }"; start_nginx; page; }

# Other ways to say the same.
localhost_names() { printf '127.0.0.1 localhost\n::1 localhost\n' > names; mount --bind names /etc/hosts; nginx_http="    server { listen 80; location / { proxy_pass http://localhost:8080; } }"; database_url=mysql://shop:pw@localhost/shop; start_all; page; }
haproxy_backend_down() {
    printf 'defaults\n  mode http\n  timeout connect 2s\n  timeout client 9s\n  timeout server 9s\nfrontend f\n  bind 127.0.0.1:80\n  default_backend b\nbackend b\n  server one 127.0.0.1:3001 check inter 200ms\n' > /etc/haproxy/haproxy.cfg
    haproxy -D -f /etc/haproxy/haproxy.cfg; waits 5 listens 80; sleep 1; page
}

# Limits, rights and programs.
nginx_files() {
    nginx_connections=6; nginx_main="worker_rlimit_nofile 14;"; start_all
    for n in 1 2 3 4; do $python -c 'import socket,time
s = socket.create_connection(("127.0.0.1", 80)); s.sendall(b"GET / HTTP/1.1\r\n"); time.sleep(60)' & done; sleep 0.5; page
}
php_memory() {
    local group=/sys/fs/cgroup/memory/surefoot-$$-$RANDOM
    mkdir $group || fail "no control group of memory"
    echo 80M > $group/memory.limit_in_bytes; echo '<?php ini_set("memory_limit", "-1"); echo strlen(str_repeat("x", 300000000));' > www/index.php
    start_fpm 127.0.0.1:9000; for pid in $(pgrep php-fpm); do echo $pid > $group/cgroup.procs; done
    nginx_http=${php_server/FPM/127.0.0.1:9000}; start_nginx; page
    for pid in $(pgrep php-fpm); do echo $pid > /sys/fs/cgroup/memory/cgroup.procs; done; rmdir $group
}
php_fatal() { : > /var/log/php.log; chmod 666 /var/log/php.log; echo '<?php ini_set("display_errors", "0"); no_such_function();' > www/index.php; start_fpm 127.0.0.1:9000; nginx_http=${php_server/FPM/127.0.0.1:9000}; start_nginx; page; }
upstream_denied() {
    mkdir -m 700 closed; echo '<?php echo "hello\n";' > www/index.php; fpm_extra='listen.mode = 0666'; start_fpm $here/closed/php.sock
    nginx_http=${php_server/FPM/unix:$here/closed/php.sock}; start_nginx; page
}
slow_query() { export QUERY='SELECT SLEEP(20)'; start_all; page; }
haproxy_503() { # it answers 503 as its only server is down by its own checks
    start_app 3001; printf 'defaults\n  mode http\n  timeout connect 2s\n  timeout client 9s\n  timeout server 9s\nfrontend f\n  bind 127.0.0.1:80\n  default_backend b\nbackend b\n  option httpchk GET /no-such-page\n  http-check expect status 200\n  server one 127.0.0.1:3001 check inter 200ms\n' > /etc/haproxy/haproxy.cfg
    export BUG=1; kill $app3001; waits 5 silent 3001; start_app 3001; haproxy -D -f /etc/haproxy/haproxy.cfg; waits 5 listens 80; sleep 1.5; page
}
other_vhost() {
    printf '127.0.0.1 localhost site.test\n' > names; mount --bind names /etc/hosts; start_app 3001
    nginx_http="    server { listen 127.0.0.1:80; server_name default.test; return 404; }
    server { listen 127.0.0.1:80; server_name sitte.test; location / { proxy_pass http://127.0.0.1:3001; } }"
    start_nginx; look http://site.test/
}

vhost_order() { # the pattern of the first virtual host takes the name of the second
    printf '127.0.0.1 localhost shop.site.test\n' > names; mount --bind names /etc/hosts; start_app 3001
    apache_pass=; apache_ports=127.0.0.1:80; apache_extra="<VirtualHost *:80>
ServerName site.test
ServerAlias *.site.test
</VirtualHost>
<VirtualHost *:80>
ServerName shop.site.test
ProxyPass / http://127.0.0.1:3001/
</VirtualHost>"; start_apache; look http://shop.site.test/health
}
vhost_asked_by_header() {
    start_app 3001; nginx_http="    server { listen 127.0.0.1:80 default_server; return 404; }
    server { listen 127.0.0.2:80; server_name shop.test; location / { proxy_pass http://127.0.0.1:3001; } }"
    start_nginx; page -H 'Host: shop.test'
}
vhost_default_is_meant() { # one block for all names, and what is behind it fails
    printf '127.0.0.1 localhost site.test\n' > names; mount --bind names /etc/hosts; export BUG=1 QUIET=1; start_app 3001
    nginx_http="    server { listen 127.0.0.1:80; server_name _; location / { proxy_pass http://127.0.0.1:3001; } }"
    start_nginx; look http://site.test/
}
stale_cache() { # nginx keeps a page that the applications answer otherwise by now
    nginx_http="    proxy_cache_path $here/cache keys_zone=pages:1m;
    server { listen 127.0.0.1:80; location / { proxy_pass http://127.0.0.1:8080; proxy_cache pages; proxy_cache_valid 200 1h; } }"
    start_all; curl -s -o /dev/null -m 5 http://127.0.0.1/; sql "INSERT INTO item VALUES (3)"; page --expect "items: 3"
}
old_version_in_pool() {
    start_db; start_redis; QUERY='SELECT 7' start_app 3001; start_app 3002; start_apache; start_nginx; page --expect "items: 2"
}

# The same with PostgreSQL.
pg_healthy() { start_with_postgres; page; }
pg_stopped() { start_with_postgres; kill -INT $pg; waits 10 dead $pg; page; }
pg_frozen() { start_with_postgres; kill -STOP $(pgrep -x postgres); page; }
pg_connections() {
    pg_connections=6; start_with_postgres
    for n in 1 2 3 4 5 6 7; do $python -c 'import sys,time
exec(open(sys.argv[1]).read().split("def ask_cache")[0])
held = Postgres("postgres://shop@127.0.0.1:5432/shop"); time.sleep(60)' "$scripts/app.py" 2>/dev/null & done
    waits 10 sh -c "[ \$(ss -Htn state established 'dport = :5432' | wc -l) -ge 6 ]"; sleep 0.5; page
}
pg_no_table() { start_with_postgres; pg_sql "DROP TABLE item"; page; }
pg_locked() { # the table is held: every page waits for a store that answers others
    start_with_postgres
    $python -c 'import sys,time
exec(open(sys.argv[1]).read().split("def ask_cache")[0])
held = Postgres("postgres://shop@127.0.0.1:5432/shop"); held.query("BEGIN; LOCK TABLE item"); open("held", "w"); time.sleep(60)' "$scripts/app.py" &
    waits 10 test -e held; page
}

# The cause is unknown until daemons are held, one after another.
stopped() { grep -qs '^State:.T' /proc/[0-9]*/status; }
none_stopped() { ! stopped; }
breaks() { page --break --state-dir $here/state "$@"; none_stopped || fail "a process is still stopped"; }
break_killed() { # kill -9 while a daemon is held, a little later each time: it goes on
    export BUG=1 QUIET=1; start_all
    for pause in 0 0.1 0.3 0.6; do
        "$surefoot" diagnose http://127.0.0.1/ --break --state-dir $here/state >/dev/null 2>&1 & tool=$!
        waits 10 stopped; sleep $pause; kill -KILL $tool; wait $tool 2>/dev/null; waits 10 none_stopped
    done
    waits 5 sh -c '! "$0" changes --state-dir $1/state --format json | grep -q "\"armed\""' "$surefoot" $here
    curl -s -o /dev/null -w '{"answer": {"status": %{http_code}}}' -m 5 http://127.0.0.1/
}
break_posted() { export QUIET=1; rmdir uploads; start_all; breaks --method POST --data x; }
break_frozen() { start_all; kill -STOP $db; page --break --state-dir $here/state; }
break_bug() { export BUG=1 QUIET=1; start_all; breaks; }
break_quiet_no_table() { export QUIET=1; start_all; sql "DROP TABLE item"; breaks; }
break_front() { nginx_http="    server { listen 127.0.0.1:80; location /x { proxy_pass http://127.0.0.1:8080; }
        location / { add_header X-Site one; return 500; } }"; start_all; breaks; }
break_rewrite_loop() { nginx_http="    server { listen 127.0.0.1:80; root $here/www;
        location / { try_files \$uri /index.html; }
        rewrite ^/(.*)\$ /x/\$1 last; }"; echo page > www/index.html; start_nginx; breaks; }

# What files of units, journals and queues show.
units() { # shop@3001.service, with the database in a file of its own
    mkdir -p /etc/systemd/system/multi-user.target.wants
    printf 'DATABASE_URL=mysql://shop:pw@127.0.0.1:3306/shop\nREDIS_URL=redis://127.0.0.1:6379\nUPLOAD_DIR=%s/uploads\n' "$here" > shop.env
    cat > /etc/systemd/system/shop@.service <<UNIT
[Unit]
Description=The shop
[Service]
EnvironmentFile=$here/shop.env
ExecStart=$python $scripts/app.py %i
[Install]
WantedBy=multi-user.target
UNIT
    ln -s ../shop@.service /etc/systemd/system/multi-user.target.wants/shop@3001.service
}
front_of_app() { nginx_http="    server { listen 127.0.0.1:80; location / { proxy_pass http://127.0.0.1:3001; } }"; start_nginx; }
unit_dead() { # what systemd would say of it is said by a stand-in, as there is no systemd in a namespace
    mkdir -p /run/systemd/system bin; printf '#!/bin/sh\n[ "$1" = show ] || exit 1\nprintf "Id=shop@3001.service\\nLoadState=loaded\\nActiveState=failed\\nSubState=failed\\nResult=exit-code\\nExecMainStatus=3\\nNRestarts=5\\n"\n' > bin/systemctl
    chmod +x bin/systemctl; PATH=$here/bin:$PATH; units; start_db; start_redis; front_of_app; page; }
journal_words() { # the application's errors go to a journal that a real systemd-journald keeps
    mkdir -p /run/systemd/journal /run/log/journal
    echo 0123456789abcdef0123456789abcdef > machine-id; mount --bind machine-id /etc/machine-id || fail "no /etc/machine-id"
    /lib/systemd/systemd-journald </dev/null >/dev/null 2>&1 & waits 10 test -S /run/systemd/journal/stdout
    waits 10 sh -c 'ls /run/log/journal/*/system.journal'
    start_db; start_redis
    DATABASE_URL=mysql://shop:no@127.0.0.1:3306/shop REDIS_URL=redis://127.0.0.1:6379 UPLOAD_DIR=$here/uploads \
        systemd-cat $python "$scripts/app.py" 3001 </dev/null & waits 10 listens 3001
    front_of_app; page
}
fpm_queue() {
    echo '<?php usleep(20000000);' > www/index.php; fpm_extra='listen.mode = 0666'; start_fpm "$here/php.sock"
    nginx_http=${php_server/FPM/unix:$here/php.sock}; start_nginx
    for n in 1 2 3; do curl -s -m 20 -o /dev/null http://127.0.0.1/ & done; sleep 0.5; page
}
