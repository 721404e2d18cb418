//! The contract between the Functions host and a custom handler, line by line of its checklist.

mod checked;
mod handler;
mod package;
mod staged;
