//! What outputs are called.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use infer::plan::{Format, Plan, PlanArguments};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::{folder_of, from, in_folder, pairs, planned};
use crate::support::write;

#[test]
fn the_output_s_format_is_what_its_name_says() {
    let folder = folder_of(&["p/a.png", "p/b.JPG", "p/c.jpeg", "p/d.webp", "p/e.tif", "p/f.dib", "p/g.v2", "p/h"]);
    let files = ["p/a.png", "p/b.JPG", "p/c.jpeg", "p/d.webp", "p/e.tif", "p/f.dib", "p/g.v2", "p/h"];
    let cases = [
        (None, ["a.png", "b.JPG", "c.jpeg", "d.webp", "e.tif", "f.dib", "g.v2.png", "h.png"]),
        (Some(Format::Jpg), ["a.jpg", "b.JPG", "c.jpeg", "d.jpg", "e.jpg", "f.jpg", "g.v2.jpg", "h.jpg"]),
        (Some(Format::Tiff), ["a.tiff", "b.tiff", "c.tiff", "d.tiff", "e.tif", "f.tiff", "g.v2.tiff", "h.tiff"]),
        (Some(Format::Qoi), ["a.qoi", "b.qoi", "c.qoi", "d.qoi", "e.qoi", "f.qoi", "g.v2.qoi", "h.qoi"]),
    ];
    for (format, expected) in cases {
        let outputs: Vec<PathBuf> = pairs(folder.path(), PlanArguments { format, ..from(&files) })
            .into_iter()
            .map(|(_, output)| output)
            .collect();
        assert_eq!(outputs, expected.map(|name| Path::new("out").join(name)), "{format:?}");
    }
}

#[test]
fn outputs_that_would_collide_all_get_other_names() {
    let folder = folder_of(&["one/a.jpg", "one/a.png", "one/b.png", "two/b.png", "three/B.PNG", "one/c.png"]);
    let lines = planned(folder.path(), &["one", "two", "three", "out", "--format", "png"]);
    // The hash: SHA-256 of the round as 8 bytes and of the path, its first 4 bytes, as Python says it:
    // hashlib.sha256((2).to_bytes(8, "little") + b"one/b.png").hexdigest()[:8]
    let expected = [
        "three/B.PNG -> out/B~55a6984f.PNG",
        "one/a.jpg -> out/a.jpg.png",
        "one/a.png -> out/a.png.png",
        "one/b.png -> out/b~23bb2d17.png",
        "two/b.png -> out/b~f49c6571.png",
        "one/c.png -> out/c.png",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_name_given_to_end_a_collision_is_nobody_else_s() {
    let names = ["a.jpg", "a.png", "a.jpg.png", "x.png/deep.png", "A.jpg"];
    let folder = folder_of(&names);
    let first = pairs(folder.path(), PlanArguments { format: Some(Format::Png), ..from(&names[..3]) });
    let called = |input: &str| first.iter().find(|(from, _)| from == Path::new(input)).expect("planned").1.clone();
    assert_eq!(called("a.jpg.png"), Path::new("out/a.jpg.png"), "what nobody else wants at first is kept");
    assert_eq!(called("a.png"), Path::new("out/a.png.png"));
    assert!(called("a.jpg").to_str().expect("Unicode").starts_with("out/a~"));
    // The name that the hash gave, taken by a picture of that name.
    let taken = called("a.jpg").file_name().expect("a file").to_owned();
    write(&folder.path().join(&taken), b"");
    let inputs = [&names[..3], &[taken.to_str().expect("Unicode")]].concat();
    let second = pairs(folder.path(), PlanArguments { format: Some(Format::Png), ..from(&inputs) });
    let called = |input: &Path| second.iter().find(|(from, _)| from == input).expect("planned").1.clone();
    assert_eq!(called(Path::new(&taken)), Path::new("out").join(&taken));
    let other = called(Path::new("a.jpg"));
    assert!(other != Path::new("out").join(&taken) && other.to_str().expect("Unicode").starts_with("out/a~"));
}

#[test]
fn a_file_and_a_folder_are_not_called_alike() {
    let folder = folder_of(&["one/x.png/deep.png", "two/X.png"]);
    let pairs = pairs(folder.path(), from(&["one", "two"]));
    assert_eq!(pairs[0].1, Path::new("out/X.png.png"));
    assert_eq!(pairs[1].1, Path::new("out/x.png/deep.png"));
}

#[test]
fn a_name_that_would_be_too_long_is_cut_between_characters() {
    let long = "ü".repeat(127); // 254 bytes, 258 with an ending
    let fits = format!("{}.tif", "x".repeat(251));
    let folder = folder_of(&[&long, &fits]);
    let pairs = pairs(folder.path(), PlanArguments { format: Some(Format::Tiff), ..from(&[&long, &fits]) });
    assert_eq!(pairs[0].1, Path::new("out").join(&fits));
    let name = pairs[1].1.file_name().expect("a file").to_str().expect("whole characters");
    assert!(name.starts_with(&"ü".repeat(120)) && name.ends_with(".tiff"), "{name}");
    assert!((254..=255).contains(&name.len()), "{}", name.len());
}

/// A path from few parts, so that many are alike.
fn path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "A", "b", "é", "e\u{301}", "É", "ß", "ss", "a.jpg", "a.png", "x.d"]);
    let ending = prop::sample::select(vec!["png", "jpg", "JPG", "webp", "tif"]);
    (prop::collection::vec(part, 1..4), ending).prop_map(|(parts, ending)| format!("{}.{ending}", parts.join("/")))
}

fn folded(path: &Path) -> String {
    let text: String = path.to_str().expect("Unicode").nfd().collect();
    text.to_lowercase().to_uppercase().to_lowercase().nfc().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_does_not_depend_on_any_order_and_its_outputs_are_apart(
        trees in prop::collection::vec(prop::collection::btree_set(path(), 1..12), 1..4),
        format in prop::sample::select(vec![None, Some(Format::Png), Some(Format::Jpg)]),
        shuffled in any::<prop::sample::Index>(),
    ) {
        let folder = folder_of(&[]);
        let roots: Vec<String> = (0..trees.len()).map(|number| format!("in{number}")).collect();
        let mut files = Vec::new();
        for (root, tree) in roots.iter().zip(&trees) {
            // Made backwards: a directory lists its files in the order of their making on some systems.
            for name in tree.iter().rev() {
                let path = folder.path().join(root).join(name);
                // Where a folder is called like a file before it, or the other way round, the first stays.
                if std::fs::create_dir_all(path.parent().expect("has one")).is_ok() && std::fs::write(&path, b"").is_ok() {
                    files.push(format!("{root}/{name}"));
                }
            }
        }
        let roots: Vec<&str> = roots.iter().map(String::as_str).collect();
        let plan = |inputs: &[&str]| {
            Plan::make(&in_folder(folder.path(), PlanArguments { format, ..from(inputs) })).expect("a plan")
        };
        let one = plan(&roots);
        prop_assert_eq!(one.items.len(), files.len(), "each picture once");
        let mut turned = roots.clone();
        turned.rotate_left(shuffled.index(roots.len()));
        turned.push(roots[0]);
        prop_assert_eq!(&plan(&turned).items, &one.items);
        let mut reversed = turned.clone();
        reversed.reverse();
        prop_assert_eq!(&plan(&reversed).items, &one.items);
        let apart: HashSet<String> = one.items.iter().map(|item| folded(&item.output)).collect();
        prop_assert_eq!(apart.len(), one.items.len());
        for item in &one.items {
            prop_assert!(!one.items.iter().any(|other| item.output.ancestors().skip(1).any(|above| above == other.output)));
            prop_assert!(format.is_none() || Format::of(&item.output) == format);
        }
    }
}
