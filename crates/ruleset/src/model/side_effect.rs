//! What a statement does besides deciding about the packet that it sees.

use super::{Effect, Match, SetRef, Statement, Table, Verdict};

/// What the kernel keeps of packets, and judges later packets by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KernelMemory {
    /// The list of this name of iptables' `recent`.
    RecentList(String),
    /// The buckets of this name of iptables' `hashlimit`.
    HashLimit(String),
    /// nft's `limit` or `quota` of this name, which several rules may ask.
    NamedLimit(String),
    /// A set that rules fill or empty, by its name.
    Set(String),
    /// In which zone connections are tracked, and so whose answers are known.
    Zone,
    /// Which helper looks into connections, and so what is related to them.
    Helper,
}

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
        }
    }

    /// Whether connection tracking asks by itself.
    pub fn is_asked_by_kernel(&self) -> bool {
        matches!(self, Self::Zone | Self::Helper)
    }

    /// Whether a statement asks what is kept there.
    pub fn is_asked_by(&self, statement: &Statement, table: &Table, ipsets: &[super::Set]) -> bool {
        let named =
            |set: &SetRef| matches!(self, Self::Set(name) if set.name(table, ipsets) == Some(name));
        match statement {
            Statement::Match(wanted) => wanted.has_part(&|one| match one {
                Match::Lookup(look) => named(&look.set),
                Match::Opaque(opaque) => opaque.memory.as_ref() == Some(self),
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
}

impl SideEffect {
    /// How the words for an answer to the sender begin.
    pub const REFUSED: &str = "refused with";

    /// What a statement does besides deciding; log lines and counters aside.
    pub fn of(statement: &Statement, table: &Table, ipsets: &[super::Set]) -> Option<Self> {
        let shaped = |words: String| Some(Self::Shaped { words });
        match statement {
            Statement::Match(Match::Opaque(opaque)) => Some(Self::Remembered {
                memory: opaque.memory.clone()?,
                words: opaque.text.clone(),
            }),
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
