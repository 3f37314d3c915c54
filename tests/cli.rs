//! The real binary: help, usage errors, generated pages, and `ask` against a responder of this test.

#[path = "cli/responder.rs"]
mod responder;
#[path = "cli/run.rs"]
mod run;

use responder::{Responder, Seen, answer};
use run::{Ran, waypost};

const COMMANDS: [&str; 13] = [
    "serve",
    "check",
    "compile",
    "publish",
    "diff",
    "explain",
    "ctl",
    "enum",
    "locate",
    "ask",
    "schema",
    "completions",
    "man",
];

#[test]
fn help_names_every_command_and_teaches() {
    let top = waypost(&["--help"]);
    assert_eq!(top.code, 0);
    for command in COMMANDS {
        assert!(top.out.contains(&format!("\n  {command} ")), "{command} in {}", top.out);
        let own = waypost(&[command, "--help"]);
        assert_eq!(own.code, 0, "{command}");
        for part in ["Usage: waypost ", "Examples:\n", "Exit codes:\n", "--routes <DIR>", "--config <FILE>"] {
            assert!(own.out.contains(part), "{part} in {command}: {}", own.out);
        }
    }
}

#[test]
fn version() {
    let ran = waypost(&["--version"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, concat!("waypost ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn wrong_usage_is_2_and_says_what_was_expected() {
    for (args, expected) in [
        (&["nonsense"][..], "unrecognized subcommand 'nonsense'"),
        (&["--listen", "5060"], "expected udp:, tcp: or tls:ADDR:PORT"),
        (
            &["--listen", "udp:127.0.0.1:5060", "--listen", "sctp:127.0.0.1:5060"],
            "expected udp:, tcp: or tls:ADDR:PORT",
        ),
        (&["--admin", "on"], "or off"),
        (&["--log-level", "loud"], "[possible values: error, warn, info, debug, trace]"),
        (&["--log-format", "xml"], "[possible values: human, json]"),
        (&["explain"], "required arguments were not provided"),
        (&["explain", "bob"], "expected a URI"),
        (&["explain", "+44", "--raw", "f"], "cannot be used with"),
        (&["explain", "+44", "--from", "example.com"], "expected IP or IP:PORT"),
        (&["explain", "+44", "--at", "noon"], "expected a time with its zone"),
        (&["explain", "+44", "--header", "X"], "expected 'Name: value'"),
        (&["explain", "+44", "--transport", "sctp"], "expected udp, tcp or tls"),
        (&["explain", "+44", "--certificate", "*.example"], "expected a name in a certificate"),
        (&["enum"], "required arguments were not provided"),
        (&["enum", "999"], "expected + and 2 to 15 digits"),
        (&["enum", "+44", "--apex", "a..b"], "expected a domain name"),
        (&["enum", "+44", "--services", "a b"], "expected services without E2U"),
        (&["enum", "+44", "--server", "dns.example.net"], "expected IP or IP:PORT"),
        (&["enum", "+44", "--within", "33s"], "expected 1ms to 32s"),
        (&["locate", "+442079460123"], "`waypost enum` looks it up"),
        (&["locate", "tel:+44"], "has no domain"),
        (&["ask"], "required arguments were not provided"),
        (&["ask", "sip:a@b\r\nX: y"], "expected printable ASCII"),
        (&["ask", "tel:+44"], "--to ADDR:PORT"),
        (&["ask", "sip:a@127.0.0.1:0"], "is not a host"),
        (&["ask", "sip:a@127.0.0.1", "--timeout", "2"], "as 500ms or 2s"),
        (&["ask", "sip:a@127.0.0.1", "--count", "0"], "expected 1 to 1000"),
        (&["completions", "cmd"], "[possible values: bash"),
    ] {
        let ran = waypost(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(expected), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    }
}

#[test]
fn a_configuration_that_is_not_there_is_1_and_named() {
    for command in ["serve", "check", "explain"] {
        let mut args = vec![command, "--config", "/nowhere/waypost.yaml"];
        args.extend((command == "explain").then_some("+44"));
        let ran = waypost(&args);
        assert_eq!(ran.code, 1, "{command}");
        assert!(
            ran.err.starts_with("error: configuration /nowhere/waypost.yaml cannot be read"),
            "{command}: {}",
            ran.err
        );
    }
}

#[test]
fn a_wrong_configuration_is_named_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("w.yaml");
    std::fs::write(&file, "admin: off\nlisten: [\"udp:nowhere\"]\n").unwrap();
    let file = file.to_str().unwrap();
    let ran = waypost(&["check", "--config", file]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with(&format!("{file}:2:10: error: ")), "{}", ran.err);
    assert_eq!(ran.out, "routes: 1 error, refused\n");

    let ran = waypost(&["check", "--json", "--config", file]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(found[0]["file"], file);
    assert_eq!((&found[0]["line"], &found[0]["column"]), (&2.into(), &10.into()));
    assert_eq!(found[0]["severity"], "error");
    assert_eq!(found.as_array().unwrap().len(), 1);
}

#[test]
fn a_routes_directory_that_is_not_there_says_how_to_make_one() {
    let ran = waypost(&["check", "--routes", "/nowhere/routes"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("/nowhere/routes") && ran.err.contains("mkdir"), "{}", ran.err);
}

#[test]
fn the_man_page_has_every_command() {
    let ran = waypost(&["man"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains(".TH waypost 1"), "{}", ran.out);
    for command in COMMANDS {
        let heading = format!(".SH \"WAYPOST {}\"", command.to_uppercase());
        assert!(ran.out.contains(&heading), "{heading} in {}", ran.out);
    }
    assert_eq!(ran.out.matches(".SS EXAMPLES AND EXIT CODES").count(), COMMANDS.len());
    let of_ctl = ran.out.split(".SH \"WAYPOST CTL\"").nth(1).unwrap().split("\n.SH ").next().unwrap();
    for word in ["token\\-file", "\\fBstatus\\fR", "\\fBdns flush\\fR"] {
        assert!(of_ctl.contains(word), "{word} in {of_ctl}");
    }
    // The server options are said once, in the options of waypost itself.
    assert_eq!(ran.out.matches("\nWhere to listen; may be given again.").count(), 1, "{}", ran.out);
    assert!(!ran.out.contains(".SH \"\""), "{}", ran.out);
}

#[test]
fn completions_are_made_for_every_shell() {
    for (shell, sign) in [
        ("bash", "complete -F _waypost"),
        ("zsh", "#compdef waypost"),
        ("fish", "complete -c waypost"),
        ("elvish", "edit:completion:arg-completer[waypost]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let ran = waypost(&["completions", shell]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{shell}");
        assert!(ran.out.contains(sign), "{shell}: {}", ran.out);
        for command in COMMANDS {
            assert!(ran.out.contains(command), "{command} for {shell}");
        }
    }
}

/// Contacts in many forms and in no order.
const ODD_CONTACTS: &str = "Contact: <sip:third@a;x=1,2>;q=0.5 , \"Say \\\"hi\\\", <Bob>\" <sip:first@b>;expires=60;q=0.99\r\n\
     m: sip:second@c;q=0.7\r\n\
     Contact:\r\n\tSales  <sip:fourth@[::1]:5070?Identity=a%3Bb> ; q = 0.123\r\n";

#[test]
fn ask_shows_the_contacts_in_order_of_q_and_acknowledges() {
    let responder = Responder::start(|seen| vec![answer(seen, "302 Moved Temporarily", ODD_CONTACTS)]);
    let uri = format!("sip:+442079460123@{}", responder.address());
    let ran = waypost(&["ask", &uri, "--caller", "+441632960123", "--header", "X-Trunk: gold", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&line["status"], &line["reason"]), (&302.into(), &"Moved Temporarily".into()));
    assert_eq!(line["invites_sent"], 1);
    assert!(line["round_trip_ms"].as_f64().unwrap() > 0.0);
    let contacts: Vec<_> = line["contacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["uri"].as_str().unwrap(), c["q"].as_f64().unwrap()))
        .collect();
    assert_eq!(
        contacts,
        [
            ("sip:first@b", 0.99),
            ("sip:second@c", 0.7),
            ("sip:third@a;x=1,2", 0.5),
            ("sip:fourth@[::1]:5070?Identity=a%3Bb", 0.123)
        ]
    );
    assert_eq!(line["contacts"][0]["display"], "Say \"hi\", <Bob>");
    assert_eq!(line["contacts"][0]["params"]["expires"], "60");

    let seen = responder.stop();
    let [invite, ack] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(invite.first_line(), format!("INVITE {uri} SIP/2.0"));
    assert!(invite.header("From").starts_with("<sip:+441632960123@localhost>;tag="), "{invite:?}");
    assert_eq!(invite.header("To"), format!("<{uri}>"));
    assert_eq!(invite.header("X-Trunk"), "gold");
    assert_eq!(invite.header("CSeq"), "1 INVITE");
    assert_eq!(invite.header("Max-Forwards"), "70");
    assert_eq!(invite.header("Content-Type"), "application/sdp");
    assert_eq!(invite.header("Content-Length"), invite.body().len().to_string());
    let via = invite.header("Via");
    assert!(via.starts_with(&format!("SIP/2.0/UDP {};", invite.from)), "{via} from {}", invite.from);
    assert!(via.contains(";branch=z9hG4bK") && via.ends_with(";rport"), "{via}");
    assert_well_formed_ack(invite, ack);
}

/// RFC 3261 §17.1.1.3.
fn assert_well_formed_ack(invite: &Seen, ack: &Seen) {
    assert_eq!(ack.first_line(), invite.first_line().replacen("INVITE", "ACK", 1));
    for same in ["Via", "From", "Call-ID", "Max-Forwards"] {
        assert_eq!(ack.header(same), invite.header(same), "{same}");
    }
    assert_eq!(ack.header("To"), format!("{};tag=responder", invite.header("To")));
    assert_eq!(ack.header("CSeq"), "1 ACK");
    assert_eq!(ack.header("Content-Length"), "0");
    assert_eq!(ack.body(), "");
    assert_eq!(ack.from, invite.from);
    assert_eq!(ack.text.matches("\r\nVia:").count(), 1);
}

#[test]
fn ask_prints_for_people() {
    let responder = Responder::start(|seen| vec![answer(seen, "302 Moved Temporarily", ODD_CONTACTS)]);
    let ran = waypost(&["ask", "sip:+44@example.com", "--to", &responder.address().to_string()]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(
        lines[0].starts_with(&format!("302 Moved Temporarily  from {} after ", responder.address())),
        "{lines:?}"
    );
    assert!(lines[0].ends_with(" ms"), "{lines:?}");
    assert_eq!(
        lines[1..],
        [
            "  1  q=0.990  sip:first@b  \"Say \"hi\", <Bob>\"  expires=60",
            "  2  q=0.700  sip:second@c",
            "  3  q=0.500  sip:third@a;x=1,2",
            "  4  q=0.123  sip:fourth@[::1]:5070?Identity=a%3Bb  \"Sales\"",
        ]
    );
}

#[test]
fn ask_verbose_prints_the_three_messages() {
    let responder =
        Responder::start(|seen| vec![answer(seen, "302 Moved\x1b[31m", "Contact: <sip:a@b>\r\n")]);
    let ran = waypost(&["ask", "sip:+44@example.com", "--to", &responder.address().to_string(), "-v"]);
    assert_eq!(ran.code, 0);
    for part in [
        "--- sent\nINVITE sip:+44@example.com SIP/2.0\n",
        "--- received\nSIP/2.0 302 Moved\\x1b[31m\n",
        "--- sent\nACK sip:",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    assert!(ran.out.contains("  1  q=1.000 (by default)  sip:a@b\n"), "{}", ran.out);
    assert!(!ran.out.contains('\x1b'), "{}", ran.out);
}

#[test]
fn ask_sends_again_when_the_first_invite_is_lost() {
    let mut invites = 0;
    let responder = Responder::start(move |seen| {
        invites += 1;
        if invites == 1 {
            vec![]
        } else {
            vec![answer(seen, "302 Moved Temporarily", "Contact: <sip:a@b>;q=0.9\r\n")]
        }
    });
    let ran = waypost(&["ask", &format!("sip:+44@{}", responder.address()), "--timeout", "20s", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(line["invites_sent"].as_u64().unwrap() >= 2, "{line}");
    let seen = responder.stop();
    assert_eq!(seen[0].text, seen[1].text);
    assert_eq!(seen.last().unwrap().header("CSeq"), "1 ACK");
}

#[test]
fn ask_without_an_answer_is_4_and_says_what_to_check() {
    let responder = Responder::start(|_| vec![]);
    let uri = format!("sip:+44@{}", responder.address());
    let ran = waypost(&["ask", &uri, "--timeout", "100ms"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    for part in ["error: no answer from udp:127.0.0.1:", "in 100ms; the INVITE was sent 1 time.", "firewall"]
    {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    let ran = waypost(&["ask", &uri, "--timeout", "100ms", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (4, ""));
    let line: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(
        line["status"].is_null() && line["error"].as_str().unwrap().starts_with("no answer from "),
        "{line}"
    );
}

#[test]
fn ask_where_nothing_listens_is_4_and_says_so() {
    let responder = Responder::start(|_| vec![]);
    let address = responder.address();
    responder.stop();
    let ran = waypost(&["ask", &format!("sip:+44@{address}"), "--timeout", "20s"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.starts_with(&format!("error: nothing listens on udp:{address}. ")), "{}", ran.err);
}

#[test]
fn ask_answered_otherwise_is_5_and_acknowledged() {
    for status in ["404 Not Found", "603 Decline"] {
        let responder = Responder::start(move |seen| vec![answer(seen, status, "")]);
        let ran = waypost(&["ask", &format!("sip:+44@{}", responder.address())]);
        assert_eq!((ran.code, ran.err.as_str()), (5, ""));
        assert!(ran.out.starts_with(&format!("{status}  from ")), "{}", ran.out);
        let seen = responder.stop();
        let [invite, ack] = &seen[..] else { panic!("{seen:?}") };
        assert_well_formed_ack(invite, ack);
    }
}

#[test]
fn ask_ignores_what_answers_another_request() {
    let responder = Responder::start(|seen| {
        let right = answer(seen, "302 Moved Temporarily", "Contact: <sip:right@b>\r\n");
        let wrong = answer(seen, "302 Moved Temporarily", "Contact: <sip:wrong@b>\r\n");
        vec![
            "\r\n\r\n".to_owned(),
            wrong.replace("branch=z9hG4bK", "branch=z9hG4bKx"),
            wrong.replace("Call-ID: ", "Call-ID: x"),
            wrong.replace("CSeq: 1 INVITE", "CSeq: 2 INVITE"),
            answer(seen, "100 Trying", ""),
            right,
        ]
    });
    let ran = waypost(&["ask", &format!("sip:+44@{}", responder.address())]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("sip:right@b") && !ran.out.contains("wrong"), "{}", ran.out);
}

#[test]
fn ask_cancels_a_call_that_rings() {
    let responder = Responder::start(|seen| match seen.method() {
        "INVITE" => vec![answer(seen, "180 Ringing", "")],
        "CANCEL" => vec![
            answer(seen, "200 OK", ""),
            answer(seen, "487 Request Terminated", "").replace("1 CANCEL", "1 INVITE"),
        ],
        _ => vec![],
    });
    let ran = waypost(&["ask", &format!("sip:+44@{}", responder.address()), "--timeout", "1s"]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains(" said 180 and no final answer came in 1s; the call was cancelled."),
        "{}",
        ran.err
    );
    let seen = responder.stop();
    let methods: Vec<_> = seen.iter().map(Seen::method).collect();
    assert_eq!(methods, ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(seen[1].header("Via"), seen[0].header("Via"));
    assert_eq!(seen[1].header("CSeq"), "1 CANCEL");
}

#[test]
fn ask_hangs_up_on_whoever_takes_the_call() {
    let responder = Responder::start(|seen| match seen.method() {
        "INVITE" => vec![answer(seen, "200 OK", "Contact: <sip:phone@127.0.0.1>\r\n")],
        _ => vec![],
    });
    let ran = waypost(&["ask", &format!("sip:+44@{}", responder.address())]);
    assert_eq!(ran.code, 5);
    let seen = responder.stop();
    let lines: Vec<_> = seen.iter().map(|seen| seen.first_line().to_owned()).collect();
    assert_eq!(lines[1..], ["ACK sip:phone@127.0.0.1 SIP/2.0", "BYE sip:phone@127.0.0.1 SIP/2.0"]);
}

#[test]
fn ask_many_counts_each_call_once_and_the_worst_decides() {
    let mut calls = 0;
    let responder = Responder::start(move |seen| {
        if seen.method() != "INVITE" {
            return vec![];
        }
        calls += 1;
        let status = if calls == 2 { "404 Not Found" } else { "302 Moved Temporarily" };
        vec![answer(seen, status, "Contact: <sip:a@b>\r\n")]
    });
    let ran = waypost(&["ask", &format!("sip:+44@{}", responder.address()), "--count", "3"]);
    assert_eq!((ran.code, ran.err.as_str()), (5, ""));
    assert!(
        ran.out.contains("\n3 calls: 2 redirects, 1 other answer, 0 without answer; round trip "),
        "{}",
        ran.out
    );
    let seen = responder.stop();
    let mut calls: Vec<_> = seen
        .iter()
        .filter(|seen| seen.method() == "INVITE")
        .map(|seen| seen.header("Call-ID").to_owned())
        .collect();
    calls.sort();
    calls.dedup();
    assert_eq!(calls.len(), 3);
}

#[test]
fn ask_takes_a_bare_number_and_says_what_it_made_of_it() {
    let responder = Responder::start(|seen| vec![answer(seen, "302 Moved Temporarily", "")]);
    let ran: Ran = waypost(&["ask", "+442079460123", "--to", &responder.address().to_string()]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.err, "note: a bare number; asking for sip:+442079460123@localhost\n");
    assert!(ran.out.contains("no Contact"), "{}", ran.out);
}
