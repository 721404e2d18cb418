//! The shipped `sluice.toml`, made quick: less data and fewer resamplings are enough to see the loop turn.

use toml::{Table, Value};

const SHIPPED: &str = include_str!("../../sluice.toml");

/// The shipped configuration with what a test needs: models from some hundred rows, and no waiting.
pub(crate) fn quick() -> Table {
    let mut settings: Table = SHIPPED.parse().unwrap();
    for (key, value) in [
        ("data.split.test", Value::from(0.2)),
        ("training.features.bits", Value::from(14)),
        ("training.regularisation", Value::from(vec![3.0])),
        ("gate.min_test_rows", Value::from(50)),
        ("gate.bootstrap_samples", Value::from(200)),
        // A few hundred test rows cannot tell two good models apart any better.
        ("gate.tolerance", Value::from(0.2)),
        ("gate.slices.max_drop", Value::from(0.5)),
        // The machine that runs the tests may be busy: the gate's time limit is not what they are about.
        ("gate.max_latency_us", Value::from(1e6)),
        ("predict.poll_seconds", Value::from(1)),
        ("predict.log_interval_ms", Value::from(50)),
        ("retrain.cool_down", Value::from("0s")),
        ("retrain.runs_per_month", Value::from(1_000)),
    ] {
        set(&mut settings, key, value);
    }
    settings
}

/// Sets a dotted key.
pub(crate) fn set(settings: &mut Table, key: &str, value: impl Into<Value>) {
    match key.split_once('.') {
        None => {
            settings.insert(key.to_owned(), value.into());
        }
        Some((section, key)) => {
            let section = settings
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            set(section.as_table_mut().unwrap(), key, value);
        }
    }
}
