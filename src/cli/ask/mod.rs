//! Outside. `ask`: one real INVITE, its answer, its ACK. The newcomer's first tool.
//!
//! In:    [`AskArgs`].
//! Out:   status, round-trip time and Contacts for each call; trouble says what to check.
//! Never: more than one call at a time, or a call left ringing.

mod exchange;
mod report;

use std::{net::SocketAddr, time::Duration};

use exchange::{Answered, Exchange, Trouble};
use report::Reporter;

use super::{
    Exit,
    args::AskArgs,
    output,
    target::{self, NoAddress},
};
use crate::control::client::{Message, Response, random};

/// Asks as often as told. The worst call decides the exit code.
pub(crate) fn run(args: &AskArgs) -> Exit {
    let addresses = match target::addresses(&args.uri, args.to.as_deref()) {
        Ok(addresses) => addresses,
        Err(NoAddress::Wrong(message)) => {
            output::stderr(&format!("error: {message}"));
            return Exit::Usage;
        }
        Err(NoAddress::Unknown(message)) => {
            output::stderr(&format!("error: {message}"));
            return Exit::Unreachable;
        }
    };
    if target::is_made_of_number(&args.uri) {
        output::stderr(&format!("note: a bare number; asking for {}", args.uri));
    }
    if let Some(transport) = target::other_transport(&args.uri) {
        output::stderr(&format!(
            "note: asking over UDP all the same: ask speaks no other than UDP, not {transport}"
        ));
    }
    let mut reporter = Reporter::new(args);
    let ends: Vec<Exit> = (0..args.count).map(|_| call(args, &addresses, &mut reporter)).collect();
    reporter.summary();
    worst(&ends)
}

/// One call, to the first address where anything listens: `localhost` may name ::1 first, while the
/// server is on 127.0.0.1.
fn call(args: &AskArgs, addresses: &[SocketAddr], reporter: &mut Reporter<'_>) -> Exit {
    let mut last = None;
    for address in addresses {
        match attempt(args, *address, reporter) {
            Ok(answered) => {
                let redirected = (300..400).contains(&answered.response.status);
                reporter.answered(*address, &answered);
                return if redirected { Exit::Ok } else { Exit::NoRoute };
            }
            Err(trouble) => {
                let elsewhere = matches!(trouble, Trouble::Refused | Trouble::Socket(_));
                last = Some((*address, trouble));
                if !elsewhere {
                    break;
                }
            }
        }
    }
    if let Some((address, trouble)) = last {
        reporter.trouble(address, &trouble);
    }
    Exit::Unreachable
}

fn attempt(args: &AskArgs, address: SocketAddr, reporter: &mut Reporter<'_>) -> Result<Answered, Trouble> {
    let exchange = Exchange::open(address).map_err(Trouble::Socket)?;
    let (branch, from_tag, call_id) =
        (format!("z9hG4bK{}", random()), random(), format!("{}@waypost", random()));
    let local = exchange.local();
    let from = args.caller.clone().unwrap_or_else(|| format!("<sip:waypost@{local}>"));
    let message = Message {
        method: "INVITE",
        uri: &args.uri,
        transport: "UDP",
        local,
        branch: &branch,
        from: &from,
        from_tag: &from_tag,
        to: None,
        call_id: &call_id,
        cseq: 1,
        headers: &args.header,
    };
    let invite = message.request();
    reporter.sent(&invite);
    match exchange.invite(&message, &invite, args.timeout) {
        Ok(answered) => {
            reporter.received(&answered.bytes);
            for bytes in endings(&message, &answered.response) {
                reporter.sent(&bytes);
                // An ACK that is lost is sent again only when the answer comes again (RFC 3261
                // §17.1.1.2), which we do not wait for: a stateless server sends it once.
                let _lost = exchange.send(&bytes);
            }
            Ok(answered)
        }
        Err(Trouble::Silent { sent, provisional: Some(status) }) => {
            cancel(&exchange, &message);
            Err(Trouble::Silent { sent, provisional: Some(status) })
        }
        Err(trouble) => Err(trouble),
    }
}

/// What a final answer is owed: an ACK, and after a 2xx a BYE as well, for nobody is here to talk.
fn endings(message: &Message<'_>, response: &Response) -> Vec<Vec<u8>> {
    let to = response.header("To");
    if response.status >= 300 {
        // RFC 3261 §17.1.1.3: same branch, To of the answer.
        return vec![message.follow_up("ACK", to)];
    }
    // RFC 3261 §13.2.2.4: the ACK of a 2xx is a transaction of its own and goes to the Contact.
    let contact = response.contacts().into_iter().next().map(|contact| contact.uri);
    let uri = contact.filter(|uri| uri.bytes().all(|byte| byte.is_ascii_graphic()));
    let uri = uri.as_deref().unwrap_or(message.uri);
    let [ack, bye] = [(), ()].map(|()| format!("z9hG4bK{}", random()));
    vec![
        Message { uri, branch: &ack, ..message.clone() }.follow_up("ACK", to),
        Message { uri, branch: &bye, cseq: 2, ..message.clone() }.follow_up("BYE", to),
    ]
}

/// RFC 3261 §9.1: a call that rings is taken back, and its 487 acknowledged.
fn cancel(exchange: &Exchange, message: &Message<'_>) {
    let _lost = exchange.send(&message.follow_up("CANCEL", None));
    if let Ok(answered) = exchange.wait(message, Duration::from_millis(500)) {
        for bytes in endings(message, &answered.response) {
            let _lost = exchange.send(&bytes);
        }
    }
}

/// No answer is worse than a wrong one.
fn worst(ends: &[Exit]) -> Exit {
    let order = [Exit::Unreachable, Exit::NoRoute];
    order.into_iter().find(|exit| ends.contains(exit)).unwrap_or(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_call_decides() {
        use Exit::{NoRoute, Ok, Unreachable};
        for (ends, exit) in
            [(&[Ok, Ok][..], Ok), (&[Ok, NoRoute, Ok], NoRoute), (&[NoRoute, Unreachable, Ok], Unreachable)]
        {
            assert_eq!(worst(ends), exit);
        }
    }

    #[test]
    fn identifiers_differ() {
        assert_ne!(random(), random());
    }

    #[test]
    fn a_call_that_was_taken_is_hung_up_at_its_contact() {
        let message = Message {
            method: "INVITE",
            uri: "sip:a@b",
            transport: "UDP",
            local: SocketAddr::from(([127, 0, 0, 1], 4)),
            branch: "z9hG4bK1",
            from: "<sip:x@y>",
            from_tag: "f",
            to: None,
            call_id: "c",
            cseq: 1,
            headers: &[],
        };
        let ok = b"SIP/2.0 200 OK\r\nTo: <sip:a@b>;tag=t\r\nContact: <sip:phone@d>\r\n\r\n";
        let sent = endings(&message, &Response::parse(ok).unwrap());
        let texts: Vec<_> = sent.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        let [ack, bye] = &texts[..] else { panic!("{texts:?}") };
        assert!(ack.starts_with("ACK sip:phone@d SIP/2.0\r\n") && ack.contains("CSeq: 1 ACK\r\n"), "{ack}");
        assert!(bye.starts_with("BYE sip:phone@d SIP/2.0\r\n") && bye.contains("CSeq: 2 BYE\r\n"), "{bye}");
        assert!(
            texts
                .iter()
                .all(|text| !text.contains("branch=z9hG4bK1;") && text.contains("To: <sip:a@b>;tag=t\r\n"))
        );
    }
}
