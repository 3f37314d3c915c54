//! Outside. The one definition of the command line: help, completions and man page come from it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{ctl::CtlArgs, flags, help};
use crate::{
    config::{AdminPlace, Listen},
    limits::DIFF_SHOWN_DEFAULT,
    route::Transport,
};

/// A stateless SIP redirect server and ENUM/DNS router.
///
/// A call comes in, a 3xx with a Contact list goes out, and nothing about the call is remembered.
/// Without a command, waypost serves.
#[derive(Debug, Parser)]
#[command(name = "waypost", version, after_help = help::WAYPOST, max_term_width = 100)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do; nothing: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What waypost can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer calls (the default).
    #[command(after_help = help::SERVE)]
    Serve,
    /// Read the configuration and all routes, and say what is wrong; binds nothing.
    #[command(after_help = help::CHECK)]
    Check(CheckArgs),
    /// Make a file of a number table that is loaded as it is, in a moment.
    ///
    /// The table is read as the route files say. Then name the new file in them: `file: NAME.wpt`.
    #[command(after_help = help::COMPILE)]
    Compile(CompileArgs),
    /// Put routes where the servers of a fleet fetch them: a manifest, and files by their SHA-256.
    ///
    /// The routes are loaded first, as every server will: what one would refuse is not published. What is
    /// written is for any web server or object store; servers have `source:` in their configuration.
    #[command(after_help = help::PUBLISH)]
    Publish(PublishArgs),
    /// Say which route answers a call, why, and with which bytes.
    ///
    /// The request is decided by the very code that serves, on the route files as they are now. No
    /// server need run, and DNS is not asked: questions it would put are shown. With --live they are answered
    /// from the DNS cache of a running server.
    #[command(after_help = help::EXPLAIN)]
    Explain(Box<ExplainArgs>),
    /// Say which calls new routes would answer differently from old ones, and how.
    ///
    /// Every call is decided twice by the very code that serves: with the route files of the one directory,
    /// and with those of the other. DNS is not asked: calls that need it are compared by what they would ask.
    #[command(after_help = help::DIFF)]
    Diff(Box<DiffArgs>),
    /// See and steer a running server, over its admin port.
    ///
    /// The port is that of the configuration, or of --admin; what it answers is in its OpenAPI document
    /// (GET /api/v1/openapi.json).
    #[command(after_help = help::CTL, subcommand_required = true)]
    Ctl(Box<CtlArgs>),
    /// Look a number up in ENUM, and show every name asked, each record and what it is worth.
    ///
    /// The number is looked up as each route with `enum:` does, by the code that serves; with --apex, under
    /// those names and no others. DNS is asked; no server need run.
    #[command(after_help = help::ENUM)]
    Enum(Box<EnumArgs>),
    /// Locate the servers of a URI or domain (RFC 3263), and show every name asked and the order of use.
    #[command(after_help = help::LOCATE)]
    Locate(Box<LocateArgs>),
    /// Send one real INVITE to a server over UDP, show its answer, acknowledge it.
    #[command(after_help = help::ASK)]
    Ask(Box<AskArgs>),
    /// Print the JSON Schema of route files, for editors.
    #[command(after_help = help::SCHEMA)]
    Schema,
    /// Print the completions of a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// Whose completions.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    #[command(after_help = help::MAN)]
    Man,
}

/// Flags of every command. A flag wins over the configuration file.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Server options")]
pub struct Global {
    /// The configuration file (YAML). Without one: listen on 127.0.0.1:5060, routes in ./routes.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The directory with the route files; ./routes without this and without a configuration.
    #[arg(long, global = true, value_name = "DIR")]
    pub routes: Option<PathBuf>,
    /// Where to listen; may be given again. tls needs `tls:` in the configuration. NAME=udp:ADDR:PORT names it for `when: { listener: NAME }`.
    #[arg(long, global = true, value_name = "udp|tcp|tls:ADDR:PORT", value_parser = flags::listen)]
    pub listen: Vec<Listen>,
    /// Where metrics, probes and the admin API are served over HTTP, or `off`; for ctl and explain --live: where the server has them.
    #[arg(long, global = true, value_name = "ADDR:PORT|unix:PATH|off", value_parser = flags::admin)]
    pub admin: Option<Admin>,
    /// The least urgent lines to log; info without this.
    #[arg(long, global = true, value_name = "LEVEL", value_enum)]
    pub log_level: Option<LogLevel>,
    /// How log lines look; human without this.
    #[arg(long, global = true, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}

/// `--admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    /// No admin HTTP.
    Off,
    /// Here.
    At(AdminPlace),
}

/// `--log-level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it, and doc comments would become help text")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Warnings are refused too.
    #[arg(long)]
    pub strict: bool,
    /// Print the findings as a JSON array on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `compile`.
#[derive(Args, Debug)]
pub struct CompileArgs {
    /// The directory with the route files.
    pub routes_dir: PathBuf,
    /// The table, by its name there.
    pub table: String,
    /// Where to write it; the name ends in .wpt. A file that is there is replaced when the new one is whole.
    #[arg(long, value_name = "FILE", value_parser = flags::compiled)]
    pub out: PathBuf,
}

/// `publish`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("where").required(true))]
pub struct PublishArgs {
    /// The directory with the route files.
    pub routes_dir: PathBuf,
    /// The directory to write to; a web server serves it.
    #[arg(long, value_name = "DIR", group = "where")]
    pub to: Option<PathBuf>,
    /// The key of NATS JetStream to write to, as nats://HOST:4222/BUCKET/KEY; the bucket is made if it is not there.
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "URL", group = "where")]
    pub nats: Option<String>,
    /// The serial, higher than the one before. Without this: the next one, or the time in seconds since 1970 if that
    /// is higher.
    #[arg(long, value_name = "N")]
    pub serial: Option<u64>,
    /// A private key of Ed25519 in PEM form, which signs the manifest.
    #[arg(long, value_name = "FILE")]
    pub sign_key: Option<PathBuf>,
    /// The credentials file of NATS.
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub credentials: Option<PathBuf>,
    /// Publish without TLS over a network.
    #[cfg(feature = "nats")]
    #[arg(long, requires = "nats")]
    pub insecure: bool,
    /// Certificates of issuers that are trusted, for tls://, instead of the system's.
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub ca: Option<PathBuf>,
}

/// `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The Request-URI, or a bare number.
    #[arg(required_unless_present = "raw", value_parser = flags::request_uri)]
    pub uri: Option<String>,
    /// Who sends the request.
    #[arg(long, value_name = "IP[:PORT]", default_value = "127.0.0.1:5060", value_parser = flags::source)]
    pub from: SocketAddr,
    /// The method.
    #[arg(long, default_value = "INVITE", value_parser = flags::token, conflicts_with = "raw")]
    pub method: String,
    /// The listener it comes to, by name. Without this, the first of its transport.
    #[arg(long, value_name = "NAME")]
    pub listener: Option<String>,
    /// The transport it comes over. Without this, that of the listener.
    #[arg(long, value_name = "TRANSPORT", value_parser = flags::transport)]
    pub transport: Option<Transport>,
    /// A name in the certificate that the client shows over TLS; may be given again. Without this, it shows none.
    #[arg(long, value_name = "NAME", value_parser = flags::certificate)]
    pub certificate: Vec<String>,
    /// Another header; may be given again.
    #[arg(long, value_name = "NAME: VALUE", value_parser = flags::header, conflicts_with = "raw")]
    pub header: Vec<(String, String)>,
    /// Who calls (From): a URI, a name-addr or a bare number.
    #[arg(long, value_name = "URI", value_parser = flags::name_addr, conflicts_with = "raw")]
    pub caller: Option<String>,
    /// P-Asserted-Identity: a URI, a name-addr or a bare number.
    #[arg(long, value_name = "URI", value_parser = flags::name_addr, conflicts_with = "raw")]
    pub pai: Option<String>,
    /// The Call-ID. Another one is another call: it may draw another gateway of a weighted group.
    #[arg(long, value_name = "ID", default_value = "explain@waypost", value_parser = flags::word, conflicts_with = "raw")]
    pub call_id: String,
    /// The moment, as 2026-12-24T10:00:00Z. Without this, now.
    #[arg(long, value_name = "TIME", value_parser = flags::moment)]
    pub at: Option<i64>,
    /// A gateway that is down, by its name; may be given again. Without this, all are up; with --live, those that
    /// the server has for down are.
    #[arg(long, value_name = "GATEWAY")]
    pub down: Vec<String>,
    /// A file with the bytes of a whole request.
    #[arg(long, value_name = "FILE", conflicts_with = "uri")]
    pub raw: Option<PathBuf>,
    /// Ask the server that runs, at its admin port (--admin), what its DNS cache has. It asks no DNS server for
    /// that.
    #[arg(long)]
    pub live: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The directory with the old route files.
    #[arg(value_name = "OLD_DIR")]
    pub old: PathBuf,
    /// The directory with the new ones.
    #[arg(value_name = "NEW_DIR")]
    pub new: PathBuf,
    /// Calls: numbers and URIs line by line, CSV, or a capture; - for stdin. May be given again.
    #[arg(long, value_name = "FILE", required = true)]
    pub calls: Vec<PathBuf>,
    /// What the files are. Without this, it is told from how each begins.
    #[arg(long, value_enum, default_value = "auto")]
    pub format: CallsFormat,
    /// Who sends the calls that do not say so.
    #[arg(long, value_name = "IP[:PORT]", default_value = "127.0.0.1:5060", value_parser = flags::source)]
    pub from: SocketAddr,
    /// The moment of all calls, as 2026-12-24T10:00:00Z. Without this, now.
    #[arg(long, value_name = "TIME", value_parser = flags::moment)]
    pub at: Option<i64>,
    /// How many of the calls that differ are shown whole.
    #[arg(long, value_name = "N", default_value_t = DIFF_SHOWN_DEFAULT, value_parser = flags::shown_calls)]
    pub limit: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `diff --format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CallsFormat {
    /// As the file begins.
    Auto,
    /// A number or URI to a line.
    Numbers,
    /// The first line names the columns: number or uri, from, source, domain or host, method.
    Csv,
    /// A capture, pcap or pcapng.
    Pcap,
}

/// `enum`.
#[derive(Args, Debug)]
pub struct EnumArgs {
    /// The number: + and 2 to 15 digits.
    #[arg(value_parser = flags::e164)]
    pub number: String,
    /// An apex to look it up under, before those of the next --apex; no route is looked at then.
    #[arg(long, value_name = "NAME", value_parser = flags::domain)]
    pub apex: Vec<String>,
    /// Services wanted, separated by commas, instead of those of the routes; sip with --apex.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = flags::enum_service)]
    pub services: Vec<String>,
    /// A DNS server to ask, instead of those of the configuration and of the routes; may be given again.
    #[arg(long, value_name = "IP[:PORT]", value_parser = flags::dns_server)]
    pub server: Vec<SocketAddr>,
    /// Time for all of it, as 400ms or 2s. Without this, that of the route; 400ms with --apex.
    #[arg(long, value_name = "TIME", value_parser = flags::within)]
    pub within: Option<Duration>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `locate`.
#[derive(Args, Debug)]
pub struct LocateArgs {
    /// A sip: or sips: URI, or a domain.
    #[arg(value_name = "URI", value_parser = flags::located)]
    pub uri: String,
    /// A DNS server to ask, instead of those of the configuration; may be given again.
    #[arg(long, value_name = "IP[:PORT]", value_parser = flags::dns_server)]
    pub server: Vec<SocketAddr>,
    /// Time for all of it, as 400ms or 2s; 400ms without this.
    #[arg(long, value_name = "TIME", value_parser = flags::within)]
    pub within: Option<Duration>,
    /// A number that stands for the call: each call draws an order among servers of one priority.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub draw: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `ask`.
#[derive(Args, Debug)]
pub struct AskArgs {
    /// The Request-URI; its host and port are where the INVITE goes, unless --to says otherwise.
    #[arg(value_parser = flags::request_uri)]
    pub uri: String,
    /// Where to send it.
    #[arg(long, value_name = "ADDR:PORT")]
    pub to: Option<String>,
    /// Who calls (From): a URI, a name-addr or a bare number.
    #[arg(long, value_name = "URI", value_parser = flags::name_addr)]
    pub caller: Option<String>,
    /// Another header; may be given again.
    #[arg(long, value_name = "NAME: VALUE", value_parser = flags::header)]
    pub header: Vec<(String, String)>,
    /// How long to wait for the answer, as 500ms or 2s.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = flags::timeout)]
    pub timeout: Duration,
    /// Calls, one after the other, each with a Call-ID of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = flags::count)]
    pub count: u32,
    /// Print the messages sent and received.
    #[arg(long, short)]
    pub verbose: bool,
    /// Print one JSON object for each call.
    #[arg(long, conflicts_with = "verbose")]
    pub json: bool,
}
