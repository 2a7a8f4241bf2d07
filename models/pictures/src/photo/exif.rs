//! EXIF: a TIFF structure without pixels (CIPA DC-008). It is changed in place, because maker notes hold offsets into it.

use tiff::tags::Type;

/// Tags, as TIFF 6.0, EXIF and DCF number them.
pub(super) const EXIF_DIRECTORY: u16 = 0x8769;
pub(super) const GPS_DIRECTORY: u16 = 0x8825;
const INTEROPERABILITY_DIRECTORY: u16 = 0xa005;
const ORIENTATION: u16 = 0x0112;
const COLOUR_SPACE: u16 = 0xa001;
const PIXEL_COLUMNS: u16 = 0xa002;
const PIXEL_ROWS: u16 = 0xa003;
const INTEROPERABILITY_INDEX: u16 = 0x0001;
const MAKER_NOTE: u16 = 0x927c;
const THUMBNAIL_OFFSET: u16 = 0x0201;
const THUMBNAIL_LENGTH: u16 = 0x0202;

/// What of a TIFF file's first directory says something about the photo, not about how it is stored: description, make,
/// model, resolution (x, y, unit), software, date, artist, copyright.
const DESCRIPTIVE: [u16; 10] = [0x010e, 0x010f, 0x0110, 0x011a, 0x011b, 0x0128, 0x0131, 0x0132, 0x013b, 0x8298];

/// One value of a directory.
#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    /// Where the value stands, and how many bytes it has; all of them are there.
    at: usize,
    length: usize,
}

/// Bytes of a TIFF structure and their order.
#[derive(Clone, Copy)]
struct Structure<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl<'a> Structure<'a> {
    /// The structure and where its first directory is; none for BigTIFF too.
    fn open(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let is_little = match bytes.get(..4)? {
            b"II\x2a\0" => true,
            b"MM\0\x2a" => false,
            _ => return None,
        };
        let structure = Self { bytes, is_little };
        Some((structure, structure.u32(4)?))
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) } as usize)
    }

    /// The entries of a directory whose values are whole, and where the place of the next directory stands.
    fn directory(&self, at: usize) -> Option<(Vec<Entry>, usize)> {
        let count = usize::from(self.u16(at)?);
        let behind = at + 2 + 12 * count;
        self.u32(behind)?;
        let entry = |number: usize| -> Option<Entry> {
            let at = at + 2 + 12 * number;
            let (tag, kind) = (self.u16(at)?, self.u16(at + 2)?);
            let size = size_of_one(kind)?;
            let length = self.u32(at + 4)?.checked_mul(size)?;
            let at = if length <= 4 { at + 8 } else { self.u32(at + 8)? };
            (at.checked_add(length)? <= self.bytes.len()).then_some(Entry { tag, kind, at, length })
        };
        Some(((0..count).filter_map(entry).collect(), behind))
    }

    /// The directory that an entry points to.
    fn below(&self, entries: &[Entry], tag: u16) -> Vec<Entry> {
        let pointer = entries.iter().find(|entry| entry.tag == tag && entry.length == 4);
        let directory = pointer.and_then(|entry| self.directory(self.u32(entry.at)?));
        directory.map_or_else(Vec::new, |(entries, _)| entries)
    }

    /// A number of 16 or 32 bits, in the structure's order.
    fn number(&self, value: u32, length: usize) -> Vec<u8> {
        match (length, self.is_little) {
            (2, true) => (value as u16).to_le_bytes().to_vec(),
            (2, false) => (value as u16).to_be_bytes().to_vec(),
            (_, true) => value.to_le_bytes().to_vec(),
            (_, false) => value.to_be_bytes().to_vec(),
        }
    }
}

/// Whether all values of the first directory lie inside the file; not known of BigTIFF.
pub(super) fn has_whole_values(bytes: &[u8]) -> bool {
    let Some((structure, first)) = Structure::open(bytes) else { return true };
    let Some((entries, behind)) = structure.directory(first) else { return false };
    let count = (behind - first - 2) / 12;
    let is_known = |number: usize| structure.u16(first + 2 + 12 * number + 2).and_then(size_of_one).is_some();
    entries.len() == (0..count).filter(|&number| is_known(number)).count()
}

/// Bytes of one value of a type.
fn size_of_one(kind: u16) -> Option<usize> {
    const UTF_8: u16 = 129; // EXIF 3.0's
    if kind == UTF_8 {
        return Some(1);
    }
    Some(match Type::from_u16(kind)? {
        Type::BYTE | Type::ASCII | Type::SBYTE | Type::UNDEFINED => 1,
        Type::SHORT | Type::SSHORT => 2,
        Type::LONG | Type::SLONG | Type::FLOAT | Type::IFD => 4,
        _ => 8,
    })
}

/// Bytes that go over others from a place on.
type Change = (usize, Vec<u8>);

fn apply(mut block: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for (at, bytes) in changes {
        block[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    block
}

/// An EXIF block without what JPEG puts before it, and some writers of WebP too.
pub(super) fn block(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.strip_prefix(b"Exif\0\0") {
        Some(block) => block.to_vec(),
        None => bytes,
    }
}

/// The block of a photo whose pixels are upright: the orientation is 1, the thumbnail is wiped and nothing points to it. None
/// if it is no EXIF block.
pub(super) fn settled(block: Vec<u8>) -> Option<Vec<u8>> {
    let (structure, first) = Structure::open(&block)?;
    let (entries, next) = structure.directory(first)?;
    let mut changes = vec![(next, vec![0; 4])];
    let one = |entry: &Entry| (entry.at, structure.number(1, entry.length));
    let is_number = |entry: &&Entry| matches!(entry.length, 2 | 4);
    changes.extend(entries.iter().filter(|entry| entry.tag == ORIENTATION).filter(is_number).map(one));
    if let Some((thumbnail, _)) = structure.directory(structure.u32(next)?).filter(|_| structure.u32(next) != Some(0)) {
        let number = |tag| structure.u32(thumbnail.iter().find(|entry| entry.tag == tag && entry.length == 4)?.at);
        if let (Some(at), Some(length)) = (number(THUMBNAIL_OFFSET), number(THUMBNAIL_LENGTH))
            && at.checked_add(length).is_some_and(|end| end <= block.len())
        {
            changes.insert(0, (at, vec![0; length]));
        }
    }
    Some(apply(block, changes))
}

/// A packet of XMP whose `tiff:Orientation`, as an attribute or an element, is 1.
pub(super) fn settled_xmp(mut packet: Vec<u8>) -> Vec<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    let places: Vec<usize> = packet
        .windows(NAME.len())
        .enumerate()
        .filter(|(_, found)| *found == NAME)
        .map(|(at, _)| at + NAME.len())
        .collect();
    for at in places {
        let value = packet[at..].iter().position(|byte| !b"=\"'> \t\r\n".contains(byte));
        if let Some(digit) = value.map(|place| &mut packet[at + place])
            && (b'2'..=b'8').contains(digit)
        {
            *digit = b'1';
        }
    }
    packet
}

/// The block of a photo that is written with this size, in sRGB.
pub(super) fn sized(block: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let changes = || {
        let (structure, first) = Structure::open(block)?;
        let (entries, _) = structure.directory(first)?;
        let exif = structure.below(&entries, EXIF_DIRECTORY);
        let mut changes = Vec::new();
        for entry in &exif {
            let value = match entry.tag {
                COLOUR_SPACE => 1,
                PIXEL_COLUMNS => width,
                PIXEL_ROWS => height,
                _ => continue,
            };
            if matches!(entry.length, 2 | 4) {
                changes.push((entry.at, structure.number(value, entry.length)));
            }
        }
        // R98 is sRGB's, R03 is Adobe RGB's.
        let index = structure.below(&exif, INTEROPERABILITY_DIRECTORY);
        let is_index = |entry: &&Entry| entry.tag == INTEROPERABILITY_INDEX && entry.length == 4;
        changes.extend(index.iter().filter(is_index).map(|entry| (entry.at, b"R98\0".to_vec())));
        Some(changes)
    };
    apply(block.to_vec(), changes().unwrap_or_default())
}

/// A tag, its type, and its value in the order of this machine.
pub(super) type Value = (u16, Type, Vec<u8>);

/// What describes a photo, taken out of a TIFF structure.
#[derive(Default)]
pub(super) struct Description {
    pub(super) first: Vec<Value>,
    pub(super) exif: Vec<Value>,
    pub(super) gps: Vec<Value>,
}

impl Description {
    /// What an EXIF block or a TIFF file says; nothing for BigTIFF. What holds offsets is left out: it could not be moved.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let read = || {
            let (structure, first) = Structure::open(bytes)?;
            let (entries, _) = structure.directory(first)?;
            let values = |entries: &[Entry], is_kept: fn(u16) -> bool| {
                let kept = entries.iter().filter(|entry| is_kept(entry.tag));
                kept.filter_map(|entry| structure.value(entry)).collect()
            };
            Some(Self {
                first: values(&entries, |tag| DESCRIPTIVE.contains(&tag)),
                exif: values(&structure.below(&entries, EXIF_DIRECTORY), |tag| {
                    !matches!(tag, MAKER_NOTE | INTEROPERABILITY_DIRECTORY)
                }),
                gps: values(&structure.below(&entries, GPS_DIRECTORY), |_| true),
            })
        };
        read().unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.exif.is_empty() && self.gps.is_empty()
    }
}

impl Structure<'_> {
    fn value(&self, entry: &Entry) -> Option<Value> {
        let kind = Type::from_u16(entry.kind)?;
        let mut value = self.bytes[entry.at..entry.at + entry.length].to_vec();
        if self.is_little != cfg!(target_endian = "little") {
            // A rational is two numbers.
            let is_rational = matches!(kind, Type::RATIONAL | Type::SRATIONAL);
            let size = size_of_one(entry.kind)?;
            value.chunks_exact_mut(if is_rational { size / 2 } else { size }).for_each(<[u8]>::reverse);
        }
        Some((entry.tag, kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block in the given order: an orientation of 6, a directory with a size and a colour space, and a thumbnail.
    fn example(is_little: bool) -> Vec<u8> {
        let structure = Structure { bytes: &[], is_little };
        let short = |value| structure.number(value, 2);
        let long = |value| structure.number(value, 4);
        let entry = |tag: u16, kind, value: Vec<u8>| {
            let padding = vec![0; 4 - value.len()];
            [short(tag.into()), short(kind), long(1), value, padding].concat()
        };
        let (exif_at, thumbnail_at) = (8 + 2 + 24 + 4, 8 + 2 + 24 + 4 + 2 + 36 + 4);
        [
            if is_little { b"II".to_vec() } else { b"MM".to_vec() },
            [short(42), long(8)].concat(),
            [short(2), entry(ORIENTATION, 3, short(6)), entry(EXIF_DIRECTORY, 4, long(exif_at)), long(thumbnail_at)]
                .concat(),
            [short(3), entry(COLOUR_SPACE, 3, short(0xffff)), entry(PIXEL_COLUMNS, 4, long(640))].concat(),
            [entry(PIXEL_ROWS, 3, short(480)), long(0)].concat(),
            [short(2), entry(THUMBNAIL_OFFSET, 4, long(thumbnail_at + 30)), entry(THUMBNAIL_LENGTH, 4, long(9))]
                .concat(),
            [long(0), b"thumbnail".to_vec()].concat(),
        ]
        .concat()
    }

    #[test]
    fn an_upright_photo_has_no_orientation_and_no_thumbnail() {
        for is_little in [true, false] {
            let block = example(is_little);
            assert!(block.ends_with(b"thumbnail"));
            let settled = settled(block.clone()).expect("a block");
            let (structure, first) = Structure::open(&settled).expect("a block");
            let (entries, next) = structure.directory(first).expect("a directory");
            assert_eq!((structure.u16(entries[0].at), structure.u32(next)), (Some(1), Some(0)));
            assert!(settled.ends_with(&[0; 9]));
            assert_eq!(settled.len(), block.len(), "nothing moves: maker notes hold offsets");
        }
    }

    #[test]
    fn a_written_photo_says_its_size_and_colours() {
        for is_little in [true, false] {
            let sized = sized(&example(is_little), (70_000, 30));
            let (structure, first) = Structure::open(&sized).expect("a block");
            let (entries, _) = structure.directory(first).expect("a directory");
            let exif = structure.below(&entries, EXIF_DIRECTORY);
            assert_eq!(structure.u16(exif[0].at), Some(1));
            assert_eq!(structure.u32(exif[1].at), Some(70_000));
            assert_eq!(structure.u16(exif[2].at), Some(30));
        }
    }

    #[test]
    fn what_is_no_block_is_dropped_and_one_that_is_cut_harms_nobody() {
        assert_eq!(settled(b"hello, world".to_vec()), None);
        let whole = example(true);
        for length in 0..whole.len() {
            let cut = whole[..length].to_vec();
            sized(&cut, (1, 1));
            Description::read(&cut);
            settled(cut);
        }
    }

    #[test]
    fn the_orientation_of_xmp_is_reset_in_both_ways_of_writing_it() {
        for (before, after) in [
            ("<a tiff:Orientation=\"6\"/>", "<a tiff:Orientation=\"1\"/>"),
            ("<tiff:Orientation> 8</tiff:Orientation>", "<tiff:Orientation> 1</tiff:Orientation>"),
            ("<a tiff:Orientation=", "<a tiff:Orientation="),
        ] {
            assert_eq!(settled_xmp(before.into()), after.as_bytes(), "{before}");
        }
    }
}
