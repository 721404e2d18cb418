//! A small Azure Functions host for one machine: the same wire contract, a directory as storage.
