//! A replay as text for a terminal.

use surefoot_report::{Paint, Style};

use super::super::diff::DecidedEnd;
use super::super::lines::{AnswerLines, by_words, end_word};
use super::super::name::NamedKind;
use super::{ChangedConnection, FateGroup, Replayed, Totals};
use surefoot_netfilter::semantics::End;

impl Replayed {
    /// The answer, the totals, the deciding rules, and the connections whose verdict changes.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        self.write_headline(&mut out);
        out.blank();
        self.write_totals(&mut out);
        for Deciders { group, these } in self.deciders_by_group() {
            out.blank();
            let (word, paint) = group_word(group);
            out.line(0, paint, &format!("{word}, by what decides"));
            for one in these {
                out.line(2, Paint::Strong, &totals_words(one.totals));
                write_decided(&mut out, "before: ", &one.before);
                write_decided(&mut out, "after:  ", &one.after);
            }
        }
        for counted in self.groups.iter().filter(|it| it.group.is_change()) {
            let these = self.changes.iter().filter(|it| it.group == counted.group);
            let these: Vec<&ChangedConnection> = these.collect();
            if these.is_empty() {
                continue;
            }
            out.blank();
            let (word, paint) = group_word(counted.group);
            out.line(0, paint, &format!("{word} connections, largest first"));
            for one in &these {
                write_connection(&mut out, one);
            }
            let shown = u64::try_from(these.len()).unwrap_or_default();
            if counted.connections > shown {
                let more = grouped_digits(counted.connections - shown);
                out.write_wrapped(2, None, &format!("and {more} more: `--limit` shows more"));
            }
        }
        if !self.not_judged.is_empty() {
            out.blank();
            out.line(0, Paint::Strong, "not judged");
        }
        for one in &self.not_judged {
            let packets = grouped_digits(one.packets);
            out.write_listed(&format!("  {packets:>12}  "), Paint::Faint, &one.why);
        }
        if !self.notes.is_empty() {
            out.blank();
        }
        for note in &self.notes {
            out.write_listed("note: ", Paint::Faint, note);
        }
        out.finish()
    }

    fn write_headline(&self, out: &mut AnswerLines) {
        let count = |group| {
            let mut groups = self.groups.iter();
            groups
                .find(|it| it.group == group)
                .map_or(0, |it| it.totals.packets)
        };
        let blocked = count(FateGroup::NewlyBlocked);
        let accepted = count(FateGroup::NewlyAccepted);
        let judged: u64 = self.groups.iter().map(|it| it.totals.packets).sum();
        let (paint, words) = if blocked + accepted > 0 {
            let mut parts = Vec::new();
            if blocked > 0 {
                parts.push(format!("block {} accepted so far", packet_count(blocked)));
            }
            if accepted > 0 {
                parts.push(format!("accept {} blocked so far", packet_count(accepted)));
            }
            (
                Paint::Red,
                format!("the new rules {}", parts.join(", and ")),
            )
        } else if judged == 0 {
            (Paint::Yellow, "no packet could be judged".to_owned())
        } else if count(FateGroup::Perhaps) > 0 {
            let perhaps = packet_count(count(FateGroup::Perhaps));
            (
                Paint::Yellow,
                format!("nothing certainly changes, but {perhaps} may"),
            )
        } else {
            (
                Paint::Green,
                "nothing of this traffic would change".to_owned(),
            )
        };
        if self.elsewhere {
            let words = format!("{words}, but none of it is to this host or from it");
            return out.line(0, Paint::Yellow, &words);
        }
        out.line(0, paint, &words);
    }

    fn write_totals(&self, out: &mut AnswerLines) {
        let head = format!(
            "{:<16}{:>14}{:>14}{:>12}",
            "", "connections", "packets", "bytes"
        );
        out.line(0, Paint::Faint, &head);
        for one in &self.groups {
            let (word, paint) = group_word(one.group);
            let paint = if one.totals.packets == 0 {
                Paint::Faint
            } else {
                paint
            };
            let line = format!(
                "{word:<16}{:>14}{:>14}{:>12}",
                grouped_digits(one.connections),
                grouped_digits(one.totals.packets),
                byte_count(one.totals.bytes)
            );
            out.line(0, paint, &line);
        }
        let line = format!(
            "{:<16}{:>14}{:>14}{:>12}",
            "all",
            grouped_digits(self.connections),
            grouped_digits(self.all.packets),
            byte_count(self.all.bytes)
        );
        out.line(0, Paint::Strong, &line);
    }

    fn deciders_by_group(&self) -> Vec<Deciders<'_>> {
        let groups = FateGroup::ALL.into_iter().map(|group| Deciders {
            group,
            these: self
                .deciders
                .iter()
                .filter(|it| it.group == group)
                .collect(),
        });
        groups.filter(|it| !it.these.is_empty()).collect()
    }
}

struct Deciders<'a> {
    group: FateGroup,
    these: Vec<&'a super::DecidingRule>,
}

fn write_connection(out: &mut AnswerLines, one: &ChangedConnection) {
    let when = match (one.first_packets, one.later_packets) {
        (true, _) if one.group == FateGroup::NewlyBlocked => {
            "its first packet too: it would not begin"
        }
        (true, true) => "from its first packet on",
        (true, false) => "its first packet",
        _ if one.began_earlier => "later packets; it began before",
        _ => "later packets",
    };
    let head = format!("{} {} → {}", one.protocol, one.from, one.to);
    out.line(2, Paint::Strong, &head);
    let sizes = if one.changed == one.all || one.all == Totals::default() {
        totals_words(one.all)
    } else {
        format!(
            "{} of {}",
            grouped_digits(one.changed.packets),
            totals_words(one.all)
        )
    };
    let sizes = if one.all.packets == 0 {
        when.to_owned()
    } else {
        format!("{sizes}, {when}")
    };
    out.write_wrapped(4, None, &sizes);
    for (word, side) in [("before", &one.before), ("after", &one.after)] {
        if let Some(decided) = side {
            let line = format!("{word}: {}", fate_words(decided));
            out.write_wrapped(4, Some(Paint::Faint), &line);
        }
    }
}

fn write_decided(out: &mut AnswerLines, word: &str, one: &DecidedEnd) {
    let (_, paint) = end_word(one.end);
    out.write_listed(&format!("    {word}"), paint, &fate_words(one));
    out.named_below(6, &one.by);
}

fn fate_words(one: &DecidedEnd) -> String {
    let (end, _) = end_word(one.end);
    match one.end {
        End::Accepted if one.by.kind == NamedKind::Kernel => {
            "accepted, as no rule refuses it".to_owned()
        }
        End::Unknown => format!("unknown, for one because of {}", one.by.name),
        kind => format!("{end} {}", by_words(kind, &one.by.name)),
    }
}

fn group_word(group: FateGroup) -> (&'static str, Paint) {
    match group {
        FateGroup::NewlyBlocked => ("newly blocked", Paint::Red),
        FateGroup::NewlyAccepted => ("newly accepted", Paint::Red),
        FateGroup::Perhaps => ("perhaps changed", Paint::Yellow),
        FateGroup::StillAccepted => ("still accepted", Paint::Green),
        FateGroup::StillBlocked => ("still blocked", Paint::Green),
    }
}

fn totals_words(totals: Totals) -> String {
    format!(
        "{}, {}",
        packet_count(totals.packets),
        byte_count(totals.bytes)
    )
}

fn packet_count(count: u64) -> String {
    match count {
        1 => "1 packet".to_owned(),
        count => format!("{} packets", grouped_digits(count)),
    }
}

/// `1,234,567`
fn grouped_digits(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in powers of 1024, with one digit behind the point below 10.
fn byte_count(count: u64) -> String {
    let mut unit = 1_u64;
    let mut names = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut name = names.next().unwrap_or_default();
    for next in names {
        if count / unit < 1024 {
            break;
        }
        unit *= 1024;
        name = next;
    }
    if unit > 1 && count / unit < 10 {
        let tenths = count / (unit / 10).max(1);
        return format!("{}.{} {name}", tenths / 10, tenths % 10);
    }
    format!("{} {name}", count / unit)
}

#[cfg(test)]
mod tests {
    use super::{byte_count, grouped_digits};

    #[test]
    fn numbers_are_made_to_be_read() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped_digits(count), text);
        }
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (20_480, "20 KiB"),
            (1_610_612_736, "1.5 GiB"),
        ] {
            assert_eq!(byte_count(count), text);
        }
    }
}
