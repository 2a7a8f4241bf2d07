//! `report.html` and `compare.html` in a real browser.

mod browser;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use browser::Browser;
use pictures::{Format, Picture, encode, grid};
use program::files::write_whole;
use serde_json::{Value, json};

/// Updates of the run that the fixture is.
const UPDATES: u64 = 200;

fn trainer(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).env_remove("LD_LIBRARY_PATH");
    command.output().expect("it starts")
}

/// Runs it and gives what it printed.
#[track_caller]
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = trainer(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A run directory with all that may be in one, as after `done` of its updates. The last line is half written.
fn write_run(run: &Path, preset: &str, done: u64) {
    let write = |file: &str, bytes: &[u8]| write_whole(&run.join(file), bytes).expect("writable");
    write(
        "run.toml",
        format!("# Where the pictures are.\ndata = \"zebras\"\npreset = \"{preset}\"\nsize = 8\nbatch = 2\n")
            .as_bytes(),
    );
    let (mut metrics, mut timing) = (String::new(), String::new());
    for step in (10..=done).step_by(10) {
        let loss = 1.0 / step as f64 + if step % 20 == 0 { 0.02 } else { 0.0 };
        let losses: serde_json::Map<String, Value> =
            trainer::update::LOSSES.iter().map(|name| ((*name).to_owned(), loss.into())).collect();
        metrics += &format!("{}\n", json!({ "step": step, "losses": losses, "learning_rate": 2e-4 }));
        timing += &format!("{}\n", json!({ "step": step, "steps": 10, "seconds": 2.0, "waited_for_pictures": 0.1 }));
        if step % 50 == 0 {
            let measured = |l1: f64| json!({ "l1": l1, "psnr": 18.0, "ssim": 0.5 });
            let l1 = if step == 100 { 14.0 } else { 16.0 };
            let paired =
                json!({ "pairs": 24, "a_to_b": measured(l1), "b_to_a": measured(l1), "untranslated": measured(27.4) });
            metrics += &format!("{}\n", json!({ "step": step, "paired": paired }));
        }
    }
    let remedy = "The outputs are negatives; start again with another --seed.";
    metrics += &format!("{}\n", json!({ "step": done, "warning": { "kind": "colour_inversion", "message": remedy } }));
    write("metrics.jsonl", (metrics + "{\"step\":2").as_bytes());
    write("timing.jsonl", timing.as_bytes());
    for step in (0..=done).step_by(50) {
        let cell = Picture::from_pixel(8, 8, [step as u8, 100, 200 - step as u8].into());
        let sheet = grid(&vec![vec![cell; 6]; 4], 4);
        write(&format!("samples/{step:06}.png"), &encode(&sheet, Format::Png).expect("small"));
    }
    let start = json!({
        "device": "cuda:0 (NVIDIA H100)", "threads": 8, "updates": UPDATES, "program": "trainer 0.1.0", "memory_bytes": 3e9,
        "data": { "name": "zebras", "sides": { "trainA": { "pictures": 1067 }, "trainB": { "pictures": 1334 } } },
        "networks": { "generator_parameters": 11_378_179, "discriminator_parameters": 2_764_737, "multiply_adds": 4.96e10 },
    });
    write("start.json", start.to_string().as_bytes());
    write("best/best.json", br#"{"step":100,"l1":14.0}"#);
}

/// The pictures that are shown, as a value to compare.
const SHOWN: &str = "[...document.querySelectorAll('.crop img')].map((image) => image.src).join()";
/// The first curve of the cycle losses.
const CURVE: &str = "document.querySelector('[data-panel=cycle] .curve.line').getAttribute('d')";
/// What a page says; nothing while it begins to load.
const TEXT: &str = "document.body?.innerText ?? ''";

fn text(browser: &mut Browser, expression: &str) -> String {
    browser.evaluate(expression).as_str().expect("a text").to_owned()
}

#[test]
fn a_page_shows_its_run_and_answers_to_slider_switches_and_mouse() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_run(&folder.path().join("run"), "paper", UPDATES);
    assert_eq!(printed(folder.path(), &["report", "run"]), "run/report.html\n");
    browser.resize(1400, 900);
    browser.open(&folder.path().join("run/report.html"));

    let page = text(&mut browser, TEXT);
    for part in [
        "zebras",
        "Finished",
        "Step 200 of 200",
        "40 s in steps",
        "Colour inversion at step 200",
        "start again with another --seed",
        "best 14.0 at step 100",
        "untranslated",
        "weights kept: step 100",
        "cuda:0 (NVIDIA H100)",
        "11.4M",
        "3.0 GB",
        "1,067",
        "Where the pictures are.",
        "preset: 256",
        "waiting 5.0 %",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let panels = browser.evaluate("[...document.querySelectorAll('[data-panel] .curve.line')].map((curve) => curve.closest('[data-panel]').dataset.panel)");
    let expected = [
        "l1",
        "l1",
        "psnr",
        "psnr",
        "ssim",
        "ssim",
        "cycle",
        "cycle",
        "identity",
        "identity",
        "adversarial",
        "adversarial",
        "discriminators",
        "discriminators",
        "rate",
        "seconds",
        "pictures",
        "waiting",
    ];
    assert_eq!(panels, json!(expected));
    assert_eq!(browser.evaluate("document.querySelectorAll('[data-panel=l1] .baseline').length"), 1);
    assert_eq!(browser.evaluate("document.querySelectorAll('[data-panel=cycle] .warning-mark').length"), 1);

    // The slider, by keyboard: the picture is another one, and comes back.
    let newest = text(&mut browser, SHOWN);
    browser.evaluate("document.querySelector('#slider').focus()");
    browser.press("ArrowLeft");
    assert_eq!(browser.evaluate("document.querySelector('#shown-step').value"), "Step 150");
    let earlier = text(&mut browser, SHOWN);
    assert!(newest != earlier && earlier.starts_with("data:image/"));
    assert_eq!(browser.evaluate("document.querySelector('.crop img').decode().then(() => true)"), true);
    browser.press("ArrowRight");
    assert_eq!(text(&mut browser, SHOWN), newest);

    // Playing begins with the first sheet.
    let play = "const button = document.querySelector('#play'); button.click()";
    let played = format!("(() => {{ {play}; return document.querySelector('#shown-step').value; }})()");
    assert_eq!(browser.evaluate(&played), "Step 0");
    assert_eq!(browser.evaluate("document.querySelector('#play').getAttribute('aria-pressed')"), "true");

    // Switches.
    let smoothed = text(&mut browser, CURVE);
    browser.point_at("#smoothing", true);
    let raw = text(&mut browser, CURVE);
    assert_ne!(raw, smoothed);
    browser.point_at("#logarithmic", true);
    assert_ne!(text(&mut browser, CURVE), raw);

    // The mouse reads values.
    browser.point_at("[data-panel=l1]", false);
    let readout = text(&mut browser, "document.querySelector('[data-panel=l1] .readout').innerText");
    assert!(readout.contains("Step 100") && readout.contains("14.0"), "{readout}");

    // A phone's width: nothing sticks out.
    browser.resize(400, 800);
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0);
    browser.assert_quiet();
}

#[test]
fn the_page_of_a_run_that_goes_on_loads_again_and_keeps_what_the_reader_chose() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_run(&folder.path().join("run"), "paper", 150);
    printed(folder.path(), &["report", "run"]);
    let page = folder.path().join("run/report.html");
    // As the trainer writes it while it is at work, but for the time between two looks.
    let running = |page: &Path| {
        let text = std::fs::read_to_string(page).expect("just written");
        assert!(text.contains(r#""state":"stopped""#) && text.contains(r#""refresh_seconds":10"#));
        let text = text.replace(r#""state":"stopped""#, r#""state":"running""#);
        let text = text.replace(r#""refresh_seconds":10"#, r#""refresh_seconds":1"#);
        write_whole(page, text.as_bytes()).expect("writable");
    };
    running(&page);
    browser.resize(1400, 900);
    browser.open(&page);
    assert!(text(&mut browser, TEXT).contains("Step 150 of 200"));
    browser.evaluate("document.querySelector('#slider').focus()");
    browser.press("ArrowLeft");
    browser.press("ArrowLeft");
    browser.point_at("#smoothing", true);
    let chosen = "[document.querySelector('#shown-step').value, document.querySelector('#smoothing').checked, scrollY]";
    let before = browser.evaluate(chosen);
    assert_eq!((&before[0], &before[1]), (&json!("Step 50"), &json!(false)));

    write_run(&folder.path().join("run"), "paper", 190);
    printed(folder.path(), &["report", "run"]);
    // The run has stopped there, so that this page is the last and is not on its way when it is asked.
    browser.wait_for_load();
    while !text(&mut browser, TEXT).contains("Step 190 of 200") {
        browser.wait_for_load();
    }
    assert_eq!(browser.evaluate(chosen), before);
    browser.assert_quiet();
}

#[test]
fn the_page_of_a_real_run_is_there_when_it_ends() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = "--data stripes --size 24 --width 2 --blocks 1 --threads 1 --steps 12 --log-every 1 --sample-every 6 --eval-every 6 --run run";
    printed(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    browser.open(&folder.path().join("run/report.html"));
    let page = text(&mut browser, TEXT);
    for part in [
        "stripes",
        "Finished",
        "Step 12 of 12",
        "preset concat · 24 × 24 · batch 1 · cpu",
        "trainA",
        "400",
        "L1 on test pairs, last",
        "weights kept: step",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(browser.evaluate("document.querySelector('#slider').max"), "2", "sheets of the steps 0, 6 and 12");
    assert_eq!(browser.evaluate("document.querySelectorAll('.crop svg rect').length"), 2 * (7 + 5), "gaps are covered");
    browser.assert_quiet();
}

#[test]
fn runs_are_compared_in_a_table_and_on_a_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_run(&folder.path().join("one"), "paper", UPDATES);
    write_run(&folder.path().join("two"), "concat", 150);
    let table = printed(folder.path(), &["compare", "one", "two", "-o", "both.html"]);
    snapbox::assert_data_eq!(
        table,
        snapbox::str![[r#"
run  preset  steps  cycle     id    adv      d  L1 last  L1 best  s/step
one  paper     200  0.025  0.025  0.025  0.025     16.0     14.0   0.200
two  concat    150  0.007  0.007  0.007  0.007     16.0     14.0   0.200

"#]]
    );
    let Some(mut browser) = Browser::start() else { return };
    browser.resize(1400, 900);
    browser.open(&folder.path().join("both.html"));
    let page = text(&mut browser, TEXT);
    for part in ["2 runs side by side", "one", "two", "Settings that differ", "concat", "one · A → B", "two · step 150"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(browser.evaluate("document.querySelectorAll('[data-panel=cycle] .curve.line').length"), 4);
    assert_eq!(browser.evaluate("document.querySelectorAll('.sheet').length"), 2);
    let newest = text(&mut browser, SHOWN);
    browser.evaluate("document.querySelector('#slider').focus()");
    browser.press("ArrowLeft");
    browser.press("ArrowLeft");
    assert_eq!(browser.evaluate("document.querySelector('#shown-step').value"), "Step 100");
    assert_ne!(text(&mut browser, SHOWN), newest, "both runs show the same earlier step");
    browser.assert_quiet();
}

#[test]
fn what_is_no_run_directory_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [["report", "runs/none"], ["compare", "runs/none"]] {
        let output = trainer(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("runs/none is no run directory: it has no run.toml; give one that"), "{said}");
    }
    assert!(!folder.path().join("compare.html").exists(), "no page of nothing");
}

#[test]
fn a_run_that_has_only_its_settings_has_a_page_too() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("run.toml"), "data = \"zebras\"\n").expect("writable");
    printed(folder.path(), &["report", "."]);
    browser.open(&folder.path().join("report.html"));
    assert!(text(&mut browser, TEXT).contains("zebras"));
    browser.assert_quiet();
}
