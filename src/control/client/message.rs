//! Outside. Writes the requests of a client: the INVITE that `ask` sends and `explain` decides, and the
//! ACK, CANCEL and BYE that end what an INVITE began; the OPTIONS of a probe.

/// What a request is made of. Everything here was checked where it was read, or made by ourselves.
#[derive(Clone, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    /// `UDP`, `TCP`, `TLS`.
    pub(crate) transport: &'a str,
    /// Host and port of the Via; also of the Contact and the SDP.
    pub(crate) local: std::net::SocketAddr,
    pub(crate) branch: &'a str,
    /// Name-addr without tag.
    pub(crate) from: &'a str,
    pub(crate) from_tag: &'a str,
    /// Value of To; `None`: the Request-URI.
    pub(crate) to: Option<&'a str>,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    pub(crate) headers: &'a [(String, String)],
}

impl Message<'_> {
    /// A request out of a dialog; an INVITE with an SDP offer.
    pub(crate) fn request(&self) -> Vec<u8> {
        let mut head = self.head();
        let sdp = if self.method == "INVITE" { self.offer() } else { String::new() };
        if self.method == "INVITE" {
            head.push_str(&format!("Contact: <sip:waypost@{}>\r\n", self.local));
            head.push_str("Content-Type: application/sdp\r\n");
        }
        for (name, value) in self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len()));
        head.into_bytes()
    }

    /// A request of the same call without headers or body of its own.
    pub(crate) fn follow_up(&self, method: &str, to: Option<&str>) -> Vec<u8> {
        let mut head = Message { method, to, ..self.clone() }.head();
        head.push_str("Content-Length: 0\r\n\r\n");
        head.into_bytes()
    }

    fn head(&self) -> String {
        let Self { method, uri, transport, local, branch, from, from_tag, call_id, cseq, .. } = self;
        let to = self.to.map_or_else(|| format!("<{uri}>"), str::to_owned);
        // RFC 3581 §3: a client asks for the answer to come to the port it sent from.
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: {from};tag={from_tag}\r\n\
             To: {to}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n"
        )
    }

    /// An offer that any phone could make (RFC 4566, RFC 3551): one audio stream, G.711.
    fn offer(&self) -> String {
        let ip = self.local.ip();
        let family = if ip.is_ipv6() { "IP6" } else { "IP4" };
        format!(
            "v=0\r\n\
             o=waypost 1 1 IN {family} {ip}\r\n\
             s=-\r\n\
             c=IN {family} {ip}\r\n\
             t=0 0\r\n\
             m=audio 49170 RTP/AVP 8 0\r\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>() -> Message<'a> {
        Message {
            method: "INVITE",
            uri: "sip:+44@127.0.0.1",
            transport: "UDP",
            local: "127.0.0.1:40000".parse().unwrap(),
            branch: "z9hG4bK1",
            from: "<sip:a@b>",
            from_tag: "f",
            to: None,
            call_id: "c",
            cseq: 1,
            headers: &[],
        }
    }

    #[test]
    fn an_invite_is_whole() {
        let headers = [("X-Trunk".to_owned(), "gold".to_owned())];
        let bytes = Message { headers: &headers, ..message() }.request();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            head.lines().collect::<Vec<_>>(),
            [
                "INVITE sip:+44@127.0.0.1 SIP/2.0",
                "Via: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK1;rport",
                "Max-Forwards: 70",
                "From: <sip:a@b>;tag=f",
                "To: <sip:+44@127.0.0.1>",
                "Call-ID: c",
                "CSeq: 1 INVITE",
                "Contact: <sip:waypost@127.0.0.1:40000>",
                "Content-Type: application/sdp",
                "X-Trunk: gold",
                &format!("Content-Length: {}", body.len()),
            ]
        );
        assert!(body.starts_with("v=0\r\n") && body.ends_with("\r\n"));
    }

    #[test]
    fn the_offer_names_the_family_of_the_address() {
        let bytes = Message { local: "[::1]:40000".parse().unwrap(), ..message() }.request();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("Via: SIP/2.0/UDP [::1]:40000;"), "{text}");
        assert!(text.contains("c=IN IP6 ::1\r\n"), "{text}");
    }

    #[test]
    fn an_ack_differs_from_its_invite_in_method_and_to_only() {
        let headers = [("X-Trunk".to_owned(), "gold".to_owned())];
        let ack =
            Message { headers: &headers, ..message() }.follow_up("ACK", Some("<sip:+44@127.0.0.1>;tag=t"));
        assert_eq!(
            String::from_utf8(ack).unwrap(),
            "ACK sip:+44@127.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK1;rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:a@b>;tag=f\r\n\
             To: <sip:+44@127.0.0.1>;tag=t\r\n\
             Call-ID: c\r\n\
             CSeq: 1 ACK\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }
}
