//! What a drawing shows, from top to bottom.

use models::shapes::{Shape, Step};
use models::{Join, Layer, Network};
use program::count;

/// What a box's colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Picture,
    Conv,
    ConvTranspose,
    Norm,
    Activation,
    Pad,
    Upsample,
    Add,
    Concat,
}

impl From<Join> for Kind {
    fn from(join: Join) -> Self {
        match join {
            Join::Add => Self::Add,
            Join::Concat => Self::Concat,
        }
    }
}

/// A layer, or the layers that stand at the same place of blocks that are alike.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub kind: Kind,
    pub name: String,
    pub settings: String,
    /// The last of the blocks, which has the most channels.
    pub shape: Shape,
    pub output: String,
    pub parameters: String,
    pub multiply_adds: String,
}

/// A skip connection: from what row's output to what row's join, over how many others inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arc {
    pub from: usize,
    pub to: usize,
    pub depth: usize,
}

/// Blocks that are alike, drawn once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    /// Rows of the one that is drawn, first and last.
    pub rows: [usize; 2],
    pub times: usize,
    /// Of all of them together.
    pub total: String,
    /// Folds around it.
    pub depth: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    pub rows: Vec<Row>,
    pub arcs: Vec<Arc>,
    pub folds: Vec<Fold>,
}

/// Makes the list for a network whose trace has the given steps.
pub(super) fn chart(network: &Network, input: Shape, steps: &[Step]) -> Chart {
    let mut chart = Chart::default();
    chart.rows.push(Row {
        kind: Kind::Picture,
        name: "input".into(),
        settings: String::new(),
        shape: input,
        output: input.to_string(),
        parameters: String::new(),
        multiply_adds: String::new(),
    });
    chart.add(&network.layers, &[steps], 0);
    chart
}

impl Chart {
    /// Adds layers, of which each of `alike` has the steps at one of the places where they stand. Gives the skip connections
    /// inside each other at most.
    fn add(&mut self, layers: &[Layer], alike: &[&[Step]], folds: usize) -> usize {
        let mut alike = alike.to_vec();
        let mut take = |number: usize| -> Vec<&[Step]> {
            let taken = alike.iter_mut().map(|steps| {
                let (first, rest) = steps.split_at(number);
                *steps = rest;
                first
            });
            taken.collect()
        };
        let (mut place, mut depth) = (0, 0);
        while let Some(layer) = layers.get(place) {
            let Layer::Skip { body, join } = layer else {
                self.leaf(layer, &take(1));
                place += 1;
                continue;
            };
            let shape = outline(layer);
            let times = layers[place..].iter().take_while(|other| outline(other) == shape).count();
            // Of each place, the steps of its first block, then of its second.
            let blocks: Vec<&[Step]> = (0..times).flat_map(|_| take(count_steps(body) + 1)).collect();
            let first = self.rows.len();
            depth = depth.max(self.skip(body, *join, &blocks, folds + usize::from(times > 1)));
            if times > 1 {
                let rows = [first, self.rows.len() - 1];
                self.folds.push(Fold { rows, times, total: total(&blocks), depth: folds });
            }
            place += times;
        }
        depth
    }

    fn leaf(&mut self, layer: &Layer, steps: &[&[Step]]) {
        let kind = match layer {
            Layer::Conv { .. } => Kind::Conv,
            Layer::ConvTranspose { .. } => Kind::ConvTranspose,
            Layer::InstanceNorm { .. } => Kind::Norm,
            Layer::ReflectPad { .. } => Kind::Pad,
            Layer::Upsample { .. } => Kind::Upsample,
            Layer::Relu | Layer::LeakyRelu { .. } | Layer::Tanh => Kind::Activation,
            Layer::Skip { join, .. } => Kind::from(*join),
        };
        let steps: Vec<&Step> = steps.iter().flat_map(|steps| steps.first()).collect();
        self.row(kind, &steps);
    }

    /// Adds a skip connection; gives how many are inside each other.
    fn skip(&mut self, body: &[Layer], join: Join, blocks: &[&[Step]], folds: usize) -> usize {
        let from = self.rows.len() - 1;
        let inside: Vec<&[Step]> = blocks.iter().map(|steps| &steps[..steps.len() - 1]).collect();
        let depth = self.add(body, &inside, folds);
        let joins: Vec<&Step> = blocks.iter().flat_map(|steps| steps.last()).collect();
        self.row(join.into(), &joins);
        self.arcs.push(Arc { from, to: self.rows.len() - 1, depth });
        depth + 1
    }

    fn row(&mut self, kind: Kind, steps: &[&Step]) {
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return };
        let number = |one: u64, other: u64| match (one, other) {
            (_, 0) => String::new(),
            (one, other) if one == other => count(one),
            (one, other) => format!("{} … {}", count(one), count(other)),
        };
        self.rows.push(Row {
            kind,
            name: range(&first.label, &last.label),
            settings: first.kind.clone(),
            shape: last.output,
            output: shapes(first.output, last.output),
            parameters: number(first.parameters as u64, last.parameters as u64),
            multiply_adds: number(first.multiply_adds, last.multiply_adds),
        });
    }
}

/// A layer without its names and channels: blocks with the same outline are drawn once.
fn outline(layer: &Layer) -> Layer {
    let mut layer = layer.clone();
    match &mut layer {
        Layer::Conv { name, from, to, .. } | Layer::ConvTranspose { name, from, to, .. } => {
            name.clear();
            (*from, *to) = (0, 0);
        }
        Layer::InstanceNorm { name, channels, .. } => {
            name.iter_mut().for_each(String::clear);
            *channels = 0;
        }
        Layer::Skip { body, .. } => body.iter_mut().for_each(|inner| *inner = outline(inner)),
        Layer::ReflectPad { .. } | Layer::Upsample { .. } | Layer::Relu | Layer::LeakyRelu { .. } | Layer::Tanh => {}
    }
    layer
}

/// Steps of a trace over these layers.
fn count_steps(layers: &[Layer]) -> usize {
    layers.iter().map(|layer| if let Layer::Skip { body, .. } = layer { count_steps(body) + 1 } else { 1 }).sum()
}

fn total(blocks: &[&[Step]]) -> String {
    let steps = || blocks.iter().flat_map(|steps| steps.iter());
    let parameters = steps().map(|step| step.parameters as u64).sum();
    let multiply_adds = steps().map(|step| step.multiply_adds).sum();
    format!("{} parameters, {} multiply-adds together", count(parameters), count(multiply_adds))
}

/// `block1…9.conv1` of `block1.conv1` and `block9.conv1`.
fn range(first: &str, last: &str) -> String {
    if first == last {
        return first.into();
    }
    let is_same = |(one, other): &(char, char)| one == other;
    let start = first.chars().zip(last.chars()).take_while(is_same).map(|(letter, _)| letter);
    let start: String = start.collect();
    // Numbers stay whole: 10 and 19 have a digit in common.
    let start = start.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let (first_rest, last_rest) = (&first[start.len()..], &last[start.len()..]);
    let end = first_rest.chars().rev().zip(last_rest.chars().rev()).take_while(is_same).map(|(letter, _)| letter);
    let end: String = end.collect::<Vec<_>>().into_iter().rev().collect();
    let end = end.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let middle = |rest: &str| rest[..rest.len() - end.len()].to_owned();
    format!("{start}{}…{}{end}", middle(first_rest), middle(last_rest))
}

fn shapes(first: Shape, last: Shape) -> String {
    let side = |one: usize, other: usize| if one == other { one.to_string() } else { format!("{one}…{other}") };
    let channels = side(first.channels, last.channels);
    format!("[{channels}, {}, {}]", side(first.height, last.height), side(first.width, last.width))
}

#[cfg(test)]
mod tests {
    use models::families::{Family, GeneratorOptions};

    use super::*;

    fn chart_of(network: &Network) -> Chart {
        let trace = models::shapes::trace(network, 32, 32).expect("32 fits");
        chart(network, Shape { channels: network.channels, height: 32, width: 32 }, &trace.steps)
    }

    #[test]
    fn blocks_that_differ_in_channels_alone_are_drawn_once_with_their_ranges() {
        let chart = chart_of(&Family::Concat.generator(GeneratorOptions::sized(4, 12)));
        assert_eq!(chart.folds.iter().map(|fold| (fold.times, fold.depth)).collect::<Vec<_>>(), [(12, 0)]);
        let conv = chart.rows.iter().find(|row| row.name.ends_with(".conv1")).expect("blocks have one");
        assert_eq!((conv.name.as_str(), conv.output.as_str()), ("block1…12.conv1", "[16, 8, 8]"));
        assert_eq!(conv.parameters, "2320 … 27.7 k", "16·16·9 + 16 and 192·16·9 + 16");
        let join = &chart.rows[chart.arcs[0].to];
        assert_eq!((join.kind, join.output.as_str()), (Kind::Concat, "[32…208, 8, 8]"));
    }

    #[test]
    fn arcs_run_from_what_is_carried_to_its_join_outside_those_within() {
        let tanh = || Layer::Tanh;
        let inner = Layer::Skip { body: vec![tanh()], join: Join::Add };
        let body = vec![inner.clone(), tanh(), inner];
        let layers = vec![tanh(), Layer::Skip { body, join: Join::Concat }];
        let chart = chart_of(&Network { channels: 3, layers });
        // input, tanh, (tanh, add), tanh, (tanh, add), concatenate
        let expected =
            [Arc { from: 1, to: 3, depth: 0 }, Arc { from: 4, to: 6, depth: 0 }, Arc { from: 1, to: 7, depth: 1 }];
        assert_eq!((chart.arcs.as_slice(), chart.folds.len()), (expected.as_slice(), 0));
    }

    #[test]
    fn folds_stand_within_folds() {
        let inner = || Layer::Skip { body: vec![Layer::Relu], join: Join::Add };
        let outer = || Layer::Skip { body: vec![inner(), inner(), inner(), Layer::Tanh], join: Join::Concat };
        let chart = chart_of(&Network { channels: 3, layers: vec![outer(), outer()] });
        let folds: Vec<_> = chart.folds.iter().map(|fold| (fold.rows, fold.times, fold.depth)).collect();
        assert_eq!(folds, [([1, 2], 3, 1), ([1, 4], 2, 0)]);
        assert_eq!(chart.rows[4].output, "[6…12, 32, 32]");
    }

    #[test]
    fn numbers_stay_whole_in_a_range_of_names() {
        let cases = [
            ("block1.conv1", "block9.conv1", "block1…9.conv1"),
            ("block10.conv", "block19.conv", "block10…19.conv"),
            ("model.10.a.5", "model.18.a.5", "model.10…18.a.5"),
            ("1", "21", "1…21"),
            ("relu", "relu", "relu"),
            ("añb", "aöb", "añ…öb"),
        ];
        for (first, last, expected) in cases {
            assert_eq!(range(first, last), expected);
        }
    }
}
