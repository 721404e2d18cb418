//! The graph of a linear text model.

use super::LinearTextModel;
use super::messages::{
    ATTRIBUTE_INT, AttributeProto, Dimension, DimensionValue, FLOAT, GraphProto, INT64, ModelProto,
    NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Old enough for every ONNX Runtime in use; nothing newer is needed.
const OPSET: i64 = 17;
/// The IR version that ONNX released with opset 17.
const IR_VERSION: i64 = 8;

/// The whole file, with `metadata` as its `metadata_props`.
pub(super) fn model(model: &LinearTextModel, metadata: Vec<(String, String)>) -> ModelProto {
    let entries = metadata
        .into_iter()
        .map(|(key, value)| StringStringEntryProto { key, value });
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: "sluice".to_owned(),
        graph: Some(graph(model)),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        metadata_props: entries.collect(),
    }
}

fn graph(model: &LinearTextModel) -> GraphProto {
    let classes = model.labels.len();
    let batch_tokens = || vec![named("batch"), named("tokens")];
    let batch_classes = || vec![named("batch"), fixed(classes)];
    GraphProto {
        name: "linear-text-classifier".to_owned(),
        initializer: vec![
            floats(
                "table",
                &[model.features.dimension(), classes],
                &model.weights,
            ),
            floats("bias", &[classes], &model.bias),
            floats("temperature", &[], &[model.temperature]),
            int64s("row_axis", &[1]),
        ],
        node: vec![
            node("Gather", &["table", "ids"], "token_scores").with_int("axis", 0),
            node("Unsqueeze", &["weights", "row_axis"], "weight_rows"),
            node("MatMul", &["weight_rows", "token_scores"], "sum_rows"),
            node("Squeeze", &["sum_rows", "row_axis"], "sums"),
            node("Add", &["sums", "bias"], "logits"),
            node("Div", &["logits", "temperature"], "calibrated_logits"),
            node("Softmax", &["calibrated_logits"], "probabilities").with_int("axis", -1),
        ],
        input: vec![
            value("ids", INT64, batch_tokens()),
            value("weights", FLOAT, batch_tokens()),
        ],
        output: vec![
            value("logits", FLOAT, batch_classes()),
            value("probabilities", FLOAT, batch_classes()),
        ],
    }
}

/// A node named after its only output.
fn node(op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: op_type.to_owned(),
        attribute: Vec::new(),
    }
}

impl NodeProto {
    fn with_int(mut self, name: &str, value: i64) -> Self {
        self.attribute.push(AttributeProto {
            name: name.to_owned(),
            i: value,
            r#type: ATTRIBUTE_INT,
        });
        self
    }
}

fn floats(name: &str, dimensions: &[usize], values: &[f32]) -> TensorProto {
    tensor(
        name,
        FLOAT,
        dimensions,
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    )
}

fn int64s(name: &str, values: &[i64]) -> TensorProto {
    tensor(
        name,
        INT64,
        &[values.len()],
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    )
}

fn tensor(name: &str, data_type: i32, dimensions: &[usize], raw_data: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: dimensions.iter().map(|&size| size as i64).collect(),
        data_type,
        name: name.to_owned(),
        raw_data,
    }
}

fn value(name: &str, elem_type: i32, dimensions: Vec<Dimension>) -> ValueInfoProto {
    let shape = Some(TensorShapeProto { dim: dimensions });
    let tensor_type = Some(TensorTypeProto { elem_type, shape });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type }),
    }
}

fn named(name: &str) -> Dimension {
    Dimension {
        value: Some(DimensionValue::Named(name.to_owned())),
    }
}

fn fixed(size: usize) -> Dimension {
    Dimension {
        value: Some(DimensionValue::Fixed(size as i64)),
    }
}
