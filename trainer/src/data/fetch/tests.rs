//! What the command line cannot show: two addresses, and what is on the disk between two calls.

use program::ConsoleArguments;

use super::part::Origin;
use super::*;

#[expect(dead_code, reason = "the tests of the command line use the rest")]
#[path = "../../../tests/loopback/mod.rs"]
mod loopback;

use loopback::{Answer, Server, data_set};

fn fetch(root: &Path, bases: &[&str]) -> Result<PathBuf, FetchError> {
    let patience = Patience(Duration::from_millis(300));
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
