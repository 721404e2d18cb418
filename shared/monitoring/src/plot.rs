//! Plots as SVG text: line charts, distributions side by side, reliability diagrams.
//!
//! Every plot is an `<svg role="img">` with a title and a description, and says nothing by colour alone: series differ in their marks and dashes too. Text and
//! grid carry no colour that a dark page could not show: [`Canvas::Page`] leaves the ground clear and the text to the page's style sheet.

mod bars;
mod frame;
mod line_chart;
mod reliability;

pub use self::bars::BarChart;
pub use self::frame::Canvas;
pub(crate) use self::frame::short;
pub use self::line_chart::{LineChart, Series};
pub use self::reliability::reliability_diagram;
