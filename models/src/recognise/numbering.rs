//! What the numbers in names say about modules that store nothing.
//!
//! In a numbered sequence each module takes a number: convolution, norm, activation, padding, dropout. The numbers that lie
//! between two convolutions therefore tell whether padding is a module of its own, and whether what is expected fits.

use super::arrangement::{Misfit, Place, Placed};
use super::choices::{Padding, StridedPadding};
use super::names::{Path, Token, shared};

/// Padding by what it is for, each with what it was inferred from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbering {
    pub(super) stem: Option<(Padding, String)>,
    pub(super) blocks: Option<(Padding, String)>,
    pub(super) upsampled: Option<(Padding, String)>,
    pub(super) head: Option<(Padding, String)>,
    pub(super) strided: Option<(StridedPadding, String)>,
    /// Whether names show that each block has two convolutions.
    pub(super) blocks_are_named: bool,
}

/// Reads the numbering of convolutions in their order.
///
/// # Errors
/// The first convolution before which the numbers leave room for other modules than a generator has there; or blocks that
/// are not of two convolutions.
pub(super) fn read(names: &[&str], paths: &[Path<'_>], placed: &[Placed]) -> Result<Numbering, Misfit> {
    let mut numbering = Numbering { blocks_are_named: blocks_are_named(paths, placed)?, ..Numbering::default() };
    for (at, Placed { place, transposed, .. }) in placed.iter().enumerate() {
        let Some(room) = room_before(at, paths, *place)? else { continue };
        let name = names[at];
        let inferred = match room {
            0 => (Padding::Zero, format!("no module for padding before `{name}`, unless its padding_mode mirrors")),
            _ => (Padding::Reflect, format!("a module before `{name}`, as padding by reflection is")),
        };
        let (known, allowed) = match place {
            Place::Stem => (&mut numbering.stem, 0..=1),
            Place::Head => (&mut numbering.head, 0..=1),
            Place::Block(_, 1) => (&mut numbering.blocks, 0..=1),
            // One more may be dropout, which does nothing when it is evaluated.
            Place::Block(..) => {
                let padding = u64::from(numbering.blocks.as_ref().is_some_and(|(known, _)| *known == Padding::Reflect));
                check(room, padding..=padding + 1, at)?;
                continue;
            }
            // The first of them is the upsampling.
            Place::Up(_) if !transposed => {
                check(room, 1..=2, at)?;
                let why =
                    format!("{} between the upsampling and `{name}`", if room == 1 { "no module" } else { "a module" });
                let padding = if room == 1 { Padding::Zero } else { Padding::Reflect };
                numbering.upsampled.get_or_insert((padding, why));
                continue;
            }
            Place::Down(stage) => {
                // All have a module for padding, or none has.
                let all = if numbering.strided.is_some() { 1..=1 } else { 0..=u64::from(*stage == 1) };
                check(room, all, at)?;
                if room == 1 {
                    numbering.strided.get_or_insert((StridedPadding::Reflect, inferred.1));
                }
                continue;
            }
            Place::Up(_) => {
                check(room, 0..=0, at)?;
                continue;
            }
        };
        check(room, allowed, at)?;
        let (known, _) = known.get_or_insert_with(|| inferred.clone());
        if *known != inferred.0 {
            return Err(Misfit { at, expected: format!("the same padding as in the blocks before it ({known})") });
        }
    }
    Ok(numbering)
}

fn check(room: u64, allowed: std::ops::RangeInclusive<u64>, at: usize) -> Result<(), Misfit> {
    if allowed.contains(&room) {
        return Ok(());
    }
    let modules = |count: u64| if count == 1 { "1 module".to_owned() } else { format!("{count} modules") };
    let (least, most) = (allowed.start(), allowed.end());
    let usual = if least == most { modules(*most) } else { format!("{least} or {}", modules(*most)) };
    let expected = format!(
        "{usual} before it besides norm and activation; by its number there {} {}",
        if room == 1 { "is" } else { "are" },
        modules(room)
    );
    Err(Misfit { at, expected })
}

/// Norm and activation behind a convolution.
const NORM_AND_ACTIVATION: u64 = 2;

/// Modules before a convolution that are not norm and activation of the one before; none where numbers do not tell.
fn room_before(at: usize, paths: &[Path<'_>], place: Place) -> Result<Option<u64>, Misfit> {
    let path = &paths[at];
    let Some((&Token::Index(index), sequence)) = path.split_last() else { return Ok(None) };
    if is_list(sequence, paths) {
        return Ok(None);
    }
    let previous =
        at.checked_sub(1).map(|before| &paths[before]).filter(|path| shared(path, sequence) == sequence.len());
    let Some(previous) = previous else {
        // The first of its own sequence. Where an upsampling is no module, it is done in the program.
        let is_upsampled_elsewhere = matches!(place, Place::Up(_)) && index == 0;
        return Ok(Some(index).filter(|_| !is_upsampled_elsewhere));
    };
    let Some(Token::Index(before)) = previous.get(sequence.len()) else { return Ok(None) };
    let between = index.saturating_sub(before + 1);
    if previous.len() > path.len() {
        // Inside a module of the sequence: a block, or something with a norm of its own.
        return Ok(Some(between).filter(|_| place == Place::Up(1)));
    }
    between.checked_sub(NORM_AND_ACTIVATION).map(Some).ok_or_else(|| Misfit {
        at,
        expected: format!("norm and activation before it; by its number there is room for {between} modules"),
    })
}

/// Whether the numbers of a sequence count convolutions rather than modules: then two of them are neighbours.
fn is_list(sequence: &[Token<'_>], paths: &[Path<'_>]) -> bool {
    let in_it = paths.iter().filter(|path| path.len() == sequence.len() + 1 && path.starts_with(sequence));
    let mut last = None;
    in_it.filter_map(|path| path.last()).any(|token| {
        let Token::Index(index) = token else { return false };
        last.replace(*index).is_some_and(|before| before.checked_add(1) == Some(*index))
    })
}

/// Whether the two convolutions of each block have more of their names in common than with their neighbours.
fn blocks_are_named(paths: &[Path<'_>], placed: &[Placed]) -> Result<bool, Misfit> {
    let common = |at: usize| shared(&paths[at], &paths[at + 1]);
    let firsts: Vec<usize> = (0..placed.len()).filter(|&at| matches!(placed[at].place, Place::Block(_, 1))).collect();
    let misfit = |at: usize, expected: &str| Err(Misfit { at, expected: expected.into() });
    let mut flat = 0;
    for &first in &firsts {
        let (inside, before, after) = (common(first), common(first - 1), common(first + 1));
        let in_sequence =
            |at: usize| paths[at].len() == inside + 1 && matches!(paths[at].last(), Some(Token::Index(_)));
        if inside < before || inside < after {
            return misfit(first + 1, "the second convolution of the same block, as names show blocks");
        }
        if inside == after && (first..first + 3).all(in_sequence) && !is_list(&paths[first][..inside], paths) {
            return misfit(first, "a module for each residual block; in one sequence nothing is carried around them");
        }
        let is_last = first + 2 >= placed.len() || !matches!(placed[first + 2].place, Place::Block(..));
        flat += usize::from(inside == after && !is_last);
    }
    match flat {
        0 => Ok(true),
        flat if flat == firsts.len() - 1 => Ok(false),
        _ => misfit(firsts[0], "residual blocks of two convolutions each; names show others"),
    }
}
