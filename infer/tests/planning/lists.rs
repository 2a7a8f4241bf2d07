//! Inputs from a list, and a plan as lines.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Output;

use super::{folder_of, planned};
use crate::support::{assert_ends, infer, piped, write};

/// The program with a list on its standard input.
fn listing(folder: &Path, list: &[u8], arguments: &[&str]) -> Output {
    piped(folder, &[&["--dry-run", "--from-file", "-"], arguments].concat(), list)
}

#[test]
fn a_list_names_files_that_keep_their_relative_path() {
    let folder = folder_of(&["photos/a.png", "photos/deep/b.jpg", "photos/c.dat", "photos/d.txt"]);
    let absolute = folder.path().join("photos/c.dat");
    let list = format!("photos/a.png\n./photos//deep/b.jpg\n\nphotos/../photos/d.txt\n{}", absolute.display());
    let expected = [
        format!("{} -> out/c.dat.png", absolute.display()),
        "photos/../photos/d.txt -> out/d.txt.png".into(),
        "photos/a.png -> out/photos/a.png".into(),
        "photos/deep/b.jpg -> out/photos/deep/b.jpg".into(),
    ];
    write(&folder.path().join("list"), list.as_bytes());
    assert_eq!(planned(folder.path(), &["--from-file", "list", "out"]), expected);
    let from_find = listing(folder.path(), list.replace('\n', "\0").as_bytes(), &["-0", "out"]);
    assert_ends(&from_find, 0, &expected[3], "");
    assert_eq!(String::from_utf8_lossy(&from_find.stdout).lines().collect::<Vec<_>>(), expected);
    // What `find photos` prints.
    let list = "photos\nphotos/a.png\nphotos/deep\nphotos/deep/b.jpg\n";
    let found = listing(folder.path(), list.as_bytes(), &["out"]);
    assert_eq!(String::from_utf8_lossy(&found.stdout).lines().collect::<Vec<_>>(), expected[2..]);
}

#[test]
fn a_list_that_cannot_be_meant_is_refused() {
    let folder = folder_of(&["a.png"]);
    let cases: [(&[u8], &[&str], i32, &str); 5] = [
        (b"", &["out"], 3, "--from-file -: lists nothing"),
        (b"\n\n", &["out"], 3, "--from-file -: lists nothing"),
        (b"a.png\nnone.png\n", &["out"], 3, "input none.png: No such file"),
        (b"a.png\0", &["out"], 2, "paths end with NUL there; add -0"),
        (b"a.png", &["a.png", "out"], 2, "cannot be used with"),
    ];
    for (list, arguments, code, said) in cases {
        assert_ends(&listing(folder.path(), list, arguments), code, "", said);
    }
    let missing = infer(folder.path(), &["--model", "model.onnx", "--from-file", "none", "out"]).output();
    assert_ends(&missing.expect("it starts"), 3, "", "--from-file none: No such file");
}

#[test]
fn names_that_a_line_could_not_show_are_quoted() {
    let folder = folder_of(&["p/two\nlines.png", "p/red\u{1b}[31m.png", "p/a -> b.png", "p/\"q\".png", "p/ünï.png"]);
    write(&folder.path().join(OsStr::from_bytes(b"p/not-\xff.png")), b"");
    let expected = [
        r#""p/\"q\".png" -> "out/\"q\".png""#,
        r#""p/a -> b.png" -> "out/a -> b.png""#,
        r#""p/not-\xFF.png" -> "out/not-\xFF.png""#,
        r#""p/red\u{1b}[31m.png" -> "out/red\u{1b}[31m.png""#,
        r#""p/two\nlines.png" -> "out/two\nlines.png""#,
        "p/ünï.png -> out/ünï.png",
    ];
    assert_eq!(planned(folder.path(), &["p", "out"]), expected);
    let objects: Vec<serde_json::Value> = planned(folder.path(), &["p", "out", "--json"])
        .iter()
        .map(|line| serde_json::from_str(line).expect("an object"))
        .collect();
    assert_eq!(objects[4], serde_json::json!({ "input": "p/two\nlines.png", "output": "out/two\nlines.png" }));
    assert_eq!(objects[2]["input_bytes"], "702f6e6f742dff2e706e67");
    assert_eq!(objects[2]["output_bytes"], "6f75742f6e6f742dff2e706e67");
}
