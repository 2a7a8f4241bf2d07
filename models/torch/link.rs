//! Build script of every crate here that makes programs or tests over libtorch.
//!
//! Link arguments do not pass from a dependency to a program, so each crate says them for itself: a program looks for
//! libtorch beside itself, then where it was built for, and needs no environment variable.

#![expect(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    // Set by torch-sys, which is why each of these crates depends on it directly.
    let Ok(library) = std::env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{library}");
    if Path::new(&library).join("libtorch_cuda.so").exists() {
        // Nothing refers to it by symbol: it registers its kernels when it is loaded, which the linker cannot know.
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
    }
}
