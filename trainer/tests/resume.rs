//! A run that was stopped and goes on ends with the bytes of one that was never stopped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Settings under which everything happens within a few steps: pools that swap, averages, two kept checkpoints.
const BUSY: &str = "--data stripes --size 24 --width 2 --blocks 1 --threads 1 --pool 2 --ema 0.9 --steps 14 --log-every 2 \
                    --sample-every 4 --eval-every 5 --save-every 3";

fn trainer(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command.current_dir(folder).args(arguments.split_whitespace()).stdin(Stdio::null()).env_remove("LD_LIBRARY_PATH");
    command
}

fn run(folder: &Path, arguments: &str) -> Output {
    trainer(folder, arguments).output().expect("it starts")
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, message: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{message:?} in {said}");
}

fn start(folder: &Path, arguments: &str) -> Child {
    trainer(folder, arguments).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill is everywhere");
    assert!(sent.success());
}

/// Waits for another process to get somewhere; false where it ends before.
fn reached(child: &mut Child, place: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !place() {
        if child.try_wait().expect("our own child").is_some() {
            return false;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "it never got there");
        std::thread::yield_now();
    }
    true
}

fn lines(run: &Path) -> usize {
    std::fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

/// All that a run leaves, but for what depends on the clock or on how often it was started.
fn results(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn collect(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("it has one").to_string_lossy().into_owned();
            if path.is_dir() {
                collect(&path, into);
            } else if !["timing.jsonl", "report.html"].contains(&name.as_str()) && !name.starts_with("events.") {
                into.insert(path.clone(), std::fs::read(&path).expect("readable"));
            }
        }
    }
    let mut all = BTreeMap::new();
    collect(run, &mut all);
    all.into_iter().map(|(path, bytes)| (path.strip_prefix(run).expect("below it").to_owned(), bytes)).collect()
}

#[track_caller]
fn assert_same(run: &Path, whole: &BTreeMap<PathBuf, Vec<u8>>, what: &str) {
    let found = results(run);
    assert_eq!(found.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{what}");
    for (path, bytes) in whole {
        assert!(found[path] == *bytes, "{what}: {} differs", path.display());
    }
}

/// What a run gives that nobody disturbs.
fn undisturbed(folder: &Path, preset: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    assert_ends(&run(folder, &format!("{BUSY} --preset {preset} --run whole")), 0, "");
    let whole = results(&folder.join("whole"));
    for file in ["g_ab.ema.ot", "checkpoints/000014.safetensors", "best/g_ab.ot", "samples/000012.png"] {
        assert!(whole.contains_key(Path::new(file)), "{file}");
    }
    whole
}

#[test]
fn runs_killed_at_random_moments_end_with_the_bytes_of_one_that_was_not() {
    let mut random = Pcg64::seed_from_u64(26);
    for preset in ["concat", "paper"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let whole = undisturbed(folder.path(), preset);
        let path = folder.path().join("killed");
        let mut arguments = format!("{BUSY} --preset {preset} --run killed");
        let mut kills = 0;
        loop {
            let mut child = start(folder.path(), &arguments);
            // A moment: so many lines further, and a little later.
            let lines_before = lines(&path) + random.random_range(0..4_usize);
            let later = Duration::from_micros(random.random_range(0..40_000));
            let began = std::cell::OnceCell::new();
            let killed = reached(&mut child, || {
                let there = path.join("run.toml").is_file() && lines(&path) >= lines_before;
                there && began.get_or_init(Instant::now).elapsed() >= later
            });
            if !killed {
                assert_ends(&child.wait_with_output().expect("it has ended"), 0, "");
                break;
            }
            signal(&child, "-KILL");
            let output = child.wait_with_output().expect("it was killed");
            if output.status.code() == Some(0) {
                break; // it was done before the signal came
            }
            kills += 1;
            arguments = "--resume killed".into();
        }
        assert!(kills >= 2, "{kills} kills");
        assert_same(&path, &whole, &format!("{preset}, {kills} kills"));
    }
}

#[test]
fn runs_stopped_by_signals_end_with_130_and_then_with_the_same_bytes() {
    for (preset, name) in [("concat", "-INT"), ("paper", "-TERM")] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let whole = undisturbed(folder.path(), preset);
        let path = folder.path().join("stopped");
        let mut child = start(folder.path(), &format!("{BUSY} --preset {preset} --run stopped"));
        assert!(reached(&mut child, || lines(&path) >= 2), "it has 14 steps to make");
        signal(&child, name);
        let output = child.wait_with_output().expect("it ends by itself");
        assert_ends(&output, 130, "go on with `trainer --resume stopped`");
        // Also where the stop fell between two lines: the losses since the last are in the checkpoint.
        assert_ends(&run(folder.path(), "--resume stopped"), 0, "resume    stopped after step");
        assert_same(&path, &whole, name);
        assert_ends(&run(folder.path(), "--resume stopped"), 0, "finished already");
        assert_same(&path, &whole, "resumed without need");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // One step of this takes many times as long as two signals.
    let mut child =
        start(folder.path(), "--data stripes --size 128 --width 32 --blocks 2 --batch 4 --steps 1000 --run slow");
    let started = folder.path().join("slow/report.html");
    assert!(reached(&mut child, || started.is_file()));
    let said = BufReader::new(child.stderr.take().expect("piped"));
    let mut lines = said.lines().map(|line| line.expect("a text"));
    signal(&child, "-INT");
    // Two signals that come before the first was taken are one to the system.
    assert!(lines.any(|line| line.contains("(again: stop at once)")));
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("our own child").code(), Some(130));
    assert_eq!(lines.find(|line| line.contains("stopped after step")), None, "it did not wait for its step");
}

#[test]
fn a_flag_that_contradicts_the_run_is_refused_by_name_and_others_are_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_ends(&run(folder.path(), &format!("{BUSY} --run one")), 0, "");
    let before = results(&folder.path().join("one"));
    for (flag, message) in [
        ("--size 32", "--size 32 contradicts the run that goes on: its one/run.toml has 24"),
        ("--cycle-weight 3", "--cycle-weight 3 contradicts"),
        ("--epochs 3", "--epochs 3 contradicts the run that goes on: its one/run.toml has not set"),
        ("--preset paper", "--preset paper contradicts"),
        ("--flip", "--flip true contradicts"),
        ("--run other", "--run other contradicts --resume one"),
    ] {
        assert_ends(&run(folder.path(), &format!("--resume one {flag}")), 2, message);
    }
    assert_ends(&run(folder.path(), "--resume one --config x.toml"), 2, "cannot be used with");
    assert_ends(&run(folder.path(), "--resume one --data missing"), 3, "missing");
    assert_same(&folder.path().join("one"), &before, "nothing was touched");
    // What it computes stays the same; where it runs may change.
    let output = run(folder.path(), "--resume one --size 24 --device cpu --cache 0 --keep 1");
    assert_ends(&output, 0, "0 of 800 pictures fit");
    let settings = std::fs::read_to_string(folder.path().join("one/run.toml")).expect("it is there");
    assert!(settings.contains("cache = \"0\"") && settings.contains("keep = 1"), "{settings}");
}

#[test]
fn without_a_name_the_only_unfinished_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_ends(&run(folder.path(), "--resume"), 3, "goes on with the run below runs/");
    assert_ends(&run(folder.path(), &format!("{BUSY} --run runs/one")), 0, "");
    assert_ends(&run(folder.path(), "--resume"), 3, "there is no unfinished run below runs");
    for name in ["two", "three"] {
        let path = folder.path().join("runs").join(name);
        let mut child = start(folder.path(), &format!("{BUSY} --run runs/{name}"));
        assert!(reached(&mut child, || lines(&path) >= 1));
        signal(&child, "-INT");
        assert_ends(&child.wait_with_output().expect("it ends by itself"), 130, "");
        if name == "two" {
            continue;
        }
        let several = "there are several unfinished runs; say which: --resume runs/three, or --resume runs/two";
        assert_ends(&run(folder.path(), "--resume"), 3, several);
        assert_ends(&run(folder.path(), "--resume runs/three"), 0, "");
    }
    assert_ends(&run(folder.path(), "--resume"), 0, "resume    runs/two after step");
    assert_ends(&run(folder.path(), "--resume nowhere"), 3, "nowhere is no run directory: it has no run.toml");
}

#[test]
fn a_checkpoint_cut_short_costs_only_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = undisturbed(folder.path(), "paper");
    let path = folder.path().join("whole");
    let newest = path.join("checkpoints/000014.safetensors");
    for length in [0, 100, whole[Path::new("checkpoints/000014.safetensors")].len() - 1] {
        let bytes = std::fs::read(&newest).expect("it is there");
        std::fs::write(&newest, &bytes[..length]).expect("writable");
        let output = run(folder.path(), "--resume whole");
        assert_ends(&output, 0, "000014.safetensors is damaged");
        assert_ends(&output, 0, "resume    whole after step 12");
        assert_same(&path, &whole, &format!("cut to {length} bytes"));
    }
    for checkpoint in ["000012", "000014"] {
        std::fs::write(path.join("checkpoints").join(checkpoint).with_extension("safetensors"), "").expect("writable");
    }
    assert_ends(&run(folder.path(), "--resume whole"), 0, "there is no checkpoint yet: from the start");
    assert_same(&path, &whole, "no checkpoint left");
}

#[test]
fn a_run_in_use_is_locked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = start(folder.path(), &BUSY.replace("--steps 14", "--steps 1000000 --run one"));
    assert!(reached(&mut child, || lines(&folder.path().join("one")) >= 1));
    for arguments in ["--resume one".to_owned(), format!("{BUSY} --run one --overwrite")] {
        assert_ends(&run(folder.path(), &arguments), 3, "one is in use by another trainer");
    }
    signal(&child, "-INT");
    assert_ends(&child.wait_with_output().expect("it ends by itself"), 130, "");
}

#[test]
fn a_resumed_run_needs_the_pictures_that_it_began_with() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_ends(&run(folder.path(), "datasets stripes photos --size 24"), 0, "");
    let arguments = BUSY.replace("stripes", "photos");
    let mut child = start(folder.path(), &format!("{arguments} --run one"));
    assert!(reached(&mut child, || lines(&folder.path().join("one")) >= 1));
    signal(&child, "-INT");
    assert_ends(&child.wait_with_output().expect("it ends by itself"), 130, "");

    std::fs::rename(folder.path().join("photos"), folder.path().join("moved")).expect("writable");
    assert_ends(&run(folder.path(), "--resume one"), 3, "photos");
    std::fs::rename(folder.path().join("moved/trainA/scene-0003.png"), folder.path().join("kept.png")).expect("there");
    let message = "its pictures are not those that one began with";
    assert_ends(&run(folder.path(), "--resume one --data moved"), 3, message);
    let scene = folder.path().join("moved/trainA/scene-0003.png");
    std::fs::copy(folder.path().join("moved/trainA/scene-0004.png"), &scene).expect("writable");
    assert_ends(&run(folder.path(), "--resume one --data moved"), 3, message);
    std::fs::rename(folder.path().join("kept.png"), &scene).expect("there");
    assert_ends(&run(folder.path(), "--resume one --data moved"), 0, "resume    one after step");
}

#[test]
fn a_folder_that_takes_the_place_of_a_name_is_not_gone_on_with() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_ends(&run(folder.path(), &format!("{BUSY} --run one")), 0, "");
    assert_ends(&run(folder.path(), "datasets stripes stripes --size 24"), 0, "");
    assert_ends(&run(folder.path(), "--resume one"), 3, "its pictures are not those that one began with");
}

#[test]
fn what_is_said_again_as_it_is_contradicts_nothing_also_where_it_was_the_default() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = BUSY.replace("--steps 14", "--run one");
    let mut child = start(folder.path(), &arguments);
    assert!(reached(&mut child, || lines(&folder.path().join("one")) >= 1));
    signal(&child, "-INT");
    assert_ends(&child.wait_with_output().expect("it ends by itself"), 130, "");
    let settings = std::fs::read_to_string(folder.path().join("one/run.toml")).expect("it is there");
    assert!(settings.contains("\nepochs = 200\n"), "{settings}");
    let mut child = start(folder.path(), "--resume one --epochs 200 --size 24 --data stripes");
    let before = lines(&folder.path().join("one"));
    assert!(reached(&mut child, || lines(&folder.path().join("one")) > before), "it goes on");
    signal(&child, "-INT");
    assert_ends(&child.wait_with_output().expect("it ends by itself"), 130, "resume    one after step");
    assert_ends(&run(folder.path(), "--resume one --steps 3"), 2, "--steps 3 contradicts");
}

#[test]
fn best_networks_of_a_step_that_comes_again_are_what_the_run_says_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = undisturbed(folder.path(), "concat");
    let path = folder.path().join("whole");
    // As if it had been killed when the folder of the best was about to be replaced, before the last checkpoint.
    std::fs::remove_file(path.join("checkpoints/000014.safetensors")).expect("it is there");
    std::fs::rename(path.join("best"), path.join("best.before")).expect("it is there");
    std::fs::create_dir(path.join(".writing-best")).expect("writable");
    assert_ends(&run(folder.path(), "--resume whole"), 0, "resume    whole after step 12");
    assert_same(&path, &whole, "best of before");
    // Nothing is said of a best that is not there.
    std::fs::remove_dir_all(path.join("best")).expect("it is there");
    let output = run(folder.path(), "--resume whole");
    assert_ends(&output, 0, "finished already");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("whole/best"));
}

#[test]
fn what_cannot_be_shown_is_said_and_ends_no_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = undisturbed(folder.path(), "concat");
    let path = folder.path().join("whole");
    for checkpoint in ["000012", "000014"] {
        std::fs::remove_file(path.join("checkpoints").join(checkpoint).with_extension("safetensors")).expect("there");
    }
    std::fs::write(path.join("start.json"), "no JSON").expect("writable");
    std::fs::write(path.join("samples/7.png"), "no sheet of ours").expect("writable");
    std::fs::remove_file(path.join("report.html")).expect("it is there");
    std::fs::create_dir_all(path.join("report.html/in the way")).expect("writable");
    let output = run(folder.path(), "--resume whole");
    assert_ends(&output, 0, "warning: the page is not drawn");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("the page is not drawn").count(), 1, "once for each reason: {said}");
    std::fs::remove_file(path.join("samples/7.png")).expect("nobody took it");
    std::fs::remove_dir_all(path.join("report.html")).expect("it is there");
    assert_same(&path, &whole, "not shown, but trained");

    std::fs::write(path.join("best/best.json"), "no JSON").expect("writable");
    std::fs::write(path.join("samples/000004.png"), "no picture").expect("writable");
    assert_ends(&run(folder.path(), "report whole"), 0, "");
    let page = std::fs::read_to_string(path.join("report.html")).expect("it is drawn");
    for damaged in ["best.json is no JSON", "000004.png"] {
        assert!(page.contains(damaged), "{damaged}");
    }
}

#[test]
fn a_page_that_is_drawn_while_a_run_goes_on_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("one");
    let mut child = start(folder.path(), &BUSY.replace("--steps 14", "--steps 1000000 --run one"));
    assert!(reached(&mut child, || lines(&path) >= 1));
    assert_ends(&run(folder.path(), "report one"), 0, "");
    let page = || std::fs::read_to_string(path.join("report.html")).expect("it is drawn");
    assert!(page().contains("\"state\":\"running\""));
    signal(&child, "-KILL");
    child.wait().expect("it was killed");
    assert_ends(&run(folder.path(), "report one"), 0, "");
    assert!(page().contains("\"state\":\"stopped\""));
}

#[test]
fn pictures_that_vanish_cost_no_step_that_was_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_ends(&run(folder.path(), "datasets stripes photos --size 24"), 0, "");
    let arguments = BUSY.replace("stripes", "photos").replace("--steps 14", "--steps 1000000 --cache 0");
    let arguments = arguments.replace("--save-every 3", "--save-every 1000000");
    let mut child = start(folder.path(), &format!("{arguments} --run one"));
    assert!(reached(&mut child, || lines(&folder.path().join("one")) >= 1));
    std::fs::rename(folder.path().join("photos"), folder.path().join("gone")).expect("writable");
    let output = child.wait_with_output().expect("it ends by itself");
    assert_ends(&output, 5, "none of the 400 pictures like");
    std::fs::rename(folder.path().join("gone"), folder.path().join("photos")).expect("writable");
    let mut child = start(folder.path(), "--resume one");
    let before = lines(&folder.path().join("one"));
    assert!(reached(&mut child, || lines(&folder.path().join("one")) > before), "it goes on");
    signal(&child, "-INT");
    assert_ends(&child.wait_with_output().expect("it ends by itself"), 130, "resume    one after step");
}

#[test]
fn earlier_networks_are_trained_on_with_the_settings_that_their_files_know() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = format!("{BUSY} --preset paper --upsample resize --run first");
    assert_ends(&run(folder.path(), &arguments), 0, "");
    let fine = "--data stripes --init-from first/g_ab.ot --steps 1 --rate 1e-30 --threads 1";
    assert_ends(&run(folder.path(), &format!("{fine} --run fine")), 0, "weights   from first/d_b.ot");
    let read = |path: &str| models_torch::read(&folder.path().join(path)).expect("our own file");
    for network in ["g_ab.ot", "g_ba.ot", "d_a.ot", "d_b.ot"] {
        let [first, fine] = ["first", "fine"].map(|run| read(&format!("{run}/{network}")));
        assert!(first.weights == fine.weights, "{network}: a rate that moves nothing");
        assert_eq!(fine.metadata.training_size, Some(24), "without --size");
    }
    // The averaged generator begins where the average was.
    let averaged = fine.replace("g_ab.ot", "g_ab.ema.ot");
    assert_ends(&run(folder.path(), &format!("{averaged} --run average")), 0, "weights   from first/g_ba.ema.ot");
    assert!(read("average/g_ba.ot").weights == read("first/g_ba.ema.ot").weights);

    for (arguments, message) in [
        (fine.replace("g_ab.ot", "d_a.ot"), "it is a discriminator of A; give a generator"),
        (fine.replace("g_ab.ot", "none.ot"), "cannot be read"),
        (format!("{fine} --run first --overwrite"), "lies in the run that would be replaced"),
        (format!("{fine} --width 4"), "it holds the generator A to B of other settings than these"),
    ] {
        let arguments = if arguments.contains("--run") { arguments } else { format!("{arguments} --run no") };
        assert_ends(&run(folder.path(), &arguments), 3, message);
    }
    assert!(!folder.path().join("no").exists(), "nothing was begun");
}

#[test]
fn a_terminal_that_closes_stops_a_run_unless_nohup_started_it() {
    for (nohup, ends) in [(false, true), (true, false)] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let arguments = BUSY.replace("--steps 14", "--steps 1000000 --run one");
        let plain = trainer(folder.path(), &arguments);
        let mut command = if nohup { Command::new("nohup") } else { Command::new(plain.get_program()) };
        if nohup {
            command.arg(plain.get_program());
        }
        command.args(plain.get_args()).current_dir(folder.path()).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let path = folder.path().join("one");
        assert!(reached(&mut child, || lines(&path) >= 1));
        signal(&child, "-HUP");
        if !ends {
            let before = lines(&path);
            assert!(reached(&mut child, || lines(&path) >= before + 5), "it goes on");
            signal(&child, "-INT");
        }
        assert_ends(&child.wait_with_output().expect("it ends by itself"), 130, "stopped after step");
    }
}
