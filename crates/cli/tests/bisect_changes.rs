//! `surefoot bisect --changes`: earlier contents from packages of Debian and from git, as etckeeper keeps them.

mod common;

use std::process::{Command, Stdio};

use common::{Ran, ran};

/// Runs a script in a mount namespace of its own, in a folder for scratch; `$surefoot` is the program.
fn play(script: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let output = Command::new("timeout")
        .args(["--kill-after=5", "60", "unshare", "--mount"])
        .args([
            "bash",
            "-c",
            &format!("set -eu\nmount --make-rprivate /\n{script}"),
        ])
        .current_dir(folder.path())
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("HOME", folder.path())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .expect("unshare");
    ran(output)
}

/// A package with two configuration files, as dpkg and apt would have it, seen in this namespace only.
const PACKAGE: &str = r#"
mkdir -p shop-conf/DEBIAN "shop-conf$PWD/etc" archives
printf 'Package: shop-conf\nVersion: 1:2-1\nArchitecture: all\nMaintainer: t <t@example.org>\nDescription: t\n' > shop-conf/DEBIAN/control
echo 'limit 5' > "shop-conf$PWD/etc/a.conf"; echo 'color red' > "shop-conf$PWD/etc/b.conf"
cp -r "shop-conf$PWD/etc" etc
dpkg-deb --root-owner-group -b shop-conf archives/shop-conf_1%3a2-1_all.deb > /dev/null
sum() { md5sum "etc/$1" | cut -d' ' -f1; }
printf 'Package: shop-conf\nStatus: install ok installed\nVersion: 1:2-1\nArchitecture: all\nConffiles:\n %s/etc/a.conf %s\n %s/etc/b.conf %s\nDescription: t\n' \
    "$PWD" "$(sum a.conf)" "$PWD" "$(sum b.conf)" > status
echo 'limit 1' > etc/a.conf
mount --bind status /var/lib/dpkg/status
look() { "$surefoot" bisect --changes "$PWD/etc" --fix -q --state-dir state --test "grep -q 'limit 1' etc/a.conf && exit 1; exit 0" "$@"; }
"#;

#[test]
fn a_file_is_compared_with_what_its_package_brought() {
    let ran = play(&format!(
        "{PACKAGE}\nmount --bind archives /var/cache/apt/archives\nlook"
    ));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.out.contains("changed since package shop-conf 1:2-1"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("-limit 1\n+limit 5\n"), "{}", ran.out);
    assert!(ran.out.starts_with("1 changed files"), "{}", ran.out);
}

#[test]
fn where_the_archive_is_gone_the_file_and_the_way_to_get_it_are_named() {
    let ran = play(&format!(
        "{PACKAGE}\nmkdir none; mount --bind none /var/cache/apt/archives\nlook"
    ));
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(
        ran.err.contains("1 not as the package brought it")
            && ran.err.contains("etc/a.conf (shop-conf)")
            && ran.err.contains("apt-get install -d --reinstall"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("b.conf"), "{}", ran.err);
}

#[test]
fn since_a_moment_git_gives_the_commit_before_it() {
    let script = r#"
        mkdir etc; cd etc; git init -q .
        commit() { git add .; GIT_COMMITTER_DATE="@$(($(date +%s) - $1))" git -c user.name=t -c user.email=t@example.org commit -qm "$1"; }
        echo 'limit 5' > a.conf; echo one > b.conf; commit 300000
        echo 'limit 1' > a.conf; commit 90000
        echo two > b.conf; commit 3600
        cd ..
        look() { "$surefoot" bisect --changes "$PWD/etc" -q --fix --state-dir state --test "grep -q 'limit 1' etc/a.conf && exit 1; exit 0" "$@"; }
    "#;
    let ran = play(&format!("{script}\nlook --since 2d"));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.starts_with("2 changed files"), "{}", ran.out);
    assert!(
        ran.out.contains("etc/a.conf causes the symptom") && ran.out.contains("+limit 5\n"),
        "{}",
        ran.out
    );
    // Within two hours only the other file changed, and the symptom is older.
    let ran = play(&format!("{script}\nlook --since 2h"));
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.contains("not solved"), "{}", ran.out);
}
