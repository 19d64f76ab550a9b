//! Which matches and targets there are, and how their options are spelled.
//!
//! One table for both families. An option is written in the form
//! `name|alias arity`, the first name being the one that `iptables-save` prints.

/// A match or a target.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: &'static str,
    /// Whether its answer depends on earlier packets or on time.
    pub(super) stateful: bool,
    /// Its options.
    pub(super) options: &'static [ModuleOption],
}

/// An option.
#[derive(Debug, PartialEq, Eq)]
pub struct ModuleOption {
    /// The name that `iptables-save` prints, without dashes.
    pub name: &'static str,
    /// Other spellings, each up to its own meaning.
    pub(super) aliases: &'static [&'static str],
    /// How many values follow.
    pub(super) arity: u8,
}

macro_rules! options {
    ($($name:literal $(| $alias:literal)* $arity:literal),* $(,)?) => {
        &[$(ModuleOption { name: $name, aliases: &[$($alias),*], arity: $arity }),*]
    };
}

macro_rules! modules {
    ($($kind:ident $name:literal { $($body:tt)* })*) => {
        &[$(Module { name: $name, stateful: modules!(@ $kind), options: options!($($body)*) }),*]
    };
    (@ fixed) => { false };
    (@ varies) => { true };
}

/// What needs no module. A short spelling stands among the aliases as one letter.
pub(super) static BASE: Module = Module {
    name: "",
    stateful: false,
    options: options! {
        "source" | "src" | "s" 1, "destination" | "dst" | "d" 1, "in-interface" | "i" 1,
        "out-interface" | "o" 1, "protocol" | "proto" | "p" 1, "fragment" | "f" 0,
        "match" | "m" 1, "jump" | "j" 1, "goto" | "g" 1, "set-counters" | "c" 2,
        "table" | "t" 1, "ipv4" | "4" 0, "ipv6" | "6" 0, "wait" | "w" 0,
    },
};

static MATCHES: &[Module] = modules! {
    fixed "tcp" {
        "sport" | "source-port" 1, "dport" | "destination-port" 1, "tcp-flags" 2, "syn" 0,
        "tcp-option" 1,
    }
    fixed "udp" { "sport" | "source-port" 1, "dport" | "destination-port" 1 }
    fixed "udplite" { "sport" | "source-port" 1, "dport" | "destination-port" 1 }
    fixed "comment" { "comment" 1 }
    fixed "conntrack" {
        "ctstate" 1, "ctproto" 1, "ctorigsrc" 1, "ctorigdst" 1, "ctreplsrc" 1, "ctrepldst" 1,
        "ctorigsrcport" 1, "ctorigdstport" 1, "ctreplsrcport" 1, "ctrepldstport" 1,
        "ctstatus" 1, "ctexpire" 1, "ctdir" 1,
    }
    fixed "state" { "state" 1 }
    fixed "mac" { "mac-source" 1 }
    fixed "multiport" {
        "sports" | "source-ports" 1, "dports" | "destination-ports" 1, "ports" 1,
    }
    fixed "icmp" { "icmp-type" 1 }
    fixed "icmp6" { "icmpv6-type" 1 }
    fixed "set" {
        "match-set" | "set" 2, "return-nomatch" 0, "update-counters" 0, "update-subcounters" 0,
        "packets-eq" 1, "packets-lt" 1, "packets-gt" 1, "bytes-eq" 1, "bytes-lt" 1, "bytes-gt" 1,
    }
    fixed "addrtype" { "src-type" 1, "dst-type" 1, "limit-iface-in" 0, "limit-iface-out" 0 }
    fixed "mark" { "mark" 1 }
    fixed "connmark" { "mark" 1 }
    fixed "owner" { "uid-owner" 1, "gid-owner" 1, "socket-exists" 0, "suppl-groups" 0 }
    fixed "iprange" { "src-range" 1, "dst-range" 1 }
    fixed "pkttype" { "pkt-type" 1 }
    fixed "hl" { "hl-eq" | "hl" 1, "hl-lt" 1, "hl-gt" 1 }
    fixed "ttl" { "ttl-eq" | "ttl" 1, "ttl-lt" 1, "ttl-gt" 1 }
    fixed "length" { "length" 1 }
    fixed "tos" { "tos" 1 }
    fixed "dscp" { "dscp" 1, "dscp-class" 1 }
    fixed "sctp" { "sport" | "source-port" 1, "dport" | "destination-port" 1, "chunk-types" 2 }
    fixed "dccp" {
        "sport" | "source-port" 1, "dport" | "destination-port" 1, "dccp-types" 1, "dccp-option" 1,
    }
    varies "limit" { "limit" 1, "limit-burst" 1 }
    varies "recent" {
        "set" 0, "rcheck" 0, "update" 0, "remove" 0, "seconds" 1, "hitcount" 1, "rttl" 0,
        "name" 1, "mask" 1, "rsource" 0, "rdest" 0, "reap" 0,
    }
    varies "hashlimit" {
        "hashlimit-upto" | "hashlimit" 1, "hashlimit-above" 1, "hashlimit-burst" 1,
        "hashlimit-mode" 1, "hashlimit-name" 1, "hashlimit-srcmask" 1, "hashlimit-dstmask" 1,
        "hashlimit-htable-size" 1, "hashlimit-htable-max" 1, "hashlimit-htable-gcinterval" 1,
        "hashlimit-htable-expire" 1, "hashlimit-rate-match" 0, "hashlimit-rate-interval" 1,
    }
    varies "connlimit" {
        "connlimit-upto" 1, "connlimit-above" 1, "connlimit-mask" 1, "connlimit-saddr" 0,
        "connlimit-daddr" 0,
    }
    varies "connbytes" { "connbytes" 1, "connbytes-dir" 1, "connbytes-mode" 1 }
    varies "quota" { "quota" 1 }
    varies "statistic" { "mode" 1, "probability" 1, "every" 1, "packet" 1 }
    varies "time" {
        "timestart" 1, "timestop" 1, "datestart" 1, "datestop" 1, "monthdays" 1, "weekdays" 1,
        "contiguous" 0, "kerneltz" 0, "utc" 0, "localtz" 0,
    }
    varies "string" {
        "from" 1, "to" 1, "algo" 1, "string" 1, "hex-string" 1, "icase" 0,
    }
    varies "rateest" {
        "rateest" 1, "rateest1" 1, "rateest2" 1, "rateest-delta" 0, "rateest-bps" 1,
        "rateest-bps1" 1, "rateest-bps2" 1, "rateest-pps" 1, "rateest-pps1" 1, "rateest-pps2" 1,
        "rateest-lt" 0, "rateest-gt" 0, "rateest-eq" 0,
    }
    varies "nfacct" { "nfacct-name" 1 }
    varies "socket" { "transparent" 0, "nowildcard" 0, "restore-skmark" 0 }
    varies "osf" { "genre" 1, "ttl" 1, "log" 1 }
    varies "condition" { "condition" 1 }
    varies "cpu" { "cpu" 1 }
    varies "cluster" {
        "cluster-total-nodes" 1, "cluster-local-node" 1, "cluster-local-nodemask" 1,
        "cluster-hash-seed" 1,
    }
    varies "connlabel" { "label" 1, "set" 0 }
    varies "ipvs" {
        "ipvs" 0, "vproto" 1, "vaddr" 1, "vport" 1, "vdir" 1, "vmethod" 1, "vportctl" 1,
    }
    varies "u32" { "u32" 1 }
    varies "bpf" { "bytecode" 1, "object-pinned" 1 }
    fixed "ah" { "ahspi" 1, "ahlen" 1, "ahres" 0 }
    fixed "esp" { "espspi" 1 }
    fixed "ipcomp" { "ipcompspi" 1, "compres" 0 }
    fixed "cgroup" { "path" 1, "cgroup" 1 }
    fixed "devgroup" { "src-group" 1, "dst-group" 1 }
    fixed "dst" { "dst-len" 1, "dst-opts" 1 }
    fixed "hbh" { "hbh-len" 1, "hbh-opts" 1 }
    fixed "ecn" { "ecn-tcp-cwr" 0, "ecn-tcp-ece" 0, "ecn-ip-ect" 1 }
    fixed "eui64" {}
    fixed "frag" {
        "fragid" 1, "fraglen" 1, "fragres" 0, "fragfirst" 0, "fragmore" 0, "fraglast" 0,
    }
    fixed "helper" { "helper" 1 }
    fixed "ipv6header" { "header" 1, "soft" 0 }
    fixed "mh" { "mh-type" 1 }
    fixed "physdev" {
        "physdev-in" 1, "physdev-out" 1, "physdev-is-in" 0, "physdev-is-out" 0,
        "physdev-is-bridged" 0,
    }
    fixed "policy" {
        "dir" 1, "pol" 1, "strict" 0, "reqid" 1, "spi" 1, "proto" 1, "mode" 1, "tunnel-src" 1,
        "tunnel-dst" 1, "next" 0,
    }
    fixed "realm" { "realm" 1 }
    fixed "rpfilter" { "loose" 0, "validmark" 0, "accept-local" 0, "invert" 0 }
    fixed "rt" {
        "rt-type" 1, "rt-segsleft" 1, "rt-len" 1, "rt-0-res" 0, "rt-0-addrs" 1,
        "rt-0-not-strict" 0,
    }
    fixed "srh" {
        "srh-next-hdr" 1, "srh-hdr-len-eq" 1, "srh-hdr-len-gt" 1, "srh-hdr-len-lt" 1,
        "srh-segs-left-eq" 1, "srh-segs-left-gt" 1, "srh-segs-left-lt" 1, "srh-last-entry-eq" 1,
        "srh-last-entry-gt" 1, "srh-last-entry-lt" 1, "srh-tag" 1, "srh-psid" 1, "srh-nsid" 1,
        "srh-lsid" 1,
    }
    fixed "tcpmss" { "mss" 1 }
    fixed "unclean" {}
};

static TARGETS: &[Module] = modules! {
    fixed "ACCEPT" {}
    fixed "DROP" {}
    fixed "RETURN" {}
    fixed "QUEUE" {}
    fixed "REJECT" { "reject-with" 1 }
    fixed "LOG" {
        "log-level" 1, "log-prefix" 1, "log-tcp-sequence" 0, "log-tcp-options" 0,
        "log-ip-options" 0, "log-uid" 0, "log-macdecode" 0,
    }
    fixed "NFLOG" {
        "nflog-group" 1, "nflog-prefix" 1, "nflog-range" 1, "nflog-size" 1, "nflog-threshold" 1,
    }
    fixed "ULOG" { "ulog-nlgroup" 1, "ulog-prefix" 1, "ulog-cprange" 1, "ulog-qthreshold" 1 }
    fixed "MARK" { "set-xmark" 1, "set-mark" 1, "and-mark" 1, "or-mark" 1, "xor-mark" 1 }
    fixed "CONNMARK" {
        "set-xmark" 1, "set-mark" 1, "and-mark" 1, "or-mark" 1, "xor-mark" 1, "save-mark" 0,
        "restore-mark" 0, "nfmask" 1, "ctmask" 1, "mask" 1, "left-shift-mark" 1,
        "right-shift-mark" 1,
    }
    fixed "CT" {
        "notrack" 0, "helper" 1, "ctevents" 1, "expevents" 1, "zone" 1, "zone-orig" 1,
        "zone-reply" 1, "timeout" 1,
    }
    fixed "NOTRACK" {}
    fixed "SNAT" { "to-source" 1, "random" 0, "random-fully" 0, "persistent" 0 }
    fixed "DNAT" { "to-destination" 1, "random" 0, "persistent" 0 }
    fixed "MASQUERADE" { "to-ports" 1, "random" 0, "random-fully" 0 }
    fixed "REDIRECT" { "to-ports" 1, "random" 0 }
    fixed "NETMAP" { "to" 1 }
    fixed "TCPMSS" { "set-mss" 1, "clamp-mss-to-pmtu" 0 }
    fixed "CHECKSUM" { "checksum-fill" 0 }
    fixed "CLASSIFY" { "set-class" 1 }
    fixed "TOS" { "set-tos" 1, "and-tos" 1, "or-tos" 1, "xor-tos" 1 }
    fixed "DSCP" { "set-dscp" 1, "set-dscp-class" 1 }
    fixed "TTL" { "ttl-set" 1, "ttl-dec" 1, "ttl-inc" 1 }
    fixed "HL" { "hl-set" 1, "hl-dec" 1, "hl-inc" 1 }
    varies "SET" {
        "add-set" 2, "del-set" 2, "map-set" 2, "timeout" 1, "exist" 0, "map-mark" 0, "map-prio" 0,
        "map-queue" 0,
    }
    fixed "TRACE" {}
    varies "NFQUEUE" {
        "queue-num" 1, "queue-balance" 1, "queue-bypass" 0, "queue-cpu-fanout" 0,
    }
    varies "TPROXY" { "on-port" 1, "on-ip" 1, "tproxy-mark" 1 }
    fixed "AUDIT" { "type" 1 }
    fixed "CONNSECMARK" { "save" 0, "restore" 0 }
    fixed "SECMARK" { "selctx" 1 }
    fixed "ECN" { "ecn-tcp-remove" 0, "ecn-tcp-cwr" 1, "ecn-tcp-ece" 1, "ecn-ip-ect" 1 }
    fixed "HMARK" {
        "hmark-tuple" 1, "hmark-mod" 1, "hmark-offset" 1, "hmark-src-prefix" 1,
        "hmark-dst-prefix" 1, "hmark-sport-mask" 1, "hmark-dport-mask" 1, "hmark-spi-mask" 1,
        "hmark-sport" 1, "hmark-dport" 1, "hmark-spi" 1, "hmark-proto-mask" 1, "hmark-rnd" 1,
    }
    fixed "IDLETIMER" { "timeout" 1, "label" 1, "alarm" 0 }
    fixed "LED" { "led-trigger-id" 1, "led-delay" 1, "led-always-blink" 0 }
    fixed "RATEEST" { "rateest-name" 1, "rateest-interval" 1, "rateest-ewmalog" 1 }
    fixed "TCPOPTSTRIP" { "strip-options" 1 }
    fixed "TEE" { "gateway" 1 }
    varies "SYNPROXY" { "mss" 1, "wscale" 1, "sack-perm" 0, "timestamp" 0 }
    varies "CLUSTERIP" {
        "new" 0, "hashmode" 1, "clustermac" 1, "total-nodes" 1, "local-node" 1, "hash-init" 1,
    }
    fixed "DNPT" { "src-pfx" 1, "dst-pfx" 1 }
    fixed "SNPT" { "src-pfx" 1, "dst-pfx" 1 }
};

/// The match of that name.
pub(super) fn find_match(name: &str) -> Option<&'static Module> {
    let name = match name {
        "icmpv6" | "ipv6-icmp" => "icmp6",
        "mport" => "multiport",
        name => name,
    };
    MATCHES.iter().find(|module| module.name == name)
}

/// The target of that name.
pub(super) fn find_target(name: &str) -> Option<&'static Module> {
    TARGETS.iter().find(|module| module.name == name)
}

impl ModuleOption {
    fn spellings(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    fn is_spelled(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }
}

/// What a word can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundOption {
    /// The option, and the place of its module in the list that was searched.
    One(usize, &'static ModuleOption),
    /// A beginning that fits more than one option.
    Ambiguous,
    /// No module has it.
    None,
}

/// Looks a long option up as `getopt_long` does: a full name wins, then a unique beginning.
/// Of modules that share a name the last one wins.
pub(super) fn find_option<'m>(
    word: &str,
    modules: impl DoubleEndedIterator<Item = (usize, &'m Module)> + Clone,
) -> FoundOption
where
    'm: 'static,
{
    for (at, module) in modules.clone().rev() {
        if let Some(option) = module.options.iter().find(|opt| opt.is_spelled(word)) {
            return FoundOption::One(at, option);
        }
    }
    if word.is_empty() {
        return FoundOption::None;
    }
    let mut found = FoundOption::None;
    for (at, module) in modules.rev() {
        for option in module.options {
            let fits = option
                .spellings()
                .any(|name| name.len() > 1 && name.starts_with(word));
            match found {
                _ if !fits => {}
                FoundOption::None => found = FoundOption::One(at, option),
                FoundOption::One(_, first) if first == option => {}
                _ => return FoundOption::Ambiguous,
            }
        }
    }
    found
}

/// The option of one letter.
/// Whether some match or target has an option of that name, or one that begins so.
pub(super) fn is_known_option(name: &str) -> bool {
    let options = MATCHES
        .iter()
        .chain(TARGETS)
        .flat_map(|module| module.options);
    let mut names = options.flat_map(|option| option.aliases.iter().chain([&option.name]));
    names.any(|known| known.starts_with(name))
}

pub(super) fn find_short(letter: &str) -> Option<&'static ModuleOption> {
    BASE.options
        .iter()
        .find(|opt| opt.aliases.last() == Some(&letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(word: &str, modules: &[&'static Module]) -> Option<&'static str> {
        match find_option(word, modules.iter().copied().enumerate()) {
            FoundOption::One(_, option) => Some(option.name),
            FoundOption::Ambiguous | FoundOption::None => None,
        }
    }

    #[test]
    fn names_are_found_once_and_in_full() {
        for list in [MATCHES, TARGETS] {
            for module in list {
                assert_eq!(list.iter().filter(|m| m.name == module.name).count(), 1);
                for name in module.options.iter().flat_map(ModuleOption::spellings) {
                    let count = module.options.iter().filter(|o| o.is_spelled(name)).count();
                    assert_eq!(count, 1, "{} --{name}", module.name);
                }
            }
        }
    }

    #[test]
    fn a_beginning_counts_if_only_one_option_has_it() {
        let tcp = find_match("tcp").unwrap();
        assert_eq!(find("destination-p", &[&BASE, tcp]), Some("dport"));
        assert_eq!(find("tcp-f", &[&BASE, tcp]), Some("tcp-flags"));
        assert_eq!(find("tcp-", &[&BASE, tcp]), None);
        assert_eq!(find("dport", &[&BASE]), None);
    }
}
