//! Rules of nft that name interfaces which are not there any more. No I/O.
//!
//! nft turns `iif "eth1"` into a number when it loads it, and refuses the name of an interface that is missing.
//! The kernel keeps the number then, and lists it: so the number is what is loaded. A chain at a device that is
//! missing sees nothing; where the kernel does not take it, it is left out.

use std::collections::BTreeMap;

use surefoot_host::RulesOrigin;

use crate::units::RuleState;

/// Interfaces that are missing, with the number that each had.
pub(crate) type MissingDevices = BTreeMap<String, u32>;

impl RuleState {
    /// The same rules, with numbers for the names of interfaces that are missing.
    #[must_use]
    pub(crate) fn with_numbers(&self, missing: &MissingDevices) -> Self {
        self.with_nft_texts(|text| with_numbers(text, missing))
    }

    /// The same rules, without chains that are at missing interfaces only.
    #[must_use]
    pub(crate) fn without_devices(&self, missing: &MissingDevices) -> Self {
        self.with_nft_texts(|text| without_devices(text, missing))
    }

    fn with_nft_texts(&self, change: impl Fn(&str) -> String) -> Self {
        let mut changed = self.clone();
        for unit in &mut changed.units {
            if unit.key.origin == RulesOrigin::Nft {
                unit.text = change(&unit.text);
            }
        }
        changed
    }
}

/// A piece of a line: a word or what stands in quotes, with the blanks behind it.
fn pieces(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is_wordy = |letter: char| letter.is_alphanumeric() || "_-@/:.".contains(letter);
        let length = if first == '"' {
            rest[1..].find('"').map_or(rest.len(), |end| end + 2)
        } else if is_wordy(first) && first != '.' && first != ':' {
            rest.find(|letter| !is_wordy(letter)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (piece, after) = rest.split_at(length);
        found.push(piece);
        rest = after;
    }
    found
}

/// Where in a rule the names of interfaces stand for numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NamePlace {
    Elsewhere,
    /// Behind `iif` or `oif`.
    Behind,
    /// Among the keys of a concatenation of which one is such.
    AmongKeys,
    /// In braces that hold such.
    InBraces,
}

fn with_numbers(text: &str, missing: &MissingDevices) -> String {
    let mut changed = String::new();
    let (mut set_holds_numbers, mut in_elements) = (false, false);
    for line in text.lines() {
        let word = line.trim_start();
        if word.starts_with("set ") || word.starts_with("map ") || word.starts_with("chain ") {
            (set_holds_numbers, in_elements) = (false, false);
        }
        if word.starts_with("type ") || word.starts_with("typeof ") {
            let mut words = word.split_whitespace();
            set_holds_numbers = words.any(|word| matches!(word, "iface_index" | "iif" | "oif"));
        }
        in_elements |= word.starts_with("elements = {");
        let begins = if in_elements && set_holds_numbers {
            NamePlace::InBraces
        } else {
            NamePlace::Elsewhere
        };
        numbers_in_line(&mut changed, line, begins, missing);
        changed.push('\n');
        in_elements &= !word.trim_end().ends_with('}');
    }
    changed
}

fn numbers_in_line(out: &mut String, line: &str, begins: NamePlace, missing: &MissingDevices) {
    let mut place = begins;
    let mut before = "";
    for piece in pieces(line) {
        let name = piece
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let number = name.and_then(|name| missing.get(name));
        match number {
            Some(number) if place != NamePlace::Elsewhere && before != "comment" => {
                out.push_str(&number.to_string());
            }
            _ => out.push_str(piece),
        }
        if piece.trim().is_empty() {
            continue;
        }
        place = match (place, piece) {
            (NamePlace::InBraces, "}") => NamePlace::Elsewhere,
            (NamePlace::InBraces, _) | (NamePlace::Behind | NamePlace::AmongKeys, "{") => {
                NamePlace::InBraces
            }
            (NamePlace::Behind, ".") | (NamePlace::AmongKeys, _) => NamePlace::AmongKeys,
            (_, "iif" | "oif") | (NamePlace::Behind, "!" | "=" | "vmap" | "map") => {
                NamePlace::Behind
            }
            _ => NamePlace::Elsewhere,
        };
        before = piece;
    }
}

/// Without the missing devices of chains and flow tables; without a chain that has no other.
fn without_devices(text: &str, missing: &MissingDevices) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut skips = false;
    for line in text.lines() {
        if skips {
            skips = line != "\t}";
            continue;
        }
        let Some((head, names, tail)) = devices_of(line) else {
            kept.push(line.to_owned());
            continue;
        };
        let there: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !missing.contains_key(*name))
            .collect();
        if there.len() == names.len() {
            kept.push(line.to_owned());
        } else if there.is_empty() && line.trim_start().starts_with("type ") {
            // The line before opens the chain.
            kept.pop();
            skips = true;
        } else if !there.is_empty() {
            let names: Vec<String> = there.iter().map(|name| format!("\"{name}\"")).collect();
            kept.push(format!("{head}devices = {{ {} }}{tail}", names.join(", ")));
        }
    }
    let mut text = kept.join("\n");
    text.push('\n');
    text
}

fn unquoted(name: &str) -> &str {
    name.trim().trim_matches('"')
}

/// What stands before `device "a"` or `devices = { a, b }`, the names, and what stands behind.
fn devices_of(line: &str) -> Option<(&str, Vec<&str>, &str)> {
    let word = line.trim_start();
    if !word.starts_with("type ") && !word.starts_with("devices = ") {
        return None;
    }
    if let Some((head, rest)) = line.split_once("devices = {") {
        let (names, tail) = rest.split_once('}')?;
        let names = names.split(',').map(unquoted);
        return Some((head, names.filter(|name| !name.is_empty()).collect(), tail));
    }
    let (head, rest) = line.split_once("device ")?;
    let end = rest.find([' ', ';']).unwrap_or(rest.len());
    let (name, tail) = rest.split_at(end);
    Some((head, vec![unquoted(name)], tail))
}

/// A text without the lines that nft complains of, with these lines; none if nothing can be left out. What opens
/// a chain or a set takes all of it along.
pub(crate) fn without_refused_lines(text: &str, said: &str) -> Option<(String, Vec<String>)> {
    let number = |part: &str| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    };
    let refused: Vec<usize> = said
        .split("/dev/stdin:")
        .skip(1)
        .filter_map(number)
        .collect();
    let (mut kept, mut left_out) = (String::new(), Vec::new());
    let (mut skips, mut skips_elements) = (false, false);
    for (at, line) in text.lines().enumerate() {
        if skips {
            skips = line != "\t}";
            continue;
        }
        if skips_elements {
            skips_elements = !line.ends_with('}');
            continue;
        }
        let is_inner = line.starts_with('\t') && line.trim() != "}";
        if is_inner && refused.contains(&(at + 1)) {
            skips = line.ends_with('{') && !line.starts_with("\t\t");
            skips_elements = line.starts_with("\t\telements = {") && !line.ends_with('}');
            left_out.push(line.trim().to_owned());
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    (!left_out.is_empty()).then_some((kept, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> MissingDevices {
        [("dm0".to_owned(), 3), ("dm-1.7".to_owned(), 9)].into()
    }

    #[test]
    fn names_that_stand_for_numbers_become_numbers_and_others_stay() {
        let text = r#"table inet f {
	set s {
		typeof iif . ip saddr
		elements = { "dm0" . 1.2.3.4,
			     "lo" . 1.2.3.5 }
	}

	set n {
		type ifname
		elements = { "dm0", "lo" }
	}

	map t {
		type iface_index : verdict
		elements = { "lo" comment "dm0" : accept, "dm-1.7" : drop }
	}

	chain i {
		type filter hook input priority filter; policy accept;
		iif "dm0" counter packets 0 bytes 0 accept
		iifname "dm0" accept comment "dm0"
		iif "lo" oifname "dm0" oif "dm-1.7" accept comment "iif dm0"
		iif != { "lo", "dm0" } drop
		iif . ip saddr { "dm0" . 1.2.3.4 } log prefix "dm0" drop
		ip saddr . iif { 1.2.3.4 . "dm0" } drop
		iif != "dm0" drop
		iif vmap { "lo" : accept, "dm0" : drop }
		fib saddr . iif oif "dm0" drop
	}
}
"#;
        let wanted = text
            .replace("elements = { \"dm0\" .", "elements = { 3 .")
            .replace("\"dm-1.7\" : drop", "9 : drop")
            .replace("iif \"dm0\" counter", "iif 3 counter")
            .replace("oif \"dm-1.7\"", "oif 9")
            .replace("{ \"lo\", \"dm0\" } drop", "{ \"lo\", 3 } drop")
            .replace("{ \"dm0\" . 1.2.3.4 } log", "{ 3 . 1.2.3.4 } log")
            .replace("1.2.3.4 . \"dm0\"", "1.2.3.4 . 3")
            .replace("iif != \"dm0\"", "iif != 3")
            .replace("\"dm0\" : drop", "3 : drop")
            .replace("oif \"dm0\" drop", "oif 3 drop");
        assert_eq!(with_numbers(text, &missing()), wanted);
        assert_eq!(with_numbers(text, &MissingDevices::new()), text);
    }

    #[test]
    fn a_chain_at_missing_devices_only_is_left_out() {
        let text = "table netdev n {\n\tchain c {\n\t\ttype filter hook ingress devices = { dm0, eth0 } priority \
                    filter; policy accept;\n\t}\n\n\tchain d {\n\t\ttype filter hook ingress device \"dm0\" priority \
                    filter; policy accept;\n\t\tip saddr 1.2.3.4 drop\n\t}\n\n\tchain e {\n\t\ttype filter hook \
                    ingress device \"eth0\" priority filter; policy accept;\n\t}\n}\n";
        let wanted = "table netdev n {\n\tchain c {\n\t\ttype filter hook ingress devices = { \"eth0\" } priority \
                      filter; policy accept;\n\t}\n\n\n\tchain e {\n\t\ttype filter hook ingress device \"eth0\" \
                      priority filter; policy accept;\n\t}\n}\n";
        assert_eq!(without_devices(text, &missing()), wanted);
        assert_eq!(without_devices(text, &MissingDevices::new()), text);
    }

    #[test]
    fn what_nft_refuses_is_left_out_with_all_that_it_opens() {
        let text = "table inet f {\n\tchain c {\n\t\tskuid \"gone\" drop\n\t\taccept\n\t}\n\tchain d {\n\t\tdrop\n\t}\n}\n";
        let (kept, left_out) = without_refused_lines(
            text,
            "/dev/stdin:3:3-4: Error: no\n x\n/dev/stdin:6:2-8: Error: no",
        )
        .unwrap();
        assert_eq!(kept, "table inet f {\n\tchain c {\n\t\taccept\n\t}\n}\n");
        assert_eq!(left_out, ["skuid \"gone\" drop", "chain d {"]);
        assert_eq!(
            without_refused_lines(text, "internal:0:0-0: Error: no"),
            None
        );
        assert_eq!(
            without_refused_lines(text, "/dev/stdin:1:2-3: Error: no"),
            None
        );
    }
}
