//! Fits, calibrates, evaluates and gates a model, and writes it as ONNX.
