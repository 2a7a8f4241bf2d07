//! Data sets that come from servers, among them bad ones, as a user types it.

#[expect(dead_code, reason = "the tests in `data::fetch` use the rest")]
mod loopback;
mod typed;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use loopback::{Answer, Server, archive, data_set, picture};
use typed::{assert_ends, entries, folder, trainer};

/// One step of a network that trains in a moment.
const SMALL: [&str; 10] = ["--size", "24", "--width", "2", "--blocks", "1", "--threads", "1", "--steps", "1"];
/// A server that is silent for longer is given up: longer than a busy machine takes to answer itself.
const PATIENCE: &str = "2";
/// The same where a server does stall and the test has to wait for it.
const LITTLE_PATIENCE: &str = "0.5";
/// Where a server cuts its answer: behind the first bytes of every archive here, before its end.
const CUT: usize = 700;

fn fetching(folder: &Path, name: &str, url: &str) -> Command {
    let arguments = ["--data", name, "--data-url", url, "--data-patience", PATIENCE, "--overwrite"];
    trainer(folder, &[arguments.as_slice(), &SMALL].concat())
}

fn fetch_impatiently(folder: &Path, server: &Server) -> Output {
    let arguments = ["--data", "horse2zebra", "--data-url", &server.url, "--data-patience", LITTLE_PATIENCE];
    trainer(folder, &[arguments.as_slice(), &SMALL].concat()).output().expect("it starts")
}

fn fetch(folder: &Path, name: &str, server: &Server) -> Output {
    fetching(folder, name, &server.url).output().expect("it starts")
}

fn part(folder: &Path) -> PathBuf {
    folder.join("datasets/.fetch-horse2zebra.zip.part")
}

/// The data set is where it belongs, whole, with nothing left beside it.
#[track_caller]
fn assert_fetched(folder: &Path) {
    assert_eq!(entries(&folder.join("datasets")), ["horse2zebra"]);
    let set = folder.join("datasets/horse2zebra");
    assert_eq!(entries(&set), ["testA", "testB", "trainA", "trainB"]);
    assert_eq!(std::fs::read(set.join("trainA/2.png")).expect("it is there"), picture(40));
}

fn wait_until(child: &mut Child, reached: impl Fn() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(child.try_wait().expect("our own child").is_none(), "it ended before");
        assert!(start.elapsed() < Duration::from_secs(60), "it never got there");
        std::thread::yield_now();
    }
}

#[test]
fn a_name_is_fetched_once_and_trained_on() {
    let folder = folder();
    let server = Server::start(|_, request| Answer::file(request, &data_set("horse2zebra/"), "1"));
    let output = fetch(folder.path(), "horse2zebra", &server);
    assert_ends(&output, 0, "horse2zebra is in datasets/horse2zebra");
    assert_ends(&output, 0, "horse2zebra: 2 pictures of A, 1 of B, test 1 and 1");
    assert_ends(&output, 0, "over 1 pairs"); // 1_A.png and 1_B.png
    assert_fetched(folder.path());
    assert_eq!(server.requests()[0].path, "/horse2zebra.zip");
    assert_ends(&fetch(folder.path(), "horse2zebra", &server), 0, "");
    assert_eq!(server.requests().len(), 1, "the folder is there now");
}

#[test]
fn a_run_that_is_there_is_found_before_anything_is_fetched() {
    let folder = folder();
    let server = Server::start(|_, request| Answer::file(request, &data_set(""), "1"));
    std::fs::create_dir_all(folder.path().join("runs/horse2zebra")).expect("writable");
    std::fs::write(folder.path().join("runs/horse2zebra/run.toml"), "").expect("writable");
    let output = fetch_impatiently(folder.path(), &server);
    assert_ends(&output, 3, "runs/horse2zebra holds a run already");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn an_own_name_comes_from_an_own_address_with_or_without_a_folder_around_it() {
    let folder = folder();
    for top in ["", "inner/"] {
        let server = Server::start(move |_, request| Answer::file(request, &data_set(top), "1"));
        let url = format!("{}/sets/", server.url);
        let name = format!("mine{}", top.len());
        assert_ends(&fetching(folder.path(), &name, &url).output().expect("it starts"), 0, "");
        assert_eq!(server.requests()[0].path, format!("/sets/{name}.zip"));
    }
    assert_eq!(entries(&folder.path().join("datasets")), ["mine0", "mine6"]);
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    let folder = folder();
    let server = Server::start(|number, request| {
        let answer = Answer::file(request, &data_set(""), "1");
        if number == 0 { answer.cut_after(CUT) } else { answer }
    });
    assert_ends(&fetch(folder.path(), "horse2zebra", &server), 0, "the connection was cut after 700 of ");
    assert_fetched(folder.path());
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!((requests[1].range.as_deref(), requests[1].if_range.as_deref()), (Some("bytes=700-"), Some("\"1\"")));
}

#[test]
fn a_line_that_is_cut_again_and_again_gets_there_as_long_as_it_gets_further() {
    let folder = folder();
    let server = Server::start(|_, request| {
        let answer = Answer::file(request, &data_set(""), "1");
        let all = answer.body.len();
        answer.cut_after(all.min(200))
    });
    assert_ends(&fetch(folder.path(), "horse2zebra", &server), 0, "");
    assert_fetched(folder.path());
    assert!(server.requests().len() > 6, "more tries than may come to nothing");
}

#[test]
fn a_server_that_ignores_ranges_is_read_from_the_start() {
    let folder = folder();
    let server = Server::start(|number, _| {
        let answer = Answer::whole(&data_set(""), "1");
        if number == 0 { answer.cut_after(CUT) } else { answer }
    });
    assert_ends(&fetch(folder.path(), "horse2zebra", &server), 0, "");
    assert_fetched(folder.path());
    assert!(server.requests()[1].range.is_some(), "it was asked");
}

#[test]
fn a_file_that_has_changed_since_the_cut_is_not_mixed_with_the_new_one() {
    let folder = folder();
    let server = Server::start(|number, request| match number {
        0 => Answer::file(request, &data_set("an-older-and-longer-name/"), "old").cut_after(CUT),
        _ => Answer::file(request, &data_set(""), "new"),
    });
    assert_ends(&fetch(folder.path(), "horse2zebra", &server), 0, "");
    assert_fetched(folder.path());
    assert_eq!(server.requests()[1].if_range.as_deref(), Some("\"old\""));
}

#[test]
fn without_a_tag_or_a_date_a_cut_download_starts_again() {
    let folder = folder();
    let server = Server::start(|number, request| {
        let mut answer = Answer::file(request, &data_set(""), "1");
        answer.headers.retain(|(name, _)| *name != "ETag");
        if number == 0 { answer.cut_after(CUT) } else { answer }
    });
    assert_ends(&fetch(folder.path(), "horse2zebra", &server), 0, "");
    assert_fetched(folder.path());
    assert_eq!(server.requests()[1].range, None, "nothing says that it is the same file");
}

#[test]
fn a_stalled_download_is_tried_again_and_goes_on() {
    let folder = folder();
    let server = Server::start(|number, request| {
        let answer = Answer::file(request, &data_set(""), "1");
        if number == 0 { answer.stalling_after(CUT) } else { answer }
    });
    assert_ends(&fetch_impatiently(folder.path(), &server), 0, "nothing came for 0.5 s: trying again");
    assert_fetched(folder.path());
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=700-"));
}

#[test]
fn a_server_that_never_gets_further_is_given_up_and_what_came_is_kept() {
    let folder = folder();
    let server = Server::start(|_, request| {
        let answer = Answer::file(request, &data_set(""), "1");
        if request.range.is_none() { answer.cut_after(CUT) } else { answer.stalling_after(0) }
    });
    let output = fetch_impatiently(folder.path(), &server);
    assert_ends(&output, 3, "nothing came for 0.5 s (5 tries); the 1 kB that have come are kept");
    assert_ends(&output, 3, "or unpack horse2zebra.zip to datasets/horse2zebra by hand");
    assert_eq!(std::fs::metadata(part(folder.path())).expect("it is kept").len(), CUT as u64);
}

#[test]
fn errors_of_a_server_are_final_or_tried_again_by_their_kind() {
    let cases = [
        (404, "the server answers 404 Not Found; try again later, give another address", 1),
        (403, "the server answers 403 Forbidden", 1),
        (500, "the server answers 500 Internal Server Error (5 tries)", 5),
        (503, "the server answers 503 Service Unavailable (5 tries)", 5),
        (429, "the server answers 429 Too Many Requests (5 tries)", 5),
    ];
    for (status, message, tries) in cases {
        let folder = folder();
        let server = Server::start(move |_, _| Answer::status(status));
        let output = fetch(folder.path(), "horse2zebra", &server);
        assert_ends(&output, 3, message);
        assert_ends(&output, 3, &format!("{}/horse2zebra.zip: the server", server.url));
        assert_eq!(server.requests().len(), tries, "{status}");
        assert_eq!(entries(&folder.path().join("datasets")), [""; 0], "nothing came, nothing is left");
    }
    let folder = folder();
    let server = Server::start(|number, request| match number {
        0 => Answer::status(500),
        _ => Answer::file(request, &data_set(""), "1"),
    });
    assert_ends(&fetch(folder.path(), "horse2zebra", &server), 0, "500 Internal Server Error: trying again");
    assert_fetched(folder.path());
}

#[test]
fn what_answers_no_http_or_not_at_all_is_named() {
    let folder = folder();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let url = format!("http://{}", nobody.local_addr().expect("it is bound"));
    drop(nobody);
    let output = fetching(folder.path(), "horse2zebra", &url).output().expect("it starts");
    assert_ends(&output, 3, &format!("{url}/horse2zebra.zip: "));
    assert_ends(&output, 3, "refused");
}

#[test]
fn a_killed_download_goes_on_in_the_next_run() {
    let folder = folder();
    let server = Server::start(|number, request| {
        let answer = Answer::file(request, &data_set(""), "1");
        if number == 0 { answer.stalling_after(CUT) } else { answer }
    });
    let mut child = trainer(folder.path(), &["--data", "horse2zebra", "--data-url", &server.url])
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    wait_until(&mut child, || std::fs::metadata(part(folder.path())).is_ok_and(|part| part.len() == CUT as u64));
    child.kill().expect("it is there");
    child.wait().expect("it ends");
    assert_eq!(entries(&folder.path().join("datasets")).len(), 2, "the part and what it is a part of, no folder");
    assert_ends(&fetch(folder.path(), "horse2zebra", &server), 0, "");
    assert_fetched(folder.path());
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=700-"));
}

#[test]
fn ctrl_c_ends_a_silent_download_at_once_and_keeps_what_came() {
    let folder = folder();
    let server = Server::start(|_, request| Answer::file(request, &data_set(""), "1").stalling_after(CUT));
    let mut child = trainer(folder.path(), &["--data", "horse2zebra", "--data-url", &server.url])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    wait_until(&mut child, || std::fs::metadata(part(folder.path())).is_ok_and(|part| part.len() == CUT as u64));
    let interrupted =
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is everywhere");
    assert!(interrupted.success());
    let output = child.wait_with_output().expect("it ends by itself");
    assert_ends(&output, 130, "what has come is kept, and the same command goes on from there");
    assert_eq!(std::fs::metadata(part(folder.path())).expect("it is kept").len(), CUT as u64);
}

#[test]
fn a_second_process_waits_for_the_first_and_goes_on_where_that_was() {
    let folder = folder();
    let server = Server::start(|number, request| {
        let answer = Answer::file(request, &data_set(""), "1");
        if number == 0 { answer.stalling_after(CUT) } else { answer }
    });
    let mut first = trainer(folder.path(), &["--data", "horse2zebra", "--data-url", &server.url])
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    wait_until(&mut first, || std::fs::metadata(part(folder.path())).is_ok_and(|part| part.len() == CUT as u64));
    let mut second =
        fetching(folder.path(), "horse2zebra", &server.url).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = std::io::BufReader::new(second.stderr.take().expect("it is piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).expect("it speaks");
    assert!(line.contains("another process is fetching horse2zebra into datasets: waiting"), "{line}");
    assert_eq!(server.requests().len(), 1, "it asks for nothing meanwhile");
    first.kill().expect("it is there");
    first.wait().expect("it ends");
    std::io::Read::read_to_string(&mut said, &mut line).expect("it speaks");
    assert!(second.wait().expect("it ends").success(), "{line}");
    assert_fetched(folder.path());
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=700-"));
}

#[test]
fn a_hostile_or_broken_archive_leaves_nothing_behind() {
    let whole = data_set("");
    let mut damaged = whole.clone();
    damaged[120] ^= 0xff; // in the first picture
    let image = picture(1);
    let cases: [(&str, Vec<u8>, &str); 7] = [
        (
            "no archive",
            b"<html>Sign in to the network</html>".to_vec(),
            "it answers with something that is no zip archive",
        ),
        ("a truncated one", whole[..whole.len() - 30].to_vec(), "it is no whole zip archive"),
        ("a damaged one", damaged, "it is no whole zip archive"),
        ("leads out", archive(&[("../../evil.png", &image)]), "`../../evil.png` leads out of its folder"),
        ("a bomb", archive(&[("trainA/bomb.png", &vec![0; 40 << 20])]), "cannot need"),
        ("one side", archive(&[("trainA/1.png", &image)]), "there is no folder trainB in it"),
        (
            "an empty side",
            archive(&[("x/trainA/1.png", &image), ("x/trainB/1.txt", b"")]),
            "there is no picture in trainB",
        ),
    ];
    for (what, bytes, message) in cases {
        let folder = folder();
        let server = Server::start(move |_, request| Answer::file(request, &bytes, "1"));
        let inside = folder.path().join("deep/er");
        std::fs::create_dir_all(&inside).expect("writable");
        let output = fetch(&inside, "horse2zebra", &server);
        assert_ends(&output, 3, message);
        assert_ends(&output, 3, &format!("{}/horse2zebra.zip", server.url));
        assert_eq!(entries(&inside.join("datasets")), [""; 0], "{what}");
        assert_eq!(
            (entries(&inside), entries(folder.path())),
            (vec!["datasets".into()], vec!["deep".into()]),
            "{what}"
        );
    }
}

#[test]
fn a_full_disk_is_named_as_such() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("datasets")).expect("writable");
    // Linux's device that is always full, in the place of the file that is written.
    std::os::unix::fs::symlink("/dev/full", part(folder.path())).expect("writable");
    let server = Server::start(|_, request| Answer::file(request, &data_set(""), "1"));
    let output = fetch(folder.path(), "horse2zebra", &server);
    assert_ends(&output, 5, "No space left on device");
    assert_ends(&output, 5, "free some space, or choose another --data-root");
}

#[test]
fn pictures_to_translate_are_fetched_but_not_trained_on() {
    let folder = folder();
    let bytes = archive(&[("ae_photos/testA/1.png", &picture(1))]);
    let server = Server::start(move |_, request| Answer::file(request, &bytes, "1"));
    for _again in 0..2 {
        let message = "it is in datasets/ae_photos, and holds only pictures to translate";
        assert_ends(&fetch(folder.path(), "ae_photos", &server), 3, message);
    }
    assert!(folder.path().join("datasets/ae_photos/testA/1.png").is_file());
    assert_eq!(server.requests().len(), 1);
}
