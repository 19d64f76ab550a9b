//! The rules in force without their rules: what a flush leaves. No I/O.
//!
//! What iptables holds is emptied as `iptables -F` and `-X` do, and nft's tables keep their sets and chains. Policies
//! stay unless they are to accept; tables that translate addresses stay unless they are to go, too.

use std::fmt::Write as _;

use surefoot_host::RulesOrigin;

use crate::loader::RuleFile;
use crate::units::{RuleState, RuleUnit};

/// What a flush takes away beside rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushWishes {
    /// Chains accept by their policy then.
    pub accept: bool,
    /// Rules that translate addresses go, too.
    pub nat: bool,
}

/// The files that empty the tables in force.
pub fn emptied_rules(state: &RuleState, wishes: FlushWishes) -> Vec<RuleFile> {
    let mut files: Vec<RuleFile> = Vec::new();
    for unit in &state.units {
        let text = match unit.key.origin {
            RulesOrigin::Ipset => continue,
            RulesOrigin::Nft => emptied_nft(unit, wishes),
            _ if unit.key.name == "nat" && !wishes.nat => continue,
            _ => emptied_iptables(&unit.text, wishes),
        };
        match files.iter_mut().find(|file| file.origin == unit.key.origin) {
            Some(file) => file.text.push_str(&text),
            None => files.push(RuleFile {
                name: "the flush".to_owned(),
                text,
                origin: unit.key.origin,
                is_json: false,
            }),
        }
    }
    files
}

/// Its own chains, with their policies.
fn emptied_iptables(text: &str, wishes: FlushWishes) -> String {
    let mut emptied = String::new();
    for line in text.lines() {
        if line.starts_with('*') || line == "COMMIT" {
            emptied.push_str(line);
            emptied.push('\n');
        } else if let Some(rest) = line.strip_prefix(':') {
            let mut words = rest.split_whitespace();
            let (Some(chain), Some(policy)) = (words.next(), words.next()) else {
                continue;
            };
            // A chain of the user's has none.
            if policy != "-" {
                let policy = if wishes.accept { "ACCEPT" } else { policy };
                let _ = writeln!(emptied, ":{chain} {policy} [0:0]");
            }
        }
    }
    emptied
}

/// A chain of nft as it is listed.
struct ListedChain<'a> {
    head: &'a str,
    lines: Vec<&'a str>,
}

impl ListedChain<'_> {
    /// The line that says where the kernel calls it.
    fn hook(&self) -> Option<&str> {
        let mut lines = self.lines.iter().map(|line| line.trim_start());
        lines.find(|line| line.starts_with("type ") && line.contains(" hook "))
    }

    fn is_nat(&self) -> bool {
        self.hook()
            .is_some_and(|hook| hook.starts_with("type nat "))
    }
}

/// The table with its sets, and with its chains empty. Where chains that translate addresses stay, those that the
/// kernel does not call stay as well, as these may use them.
fn emptied_nft(unit: &RuleUnit, wishes: FlushWishes) -> String {
    let keeps_nat = !wishes.nat
        && unit
            .text
            .lines()
            .any(|line| line.trim_start().starts_with("type nat hook "));
    let mut emptied = format!("table {0}\ndelete table {0}\n", unit.key.name);
    let mut chain: Option<ListedChain<'_>> = None;
    for line in unit.text.lines() {
        if chain.is_none() && line.starts_with("\tchain ") {
            chain = Some(ListedChain {
                head: line,
                lines: Vec::new(),
            });
            continue;
        }
        let Some(open) = &mut chain else {
            emptied.push_str(line);
            emptied.push('\n');
            continue;
        };
        if line != "\t}" {
            open.lines.push(line);
            continue;
        }
        let open = chain.take();
        for kept in open
            .iter()
            .flat_map(|chain| kept_lines(chain, keeps_nat, wishes))
        {
            emptied.push_str(&kept);
            emptied.push('\n');
        }
        emptied.push_str("\t}\n");
    }
    emptied
}

/// What stays of a chain, without what closes it.
fn kept_lines(chain: &ListedChain<'_>, keeps_nat: bool, wishes: FlushWishes) -> Vec<String> {
    let stays = keeps_nat && (chain.is_nat() || chain.hook().is_none());
    let mut kept = vec![chain.head.to_owned()];
    for line in &chain.lines {
        let word = line.trim_start();
        let is_hook = Some(word) == chain.hook();
        if is_hook && wishes.accept && !stays {
            kept.push(line.replace("policy drop;", "policy accept;"));
        } else if stays || is_hook || word.starts_with("comment ") {
            kept.push((*line).to_owned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const NFT: &str = "table inet f {\n\tset s {\n\t\ttype ipv4_addr\n\t}\n\n\tchain own {\n\t\taccept\n\t}\n\n\tchain i \
        {\n\t\ttype filter hook input priority filter; policy drop;\n\t\tip saddr @s accept\n\t\tjump own\n\t}\n\n\tchain n \
        {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\ttcp dport 80 redirect to :8080\n\t}\n}\n";
    const V4: &str = "*filter\n:INPUT DROP [3:9]\n:own - [0:0]\n[1:2] -A INPUT -j own\nCOMMIT\n";

    fn state() -> RuleState {
        let nat =
            "*nat\n:PREROUTING ACCEPT [0:0]\n[0:0] -A PREROUTING -p tcp -j REDIRECT\nCOMMIT\n";
        let listings = [
            (RulesOrigin::Nft, NFT.to_owned()),
            (RulesOrigin::IptablesLegacy, format!("{V4}{nat}")),
            (RulesOrigin::Ipset, "create s hash:ip\n".to_owned()),
        ];
        RuleState::of_listings(&listings.into())
    }

    fn text(wishes: FlushWishes, origin: RulesOrigin) -> String {
        let files = emptied_rules(&state(), wishes);
        files
            .into_iter()
            .find(|file| file.origin == origin)
            .unwrap()
            .text
    }

    #[test]
    fn rules_go_and_policies_and_translation_stay() {
        let wishes = FlushWishes::default();
        assert_eq!(emptied_rules(&state(), wishes).len(), 2);
        let nft = text(wishes, RulesOrigin::Nft);
        assert!(
            nft.starts_with("table inet f\ndelete table inet f\ntable inet f {\n\tset s"),
            "{nft}"
        );
        assert!(
            nft.contains("policy drop;\n\t}\n") && nft.contains("redirect to :8080"),
            "{nft}"
        );
        // What translation may use stays.
        assert!(nft.contains("\tchain own {\n\t\taccept\n\t}"), "{nft}");
        let v4 = text(wishes, RulesOrigin::IptablesLegacy);
        assert_eq!(v4, "*filter\n:INPUT DROP [0:0]\nCOMMIT\n");
    }

    #[test]
    fn policies_and_translation_go_where_that_is_said() {
        let wishes = FlushWishes {
            accept: true,
            nat: true,
        };
        let nft = text(wishes, RulesOrigin::Nft);
        assert!(
            !nft.contains("policy drop") && !nft.contains("redirect"),
            "{nft}"
        );
        assert!(nft.contains("\tchain own {\n\t}\n"), "{nft}");
        let v4 = text(wishes, RulesOrigin::IptablesLegacy);
        assert_eq!(
            v4,
            "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"
        );
    }
}
