//! A rule set in a folder, loaded into the kernel and into the model.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use surefoot_netfilter::{Interface, Surroundings};
use surefoot_report::Level;
use surefoot_ruleset::model::{
    Backend, Component, Effect, Family, Field, Firewall, KeyPart, Match, Operand, SetKind,
    Statement, Verdict,
};
use surefoot_ruleset::{Format, Input, load};
use surefoot_testkit::{Port, Referee};

/// A rule set, with one of the two mechanisms behind iptables.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The texts in the order in which they are loaded, with their kinds: `ipset`, `v4`, `v6`,
    /// `nft`.
    pub(crate) texts: Vec<(String, String)>,
    pub(crate) legacy: bool,
    /// Whether chance wrote it.
    pub(crate) random: bool,
}

/// A case that is loaded.
pub(crate) struct Loaded {
    pub(crate) referee: Referee,
    /// The texts as they are written first, then listings of what is loaded.
    pub(crate) models: Vec<Model>,
    pub(crate) surroundings: Surroundings,
    pub(crate) ports: Vec<Port>,
    pub(crate) families: Vec<bool>,
}

/// The rules as surefoot reads them, from one of the texts there are.
pub(crate) struct Model {
    pub(crate) text: &'static str,
    pub(crate) firewall: Firewall,
}

/// All folders; those with iptables rules come once for each mechanism.
pub(crate) fn all() -> Vec<Case> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rulesets");
    let mut folders: Vec<PathBuf> = fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let mut cases = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        cases.extend(with_mechanisms(&name, &texts(&folder), false));
    }
    cases
}

/// The rule set once, or once for each mechanism behind iptables if it has iptables rules.
pub(crate) fn with_mechanisms(name: &str, texts: &[(String, String)], random: bool) -> Vec<Case> {
    let iptables = texts.iter().any(|(kind, _)| kind.starts_with('v'));
    let mechanisms: &[(bool, &str)] = if iptables {
        &[(false, " (nft)"), (true, " (legacy)")]
    } else {
        &[(false, "")]
    };
    mechanisms
        .iter()
        .map(|(legacy, suffix)| Case {
            name: format!("{name}{suffix}"),
            texts: texts.to_vec(),
            legacy: *legacy,
            random,
        })
        .collect()
}

/// The files of a folder in the order of their names, with their kinds: `ipset`, `v4`, `v6`, `nft`.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let kind = path.extension().unwrap().to_string_lossy().into_owned();
            (kind, fs::read_to_string(path).unwrap())
        })
        .collect()
}

impl Case {
    /// Who puts the rules into the kernel.
    pub(crate) fn backend(&self) -> &'static str {
        let nft = self.texts.iter().any(|(kind, _)| kind == "nft");
        let iptables = self.texts.iter().any(|(kind, _)| kind.starts_with('v'));
        match (iptables, self.legacy, nft) {
            (false, ..) => "nft",
            (true, false, false) => "iptables-nft",
            (true, true, false) => "iptables-legacy",
            (true, false, true) => "iptables-nft and nft",
            (true, true, true) => "iptables-legacy and nft",
        }
    }

    fn format(&self, kind: &str) -> Format {
        let backend = if self.legacy {
            Backend::IptablesLegacy
        } else {
            Backend::IptablesNft
        };
        match kind {
            "ipset" => Format::Ipset,
            "nft" => Format::NftText,
            "json" => Format::NftJson,
            "v4" => Format::Iptables {
                family: Family::Ip,
                backend,
            },
            "v6" => Format::Iptables {
                family: Family::Ip6,
                backend,
            },
            other => panic!("{}: what is a .{other} file?", self.name),
        }
    }

    /// The command that loads a text, and the one that shows it again.
    fn commands(&self, kind: &str) -> (Vec<String>, Vec<String>) {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let mechanism = if self.legacy { "legacy" } else { "nft" };
        match kind {
            "ipset" => (words("ipset restore"), words("ipset save")),
            "nft" => (words("nft -f -"), words("nft list ruleset")),
            "json" => (words("nft -j -f -"), words("nft -j list ruleset")),
            "v4" => (
                words(&format!("iptables-{mechanism}-restore")),
                words(&format!("iptables-{mechanism}-save")),
            ),
            _ => (
                words(&format!("ip6tables-{mechanism}-restore")),
                words(&format!("ip6tables-{mechanism}-save")),
            ),
        }
    }

    /// Makes a namespace, loads the rules there and reads them in three ways: as they are
    /// written here, and as the kernel shows them in text and in JSON.
    pub(crate) fn load(&self) -> io::Result<Loaded> {
        let firewall = self.as_written();
        let ports = ports(&firewall);
        let mut referee = Referee::new(ports.clone())?;
        for (kind, text) in &self.texts {
            let (load, _) = self.commands(kind);
            let load: Vec<&str> = load.iter().map(String::as_str).collect();
            referee.namespace().feed(&load, text)?;
        }
        let shown = self.show(&referee, "nft")?;
        // In JSON nft 1.0.6 prints a piece of its memory for the flags of a table.
        let flags = firewall.tables.iter().any(|table| table.dormant);
        // And for a block the words of the whole rule.
        let chains = firewall.tables.iter().flat_map(|table| &table.chains);
        let blocks = chains
            .into_iter()
            .any(|chain| chain.name.starts_with("__chain"));
        // Nor does it say there to which device a chain is hooked.
        let devices = self
            .texts
            .iter()
            .any(|(_, text)| text.contains("hook ingress"));
        let shown_in_json = (!flags && !blocks && !devices)
            .then(|| self.show(&referee, "json"))
            .transpose()?;
        let names = |family: Family| -> Vec<String> {
            firewall
                .tables
                .iter()
                .filter(|table| table.backend == Backend::IptablesLegacy && table.family == family)
                .map(|table| table.name.clone())
                .collect()
        };
        referee.ready([&names(Family::Ip), &names(Family::Ip6)])?;
        let surroundings = surroundings(&ports);
        let mut families = Vec::new();
        for v6 in [false, true] {
            let address: IpAddr = if v6 { [0; 16].into() } else { [0; 4].into() };
            if firewall
                .tables
                .iter()
                .any(|table| table.family.sees(address))
            {
                families.push(v6);
            }
        }
        let models = [
            ("as written", Some(firewall)),
            ("as shown", Some(shown)),
            ("as shown in JSON", shown_in_json),
        ];
        let models = models.into_iter().filter_map(|(text, firewall)| {
            let firewall = firewall?;
            Some(Model { text, firewall })
        });
        Ok(Loaded {
            referee,
            models: models.collect(),
            surroundings,
            ports,
            families,
        })
    }

    /// Reads what the kernel shows, nftables in text or in JSON.
    fn show(&self, referee: &Referee, nft: &'static str) -> io::Result<Firewall> {
        let mut kinds: Vec<&str> = self.texts.iter().map(|(kind, _)| kind.as_str()).collect();
        if !self.legacy && !kinds.contains(&"nft") {
            kinds.push("nft");
        }
        let mut shown = Vec::new();
        for kind in kinds {
            let kind = if kind == "nft" { nft } else { kind };
            let (_, show) = self.commands(kind);
            let show: Vec<&str> = show.iter().map(String::as_str).collect();
            shown.push(Input {
                name: show.join(" "),
                text: referee.namespace().run(&show)?,
                format: Some(self.format(kind)),
            });
        }
        Ok(self.model(shown))
    }

    /// The model of the texts as they are written here.
    pub(crate) fn as_written(&self) -> Firewall {
        let inputs = self.texts.iter().map(|(kind, text)| Input {
            name: format!("{}.{kind}", self.name),
            text: text.clone(),
            format: Some(self.format(kind)),
        });
        self.model(inputs.collect())
    }

    fn model(&self, inputs: Vec<Input>) -> Firewall {
        let loaded = load(inputs);
        // A note says of a match that it is not modelled, which the answers will show.
        let grave = |level: Level| level != Level::Note;
        let worst = loaded.problems.iter().find(|(_, one)| grave(one.level));
        if let Some((source, problem)) = worst {
            let source = &loaded.firewall.sources[usize::from(*source)];
            panic!(
                "{}: {}: {problem:?}\n{}",
                self.name, source.name, source.text
            );
        }
        loaded.firewall
    }
}

/// Two interfaces, and one for every name that the rules have.
fn ports(firewall: &Firewall) -> Vec<Port> {
    let mut names = BTreeSet::from(["eth0".to_owned(), "eth1".to_owned()]);
    let mut add = |text: &str, prefix: bool| {
        if !text.is_empty() && text != "lo" {
            names.insert(if prefix {
                format!("{text}7")
            } else {
                text.to_owned()
            });
        }
    };
    for (wanted, _) in matches(firewall) {
        match wanted {
            Match::InInterface { names, .. } | Match::OutInterface { names, .. } => {
                for name in names {
                    add(&name.text, name.prefix);
                }
            }
            _ => {}
        }
    }
    let sets = firewall.tables.iter().flat_map(|table| &table.sets);
    for element in sets
        .chain(&firewall.ipsets)
        .flat_map(|set| set.content.elements())
    {
        for component in &element.key {
            if let Component::Name(name) = component {
                add(&name.text, name.prefix);
            }
        }
    }
    (1..)
        .zip(names)
        .map(|(number, name): (u8, String)| Port {
            name,
            mac: [2, 0, 0, 0, 0, number],
            addresses: vec![
                (IpAddr::from([192, 0, 2 + number, 1]), 24),
                (
                    IpAddr::from([0x2001, 0xdb8, 0, number.into(), 0, 0, 0, 1]),
                    64,
                ),
            ],
        })
        .collect()
}

fn surroundings(ports: &[Port]) -> Surroundings {
    let mut interfaces = vec![Interface {
        name: "lo".into(),
        loopback: true,
        up: true,
        addresses: vec![
            (IpAddr::from([127, 0, 0, 1]), 8),
            (IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 128),
        ],
    }];
    interfaces.extend(ports.iter().map(|port| Interface {
        name: port.name.clone(),
        loopback: false,
        up: true,
        addresses: port.addresses.clone(),
    }));
    let sysctls = [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv6.conf.all.forwarding", "1"),
        ("net.ipv4.conf.all.accept_local", "1"),
        ("net.ipv4.conf.all.route_localnet", "1"),
    ];
    Surroundings {
        interfaces: Some(interfaces),
        routes: Some(Vec::new()),
        sysctls: sysctls
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        ..Surroundings::default()
    }
}

/// Every match of the rules, also those inside of others, with the index of its table.
pub(crate) fn matches(firewall: &Firewall) -> Vec<(&Match, usize)> {
    fn inner<'a>(wanted: &'a Match, table: usize, found: &mut Vec<(&'a Match, usize)>) {
        found.push((wanted, table));
        if let Match::Any { of, .. } = wanted {
            for one in of {
                inner(one, table, found);
            }
        }
    }
    let mut found = Vec::new();
    for (at, table) in firewall.tables.iter().enumerate() {
        for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
            for statement in &rule.statements {
                if let Statement::Match(wanted) = statement {
                    inner(wanted, at, &mut found);
                }
            }
        }
    }
    found
}

/// What the rules ask of conntrack.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uses {
    pub(crate) conntrack: bool,
    pub(crate) nat: bool,
    pub(crate) sets_connection_marks: bool,
}

impl Uses {
    pub(crate) fn of(firewall: &Firewall) -> Self {
        let mut uses = Self::default();
        let about_connections = |operand: &Operand| {
            matches!(
                operand.field,
                Field::CtState
                    | Field::CtStatus
                    | Field::CtDirection
                    | Field::CtMark
                    | Field::CtOriginalIp4Src
                    | Field::CtOriginalIp4Dst
                    | Field::CtOriginalIp6Src
                    | Field::CtOriginalIp6Dst
                    | Field::CtOriginalSrcPort
                    | Field::CtOriginalDstPort
                    | Field::CtProtocol
            )
        };
        let in_key = |key: &[KeyPart]| {
            key.iter()
                .any(|part| matches!(part, KeyPart::Number(operand) if about_connections(operand)))
        };
        uses.conntrack |= matches(firewall).iter().any(|(wanted, _)| match wanted {
            Match::Field { operand, .. } => about_connections(operand),
            Match::Lookup(lookup) => in_key(&lookup.key),
            _ => false,
        });
        let chains = firewall.tables.iter().flat_map(|table| &table.chains);
        for statement in chains
            .flat_map(|chain| &chain.rules)
            .flat_map(|rule| &rule.statements)
        {
            match statement {
                Statement::Verdict(Verdict::Nat(_)) => uses.nat = true,
                Statement::VerdictMap(map) => uses.conntrack |= in_key(&map.key),
                Statement::Effect(
                    Effect::SetMark {
                        field: Field::CtMark,
                        ..
                    }
                    | Effect::CopyMark {
                        to: Field::CtMark, ..
                    },
                ) => {
                    uses.sets_connection_marks = true;
                    uses.conntrack = true;
                }
                Statement::Effect(Effect::NoTrack | Effect::CopyMark { .. }) => {
                    uses.conntrack = true;
                }
                _ => {}
            }
        }
        uses.conntrack |= uses.nat;
        uses
    }
}

/// Whether the set is a list of others.
pub(crate) fn is_list(kind: &SetKind) -> bool {
    matches!(kind, SetKind::List { .. })
}
