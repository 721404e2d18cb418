//! The real ONNX Runtime on stored models. `make onnxruntime` fetches the library; without it these tests fail.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod damaged;
mod support;
mod telemetry;
