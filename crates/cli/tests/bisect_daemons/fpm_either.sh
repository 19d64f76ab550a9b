# Two lines, each of which alone breaks a long export off.
has php-fpm8.2; has cgi-fcgi
mkdir www
echo '<?php sleep(2); $m = str_repeat("x", 24 << 20); echo "export of ", strlen($m), "\n";' > www/export.php
echo '<?php echo "list\n";' > www/list.php
cat > conf/php-fpm.conf <<X
[global]
pid = $PWD/fpm.pid
error_log = $PWD/log/fpm
include = $PWD/conf/pool.d/*.conf
X
mkdir conf/pool.d
cat > conf/pool.d/office.conf <<X
[office]
user = www-data
group = www-data
listen = 127.0.0.1:9002
pm = static
pm.max_children = 1
; nothing may hang for ever
request_terminate_timeout = 1s
clear_env = yes
php_admin_value[memory_limit] = 12M
php_admin_value[upload_max_filesize] = 4M
X
chmod 755 . www
reload() { restart 9002 php-fpm8.2 -F -n -y "$PWD/conf/php-fpm.conf"; }
page() {
    env -i REQUEST_METHOD=GET SCRIPT_FILENAME="$PWD/www/$1" SCRIPT_NAME="/$1" timeout 9 cgi-fcgi -bind -connect 127.0.0.1:9002 2>&1
}
check() {
    page list.php | grep -q list || exit 2
    page export.php | grep -q 'export of' || exit 1
}
as_script reload
as_script check
reload || fail "PHP-FPM does not run"
bisect conf/php-fpm.conf --test "bash $PWD/check.sh" --reload "bash $PWD/reload.sh" --syntax "php-fpm8.2 -t -n -y '$PWD/conf/php-fpm.conf'"
