//! The INVITE of a call, and whether an answer is the one to it.

use std::{fmt::Write as _, net::SocketAddr};

/// Call-IDs that go round when they need not be distinct.
const CALL_IDS: u64 = 1000;

/// Writes requests and knows what their answers must repeat.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) local: SocketAddr,
    /// Makes two runs differ.
    pub(crate) run: u32,
    pub(crate) flow: u64,
    pub(crate) flows: u64,
    pub(crate) uri: String,
    pub(crate) distinct_call_ids: bool,
    /// The number of the first call, and how many there are before they go round.
    pub(crate) first: u64,
    pub(crate) numbers: u64,
    pub(crate) expect: Vec<u16>,
    /// The whole Contact of a redirect.
    pub(crate) contact: Option<String>,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    NotText,
    NoStatusLine,
    Status(u16),
    NoBranchOfOurs,
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contacts(usize),
    Contact,
    Changed,
    NoEnd,
    Twice,
}

impl Caller {
    /// The request of the call with this number.
    pub(crate) fn write_request(&self, call: u64, out: &mut String) {
        let local = self.local;
        let uri = self.called(call);
        out.clear();
        // Writing to a String does not fail.
        let _ = write!(
            out,
            "INVITE {uri} SIP/2.0\r\n\
             Via: {via}\r\n\
             Max-Forwards: 70\r\n\
             From: {from}\r\n\
             To: <{uri}>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq}\r\n\
             Contact: <sip:load@{local}>\r\n\
             Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, PRACK\r\n\
             Supported: 100rel, timer\r\n\
             User-Agent: load\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: {body_len}\r\n\r\n{BODY}",
            via = self.via(call),
            from = self.from(call),
            call_id = self.call_id(call),
            cseq = cseq(call),
            body_len = BODY.len(),
        );
    }

    /// The number of the call that an answer is for, or what is wrong with it.
    pub(crate) fn check(&self, answer: &[u8]) -> Result<u64, Wrong> {
        let answer = std::str::from_utf8(answer).map_err(|_| Wrong::NotText)?;
        let (head, _) = answer.split_once("\r\n\r\n").ok_or(Wrong::NoEnd)?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(status_of).ok_or(Wrong::NoStatusLine)?;
        let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
        let values = |long: &'static str, compact: &'static str| {
            headers
                .iter()
                .filter(move |(name, _)| {
                    let name = name.trim();
                    name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(compact)
                })
                .map(|(_, value)| value.trim())
        };
        // Exactly one line of the name: a second one is as wrong as none.
        let only = |long, compact| {
            let mut values = values(long, compact);
            values.next().filter(|_| values.next().is_none()).unwrap_or_default()
        };

        let via = only("Via", "v");
        let call = self.call_of(via).ok_or(Wrong::NoBranchOfOurs)?;
        // `rport` gets a value and `received` comes behind: our own must stand before.
        let own_via = self.via(call);
        let own_via = own_via.strip_suffix(";rport").unwrap_or(&own_via);
        let via_rest = via.strip_prefix(own_via);
        if via_rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(';')) {
            return Err(Wrong::Via);
        }
        if only("From", "f") != self.from(call) {
            return Err(Wrong::From);
        }
        let own_to = format!("<{}>", self.called(call));
        if only("To", "t").strip_prefix(own_to.as_str()).is_none_or(|rest| !rest.starts_with(";tag=")) {
            return Err(Wrong::To);
        }
        if only("Call-ID", "i") != self.call_id(call) {
            return Err(Wrong::CallId);
        }
        if only("CSeq", "") != cseq(call) {
            return Err(Wrong::CSeq);
        }
        if !self.expect.contains(&status) {
            return Err(Wrong::Status(status));
        }
        let contacts = values("Contact", "m").count();
        if (300..400).contains(&status) && contacts != 1 {
            return Err(Wrong::Contacts(contacts));
        }
        let is_contact =
            |expected: &String| only("Contact", "m") == expected.replace("{n}", &self.digits(call));
        if (300..400).contains(&status) && !self.contact.as_ref().is_none_or(is_contact) {
            return Err(Wrong::Contact);
        }
        Ok(call)
    }

    /// Which of the numbers the call is to: those of one flow are not those of another.
    pub(crate) fn number(&self, call: u64) -> u64 {
        self.first + (call * self.flows + self.flow) % self.numbers
    }

    fn called(&self, call: u64) -> String {
        self.uri.replace("{n}", &self.digits(call))
    }

    /// Eight digits, spread over all numbers.
    fn digits(&self, call: u64) -> String {
        // An odd factor that is prime to 10⁸: no number comes twice before all have come.
        format!("{:08}", self.number(call).wrapping_mul(61_803_397) % 100_000_000)
    }

    fn via(&self, call: u64) -> String {
        format!("SIP/2.0/UDP {};branch={}{call};rport", self.local, self.branch_head())
    }

    fn branch_head(&self) -> String {
        format!("z9hG4bK-{:x}-{}-", self.run, self.flow)
    }

    fn call_of(&self, via: &str) -> Option<u64> {
        let (_, rest) = via.split_once(&format!(";branch={}", self.branch_head()))?;
        rest.split(';').next()?.parse().ok()
    }

    fn from(&self, call: u64) -> String {
        format!("\"Load\" <sip:+441632960000@{}>;tag={:x}-{call}", self.local.ip(), self.run)
    }

    fn call_id(&self, call: u64) -> String {
        let number = if self.distinct_call_ids { call } else { call % CALL_IDS };
        format!("{:x}-{}-{number}@load.invalid", self.run, self.flow)
    }
}

/// What a right answer says to the caller: its status line and its Contacts.
pub(crate) fn said(answer: &[u8]) -> String {
    let answer = String::from_utf8_lossy(answer);
    let mut lines = answer.split("\r\n");
    let mut said = lines.next().unwrap_or_default().to_owned();
    for line in lines.filter(|line| line.get(..8).is_some_and(|name| name.eq_ignore_ascii_case("contact:"))) {
        said.push('\n');
        said.push_str(line);
    }
    said
}

fn cseq(call: u64) -> String {
    format!("{} INVITE", 1 + call % 1000)
}

fn status_of(line: &str) -> Option<u16> {
    let (status, _reason) = line.strip_prefix("SIP/2.0 ")?.split_once(' ')?;
    (status.len() == 3).then(|| status.parse().ok())?
}

/// What a telephone offers.
const BODY: &str = "v=0\r\n\
    o=- 3956123456 3956123456 IN IP4 127.0.0.1\r\n\
    s=-\r\n\
    c=IN IP4 127.0.0.1\r\n\
    t=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\n\
    a=ptime:20\r\n\
    a=sendrecv\r\n";
