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
    "encryption-key",
    "secretkey",
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

/// Options that take a secret, by program.
const OPTIONS: &[(&str, &str)] = &[
    ("sshpass", "-p"),
    ("mysql", "-p"),
    ("mysqldump", "-p"),
    ("mysqladmin", "-p"),
    ("mysqlimport", "-p"),
    ("mysqlshow", "-p"),
    ("mysqlcheck", "-p"),
    ("mariadb", "-p"),
    ("mariadb-dump", "-p"),
    ("mariadb-admin", "-p"),
    ("redis-cli", "-a"),
    ("curl", "-u"),
    ("curl", "-U"),
    ("curl", "-b"),
    ("curl", "--user"),
    ("curl", "--proxy-user"),
    ("wget", "-u"),
    ("wget", "--user"),
    ("lftp", "-u"),
    ("ldapsearch", "-w"),
    ("ldapmodify", "-w"),
    ("ldapadd", "-w"),
    ("ldapdelete", "-w"),
    ("ldapwhoami", "-w"),
    ("mongo", "-p"),
    ("mongosh", "-p"),
    ("mongodump", "-p"),
    // `docker login`, `podman login`, `helm registry login`.
    ("login", "-p"),
    ("openssl", "-k"),
    ("openssl", "-K"),
    ("smbclient", "-U"),
    ("ipmitool", "-P"),
    ("xfreerdp", "/p"),
    ("zip", "-P"),
    ("unzip", "-P"),
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
        for mount in self.fstab.iter_mut().flatten() {
            mount.device = without_password(&mount.device);
            for option in &mut mount.options {
                *option = hide_in_words(option);
            }
        }
        if let Some(line) = &mut self.consoles.command_line {
            line.text = hide_in_words(&line.text);
        }
    }
}

/// Hides what looks secret in a command line.
pub(crate) fn hide_in_arguments(arguments: &mut [String]) {
    let mut hider = Hider::default();
    for argument in arguments {
        *argument = hider.argument(argument);
    }
}

/// Hides what looks secret in text: `NAME=value`, `--name value`, `Header: value`, URLs, tokens.
pub(crate) fn hide_in_words(text: &str) -> String {
    Hider::default().words(text)
}

/// What the words so far announce about those that follow.
#[derive(Debug, Default)]
struct Hider {
    /// Programs with options of their own, wherever they stood: behind `sudo`, in `sh -c`.
    programs: Vec<&'static str>,
    /// Whether the next word is a secret.
    next: bool,
    /// The quote that ends the secret that is being hidden.
    quote: Option<char>,
}

impl Hider {
    fn argument(&mut self, argument: &str) -> String {
        if argument.contains("PRIVATE KEY") {
            return HIDDEN.to_owned();
        }
        // One argument may hold a secret with blanks in it: `--password=a b`, `DB_PASSWORD=a b`.
        let assigned = argument
            .split_once('=')
            .filter(|(name, _)| !name.contains(char::is_whitespace) && announces(name));
        if let Some((name, value)) = assigned
            && value.contains(char::is_whitespace)
        {
            return format!("{name}={HIDDEN}");
        }
        let quote = self.quote.take();
        let hidden = self.words(argument);
        self.quote = quote;
        hidden
    }

    fn words(&mut self, text: &str) -> String {
        let mut hidden = String::with_capacity(text.len());
        for piece in text.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end();
            if !word.is_empty() {
                hidden.push_str(&self.word(word));
            }
            hidden.push_str(piece.get(word.len()..).unwrap_or_default());
        }
        hidden
    }

    fn word(&mut self, word: &str) -> String {
        if let Some(quote) = self.quote {
            if word.ends_with(quote) {
                self.quote = None;
            }
            return HIDDEN.to_owned();
        }
        if std::mem::take(&mut self.next) && !word.starts_with("--") {
            // `Authorization: Bearer x` and `Authorization: Basic x`: the scheme is no secret.
            let bare = word.trim_matches(['"', '\'']);
            self.next = ["bearer", "basic", "digest", "token", "negotiate"]
                .iter()
                .any(|scheme| bare.eq_ignore_ascii_case(scheme));
            if self.next {
                return word.to_owned();
            }
            self.open_quote(word);
            return HIDDEN.to_owned();
        }
        let unquoted = word.trim_matches(['"', '\'', '(', ')', ';']);
        let name = unquoted.rsplit('/').next().unwrap_or_default();
        if let Some((program, _)) = OPTIONS.iter().find(|(program, _)| *program == name) {
            self.programs.push(program);
        }
        if let Some(hidden) = self.option(word) {
            return hidden;
        }
        let flag = word.starts_with('-') && !word.contains(['=', ':']);
        if (flag || word.ends_with(':')) && announces(word) {
            self.next = true;
            return word.to_owned();
        }
        let hidden = hide_in_word(word);
        if hidden.ends_with(HIDDEN)
            && let Some((_, value)) = word.split_once(['=', ':'])
        {
            self.open_quote(value);
        }
        hidden
    }

    /// An option of one of the programs so far that takes a secret.
    fn option(&mut self, word: &str) -> Option<String> {
        for (program, option) in OPTIONS {
            if !self.programs.contains(program) {
                continue;
            }
            // mysql's value never stands in the next word.
            let follows = !(program.starts_with("my") || program.starts_with("maria"));
            if word == *option {
                self.next = follows;
                return Some(word.to_owned());
            }
            let long = option.starts_with("--");
            if let Some(value) = word.strip_prefix(option)
                && (!long || value.starts_with('='))
            {
                self.open_quote(value.trim_start_matches('='));
                let equals = if long { "=" } else { "" };
                return Some(format!("{option}{equals}{HIDDEN}"));
            }
            // `-su` is `-s -u`.
            let letters = word
                .strip_prefix('-')
                .filter(|letters| letters.chars().all(|letter| letter.is_ascii_alphabetic()));
            if let (Some(letters), Some(letter)) = (letters, option.strip_prefix('-'))
                && letter.len() == 1
                && letters.ends_with(letter)
                && follows
            {
                self.next = true;
                return Some(word.to_owned());
            }
        }
        None
    }

    fn open_quote(&mut self, value: &str) {
        let quote = value
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''));
        self.quote = quote.filter(|quote| value.len() == 1 || !value.ends_with(*quote));
    }
}

/// Hides what looks secret in a text without blanks.
fn hide_in_word(word: &str) -> String {
    let word = without_password(word);
    let is_url = word.contains("://");
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
                if value.is_empty() && end.is_empty() {
                    return hidden;
                }
                hidden.push_str(HIDDEN);
                // Only in a URL is it certain that the secret ends here.
                if !(is_url && end == "&") {
                    return hidden;
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

/// `scheme://user:password@host` with the password taken out, wherever it stands in the word;
/// without a scheme, `user:password@host`.
fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return match word.rsplit_once('@') {
            Some((before, host)) => match before.split_once(':') {
                Some((user, _)) => format!("{user}:{HIDDEN}@{host}"),
                None => word.to_owned(),
            },
            None => word.to_owned(),
        };
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
                "java -Ddb.password=*** -jar",
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
    fn programs_are_known_behind_others_and_in_scripts() {
        for (words, wanted) in [
            (&["curl", "--user", "me:S"][..], "curl --user ***"),
            (&["curl", "-su", "me:S", "h"], "curl -su *** h"),
            (&["curl", "--proxy-user=me:S"], "curl --proxy-user=***"),
            (&["sudo", "mysql", "-pS"], "sudo mysql -p***"),
            (
                &["timeout", "5", "mysqldump", "-pS", "db"],
                "timeout 5 mysqldump -p*** db",
            ),
            (&["sh", "-c", "mysql -pS -e x"], "sh -c mysql -p*** -e x"),
            (
                &["sh", "-c", "sshpass -p 'S T' ssh h"],
                "sh -c sshpass -p *** *** ssh h",
            ),
            (
                &["docker", "login", "-p", "S", "h"],
                "docker login -p *** h",
            ),
            (&["docker", "run", "-p", "80:80"], "docker run -p 80:80"),
            (&["lftp", "-u", "me,S", "h"], "lftp -u *** h"),
            (&["ldapadd", "-x", "-w", "S"], "ldapadd -x -w ***"),
            (&["mysqlimport", "-pS", "db"], "mysqlimport -p*** db"),
            (&["openssl", "enc", "-k", "S"], "openssl enc -k ***"),
            (
                &["borg", "--encryption-key", "S"],
                "borg --encryption-key ***",
            ),
            (
                &["curl", "-H", "X-Vault-Token:", "S"],
                "curl -H X-Vault-Token: ***",
            ),
            (&["x", "-----BEGIN RSA PRIVATE KEY----- abc"], "x ***"),
        ] {
            assert_eq!(hidden(words), wanted);
        }
    }

    #[test]
    fn a_secret_ends_where_it_surely_ends() {
        for (words, wanted) in [
            (&["a", "--password=A,B;C&D?E"][..], "a --password=***"),
            (&["a", "--password=a b c"], "a --password=***"),
            (
                &["env", "DB_PASSWORD=a b", "app"],
                "env DB_PASSWORD=*** app",
            ),
            (
                &["sh", "-c", "x; DB_PASSWORD='a b' app"],
                "sh -c x; DB_PASSWORD=*** *** app",
            ),
            (&["curlftpfs#u:SEC@h"], "curlftpfs#u:***@h"),
            (&["sshfs", "me@h:/srv"], "sshfs me@h:/srv"),
        ] {
            assert_eq!(hidden(words), wanted);
        }
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
