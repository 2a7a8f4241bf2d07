//! A page as SVG: shapes and text alone, nothing that is fetched or run.

use std::fmt::Write;

use super::page::{Ink, Page, Rectangle, Text};
use super::rows::Kind;

/// Rounding of skip connections' corners.
const ROUND: f64 = 7.0;

/// Everything is on the page already; this only spells it out.
pub(super) fn write(page: &Page) -> String {
    let mut svg = String::new();
    spell(page, &mut svg).expect("a string takes all");
    svg
}

fn spell(page: &Page, svg: &mut String) -> std::fmt::Result {
    let Page { width, height, .. } = page;
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace">"##
    )?;
    writeln!(svg, r##"<rect width="{width:.0}" height="{height:.0}" fill="#fcfcfb"/>"##)?;
    for frame in &page.frames {
        let place = place(frame);
        writeln!(svg, r##"<rect {place} rx="10" fill="#f1f4f8" stroke="#b9c4d2" stroke-dasharray="5 4"/>"##)?;
    }
    let (x, top, bottom) = page.axis;
    writeln!(svg, r##"<path d="M{x:.1} {top:.1}V{bottom:.1}" stroke="#8a8f98" stroke-width="1.5"/>"##)?;
    for corners in &page.arcs {
        arc(corners, svg)?;
    }
    for (kind, rectangle, title) in &page.boxes {
        writeln!(svg, "<g><title>{}</title>", escaped(title))?;
        filled(*kind, rectangle, svg)?;
        join(*kind, (x, rectangle.y + rectangle.height / 2.0), svg)?;
        writeln!(svg, "</g>")?;
    }
    for (kind, rectangle) in &page.legend {
        filled(*kind, rectangle, svg)?;
    }
    for line in &page.texts {
        text(line, svg)?;
    }
    svg.push_str("</svg>\n");
    Ok(())
}

fn place(Rectangle { x, y, width, height }: &Rectangle) -> String {
    format!(r#"x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}""#)
}

/// Fill and edge, which is told from the fill by those who see no colours.
fn filled(kind: Kind, rectangle: &Rectangle, svg: &mut String) -> std::fmt::Result {
    let (fill, edge) = match kind {
        Kind::Picture => ("#ffffff", "#3c4350"),
        Kind::Conv => ("#5b8fd6", "#2f5b99"),
        Kind::ConvTranspose => ("#3fa796", "#1f6f62"),
        Kind::Norm => ("#d9d2c3", "#a89c82"),
        Kind::Activation => ("#f2b56b", "#b97a2a"),
        Kind::Pad => ("#eceff3", "#aab2bd"),
        Kind::Upsample => ("#a9d8a0", "#5c9a50"),
        Kind::Add => ("#e58aa0", "#a8465f"),
        Kind::Concat => ("#b79ae0", "#6f4ba8"),
    };
    writeln!(svg, r##"<rect {} rx="2" fill="{fill}" stroke="{edge}"/>"##, place(rectangle))
}

/// A plus where two are added, two halves where they are put beside each other. Lines, since a font may lack the signs.
fn join(kind: Kind, (x, y): (f64, f64), svg: &mut String) -> std::fmt::Result {
    let sign = match kind {
        Kind::Add => "m-3.5 0h7m-3.5 -3.5v7",
        Kind::Concat => "m-3.5 -2.5h7m-7 5h7",
        _ => return Ok(()),
    };
    writeln!(
        svg,
        r##"<circle cx="{x:.1}" cy="{y:.1}" r="6" fill="#fff" stroke="#3c4350"/><path d="M{x:.1} {y:.1}{sign}" fill="none" stroke="#3c4350" stroke-width="1.4"/>"##
    )
}

/// A line with round corners and an arrow's head at its end.
fn arc(&[start, out, back, end]: &[(f64, f64); 4], svg: &mut String) -> std::fmt::Result {
    let round = ROUND.min((back.1 - out.1) / 2.0);
    writeln!(
        svg,
        r##"<path d="M{:.1} {:.1}H{:.1}Q{:.1} {:.1} {:.1} {:.1}V{:.1}Q{:.1} {:.1} {:.1} {:.1}H{:.1}" fill="none" stroke="#7a4fb5" stroke-width="1.6"/>"##,
        start.0,
        start.1,
        out.0 + round,
        out.0,
        out.1,
        out.0,
        out.1 + round,
        back.1 - round,
        back.0,
        back.1,
        back.0 + round,
        back.1,
        end.0 - 5.0,
    )?;
    let (x, y) = end;
    let (tail, above, below) = (x - 7.0, y - 3.5, y + 3.5);
    writeln!(svg, r##"<path d="M{x:.1} {y:.1}L{tail:.1} {above:.1}V{below:.1}Z" fill="#7a4fb5"/>"##)
}

/// With `textLength`, text keeps to the width that it was given, whatever font there is.
fn text(text: &Text, svg: &mut String) -> std::fmt::Result {
    let Text { x, y, size, ink, words } = text;
    if words.is_empty() {
        return Ok(());
    }
    let (fill, weight) = match ink {
        Ink::Title => ("#1d2430", " font-weight=\"bold\""),
        Ink::Strong => ("#1d2430", " font-weight=\"bold\""),
        Ink::Plain => ("#333b47", ""),
        Ink::Faint => ("#667080", ""),
    };
    let width = text.width();
    writeln!(
        svg,
        r##"<text x="{x:.1}" y="{y:.1}" font-size="{size}" textLength="{width:.1}" lengthAdjust="spacingAndGlyphs" fill="{fill}"{weight} xml:space="preserve">{}</text>"##,
        escaped(words)
    )
}

/// A text as XML takes it. Characters that XML has no way to write were replaced before.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
