//! Everything that can be set: what the model is (`sluice.toml`, versioned with the code) and where it runs (the
//! environment). Both are read here, once, and nowhere else.

mod error;
mod file;
mod settings;

pub use error::ConfigError;
pub use file::{ModelConfig, Schedules};
pub use settings::{DEFAULT_FILTER, LogSettings, Settings, StorageSetting};
