//! ONNX Runtime: finding the library, sessions, the text task and its features.
