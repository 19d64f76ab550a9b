//! Where each box of the drawing stands.
//!
//! A hook is a column. In it a base chain stands at the left; what it calls stands to the right,
//! one lane for each level, beside the rule that calls it as far as there is room. Every box is
//! placed once, so the work grows with the picture.

use crate::show::captions;
use crate::show::picture::Picture;
use crate::show::rows::{self, ChainBox};

/// Width of a letter of the monospaced font, generous enough for the usual ones.
const LETTER: usize = 7;
/// Height of a line.
pub(super) const LINE: usize = 16;
/// Room between the border of a box and its text.
pub(super) const PAD: usize = 8;
/// Room between lanes, where the arrows go.
const LANE_GAP: usize = 56;
/// Room between columns.
const COLUMN_GAP: usize = 72;
/// Room between boxes of a lane.
const BOX_GAP: usize = 18;
/// Where the columns begin, below the map of hooks.
pub(super) const TOP: usize = 190;
/// Height of a column's heading.
const HEADING: usize = 56;
/// Room at the left.
pub(super) const LEFT: usize = 24;
/// Deeper calls than [`fn@crate::show::picture`] draws are not followed.
const DEEPEST: usize = 64;

/// A column: a hook, or chains that stand apart.
#[derive(Debug)]
pub(super) struct LayoutColumn {
    pub(super) title: String,
    pub(super) caption: &'static str,
    pub(super) x: usize,
    /// Name of the hook, if it is one of IP's.
    pub(super) hook: Option<&'static str>,
}

/// A box and its place.
#[derive(Debug)]
pub(super) struct PlacedBox {
    pub(super) drawn: ChainBox,
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl PlacedBox {
    /// The middle of a row.
    pub(super) fn row_y(&self, row: usize) -> usize {
        self.y + head_height(&self.drawn) + row * LINE + LINE / 2
    }

    /// Where arrows to the box end.
    pub(super) fn title_y(&self) -> usize {
        self.y + PAD + LINE / 2
    }
}

/// The whole drawing.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<LayoutColumn>,
    /// One for each chain of the picture; none for one that is drawn nowhere.
    pub(super) boxes: Vec<Option<PlacedBox>>,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Finds a place for everything.
pub(super) fn layout(picture: &Picture) -> Layout {
    let mut work = LayoutWork {
        picture,
        boxes: picture.chains.iter().map(|_| None).collect(),
        x: LEFT,
        bottom: TOP,
    };
    let mut columns = Vec::new();
    for hook in &picture.hooks {
        columns.push(LayoutColumn {
            title: captions::hook_name(hook.layer, hook.hook),
            caption: captions::hook_caption(hook.layer, hook.hook),
            x: work.x,
            hook: (hook.layer == "ip").then_some(hook.hook),
        });
        work.place_column(
            &hook.chains,
            letters_wide(captions::hook_caption(hook.layer, hook.hook)),
        );
    }
    let mut apart = picture.apart.as_slice();
    while let Some(first) = apart.first() {
        let same = apart.iter().take_while(|it| it.why == first.why).count();
        let (these, rest) = apart.split_at(same);
        let title = captions::why_apart(first.why);
        columns.push(LayoutColumn {
            title: title.to_owned(),
            caption: "",
            x: work.x,
            hook: None,
        });
        let chains: Vec<usize> = these.iter().map(|it| it.chain).collect();
        // Headings are set larger than the text of boxes.
        work.place_column(&chains, letters_wide(title) * 4 / 3);
        apart = rest;
    }
    Layout {
        columns,
        boxes: work.boxes,
        width: work.x,
        height: work.bottom + BOX_GAP,
    }
}

struct LayoutWork<'p> {
    picture: &'p Picture,
    boxes: Vec<Option<PlacedBox>>,
    x: usize,
    bottom: usize,
}

#[derive(Default)]
struct ArrowLane {
    /// Where the next box can begin.
    free: usize,
    width: usize,
    chains: Vec<usize>,
}

impl LayoutWork<'_> {
    /// Places the chains one under the other, with what they call beside them.
    fn place_column(&mut self, chains: &[usize], narrowest: usize) {
        let mut lanes: Vec<ArrowLane> = Vec::new();
        for chain in chains {
            // A chain and what it calls make a band of their own.
            let band = lanes.iter().map(|lane| lane.free).max();
            let band = band.unwrap_or(TOP + HEADING);
            self.place_box(*chain, 0, band, &mut lanes);
        }
        let left = self.x;
        for lane in &lanes {
            for chain in &lane.chains {
                if let Some(Some(placed)) = self.boxes.get_mut(*chain) {
                    placed.x = self.x;
                }
            }
            self.x += lane.width + LANE_GAP;
            self.bottom = self.bottom.max(lane.free);
        }
        let taken = self.x.saturating_sub(LANE_GAP).max(left + narrowest);
        self.x = taken + COLUMN_GAP;
    }

    fn place_box(&mut self, chain: usize, depth: usize, wanted: usize, lanes: &mut Vec<ArrowLane>) {
        let Some(view) = self.picture.chains.get(chain) else {
            return;
        };
        if depth > DEEPEST || !matches!(self.boxes.get(chain), Some(None)) {
            return;
        }
        let drawn = rows::of_chain(self.picture, view);
        if lanes.len() <= depth {
            lanes.resize_with(depth + 1, ArrowLane::default);
        }
        // What calls others waits for room beside it, so that its arrows stay short.
        let calls_others = drawn.rows.iter().flat_map(|row| &row.arrows);
        let beside = match lanes.get(depth + 1) {
            Some(next) if calls_others.into_iter().any(|arrow| arrow.owns) => next.free,
            _ => 0,
        };
        let Some(lane) = lanes.get_mut(depth) else {
            return;
        };
        let y = lane.free.max(wanted).max(beside);
        let width = box_width(&drawn);
        let height = head_height(&drawn) + drawn.rows.len() * LINE + PAD;
        lane.free = y + height + BOX_GAP;
        lane.width = lane.width.max(width);
        lane.chains.push(chain);
        let mut calls = Vec::new();
        for (row, arrow) in drawn
            .rows
            .iter()
            .enumerate()
            .flat_map(|(row, it)| it.arrows.iter().map(move |arrow| (row, arrow)))
        {
            if arrow.owns {
                calls.push((arrow.to, y + head_height(&drawn) + row * LINE));
            }
        }
        if let Some(place) = self.boxes.get_mut(chain) {
            *place = Some(PlacedBox {
                drawn,
                x: 0,
                y,
                width,
                height,
            });
        }
        for (to, beside) in calls {
            self.place_box(to, depth + 1, beside.saturating_sub(PAD), lanes);
        }
    }
}

/// Height of what stands above the rows.
pub(super) fn head_height(drawn: &ChainBox) -> usize {
    let lines = if drawn.base.is_empty() { 1 } else { 2 };
    PAD + lines * LINE + 6
}

fn box_width(drawn: &ChainBox) -> usize {
    let rows = drawn.rows.iter().map(|row| {
        letters_wide(&row.start)
            + letters_wide(&row.verdict)
            + letters_wide(&row.words)
            + 2 * LETTER
    });
    let titles = [letters_wide(&drawn.title), letters_wide(&drawn.base)];
    rows.chain(titles).max().unwrap_or(0) + 2 * PAD
}

/// The width of a text; letters of East Asian scripts take two columns.
pub(super) fn letters_wide(text: &str) -> usize {
    let columns = text
        .chars()
        .map(|char| if char >= '\u{1100}' { 2 } else { 1 });
    columns.sum::<usize>() * LETTER
}
