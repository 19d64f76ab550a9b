//! A set of packets in few readable parts.
//!
//! A part is a cube: for each thing that a packet has, the values that it may have. It grows from one
//! ordinary packet: what it says of one field after the other is given up, or widened to all the
//! values with which every packet that exists is still in the set. Fields that people care little
//! about are tried first, so that what is left says what matters.

use super::diagram::{Exhausted, Packets, Variable};
use super::space::{PacketSpace, STATES, VariableBlock};
use surefoot_ruleset::model::{Field, Range};

/// The packets that have certain values; what is not named may be anything that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cube {
    /// Incoming interfaces.
    pub input: Option<InterfaceChoice>,
    /// Outgoing interfaces.
    pub output: Option<InterfaceChoice>,
    /// What it says of fields.
    pub fields: Vec<CubeLimit>,
    /// Bits of fields, the lowest being 0, and whether they are on.
    pub bits: Vec<(Field, u32, bool)>,
}

/// The values that a field may have, or those that it may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CubeLimit {
    /// The field.
    pub field: Field,
    /// Whether the field has none of these, or is not there at all; else it is there and has one.
    pub negated: bool,
    /// The values, ascending; states as conntrack's bits.
    pub values: Vec<Range>,
}

/// Some of all interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceChoice {
    /// Whether all but these.
    pub but: bool,
    /// The names, with `+` behind the start of many.
    pub names: Vec<String>,
    /// Names that start so and are not meant.
    pub except: Vec<String>,
}

/// What a cube may say something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CubeDimension {
    Input,
    Output,
    Field(Field),
    /// One bit of a field whose bits mean something each; the lowest is 0.
    Bit(Field, u32),
}

/// More ranges of one field are cut down to the one that holds the packet the cube grew from.
const MOST_RANGES: usize = 1024;

/// What is given up first comes first: what people ask for last. Other fields stand before these.
const LAST: &[CubeDimension] = &[
    CubeDimension::Field(Field::SrcPort),
    CubeDimension::Field(Field::CtState),
    CubeDimension::Field(Field::IcmpCode),
    CubeDimension::Field(Field::Icmp6Code),
    CubeDimension::Field(Field::IcmpType),
    CubeDimension::Field(Field::Icmp6Type),
    CubeDimension::Output,
    CubeDimension::Input,
    CubeDimension::Field(Field::DstPort),
    CubeDimension::Field(Field::L4Proto),
    CubeDimension::Field(Field::Ip4Src),
    CubeDimension::Field(Field::Ip6Src),
    CubeDimension::Field(Field::Ip4Dst),
    CubeDimension::Field(Field::Ip6Dst),
];

/// One dimension of a cube that grows.
struct CubeSide {
    dimension: CubeDimension,
    block: VariableBlock,
    /// The packets that this side allows.
    set: Packets,
    /// Whether these are the values that it does not allow, and the values; none if it allows all.
    values: Option<(bool, Vec<Range>)>,
}

impl PacketSpace {
    /// Cubes that cover a set of existing packets, so many at most, and whether they cover it all.
    pub(crate) fn cubes(
        &mut self,
        packets: Packets,
        most: usize,
    ) -> Result<(Vec<Cube>, bool), Exhausted> {
        let outside = self.store.minus(self.world, packets)?;
        self.cubes_apart(packets, outside, most)
    }

    /// Cubes that cover a set and do not intersect another; packets in neither do not matter.
    pub(crate) fn cubes_apart(
        &mut self,
        packets: Packets,
        outside: Packets,
        most: usize,
    ) -> Result<(Vec<Cube>, bool), Exhausted> {
        let mut looked_at = self.store.looks_at(packets, 0);
        looked_at.extend(self.store.looks_at(outside, 0));
        let mut dimensions = self.said_dimensions();
        dimensions.retain(|(_, block)| {
            let variables = block.first..block.first + block.width;
            looked_at.iter().any(|one| variables.contains(one))
        });
        let mut left = packets;
        let mut cubes = Vec::new();
        while !left.is_none() && cubes.len() < most {
            let sides = self.grow_cube(&dimensions, left, packets, outside)?;
            let mut covered = Packets::ALL;
            for side in sides.iter().rev() {
                covered = self.store.and(covered, side.set)?;
            }
            let rest = self.store.minus(left, covered)?;
            if rest == left {
                return Ok((cubes, false));
            }
            left = rest;
            cubes.push(self.cube_of_sides(&sides));
        }
        Ok((cubes, left.is_none()))
    }

    /// The widest sides around an ordinary packet of `left` with which all packets are inside.
    fn grow_cube(
        &mut self,
        dimensions: &[(CubeDimension, VariableBlock)],
        left: Packets,
        packets: Packets,
        outside: Packets,
    ) -> Result<Vec<CubeSide>, Exhausted> {
        let bits = self.ordinary_packet(left).unwrap_or_default();
        let mut sides = Vec::new();
        for (dimension, block) in dimensions.iter().copied() {
            let variables = block.first..block.first + block.width;
            let point = variables.fold(0_u128, |number, variable| {
                number << 1 | u128::from(bits.contains(&variable))
            });
            // What this packet does not have, it is not asked for: other fields' bits decide.
            let there = self.packets_having(dimension)?;
            if !self.store.holds(there, |variable| bits.contains(&variable)) {
                continue;
            }
            let set = self.packets_allowed(dimension, block, (false, &[Range::one(point)]))?;
            sides.push((
                CubeSide {
                    dimension,
                    block,
                    set,
                    values: Some((false, vec![Range::one(point)])),
                },
                point,
            ));
        }
        // The product of the sides that are still points, from each one to the end.
        let mut later = vec![Packets::ALL; sides.len() + 1];
        for at in (0..sides.len()).rev() {
            later[at] = self.store.and(sides[at].0.set, later[at + 1])?;
        }
        let mut earlier = Packets::ALL;
        for at in 0..sides.len() {
            let others = self.store.and(earlier, later[at + 1])?;
            let point = sides[at].1;
            let side = &mut sides[at].0;
            let (dimension, block) = (side.dimension, side.block);
            let there = self.packets_having(dimension)?;
            let bad = self.store.and(others, outside)?;
            if bad.is_none() {
                side.set = Packets::ALL;
                side.values = None;
            } else {
                // Packets that lack the field fit "none of these", but not "one of these".
                let lacking = self.store.minus(bad, there)?;
                let bad = self.store.and(bad, there)?;
                let good = self.store.and(others, packets)?;
                let good = self.store.and(good, there)?;
                let good = self.project_onto(good, block)?;
                let bad = self.project_onto(bad, block)?;
                let good = self.store.minus(good, bad)?;
                // Of short lists people expect the values that there are, not those that might be.
                let bad = if dimension.is_list() { !good } else { bad };
                let mut values = self.side_ranges(good, bad, block);
                if values.len() > MOST_RANGES {
                    values.retain(|range| range.contains(point));
                }
                if matches!(dimension, CubeDimension::Input | CubeDimension::Output) {
                    values = self.sayable_ranges(values, point);
                }
                let (negated, values) = if lacking.is_none() {
                    shorter_form(values, dimension, block)
                } else {
                    (false, values)
                };
                let side = &mut sides[at].0;
                side.set = self.packets_allowed(dimension, block, (negated, &values))?;
                side.values = Some((negated, values));
            }
            earlier = self.store.and(earlier, sides[at].0.set)?;
        }
        Ok(sides.into_iter().map(|(side, _)| side).collect())
    }

    /// The packets with these numbers in a block, as far as they have the field at all.
    fn packets_allowed(
        &mut self,
        dimension: CubeDimension,
        block: VariableBlock,
        (negated, values): (bool, &[Range]),
    ) -> Result<Packets, Exhausted> {
        let word = self.plain_vector(block)?;
        let among = self.store.vector_in(&word, values)?;
        let there = self.packets_having(dimension)?;
        let among = self.store.and(among, there)?;
        Ok(if negated { !among } else { among })
    }

    /// The packets that have such a value at all.
    fn packets_having(&mut self, dimension: CubeDimension) -> Result<Packets, Exhausted> {
        match dimension {
            CubeDimension::Field(field) | CubeDimension::Bit(field, _) => {
                Ok(self.word(field)?.there)
            }
            CubeDimension::Input | CubeDimension::Output => Ok(Packets::ALL),
        }
    }

    /// Everything that packets may differ in, what matters least first.
    fn said_dimensions(&self) -> Vec<(CubeDimension, VariableBlock)> {
        let fields = self.fields();
        let mut all: Vec<(CubeDimension, VariableBlock)> = fields
            .flat_map(|(field, block)| match field {
                Field::CtStatus => (0..block.width)
                    .map(|bit| {
                        let one = VariableBlock {
                            first: block.first + block.width - 1 - bit,
                            width: 1,
                        };
                        (CubeDimension::Bit(field, bit), one)
                    })
                    .collect(),
                _ => vec![(CubeDimension::Field(field), block)],
            })
            .chain([
                (CubeDimension::Input, self.interface_block(true)),
                (CubeDimension::Output, self.interface_block(false)),
            ])
            .collect();
        all.sort_by_key(|(dimension, _)| LAST.iter().position(|last| last == dimension));
        all
    }

    /// The values that a block has among these packets.
    fn project_onto(
        &mut self,
        packets: Packets,
        block: VariableBlock,
    ) -> Result<Packets, Exhausted> {
        let inside = block.first..block.first + block.width;
        let others: Vec<Variable> = self.store.looks_at(packets, 0);
        let others: Vec<Variable> = others
            .into_iter()
            .filter(|variable| !inside.contains(variable))
            .collect();
        self.store.forget_variables(packets, &others)
    }

    /// The good values as ranges, ascending; values that are neither good nor bad join them.
    fn side_ranges(&self, good: Packets, bad: Packets, block: VariableBlock) -> Vec<Range> {
        let mut found = CubesFound {
            ranges: Vec::new(),
            open: true,
        };
        self.ranges_from(good, bad, (block, 0, 0), &mut found);
        let last = if block.width >= 128 {
            u128::MAX
        } else {
            (1 << block.width) - 1
        };
        if found.open
            && let Some(range) = found.ranges.last_mut()
        {
            range.hi = last;
        }
        found.ranges
    }

    fn ranges_from(
        &self,
        good: Packets,
        bad: Packets,
        (block, depth, base): (VariableBlock, u32, u128),
        found: &mut CubesFound,
    ) {
        if good.is_none() {
            if !bad.is_none() {
                found.open = false;
            }
            return;
        }
        let below = block.width - depth;
        let span = if below >= 128 {
            u128::MAX
        } else {
            (1 << below) - 1
        };
        if bad.is_none() {
            found.push(Range {
                lo: base,
                hi: base.saturating_add(span),
            });
            return;
        }
        if depth >= block.width {
            return;
        }
        let variable = block.first + depth;
        let (good_low, good_high) = self.store.cofactors(good, variable);
        let (bad_low, bad_high) = self.store.cofactors(bad, variable);
        let middle = base + (span >> 1) + 1;
        self.ranges_from(good_low, bad_low, (block, depth + 1, base), found);
        self.ranges_from(good_high, bad_high, (block, depth + 1, middle), found);
    }

    fn cube_of_sides(&self, sides: &[CubeSide]) -> Cube {
        let mut cube = Cube::default();
        for side in sides {
            let Some((negated, values)) = &side.values else {
                continue;
            };
            let negated = *negated;
            match side.dimension {
                CubeDimension::Input => cube.input = Some(self.interface_choice(values)),
                CubeDimension::Output => cube.output = Some(self.interface_choice(values)),
                CubeDimension::Field(Field::CtState) => {
                    let fits = |code: u128| values.iter().any(|range| range.contains(code));
                    let states = STATES.iter().filter(|(_, code)| fits(*code));
                    let mut states: Vec<Range> =
                        states.map(|(state, _)| Range::one(*state)).collect();
                    states.sort_unstable();
                    cube.fields.push(CubeLimit {
                        field: Field::CtState,
                        negated,
                        values: states,
                    });
                }
                CubeDimension::Bit(field, bit) => {
                    let on = values.iter().any(|range| range.contains(1)) != negated;
                    cube.bits.push((field, bit, on));
                }
                CubeDimension::Field(field) => cube.fields.push(CubeLimit {
                    field,
                    negated,
                    values: values.clone(),
                }),
            }
        }
        cube
    }

    fn interface_choice(&self, values: &[Range]) -> InterfaceChoice {
        let (inside, outside) = self.letters_of(values);
        let others = self.names.all_others();
        let but = others.is_some_and(|others| inside.contains(&others));
        let (names, except) = self.names.name_words(if but { &outside } else { &inside });
        InterfaceChoice { but, names, except }
    }

    /// The letters with these numbers, and the others.
    fn letters_of(&self, values: &[Range]) -> (Vec<usize>, Vec<usize>) {
        (0..self.names.letter_count()).partition(|letter| {
            let letter = u128::try_from(*letter).unwrap_or(u128::MAX);
            values.iter().any(|range| range.contains(letter))
        })
    }

    /// Those of the letters that words can say: not "all but these, and yet some of them".
    fn sayable_ranges(&self, values: Vec<Range>, point: u128) -> Vec<Range> {
        let choice = self.interface_choice(&values);
        if !choice.but || choice.except.is_empty() {
            return values;
        }
        let (inside, outside) = self.letters_of(&values);
        let named = |letter: &usize| self.names.name_words(&[*letter]).0;
        let exceptions: Vec<usize> = inside
            .into_iter()
            .filter(|letter| {
                named(letter)
                    .iter()
                    .any(|name| choice.except.contains(name))
            })
            .collect();
        let number = |letter: usize| u128::try_from(letter).unwrap_or(u128::MAX);
        if exceptions.iter().any(|letter| number(*letter) == point) {
            return exceptions
                .into_iter()
                .map(|at| Range::one(number(at)))
                .collect();
        }
        (0..self.names.letter_count())
            .filter(|letter| !outside.contains(letter) && !exceptions.contains(letter))
            .map(|letter| Range::one(number(letter)))
            .collect()
    }
}

impl CubeDimension {
    /// Whether its values are few and have names.
    fn is_list(self) -> bool {
        matches!(
            self,
            Self::Field(
                Field::L4Proto
                    | Field::CtState
                    | Field::IcmpType
                    | Field::Icmp6Type
                    | Field::IcmpCode
                    | Field::Icmp6Code
                    | Field::TcpFlags
            )
        )
    }

    fn last_value(self, block: VariableBlock) -> u128 {
        match self {
            Self::Field(Field::CtState) => STATES.iter().map(|(_, code)| *code).max().unwrap_or(0),
            _ if block.width >= 128 => u128::MAX,
            _ => (1 << block.width) - 1,
        }
    }
}

/// The values, or if that is shorter those that are missing.
fn shorter_form(
    values: Vec<Range>,
    dimension: CubeDimension,
    block: VariableBlock,
) -> (bool, Vec<Range>) {
    if matches!(dimension, CubeDimension::Input | CubeDimension::Output) {
        return (false, values);
    }
    let missing = missing_ranges(&values, dimension.last_value(block));
    let weight = |ranges: &[Range]| -> u128 {
        if dimension.is_list() {
            let sizes = ranges.iter().map(|range| range.hi - range.lo + 1);
            sizes.sum()
        } else {
            u128::try_from(ranges.len()).unwrap_or(u128::MAX)
        }
    };
    if missing.is_empty() || weight(&missing) >= weight(&values) {
        (false, values)
    } else {
        (true, missing)
    }
}

/// The numbers up to `last` that are in none of the ranges.
fn missing_ranges(values: &[Range], last: u128) -> Vec<Range> {
    let mut missing = Vec::new();
    let mut next = Some(0);
    for range in values {
        if let Some(lo) = next.filter(|next| *next < range.lo) {
            missing.push(Range {
                lo,
                hi: range.lo - 1,
            });
        }
        next = range.hi.checked_add(1);
    }
    if let Some(lo) = next.filter(|next| *next <= last) {
        missing.push(Range { lo, hi: last });
    }
    missing
}

struct CubesFound {
    ranges: Vec<Range>,
    /// Whether nothing bad came since the last range.
    open: bool,
}

impl CubesFound {
    fn push(&mut self, range: Range) {
        match self.ranges.last_mut() {
            Some(last) if self.open => last.hi = range.hi,
            None if self.open => self.ranges.push(Range {
                lo: 0,
                hi: range.hi,
            }),
            _ => self.ranges.push(range),
        }
        self.open = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Surroundings;
    use crate::exact::{AskedPackets, Budget, Exact, PacketRewrite, SymbolicQuestion};
    use crate::packet::PacketPath;
    use crate::semantics::End;
    use crate::traffic::Traffic;
    use surefoot_ruleset::{Input, load};

    /// The cubes of what is certainly accepted; read back, they mean the same packets.
    #[track_caller]
    fn cubes_of(rules: &str) -> Vec<String> {
        let text = format!("*filter\n:INPUT DROP [0:0]\n{rules}COMMIT\n");
        let firewall = load(vec![Input {
            name: "t".into(),
            text,
            format: None,
        }])
        .firewall;
        let mut exact = Exact::new(SymbolicQuestion {
            firewall: &firewall,
            surroundings: &Surroundings::default(),
            v6: false,
            path: PacketPath::Input,
            about: &Traffic::default(),
            and_about: &[],
            packets: AskedPackets::Ordinary,
            budget: Budget::default(),
        })
        .unwrap();
        let packets = exact.certainly_ending(End::Accepted).unwrap();
        let (cubes, complete) = exact.cubes(packets, 100).unwrap();
        assert!(complete, "{cubes:?}");
        let words: Vec<String> = cubes.iter().map(Cube::words).collect();
        let mut union = Packets::NONE;
        for words in &words {
            let traffic = Traffic::parse(words).unwrap();
            let space = &mut exact.space;
            let about = space
                .packets_about(&firewall, &PacketRewrite::default(), &traffic)
                .unwrap();
            let about = space.store.and(about, space.world).unwrap();
            union = space.store.or(union, about).unwrap();
        }
        assert!(union == packets, "{words:?}");
        words
    }

    #[test]
    fn cubes_read_back_as_the_packets_that_they_are() {
        let one = ["tcp to port 22 state any"];
        assert_eq!(cubes_of("-A INPUT -p tcp --dport 22 -j ACCEPT\n"), one);
        cubes_of("-A INPUT -p tcp ! --dport 22 -j ACCEPT\n");
        cubes_of("-A INPUT -p tcp --dport 22 -j DROP\n-A INPUT -j ACCEPT\n");
        cubes_of(
            "-A INPUT -p icmp ! --icmp-type 8 -j ACCEPT\n-A INPUT -i eth+ -p udp --sport 53 -j ACCEPT\n-A INPUT ! -i eth0 -s 10.0.0.1/31 -j ACCEPT\n",
        );
        cubes_of(
            "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A INPUT -p tcp --syn --dport 80:90 -j ACCEPT\n-A INPUT -m ttl --ttl-lt 5 -j ACCEPT\n",
        );
    }
}
