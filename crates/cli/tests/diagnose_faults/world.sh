# A world of daemons: nginx :80 -> apache's balancer :8080 -> two applications :3001 and :3002 -> mariadb :3306 and
# redis :6379, in namespaces of its own. Sourced; the working folder is scratch.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$PWD
python=/usr/bin/python3; [ -x $python ] || python=python3
fail() { echo "$*" >&2; exit 9; }
say() { [ -z "${VERBOSE:-}" ] || echo "$*" >&2; }
ip link set lo up || fail "no loopback"
mount --make-rprivate /
for folder in /run /var/log /var/tmp /etc/apache2 /etc/nginx /etc/haproxy /etc/systemd; do
    mkdir -p $folder && mount -t tmpfs tmpfs $folder || fail "no scratch at $folder"
done
mkdir -p /run/php /run/mysqld /run/apache2 /run/lock /var/log/nginx /var/log/apache2 uploads www
chmod 755 "$here"; chmod 777 uploads
waits() { # waits SECONDS COMMAND...
    local end=$((SECONDS + 3 * $1)); shift  # the machine may be busy
    until "$@" 2>/dev/null >&2; do [ $SECONDS -lt $end ] || fail "waited too long for: $*"; sleep 0.05; done
}
listens() { ss -Hltn "sport = :$1" | grep -q .; }
silent() { ! listens "$1"; }
dead() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }

start_db() {
    if [ ! -d data ]; then cp -a "$database" data || fail "no database"; fi
    cat > my.cnf <<EOF
[mariadbd]
user = root
datadir = $here/data
tmpdir = $here/data
socket = $here/db.sock
bind-address = 127.0.0.1
port = 3306
log_error = /var/log/db.err
skip-name-resolve
innodb_buffer_pool_size = 8M
innodb_log_file_size = 4M
innodb_use_native_aio = 0
performance_schema = OFF
max_connections = ${db_connections:-50}
EOF
    mariadbd --defaults-file=$here/my.cnf </dev/null >/dev/null 2>&1 & db=$!
    waits 20 test -S db.sock; waits 10 listens 3306
}
sql() { $python - "$1" <<EOF
import os, sys
source = open("$scripts/app.py").read().split("def ask_cache")[0]
exec(source)
Database("mysql://shop:pw@127.0.0.1:3306/shop").query(sys.argv[1])
EOF
}
start_postgres() {
    postgres=$(echo /usr/lib/postgresql/*/bin); [ -x "$postgres/postgres" ] || fail "no postgres"
    mkdir -p pg; chown nobody pg; chmod 711 "$here"
    as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
    as_nobody "$postgres/initdb" -D "$here/pg/data" -U shop -A trust -N -E UTF8 --locale=C >/dev/null 2>pg.err || fail "initdb: $(cat pg.err)"
    setpriv --reuid=65534 --regid=65534 --clear-groups "$postgres/postgres" -D "$here/pg/data" -p 5432 -k "$here/pg" \
        -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=2MB -c max_connections=${pg_connections:-20} \
        -c superuser_reserved_connections=0 -c max_wal_senders=0 -c autovacuum=off </dev/null >>/var/log/pg.log 2>&1 & pg=$!
    waits 20 listens 5432; waits 20 pg_sql 'CREATE DATABASE shop' postgres
    pg_sql 'CREATE TABLE item (id int)'; pg_sql 'INSERT INTO item VALUES (1), (2)'
}
pg_sql() { $python - "$1" "${2:-shop}" <<EOF
import sys
exec(open("$scripts/app.py").read().split("def ask_cache")[0])
Postgres("postgres://shop@127.0.0.1:5432/" + sys.argv[2]).query(sys.argv[1])
EOF
}
start_with_postgres() {
    database_url=postgres://shop@127.0.0.1:5432/shop; start_postgres; start_redis
    start_app 3001; start_app 3002; start_apache; start_nginx
}
start_redis() {
    redis-server --port 6379 --bind 127.0.0.1 --save '' --dir "$here" --logfile /var/log/redis.log ${redis_options:-} \
        </dev/null >/dev/null 2>&1 & redis=$!
    waits 10 listens 6379
}
start_app() { # start_app PORT
    DATABASE_URL=${database_url:-mysql://shop:pw@127.0.0.1:3306/shop} REDIS_URL=redis://127.0.0.1:6379 \
        UPLOAD_DIR=$here/uploads $python "$scripts/app.py" $1 </dev/null >>/var/log/app$1.log 2>&1 &
    eval "app$1=$!"; waits 10 listens $1
}
start_apache() {
    cat > /etc/apache2/apache2.conf <<EOF
ServerRoot /etc/apache2
ServerName site.test
PidFile /run/apache2/apache2.pid
DefaultRuntimeDir /run/apache2
ErrorLog /var/log/apache2/error.log
Listen ${apache_ports:-127.0.0.1:8080}
$(for module in mpm_event authz_core slotmem_shm proxy proxy_http proxy_balancer lbmethod_byrequests rewrite ${modules:-}; do
    echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"; done)
User www-data
Group www-data
StartServers 1
ServerLimit ${apache_servers:-2}
ThreadsPerChild ${apache_threads:-8}
MaxRequestWorkers ${apache_workers:-16}
ProxyTimeout 8
<Proxy balancer://apps>
    BalancerMember http://127.0.0.1:3001 retry=0
    BalancerMember http://127.0.0.1:3002 retry=0
</Proxy>
${apache_pass-ProxyPass / balancer://apps/}
${apache_extra:-}
EOF
    apache2 -d /etc/apache2 -f apache2.conf -k start || fail "apache does not start"
    local port=${apache_ports:-127.0.0.1:8080}; waits 10 listens ${port##*:}
}
stop_apache() { local pid; pid=$(cat /run/apache2/apache2.pid); kill -TERM "$pid"; waits 10 dead "$pid"; waits 5 silent 8080; }
nginx_http="    server {
        listen 127.0.0.1:80;
        server_name site.test;
        location / { proxy_pass http://127.0.0.1:8080; proxy_read_timeout 12s; }
    }"
start_nginx() {
    cat > /etc/nginx/nginx.conf <<EOF
user www-data;
worker_processes 1;
${nginx_main:-}
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections ${nginx_connections:-64}; }
http {
    access_log /var/log/nginx/access.log;
    client_body_temp_path $here/n1; proxy_temp_path $here/n2; fastcgi_temp_path $here/n3; uwsgi_temp_path $here/n4; scgi_temp_path $here/n5;
$nginx_http
}
EOF
    nginx || fail "nginx does not start"
    waits 10 listens 80
}
start_fpm() { # start_fpm LISTEN [CHILDREN]
    cat > fpm.conf <<EOF
[global]
pid = /run/php/fpm.pid
error_log = /var/log/fpm.log
daemonize = yes
[site]
user = www-data
group = www-data
listen = $1
${fpm_extra:-}
pm = static
pm.max_children = ${2:-2}
catch_workers_output = yes
php_admin_value[error_log] = /var/log/php.log
php_admin_flag[log_errors] = on
EOF
    php-fpm8.2 -n -y "$here/fpm.conf" -D || fail "php-fpm does not start"
}
php_server="    server {
        listen 127.0.0.1:80;
        root $here/www;
        location / { fastcgi_pass FPM; fastcgi_read_timeout 12s; fastcgi_param SCRIPT_FILENAME $here/www/index.php;
            fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param REQUEST_URI \$request_uri; fastcgi_param QUERY_STRING \$query_string; }
    }"
start_all() { start_db; start_redis; start_app 3001; start_app 3002; start_apache; start_nginx; }
look() { timeout 12 "$surefoot" diagnose "$@" ${more:-} --format ${format:-json}; [ $? -lt 2 ] || fail "surefoot diagnose failed"; }
page() { look http://127.0.0.1/ "$@"; }
certificate() { # certificate START END, as YYMMDDHHMMSSZ
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=authority -keyout ca.key -out ca.pem 2>/dev/null || fail openssl
    : > index.txt; echo 01 > serial
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\nprivate_key=ca.key\ncertificate=ca.pem\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' > ca.cnf
    openssl req -new -newkey rsa:2048 -nodes -subj /CN=app.test -keyout app.key -out app.csr 2>/dev/null
    openssl ca -batch -notext -config ca.cnf -startdate "$1" -enddate "$2" -in app.csr -out app.pem 2>/dev/null || fail "openssl ca"
}
