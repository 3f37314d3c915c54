//! Pure. What an answer repeats of a usual request, as places: of requests that are alike it stands in the same ones.
//!
//! In:    a request; later, its bytes, or those of one that is like it.
//! Out:   the head of the answer behind its status line, as [`super::write_head`] has it.
//! Never: has places of a request whose lines are not as its answer would have them.

use std::net::{IpAddr, SocketAddr};

use super::{
    HeaderName, Request, Writer,
    part::Part,
    response::is_address,
    writer::{DECIMAL_BYTES_MAX, DOTTED_BYTES_ROOM, decimal, dotted},
};

/// Stretches of lines before To: one, where From follows the Vias.
const STRETCHES_MAX: usize = 4;

/// The lines that an answer has of a request without folding, `received` and bytes that may not stand there.
#[derive(Debug)]
pub(super) struct Echoed {
    /// The top Via: up to where `rport` stands; behind it, up to where the value ends; and the rest of the line.
    top_via: [Part; 3],
    has_rport: bool,
    /// Where the client says it is.
    host: Part,
    /// The other Vias, and From.
    before_to: Stretches,
    /// To, without its CRLF.
    to: Part,
    has_to_tag: bool,
    /// Call-ID and CSeq.
    behind_to: Stretches,
}

impl Echoed {
    /// `None` where a line is not as the answer has it.
    pub(super) fn of(request: &Request<'_>) -> Option<Self> {
        const NAME: &[u8; 5] = b"Via: ";
        let bytes = request.bytes;
        let mut vias = request.lines.iter().filter(|line| line.name == HeaderName::Via);
        let (line, top) = (vias.next()?.as_echoed(NAME, bytes)?, &request.top_via);
        let value = line.start + NAME.len();
        let value_end = value + top.via.value.len();
        // Half of a Via or To is none, whatever seems to be in it.
        if !top.sound || request.to.read.uri.is_empty() {
            return None;
        }
        let rport = match (&top.rport, &top.received) {
            (_, Some(_)) => return None,
            (Some(rport), None) => value + rport.start..value + rport.end,
            (None, None) => value_end..value_end,
        };
        let (mut before_to, mut behind_to) = (Stretches::default(), Stretches::default());
        for via in vias {
            before_to.add(Part::at(via.as_echoed(NAME, bytes)?))?;
        }
        before_to.add(Part::at(request.from.field.found?.1.as_echoed(b"From: ", bytes)?))?;
        let to = request.to.field.found?.1.as_echoed(b"To: ", bytes)?;
        behind_to.add(Part::at(request.call_id.found?.1.as_echoed(b"Call-ID: ", bytes)?))?;
        behind_to.add(Part::at(request.cseq.found?.1.as_echoed(b"CSeq: ", bytes)?))?;
        Some(Self {
            top_via: [line.start..rport.start, rport.end..value_end, value_end..line.end].map(Part::at),
            has_rport: top.rport.is_some(),
            host: Part::of(bytes, top.via.host),
            before_to,
            to: Part::at(to.start..to.end - b"\r\n".len()),
            has_to_tag: request.to.read.tag().is_some(),
            behind_to,
        })
    }

    /// Writes them, of bytes that are alike.
    pub(super) fn write(&self, out: &mut Writer<'_>, bytes: &[u8], source: SocketAddr, to_tag: &[u8]) {
        self.write_top_via(out, bytes, source);
        self.before_to.write(out, bytes);
        let to = self.to.within(bytes);
        match to_tag {
            _ if self.has_to_tag => out.put_all([to, b"\r\n"]),
            [] => out.put_all([to, b"\r\n"]),
            _ => out.put_all([to, b";tag=", to_tag, b"\r\n"]),
        }
        self.behind_to.write(out, bytes);
    }

    /// RFC 3581 §4: with `rport` there is always `received`, even if it is the same as sent-by. RFC 3261 §18.2.1: without, when
    /// sent-by is a name or another address.
    fn write_top_via(&self, out: &mut Writer<'_>, bytes: &[u8], source: SocketAddr) {
        let [start, middle, rest] = self.top_via.map(|part| part.within(bytes));
        let (ip, mut digits) = (source.ip().to_canonical(), [0; DECIMAL_BYTES_MAX]);
        if !self.has_rport && is_address(self.host.within(bytes), ip) {
            return out.put_all([start, rest]);
        }
        let port = decimal(source.port().into(), &mut digits);
        let (rport, port): (&[u8], _) = if self.has_rport { (b";rport=", port) } else { (b"", &[][..]) };
        match ip {
            IpAddr::V4(ip) => {
                let mut room = [0; DOTTED_BYTES_ROOM];
                out.put_all([start, rport, port, middle, b";received=", dotted(ip, &mut room), rest]);
            }
            IpAddr::V6(_) => {
                out.put_all([start, rport, port, middle, b";received="]);
                out.put_ip(ip);
                out.put(rest);
            }
        }
    }
}

/// Whole lines.
#[derive(Debug, Default)]
struct Stretches {
    parts: [Part; STRETCHES_MAX],
    count: usize,
}

impl Stretches {
    fn add(&mut self, lines: Part) -> Option<()> {
        let last = self.count.checked_sub(1).and_then(|last| self.parts.get_mut(last));
        if last.is_some_and(|last| last.joins(lines)) {
            return Some(());
        }
        *self.parts.get_mut(self.count)? = lines;
        self.count += 1;
        Some(())
    }

    #[inline]
    fn write(&self, out: &mut Writer<'_>, bytes: &[u8]) {
        self.parts.iter().take(self.count).for_each(|part| out.put(part.within(bytes)));
    }
}
