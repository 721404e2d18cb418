//! The side that callers see: routes, keys, and the three ways to the handler.

mod activity;
mod admin;
mod enveloped;
mod event_grid;
mod forwarded;
mod keys;
mod proxied;
mod query;
mod route;
mod server;

pub use keys::Keys;
pub(crate) use route::{RouteTemplate, Routes};
pub(crate) use server::serve;
