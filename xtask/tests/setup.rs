//! Set-up without a network: pip is played by `fake_python.sh`, wheels are tiny. Unpacking is done by the real python3.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::setup::{Done, Kind, Setup};

/// Makes a zip archive for each line of stdin: its path, then the paths in it.
const MAKE_WHEELS: &str = "
import sys, zipfile
for line in sys.stdin:
    wheel, *names = line.split()
    with zipfile.ZipFile(wheel, 'w') as archive:
        for name in names:
            archive.writestr(name, name)
";

/// A machine with a project, a cache and a Python of its own.
struct Machine {
    folder: tempfile::TempDir,
    setup: Setup,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [root, cache, tools] = ["project", "cache/cyclegan", "tools"].map(|name| folder.path().join(name));
        fs_err::create_dir_all(&root).expect("writable");
        make_wheels(&tools.join("wheels"));
        let python = tools.join("python3");
        fs_err::write(&python, include_str!("fake_python.sh")).expect("writable");
        fs_err::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).expect("ours");
        let setup = Setup { root, cache, python, platform: "linux-x86_64-gnu".into() };
        let machine = Self { folder, setup };
        machine.pip_is("good");
        machine
    }

    /// How pip behaves from now on.
    fn pip_is(&self, mode: &str) {
        fs_err::write(self.folder.path().join("tools/mode"), mode).expect("writable");
    }

    /// What pip was asked for so far.
    fn calls(&self) -> Vec<String> {
        let calls = fs_err::read_to_string(self.folder.path().join("tools/calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn link(&self) -> PathBuf {
        self.setup.root.join(".native")
    }

    fn set(&self, kind: Kind) -> PathBuf {
        self.setup.cache.join(kind.folder_name())
    }

    fn ensure(&self, kind: Kind) -> Done {
        self.setup.ensure(kind).expect("nothing is in the way")
    }

    fn error(&self, kind: Kind) -> String {
        format!("{:#}", self.setup.ensure(kind).expect_err("something is in the way"))
    }

    fn leads_to(&self, kind: Kind) -> bool {
        fs_err::read_link(self.link()).is_ok_and(|target| target == self.set(kind))
    }

    fn in_cache(&self) -> BTreeSet<String> {
        let Ok(entries) = std::fs::read_dir(&self.setup.cache) else { return BTreeSet::new() };
        let names = entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned());
        names.filter(|name| name != "setup.lock").collect()
    }
}

/// Wheels of the pinned names, with a file for everything that set-up keeps, and one that it does not.
fn make_wheels(folder: &Path) {
    fs_err::create_dir_all(folder).expect("writable");
    let mut contents: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for wheel in Kind::ALL.into_iter().flat_map(Kind::wheels) {
        let files = wheel.keep.iter().map(|pattern| pattern.replace(".so*", ".so").replace('*', "x"));
        contents.entry(wheel.name).or_default().extend(files.chain(["package/not_kept.py".into()]));
    }
    let line = |(name, files): (&&str, &BTreeSet<String>)| {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        format!("{}/{name}.whl {}\n", folder.display(), files.join(" "))
    };
    let lines = folder.join("lines");
    fs_err::write(&lines, contents.iter().map(line).collect::<String>()).expect("writable");
    let input = fs_err::File::open(&lines).expect("just written").into_parts().0;
    let status = Command::new("python3").args(["-c", MAKE_WHEELS]).stdin(input).status().expect("python3 is installed");
    assert!(status.success(), "the wheels could not be made");
}

#[test]
fn the_first_run_makes_the_layout_that_the_crates_expect() {
    let machine = Machine::new();
    assert_eq!(machine.ensure(Kind::Cpu), Done::Linked { before: None });
    assert!(machine.leads_to(Kind::Cpu));
    let native = machine.link();
    assert_eq!(fs_err::read_to_string(native.join("torch/build-version")).expect("made"), "2.13.0");
    let libtorch = fs_err::read_link(native.join("torch/lib/libtorch.so")).expect("a link");
    assert_eq!(libtorch, Path::new("libtorch_cpu.so"));
    for file in
        ["torch/include/x", "nvidia/cu13/lib/libcupti.so", "nvidia/cu13/lib/libcudart.so", "onnxruntime/LICENSE"]
    {
        assert!(native.join(file).is_file(), "{file} is kept");
    }
    assert!(!native.join("package").exists(), "nothing else is kept");
    assert!(!native.join("download").exists(), "no wheel stays");
    assert_eq!(machine.in_cache(), [Kind::Cpu.folder_name()].into(), "nothing unfinished stays");
}

#[test]
fn a_second_run_needs_neither_python_nor_the_network_nor_the_right_system() {
    let mut machine = Machine::new();
    machine.ensure(Kind::Cpu);
    machine.setup.python = "/no/such/python3".into();
    machine.setup.platform = "other".into();
    assert_eq!(machine.ensure(Kind::Cpu), Done::Present);
    fs_err::remove_file(machine.link()).expect("it is there");
    assert_eq!(machine.ensure(Kind::Cpu), Done::Linked { before: None }, "a second project links what is in the cache");
    assert!(machine.leads_to(Kind::Cpu));
}

#[test]
fn what_is_missing_or_fails_is_said_with_its_remedy_and_nothing_stays_behind() {
    let table = [
        ("no_pip", ["has no pip", "apt-get install python3-pip"]),
        ("full", ["is full", "XDG_CACHE_HOME"]),
        ("full_while_unpacking", ["is full", "XDG_CACHE_HOME"]),
        ("other_hash", ["another SHA-256", "was not unpacked"]),
        ("no_network", ["does not answer", "check the network"]),
    ];
    for (mode, expected) in table {
        let machine = Machine::new();
        machine.pip_is(mode);
        let error = machine.error(Kind::Cpu);
        for part in expected {
            assert!(error.contains(part), "{mode}: {error}\nlacks: {part}");
        }
        assert!(machine.in_cache().is_empty(), "{mode}: {:?}", machine.in_cache());
        assert!(machine.link().symlink_metadata().is_err(), "{mode}: no link without libraries");
        machine.pip_is("good");
        machine.ensure(Kind::Cpu);
    }
}

#[test]
fn a_missing_python_is_said_with_its_remedy() {
    let mut machine = Machine::new();
    machine.setup.python = "/no/such/python3".into();
    let error = machine.error(Kind::Infer);
    assert!(error.contains("/no/such/python3 was not found") && error.contains("install Python 3"), "{error}");
}

#[test]
fn another_system_is_told_which_variables_to_set() {
    let mut machine = Machine::new();
    machine.setup.platform = "macos-aarch64-other".into();
    let error = machine.error(Kind::Cpu);
    for part in ["macos-aarch64", "LIBTORCH", "2.13.0", "ORT_DYLIB_PATH", "1.31.1"] {
        assert!(error.contains(part), "{error}\nlacks: {part}");
    }
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn of_two_runs_at_once_one_fetches_and_both_succeed() {
    let machine = Machine::new();
    let second = Setup { root: machine.folder.path().join("second"), ..machine.setup.clone() };
    fs_err::create_dir_all(&second.root).expect("writable");
    std::thread::scope(|scope| {
        for setup in [&machine.setup, &second, &machine.setup] {
            scope.spawn(|| setup.ensure(Kind::Cpu).expect("nothing is in the way"));
        }
    });
    assert_eq!(machine.calls().len(), Kind::Cpu.wheels().len(), "{:?}", machine.calls());
    assert!(machine.leads_to(Kind::Cpu));
    assert_eq!(fs_err::read_link(second.root.join(".native")).expect("a link"), machine.set(Kind::Cpu));
}

#[test]
fn a_damaged_set_is_fetched_again() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("a file is missing", |set| fs_err::remove_file(set.join("torch/lib/libc10.so")).expect("it is there")),
        ("a file is cut", |set| fs_err::write(set.join("torch/lib/libtorch_cpu.so"), "x").expect("writable")),
        ("the manifest is missing", |set| fs_err::remove_file(set.join("manifest")).expect("it is there")),
    ];
    for (name, damage) in damages {
        let machine = Machine::new();
        machine.ensure(Kind::Cpu);
        damage(&machine.set(Kind::Cpu));
        assert_eq!(machine.ensure(Kind::Cpu), Done::Linked { before: None }, "{name}");
        assert_eq!(machine.ensure(Kind::Cpu), Done::Present, "{name}");
        assert_eq!(machine.calls().len(), 2 * Kind::Cpu.wheels().len(), "{name}");
        assert_eq!(machine.in_cache(), [Kind::Cpu.folder_name()].into(), "{name}");
    }
}

#[test]
fn what_a_dead_run_left_is_deleted() {
    let machine = Machine::new();
    let left = machine.setup.cache.join("unfinished-1/torch");
    fs_err::create_dir_all(&left).expect("writable");
    fs_err::write(machine.setup.cache.join("setup.lock"), "").expect("writable");
    machine.ensure(Kind::Infer);
    assert_eq!(machine.in_cache(), [Kind::Infer.folder_name()].into());
}

#[test]
fn a_larger_set_replaces_a_smaller_one_and_is_kept() {
    let machine = Machine::new();
    let [infer, cpu, cuda] = Kind::ALL.map(|kind| machine.set(kind));
    assert_eq!(machine.ensure(Kind::Infer), Done::Linked { before: None });
    assert!(!machine.link().join("torch").exists());
    assert_eq!(machine.ensure(Kind::Cpu), Done::Linked { before: Some(infer) });
    assert_eq!(machine.ensure(Kind::Infer), Done::Present, "the CPU set has ONNX Runtime too");
    assert_eq!(machine.ensure(Kind::Cuda), Done::Linked { before: Some(cpu) });
    assert_eq!(machine.ensure(Kind::Cpu), Done::Present, "`test` and `demo` leave CUDA as it is");
    assert_eq!(machine.ensure(Kind::Infer), Done::Present);
    let libtorch = machine.link().join("torch/lib/libtorch.so").symlink_metadata();
    assert!(libtorch.is_err(), "with CUDA it is the wheel's own, and no link");

    // A newer program has other pins: its folder has another name.
    fs_err::rename(&cuda, machine.setup.cache.join("native-00000000-cuda")).expect("ours");
    fs_err::remove_file(machine.link()).expect("ours");
    fs_err::os::unix::fs::symlink(machine.setup.cache.join("native-00000000-cuda"), machine.link()).expect("writable");
    machine.ensure(Kind::Cpu);
    assert!(machine.leads_to(Kind::Cuda), "the machine has a GPU with newer pins too");
}

#[test]
fn who_asks_for_onnx_runtime_alone_is_not_made_to_fetch_more() {
    let machine = Machine::new();
    machine.ensure(Kind::Cpu);
    fs_err::remove_dir_all(machine.set(Kind::Cpu)).expect("ours");
    machine.ensure(Kind::Infer);
    assert!(machine.leads_to(Kind::Infer));
}

#[test]
fn a_link_of_another_hand_is_replaced_but_a_folder_is_not() {
    let machine = Machine::new();
    let elsewhere = machine.folder.path().join("elsewhere");
    fs_err::create_dir_all(elsewhere.join("torch")).expect("writable");
    fs_err::os::unix::fs::symlink(&elsewhere, machine.link()).expect("writable");
    assert_eq!(machine.ensure(Kind::Cpu), Done::Linked { before: Some(elsewhere.clone()) });
    assert!(elsewhere.join("torch").is_dir(), "what it led to stays");

    fs_err::remove_file(machine.link()).expect("ours");
    fs_err::create_dir(machine.link()).expect("writable");
    let error = machine.error(Kind::Cpu);
    assert!(error.contains(".native is a file or folder") && error.contains("move it away"), "{error}");
}

#[test]
fn a_failed_upgrade_keeps_what_was_linked() {
    let machine = Machine::new();
    machine.ensure(Kind::Infer);
    machine.pip_is("no_network");
    machine.error(Kind::Cpu);
    assert!(machine.leads_to(Kind::Infer));
    assert_eq!(machine.in_cache(), [Kind::Infer.folder_name()].into());
}

#[test]
fn removing_clears_what_is_ours_and_nothing_else() {
    let machine = Machine::new();
    machine.setup.remove().expect("nothing to remove is fine");
    machine.ensure(Kind::Cpu);
    machine.setup.remove().expect("nothing is in the way");
    assert!(machine.link().symlink_metadata().is_err());
    assert!(!machine.setup.cache.exists());

    machine.ensure(Kind::Infer);
    for name in ["datasets", "python-0"] {
        fs_err::create_dir(machine.setup.cache.join(name)).expect("writable");
    }
    fs_err::remove_file(machine.link()).expect("ours");
    fs_err::os::unix::fs::symlink(machine.folder.path(), machine.link()).expect("writable");
    machine.setup.remove().expect("nothing is in the way");
    assert_eq!(machine.in_cache(), ["datasets".to_owned()].into());
    assert!(machine.link().symlink_metadata().is_ok(), "a link that set-up did not make stays");
}
