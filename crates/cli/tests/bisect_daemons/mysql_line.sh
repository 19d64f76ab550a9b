# A line in an included file overrides the main one.
has mariadbd
mkdir conf/conf.d
cat > conf/my.cnf <<X
[client]
port = 3306

[mysqld]
datadir = $PWD
max_connections = 200
key_buffer_size = 8M
!includedir $PWD/conf/conf.d
X
cat > conf/conf.d/50-tuning.cnf <<'X'
[mysqld]
sort_buffer_size = 256K
max-connections = 10
table_open_cache = 400

[mysqldump]
quick
X
check() {
    said=$(mariadbd --defaults-file="$PWD/conf/my.cnf" --verbose --help 2> /dev/null) || exit 2
    grep -q '^key-buffer-size  *8388608' <<< "$said" || exit 2
    case $(awk '$1 == "max-connections" { print $2 }' <<< "$said") in 10) exit 1 ;; 200) exit 0 ;; *) exit 2 ;; esac
}
as_script check
bisect conf/my.cnf --test "bash $PWD/check.sh"
