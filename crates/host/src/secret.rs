//! Takes secrets out of words that leave the machine in a capture.
//!
//! A value is hidden when the name in front of it announces a secret, or when it looks like one.
//! What is hidden in vain costs a reader little; what is shown in vain cannot be taken back.

use crate::Host;

/// What stands in a secret's place.
const HIDDEN: &str = "***";

/// Parts of the names of options, variables and headers that announce a secret.
const ANNOUNCING: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "auth",
    "credential",
    "privatekey",
    "private-key",
    "private_key",
    "accesskey",
    "access-key",
    "access_key",
    "psk",
    "cookie",
    "signature",
];

/// Names in which such a part announces none.
const HARMLESS: &[&str] = &[
    "authenticat",
    "author",
    "passive",
    "bypass",
    "passthrough",
    "compass",
];

/// Short options that take a secret, by program.
const SHORT: &[(&str, &str)] = &[
    ("sshpass", "-p"),
    ("mysql", "-p"),
    ("mysqldump", "-p"),
    ("mysqladmin", "-p"),
    ("mariadb", "-p"),
    ("mariadb-dump", "-p"),
    ("redis-cli", "-a"),
    ("curl", "-u"),
    ("curl", "-b"),
    ("wget", "-u"),
    ("ldapsearch", "-w"),
    ("ldapmodify", "-w"),
    ("mongo", "-p"),
    ("mongosh", "-p"),
    ("mongodump", "-p"),
    ("smbclient", "-U"),
    ("ipmitool", "-P"),
    ("xfreerdp", "/p"),
    ("zip", "-P"),
    ("snmpget", "-c"),
    ("snmpwalk", "-c"),
];

/// How tokens begin that services give out.
const TOKENS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "AKIA",
    "ASIA",
    "eyJ",
    "hvs.",
    "dop_v1_",
    "npm_",
];

impl Host {
    /// Hides what looks secret in settings that are kept word by word.
    pub(crate) fn hide_secrets(&mut self) {
        for option in self
            .fstab
            .iter_mut()
            .flatten()
            .flat_map(|it| &mut it.options)
        {
            *option = hide_in_words(option);
        }
        if let Some(line) = &mut self.consoles.command_line {
            line.text = hide_in_words(&line.text);
        }
    }
}

/// Hides what looks secret in a command line, the program first.
pub(crate) fn hide_in_arguments(arguments: &mut [String]) {
    let program = arguments.first().map_or_else(String::new, |program| {
        let path = program.split_whitespace().next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    });
    let mut next_is_secret = false;
    for (number, argument) in arguments.iter_mut().enumerate() {
        if number == 0 {
            // A process that renames itself may put its whole command line here.
            *argument = hide_in_words(argument);
            continue;
        }
        if std::mem::take(&mut next_is_secret) && !argument.starts_with("--") {
            HIDDEN.clone_into(argument);
            continue;
        }
        if let Some((_, option)) = SHORT
            .iter()
            .find(|(name, option)| *name == program && argument.starts_with(option))
        {
            // The value follows at once or as the next argument; mysql's never does the latter.
            let attached = argument.len() > option.len();
            if attached {
                *argument = format!("{option}{HIDDEN}");
            } else if !(program.starts_with("my") || program.starts_with("maria")) {
                next_is_secret = true;
            }
            continue;
        }
        let flag = argument.starts_with('-') && !argument.contains(['=', ':', ' ']);
        if flag && announces(argument) {
            next_is_secret = true;
            continue;
        }
        *argument = hide_in_words(argument);
    }
}

/// Hides what looks secret in text: `NAME=value`, `--name value`, `Header: value`, URLs, tokens.
pub(crate) fn hide_in_words(text: &str) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut announced = false;
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let blank = piece.get(word.len()..).unwrap_or_default();
        let bare = word.trim_matches(['"', '\'']);
        // `Authorization: Bearer x` and `Authorization: Basic x`: the scheme is no secret.
        let scheme = ["bearer", "basic", "digest", "token", "negotiate"]
            .iter()
            .any(|scheme| bare.eq_ignore_ascii_case(scheme));
        if word.is_empty() {
            hidden.push_str(piece);
            continue;
        }
        if announced && !scheme && !word.starts_with('-') {
            hidden.push_str(HIDDEN);
            announced = false;
        } else {
            announced = announced && scheme;
            let flag = word.starts_with('-') && !word.contains('=');
            if (flag || word.ends_with(':')) && announces(word) {
                announced = true;
                hidden.push_str(word);
            } else {
                hidden.push_str(&hide_in_word(word));
            }
        }
        hidden.push_str(blank);
    }
    hidden
}

/// Hides what looks secret in a text without blanks.
fn hide_in_word(word: &str) -> String {
    let word = without_password(word);
    let mut hidden = String::with_capacity(word.len());
    // The parts of a URL's query, of an option with several settings, of a list of variables.
    for part in word.split_inclusive(['&', '?', ',', ';']) {
        let body = part.trim_end_matches(['&', '?', ',', ';']);
        let end = part.get(body.len()..).unwrap_or_default();
        let assigned = body
            .find(['=', ':'])
            .and_then(|at| body.split_at_checked(at + 1));
        match assigned {
            Some((name, value)) if announces(name) && !value.starts_with("//") => {
                hidden.push_str(name);
                if !value.is_empty() {
                    hidden.push_str(HIDDEN);
                }
            }
            Some((name, value)) if is_token(value) => {
                hidden.push_str(name);
                hidden.push_str(HIDDEN);
            }
            _ if is_token(body) => hidden.push_str(HIDDEN),
            _ => hidden.push_str(body),
        }
        hidden.push_str(end);
    }
    hidden
}

fn announces(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace("authorization", "auth");
    let name = HARMLESS
        .iter()
        .fold(name, |name, word| name.replace(word, ""));
    ANNOUNCING.iter().any(|part| name.contains(part))
}

fn is_token(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    value.len() >= 16 && TOKENS.iter().any(|begin| value.starts_with(begin))
}

/// `scheme://user:password@host` with the password taken out, wherever it stands in the word.
fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    // A password may hold a slash that should have been written otherwise.
    let (authority, path) = match (authority.contains('@'), rest.rfind('@')) {
        (false, Some(at)) if authority.contains(':') => {
            rest.split_at_checked(at).unwrap_or((rest, ""))
        }
        _ => (authority, path),
    };
    let (user, host) = match authority.rfind('@') {
        Some(at) => authority.split_at_checked(at).unwrap_or((authority, "")),
        None if path.starts_with('@') => (authority, ""),
        None => return word.to_owned(),
    };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:{HIDDEN}{host}{path}"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(words: &[&str]) -> String {
        let mut words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        hide_in_arguments(&mut words);
        words.join(" ")
    }

    #[test]
    fn what_a_name_announces_is_hidden() {
        for (words, wanted) in [
            (
                &["mysql", "--password=x", "-u", "root"][..],
                "mysql --password=*** -u root",
            ),
            (
                &["tool", "--api-key", "abc", "run"],
                "tool --api-key *** run",
            ),
            (
                &["tool", "--password", "-abc", "run"],
                "tool --password *** run",
            ),
            (&["env", "DB_PASSWORD=x", "app"], "env DB_PASSWORD=*** app"),
            (
                &["sh", "-c", "A=1 TOKEN=abc run --token def"],
                "sh -c A=1 TOKEN=*** run --token ***",
            ),
            (
                &["curl", "-H", "Authorization: Bearer abc"],
                "curl -H Authorization: Bearer ***",
            ),
            (
                &["curl", "--header=X-Auth-Token: abc", "x"],
                "curl --header=X-Auth-Token: *** x",
            ),
            (
                &["java", "-Ddb.password=x,y", "-jar"],
                "java -Ddb.password=***,y -jar",
            ),
            (
                &["renamed --secret abc --port 80"],
                "renamed --secret *** --port 80",
            ),
        ] {
            assert_eq!(hidden(words), wanted);
        }
    }

    #[test]
    fn short_options_are_known_by_program() {
        assert_eq!(
            hidden(&["/usr/bin/mysql", "-psecret", "-p", "db"]),
            "/usr/bin/mysql -p*** -p db"
        );
        assert_eq!(
            hidden(&["sshpass", "-p", "x", "ssh", "h"]),
            "sshpass -p *** ssh h"
        );
        assert_eq!(hidden(&["curl", "-u", "me:pw", "h"]), "curl -u *** h");
        assert_eq!(hidden(&["nginx", "-p", "/srv"]), "nginx -p /srv");
    }

    #[test]
    fn urls_lose_their_passwords() {
        assert_eq!(
            hidden(&["c", "https://me:pw@host/x"]),
            "c https://me:***@host/x"
        );
        assert_eq!(
            hidden(&["c", "--url=amqp://me:p/w@host/x"]),
            "c --url=amqp://me:***@host/x"
        );
        assert_eq!(
            hidden(&["c", "https://h/?a=1&token=x&b=2"]),
            "c https://h/?a=1&token=***&b=2"
        );
        assert_eq!(
            hidden(&["c", "https://me@host/x:1"]),
            "c https://me@host/x:1"
        );
    }

    #[test]
    fn what_looks_like_a_token_is_hidden() {
        let token = "ghp_0123456789abcdefghij";
        assert_eq!(hidden(&["run", token]), "run ***");
        assert_eq!(
            hidden(&["run", &format!("--with={token}")]),
            "run --with=***"
        );
    }

    #[test]
    fn harmless_words_stay() {
        for words in [
            &["nginx", "-g", "daemon off;"][..],
            &["sshd", "-o", "PubkeyAuthentication=no", "-D"],
            &["git", "log", "--author=me"],
            &["postgres: writer process"],
            &["/usr/sbin/sshd", "-D", "-p", "22"],
            &["ftp", "--passive", "host"],
        ] {
            assert_eq!(hidden(words), words.join(" "));
        }
    }

    #[test]
    fn hiding_again_changes_nothing() {
        for text in [
            "a:b://c:d@e/f@g?token=x&é=ü",
            "--token",
            "=:=:",
            "é=é pass=",
            "://:@",
        ] {
            let once = hide_in_words(text);
            assert_eq!(hide_in_words(&once), once);
        }
    }
}
