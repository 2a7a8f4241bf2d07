//! Grouped bars as an SVG file, which Markdown shows without a script.

use std::fmt::Write as _;

/// One of them.
pub(super) struct Bar {
    /// What it belongs to; each has a color.
    pub(super) series: String,
    /// The group that it stands in.
    pub(super) place: String,
    /// From zero.
    pub(super) height: f64,
}

/// Told apart in print, and by people who see fewer colors (Okabe and Ito, "Color Universal Design", 2008).
const COLORS: [&str; 6] = ["#0072b2", "#56b4e9", "#e69f00", "#d55e00", "#009e73", "#cc79a7"];
const LEFT: usize = 40;
const TOP: usize = 30;
const HEIGHT: usize = 200;
const BAR: usize = 18;
const GAP: usize = 22;

/// Bars in groups by their places, both in the order in which they first come.
pub(super) fn grouped(title: &str, bars: &[Bar]) -> String {
    let (series, places) = (firsts(bars.iter().map(|bar| &bar.series)), firsts(bars.iter().map(|bar| &bar.place)));
    let most = bars.iter().fold(1.0, |most: f64, bar| most.max(bar.height)).ceil();
    let level = |height: f64| TOP as f64 + HEIGHT as f64 * (1.0 - height / most);
    let group = series.len() * BAR + GAP;
    let (wide, bottom) = (LEFT + places.len() * group + 10, TOP + HEIGHT);
    let high = bottom + 34 + 18 * series.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"16\" font-size=\"13\">{title}</text>\n"
    );
    let mut add = |line: String| writeln!(svg, "{line}").expect("a string takes all");
    for half in 0..=(2.0 * most) as usize {
        let (height, y) = (half as f64 / 2.0, level(half as f64 / 2.0));
        // As fast as what it is compared with.
        let color = if half == 2 { "#000" } else { "#ddd" };
        add(format!("<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{color}\"/>", wide - 10));
        add(format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{height:.1}</text>", LEFT - 5, y + 4.0));
    }
    for Bar { series: of, place, height } in bars {
        let [row, column] =
            [(of, &series), (place, &places)].map(|(name, all)| all.iter().position(|one| *one == name));
        let (row, column) = (row.expect("a series of these"), column.expect("a place of these"));
        let (x, y) = (LEFT + column * group + GAP / 2 + row * BAR, level(*height));
        let (color, tall) = (COLORS[row % COLORS.len()], bottom as f64 - y);
        add(format!("<rect x=\"{x}\" y=\"{y:.1}\" width=\"{}\" height=\"{tall:.1}\" fill=\"{color}\"/>", BAR - 2));
        let middle = x + BAR / 2 - 1;
        add(format!(
            "<text x=\"{middle}\" y=\"{:.1}\" font-size=\"8\" text-anchor=\"middle\">{height:.2}</text>",
            y - 2.0
        ));
    }
    for (number, place) in places.iter().enumerate() {
        let x = LEFT + number * group + group / 2;
        add(format!("<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{place}</text>", bottom + 16));
    }
    for (number, series) in series.iter().enumerate() {
        let y = bottom + 30 + 18 * number;
        let color = COLORS[number % COLORS.len()];
        add(format!("<rect x=\"{LEFT}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{color}\"/>"));
        add(format!("<text x=\"{}\" y=\"{}\">{series}</text>", LEFT + 18, y + 10));
    }
    svg + "</svg>\n"
}

fn firsts<'a>(all: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut firsts = Vec::new();
    for one in all {
        if !firsts.contains(&one) {
            firsts.push(one);
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bar_stands_in_its_group_as_high_as_its_number() {
        let bar = |series: &str, place: &str, height| Bar { series: series.into(), place: place.into(), height };
        let bars = [bar("a", "64", 2.0), bar("a", "128", 1.0), bar("b", "64", 0.5)];
        let svg = grouped("times", &bars);
        let places: Vec<(f64, f64)> = svg
            .lines()
            .filter(|line| line.starts_with("<rect") && line.contains("width=\"16\""))
            .map(|line| {
                let number = |key: &str| {
                    let rest = line.split_once(&format!(" {key}=\"")).expect("it has it").1;
                    rest.split_once('"').expect("it ends").0.parse::<f64>().expect("a number")
                };
                (number("x"), number("height"))
            })
            .collect();
        assert_eq!(places.iter().map(|(_, height)| *height).collect::<Vec<_>>(), [200.0, 100.0, 50.0]);
        assert!(places[0].0 < places[2].0 && places[2].0 < places[1].0, "b stands beside a, before the next group");
    }
}
