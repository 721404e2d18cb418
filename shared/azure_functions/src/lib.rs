//! The Azure Functions custom-handler protocol: server, envelopes, typed triggers, failures.

pub mod wire;
