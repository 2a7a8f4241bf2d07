//! A network as a picture that a person reads: a self-contained SVG.
//!
//! [`rows`] makes a list of what is shown, folding blocks that are alike; [`page`] gives everything a place; [`svg`] writes
//! it. Layers stand below each other, a box for each: as wide as its feature map, as high as it has channels, so that
//! encoder, blocks and decoder show as a silhouette. What is known of a layer stands beside its box, in columns, so that a
//! box of any size has room for its words.

mod page;
mod rows;
mod svg;

use models::Network;
use models::shapes::{self, ShapeError};

/// Draws a network over a picture of a size, `[height, width]`, under some lines of text.
///
/// # Errors
/// If the picture does not fit the network.
pub(crate) fn draw(network: &Network, [height, width]: [usize; 2], headings: &[String]) -> Result<String, ShapeError> {
    let trace = shapes::trace(network, height, width)?;
    let input = shapes::Shape { channels: network.channels, height, width };
    let chart = rows::chart(network, input, &trace.steps);
    Ok(svg::write(&page::arrange(&chart, headings)))
}

#[cfg(test)]
mod tests;
