//! Outside. `locate`: the servers of a URI or domain by RFC 3263.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    asking::{Asked, Asking},
    refuse, servers, show,
};
use crate::{
    cli::{
        Exit, adapters,
        args::{Global, LocateArgs},
        describe,
        output::{self, Paint, counted, shown},
    },
    control::dns_json::result_name,
    dns::{
        Answer, DnsView, Failure, How, LocateResult, Located, Record, Seen, Srv, Step, Target,
        TargetTransport, locate, needs_dns,
    },
    limits::{LOOKUP_MS_DEFAULT, QUESTIONS_PER_REQUEST_MAX},
    sip::Uri,
};

/// Locates the servers of a URI.
pub(crate) fn run(global: &Global, args: &LocateArgs) -> Exit {
    let config = match adapters::load_config(global) {
        Ok(config) => config,
        Err(findings) => {
            output::diagnostics(&findings);
            return Exit::Refused;
        }
    };
    // The flag was read as one.
    let Some(uri) = Uri::parse(args.uri.as_bytes()) else {
        return refuse(&format!("{} is not a URI", args.uri), Exit::Usage);
    };
    let servers = servers(&args.server, &config);
    let mut asking = match Asking::of(servers.clone()) {
        Ok(asking) => asking,
        Err(error) => return refuse(&format!("DNS cannot be asked: {error}"), Exit::Refused),
    };
    let within_ms =
        args.within.map_or(LOOKUP_MS_DEFAULT, |within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
    let mut located = Vec::new();
    let result = asking.until_done(|dns| -> Step<LocateResult> {
        located.clear();
        let how = How {
            dns: *dns,
            policy: &config.settings.dns_policy,
            draw: args.draw,
            within_ms,
            questions_max: QUESTIONS_PER_REQUEST_MAX,
        };
        locate(&uri, &how, &mut |one| located.push(one.into_owned()))
    });
    let found = Found {
        args,
        servers: &servers,
        asking: &asking,
        needs_dns: needs_dns(&uri),
        result: result.unwrap_or(LocateResult::Failed(Failure::Timeout)),
        located,
    };
    if args.json {
        output::json(&found.json());
    } else {
        output::stdout(found.page(Paint::of_stdout()).as_bytes());
    }
    match found.result {
        LocateResult::Found(_) => Exit::Ok,
        LocateResult::Failed(_) => Exit::Unreachable,
        LocateResult::Nothing | LocateResult::Denied => Exit::NoRoute,
    }
}

struct Found<'f> {
    args: &'f LocateArgs,
    servers: &'f [SocketAddr],
    asking: &'f Asking,
    needs_dns: bool,
    result: LocateResult,
    located: Vec<Located<'static>>,
}

impl Found<'_> {
    fn page(&self, paint: Paint) -> String {
        let uri = shown(self.args.uri.as_bytes());
        let mut page = format!("{}\n", paint.bold(format!("locate {uri}")));
        if self.needs_dns {
            page.push_str(&format!("{}\n\n", show::servers(self.servers)));
        } else {
            page.push_str("DNS is not asked\n\n");
        }
        for asked in &self.asking.asked {
            page.push_str(&format!("{}\n", show::asked(asked)));
            for line in self.record_lines(asked) {
                page.push_str(&format!("  {line}\n"));
            }
        }
        if self.needs_dns {
            page.push('\n');
        }
        page.push_str(&format!("{}\n", self.verdict()));
        for located in &self.located {
            match located {
                Located::Target(target) => {
                    page.push_str(&format!("  {}{}\n", paint.bold(contact(target)), address_of_tls(target)));
                }
                Located::Denied(target) => {
                    page.push_str(&format!(
                        "  left out  {}: in a range of dns.deny_answers\n",
                        contact(target)
                    ));
                }
                // It stands among the answers.
                Located::Failed { .. } => {}
            }
        }
        page
    }

    /// The records of an answer in the order of use; SRV with their share of the calls.
    fn record_lines(&self, asked: &Asked) -> Vec<String> {
        let records = match DnsView::giving_up(&self.asking.cache, 0).look_for(&asked.question, 0) {
            Seen::Found(records) => records,
            _ => &[],
        };
        let line = |record: &Record| match record {
            Record::Srv(srv) => format!("{}{}", show::record(record), share(srv, records)),
            _ => show::record(record),
        };
        records.iter().map(line).collect()
    }

    fn verdict(&self) -> String {
        match self.result {
            LocateResult::Found(count) => {
                let draw = if count > 1 { format!(", by draw {}", self.args.draw) } else { String::new() };
                format!("found {}, best first{draw}", counted(count, "server", "servers"))
            }
            LocateResult::Nothing => "nothing: DNS has no server for it".to_owned(),
            LocateResult::Denied => "nothing: all servers are in denied ranges".to_owned(),
            LocateResult::Failed(why) => format!("no server: {}", describe::failure(why)),
        }
    }

    fn json(&self) -> Value {
        let target_json = |target: &Target<'_>| {
            json!({
                "address": target.address.to_string(), "port": target.port,
                "transport": transport(target.transport), "name": target.name, "contact": contact(target),
            })
        };
        let of = |wanted: for<'l> fn(&'l Located<'static>) -> Option<&'l Target<'static>>| {
            self.located.iter().filter_map(wanted).map(target_json).collect::<Vec<_>>()
        };
        let result = match self.result {
            LocateResult::Found(_) => "found",
            LocateResult::Nothing => "nothing",
            LocateResult::Denied => "denied",
            LocateResult::Failed(why) => result_name(&Answer::Failed(why)),
        };
        json!({
            "uri": self.args.uri,
            "servers": self.servers.iter().map(SocketAddr::to_string).collect::<Vec<_>>(),
            "draw": self.args.draw,
            "questions": self.asking.asked.iter().map(show::asked_json).collect::<Vec<_>>(),
            "result": result,
            "contacts": of(|one| if let Located::Target(target) = one { Some(target) } else { None }),
            "denied": of(|one| if let Located::Denied(target) = one { Some(target) } else { None }),
        })
    }
}

/// The weight among the records of one priority, where there are several.
fn share(srv: &Srv, records: &[Record]) -> String {
    let same = records.iter().filter_map(|record| match record {
        Record::Srv(other) if other.priority == srv.priority => Some(u32::from(other.weight)),
        _ => None,
    });
    let (count, sum) =
        same.fold((0_u32, 0_u32), |(count, sum), weight| (count + 1, sum.saturating_add(weight)));
    match (u32::from(srv.weight) * 100).checked_div(sum) {
        Some(percent) if count > 1 => format!("  {percent} % of priority {}", srv.priority),
        _ => String::new(),
    }
}

/// `192.0.2.1:5060;transport=udp`. A TLS server goes by its name.
fn contact(target: &Target<'_>) -> String {
    let Target { address, port, transport: over, name } = target;
    match over {
        TargetTransport::Tls => format!("{name}:{port};transport=tls"),
        _ => format!("{};transport={}", SocketAddr::new(*address, *port), transport(*over)),
    }
}

fn address_of_tls(target: &Target<'_>) -> String {
    match target.transport {
        TargetTransport::Tls => format!("  at {}", target.address),
        TargetTransport::Udp | TargetTransport::Tcp => String::new(),
    }
}

fn transport(transport: TargetTransport) -> &'static str {
    match transport {
        TargetTransport::Udp => "udp",
        TargetTransport::Tcp => "tcp",
        TargetTransport::Tls => "tls",
    }
}
