//! ONNX Runtime's telemetry, which is off.

/// What ONNX Runtime looks at when it starts.
const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Keeps ONNX Runtime from writing events to a database in the user's cache, and from sending them to its makers, as its
/// library for Linux does from version 1.31 on. The switch in its interface comes too late for the first of them.
///
/// To be called first in `main`: where there are other threads already, the environment must not be changed any more and
/// stays as it is.
#[expect(unsafe_code, reason = "std has no other way to set a variable for a library in the same process")]
pub fn disable_telemetry() {
    let is_alone = std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    debug_assert!(is_alone, "called too late");
    if is_alone {
        // SAFETY: no other thread can read or write the environment meanwhile, as there is none.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}
