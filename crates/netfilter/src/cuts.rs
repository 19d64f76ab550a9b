//! How a tree of regions divides them: at one place of one axis, into those before it, those behind
//! it, and those that reach over it, so that no region is held twice.

/// Regions that the choice of a cut looks at.
const SAMPLE: usize = 64;

/// What a region is on one axis: its first and its last place.
pub(crate) type AxisSide<N> = (N, N);

/// A place on an axis.
pub(crate) trait AxisPlace: Copy + Ord + Default {
    /// The place behind this one; the last has itself.
    fn after(self) -> Self;
}

impl AxisPlace for u32 {
    fn after(self) -> Self {
        self.saturating_add(1)
    }
}

impl AxisPlace for u128 {
    fn after(self) -> Self {
        self.saturating_add(1)
    }
}

/// The axis and the first place behind the cut that divide the held regions best; none where a cut
/// would leave nearly all on one side.
pub(crate) fn best_cut<'a, N: AxisPlace + 'a>(
    held: &[u32],
    sides_of: impl Fn(u32) -> &'a [AxisSide<N>],
) -> Option<(usize, N)> {
    let step = held.len().div_ceil(SAMPLE);
    let some: Vec<&[AxisSide<N>]> = held
        .iter()
        .step_by(step)
        .map(|one| sides_of(*one))
        .collect();
    let mut best: Option<(usize, (usize, N))> = None;
    let mut edges: Vec<N> = Vec::with_capacity(2 * SAMPLE);
    for axis in 0..some.first()?.len() {
        edges.clear();
        // Where a region begins or ends; one that is the whole axis does neither.
        let begins = some.iter().map(|sides| sides[axis].0);
        edges.extend(begins.filter(|lo| *lo > N::default()));
        edges.extend(some.iter().map(|sides| sides[axis].1.after()));
        edges.sort_unstable();
        // Behind the last nothing begins.
        let Some(last) = edges.last().copied() else {
            continue;
        };
        edges.retain(|edge| *edge < last);
        let Some(at) = edges.get(edges.len() / 2).copied() else {
            continue;
        };
        let before = some.iter().filter(|sides| sides[axis].1 < at).count();
        let behind = some.iter().filter(|sides| sides[axis].0 >= at).count();
        let cost = some.len() - before.min(behind);
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, (axis, at)));
        }
    }
    let (cost, cut) = best?;
    (cost * 16 < some.len() * 15).then_some(cut)
}

/// The parts of a cut.
#[derive(Debug, Default)]
pub(crate) struct CutRegions {
    pub(crate) before: Vec<u32>,
    pub(crate) across: Vec<u32>,
    pub(crate) behind: Vec<u32>,
}

/// Divides the held regions, by their sides on the axis of the cut.
pub(crate) fn divide<N: AxisPlace>(
    held: Vec<u32>,
    at: N,
    side_of: impl Fn(u32) -> AxisSide<N>,
) -> CutRegions {
    let mut parts = CutRegions::default();
    for one in held {
        let (lo, hi) = side_of(one);
        let part = if hi < at {
            &mut parts.before
        } else if lo >= at {
            &mut parts.behind
        } else {
            &mut parts.across
        };
        part.push(one);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_that_tells_regions_apart_is_cut() {
        let sides: Vec<[AxisSide<u32>; 2]> = (0..8).map(|n| [(0, 99), (n, n)]).collect();
        let held: Vec<u32> = (0..8).collect();
        let (axis, at) = best_cut(&held, |one| &sides[one as usize]).unwrap();
        assert_eq!((axis, at), (1, 4));
        let parts = divide(held, at, |one| sides[one as usize][axis]);
        assert_eq!(parts.before, [0, 1, 2, 3]);
        assert_eq!(parts.behind, [4, 5, 6, 7]);
        assert_eq!(parts.across, [0_u32; 0]);
    }

    #[test]
    fn regions_that_are_all_alike_are_not_cut() {
        let all = [(0_u128, u128::MAX)];
        assert_eq!(best_cut(&[0, 1, 2], |_| &all), None);
    }
}
