//! `waypost enum` and `waypost locate` against a real DNS server: all that they print.

use std::{fs, path::Path};

use hickory_resolver::proto::{
    op::ResponseCode,
    rr::{
        Name, RData, RecordType,
        rdata::{AAAA, NAPTR, SRV},
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::Routes,
    names::{Names, Reply, a, name_of, naptr},
    run::{Ran, waypost},
};

/// A DNS server, the file that names it, and its address.
pub(crate) struct Dns {
    pub(crate) names: Names,
    pub(crate) address: String,
    dir: TempDir,
}

impl Dns {
    pub(crate) fn of(names: Names) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("w.yaml"), names.config()).unwrap();
        let address = names.config().split('"').nth(1).unwrap().to_owned();
        Self { names, address, dir }
    }

    fn config(&self) -> String {
        self.dir.path().join("w.yaml").display().to_string()
    }

    /// Runs a command that asks this server, with time enough for a busy machine.
    fn run(&self, args: &[&str]) -> Ran {
        let config = self.config();
        waypost(&[args, &["--config", &config, "--within", "30s"]].concat())
    }

    /// What it prints, this server as `DNS`.
    fn page(&self, args: &[&str]) -> (i32, String) {
        let ran = self.run(args);
        assert_eq!(ran.err, "");
        (ran.code, ran.out.replace(&self.address, "DNS"))
    }

    fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.err, "");
        serde_json::from_str(&ran.out.replace(&self.address, "DNS")).unwrap()
    }
}

fn raw(order: u16, flags: &str, service: &str, regexp: &str, replacement: &str) -> RData {
    let [flags, service, regexp] = [flags, service, regexp].map(|text| text.as_bytes().into());
    RData::NAPTR(NAPTR::new(order, 10, flags, service, regexp, Name::from_ascii(replacement).unwrap()))
}

const NUMBER: &str = "+441632960083";

/// One record for each thing that can be said of it, and another zone behind a non-terminal one.
fn every_verdict() -> Dns {
    let known = name_of("441632960083", "e164.example.net");
    Dns::of(Names::start(move |name, kind| {
        assert_eq!(kind, RecordType::NAPTR);
        match name {
            _ if name == known => Reply::Records(vec![
                raw(70, "u", "E2U+sip", r"!^(\+44.*)$!sip:\1@last.example.net!", "."),
                raw(60, "u", "E2U+sip", "!^.*$!https://no.example.net!", "."),
                raw(50, "u", "E2U+sip", r"!^\+1!sip:no@example.net!", "."),
                raw(40, "u", "E2U+sip", "!^.*$", "."),
                raw(30, "s", "SIP+D2U", "", "_sip._udp.example.net."),
                raw(20, "", "", "", "carrier.example.org."),
                raw(10, "u", "E2U+email:mailto", "!^.*$!mailto:no@example.net!", "."),
                raw(1, "u", "E2U+sip", "!^.*$!sip:first@example.net?Route=x!", "."),
            ]),
            "carrier.example.org." => {
                Reply::Records(vec![naptr(1, 1, "E2U+pstn:sip", "sip:second@example.org")])
            }
            _ => Reply::Code(ResponseCode::NXDomain),
        }
    }))
}

#[test]
fn enum_shows_every_name_and_what_each_record_is_worth() {
    let dns = every_verdict();
    let apexes = ["--apex", "e164.example.net", "--apex", "e164.arpa", "--services", "sip,pstn:sip"];
    let (code, page) = dns.page(&[&["enum", NUMBER][..], &apexes].concat());
    assert_eq!(
        page,
        r#"enum +441632960083
DNS servers: DNS

  apex e164.example.net. for sip, pstn:sip
    NAPTR 3.8.0.0.6.9.2.3.6.1.4.4.e164.example.net.: 8 records, ttl 300 s, from DNS
      1 10 "u" "E2U+sip" "!^.*$!sip:first@example.net?Route=x!" .
        used: sip:first@example.net
      10 10 "u" "E2U+email:mailto" "!^.*$!mailto:no@example.net!" .
        wrong service
      20 10 "" "" "" carrier.example.org.
        not terminal: goes on at carrier.example.org.
      30 10 "s" "SIP+D2U" "" _sip._udp.example.net.
        cannot be used: its flags are not "u"
      40 10 "u" "E2U+sip" "!^.*$" .
        cannot be used: its regexp field is no expression
      50 10 "u" "E2U+sip" "!^\\+1!sip:no@example.net!" .
        cannot be used: its expression does not match the number
      60 10 "u" "E2U+sip" "!^.*$!https://no.example.net!" .
        cannot be used: makes https://no.example.net, which no call can go to
      70 10 "u" "E2U+sip" "!^(\\+44.*)$!sip:\\1@last.example.net!" .
        used: sip:+441632960083@last.example.net
      NAPTR carrier.example.org.: 1 record, ttl 300 s, from DNS
        1 1 "u" "E2U+pstn:sip" "!^.*$!sip:second@example.org!" .
          used: sip:second@example.org
  apex e164.arpa. for sip, pstn:sip
    NAPTR 3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa.: not asked, an apex before it has results
  found 3 results, best first
    q=0.990  sip:first@example.net
    q=0.980  sip:second@example.org
    q=0.970  sip:+441632960083@last.example.net
"#
    );
    assert_eq!(code, 0);
    let asked = ["3.8.0.0.6.9.2.3.6.1.4.4.e164.example.net. NAPTR", "carrier.example.org. NAPTR"];
    assert_eq!(dns.names.seen(), asked);

    let told = dns.json(&[&["enum", NUMBER][..], &apexes].concat());
    let lookup = &told["lookups"][0];
    assert_eq!((&told["number"], &told["servers"]), (&json!(NUMBER), &json!(["DNS"])));
    assert_eq!((&lookup["route"], &lookup["result"]), (&Value::Null, &json!("found")));
    assert_eq!(lookup["results"][1], json!({ "result": "sip:second@example.org", "q": 0.98 }));
    let questions = lookup["apexes"][0]["questions"].as_array().unwrap();
    let verdicts = |question: &Value| {
        let records = question["records"].as_array().unwrap().iter();
        records.map(|record| record["verdict"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        questions.iter().map(verdicts).collect::<Vec<_>>(),
        ["used other_service leads_on other_flags no_expression no_match not_callable used", "used"]
    );
    assert_eq!(
        questions[1]["records"][0],
        json!({
            "order": 1, "preference": 1, "flags": "u", "services": "E2U+pstn:sip",
            "regexp": "!^.*$!sip:second@example.org!", "replacement": ".", "verdict": "used",
            "makes": "sip:second@example.org",
        })
    );
    assert_eq!(lookup["apexes"][1]["questions"][0]["asked"], false);
}

/// Two routes that look numbers up, one for its attributes; the third has the plan of the first.
const ROUTES: &str = "
defaults: { q: { first: 1.0, step: 0.05 }, contacts_max: 2 }
routes:
  - name: ported
    enum: { apexes: [ported.example.net], services: [pstn:tel], attributes: [rn, mcc] }
  - name: enum
    enum: { apexes: [a.example.net, b.example.net], parallel: true }
  - name: again
    enum: { apexes: [ported.example.net], services: [pstn:tel], attributes: [rn, mcc] }
  - name: end
    answer: 404
";

#[test]
fn enum_goes_through_the_routes_as_they_look_numbers_up() {
    let dns = Dns::of(Names::start(|name, _| {
        let uris = |who: &str, count: u16| {
            Reply::Records((1..=count).map(|i| naptr(i, 1, "E2U+sip", &format!("sip:{who}{i}@x"))).collect())
        };
        match name.split_once(".4.4.").unwrap().1 {
            "ported.example.net." => {
                Reply::Records(vec![raw(1, "u", "E2U+pstn:tel", r"!^(.*)$!tel:\1;npdi;rn=+44163!", ".")])
            }
            "a.example.net." => uris("a", 3),
            "b.example.net." => uris("b", 1),
            _ => Reply::NoData,
        }
    }));
    let routes = Routes::of(ROUTES);
    let (code, page) = dns.page(&["enum", "+4455", "--routes", routes.path().to_str().unwrap()]);
    assert_eq!(
        page,
        r#"enum +4455
DNS servers: DNS

route ported  routes.yaml:4:5
  apex ported.example.net. for pstn:tel
    NAPTR 5.5.4.4.ported.example.net.: 1 record, ttl 300 s, from DNS
      1 10 "u" "E2U+pstn:tel" "!^(.*)$!tel:\\1;npdi;rn=+44163!" .
        used: tel:+4455;npdi;rn=+44163
  found 1 result, best first
    set rn = "+44163"
    mcc is not in it

route enum  routes.yaml:6:5
  apex a.example.net. for sip
    NAPTR 5.5.4.4.a.example.net.: 3 records, ttl 300 s, from DNS
      1 1 "u" "E2U+sip" "!^.*$!sip:a1@x!" .
        used: sip:a1@x
      2 1 "u" "E2U+sip" "!^.*$!sip:a2@x!" .
        used: sip:a2@x
      3 1 "u" "E2U+sip" "!^.*$!sip:a3@x!" .
        used: sip:a3@x
  apex b.example.net. for sip
    NAPTR 5.5.4.4.b.example.net.: 1 record, ttl 300 s, from DNS
      1 1 "u" "E2U+sip" "!^.*$!sip:b1@x!" .
        not used: makes sip:b1@x, and another apex is preferred
  found 3 results, best first
    q=1.000  sip:a1@x
    q=0.950  sip:a2@x
    left out  sip:a3@x
"#
    );
    assert_eq!(code, 0);
}

#[test]
fn enum_says_why_there_is_nothing() {
    let dns = Dns::of(Names::start(|name, _| match name.as_bytes()[0] {
        b'0' => Reply::NoData,
        b'1' => Reply::Code(ResponseCode::NXDomain),
        b'2' => Reply::Code(ResponseCode::Refused),
        b'3' => Reply::Code(ResponseCode::ServFail),
        _ => Reply::Records(vec![naptr(1, 1, "E2U+email:mailto", "mailto:a@x")]),
    }));
    for (number, exit, answer, result, key) in [
        (
            "+440",
            5,
            "no record of this type (NODATA), ttl 0 s, from DNS",
            "nothing: ENUM has this number, without a NAPTR record",
            "nodata",
        ),
        (
            "+441",
            5,
            "no such name (NXDOMAIN), ttl 0 s, from DNS",
            "nothing: ENUM does not have this number (NXDOMAIN)",
            "nxdomain",
        ),
        (
            "+442",
            4,
            "the DNS servers refuse to answer us (REFUSED), asked DNS",
            "no result: the DNS servers refuse to answer us (REFUSED)",
            "refused",
        ),
        (
            "+443",
            4,
            "the DNS servers cannot answer (SERVFAIL), asked DNS",
            "no result: the DNS servers cannot answer (SERVFAIL)",
            "servfail",
        ),
        (
            "+444",
            5,
            "1 record, ttl 300 s, from DNS",
            "nothing: there are records, and none that can be used",
            "unusable",
        ),
    ] {
        let args = ["enum", number, "--apex", "e164.arpa"];
        let (code, page) = dns.page(&args);
        let name = name_of(&number[1..], "e164.arpa");
        assert_eq!(code, exit, "{page}");
        assert!(page.contains(&format!("    NAPTR {name}: {answer}\n")), "{page}");
        assert!(page.ends_with(&format!("\n  {result}\n")), "{page}");
        assert_eq!(dns.json(&args)["lookups"][0]["result"], key);
    }
}

#[test]
fn a_number_that_is_not_e164_is_never_asked_for() {
    let dns = Dns::of(Names::dead());
    for number in ["02079460123", "999", "+4", "+1234567890123456"] {
        let ran = dns.run(&["enum", number, "--apex", "e164.arpa"]);
        assert_eq!((ran.code, &*ran.out), (2, ""));
        assert!(ran.err.contains("not an E.164 number, so that ENUM is never asked for it"), "{}", ran.err);
    }
    assert_eq!(dns.names.seen(), [""; 0]);
}

#[test]
fn routes_without_enum_and_too_many_apexes_are_wrong_usage() {
    let dns = Dns::of(Names::dead());
    let routes = Routes::of("routes: [{name: all, answer: 404}]\n");
    let ran = dns.run(&["enum", NUMBER, "--routes", routes.path().to_str().unwrap()]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.ends_with("has `enum:`; name an apex, as --apex e164.arpa\n"), "{}", ran.err);
    let many = ["--apex", "e164.arpa"].repeat(9);
    let ran = dns.run(&[&["enum", NUMBER][..], &many].concat());
    assert_eq!((ran.code, &*ran.err), (2, "error: --apex: 9 apexes, expected at most 8\n"));
    let ran = waypost(&["enum", NUMBER, "--routes", "/nowhere/routes"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(!Path::new("/nowhere/routes").exists());
}

/// A domain with SRV sets for UDP and TCP, and one server for TLS.
fn domain() -> Dns {
    let srv = |priority, weight, port, target: &str| {
        RData::SRV(SRV::new(priority, weight, port, Name::from_ascii(target).unwrap()))
    };
    Dns::of(Names::start(move |name, kind| match (name, kind) {
        ("example.org.", RecordType::NAPTR) => Reply::Records(vec![
            raw(20, "s", "SIP+D2T", "", "_sip._tcp.example.org."),
            raw(10, "s", "SIPS+D2T", "", "_sips._tcp.example.org."),
        ]),
        ("_sip._tcp.example.org.", RecordType::SRV) => Reply::Records(vec![
            srv(20, 0, 5062, "c.example.org."),
            srv(10, 25, 5080, "b.example.org."),
            srv(10, 75, 5080, "a.example.org."),
        ]),
        ("_sips._tcp.example.org.", RecordType::SRV) => {
            Reply::Records(vec![srv(1, 0, 5061, "a.example.org.")])
        }
        ("a.example.org.", RecordType::A) => Reply::Records(vec![a([192, 0, 2, 1])]),
        ("b.example.org.", RecordType::A) => Reply::Records(vec![a([192, 0, 2, 2])]),
        ("c.example.org.", RecordType::AAAA) => {
            Reply::Records(vec![RData::AAAA(AAAA("2001:db8::3".parse().unwrap()))])
        }
        ("refused.example.org.", _) => Reply::Code(ResponseCode::Refused),
        _ => Reply::NoData,
    }))
}

#[test]
fn locate_shows_the_chain_and_the_order() {
    let dns = domain();
    let (code, page) = dns.page(&["locate", "sip:bob@example.org;transport=tcp"]);
    assert_eq!(
        page,
        r#"locate sip:bob@example.org;transport=tcp
DNS servers: DNS

SRV _sip._tcp.example.org.: 3 records, ttl 300 s, from DNS
  10 25 5080 b.example.org.  25 % of priority 10
  10 75 5080 a.example.org.  75 % of priority 10
  20 0 5062 c.example.org.
A a.example.org.: 1 record, ttl 300 s, from DNS
  192.0.2.1
AAAA a.example.org.: no record of this type (NODATA), ttl 0 s, from DNS
A b.example.org.: 1 record, ttl 300 s, from DNS
  192.0.2.2
AAAA b.example.org.: no record of this type (NODATA), ttl 0 s, from DNS
A c.example.org.: no record of this type (NODATA), ttl 0 s, from DNS
AAAA c.example.org.: 1 record, ttl 300 s, from DNS
  2001:db8::3

found 3 servers, best first, by draw 0
  192.0.2.1:5080;transport=tcp
  192.0.2.2:5080;transport=tcp
  [2001:db8::3]:5062;transport=tcp
"#
    );
    assert_eq!(code, 0);
    // Another call may have another order among those of one priority, and only there.
    let first: Vec<_> = (0..8)
        .map(|draw| {
            let told = dns.json(&["locate", "sip:example.org;transport=tcp", "--draw", &draw.to_string()]);
            assert_eq!(told["contacts"][2]["contact"], "[2001:db8::3]:5062;transport=tcp");
            told["contacts"][0]["address"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(
        first.iter().any(|it| it == "192.0.2.1") && first.iter().any(|it| it == "192.0.2.2"),
        "{first:?}"
    );
}

#[test]
fn locate_follows_naptr_and_names_tls_servers() {
    let dns = domain();
    let (code, page) = dns.page(&["locate", "sips:example.org"]);
    assert_eq!(
        page,
        r#"locate sips:example.org
DNS servers: DNS

NAPTR example.org.: 2 records, ttl 300 s, from DNS
  10 10 "s" "SIPS+D2T" "" _sips._tcp.example.org.
  20 10 "s" "SIP+D2T" "" _sip._tcp.example.org.
SRV _sips._tcp.example.org.: 1 record, ttl 300 s, from DNS
  1 0 5061 a.example.org.
A a.example.org.: 1 record, ttl 300 s, from DNS
  192.0.2.1
AAAA a.example.org.: no record of this type (NODATA), ttl 0 s, from DNS

found 1 server, best first
  a.example.org:5061;transport=tls  at 192.0.2.1
"#
    );
    assert_eq!(code, 0);
    let told = dns.json(&["locate", "sips:example.org"]);
    let contact = json!({
        "address": "192.0.2.1", "port": 5061, "transport": "tls", "name": "a.example.org",
        "contact": "a.example.org:5061;transport=tls",
    });
    assert_eq!((&told["result"], &told["contacts"]), (&json!("found"), &json!([contact])));
    assert_eq!(told["questions"][2]["answer"]["records"], json!([{ "address": "192.0.2.1" }]));
}

#[test]
fn locate_tells_nothing_from_no_answer_and_asks_no_address() {
    let dns = domain();
    let (code, page) = dns.page(&["locate", "nowhere.example.org"]);
    assert_eq!(code, 5);
    assert!(page.ends_with("\n\nnothing: DNS has no server for it\n"), "{page}");
    let (code, page) = dns.page(&["locate", "sip:refused.example.org:5060"]);
    assert_eq!(code, 4);
    assert!(page.ends_with("\n\nno server: the DNS servers refuse to answer us (REFUSED)\n"), "{page}");
    let before = dns.names.seen().len();
    let (code, page) = dns.page(&["locate", "192.0.2.9"]);
    assert_eq!(code, 0);
    assert_eq!(
        page,
        "locate sip:192.0.2.9\nDNS is not asked\n\nfound 1 server, best first\n  192.0.2.9:5060;transport=udp\n"
    );
    assert_eq!(dns.names.seen().len(), before);
}

#[test]
fn the_command_line_names_the_servers() {
    let (dns, silent) = (domain(), Dns::of(Names::dead()));
    let ran = silent.run(&["locate", "sip:a.example.org:5080", "--server", &dns.address]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    assert!(ran.out.ends_with("\n  192.0.2.1:5080;transport=udp\n"), "{}", ran.out);
    assert!(ran.out.contains(&format!("DNS servers: {}\n", dns.address)), "{}", ran.out);
    assert_eq!(silent.names.seen(), [""; 0]);
    // Those of an apex are the apex's own, unless the command line names others.
    let apex = |dns: &Dns| {
        let server = &dns.address;
        format!(
            "routes: [{{name: enum, enum: {{apexes: [{{apex: e164.arpa, servers: [\"{server}\"]}}]}}}}, {{name: end, answer: 404}}]\n"
        )
    };
    let found = every_verdict();
    let routes = Routes::of(&apex(&silent).replace("e164.arpa", "e164.example.net"));
    let args = ["enum", NUMBER, "--server", &found.address, "--routes", routes.path().to_str().unwrap()];
    let ran = found.run(&args);
    assert_eq!((ran.code, silent.names.seen().len()), (0, 0), "{}{}", ran.out, ran.err);
}

#[test]
fn a_silent_dns_server_is_4_and_said() {
    let silent = Dns::of(Names::dead());
    let (code, page) = silent.page(&["locate", "sip:a.example.org:5080"]);
    assert_eq!(code, 4);
    assert!(page.contains("\nA a.example.org.: DNS did not answer in time, asked DNS\n"), "{page}");
    assert!(page.ends_with("\n\nno server: DNS did not answer in time\n"), "{page}");
}
