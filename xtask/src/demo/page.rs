//! The page that shows the demo: one HTML file beside the pictures, without scripts and without a network.

use std::fmt::Write;
use std::time::Duration;

use super::curves::{Metrics, escape};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// All that the page shows.
#[derive(Debug)]
pub(super) struct Page {
    /// What was trained.
    pub(super) settings: Vec<(&'static str, String)>,
    /// A to B, then B to A.
    pub(super) directions: [Direction; 2],
    /// The training's losses.
    pub(super) metrics: Metrics,
    /// How long each stage took.
    pub(super) times: Vec<(&'static str, Duration)>,
    /// What was run.
    pub(super) commands: Vec<String>,
}

/// One direction of translation on the test pictures.
#[derive(Debug)]
pub(super) struct Direction {
    /// What it does.
    pub(super) name: &'static str,
    /// Mean L1 in [0, 255] of the real pictures against the truth.
    pub(super) before: f64,
    /// The same of the translated pictures.
    pub(super) after: f64,
    /// Some of the pictures.
    pub(super) triples: Vec<Triple>,
}

/// One scene: paths from the page.
#[derive(Debug)]
pub(super) struct Triple {
    /// What was translated.
    pub(super) real: String,
    /// What came out.
    pub(super) translated: String,
    /// The same scene drawn in the other domain.
    pub(super) truth: String,
}

impl Page {
    /// The page's text.
    pub(super) fn html(&self) -> String {
        let total: Duration = self.times.iter().map(|(_, time)| *time).sum();
        let times = self.times.iter().map(|(name, time)| ((*name).to_owned(), program::duration(*time)));
        let times: Vec<_> = times.chain([("all".to_owned(), program::duration(total))]).collect();
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let training = self.times.iter().find(|(name, _)| *name == "train").map_or(total, |(_, time)| *time);
        fill(TEMPLATE, |name| match name {
            "style" => STYLE.into(),
            "training" => program::duration(training),
            "scores" => self.directions.iter().map(score).collect(),
            "pictures" => self.directions.iter().map(pictures).collect(),
            "curves" => self.metrics.panels(),
            "settings" => rows(&settings),
            "times" => rows(&times),
            "commands" => escape(&self.commands.join("\n")),
            _ => unreachable!("the template has no other places"),
        })
    }
}

/// Replaces each `{{name}}`.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = template.split("{{");
    let mut filled = parts.next().expect("split gives at least one part").to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("the template closes its places");
        filled += &value(name);
        filled += rest;
    }
    filled
}

fn score(direction: &Direction) -> String {
    let Direction { name, before, after, .. } = direction;
    let change = if *before > 0.0 { (after / before - 1.0) * 100.0 } else { 0.0 };
    let (class, sign) = if change < 0.0 { ("better", "−") } else { ("worse", "+") };
    format!(
        "<div class='score'><h3>{}</h3><p class='numbers'><span>{before:.1}</span> <i>→</i> <strong>{after:.1}</strong></p>\
         <p class='change {class}'>{sign}{:.0} %</p></div>\n",
        escape(name),
        change.abs()
    )
}

fn pictures(direction: &Direction) -> String {
    let mut html = format!("<section><h2>{}</h2>\n<div class='triples'>\n", escape(&capitalised(direction.name)));
    for Triple { real, translated, truth } in &direction.triples {
        html += "<div class='triple'>";
        for (label, path) in [("real", real), ("translated", translated), ("truth", truth)] {
            let path = escape(path);
            write!(html, "<figure><img src='{path}' alt='{label}'><figcaption>{label}</figcaption></figure>")
                .expect("a string takes all");
        }
        html += "</div>\n";
    }
    html + "</div></section>\n"
}

fn rows(rows: &[(String, String)]) -> String {
    let row =
        |(name, value): &(String, String)| format!("<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value));
    rows.iter().map(row).collect()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let triple = |index: u32| Triple {
            real: format!("stripes/testA/{index:04}.png"),
            translated: format!("translated_ab/{index:04}.png"),
            truth: format!("stripes/testB/{index:04}.png"),
        };
        let direction = |name, after| Direction { name, before: 31.26, after, triples: (0..12).map(triple).collect() };
        Page {
            settings: vec![("preset", "concat".into()), ("steps", "1500".into())],
            directions: [direction("plain to striped", 9.04), direction("striped to plain", 40.0)],
            metrics: Metrics::default(),
            times: vec![("build", Duration::from_secs(180)), ("train", Duration::from_secs(125))],
            commands: vec!["target/release/trainer --data 'a & b'".into()],
        }
    }

    #[test]
    fn the_page_shows_numbers_pictures_times_and_commands() {
        let html = page().html();
        for part in [
            "31.3</span> <i>→</i> <strong>9.0",
            "better'>−71 %",
            "worse'>+28 %",
            "src='translated_ab/0011.png'",
            "<h2>Plain to striped</h2>",
            "learnt this in 2 min 5 s",
            "<td>5 min 5 s</td>",
            "a &amp; b",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(html.matches("<img").count(), 2 * 12 * 3);
        assert!(!html.contains("{{") && !html.contains("://"), "nothing is left open and nothing is fetched");
    }
}
