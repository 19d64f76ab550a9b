//! systemd units: what they start, with which environment, and where that is reached. Pure: texts in, a unit out.
//!
//! A daemon that does not run has no process to ask. Its unit says who it is, what it needs and where it logs.

use std::collections::BTreeMap;

use super::WrittenAddress;
use crate::chain::HopAddress;

/// A value of a unit with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitValue {
    /// The value.
    pub text: String,
    /// File and line.
    pub place: String,
}

/// A variable that a unit gives to what it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitVariable {
    /// Its name.
    pub name: String,
    /// Its value, which may be secret.
    pub value: String,
    /// File and line.
    pub place: String,
}

/// What a unit says of a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceUnit {
    /// Its name, such as `shop@3001.service`.
    pub name: String,
    /// The files that were read for it.
    pub files: Vec<String>,
    /// What it starts.
    pub commands: Vec<UnitValue>,
    /// Its variables, the last of a name last.
    pub variables: Vec<UnitVariable>,
    /// Files with more of them; these come after the others.
    pub environment_files: Vec<UnitValue>,
    /// The folder that it works in.
    pub working_folder: Option<String>,
    /// Files that its output goes to.
    pub logs: Vec<String>,
    /// Where a socket unit listens.
    pub listens: Vec<UnitValue>,
    /// The service that a socket unit starts.
    pub service: Option<String>,
}

/// Reads a unit from its file and then its drop-ins, each with its path.
pub fn read_unit(name: &str, texts: &[(String, String)]) -> ServiceUnit {
    let mut unit = ServiceUnit {
        name: name.to_owned(),
        ..ServiceUnit::default()
    };
    for (path, text) in texts {
        unit.files.push(path.clone());
        let mut section = String::new();
        for (line, text) in logical_lines(text) {
            if let Some(header) = text.strip_prefix('[') {
                header.trim_end_matches(']').clone_into(&mut section);
                continue;
            }
            let Some((key, value)) = text.split_once('=') else {
                continue;
            };
            let value = with_specifiers(name, value.trim());
            let place = format!("{path}:{line}");
            match section.as_str() {
                "Service" => unit.take_service_key(key.trim(), &value, place),
                "Socket" => unit.take_socket_key(key.trim(), &value, place),
                _ => {}
            }
        }
    }
    unit
}

impl ServiceUnit {
    fn take_service_key(&mut self, key: &str, value: &str, place: String) {
        match key {
            // An empty value takes back what files before it gave.
            "ExecStart" => add_value(&mut self.commands, value, place),
            "Environment" if value.is_empty() => self.variables.clear(),
            "Environment" => {
                for word in unit_words(value) {
                    if let Some((name, value)) = word.split_once('=') {
                        self.variables.push(UnitVariable {
                            name: name.to_owned(),
                            value: value.to_owned(),
                            place: place.clone(),
                        });
                    }
                }
            }
            "EnvironmentFile" => {
                let path = value.strip_prefix('-').unwrap_or(value);
                add_value(&mut self.environment_files, path, place);
            }
            "WorkingDirectory" => {
                let folder = value.strip_prefix('-').unwrap_or(value);
                self.working_folder = folder.starts_with('/').then(|| folder.to_owned());
            }
            "StandardOutput" | "StandardError" => {
                let file = ["append:", "file:", "truncate:"]
                    .iter()
                    .find_map(|start| value.strip_prefix(start));
                self.logs.extend(file.map(str::to_owned));
            }
            _ => {}
        }
    }

    fn take_socket_key(&mut self, key: &str, value: &str, place: String) {
        match key {
            "ListenStream" => add_value(&mut self.listens, value, place),
            "Service" => self.service = Some(value.to_owned()),
            _ => {}
        }
    }

    /// The variables of the unit and of the texts of its environment files.
    pub fn environment(&self, files: &[String]) -> BTreeMap<String, String> {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for variable in &self.variables {
            variables.insert(variable.name.clone(), variable.value.clone());
        }
        for text in files {
            variables.extend(super::variables_of_text(text));
        }
        variables
    }

    /// The line that says that what this unit starts is reached at an address.
    pub fn line_for(
        &self,
        address: &HopAddress,
        environment: &BTreeMap<String, String>,
    ) -> Option<UnitValue> {
        let listens = self.listens.iter().find(|value| {
            WrittenAddress::read(&value.text, None).is_some_and(|it| is_at(&it, address))
        });
        if let Some(value) = listens {
            return Some(value.clone());
        }
        let command = self.commands.iter().find(|command| {
            let words = unit_words(&command.text);
            let words: Vec<String> = words
                .iter()
                .map(|word| with_variables(word, environment))
                .collect();
            words_listen_at(&words, address)
        });
        if let Some(command) = command {
            // The words behind it may be secret.
            let program = unit_words(&command.text).into_iter().next();
            return Some(UnitValue {
                text: format!("ExecStart={} …", program.unwrap_or_default()),
                place: command.place.clone(),
            });
        }
        let name = environment.iter().find_map(|(name, value)| {
            let is_own = [
                "PORT",
                "HTTP_PORT",
                "LISTEN",
                "LISTEN_PORT",
                "LISTEN_ADDR",
                "BIND",
                "ADDR",
                "SERVER_PORT",
            ]
            .contains(&name.as_str());
            let is_there =
                || WrittenAddress::read(value, None).is_some_and(|it| is_at(&it, address));
            (is_own && is_there()).then_some(name)
        })?;
        let inside = self.variables.iter().find(|it| it.name == *name);
        let place = match inside {
            Some(variable) => variable.place.clone(),
            None => self.environment_files.last()?.text.clone(),
        };
        Some(UnitValue {
            text: format!("{name}={}", environment.get(name)?),
            place,
        })
    }
}

fn add_value(list: &mut Vec<UnitValue>, value: &str, place: String) {
    if value.is_empty() {
        list.clear();
    } else {
        list.push(UnitValue {
            text: value.to_owned(),
            place,
        });
    }
}

/// Lines with what a `\` at their end joins to them, each with the number of its first; no comments.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut begun: Option<(usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with(['#', ';']) || (line.is_empty() && begun.is_none()) {
            continue;
        }
        let (number, mut whole) = begun.take().unwrap_or((at + 1, String::new()));
        if let Some(line) = line.strip_suffix('\\') {
            whole.push_str(line);
            whole.push(' ');
            begun = Some((number, whole));
        } else {
            whole.push_str(line);
            found.push((number, whole));
        }
    }
    found.extend(begun);
    found
}

/// The words of a value; quotes hold a word together, and a backslash takes the next letter as it is.
fn unit_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// A value with the specifiers that name the unit replaced; the others stay.
fn with_specifiers(name: &str, value: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut text = String::new();
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('i' | 'I') => text.push_str(instance),
            Some('p' | 'P') => text.push_str(prefix),
            Some('n') => text.push_str(name),
            Some('N') => text.push_str(stem),
            Some('t') => text.push_str("/run"),
            Some('S') => text.push_str("/var/lib"),
            Some('C') => text.push_str("/var/cache"),
            Some('L') => text.push_str("/var/log"),
            Some('E') => text.push_str("/etc"),
            Some('%') | None => text.push('%'),
            Some(other) => text.extend(['%', other]),
        }
    }
    text
}

/// A word with `$NAME` and `${NAME}` replaced.
fn with_variables(word: &str, environment: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let braced = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let (name, after) = braced.unwrap_or_else(|| {
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
            rest.split_at(end)
        });
        match environment.get(name) {
            Some(value) => text.push_str(value),
            // Unknown: kept, so that it is no address.
            None => text.extend(["${", name, "}"]),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn is_at(written: &WrittenAddress, address: &HopAddress) -> bool {
    match (written, address) {
        (WrittenAddress::Unix(path), HopAddress::Unix(wanted)) => path == wanted,
        (WrittenAddress::Host(host, port), HopAddress::Tcp(wanted)) => {
            let is_any = host == "*" || (host == "localhost" && wanted.ip().is_loopback());
            let is_same = || {
                let ip = host.parse::<std::net::IpAddr>();
                ip.is_ok_and(|ip| ip.is_unspecified() || ip == wanted.ip())
            };
            *port == wanted.port() && (is_any || is_same())
        }
        _ => false,
    }
}

/// Whether the words of a command say that it listens at an address: an option for that, or an address or port that
/// stands alone. What leads to another daemon does not count.
fn words_listen_at(words: &[String], address: &HopAddress) -> bool {
    const OWN: &[&str] = &["port", "listen", "bind", "addr", "http", "socket", "host"];
    const OTHERS: &[&str] = &[
        "db", "sql", "redis", "upstream", "backend", "proxy", "connect", "remote", "peer", "cache",
        "broker", "mail", "smtp", "metrics", "server", "target", "master",
    ];
    let is_own = |option: &str| {
        let option = option.trim_start_matches('-').to_ascii_lowercase();
        let is_short = ["p", "b", "l", "S"].contains(&option.as_str()) || option == "s";
        is_short
            || (OWN.iter().any(|word| option.contains(word))
                && !OTHERS.iter().any(|word| option.contains(word)))
    };
    // A scheme such as `tcp://` or `http://` stands before an address to listen at, too.
    let there = |text: &str| {
        let bare = ["tcp://", "http://", "tcp:", "http:"]
            .iter()
            .find_map(|start| text.strip_prefix(start))
            .unwrap_or(text);
        WrittenAddress::read(bare, None).is_some_and(|it| is_at(&it, address))
    };
    let mut before: Option<&str> = None;
    for word in words.iter().skip(1) {
        if word.starts_with('-') {
            if let Some((option, value)) = word.split_once('=')
                && is_own(option)
                && there(value)
            {
                return true;
            }
            // `-p3001`
            if let Some(value) = word.strip_prefix("-p")
                && there(value)
            {
                return true;
            }
            before = (!word.contains('=')).then_some(word);
            continue;
        }
        let counts = before.is_none_or(is_own);
        if counts && there(word) {
            return true;
        }
        before = None;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(port: u16) -> HopAddress {
        HopAddress::Tcp(([127, 0, 0, 1], port).into())
    }

    fn unit(name: &str, text: &str) -> ServiceUnit {
        read_unit(name, &[("/u".to_owned(), text.to_owned())])
    }

    #[test]
    fn a_drop_in_replaces_what_it_empties_and_adds_the_rest() {
        let main = "[Unit]\nDescription=x=y\n[Service]\nExecStart=/usr/bin/app \\\n  --port 3001\nEnvironment=A=1 \"B=2 3\"\n";
        let drop_in = "[Service]\n# no\nExecStart=\nExecStart=/usr/bin/app --port 3002\nEnvironmentFile=-/etc/app.env\n";
        let texts = [
            ("/a".to_owned(), main.to_owned()),
            ("/b".to_owned(), drop_in.to_owned()),
        ];
        let unit = read_unit("app.service", &texts);
        assert_eq!(unit.commands.len(), 1);
        assert_eq!(unit.commands[0].place, "/b:4");
        assert_eq!(unit.environment_files[0].text, "/etc/app.env");
        let environment = unit.environment(&["A=4\n".to_owned()]);
        assert_eq!(environment["A"], "4");
        assert_eq!(environment["B"], "2 3");
        let before = read_unit("app.service", &texts[..1]);
        assert!(before.line_for(&tcp(3001), &environment).is_some());
        assert!(unit.line_for(&tcp(3001), &environment).is_none());
    }

    #[test]
    fn the_unit_of_an_address_is_found_by_its_command_its_port_or_its_socket() {
        let instance = unit(
            "shop@3001.service",
            "[Service]\nExecStart=/usr/bin/python3 /srv/shop/app.py %i\n",
        );
        let none = BTreeMap::new();
        assert_eq!(instance.line_for(&tcp(3001), &none).unwrap().place, "/u:2");
        let by_variable = unit(
            "a.service",
            "[Service]\nEnvironment=PORT=3001\nExecStart=/usr/bin/app -b 0.0.0.0:$PORT\n",
        );
        let environment = by_variable.environment(&[]);
        let line = by_variable.line_for(&tcp(3001), &environment).unwrap();
        assert_eq!(line.place, "/u:3");
        let by_port = unit(
            "a.service",
            "[Service]\nEnvironment=PORT=3001\nExecStart=/a\n",
        );
        let line = by_port
            .line_for(&tcp(3001), &by_port.environment(&[]))
            .unwrap();
        assert_eq!(line.text, "PORT=3001");
        let socket = unit("a.socket", "[Socket]\nListenStream=/run/a b.sock\n");
        let path = HopAddress::Unix("/run/a b.sock".to_owned());
        assert!(socket.line_for(&path, &none).is_some());
    }

    #[test]
    fn what_leads_to_another_daemon_is_no_address_of_its_own() {
        let none = BTreeMap::new();
        for command in [
            "/usr/bin/app --db-port 3001",
            "/usr/bin/app --redis-host=127.0.0.1:3001",
            "/usr/bin/app postgres://u@127.0.0.1:3001/x",
            "/usr/bin/app --workers 3001",
            "/usr/bin/3001",
            "/usr/bin/app --listen 192.0.2.1:3001",
        ] {
            let unit = unit("a.service", &format!("[Service]\nExecStart={command}\n"));
            assert_eq!(unit.line_for(&tcp(3001), &none), None, "{command}");
        }
        let unit = unit(
            "a.service",
            "[Service]\nEnvironment=DATABASE_URL=mysql://h:3001/\nExecStart=/a\n",
        );
        assert_eq!(unit.line_for(&tcp(3001), &unit.environment(&[])), None);
    }
}
