//! Logs and the events of the loop as types.
