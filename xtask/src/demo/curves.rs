//! Loss curves: `metrics.jsonl` to SVG.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// A loss at its steps: (step, value).
type Curve = Vec<(f64, f64)>;

/// The logged losses of a run.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Metrics {
    losses: BTreeMap<String, Curve>,
}

/// Losses that are drawn into one panel, by how their names begin.
const PANELS: [(&str, &str); 4] =
    [("cycle_", "Cycle loss"), ("id_", "Identity loss"), ("adv_", "Adversarial loss"), ("d_", "Discriminator loss")];

/// The drawing's size in its own units, and the room around the plot: for ticks on the left and below.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 38.0;
const BOTTOM: f64 = 24.0;
const EDGE: f64 = 16.0;

/// Share of the values that the axis reaches beyond the smoothed line: single spikes are cut off.
const IN_SIGHT: f64 = 0.97;

impl Metrics {
    /// Reads the trainer's file: an object a line, `{"step": 10, "losses": {"cycle_a": 0.3}}`. A loss that is no number
    /// at a step (written as null) is left out there.
    pub(super) fn read(path: &Path) -> Result<Self> {
        Self::parse(&fs_err::read_to_string(path)?).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let mut metrics = Self::default();
        for (index, line) in text.lines().enumerate() {
            let at = || format!("line {}", index + 1);
            let line: serde_json::Value = serde_json::from_str(line).with_context(at)?;
            let step = line["step"].as_f64().context("no step").with_context(at)?;
            // A line of measurements or of a warning has none.
            for (name, value) in line["losses"].as_object().into_iter().flatten() {
                if let Some(value) = value.as_f64() {
                    metrics.losses.entry(name.clone()).or_default().push((step, value));
                }
            }
        }
        Ok(metrics)
    }

    /// A panel for each group of losses; those of no known group share one.
    pub(super) fn panels(&self) -> String {
        let group = |name: &str| PANELS.iter().position(|(prefix, _)| name.starts_with(prefix)).unwrap_or(PANELS.len());
        let mut html = String::new();
        for (index, title) in PANELS.iter().map(|(_, title)| *title).chain(["Other losses"]).enumerate() {
            let curves: Vec<_> = self.losses.iter().filter(|(name, _)| group(name) == index).collect();
            if !curves.is_empty() {
                html += &panel(title, &curves);
            }
        }
        html
    }
}

/// One drawing with its title and legend.
fn panel(title: &str, curves: &[(&String, &Curve)]) -> String {
    let smoothed: Vec<Curve> = curves.iter().map(|(_, curve)| smooth(curve)).collect();
    let last_step = curves.iter().filter_map(|(_, curve)| curve.last()).map(|(step, _)| *step).fold(1.0, f64::max);
    let y_ticks = ticks(top(curves, &smoothed));
    let y_end = y_ticks.last().copied().expect("there are always two ticks");
    let x_ticks = ticks(last_step);
    let x = |step: f64| LEFT + step / last_step * (WIDTH - LEFT - EDGE);
    let y = |value: f64| HEIGHT - BOTTOM - value.clamp(0.0, y_end) / y_end * (HEIGHT - BOTTOM - EDGE);
    let line = |curve: &Curve, class: &str| {
        let points: Vec<String> =
            curve.iter().map(|(step, value)| format!("{:.1},{:.1}", x(*step), y(*value))).collect();
        format!("<polyline class='{class}' points='{}'/>", points.join(" "))
    };

    let mut svg = format!("<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{}'>", escape(title));
    for value in &y_ticks {
        let y = y(*value);
        write!(svg, "<path class='grid' d='M{LEFT} {y:.1}H{}'/>", WIDTH - EDGE).expect("a string takes all");
        write!(svg, "<text class='y' x='{}' y='{:.1}'>{value}</text>", LEFT - 6.0, y + 3.5)
            .expect("a string takes all");
    }
    for step in x_ticks.iter().filter(|step| **step <= last_step) {
        write!(svg, "<text class='x' x='{:.1}' y='{}'>{step}</text>", x(*step), HEIGHT - 6.0)
            .expect("a string takes all");
    }
    for (index, (_, curve)) in curves.iter().enumerate() {
        svg += &line(curve, &format!("raw line{index}"));
    }
    let mut legend = String::new();
    for (index, ((name, _), curve)) in curves.iter().zip(&smoothed).enumerate() {
        svg += &line(curve, &format!("line{index}"));
        write!(legend, "<span class='key line{index}'>{}</span>", escape(name)).expect("a string takes all");
    }
    format!("<figure class='panel'><figcaption><b>{}</b>{legend}</figcaption>{svg}</svg></figure>\n", escape(title))
}

/// The mean over a window around each point, one-sided at the ends.
fn smooth(curve: &Curve) -> Curve {
    let reach = curve.len() / 20;
    let mean = |index: usize| {
        let window = &curve[index.saturating_sub(reach)..curve.len().min(index + reach + 1)];
        window.iter().map(|(_, value)| value).sum::<f64>() / window.len() as f64
    };
    curve.iter().enumerate().map(|(index, (step, _))| (*step, mean(index))).collect()
}

/// Where the value axis has to reach.
fn top(curves: &[(&String, &Curve)], smoothed: &[Curve]) -> f64 {
    let mut values: Vec<f64> = curves.iter().flat_map(|(_, curve)| curve.iter().map(|(_, value)| *value)).collect();
    values.sort_by(f64::total_cmp);
    let common = values.get((values.len() as f64 * IN_SIGHT) as usize).copied().unwrap_or(0.0);
    smoothed.iter().flatten().map(|(_, value)| *value).fold(common, f64::max)
}

/// About four round numbers from 0 to the first that is not below `end`.
fn ticks(end: f64) -> Vec<f64> {
    if !(end.is_finite() && end > 0.0) {
        return vec![0.0, 1.0];
    }
    let rough = end / 4.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|factor| factor * magnitude >= rough);
    let distance = round.expect("ten times the magnitude is above") * magnitude;
    let count = (end / distance - 1e-9).ceil() as u32;
    // Through text, so that 3 × 0.1 is 0.3.
    (0..=count).map(|index| round_to_digits(f64::from(index) * distance)).collect()
}

fn round_to_digits(value: f64) -> f64 {
    format!("{value:.6e}").parse().expect("it was a number")
}

/// For text in HTML and attributes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_end() {
        assert_eq!(ticks(1500.0), [0.0, 500.0, 1000.0, 1500.0]);
        assert_eq!(ticks(0.83), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks(0.3), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(ticks(0.0), [0.0, 1.0]);
    }

    #[test]
    fn smoothing_keeps_a_straight_line_and_evens_out_noise() {
        let straight: Curve = (0..100).map(|step| (f64::from(step), f64::from(step))).collect();
        assert_eq!(smooth(&straight)[10..90], straight[10..90]);
        let noise: Curve = (0..100).map(|step| (f64::from(step), f64::from(step % 2))).collect();
        assert!(smooth(&noise)[10..90].iter().all(|(_, value)| (value - 0.5).abs() < 0.1));
    }

    #[test]
    fn losses_are_drawn_in_groups_and_none_is_lost() {
        let text = r#"{"step":10,"losses":{"cycle_a":0.5,"cycle_b":0.4,"d_a":0.25,"new":1},"learning_rate":0.0002}
            {"step":20,"paired":{"pairs":24,"a_to_b":{"l1":15.0}}}
            {"step":20,"losses":{"cycle_a":0.4,"cycle_b":null,"d_a":0.2,"new":2},"learning_rate":0.0002}"#;
        let panels = Metrics::parse(text).expect("it is well formed").panels();
        for title in ["Cycle loss", "Discriminator loss", "Other losses", ">new<"] {
            assert!(panels.contains(title), "{title} in {panels}");
        }
        assert_eq!(panels.matches("<svg").count(), 3);
        assert_eq!(panels.matches("<polyline").count(), 2 * 4, "a raw and a smoothed line for each loss");
    }

    #[test]
    fn a_damaged_line_is_named() {
        let error = Metrics::parse("{\"step\":1,\"losses\":{}}\n{\"step\"").expect_err("the second is cut");
        assert!(error.to_string().contains("line 2"), "{error:#}");
    }
}
