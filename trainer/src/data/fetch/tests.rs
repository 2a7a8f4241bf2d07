//! What the command line cannot show: two addresses, and what is on the disk between two calls.

use program::ConsoleArguments;

use super::part::Origin;
use super::*;

#[expect(dead_code, reason = "the tests of the command line use the rest")]
#[path = "../../../tests/loopback/mod.rs"]
mod loopback;

use loopback::{Answer, Server, data_set};

fn fetch(root: &Path, bases: &[&str]) -> Result<PathBuf, FetchError> {
    let patience = Patience(Duration::from_secs(1));
    let fetch = Fetch { name: "set", root, bases: bases.to_vec(), tests_only: false, patience };
    fetch.run(&mut Console::new(ConsoleArguments { quiet: true, verbose: false }))
}

fn root() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn the_second_address_is_tried_where_the_first_does_not_give_the_file() {
    let root = root();
    let without = Server::start(|_, _| Answer::status(404));
    let with = Server::start(|_, request| Answer::file(request, &data_set(""), "1"));
    let place = fetch(root.path(), &[&without.url, &with.url]).expect("the second has it");
    assert_eq!(place, root.path().join("set"));
    assert_eq!((without.requests().len(), with.requests().len()), (1, 1));
}

#[test]
fn a_page_instead_of_an_archive_is_not_taken_and_the_next_address_is_tried() {
    let root = root();
    let page = Server::start(|_, request| Answer::file(request, b"<html>Sign in to the network</html>", "page"));
    let with = Server::start(|_, request| Answer::file(request, &data_set(""), "1"));
    fetch(root.path(), &[&page.url, &with.url]).expect("the second has it");
    let error = fetch(self::root().path(), &[&page.url]).expect_err("no archive").to_string();
    assert!(error.contains("/set.zip: it answers with something that is no zip archive"), "{error}");
}

#[test]
fn an_error_says_of_every_address_why_it_failed() {
    let root = root();
    let servers = [404, 500].map(|status| Server::start(move |_, _| Answer::status(status)));
    let error = fetch(root.path(), &[&servers[0].url, &servers[1].url]).expect_err("nobody has it").to_string();
    for (server, why) in servers.iter().zip(["404 Not Found", "500 Internal Server Error (5 tries)"]) {
        assert!(error.contains(&format!("{}/set.zip: the server answers {why}", server.url)), "{error}");
    }
}

#[test]
fn a_host_that_is_not_known_is_not_waited_for() {
    // Longer than the part of a host's name may be: the system refuses it without asking the network.
    let url = format!("http://{}.invalid", "x".repeat(64));
    let error = fetch(root().path(), &[&url]).expect_err("no such host").to_string();
    assert!(error.contains("no such host is known") && !error.contains("tries"), "{error}");
}

#[test]
fn what_came_from_one_address_is_gone_on_with_there_first() {
    let root = root();
    let part = root.path().join(".fetch-set.zip.part");
    let other = Server::start(|_, request| Answer::file(request, &data_set("other/"), "other"));
    let first = Server::start(|_, request| Answer::file(request, &data_set(""), "1"));
    let origin = Origin { url: format!("{}/set.zip", first.url), validator: Some("\"1\"".into()), total: None };
    fs_err::write(&part, &data_set("")[..500]).expect("writable");
    fs_err::write(root.path().join(".fetch-set.json"), serde_json::to_vec(&origin).expect("plain")).expect("writable");
    fetch(root.path(), &[&other.url, &first.url]).expect("the rest comes");
    assert_eq!(other.requests().len(), 0);
    assert_eq!(first.requests()[0].range.as_deref(), Some("bytes=500-"));
}

#[test]
fn an_archive_that_was_whole_before_it_was_unpacked_is_not_fetched_again() {
    let root = root();
    let server = Server::start(|_, _| Answer::status(500));
    let archive = data_set("");
    let total = Some(archive.len() as u64);
    let origin = Origin { url: format!("{}/set.zip", server.url), validator: None, total };
    fs_err::write(root.path().join(".fetch-set.zip.part"), archive).expect("writable");
    fs_err::write(root.path().join(".fetch-set.json"), serde_json::to_vec(&origin).expect("plain")).expect("writable");
    // And what a crash left of the unpacking.
    fs_err::create_dir_all(root.path().join(".unpack-set/trainA/old")).expect("writable");
    fetch(root.path(), &[&server.url]).expect("all is there");
    assert_eq!(server.requests().len(), 0);
    assert!(!root.path().join("set/trainA/old").exists(), "cleared first");
    assert_eq!(fs_err::read_dir(root.path()).expect("readable").count(), 1, "the data set, nothing beside it");
}

#[test]
fn bytes_of_unknown_origin_are_not_gone_on_with() {
    let root = root();
    fs_err::write(root.path().join(".fetch-set.zip.part"), b"anything").expect("writable");
    let server = Server::start(|_, request| Answer::file(request, &data_set(""), "1"));
    fetch(root.path(), &[&server.url]).expect("fetched from the start");
    assert_eq!(server.requests()[0].range, None);
}

#[test]
fn an_address_with_https_is_spoken_to_with_tls_or_not_at_all() {
    let root = root();
    let server = Server::start(|_, request| Answer::file(request, &data_set(""), "1"));
    let error = fetch(root.path(), &[&server.url.replace("http:", "https:")]).expect_err("it speaks none").to_string();
    assert!(error.contains("no secure connection") && !error.contains("tries"), "{error}");
    assert!(!root.path().join("set").exists());
}

#[test]
fn a_server_that_leads_on_is_followed() {
    let root = root();
    let target = Server::start(|_, request| Answer::file(request, &data_set(""), "1"));
    let there = format!("{}/moved/set.zip", target.url);
    let server = Server::start(move |_, _| {
        let mut answer = Answer::status(302);
        answer.headers.push(("Location", there.clone()));
        answer
    });
    fetch(root.path(), &[&server.url]).expect("it is there");
    assert_eq!(target.requests()[0].path, "/moved/set.zip");
}

#[test]
fn a_body_without_a_length_is_read_to_its_end() {
    let root = root();
    let server = Server::start(|_, request| Answer::file(request, &data_set(""), "1").without_length());
    fetch(root.path(), &[&server.url]).expect("the archive's directory is at its end");
    // Cut, it looks as if it had ended: the archive is not whole then, and is not kept.
    let cut = Server::start(|_, request| Answer::file(request, &data_set(""), "1").without_length().cut_after(700));
    fs_err::remove_dir_all(root.path().join("set")).expect("it is there");
    let error = fetch(root.path(), &[&cut.url]).expect_err("it is cut").to_string();
    assert!(error.contains("it is no whole zip archive"), "{error}");
    assert_eq!(fs_err::read_dir(root.path()).expect("readable").count(), 0);
}

#[test]
fn a_part_that_the_server_does_not_have_is_thrown_away() {
    let root = root();
    let server = Server::start(|number, request| match number {
        0 => Answer::file(request, &data_set(""), "1").cut_after(700),
        1 => Answer::status(416),
        2 => Answer::file(request, &data_set(""), "1").cut_after(700),
        3 => {
            let mut other = Answer::file(request, &data_set(""), "1");
            other.headers.retain(|(name, _)| *name != "Content-Range");
            other.headers.push(("Content-Range", "bytes 600-1000/99".into()));
            other
        }
        _ => Answer::file(request, &data_set(""), "1"),
    });
    fetch(root.path(), &[&server.url]).expect("the third time it comes whole");
    let ranges: Vec<bool> = server.requests().iter().map(|request| request.range.is_some()).collect();
    assert_eq!(ranges, [false, true, false, true, false]);
}
