# A rule with one wrong character: a dot that is not escaped takes more than it should.
has apache2; has curl
mkdir www www/gold www/shop; echo ring > www/gold/ring; echo front > www/index.html; echo new > www/shop/new
modules=/usr/lib/apache2/modules
cat > conf/httpd.conf <<X
ServerRoot "$PWD"
ServerName shop
Listen 127.0.0.1:8080
PidFile httpd.pid
DefaultRuntimeDir $PWD
ErrorLog log/error
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dir_module $modules/mod_dir.so
LoadModule rewrite_module $modules/mod_rewrite.so
DirectoryIndex index.html
DocumentRoot "$PWD/www"
<Directory "$PWD/www">
    Require all granted
</Directory>
Include conf/rewrite.conf
X
cat > conf/rewrite.conf <<'X'
RewriteEngine On
# old addresses
RewriteRule ^/laden/(.*)$ /shop/$1 [R=301,L]
RewriteRule ^/.old/ - [R=410,L]
RewriteCond %{REQUEST_METHOD} =TRACE
RewriteRule ^ - [F]
RewriteRule ^/news$ /shop/new [L]
RewriteRule ^/(.*)\.htm$ /$1.html [L]
X
sed -i 's|\^/.old/|^/.old|' conf/rewrite.conf
reload() { restart 8080 apache2 -D FOREGROUND -f "$PWD/conf/httpd.conf"; }
check() {
    [ "$(get 127.0.0.1:8080/)" = front ] && [ "$(get 127.0.0.1:8080/news)" = new ] || exit 2
    code=$(get -o /dev/null -w '%{http_code}' 127.0.0.1:8080/gold/ring)
    case $code in 200) exit 0 ;; 410) exit 1 ;; *) exit 2 ;; esac
}
as_script reload
as_script check
reload || fail "Apache does not run"
bisect conf/httpd.conf --test "bash $PWD/check.sh" --reload "bash $PWD/reload.sh" \
    --syntax "apache2 -t -f '$PWD/conf/httpd.conf'"
