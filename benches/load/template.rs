//! A request from a file, in which what tells calls apart varies at constant length; and whether an answer is the
//! one to it.
//!
//! In:    the bytes of an INVITE as on the wire; answers.
//! Out:   the request of each call, always of as many bytes; the call that an answer is for, or what
//!        is wrong with it.
//! Never: allocates for an answer that is right.

use std::{net::SocketAddr, ops::Range, sync::Arc};

use memchr::{memchr, memmem};

use crate::message::Wrong;

/// Hexadecimal digits that tell calls apart, in each place.
const ID_LEN: usize = 8;
/// Decimal digits of the number that vary when there is no list of numbers.
const DIGITS: usize = 8;
const DIGITS_ALL: u64 = 100_000_000;

/// The request, and where its parts are.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    number_len: usize,
    /// Where the called number stands.
    numbers: Vec<usize>,
    /// Where [`ID_LEN`] digits stand: branch of the first Via, tag of From, Call-ID.
    ids: Vec<usize>,
    /// The first of these, counted from the value of the first Via.
    id_in_via: usize,
    vias: Vec<Range<usize>>,
    from: Range<usize>,
    to: Range<usize>,
    call_id: Range<usize>,
    cseq: Range<usize>,
    /// Where an answer goes that obeys the first Via.
    pub(crate) port: u16,
}

impl Template {
    pub(crate) fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let head = memmem::find(&bytes, b"\r\n\r\n").ok_or("the request has no end of its head")?;
        let (mut vias, mut lines) = (Vec::new(), Vec::new());
        let mut start = memchr(b'\n', &bytes).map_or(head, |end| end + 1);
        while start < head {
            let end = start + memchr(b'\r', &bytes[start..]).ok_or("a line of the request has no CR")?;
            let colon =
                start + memchr(b':', &bytes[start..end]).ok_or("a line of the request has no colon")?;
            let name = bytes[start..colon].to_ascii_lowercase();
            let value = trimmed(&bytes, colon + 1..end);
            if name == b"via" {
                vias.push(value)
            } else {
                lines.push((name, value))
            }
            start = end + 2;
        }
        let value = |name: &str| {
            let mut found = lines.iter().filter(|(of, _)| of == name.as_bytes());
            let (_, value) = found.next().ok_or_else(|| format!("the request has no {name}"))?;
            Ok::<_, String>(value.clone())
        };
        let (from, to) = (value("from")?, value("to")?);
        let (call_id, cseq) = (value("call-id")?, value("cseq")?);
        let via = vias.first().ok_or("the request has no Via")?.clone();

        let user = between(&bytes, 0..head, b"sip:", b"@;> ").ok_or("the Request-URI is none of sip:")?;
        if user.len() < DIGITS {
            return Err(format!("the called number has fewer than {DIGITS} characters"));
        }
        let branch =
            between(&bytes, via.clone(), b";branch=", b";\r").ok_or("the first Via has no branch")?;
        let tag = between(&bytes, from.clone(), b";tag=", b";\r").ok_or("From has no tag")?;
        for part in [&branch, &tag, &call_id] {
            if part.len() < ID_LEN {
                return Err(format!("branch, tag and Call-ID must have {ID_LEN} characters"));
            }
        }
        let last = |part: &Range<usize>| part.end - ID_LEN..part.end;
        let everywhere =
            |part: Range<usize>| memmem::find_iter(&bytes[..head], &bytes[part]).collect::<Vec<_>>();
        let mut ids = vec![branch.end - ID_LEN];
        ids.extend(everywhere(last(&tag)));
        ids.extend(everywhere(call_id.start..call_id.start + ID_LEN));
        let numbers = everywhere(user.clone());
        let port = between(&bytes, via.clone(), b":", b";\r")
            .and_then(|port| std::str::from_utf8(&bytes[port]).ok()?.trim().parse().ok());
        Ok(Self {
            number_len: user.len(),
            numbers,
            id_in_via: branch.end - ID_LEN - via.start,
            ids,
            vias,
            from,
            to,
            call_id,
            cseq,
            port: port.unwrap_or(5060),
            bytes,
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes a copy of the request the one of this call.
    pub(crate) fn vary(&self, request: &mut [u8], id: u64, numbers: &Numbers) {
        let digits = hexadecimal(id);
        for at in &self.ids {
            request[*at..*at + ID_LEN].copy_from_slice(&digits);
        }
        match numbers {
            Numbers::Spread(count) => {
                let digits = decimal(id % count * 61_803_397 % DIGITS_ALL);
                for at in &self.numbers {
                    let end = *at + self.number_len;
                    request[end - DIGITS..end].copy_from_slice(&digits);
                }
            }
            Numbers::Listed(list) => {
                let (number, _) = &list[(id % list.len() as u64) as usize];
                for at in &self.numbers {
                    request[*at..*at + self.number_len].copy_from_slice(number);
                }
            }
        }
    }
}

/// The part of `within` behind `before`, up to one of `ends` or the end.
fn between(bytes: &[u8], within: Range<usize>, before: &[u8], ends: &[u8]) -> Option<Range<usize>> {
    let start = within.start + memmem::find(&bytes[within.clone()], before)? + before.len();
    let len = bytes[start..within.end].iter().position(|byte| ends.contains(byte));
    Some(start..len.map_or(within.end, |len| start + len))
}

fn trimmed(bytes: &[u8], part: Range<usize>) -> Range<usize> {
    let value = bytes[part.clone()].trim_ascii_start();
    let start = part.end - value.len();
    start..start + value.trim_ascii_end().len()
}

fn hexadecimal(id: u64) -> [u8; ID_LEN] {
    let mut left = id;
    let mut digits = [0; ID_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(left & 15) as usize];
        left >>= 4;
    }
    digits
}

fn read_hexadecimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |id, digit| match digit {
        b'0'..=b'9' => Some(id << 4 | u64::from(digit - b'0')),
        b'a'..=b'f' => Some(id << 4 | u64::from(digit - b'a' + 10)),
        _ => None,
    })
}

fn decimal(number: u64) -> [u8; DIGITS] {
    let mut left = number;
    let mut digits = [0; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    digits
}

/// The numbers that are called.
#[derive(Clone, Debug)]
pub(crate) enum Numbers {
    /// So many: the last eight digits of the request's number, as in `message.rs`.
    Spread(u64),
    /// These, each with what a table has for it.
    Listed(Vec<(Vec<u8>, Vec<u8>)>),
}

impl Numbers {
    /// `text` has a number and a value to a line. All numbers must be as long as the request's.
    pub(crate) fn listed(text: &str, template: &Template) -> Result<Self, String> {
        let mut list = Vec::new();
        for (line, row) in (1..).zip(text.lines()) {
            let (number, value) =
                row.split_once(',').ok_or_else(|| format!("line {line}: expected NUMBER,VALUE: {row}"))?;
            if number.len() != template.number_len {
                return Err(format!("line {line}: {number} has not {} characters", template.number_len));
            }
            list.push((number.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
        if list.is_empty() { Err("no calls".to_owned()) } else { Ok(Self::Listed(list)) }
    }

    fn value(&self, id: u64) -> &[u8] {
        match self {
            Self::Spread(_) => b"",
            Self::Listed(list) => &list[(id % list.len() as u64) as usize].1,
        }
    }
}

/// What answers must be.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// The request again, cut or filled with blanks to this length.
    Echo(usize),
    /// A status, and for a redirect all its Contacts in their order, in as many lines as it likes; `{n}` is the
    /// called number, `{v}` its value. Without a list, any.
    Answer { statuses: Vec<u16>, contacts: Option<String> },
}

/// Knows the right answers of one flow.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    template: Arc<Template>,
    numbers: Arc<Numbers>,
    expected: Expected,
    contacts: Vec<Piece>,
    received: Vec<u8>,
    rport: Vec<u8>,
    /// The request of the call whose answer is looked at.
    own: Vec<u8>,
    own_contacts: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(Vec<u8>),
    Number,
    Value,
}

impl Judge {
    pub(crate) fn new(
        template: Arc<Template>,
        numbers: Arc<Numbers>,
        expected: Expected,
        local: SocketAddr,
    ) -> Self {
        let contacts = match &expected {
            Expected::Answer { contacts: Some(contacts), .. } => pieces(contacts),
            _ => Vec::new(),
        };
        Self {
            own: template.bytes.clone(),
            own_contacts: Vec::new(),
            template,
            numbers,
            expected,
            contacts,
            received: format!("received={}", local.ip()).into_bytes(),
            rport: format!("rport={}", local.port()).into_bytes(),
        }
    }

    /// Which call this is the answer to, and its status; 0 of an echo.
    pub(crate) fn check(&mut self, answer: &[u8]) -> Result<(u64, u16), Wrong> {
        match self.expected {
            Expected::Echo(len) => self.check_echo(answer, len).map(|id| (id, 0)),
            Expected::Answer { .. } => self.check_answer(answer),
        }
    }

    fn check_echo(&mut self, answer: &[u8], len: usize) -> Result<u64, Wrong> {
        let template = &self.template;
        let at = template.ids[0];
        let id = answer.get(at..at + ID_LEN).and_then(read_hexadecimal).ok_or(Wrong::NoBranchOfOurs)?;
        template.vary(&mut self.own, id, &self.numbers);
        let (same, filled) = answer.split_at(answer.len().min(self.own.len()));
        let is_right =
            answer.len() == len && self.own.starts_with(same) && filled.iter().all(|byte| *byte == b' ');
        if is_right { Ok(id) } else { Err(Wrong::Changed) }
    }

    fn check_answer(&mut self, answer: &[u8]) -> Result<(u64, u16), Wrong> {
        let head = Head::read(answer)?;
        let id = self.id(head.via).ok_or(Wrong::NoBranchOfOurs)?;
        self.template.vary(&mut self.own, id, &self.numbers);
        let own = |part: &Range<usize>| &self.own[part.clone()];
        if head.from != own(&self.template.from) {
            return Err(Wrong::From);
        }
        let tag = head.to.strip_prefix(own(&self.template.to)).and_then(|rest| rest.strip_prefix(b";tag="));
        if tag.is_none_or(<[u8]>::is_empty) {
            return Err(Wrong::To);
        }
        if head.call_id != own(&self.template.call_id) {
            return Err(Wrong::CallId);
        }
        if head.cseq != own(&self.template.cseq) {
            return Err(Wrong::CSeq);
        }
        self.check_lists(answer, head.status, id)?;
        let Expected::Answer { statuses, .. } = &self.expected else {
            return Err(Wrong::Changed);
        };
        if statuses.contains(&head.status) { Ok((id, head.status)) } else { Err(Wrong::Status(head.status)) }
    }

    fn id(&self, via: &[u8]) -> Option<u64> {
        let at = self.template.id_in_via;
        read_hexadecimal(via.get(at..at + ID_LEN)?)
    }

    /// Every Via, and every Contact: they may be in several lines.
    fn check_lists(&mut self, answer: &[u8], status: u16, id: u64) -> Result<(), Wrong> {
        self.own_contacts.clear();
        for piece in &self.contacts {
            self.own_contacts.extend_from_slice(match piece {
                Piece::Text(text) => text,
                Piece::Number => {
                    let at = self.template.numbers[0];
                    &self.own[at..at + self.template.number_len]
                }
                Piece::Value => self.numbers.value(id),
            });
        }
        let (mut vias, mut contacts, mut left) = (0, 0, self.own_contacts.as_slice());
        for (name, value) in Lines(answer).skip(1).map_while(header) {
            if is(name, b"Via", b"v") {
                let own = self.template.vias.get(vias).ok_or(Wrong::Via)?;
                let own = &self.own[own.clone()];
                if vias == 0 && !self.is_first_via(own, value) || vias > 0 && own != value {
                    return Err(Wrong::Via);
                }
                vias += 1;
            } else if is(name, b"Contact", b"m") {
                contacts += 1;
                if !self.contacts.is_empty() {
                    left = left.strip_prefix(value).ok_or(Wrong::Contact)?;
                    left = left.strip_prefix(b", ").unwrap_or(left);
                }
            }
        }
        if vias != self.template.vias.len() {
            return Err(Wrong::Via);
        }
        if (300..400).contains(&status) && (contacts == 0 || !left.is_empty()) {
            return Err(Wrong::Contacts(contacts));
        }
        Ok(())
    }

    /// Ours, with `received`, and a value for `rport` if it asks for one (RFC 3581 §4).
    fn is_first_via(&self, own: &[u8], value: &[u8]) -> bool {
        let wants_rport = own.ends_with(b";rport");
        let own = own.strip_suffix(b";rport").unwrap_or(own);
        let Some(added) = value.strip_prefix(own).and_then(|rest| rest.strip_prefix(b";")) else {
            return false;
        };
        let (mut received, mut rport) = (false, false);
        for part in added.split(|byte| *byte == b';') {
            if part == self.received && !received {
                received = true;
            } else if part == self.rport && wants_rport && !rport {
                rport = true;
            } else {
                return false;
            }
        }
        received && rport == wants_rport
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut left = text;
    while let Some(at) = [left.find("{n}"), left.find("{v}")].into_iter().flatten().min() {
        pieces.push(Piece::Text(left.as_bytes()[..at].to_vec()));
        pieces.push(if left[at..].starts_with("{n}") { Piece::Number } else { Piece::Value });
        left = &left[at + 3..];
    }
    pieces.push(Piece::Text(left.as_bytes().to_vec()));
    pieces
}

/// The lines of an answer that there must be one of; `via` is the first.
#[derive(Default)]
struct Head<'a> {
    status: u16,
    via: &'a [u8],
    from: &'a [u8],
    to: &'a [u8],
    call_id: &'a [u8],
    cseq: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(answer: &'a [u8]) -> Result<Self, Wrong> {
        // Nothing behind the head: our answers have no body.
        if !answer.ends_with(b"\r\n\r\n") {
            return Err(Wrong::NoEnd);
        }
        let mut lines = Lines(answer);
        let status = lines.next().and_then(status).ok_or(Wrong::NoStatusLine)?;
        let mut head = Self { status, ..Self::default() };
        while let Some((name, value)) = lines.next().and_then(header) {
            let (place, twice) = match name.first() {
                Some(b'V' | b'v') if is(name, b"Via", b"v") => {
                    if head.via.is_empty() {
                        head.via = value;
                    }
                    continue;
                }
                Some(b'F' | b'f') if is(name, b"From", b"f") => (&mut head.from, Wrong::From),
                Some(b'T' | b't') if is(name, b"To", b"t") => (&mut head.to, Wrong::To),
                Some(b'C' | b'c' | b'I' | b'i') if is(name, b"Call-ID", b"i") => {
                    (&mut head.call_id, Wrong::CallId)
                }
                Some(b'C' | b'c') if is(name, b"CSeq", b"") => (&mut head.cseq, Wrong::CSeq),
                _ => continue,
            };
            if !place.is_empty() {
                return Err(twice);
            }
            *place = value;
        }
        // The blank line that ended this is the last one.
        if lines.0.is_empty() { Ok(head) } else { Err(Wrong::NoEnd) }
    }
}

/// Lines that end with CRLF, without it.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\n', self.0)?;
        let line = self.0.get(..end)?.strip_suffix(b"\r")?;
        self.0 = self.0.get(end + 1..)?;
        Some(line)
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let (digits, reason) = line.strip_prefix(b"SIP/2.0 ")?.split_at_checked(3)?;
    reason.starts_with(b" ").then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    Some((line.get(..colon)?.trim_ascii(), line.get(colon + 1..)?.trim_ascii()))
}

fn is(name: &[u8], long: &[u8], compact: &[u8]) -> bool {
    name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(compact)
}
