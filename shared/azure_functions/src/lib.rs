//! The Azure Functions custom-handler protocol: server, envelopes, typed triggers, failures.
