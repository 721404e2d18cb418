//! ONNX Runtime: finding the library, sessions, the text task and its features.
//!
//! [`features`] turns a text into hashed n-grams; training and serving both call it, so they cannot differ.

pub mod features;

pub use features::{SparseRow, TextFeatures};
