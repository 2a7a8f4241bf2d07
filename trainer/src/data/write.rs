//! `trainer datasets stripes DIR`: the built-in data set as files.

use std::path::Path;

use program::{Console, ConsoleArguments, Exit, Failure, OrExit, files};

use super::catalogue::SIDES;
use super::set::{DataSet, Pictures};
/// Writes the built-in data set out.
pub(crate) fn write(folder: &Path, size: u32, seed: u64, console: ConsoleArguments) -> Result<Exit, Failure> {
    let mut console = Console::new(console);
    let set = DataSet::stripes(seed);
    let test = set.test.as_ref().expect("the built-in set has one");
    let sides = SIDES.into_iter().zip(set.train.iter().chain(test));
    let bar = console.start_bar(sides.clone().map(|(_, side)| side.len() as u64).sum(), "pictures");
    for (name, side) in sides {
        write_side(&folder.join(name), side, size, || bar.inc(1)).or_exit(Exit::Fault)?;
    }
    console.end_bar();
    console.say(format!("{}: {} pictures of {size}×{size}", folder.display(), bar.position()));
    Ok(Exit::Done)
}

fn write_side(folder: &Path, side: &Pictures, size: u32, mut written: impl FnMut()) -> anyhow::Result<()> {
    for index in 0..side.len() {
        let picture = pictures::encode(&side.read(index, size)?, pictures::Format::Png)?;
        files::write_whole(&folder.join(format!("{}.png", side.name(index))), &picture)?;
        written();
    }
    Ok(())
}
