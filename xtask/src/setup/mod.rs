//! `cargo xtask setup`: the native libraries, fetched once a machine and linked as `.native` in the project.
//!
//! The story: what is there and linked is left alone without Python, network or lock. Otherwise, under a lock, pip
//! fetches one pinned wheel after the other into an unfinished folder of the cache, the files that are needed are
//! unpacked, a manifest is written, and a rename puts the folder in its place. Then the link is replaced.

mod cache;
mod fetch;
mod link;
mod pins;
mod python;
mod unpack;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use program::{Console, ConsoleArguments};

use crate::process::{Task, own_libtorch};
pub use pins::{Kind, Wheel};
use python::Python;

/// The system that the wheels are for.
const PLATFORM: &str = "linux-x86_64-gnu";

/// Flags of `cargo xtask setup`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(multiple = false)]
pub struct Arguments {
    /// Fetch the libraries for a GPU machine (2.8 GB)
    #[arg(long)]
    cuda: bool,
    /// Fetch ONNX Runtime alone (24 MB)
    ///
    /// Enough to translate: `cargo build -p infer`. A project that has more already keeps it.
    #[arg(long)]
    infer: bool,
    /// Delete all fetched libraries and the link
    #[arg(long)]
    remove: bool,
}

/// `cargo xtask setup`.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let setup = Setup::of_this_machine(root)?;
    let kind = match arguments {
        Arguments { remove: true, .. } => return setup.remove(),
        Arguments { cuda: true, .. } => Kind::Cuda,
        Arguments { infer: true, .. } => Kind::Infer,
        _ => Kind::Cpu,
    };
    build_torch_sys_again(root, &setup.ensure(kind)?)
}

/// The libraries that `cargo xtask demo` and `test` need. Who names both of their own needs none of ours.
pub(crate) fn ensure(root: &Path) -> Result<()> {
    let own_libtorch = own_libtorch(root).or_else(|| std::env::var_os("LIBTORCH_USE_PYTORCH"));
    if own_libtorch.is_some() && std::env::var_os("ORT_DYLIB_PATH").is_some() {
        eprintln!("native libraries: your own (LIBTORCH or LIBTORCH_USE_PYTORCH, and ORT_DYLIB_PATH)");
        return Ok(());
    }
    build_torch_sys_again(root, &Setup::of_this_machine(root)?.ensure(Kind::Cpu)?)
}

/// torch-sys decides by the files beside libtorch whether programs link CUDA, but cargo does not see when a link leads
/// elsewhere.
fn build_torch_sys_again(root: &Path, done: &Done) -> Result<()> {
    if let Done::Linked { before: Some(_) } = done {
        for profile in ["dev", "release"] {
            Task::cargo(["clean", "--quiet", "--package", "torch-sys", "--profile", profile]).run(root).context(
                "the libraries are linked, but what was built before must be built again: run `cargo clean`",
            )?;
        }
    }
    Ok(())
}

/// What set-up did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing: all was there and linked.
    Present,
    /// The link leads to another place now.
    Linked {
        /// Where it led before.
        before: Option<PathBuf>,
    },
}

/// Everything that set-up works on, so that tests can give it other places.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The project.
    pub root: PathBuf,
    /// The folder that is ours in the user's cache.
    pub cache: PathBuf,
    /// The Python that fetches and unpacks.
    pub python: PathBuf,
    /// The system: operating system, processor, C library.
    pub platform: String,
}

impl Setup {
    /// For a project on this machine.
    ///
    /// # Errors
    /// If the environment does not say where the cache is.
    pub fn of_this_machine(root: &Path) -> Result<Self> {
        // The XDG specification has paths that are not absolute ignored.
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let libc = if cfg!(target_env = "gnu") { "gnu" } else { "other" };
        Ok(Self {
            root: root.into(),
            cache: caches.context("neither XDG_CACHE_HOME nor HOME is set: where is the cache?")?.join("cyclegan"),
            python: "python3".into(),
            platform: format!("{}-{}-{libc}", std::env::consts::OS, std::env::consts::ARCH),
        })
    }

    /// Makes sure that the link leads to a whole set, of at least this kind.
    ///
    /// # Errors
    /// What is missing or failed, where, and the remedy. Whatever was there and linked before stays.
    pub fn ensure(&self, wanted: Kind) -> Result<Done> {
        let before = link::target(&self.root)?;
        let kind = self.enough(wanted, before.as_deref());
        let folder = self.cache.join(kind.folder_name());
        if cache::is_whole(&folder) && before.as_ref() == Some(&folder) {
            let more = if kind > wanted { ", which is all that was asked for and more" } else { "" };
            eprintln!("native libraries ({kind}): present in {}{more}", folder.display());
            return Ok(Done::Present);
        }
        if !cache::is_whole(&folder) {
            self.check_platform()?;
        }
        let lock = cache::lock(&self.cache, || {
            eprintln!("waiting for another `cargo xtask setup` on {}", self.cache.display());
        })?;
        // Another run may have made it meanwhile.
        if !cache::is_whole(&folder) {
            self.make(kind, &folder, &lock)?;
        }
        link::point(&self.root, &folder)?;
        eprintln!("native libraries ({kind}): {} leads to {}", link::place(&self.root).display(), folder.display());
        if let Some(before) = before.as_ref().filter(|before| !before.starts_with(&self.cache)) {
            eprintln!(
                "it led to {} before; to use libraries of your own, set LIBTORCH and ORT_DYLIB_PATH",
                before.display()
            );
        }
        Ok(Done::Linked { before: before.filter(|before| *before != folder) })
    }

    /// Deletes the sets of all projects and this project's link.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn remove(&self) -> Result<()> {
        let target = link::target(&self.root)?;
        let mut sets = 0;
        if self.cache.is_dir() {
            let lock = cache::lock(&self.cache, || eprintln!("waiting for another `cargo xtask setup`"))?;
            sets = cache::clear(&self.cache, lock)?;
        }
        eprintln!("sets of native libraries removed from {}: {sets}", self.cache.display());
        match target {
            Some(target) if !target.starts_with(&self.cache) => {
                eprintln!(
                    "{} leads to {}, which set-up did not make: left",
                    link::place(&self.root).display(),
                    target.display()
                );
            }
            Some(_) => fs_err::remove_file(link::place(&self.root))?,
            None => {}
        }
        Ok(())
    }

    /// The set to have, by what is asked for and what is linked.
    fn enough(&self, wanted: Kind, linked: Option<&Path>) -> Kind {
        let linked = linked.filter(|target| target.parent() == Some(&self.cache));
        let name = linked.and_then(|target| target.file_name()).and_then(|name| name.to_str());
        match (wanted, name.and_then(Kind::of_folder)) {
            // Who asked for CUDA once has a GPU, and `test` and `demo` do not ask again, also not with newer pins.
            (Kind::Cpu, Some(Kind::Cuda)) => Kind::Cuda,
            // Every set has ONNX Runtime; but nobody who asks for 24 MB is made to fetch a larger one again.
            (Kind::Infer, Some(kind)) if cache::is_whole(&self.cache.join(kind.folder_name())) => kind,
            _ => wanted,
        }
    }

    fn check_platform(&self) -> Result<()> {
        if self.platform != PLATFORM {
            bail!(
                "the pinned libraries are for Linux on x86_64 with glibc, and this is {}: unpack libtorch {} and ONNX Runtime \
                 {} for your system, set LIBTORCH to libtorch's folder and ORT_DYLIB_PATH to ONNX Runtime's library, then use \
                 cargo as always; set-up is not needed then",
                self.platform,
                pins::LIBTORCH_VERSION,
                Kind::Infer.wheels()[0].version
            );
        }
        Ok(())
    }

    /// Fetches and unpacks a set.
    fn make(&self, kind: Kind, folder: &Path, lock: &cache::Lock) -> Result<()> {
        let python = Python { program: self.python.clone(), cache: self.cache.clone(), kind };
        let unfinished = cache::begin(&self.cache, lock)?;
        let made = self.fill(kind, &python, &unfinished).and_then(|()| cache::finish(&unfinished, folder, lock));
        made.map_err(|error| {
            // Best effort: what cannot be deleted now is by the next run.
            let _ = fs_err::remove_dir_all(&unfinished);
            match error.chain().filter_map(|cause| cause.downcast_ref()).any(is_disk_full) {
                true => error.context(python.disk_full()),
                false => error,
            }
        })
    }

    fn fill(&self, kind: Kind, python: &Python, unfinished: &Path) -> Result<()> {
        let total = kind.wheels().iter().map(|wheel| wheel.bytes).sum();
        eprintln!("fetching native libraries ({kind}), {}, into {}", program::bytes(total), self.cache.display());
        let mut console = Console::new(ConsoleArguments::default());
        let bar = bytes_bar(&mut console, total);
        let mut done = 0;
        // One after the other: only one wheel at a time takes space beside what is unpacked.
        for wheel in kind.wheels() {
            let name = format!("{} {}", wheel.name, wheel.version);
            bar.set_message(name.clone());
            if !console.has_visible_bar() {
                console.say(format!("fetching {name} ({})", program::bytes(wheel.bytes)));
            }
            let download = unfinished.join("download");
            let file = fetch::fetch(python, wheel, &download, &|bytes| bar.set_position(done + bytes))?;
            bar.set_message(format!("{name}, unpacking"));
            unpack::unpack(python, wheel, &file, unfinished)?;
            fs_err::remove_dir_all(&download)?;
            done += wheel.bytes;
        }
        console.end_bar();
        unpack::complete(kind, unfinished)
    }
}

fn bytes_bar(console: &mut Console, total: u64) -> ProgressBar {
    let bar = console.start_bar(total, "bytes");
    let template = "{wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} · {eta} left · {msg}";
    bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
    bar
}

fn is_disk_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
