//! What is found below directories.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use infer::plan::{Plan, PlanArguments};
use program::Exit;

use super::{folder_of, from, globs, in_folder, pairs, planned, refused};

type Names = &'static [&'static str];

const TREE: [&str; 9] = [
    "photos/a.png",
    "photos/b.JPG",
    "photos/thumbs/a.png",
    "photos/2023/may/c.jpg",
    "photos/2023/may/thumbs/c.png",
    "photos/2024/d.jpeg",
    "photos/notes.txt",
    "photos/.hidden.png",
    "photos/.trash/e.png",
];

/// The inputs of a plan, below `photos`.
#[track_caller]
fn found(folder: &Path, arguments: PlanArguments) -> Vec<String> {
    let below = |(input, _): &(std::path::PathBuf, _)| {
        input.strip_prefix("photos").expect("found there").to_str().expect("Unicode").to_owned()
    };
    let mut found: Vec<String> = pairs(folder, arguments).iter().map(below).collect();
    found.sort();
    found
}

#[test]
fn patterns_and_depth_choose_what_is_found_below_directories() {
    let folder = folder_of(&TREE);
    let cases: [(Names, Names, Option<u32>, Names); 9] = [
        (&["*.png"], &[], None, &["2023/may/thumbs/c.png", "a.png", "thumbs/a.png"]),
        (&["*.png"], &["thumbs"], None, &["a.png"]),
        (&["*.{jpg,JPG}"], &[], None, &["2023/may/c.jpg", "b.JPG"]),
        (&["2023/*/*"], &[], None, &["2023/may/c.jpg", "2023/may/thumbs/c.png"]),
        (&["2023/**/c.*", "[ab].*"], &["*/*/thumbs"], None, &["2023/may/c.jpg", "a.png", "b.JPG", "thumbs/a.png"]),
        (&["202?"], &["**/may/thumbs/"], Some(9), &[]),
        (&["202?"], &[], Some(2), &["2024/d.jpeg"]),
        (&[], &["2023/may"], None, &["2024/d.jpeg", "a.png", "b.JPG", "thumbs/a.png"]),
        (&[], &[], Some(1), &["a.png", "b.JPG"]),
    ];
    for (include, exclude, max_depth, expected) in cases {
        let arguments =
            PlanArguments { include: globs(include), exclude: globs(exclude), max_depth, ..from(&["photos"]) };
        if expected.is_empty() {
            let (exit, message) = refused(folder.path(), arguments);
            assert_eq!(exit, Exit::CannotStart, "{message}");
            assert!(message.contains("--exclude '**/may/thumbs/': matches no file and no folder"), "{message}");
        } else {
            assert_eq!(found(folder.path(), arguments), expected, "{include:?} {exclude:?} {max_depth:?}");
        }
    }
}

#[test]
fn a_flag_or_pattern_that_matches_nothing_is_an_error_and_named() {
    let folder = folder_of(&TREE);
    let with = |include: &[&str], exclude: &[&str]| PlanArguments {
        include: globs(include),
        exclude: globs(exclude),
        ..from(&["photos"])
    };
    let cases = [
        (
            with(&["*.png", "*.gif", "x/*"], &[]),
            Exit::CannotStart,
            "--include '*.gif', --include 'x/*': matches no pict",
        ),
        (with(&["notes.txt"], &[]), Exit::CannotStart, "--include 'notes.txt': matches no picture"),
        (with(&[], &["thumb", "thumbs"]), Exit::CannotStart, "--exclude 'thumb': matches no file and no folder"),
        (with(&[], &["*"]), Exit::CannotStart, "no pictures there that --include, --exclude"),
        (with(&["{a"], &[]), Exit::Usage, "--include '{a': is no pattern"),
        (with(&[], &[""]), Exit::Usage, "--exclude '': is no pattern"),
        (
            PlanArguments { max_depth: Some(1), ..from(&["photos/a.png"]) },
            Exit::Usage,
            "--max-depth is about directories",
        ),
        (
            PlanArguments { follow_links: true, ..from(&["photos/a.png"]) },
            Exit::Usage,
            "--follow-links is about direct",
        ),
        (PlanArguments { nul: true, ..from(&["photos"]) }, Exit::Usage, "-0 is about the list of --from-file"),
        (from(&["none"]), Exit::CannotStart, "input none: No such file or directory"),
        (from(&["photos", "-"]), Exit::Usage, "- stands for one picture"),
    ];
    for (arguments, exit, said) in cases {
        let arguments = PlanArguments { output: Some(folder.path().join("out")), ..arguments };
        let is_pipe = arguments.inputs.iter().any(|input| input.as_os_str() == "-");
        let failed = match is_pipe {
            false => refused(folder.path(), arguments),
            true => Plan::make(&arguments).map_err(|failure| (failure.exit, failure.to_string())).expect_err("a mix"),
        };
        assert!(failed.0 == exit && failed.1.contains(said), "{said}: {failed:?}");
    }
}

#[test]
fn links_to_files_are_read_and_those_to_directories_entered_when_asked() {
    let folder = folder_of(&["photos/a/one.png", "elsewhere/two.png", "elsewhere/deeper/three.png", "file.png"]);
    let link = |to: &str, name: &str| symlink(to, folder.path().join("photos").join(name)).expect("writable");
    link("../file.png", "linked.png");
    link("../elsewhere", "other");
    link("..", "a/up"); // photos itself, and no end
    link("itself.png", "itself.png");
    link("nowhere", "lost.png");
    link("nowhere", "lost.txt");
    let plain = ["a/one.png", "itself.png", "linked.png", "lost.png"];
    assert_eq!(found(folder.path(), from(&["photos"])), plain);
    let plan = Plan::make(&in_folder(folder.path(), from(&["photos"]))).expect("a plan");
    assert_eq!(plan.notes, ["inputs    2 links to directories not entered (--follow-links enters them)"]);
    let followed = found(folder.path(), PlanArguments { follow_links: true, ..from(&["photos"]) });
    let others = ["a/one.png", "itself.png", "linked.png", "lost.png", "other/deeper/three.png", "other/two.png"];
    assert_eq!(followed, others);
}

#[test]
fn one_picture_under_several_paths_is_translated_once_and_a_name_of_its_own_is_kept() {
    let folder = folder_of(&["photos/z/a.png", "photos/z/b.png"]);
    let photos = folder.path().join("photos");
    symlink("z/a.png", photos.join("0.png")).expect("writable");
    symlink("z", photos.join("y")).expect("writable");
    std::fs::hard_link(photos.join("z/b.png"), photos.join("hard.png")).expect("writable");
    let expected = ["0.png", "hard.png", "z/a.png", "z/b.png"];
    let inputs: [&[&str]; 3] =
        [&["photos"], &["photos", "photos/../photos", "photos/."], &["photos/y/../z/../../photos", "photos"]];
    for inputs in inputs {
        let arguments = PlanArguments { follow_links: true, ..from(inputs) };
        let plan = Plan::make(&in_folder(folder.path(), arguments)).expect("a plan");
        let outputs: Vec<_> =
            plan.items.iter().map(|item| item.output.strip_prefix(folder.path()).expect("in")).collect();
        assert_eq!(outputs, expected.map(|name| Path::new("out").join(name)), "{inputs:?}");
        assert!(plan.notes[0].contains("named again, translated once"), "{:?}", plan.notes);
    }
    let named = pairs(folder.path(), from(&["photos/0.png", "photos/y/a.png", "photos/z/a.png"]));
    assert_eq!(named.len(), 2, "{named:?}");
    assert_eq!(named[1], ("photos/y/a.png".into(), "out/a.png".into()));
    // Two names of one file that want one output.
    std::fs::create_dir(folder.path().join("best")).expect("writable");
    symlink("../photos/z/a.png", folder.path().join("best/a.png")).expect("writable");
    for inputs in [["best", "photos/z/a.png"], ["photos/z/a.png", "best"]] {
        assert_eq!(pairs(folder.path(), from(&inputs)), [("photos/z/a.png".into(), "out/a.png".into())]);
    }
}

#[test]
fn the_output_directory_is_not_walked_by_whatever_path() {
    let folder = folder_of(&["photos/a.png", "photos/out/b.png", "photos/out/deep/c.png"]);
    let photos = folder.path().join("photos");
    symlink("out/b.png", photos.join("file.png")).expect("writable");
    symlink("out", photos.join("whole")).expect("writable");
    symlink("out/deep", photos.join("part")).expect("writable");
    symlink("photos/out", folder.path().join("link")).expect("writable");
    for output in ["photos/out", "photos/../link", "link"] {
        let arguments = PlanArguments { follow_links: true, output: Some(output.into()), ..from(&["photos"]) };
        let expected = ("photos/a.png".into(), Path::new(output).join("a.png"));
        assert_eq!(pairs(folder.path(), arguments), [expected], "{output}");
    }
}

#[test]
fn what_cannot_be_listed_ends_the_plan_unless_it_is_excluded() {
    let folder = folder_of(&["photos/a.png", "photos/locked/b.png"]);
    let locked = folder.path().join("photos/locked");
    std::fs::set_permissions(&locked, Permissions::from_mode(0o000)).expect("our own folder");
    let is_listed = std::fs::read_dir(&locked).is_ok(); // root may
    let expected_exit = if is_listed { None } else { Some(Exit::CannotStart) };
    let exit = Plan::make(&in_folder(folder.path(), from(&["photos"]))).err().map(|failure| failure.exit);
    assert_eq!(exit, expected_exit);
    let arguments = PlanArguments { exclude: globs(&["locked"]), ..from(&["photos"]) };
    assert_eq!(pairs(folder.path(), arguments), [("photos/a.png".into(), "out/a.png".into())]);
    std::fs::set_permissions(&locked, Permissions::from_mode(0o700)).expect("our own folder");
}

#[test]
fn a_named_file_is_taken_whatever_it_is_called_and_a_pipe_refused() {
    let folder = folder_of(&["IMG_1", ".hidden", "notes.txt", "folder.png/a.png"]);
    let lines = planned(folder.path(), &["IMG_1", ".hidden", "notes.txt", "folder.png", "out"]);
    let expected = [
        ".hidden -> out/.hidden.png",
        "IMG_1 -> out/IMG_1.png",
        "folder.png/a.png -> out/a.png",
        "notes.txt -> out/notes.txt.png",
    ];
    assert_eq!(lines, expected);
    let pipe = folder.path().join("pipe.png");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is everywhere").success());
    let (exit, message) = refused(folder.path(), from(&["pipe.png"]));
    assert_eq!((exit, message.as_str()), (Exit::CannotStart, "input pipe.png: is neither a file nor a directory"));
}
