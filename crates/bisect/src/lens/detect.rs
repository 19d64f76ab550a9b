//! Which lens a file needs: by the name where it is well known, else by what stands in it.

use super::ConfigLens;

/// The lens for a file.
pub(super) fn detect_lens(path: &str, text: &[u8]) -> ConfigLens {
    by_name(path).unwrap_or_else(|| by_content(text))
}

fn by_name(path: &str) -> Option<ConfigLens> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let units = [
        ".service", ".socket", ".timer", ".mount", ".path", ".target", ".network", ".netdev",
    ];
    if path.contains("/nginx/") || name == "nginx.conf" {
        Some(ConfigLens::Nginx)
    } else if path.contains("/apache2/")
        || path.contains("/httpd/")
        || ends(&["httpd.conf", "apache2.conf", ".htaccess"])
    {
        Some(ConfigLens::Apache)
    } else if name.starts_with("named.conf") || path.contains("/bind/") || name.starts_with("dhcpd")
    {
        Some(ConfigLens::Bind)
    } else if ends(&["haproxy.cfg"]) || path.contains("/haproxy/") {
        Some(ConfigLens::Haproxy)
    } else if name == "sshd_config" || path.contains("/sshd_config.d/") {
        Some(ConfigLens::Sshd)
    } else if ends(&[".yaml", ".yml"]) {
        Some(ConfigLens::Yaml)
    } else if ends(&units) || ends(&[".ini", ".cnf", "php-fpm.conf"]) {
        Some(ConfigLens::Ini)
    } else {
        None
    }
}

fn by_content(text: &[u8]) -> ConfigLens {
    let text = String::from_utf8_lossy(text);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let count = |test: &dyn Fn(&str) -> bool| lines().filter(|line| test(line)).count();
    let closing = count(&|line| line.starts_with("</") && line.ends_with('>'));
    let headers = count(&|line| line.starts_with('[') && line.ends_with(']'));
    let braces = count(&|line| line.ends_with('{') || line.contains('{') && line.ends_with("};"));
    let ends = count(&|line| line.ends_with(';'));
    let bind_ends = count(&|line| line == "};" || line.ends_with(" };"));
    let haproxy = count(&|line| {
        let word = line.split_whitespace().next().unwrap_or_default();
        ["global", "defaults", "frontend", "backend", "listen"].contains(&word)
    });
    let matches = count(&|line| {
        let start = line.get(..6).unwrap_or_default();
        start.eq_ignore_ascii_case("match ")
    });
    if closing > 0 {
        ConfigLens::Apache
    } else if braces > 0 && ends > braces {
        if bind_ends > 0 {
            ConfigLens::Bind
        } else {
            ConfigLens::Nginx
        }
    } else if headers > 0 {
        ConfigLens::Ini
    } else if haproxy > 0 {
        ConfigLens::Haproxy
    } else if matches > 0 {
        ConfigLens::Sshd
    } else {
        ConfigLens::Lines
    }
}
