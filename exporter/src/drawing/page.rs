//! Where everything stands. Lengths are in pixels of the drawing.

use super::rows::{Arc, Chart, Fold, Kind, Row};
use crate::table::{printable, shortened};

/// Size of most letters.
pub(super) const LETTER: f64 = 12.0;
/// Width of a letter, in sizes: what the usual monospaced fonts have. The writer makes any other font keep to it.
pub(super) const ADVANCE: f64 = 0.602;

const MARGIN: f64 = 28.0;
/// Between columns of text.
const GUTTER: f64 = 22.0;
/// Between boxes: the skip connections leave and the data flows there.
const GAP: f64 = 8.0;
/// The least height of a row: its text needs that much.
const LEAST_ROW: f64 = 18.0;
/// The widest box.
const WIDEST: f64 = 260.0;
/// The narrowest: one column of a picture.
const NARROWEST: f64 = 6.0;
/// From one skip connection to the next around it.
const LANE: f64 = 18.0;
/// The title of blocks that are drawn once.
const FOLD_TITLE: f64 = 28.0;
/// Letters of a name that are shown.
const LONGEST: usize = 40;
/// Letters of a heading that are shown.
const LONGEST_HEADING: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rectangle {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Title,
    Strong,
    Plain,
    Faint,
}

/// A line of text that begins at `x`, with its letters standing on `y`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    pub x: f64,
    pub y: f64,
    pub size: f64,
    pub ink: Ink,
    pub words: String,
}

impl Text {
    pub(super) fn width(&self) -> f64 {
        width_of(&self.words, self.size)
    }
}

#[derive(Debug, Default)]
pub(super) struct Page {
    pub width: f64,
    pub height: f64,
    pub texts: Vec<Text>,
    /// Frames around blocks that are drawn once, the outermost first.
    pub frames: Vec<Rectangle>,
    /// Boxes with what shows when the pointer rests on them.
    pub boxes: Vec<(Kind, Rectangle, String)>,
    /// Corners of skip connections; the last is the arrow's head.
    pub arcs: Vec<[(f64, f64); 4]>,
    /// The line on which data flows: x, top and bottom.
    pub axis: (f64, f64, f64),
    /// What colours mean.
    pub legend: Vec<(Kind, Rectangle)>,
}

/// Gives everything its place.
pub(super) fn arrange(chart: &Chart, headings: &[String]) -> Page {
    let mut page = Page::default();
    let lanes = chart.arcs.iter().map(|arc| arc.depth + 1).max().unwrap_or(0) as f64 * LANE;
    let axis = MARGIN + lanes + WIDEST / 2.0;
    let columns = Columns::of(chart, axis + WIDEST / 2.0 + GUTTER);

    let mut y = MARGIN;
    for (place, heading) in headings.iter().enumerate() {
        let (size, ink) = if place == 0 { (18.0, Ink::Title) } else { (LETTER, Ink::Faint) };
        y += size + 6.0;
        let words = shortened(&printable(heading), LONGEST_HEADING);
        page.texts.push(Text { x: MARGIN, y, size, ink, words });
    }
    y += LETTER + 24.0;
    page.texts.extend(columns.row(&Columns::TITLES.map(String::from), y, Ink::Faint));
    y += 12.0;

    let boxes = page.place_rows(chart, &columns, axis, y);
    page.axis = (axis, boxes[0].y, boxes[boxes.len() - 1].y);
    page.frames = frames(&chart.folds, &boxes, columns.right);
    page.arcs = chart.arcs.iter().map(|arc| corners(arc, &boxes, axis)).collect();

    let bottom = boxes[boxes.len() - 1];
    let widest = page.texts.iter().map(|text| text.x + text.width()).fold(columns.right, f64::max);
    page.width = widest + MARGIN;
    page.height = page.place_legend(chart, bottom.y + bottom.height + 30.0) + MARGIN;
    page
}

impl Page {
    /// Boxes and their texts, from `top` on; gives the boxes, one for each row.
    fn place_rows(&mut self, chart: &Chart, columns: &Columns, axis: f64, top: f64) -> Vec<Rectangle> {
        let widest = chart.rows.iter().map(|row| row.shape.width).max().unwrap_or(1).max(1) as f64;
        let mut y = top;
        let mut boxes = Vec::new();
        for (place, row) in chart.rows.iter().enumerate() {
            for fold in chart.folds.iter().rev().filter(|fold| fold.rows[0] == place) {
                y += FOLD_TITLE;
                self.texts.extend(fold_title(fold, columns.lefts[0], y - 8.0));
            }
            let width = (row.shape.width as f64 / widest * WIDEST).max(NARROWEST);
            let height = height_of(row.shape.channels);
            let pitch = height.max(LEAST_ROW);
            let rectangle = Rectangle { x: axis - width / 2.0, y: y + (pitch - height) / 2.0, width, height };
            boxes.push(rectangle);
            self.texts.extend(columns.row(&cells(row), y + pitch / 2.0 + LETTER * 0.36, Ink::Plain));
            self.boxes.push((row.kind, rectangle, printable(&format!("{} {} {}", row.name, row.settings, row.output))));
            y += pitch + GAP;
            y += chart.folds.iter().filter(|fold| fold.rows[1] == place).count() as f64 * GAP;
        }
        boxes
    }

    /// What colours and sizes mean; gives the lowest line.
    fn place_legend(&mut self, chart: &Chart, top: f64) -> f64 {
        let mut kinds: Vec<Kind> = chart.rows.iter().map(|row| row.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let (mut x, mut y) = (MARGIN, top);
        for kind in kinds {
            let words = legend(kind).to_owned();
            let wide = 18.0 + width_of(&words, LETTER);
            if x > MARGIN && x + wide > self.width - MARGIN {
                (x, y) = (MARGIN, y + 22.0);
            }
            self.legend.push((kind, Rectangle { x, y: y - 10.0, width: 12.0, height: 12.0 }));
            self.texts.push(Text { x: x + 18.0, y, size: LETTER, ink: Ink::Faint, words });
            x += wide + GUTTER;
        }
        y += 22.0;
        let words = "Width: columns of the output. Height: its channels.".to_owned();
        self.texts.push(Text { x: MARGIN, y, size: LETTER, ink: Ink::Faint, words });
        y
    }
}

/// `× 9`, and what all of them cost.
fn fold_title(fold: &Fold, x: f64, y: f64) -> [Text; 2] {
    let times = Text { x, y, size: LETTER, ink: Ink::Strong, words: format!("× {}", fold.times) };
    let x = x + times.width() + GUTTER;
    let total = Text { x, ink: Ink::Faint, words: fold.total.clone(), ..times.clone() };
    [times, total]
}

/// A box grows by the same height whenever its channels double: 3 and 2560 both have to be seen.
fn height_of(channels: usize) -> f64 {
    4.0 + 2.2 * ((channels + 1) as f64).log2()
}

fn frames(folds: &[Fold], boxes: &[Rectangle], right: f64) -> Vec<Rectangle> {
    let mut outermost_first: Vec<&Fold> = folds.iter().collect();
    outermost_first.sort_by_key(|fold| fold.depth);
    let frame = |fold: &Fold| {
        let inset = 4.0 * fold.depth as f64;
        let [first, last] = fold.rows;
        // Titles of folds that begin at the same row stand above each other, the innermost lowest.
        let inside = folds.iter().filter(|other| other.rows[0] == first && other.depth > fold.depth).count();
        let outside = folds.iter().filter(|other| other.rows[1] == last && other.depth > fold.depth).count();
        let top = boxes[first].y - FOLD_TITLE * (inside + 1) as f64 + 2.0;
        let bottom = boxes[last].y + boxes[last].height + GAP * (outside + 1) as f64;
        let x = MARGIN - 12.0 + inset;
        Rectangle { x, y: top, width: right + 12.0 - inset - x, height: bottom - top }
    };
    outermost_first.into_iter().map(frame).collect()
}

/// From the data behind the row that is carried, out to a lane, and back in to the join.
fn corners(arc: &Arc, boxes: &[Rectangle], axis: f64) -> [(f64, f64); 4] {
    let (from, to) = (boxes[arc.from], boxes[arc.to]);
    let next = boxes[(arc.from + 1).min(boxes.len() - 1)];
    // Beside what it is carried around, not beside the widest box of the drawing: blocks are narrow, and so stay together.
    let inside = (arc.from..=arc.to).map(|row| boxes[row].x).fold(f64::INFINITY, f64::min);
    let lane = inside - (arc.depth + 1) as f64 * LANE + 4.0;
    let start = (from.y + from.height + GAP / 2.0).min(next.y - 2.0);
    let end = to.y + to.height / 2.0;
    [(axis, start), (lane, start), (lane, end), (to.x, end)]
}

fn cells(row: &Row) -> [String; 5] {
    [&row.name, &row.settings, &row.output, &row.parameters, &row.multiply_adds]
        .map(|cell| shortened(&printable(cell), LONGEST))
}

fn legend(kind: Kind) -> &'static str {
    match kind {
        Kind::Picture => "picture",
        Kind::Conv => "convolution",
        Kind::ConvTranspose => "transposed convolution",
        Kind::Norm => "instance norm",
        Kind::Activation => "activation",
        Kind::Pad => "padding",
        Kind::Upsample => "nearest neighbour",
        Kind::Add => "added to what was carried",
        Kind::Concat => "concatenated with what was carried",
    }
}

pub(super) fn width_of(words: &str, size: f64) -> f64 {
    words.chars().count() as f64 * size * ADVANCE
}

/// The columns of text: words from the left, numbers to the right.
struct Columns {
    lefts: [f64; 5],
    widths: [f64; 5],
    right: f64,
}

impl Columns {
    const TITLES: [&'static str; 5] = ["layer", "kind", "output", "parameters", "mult-adds"];
    const ARE_NUMBERS: [bool; 5] = [false, false, true, true, true];

    fn of(chart: &Chart, left: f64) -> Self {
        let mut widths = Self::TITLES.map(|title| width_of(title, LETTER));
        for row in &chart.rows {
            for (width, cell) in widths.iter_mut().zip(cells(row)) {
                *width = width.max(width_of(&cell, LETTER));
            }
        }
        let mut lefts = [left; 5];
        for column in 1..lefts.len() {
            lefts[column] = lefts[column - 1] + widths[column - 1] + GUTTER;
        }
        let titles = chart.folds.iter().flat_map(|fold| fold_title(fold, left, 0.0));
        let right = titles.map(|title| title.x + title.width()).fold(lefts[4] + widths[4], f64::max);
        Self { lefts, widths, right }
    }

    fn row(&self, cells: &[String; 5], y: f64, ink: Ink) -> Vec<Text> {
        let shown = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
        let text = |(column, cell): (usize, &String)| {
            let room = self.widths[column] - width_of(cell, LETTER);
            let x = self.lefts[column] + if Self::ARE_NUMBERS[column] { room } else { 0.0 };
            let ink = if column == 0 && ink == Ink::Plain { Ink::Strong } else { ink };
            Text { x, y, size: LETTER, ink, words: cell.clone() }
        };
        shown.map(text).collect()
    }
}
