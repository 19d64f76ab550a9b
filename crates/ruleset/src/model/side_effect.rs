//! What a statement does besides deciding about the packet that it sees.

use super::{Effect, Match, SetRef, Statement, Table, Verdict};

/// What the kernel keeps of packets, and judges later packets by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KernelMemory {
    /// The list of this name of iptables' `recent`.
    RecentList(String),
    /// The buckets of this name of iptables' `hashlimit`.
    HashLimit(String),
    /// nft's `limit` or `quota` of this name, which several rules may test.
    NamedLimit(String),
    /// A set that rules fill or empty, by its name.
    Set(String),
    /// In which zone connections are tracked, and so whose answers are known.
    Zone,
    /// Which helper looks into connections, and so what is related to them.
    Helper,
    /// A part of packets or connections that is not modelled, by its name: the labels of connections,
    /// the options of TCP.
    PacketPart(&'static str),
}

/// Parts that are not modelled: their names, how statements begin that write them, and what matches
/// on them contain.
const PARTS: &[(&str, &[&str], &[&str])] = &[
    (
        "the labels of connections",
        &["ct label set", "-j CONNLABEL"],
        &["ct label", "-m connlabel"],
    ),
    (
        "the options of TCP",
        &["tcp option", "-j TCPMSS"],
        &["tcp option", "-m tcpmss"],
    ),
    (
        "the priority of packets",
        &["meta priority set", "-j CLASSIFY"],
        &["meta priority"],
    ),
    ("the rate estimators", &["-j RATEEST"], &["-m rateest"]),
    (
        "the security marks",
        &[
            "meta secmark set",
            "ct secmark set",
            "-j SECMARK",
            "-j CONNSECMARK",
        ],
        &["meta secmark", "ct secmark"],
    ),
    (
        "the timers of interfaces",
        &["-j IDLETIMER"],
        &["-m idletimer"],
    ),
];

impl KernelMemory {
    /// What it is called in a sentence.
    pub fn words(&self) -> String {
        match self {
            Self::RecentList(name) => format!("the list `{name}` of `recent`"),
            Self::HashLimit(name) => format!("the buckets `{name}` of `hashlimit`"),
            Self::NamedLimit(name) => format!("`{name}`"),
            Self::Set(name) => format!("the set `{name}`"),
            Self::Zone => "the zones of connection tracking".to_owned(),
            Self::Helper => "the helpers of connection tracking".to_owned(),
            Self::PacketPart(name) => (*name).to_owned(),
        }
    }

    /// The part that is not modelled and that a statement of these words writes.
    fn written(text: &str) -> Option<Self> {
        let begins = |(_, writes, _): &&(_, &[&str], _)| {
            writes.iter().any(|beginning| text.starts_with(beginning))
        };
        let (name, ..) = PARTS.iter().find(begins)?;
        Some(Self::PacketPart(name))
    }

    /// The part that is not modelled and that a match of these words tests.
    fn asked(text: &str) -> Option<Self> {
        let asks = |(_, _, asks): &&(_, _, &[&str])| asks.iter().any(|word| text.contains(word));
        let (name, ..) = PARTS.iter().find(asks)?;
        Some(Self::PacketPart(name))
    }

    /// Whether connection tracking uses it by itself.
    pub fn is_asked_by_kernel(&self) -> bool {
        matches!(self, Self::Zone | Self::Helper)
    }

    /// Whether a statement tests what is kept there.
    pub fn is_asked_by(&self, statement: &Statement, table: &Table, ipsets: &[super::Set]) -> bool {
        let named =
            |set: &SetRef| matches!(self, Self::Set(name) if set.name(table, ipsets) == Some(name));
        match statement {
            Statement::Match(wanted) => wanted.has_part(&|one| match one {
                Match::Lookup(look) => named(&look.set),
                Match::Opaque(opaque) => {
                    opaque.memory.as_ref() == Some(self)
                        || Self::asked(&opaque.text).as_ref() == Some(self)
                }
                _ => false,
            }),
            Statement::VerdictMap(look) => named(&look.map),
            Statement::Verdict(Verdict::Nat(nat)) => {
                nat.by_map.as_ref().is_some_and(|map| named(&map.1))
            }
            _ => false,
        }
    }
}

/// What a statement does besides deciding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SideEffect {
    /// Later packets may be judged by it.
    Remembered {
        /// Where it is kept.
        memory: KernelMemory,
        /// What is done there.
        words: String,
    },
    /// The packet, or the answer to its sender, looks different, or another program gets it.
    Shaped {
        /// What is done.
        words: String,
    },
    /// It is judged by what earlier statements have written there.
    Asked {
        /// Where.
        memory: KernelMemory,
    },
}

impl SideEffect {
    /// How the words for an answer to the sender begin.
    pub const REFUSED: &str = "refused with";

    /// What a statement does besides deciding; log lines and counters aside.
    pub fn of(statement: &Statement, table: &Table, ipsets: &[super::Set]) -> Option<Self> {
        let shaped = |words: String| Some(Self::Shaped { words });
        let asked = |set: &SetRef| {
            let memory = KernelMemory::Set(set.name(table, ipsets)?.to_owned());
            Some(Self::Asked { memory })
        };
        match statement {
            Statement::Match(Match::Opaque(opaque)) => {
                let words = opaque.text.clone();
                if let Some(memory) = opaque.memory.clone() {
                    return Some(Self::Remembered { memory, words });
                }
                let memory = KernelMemory::asked(&words)?;
                // `-m connlabel --label 1 --set` writes what it asks for.
                Some(if words.ends_with(" --set") {
                    Self::Remembered { memory, words }
                } else {
                    Self::Asked { memory }
                })
            }
            Statement::Match(Match::Lookup(look)) => asked(&look.set),
            Statement::VerdictMap(look) => asked(&look.map),
            Statement::Effect(Effect::UpdateSet { set, text }) => Some(Self::Remembered {
                memory: KernelMemory::Set(set.name(table, ipsets)?.to_owned()),
                words: text.clone(),
            }),
            Statement::Effect(Effect::Remember { memory, text }) => Some(Self::Remembered {
                memory: memory.clone(),
                words: text.clone(),
            }),
            Statement::Effect(Effect::CtZone(zone)) => Some(Self::Remembered {
                memory: KernelMemory::Zone,
                words: format!("zone {zone}"),
            }),
            Statement::Effect(Effect::Other { text }) if !is_record(text) => shaped(text.clone()),
            Statement::Verdict(Verdict::Reject { with }) => {
                shaped(format!("{} {}", Self::REFUSED, answer_word(with)))
            }
            Statement::Verdict(Verdict::Queue { text }) => shaped(text.clone()),
            _ => None,
        }
    }

    /// The same for rules that test parts of packets that are not modelled: statements that write
    /// there are remembered.
    #[must_use]
    pub fn among(self, asked: &std::collections::BTreeSet<KernelMemory>) -> Self {
        match self {
            Self::Shaped { words } => match KernelMemory::written(&words) {
                Some(memory) if asked.contains(&memory) => Self::Remembered { memory, words },
                _ => Self::Shaped { words },
            },
            other => other,
        }
    }

    /// Where it is kept.
    pub fn memory(&self) -> Option<&KernelMemory> {
        match self {
            Self::Remembered { memory, .. } | Self::Asked { memory } => Some(memory),
            Self::Shaped { .. } => None,
        }
    }
}

/// What only writes something down.
fn is_record(text: &str) -> bool {
    matches!(text, "counter" | "last") || text.starts_with("meta nftrace") || text == "-j TRACE"
}

/// The words for the answer to the sender that iptables and nft share.
fn answer_word(with: &str) -> String {
    let word = with.rsplit(' ').next().unwrap_or(with);
    let word = word
        .trim_start_matches("icmp6-")
        .trim_start_matches("icmp-");
    match word {
        "reset" | "tcp-reset" => "tcp reset",
        "adm-prohibited" | "admin-prohibited" => "admin-prohibited",
        "no-route" | "net-unreachable" => "no-route",
        "addr-unreachable" | "host-unreachable" => "host-unreachable",
        other => other,
    }
    .to_owned()
}

impl SetRef {
    /// The name of a set that has one.
    pub fn name<'s>(&'s self, table: &'s Table, ipsets: &'s [super::Set]) -> Option<&'s str> {
        let of = |sets: &'s [super::Set], at: u32| {
            let set = sets.get(usize::try_from(at).ok()?)?;
            Some(set.name.as_str())
        };
        match self {
            Self::Named(at) => of(&table.sets, *at),
            Self::Ipset(at) => of(ipsets, *at),
            Self::Missing(name) => Some(name),
            Self::Inline(_) => None,
        }
    }
}
