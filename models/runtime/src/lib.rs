//! ONNX Runtime: found and loaded at run time, and asked to run image-to-image networks on floats
//! or bytes.
//!
//! Nothing here links the library. A session says on which device it runs, and why; there is no silent fallback.

mod cuda;
mod library;
mod numbers;
mod session;
mod telemetry;

pub use library::LibraryError;
pub use numbers::{Numbers, NumbersRef};
pub use session::{Options, Running, Session, SessionError, Value};
pub use telemetry::disable_telemetry;
