//! `cargo xtask dist`: what is given to people who build nothing.
//!
//! A folder with `infer` and ONNX Runtime beside it, which needs nothing else of the machine than the C and C++ libraries
//! that every Linux has, and the same as a tarball; man pages and completions of all three programs. What is packed depends
//! on the sources alone, not on the time nor on who packs it.

mod notices;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};
use program::files::Growing;
use tar::HeaderMode;
use walkdir::WalkDir;

use crate::process::Task;
use crate::root::target_folder;

/// Flags of `cargo xtask dist`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Where everything goes [default: target/dist]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// What the reader of the tarball sees first.
const README: &str = include_str!("README.txt");

/// Makes everything, and prints the tarball's path and size.
#[expect(clippy::print_stdout, reason = "the result")]
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let target = target_folder(root)?.join("dist");
    let output = match &arguments.output {
        // Tasks run in the root.
        Some(output) => std::path::absolute(output)?,
        None => target.clone(),
    };
    let pages = output.join("pages");
    replace_folder(&pages)?;
    Task::cargo(
        ["run", "--quiet", "--package", "pages", "--"].map(Into::into).into_iter().chain([pages.into_os_string()]),
    )
    .run(root)?;

    let name = format!("infer-{}-{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS);
    let folder = output.join(&name);
    replace_folder(&folder)?;
    let program = build(root, &target.join("build"))?;
    fs_err::copy(program, folder.join("infer"))?;
    add_runtime(root, &folder)?;
    add_pages(&output.join("pages"), &folder)?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        fs_err::copy(root.join(licence), folder.join(licence))?;
    }
    fs_err::write(folder.join("licences/crates.txt"), notices::of(root, "infer")?)?;
    fs_err::write(folder.join("README.txt"), README)?;

    let tarball = output.join(format!("{name}.tar.gz"));
    pack(&folder, &name, &tarball)?;
    let size = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let unpacked = files(&folder)?.iter().map(|path| Ok(fs_err::metadata(path)?.len())).sum::<Result<u64>>()?;
    println!("{}", tarball.display());
    println!("{}, unpacked {}", size(fs_err::metadata(&tarball)?.len()), size(unpacked));
    Ok(())
}

/// An empty folder, whatever was there.
fn replace_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        fs_err::remove_dir_all(folder)?;
    }
    Ok(fs_err::create_dir_all(folder)?)
}

/// `infer` as it is passed on: it looks for ONNX Runtime beside itself and never where it was built, and holds no path of
/// this machine. In a folder of its own, so that neither build replaces what the other has made.
fn build(root: &Path, folder: &Path) -> Result<PathBuf> {
    let mut flags = vec![remapped(root, "cyclegan")];
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    if let Some(sources) =
        std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home).map(|home| home.join("registry/src"))
        && sources.is_dir()
    {
        // Called after the registry's host, which is another where crates come through a mirror.
        for registry in fs_err::read_dir(sources)? {
            flags.push(remapped(&registry?.path(), "crates"));
        }
    }
    let arguments = ["build", "--release", "--locked", "--package", "infer", "--target-dir"].map(Into::into);
    Task::cargo(arguments.into_iter().chain([folder.as_os_str().to_owned()]))
        .with_variable("CYCLEGAN_PORTABLE", "1")
        .with_variable("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .run(root)?;
    Ok(folder.join("release/infer"))
}

fn remapped(path: &Path, name: &str) -> String {
    format!("--remap-path-prefix={}={name}", path.display())
}

/// ONNX Runtime and its licences.
fn add_runtime(root: &Path, folder: &Path) -> Result<()> {
    let runtime = root.join(".native/onnxruntime");
    let mut libraries = Vec::new();
    for entry in fs_err::read_dir(runtime.join("capi"))? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.contains("_providers_cuda") {
            bail!(
                "{} is the CUDA build, of several GB; `cargo xtask setup --remove && cargo xtask setup` brings the one to pass on",
                runtime.display()
            );
        }
        libraries.extend(Some(name).filter(|name| name.starts_with("libonnxruntime.so.")));
    }
    let [library] = libraries.as_slice() else {
        bail!("{}: {} files are called libonnxruntime.so.*, one is needed", runtime.display(), libraries.len());
    };
    fs_err::copy(runtime.join("capi").join(library), folder.join(library))?;
    let licences = folder.join("licences");
    fs_err::create_dir_all(&licences)?;
    for licence in ["LICENSE", "ThirdPartyNotices.txt"] {
        fs_err::copy(runtime.join(licence), licences.join(format!("onnxruntime-{licence}")))?;
    }
    Ok(())
}

/// The man page and the completions of `infer`, out of those of all programs.
fn add_pages(pages: &Path, folder: &Path) -> Result<()> {
    for path in files(pages)? {
        let within = path.strip_prefix(pages).context("a file of another folder")?;
        if within.file_stem().is_some_and(|stem| stem.to_string_lossy().trim_start_matches('_') == "infer") {
            let place = folder.join(within);
            fs_err::create_dir_all(place.parent().context("a file without a folder")?)?;
            fs_err::copy(&path, place)?;
        }
    }
    Ok(())
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    let files = entries.filter(|entry| entry.as_ref().map_or(true, |entry| entry.file_type().is_file()));
    Ok(files.map(|entry| entry.map(walkdir::DirEntry::into_path)).collect::<Result<_, _>>()?)
}

/// The folder as a tarball: sorted, of no owner and no time.
fn pack(folder: &Path, name: &str, tarball: &Path) -> Result<()> {
    let file = std::io::BufWriter::new(Growing::begin(tarball)?);
    let mut builder = tar::Builder::new(GzBuilder::new().write(file, Compression::best()));
    builder.mode(HeaderMode::Deterministic);
    for path in files(folder)? {
        builder.append_path_with_name(&path, Path::new(name).join(path.strip_prefix(folder)?))?;
    }
    let file = builder.into_inner()?.finish()?;
    Ok(file.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?)
}
