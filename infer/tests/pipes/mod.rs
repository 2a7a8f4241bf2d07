//! One picture through pipes.

use image::ImageReader;
use pictures::Format;

use crate::support::{assert_ends, channel_model, encoded, folder_with, picture, piped, write};

#[test]
fn a_picture_comes_through_in_its_format_or_the_one_asked_for() {
    let folder = folder_with(&channel_model([2, 1, 0]));
    let photo = encoded(&picture(9, 6), Format::Png);
    write(&folder.path().join("photo.png"), &photo);
    let swapped = pictures::Picture::from_fn(9, 6, |x, y| {
        let [red, green, blue] = picture(9, 6).get_pixel(x, y).0;
        [blue, green, red].into()
    });
    let native = ["--fit", "native"];
    let cases = [
        (&["-", "-"][..], Format::Png),
        (&["photo.png", "-"], Format::Png),
        (&["-", "-", "--format", "tiff"], Format::Tiff),
        (&["-", "-", "--quiet"], Format::Png),
    ];
    for (arguments, format) in cases {
        let output = piped(folder.path(), &[arguments, &native].concat(), &photo);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let reader = ImageReader::new(std::io::Cursor::new(&output.stdout)).with_guessed_format().expect("in memory");
        assert_eq!(reader.format(), Some(format), "{arguments:?}");
        assert_eq!(reader.decode().expect("whole").to_rgb8(), swapped, "{arguments:?}");
    }
    let files: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(files.len(), 2, "nothing is written beside: {files:?}");
}

#[test]
fn what_is_no_picture_ends_with_one_and_nothing_on_standard_output() {
    let folder = folder_with(&channel_model([0, 1, 2]));
    for input in [&b""[..], b"no picture", &encoded(&picture(30, 30), Format::Png)[..200]] {
        let output = piped(folder.path(), &["-", "-"], input);
        assert_ends(&output, 1, "", "failed: -: ");
    }
}

#[test]
fn what_cannot_go_through_a_pipe_is_a_usage_error() {
    let folder = folder_with(&channel_model([0, 1, 2]));
    let photo = encoded(&picture(4, 4), Format::Png);
    write(&folder.path().join("photos/a.png"), &photo);
    let cases: [(&[&str], &str); 6] = [
        (&["photos", "-"], "the output - takes one picture, and the input is a directory"),
        (&["photos/a.png", "photos/a.png", "-"], "the output - takes one picture"),
        (&["-", "out"], "- stands for one picture through pipes and goes alone"),
        (&["-", "-", "--report", "r.jsonl"], "with the output - there is no plan and no report"),
        (&["-", "-", "--json"], "with the output - there is no plan and no report"),
        (&["-", "-", "--dry-run"], "with the output - there is no plan and no report"),
    ];
    for (arguments, message) in cases {
        assert_ends(&piped(folder.path(), arguments, &photo), 2, "", message);
    }
}
