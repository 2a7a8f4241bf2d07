//! The data sets that were published with the paper (Zhu et al. 2017), as data.

/// The sides that a data set must and may have, as their folders are called.
pub(crate) const SIDES: [&str; 4] = ["trainA", "trainB", "testA", "testB"];

/// The name of the data set that this program draws itself.
pub(crate) const STRIPES: &str = "stripes";

/// Where they lie, in the order in which the addresses are tried: the host that the published scripts use now, then the
/// one that the paper names. Both speak HTTPS; the plain HTTP of the scripts would let anybody on the way change the
/// pictures.
pub(crate) const HOSTS: [&str; 2] = [
    "https://efrosgans.eecs.berkeley.edu/cyclegan/datasets",
    "https://people.eecs.berkeley.edu/~taesung_park/CycleGAN/datasets",
];

/// A published data set.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) name: &'static str,
    /// What the pictures of A show.
    pub(crate) a: &'static str,
    /// What the pictures of B show.
    pub(crate) b: &'static str,
    pub(crate) kind: Kind,
}

/// What can be had of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Both sides for training.
    Whole,
    /// Only pictures to translate.
    TestsOnly,
    /// Its licence forbids passing the pictures on.
    Withheld,
}

/// All of them. To add one, add a row.
pub(crate) const PUBLISHED: [Published; 12] = [
    whole("horse2zebra", "horses", "zebras"),
    whole("apple2orange", "apples", "oranges"),
    whole("summer2winter_yosemite", "Yosemite in summer", "Yosemite in winter"),
    whole("monet2photo", "paintings by Monet", "landscape photos"),
    whole("cezanne2photo", "paintings by Cézanne", "landscape photos"),
    whole("ukiyoe2photo", "ukiyo-e prints", "landscape photos"),
    whole("vangogh2photo", "paintings by Van Gogh", "landscape photos"),
    whole("maps", "aerial photos", "street maps"),
    Published { name: "cityscapes", a: "street photos", b: "label maps", kind: Kind::Withheld },
    whole("facades", "photos of facades", "label maps"),
    whole("iphone2dslr_flower", "flowers, iPhone photos", "flowers, DSLR photos"),
    Published { name: "ae_photos", a: "landscape photos", b: "-", kind: Kind::TestsOnly },
];

const fn whole(name: &'static str, a: &'static str, b: &'static str) -> Published {
    Published { name, a, b, kind: Kind::Whole }
}

/// The published data set of that name.
pub(crate) fn find(name: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|published| published.name == name)
}

/// All names, the built-in one first.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once(STRIPES).chain(PUBLISHED.iter().map(|published| published.name))
}

/// The names that a mistyped one may have meant, nearest first.
pub(crate) fn nearest(name: &str) -> Vec<&'static str> {
    program::nearest(name, names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_the_one_that_was_meant_first() {
        let cases = [
            ("horse2zebr", "horse2zebra"),
            ("zebra2horse", "horse2zebra"),
            ("Horse2Zebra", "horse2zebra"),
            ("monet", "monet2photo"),
            ("van_gogh2photo", "vangogh2photo"),
            ("map", "maps"),
            ("mpas", "maps"),
            ("facade", "facades"),
            ("yosemite", "summer2winter_yosemite"),
            ("stripe", "stripes"),
        ];
        let wrong: Vec<_> = cases.iter().filter(|(typed, meant)| nearest(typed).first() != Some(meant)).collect();
        assert!(wrong.is_empty(), "{:?}", wrong.iter().map(|(typed, _)| (typed, nearest(typed))).collect::<Vec<_>>());
        assert!(nearest("qqq").is_empty(), "nothing is near");
    }

    #[test]
    fn every_published_name_is_there_once_and_can_be_part_of_an_address() {
        for published in &PUBLISHED {
            assert_eq!(PUBLISHED.iter().filter(|other| other.name == published.name).count(), 1);
            assert!(published.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        }
    }
}
