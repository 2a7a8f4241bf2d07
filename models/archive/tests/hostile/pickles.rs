//! Hostile pickles.

use super::assembler::{Pickle, single};
use super::reading::{assert_refused, read, seed};
use super::targets;

/// A million operations and more, in a file of a few megabytes.
const MANY: usize = 1 << 20;

#[test]
fn what_a_pickle_would_call_is_named_and_never_called() {
    let marker = std::env::temp_dir().join(format!("called-by-a-pickle-{}", std::process::id()));
    let command = format!("touch {}", marker.display());
    let call =
        |pickle: Pickle, module: &str, name: &str| pickle.global(module, name).raw(b"(").text(&command).raw(b"tR");
    let beside = |pickle: Pickle| pickle.text("w").tensor("0", 4, 0, &[4], &[1]);
    for (module, name) in [("os", "system"), ("posix", "system"), ("builtins", "eval"), ("torch", "load")] {
        let inside = beside(call(Pickle::new().raw(b"}(").text("evil"), module, name)).raw(b"u").file(16);
        let message = read(&inside).expect_err("no tensor").to_string();
        assert!(message.starts_with(&format!("`evil` is made by `{module}.{name}`, which is not known")), "{message}");
        // Outside the state_dict it is of no interest; nor as an attribute, or as a class.
        let outside = call(Pickle::new().raw(b"}(").text("evil"), module, name).text("network").raw(b"}(");
        let outside = read(&beside(outside).raw(b"uu").file(16)).expect("the state_dict is good");
        assert_eq!((outside.key.as_deref(), outside.tensors.len()), (Some("network"), 1));
    }
    let built = Pickle::new().global("evil", "Class").raw(b")\x81}").text("w").tensor("0", 4, 0, &[4], &[1]).raw(b"sb");
    let message = read(&built.file(16)).expect_err("an object is no dictionary");
    assert!(message.starts_with("holds no state_dict but an object of `evil.Class`"), "{message}");
    assert!(!marker.exists());
}

#[test]
fn tensors_that_their_storage_does_not_hold_are_refused() {
    let large = i64::MAX;
    let needs = "needs more numbers than the 4";
    let damaged = "makes a tensor";
    let cases = [
        ("one too many", single(4, 0, &[5], &[1]), needs),
        ("behind the end", single(4, 4, &[1], &[1]), needs),
        ("a stride too long", single(4, 0, &[2, 2], &[3, 1]), needs),
        ("no numbers far behind", single(4, large, &[0], &[1]), needs),
        ("an end beyond 64 bits", single(4, large, &[large], &[large]), "a shape that no memory holds"),
        ("a stride beyond 64 bits", single(4, 1, &[3], &[large]), needs),
        ("a count beyond 64 bits", single(4, 0, &[1 << 40, 1 << 40], &[0, 0]), "a shape that no memory holds"),
        ("a huge side behind a 0", single(4, 0, &[0, 1 << 40, 1 << 40], &[1, 1, 1]), "a shape that no memory holds"),
        ("one number a trillion times", single(4, 0, &[1 << 20, 1 << 20], &[0, 0]), "needs more than 16 MiB"),
        ("a negative side", single(4, 0, &[-1], &[1]), damaged),
        ("a negative stride", single(4, 3, &[4], &[-1]), damaged),
        ("a negative offset", single(4, -1, &[4], &[1]), damaged),
        ("more strides than sides", single(4, 0, &[4], &[1, 1]), damaged),
        ("a thousand dimensions", single(4, 0, &[1; 1000], &[1; 1000]), damaged),
        ("a storage that is shorter", single(5, 0, &[4], &[1]), "`data/0` has 16 bytes, and data.pkl says 20"),
        ("a storage that is longer", single(3, 0, &[3], &[1]), "`data/0` has 16 bytes, and data.pkl says 12"),
        ("a storage of 2^66 bytes", single(1 << 62, 0, &[4], &[1]), "`data/0` has 16 bytes"),
        ("a negative storage", single(-4, 0, &[4], &[1]), "a storage without a class or a count"),
    ];
    assert_refused(&cases);
}

#[test]
fn pickles_that_break_the_rules_say_where() {
    let body = |operations: &[u8]| Pickle::new().raw(operations).file(16);
    let global =
        |operations: &[u8]| Pickle::new().global("torch._utils", "_rebuild_tensor_v2").raw(operations).file(16);
    assert_refused(&[
        ("nothing", targets::wrapped(b"", &[], &[]), "data.pkl ends too early, at byte 0"),
        ("a later protocol", targets::wrapped(b"\x80\x06.", &[], &[]), "a protocol that is not known, at byte 0"),
        ("an empty stack", body(b""), "takes more values than there are, at byte 2"),
        ("a mark is no value", body(b"(("), "takes more values than there are, at byte 4"),
        ("values below a mark", body(b"N(\x85"), "takes more values than there are, at byte 4"),
        ("no mark", body(b"Nt"), "lacks a mark, at byte 3"),
        ("a key alone", body(b"}(Nu"), "a key without a value, at byte 5"),
        ("nothing was remembered", body(b"h\x07"), "recalls what it did not remember, at byte 2"),
        ("a place beyond all", body(b"Nr\xff\xff\xff\xff"), "remembers more values than it has bytes, at byte 3"),
        ("a text beyond the end", body(b"X\xff\xff\xff\xff"), "ends too early, at byte 2"),
        ("a text beyond 64 bits", body(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "ends too early, at byte 2"),
        ("a text that is none", body(b"X\x01\0\0\0\xff"), "a text that is not UTF-8, at byte 2"),
        ("a text operation", body(b"I1\n"), "an operation that is not known, at byte 2"),
        ("a global of numbers", body(b"K\x01K\x02\x93"), "names a global by what is no text, at byte 6"),
        ("no tuple of arguments", global(b"NR"), "calls something with what is no tuple"),
        ("no storage", global(b"(NK\0))tR"), "makes a tensor of something else"),
        ("a tuple as storage", global(b"()K\0))tR"), "makes a tensor without a storage"),
        ("a reference to nothing", body(b"NQ"), "refers to what is no storage"),
    ]);
}

#[test]
fn cycles_bombs_and_depth_end_as_small_files_do() {
    let tensor = |pickle: Pickle| pickle.text("w").tensor("0", 4, 0, &[4], &[1]);
    // A dictionary that holds itself twice, and its tensor.
    let cycle =
        tensor(Pickle::new().raw(b"}q\0(").text("self").raw(b"h\0").text("again").raw(b"h\0")).raw(b"u").file(16);
    let contents = read(&cycle).expect("it is read once");
    assert_eq!((contents.tensors.len(), contents.skipped), (1, vec!["self".into(), "again".into()]));

    // 2^64 paths to one state_dict.
    let mut doubled = tensor(Pickle::new().raw(b"}(")).raw(b"uq\0");
    for _ in 0..64 {
        doubled = doubled.raw(b"}(").text("a").raw(b"h\0").text("b").raw(b"h\0uq\0");
    }
    assert_refused(&[
        ("doubled", doubled.file(16), "holds no state_dict"), // deeper than is looked
        ("tuples in tuples", Pickle::new().raw(b"N").repeat(b"\x85", MANY).file(0), "needs more than"),
        ("dictionaries", Pickle::new().repeat(b"}K\x01", 20_000).raw(b"}").repeat(b"s", 20_000).file(0), "no state"),
        ("lists in lists", Pickle::new().repeat(b"]", MANY).repeat(b"a", MANY - 1).file(0), "no state_dict"),
        ("copies", Pickle::new().raw(b"}").repeat(b"2", 8 * MANY).file(0), "needs more than"),
        ("marks", Pickle::new().repeat(b"(", MANY).file(0), "takes more values than there are"),
        ("memories", Pickle::new().raw(b"N").repeat(b"\x94", 4 * MANY).file(0), "needs more than"),
    ]);
}

#[test]
fn repeating_what_is_long_costs_no_more_than_its_bytes() {
    let long = "x".repeat(1 << 20);
    let calls = Pickle::new().global("evil", &long).raw(b"q\0").repeat(b"h\0)R0", 1 << 18).raw(b"N").file(0);
    let storages =
        Pickle::new().raw(b"(").text("storage").global("torch", "FloatStorage").text(&long).raw(b"NK\x01tq\0");
    let storages = storages.repeat(b"h\0Q0", 1 << 18).raw(b"N").file(0);
    let shape = Pickle::new().repeat(b"K\x01", 1 << 16);
    let shape = Pickle(shape.0[2..].to_vec()); // without a second protocol
    let shapes = Pickle::new().raw(b"(").raw(&shape.0).raw(b"tq\0").global("torch._utils", "_rebuild_tensor_v2");
    let shapes = shapes.raw(b"q\x01(").storage("FloatStorage", "0", 4).raw(b"K\0h\0h\0tq\x02");
    let shapes = shapes.repeat(b"h\x01h\x02R0", 1 << 18).raw(b"N").file(16);
    // The same names in a dictionary, and one tensor under a hundred thousand names.
    let mut names =
        Pickle::new().text(&long).raw(b"q\0").raw(b"0").tensor("0", 4, 0, &[4], &[1]).raw(b"q\x01").raw(b"0}(");
    names = names.repeat(b"h\0h\x01", 1 << 18).raw(b"u");
    let views = Pickle::new().tensor("0", 1 << 14, 0, &[1 << 14], &[1]).raw(b"q\0").raw(b"0}(");
    let views = (0..1000).fold(views, |views, number| views.text(&format!("{number}")).raw(b"h\0")).raw(b"u");
    assert_refused(&[
        ("a global", calls, "too long for a name"),
        ("a storage's key", storages, "refers to what is no storage"),
        ("a shape", shapes, "makes a tensor whose shape and strides do not fit"),
        ("a name", names.file(16), "is there twice"),
        ("a storage", views.file(4 << 14), "needs more than"),
    ]);
}

#[test]
fn every_flipped_byte_of_a_pickle_ends_in_what_it_holds_or_an_error() {
    for name in ["state_dict.pkl", "protocol4.pkl", "parameters.pkl"] {
        let pickle = seed("pickle", name);
        for place in 0..pickle.len() {
            for mask in [0x01, 0x80] {
                let mut flipped = pickle.clone();
                flipped[place] ^= mask;
                targets::pickle(&flipped);
            }
        }
    }
}
