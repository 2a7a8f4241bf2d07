//! Other programs, started so that a failure names the command to run again.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// A command with its arguments and variables. Its `Display` can be pasted into a shell.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, String)>,
}

impl Task {
    /// A program with its arguments.
    pub(crate) fn new<A: Into<OsString>>(program: impl Into<OsString>, arguments: impl IntoIterator<Item = A>) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            variables: Vec::new(),
        }
    }

    /// The cargo that started us, or the one on the path.
    pub(crate) fn cargo<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::new("cargo", arguments)
    }

    /// The same with a variable set.
    pub(crate) fn with_variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Runs it in the project's root on our terminal. All that it prints is progress here: it goes to stderr.
    pub(crate) fn run(&self, root: &Path) -> Result<()> {
        let status = self
            .command(root)
            .stdout(std::io::stderr())
            .status()
            .with_context(|| format!("`{self}` cannot be started"))?;
        if !status.success() {
            bail!("`{self}` ended with {status}");
        }
        Ok(())
    }

    /// Runs it silently; gives what it prints to stdout.
    pub(crate) fn output(&self, root: &Path) -> Result<Vec<u8>> {
        let output = self.command(root).output().with_context(|| format!("`{self}` cannot be started"))?;
        if !output.status.success() {
            bail!("`{self}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output.stdout)
    }

    /// Runs it silently in a folder to its end, however that is.
    pub(crate) fn finished(&self, folder: &Path) -> Result<Output> {
        self.command(folder).output().with_context(|| format!("`{self}` cannot be started"))
    }

    /// The same, started by another program: `strace`, with its options.
    pub(crate) fn behind<A: Into<OsString>>(mut self, program: &str, options: impl IntoIterator<Item = A>) -> Self {
        let own = std::mem::replace(&mut self.program, program.into());
        let options = options.into_iter().map(Into::into);
        self.arguments = options.chain([own]).chain(self.arguments).collect();
        self
    }

    /// Ready to be started in a folder.
    pub(crate) fn command(&self, root: &Path) -> Command {
        let program = match (self.program == "cargo", std::env::var_os("CARGO")) {
            (true, Some(cargo)) => cargo,
            _ => self.program.clone(),
        };
        let mut command = Command::new(program);
        command.args(&self.arguments).current_dir(root).stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        // `cargo xtask` got this from .cargo/config.toml. Handed on as a real variable it would look to cargo like another
        // libtorch than a plain `cargo build` has, and torch-sys would be built again each time.
        if own_libtorch(root).is_none() {
            command.env_remove("LIBTORCH");
        }
        command
    }
}

/// The user's own libtorch: a LIBTORCH that is not the one which .cargo/config.toml sets.
pub(crate) fn own_libtorch(root: &Path) -> Option<OsString> {
    std::env::var_os("LIBTORCH").filter(|value| Path::new(value) != root.join(".native/torch"))
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(OsStr::new(value)))?;
        }
        write!(f, "{}", quoted(&self.program))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

/// As a shell wants it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_reads_as_it_would_be_typed() {
        let task = Task::cargo(["doc", "--no-deps", "it's", ""]).with_variable("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(task.to_string(), r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s' ''");
    }

    #[test]
    fn a_failure_names_the_command() {
        let root = Path::new("/");
        let error = Task::new("sh", ["-c", "exit 3"]).run(root).expect_err("it fails").to_string();
        assert_eq!(error, "`sh -c 'exit 3'` ended with exit status: 3");
        let error = Task::new("/no/such/program", [""; 0]).run(root).expect_err("it is missing");
        assert!(format!("{error:#}").starts_with("`/no/such/program` cannot be started: "), "{error:#}");
    }
}
