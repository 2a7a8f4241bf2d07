//! Finding ONNX Runtime and starting it once a process.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;

/// Names a library of your own.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// Where `cargo xtask setup` links the library of this checkout. A program that `cargo xtask dist` packs knows of no checkout.
const BUILT_FOR: Option<&str> = match option_env!("CYCLEGAN_PORTABLE") {
    Some(_) => None,
    None => Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.native/onnxruntime/capi")),
};

/// What to do without a library.
const REMEDY: &str = match BUILT_FOR {
    Some(_) => "run `cargo xtask setup --infer`",
    None => "put it beside this program",
};

/// Why ONNX Runtime cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LibraryError {
    /// It is nowhere.
    #[error(
        "ONNX Runtime was not found; tried{tried}\nset {VARIABLE} to a libonnxruntime.so of version 1.31, or {REMEDY}"
    )]
    NotFound {
        /// A line for each place.
        tried: String,
    },
    /// The file is no such library, or too old a one.
    #[error("ONNX Runtime at {} cannot be loaded: {reason}\nset {VARIABLE} to a libonnxruntime.so of version 1.31", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What the loader or the library says.
        reason: String,
    },
}

/// The one environment of this process.
///
/// # Errors
/// See [`LibraryError`]; it stays the same for the process.
pub(crate) fn environment() -> Result<&'static Environment, LibraryError> {
    static ENVIRONMENT: OnceLock<Result<Environment, LibraryError>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| start(&find()?)).as_ref().map_err(Clone::clone)
}

/// The library's file, once it is found.
pub(crate) fn place() -> Option<PathBuf> {
    find().ok()?.canonicalize().ok()
}

fn start(path: &Path) -> Result<Environment, LibraryError> {
    let load = |reason: String| LibraryError::Load { path: path.into(), reason };
    let builder = ort::init_from(path).map_err(|error| load(error.to_string()))?;
    preload_cuda(path);
    builder.with_name("cyclegan").with_telemetry(false).build().map_err(|error| load(error.to_string()))
}

/// The library: by the variable, beside this program, then where the program was built.
fn find() -> Result<PathBuf, LibraryError> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let path = PathBuf::from(named);
        // What the user names is used or refused, never passed over.
        return match path.is_file() {
            true => Ok(path),
            false => {
                Err(LibraryError::NotFound { tried: format!("\n  {} (from {VARIABLE}): no such file", path.display()) })
            }
        };
    }
    let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
    let folders = beside.into_iter().chain(BUILT_FOR.map(PathBuf::from));
    let mut tried = format!("\n  {VARIABLE}: not set");
    for folder in folders {
        match library_in(&folder) {
            Some(path) => return Ok(path),
            None => write!(tried, "\n  {}/libonnxruntime.so*: none", folder.display()).expect("a string takes all"),
        }
    }
    Err(LibraryError::NotFound { tried })
}

/// `libonnxruntime.so`, or the one with the highest version behind its name.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_library = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("libonnxruntime.so")) && path.is_file()
    };
    files.filter(is_library).max()
}

/// CUDA and cuDNN of the wheels that lie beside a library from PyPI, where there are any: its CUDA provider declares
/// them, but does not know their place. A failure shows when the provider is asked for.
fn preload_cuda(library: &Path) {
    let Some(wheels) = library.ancestors().nth(3).map(|root| root.join("nvidia")) else { return };
    let folder = |name: &str| Some(wheels.join(name).join("lib")).filter(|folder| folder.is_dir());
    let (cuda, cudnn) = (folder("cu13"), folder("cudnn"));
    if cudnn.is_some()
        && let Err(error) = ort::ep::cuda::preload_dylibs(cuda.as_deref(), cudnn.as_deref())
    {
        tracing::debug!("{error}");
    }
}
