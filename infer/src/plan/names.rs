//! An output's name for each picture, its own also where capitals and Unicode forms do not count.
//!
//! Names are given in rounds. A picture keeps the name of a round if nobody else wants it in this round or got it in one
//! before, and if it fits; the others go on to the next. First comes the input's own name with the output's ending
//! (`a.png`), then that with the input's ending before (`a.jpg.png`), then ever other hashes of the input's path
//! (`a~1f3c9a2b.png`). So a name follows from which pictures there are, never from their order.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::Format;
use super::format::{with_added_ending, with_ending};
use super::found::Found;

/// Bytes of a file's name: the limit of Linux's file systems.
const LONGEST_NAME: usize = 255;

/// What names are compared by: the beginning of the hash of a [folded] one, since there may be millions.
type Key = [u8; 16];

/// The pictures in the order of their outputs below `output`, and the places of those that could not keep their first name.
pub(super) fn give(pictures: Vec<Found>, output: &Path, format: Option<Format>) -> (Vec<(Found, PathBuf)>, Vec<usize>) {
    let first = |found: &Found| with_ending(found.below(), format);
    let with_first = |found: Found| {
        let name = first(&found);
        (found, name)
    };
    let mut named: Vec<(Found, PathBuf)> = pictures.into_iter().map(with_first).collect();
    let mut taken = folders_of(named.iter().map(|(_, name)| name)); // a file cannot be called as a folder that others need
    let mut nameless: Vec<usize> = (0..named.len()).collect();
    for round in 1.. {
        let mut wanted: HashMap<Key, usize> = HashMap::with_capacity(nameless.len());
        nameless.iter().for_each(|&place| *wanted.entry(key(&named[place].1)).or_default() += 1);
        let is_free = |place: &usize| {
            let (_, name) = &named[*place];
            let key = key(name);
            name.file_name().map_or(0, OsStr::len) <= LONGEST_NAME && wanted[&key] == 1 && !taken.contains(&key)
        };
        let free: Vec<usize>;
        (free, nameless) = nameless.into_iter().partition(is_free);
        if nameless.is_empty() {
            break;
        }
        taken.extend(free.into_iter().map(|place| key(&named[place].1)));
        for &place in &nameless {
            let (found, name) = &mut named[place];
            *name = other_name(round, found, &first(found));
        }
    }
    named.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
    let is_renamed = |place: &usize| named[*place].1 != first(&named[*place].0);
    let renamed = (0..named.len()).filter(is_renamed).collect();
    named.iter_mut().for_each(|(_, name)| *name = below(output, name));
    (named, renamed)
}

/// Not `join`, which takes memory for as much again: there may be millions.
fn below(folder: &Path, name: &Path) -> PathBuf {
    let mut path = PathBuf::with_capacity(folder.as_os_str().len() + 1 + name.as_os_str().len());
    path.push(folder);
    path.push(name);
    path
}

/// The name of a round after the first.
fn other_name(round: u64, picture: &Found, first: &Path) -> PathBuf {
    if round == 1 {
        return with_added_ending(picture.below(), Format::of(first).expect("an output's ending says its format"));
    }
    let mut hash = Sha256::new_with_prefix(round.to_le_bytes());
    hash.update(picture.input.as_os_str().as_bytes());
    let hash: String = hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let (stem, ending) = (first.file_stem().unwrap_or_default(), first.extension().unwrap_or_default());
    let mut name = cut(stem, LONGEST_NAME - hash.len() - ending.len() - 2);
    for part in ["~".as_ref(), hash.as_ref(), ".".as_ref(), ending] {
        name.push(part);
    }
    first.with_file_name(name)
}

/// The beginning of a name, at most that many bytes, no character cut in two.
fn cut(name: &OsStr, most: usize) -> OsString {
    let bytes = name.as_bytes();
    let is_inside = |place: usize| bytes.get(place).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    let mut end = bytes.len().min(most);
    while end > 0 && is_inside(end) {
        end -= 1;
    }
    OsString::from_vec(bytes[..end].to_vec())
}

/// All folders above the paths.
fn folders_of<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> HashSet<Key> {
    let mut folders = HashSet::new();
    let mut before: Option<&Path> = None;
    for folder in paths.filter_map(|path| path.parent()) {
        if before.replace(folder) != Some(folder) {
            let above = folder.ancestors().filter(|folder| !folder.as_os_str().is_empty());
            above.map(key).take_while(|folder| folders.insert(*folder)).for_each(drop);
        }
    }
    folders
}

fn key(name: &Path) -> Key {
    let hash = Sha256::digest(folded(name));
    *hash.first_chunk().expect("a hash is longer")
}

/// What two paths share that are one where capitals and Unicode forms do not count. To lower case, upper and lower again
/// is Unicode's full case folding (`ß` is `ss`), except that it takes the dotless `ı` for an `i`, too. Bytes that are no
/// Unicode stay.
fn folded(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_ascii() {
        return bytes.to_ascii_lowercase();
    }
    let mut folded = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let lower = chunk.valid().nfd().flat_map(char::to_lowercase);
        let same = lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
        folded.extend_from_slice(same.nfc().collect::<String>().as_bytes());
        folded.extend_from_slice(chunk.invalid());
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_some_file_system_takes_for_one_are_folded_to_one() {
        let alike = [
            ["Straße", "STRASSE"],
            ["STRAẞE", "straße"],
            ["e\u{301}te\u{301}", "\u{e9}T\u{c9}"],
            ["\u{fb01}n", "FIN"],
            ["ΟΔΟΣ", "οδος"],
            ["ΟΔΟΣ", "οδοσ"],
            ["\u{212a}", "k"],
            ["A\u{30a}", "\u{212b}"],
            ["\u{1e9b}\u{323}", "\u{1e69}"],
        ];
        for [one, other] in alike {
            assert_eq!(folded(one.as_ref()), folded(other.as_ref()), "{one} {other}");
        }
        let not_unicode = |byte| folded(Path::new(OsStr::from_bytes(&[b'A', 0xc3, 0xa9, byte, b'B'])));
        assert_eq!(not_unicode(0xff), b"a\xc3\xa9\xffb");
        assert_ne!(not_unicode(0xff), not_unicode(0xfe));
        assert_ne!(folded("a".as_ref()), folded("ä".as_ref()));
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        assert_eq!(cut("aé".as_ref(), 3), "aé");
        assert_eq!(cut("aé".as_ref(), 2), "a");
        assert_eq!(cut("馬馬".as_ref(), 5), "馬");
    }
}
