//! Many nodes, one publisher: what a node takes from its source, what it refuses, and that it serves on.

#![allow(missing_docs)]

#[path = "fleet/node.rs"]
mod node;
#[path = "fleet/web.rs"]
mod web;

#[path = "fleet/fetching.rs"]
mod fetching;
#[path = "fleet/publishing.rs"]
mod publishing;
#[path = "fleet/trust.rs"]
mod trust;
