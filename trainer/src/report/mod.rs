//! `report.html`: a run as one file that works from the disk and without a network.
//!
//! The page is a fixed skeleton, its style and its script (`page/`), and the runs as JSON. The script draws all of it, so
//! that one page shows one run or many. While a run goes on, the page loads itself again.

mod compare;
mod read;
pub(crate) mod series;
mod sheets;

use std::path::{Path, PathBuf};

use program::files::write_whole;
use program::{Exit, Failure, OrExit, print_result};
use serde::Serialize;

use crate::run_directory::REPORT;

pub(crate) use compare::run as compare;
use read::Run;
pub(crate) use read::State;
use sheets::{Sheet, Sheets};

/// Seconds after which the page of a run that goes on loads itself again.
const REFRESH_SECONDS: u32 = 10;

const SKELETON: &str = include_str!("page/page.html");
const STYLE: &str = concat!(include_str!("page/page.css"), include_str!("page/charts.css"));
const SCRIPT: &str = concat!(
    include_str!("page/charts.js"),
    include_str!("page/samples.js"),
    include_str!("page/curves.js"),
    include_str!("page/head.js"),
    include_str!("page/facts.js"),
);

/// A run's page, written again and again while the run goes on.
#[derive(Debug)]
pub(crate) struct Report {
    run: PathBuf,
    sheets: Sheets,
}

impl Report {
    /// The page of the run in that directory.
    pub(crate) fn new(run: &Path) -> Self {
        Self { run: run.to_owned(), sheets: Sheets::default() }
    }

    /// Writes the page as the run's files are now. Costs reading them, and encoding the sheets that are new.
    pub(crate) fn write(&mut self, state: State) -> anyhow::Result<PathBuf> {
        self.write_with(Some(state))
    }

    fn write_with(&mut self, state: Option<State>) -> anyhow::Result<PathBuf> {
        let mut run = Run::read(&self.run, state)?;
        let title = format!("{} · CycleGAN training", run.name);
        let sheets = self.sheets.read(&self.run, |step, message| run.warn_of_damage(step, message))?;
        let path = self.run.join(REPORT);
        write_whole(&path, page(&title, &[Shown { run: &run, sheets }]).as_bytes())?;
        Ok(path)
    }
}

/// `trainer report RUN`: draws the page of a run again.
pub(crate) fn run(run: &Path) -> Result<Exit, Failure> {
    let path = Report::new(run).write_with(None).or_exit(Exit::CannotStart)?;
    print_result(path.display());
    Ok(Exit::Done)
}

/// A run on a page.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    run: &'a Run,
    sheets: Vec<&'a Sheet>,
}

/// All that the script knows.
#[derive(Serialize)]
struct Data<'a> {
    refresh_seconds: u32,
    runs: &'a [Shown<'a>],
}

/// A page of one run or many.
fn page(title: &str, runs: &[Shown<'_>]) -> String {
    let data = serde_json::to_string(&Data { refresh_seconds: REFRESH_SECONDS, runs }).expect("plain values");
    // Nothing inside may end the script element, or begin a comment.
    let data = data.replace('<', r"\u003c");
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let mut page = String::with_capacity(data.len() + SKELETON.len() + STYLE.len() + SCRIPT.len());
    for part in SKELETON.split_inclusive("}}") {
        let (text, place) = part.split_once("{{").unwrap_or((part, ""));
        page += text;
        page += match place.trim_end_matches("}}") {
            "title" => &title,
            "style" => STYLE,
            "script" => SCRIPT,
            "data" => &data,
            "" => "",
            other => unreachable!("the skeleton has no place {other}"),
        };
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_whole_and_fetches_nothing() {
        let page = page("a <b> & c", &[]);
        assert!(page.contains("<title>a &lt;b> &amp; c</title>") && page.ends_with("</html>\n"));
        for fetching in ["http:", "https:", "src=\"", "@import", "url(", "{{"] {
            assert!(!page.contains(fetching), "{fetching}");
        }
    }

    #[test]
    fn a_setting_cannot_end_the_script() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("</script><script>alert(1)");
        fs_err::create_dir_all(&run).expect("writable");
        fs_err::write(run.join("run.toml"), "data = \"</script><!--\"\n").expect("writable");
        let path = Report::new(&run).write(State::Running).expect("a run directory");
        let page = fs_err::read_to_string(path).expect("just written");
        assert_eq!(page.matches("</script>").count(), 2, "the page's own");
        assert!(!page.contains("<!--") && page.contains(r#""state":"running""#));
    }
}
