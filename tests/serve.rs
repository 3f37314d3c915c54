//! The whole server as its users meet it: the real binary on the loopback interface, with real
//! datagrams, signals, admin requests, files and a DNS server.

#![allow(missing_docs)]

#[path = "serve/admin.rs"]
mod admin;
#[path = "serve/answers.rs"]
mod answers;
#[path = "serve/api.rs"]
mod api;
#[path = "serve/api_document.rs"]
mod api_document;
#[path = "serve/caller.rs"]
mod caller;
#[path = "serve/connected.rs"]
mod connected;
#[path = "serve/ctl.rs"]
mod ctl;
#[path = "serve/dns.rs"]
mod dns;
#[path = "serve/dns_live.rs"]
mod dns_live;
#[path = "serve/dns_tools.rs"]
mod dns_tools;
#[path = "serve/handed_down.rs"]
mod handed_down;
#[path = "serve/harness.rs"]
mod harness;
#[path = "serve/health.rs"]
mod health;
#[path = "serve/idle.rs"]
mod idle;
#[path = "serve/last_good.rs"]
mod last_good;
#[path = "serve/metrics.rs"]
mod metrics;
#[path = "serve/names.rs"]
mod names;
#[path = "serve/observe.rs"]
mod observe;
#[path = "serve/once.rs"]
mod once;
#[path = "serve/reload.rs"]
mod reload;
#[path = "serve/replace.rs"]
mod replace;
#[path = "cli/run.rs"]
mod run;
#[path = "serve/sandbox.rs"]
mod sandbox;
#[path = "serve/secrets.rs"]
mod secrets;
#[path = "serve/start.rs"]
mod start;
#[path = "serve/stop.rs"]
mod stop;
#[path = "serve/streams.rs"]
mod streams;
#[path = "serve/systemd.rs"]
mod systemd;
#[path = "serve/tls.rs"]
mod tls;
#[path = "serve/workers.rs"]
mod workers;
