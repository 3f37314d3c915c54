//! Outside. The command line of `ctl`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};

use crate::cli::{args::LogLevel, flags, help};

/// `ctl`.
#[derive(Args, Debug)]
pub struct CtlArgs {
    /// The file with the server's token; that of the configuration without this.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificates (PEM) that the server's must come from. Speaks TLS; so it does without this, when the
    /// configuration has admin.tls: then its own certificate is the one to come from.
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The name in the server's certificate; its address without this.
    #[arg(long, global = true, value_name = "NAME")]
    pub tls_name: Option<String>,
    /// Print what the server says, as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub what: Ctl,
}

/// What a running server can be asked for.
#[derive(Debug, Subcommand)]
pub enum Ctl {
    /// What runs, what it serves, how the last reloads went.
    #[command(after_help = help::CTL)]
    Status,
    /// The routes in service, how often and when each last answered.
    #[command(after_help = help::CTL)]
    Routes {
        /// Only those with this in their name.
        #[arg(long)]
        name: Option<String>,
        /// How many at most; 1000 without this.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// How many to pass over.
        #[arg(long, value_name = "N")]
        from: Option<usize>,
        /// Which come first; those that are tried first, without this.
        #[arg(long, value_enum)]
        order: Option<RouteOrder>,
    },
    /// The number tables in service.
    #[command(after_help = help::CTL)]
    Tables,
    /// The gateways in service, the groups that each is in, which are up and why; or mark one.
    #[command(after_help = help::CTL)]
    Gateways {
        /// What to say of one. It holds until the server ends, and wins over probes.
        #[command(subcommand)]
        mark: Option<CtlMark>,
    },
    /// The top sources, numbers, prefixes and domains of the last minutes.
    #[command(after_help = help::CTL)]
    Top {
        /// How many of each, to 100; 10 without this.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// What becomes of a call, step by step, with the routes in service. Nothing is sent.
    #[command(after_help = help::CTL)]
    Explain(Box<CtlExplain>),
    /// Which of these calls the route files of now would have answered differently from the routes in service.
    #[command(after_help = help::CTL)]
    Diff {
        /// Calls: numbers and URIs line by line, or CSV; - for stdin.
        calls: PathBuf,
        /// What the file is; without this, CSV where its name ends in .csv.
        #[arg(long, value_enum)]
        format: Option<Calls>,
        /// How many of the calls that differ are told whole.
        #[arg(long, value_name = "N", value_parser = flags::shown_calls)]
        limit: Option<usize>,
    },
    /// Read the route files again.
    #[command(after_help = help::CTL)]
    Reload,
    /// Have /readyz and OPTIONS say 503, so that no more calls are sent there; those that come are answered.
    #[command(after_help = help::CTL)]
    Drain,
    /// End what drain began.
    #[command(after_help = help::CTL)]
    Undrain,
    /// DNS as the server has it.
    #[command(after_help = help::CTL)]
    Dns {
        /// What of it.
        #[command(subcommand)]
        what: CtlDns,
    },
    /// What the server logs.
    #[command(after_help = help::CTL)]
    Log {
        /// What of it.
        #[command(subcommand)]
        what: CtlLog,
    },
}

/// `ctl gateways`.
#[derive(Debug, Subcommand)]
pub enum CtlMark {
    /// Leave a gateway out of Contact lists.
    #[command(after_help = help::CTL)]
    Down(GatewayName),
    /// Keep a gateway in Contact lists.
    #[command(after_help = help::CTL)]
    Up(GatewayName),
    /// Leave a gateway to its probes; one that is not probed is up.
    #[command(after_help = help::CTL)]
    Auto(GatewayName),
}

/// A gateway.
#[derive(Args, Debug)]
pub struct GatewayName {
    /// Its name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
}

/// `ctl dns`.
#[derive(Debug, Subcommand)]
pub enum CtlDns {
    /// What the cache has of a name.
    #[command(after_help = help::CTL)]
    Lookup {
        /// The name.
        #[arg(value_parser = flags::domain)]
        name: String,
        /// NAPTR, SRV, A or AAAA.
        #[arg(value_name = "TYPE", default_value = "A")]
        kind: String,
        /// The ENUM apex that asks.
        #[arg(long, value_name = "NAME")]
        apex: Option<String>,
        /// A server that it asks; may be given again.
        #[arg(long, value_name = "IP[:PORT]", value_parser = flags::dns_server)]
        server: Vec<SocketAddr>,
    },
    /// Forget what DNS has said to a name, or all of it.
    #[command(after_help = help::CTL)]
    Flush {
        /// The name.
        #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = flags::domain)]
        name: Option<String>,
        /// All of it.
        #[arg(long)]
        all: bool,
    },
    /// The DNS servers, and whether they answer.
    #[command(after_help = help::CTL)]
    Servers,
}

/// `ctl log`.
#[derive(Debug, Subcommand)]
pub enum CtlLog {
    /// The least urgent lines that are logged: show the level, or set it until the server ends.
    #[command(after_help = help::CTL)]
    Level {
        /// The level that is to hold.
        #[arg(value_enum)]
        level: Option<LogLevel>,
    },
}

/// `ctl routes --order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RouteOrder {
    /// As they are tried.
    Table,
    /// By their names.
    Name,
    /// Those that answered most.
    Hits,
    /// Those that answered last.
    Last,
}

/// `ctl diff --format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Calls {
    /// A number or URI to a line.
    Numbers,
    /// The first line names the columns.
    Csv,
}

/// `ctl explain`.
#[derive(Args, Debug)]
pub struct CtlExplain {
    /// The Request-URI, or a bare number.
    #[arg(required_unless_present = "raw", value_parser = flags::request_uri)]
    pub uri: Option<String>,
    /// Who sends the request.
    #[arg(long, value_name = "IP[:PORT]", value_parser = flags::source)]
    pub from: Option<SocketAddr>,
    /// The method.
    #[arg(long, value_parser = flags::token, conflicts_with = "raw")]
    pub method: Option<String>,
    /// The listener it comes to, by name.
    #[arg(long, value_name = "NAME")]
    pub listener: Option<String>,
    /// The transport it comes over.
    #[arg(long, value_name = "TRANSPORT", value_parser = flags::transport)]
    pub transport: Option<crate::route::Transport>,
    /// A name in the certificate that the client shows over TLS; may be given again.
    #[arg(long, value_name = "NAME", value_parser = flags::certificate)]
    pub certificate: Vec<String>,
    /// Another header; may be given again.
    #[arg(long, value_name = "NAME: VALUE", value_parser = flags::header, conflicts_with = "raw")]
    pub header: Vec<(String, String)>,
    /// Who calls (From): a URI, a name-addr or a bare number.
    #[arg(long, value_name = "URI", value_parser = flags::name_addr, conflicts_with = "raw")]
    pub caller: Option<String>,
    /// P-Asserted-Identity, likewise.
    #[arg(long, value_name = "URI", value_parser = flags::name_addr, conflicts_with = "raw")]
    pub pai: Option<String>,
    /// The Call-ID: another one is another call.
    #[arg(long, value_name = "ID", value_parser = flags::word, conflicts_with = "raw")]
    pub call_id: Option<String>,
    /// The moment, as 2026-12-24T10:00:00Z; the server's now without this.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// A gateway that is down besides those that are, by its name; may be given again.
    #[arg(long, value_name = "GATEWAY")]
    pub down: Vec<String>,
    /// A file with the text of a whole request.
    #[arg(long, value_name = "FILE", conflicts_with = "uri")]
    pub raw: Option<PathBuf>,
}
