//! Pure. What several messages will look up in tables and in the DNS cache, looked for ahead of their decisions.
//!
//! In:    messages that stand in line; the route table, the cache.
//! Out:   time, and a guess for each: a decision by one of a million numbers waits for memory longer than it works, and
//!        these messages wait together.
//! Never: changes what a decision says. Which number that will be is a guess, for a normalisation may make another of it; so is
//!        what is found for it, which a decision uses for that number in that table, and proves for another.

use crate::{
    dns::{Cache, Slot},
    limits::{CACHE_AHEAD_FROM_BYTES, NUMBER_BYTES_MAX, NUMBERS_AHEAD_MAX},
    numbers::Near,
    route::{RouteTable, TableId},
};

/// Where what a message asks for may be found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Guess {
    /// What a table has; see [`super::Context::guess`].
    pub near: Option<(TableId, Near)>,
    /// An answer of the DNS cache; see [`crate::dns::DnsView::guess`].
    pub slot: Option<Slot>,
}

/// A message that stood in line when others were looked for, too: what was found for it stays where it is.
#[derive(Clone, Copy, Debug)]
pub struct InLine(usize);

/// What was found for messages that stand in line.
#[derive(Debug, Default)]
pub struct Ahead {
    guesses: [Guess; NUMBERS_AHEAD_MAX],
    /// That of the next message.
    next: usize,
}

impl Ahead {
    /// Looks for the numbers of the first [`NUMBERS_AHEAD_MAX`] messages in the tables that calls are looked up in by their
    /// number, and in the cache.
    pub fn look<'m>(&mut self, messages: impl Iterator<Item = &'m [u8]>, table: &RouteTable, cache: &Cache) {
        self.next = NUMBERS_AHEAD_MAX;
        let apex = table.apex_ahead.as_ref().filter(|_| cache.bytes() >= CACHE_AHEAD_FROM_BYTES);
        if table.ahead.is_empty() && apex.is_none() {
            return;
        }
        *self = Self::default();
        let mut numbers = [&b""[..]; NUMBERS_AHEAD_MAX];
        for (number, message) in numbers.iter_mut().zip(messages) {
            *number = dialled(message).unwrap_or_default();
        }
        for id in &table.ahead {
            let Some(of) = table.tables.get(*id) else { continue };
            of.table().look_ahead(numbers.iter().copied(), |index, near| {
                if let Some(guess) = self.guesses.get_mut(index) {
                    guess.near = guess.near.or(Some((*id, near)));
                }
            });
        }
        if let Some(apex) = apex {
            let slots = cache.look_ahead(&numbers, apex);
            self.guesses.iter_mut().zip(slots).for_each(|(guess, slot)| guess.slot = slot);
        }
    }

    /// The next of these messages; nothing was looked for one that is behind the last of them.
    #[inline]
    pub fn take(&mut self) -> InLine {
        let taken = InLine(self.next);
        self.next = self.next.saturating_add(1);
        taken
    }

    /// What was found for one of them.
    #[inline]
    #[must_use]
    pub fn guess(&self, message: InLine) -> Option<&Guess> {
        self.guesses.get(message.0)
    }
}

impl InLine {
    /// A message that nothing was looked for.
    pub const NONE: Self = Self(NUMBERS_AHEAD_MAX);
}

/// The number of a usual Request-URI, as it is written.
fn dialled(message: &[u8]) -> Option<&[u8]> {
    const METHOD_BYTES_MAX: usize = "SUBSCRIBE ".len();
    // Of so few bytes, a loop is done before memchr has begun.
    let method_end = message.get(..METHOD_BYTES_MAX)?.iter().position(|byte| *byte == b' ')?;
    let uri = message.get(method_end + 1..)?;
    let user = [&b"sip:"[..], b"tel:", b"sips:"].iter().find_map(|scheme| uri.strip_prefix(*scheme))?;
    let user = user.get(..NUMBER_BYTES_MAX).unwrap_or(user);
    let len = user.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b'+'))?;
    user.get(..len).filter(|number| !number.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Answer, Apex, Kind, Nothing, Question};

    #[test]
    fn no_message_is_read_where_no_table_is_looked_ahead_in_and_no_more_than_the_limit_elsewhere() {
        let message = &b"INVITE sip:+441632960083@h SIP/2.0\r\n"[..];
        let read = |table: &RouteTable, cache: &Cache| {
            let mut read = 0;
            let messages = std::iter::repeat_n(message, NUMBERS_AHEAD_MAX + 1).inspect(|_| read += 1);
            Ahead::default().look(messages, table, cache);
            read
        };
        let mut cache = Cache::new();
        for (ahead, expected) in [(vec![], 0), (vec![0], NUMBERS_AHEAD_MAX)] {
            assert_eq!(read(&RouteTable { ahead, ..RouteTable::default() }, &cache), expected);
        }
        let apex = Apex::of("e164.arpa.", &["sip"]);
        let table = RouteTable { apex_ahead: Some(apex), ..RouteTable::default() };
        let mut number = 0;
        while cache.bytes() < CACHE_AHEAD_FROM_BYTES {
            assert_eq!(read(&table, &cache), 0, "{} bytes", cache.bytes());
            number += 1;
            let question = Question::new(&format!("n{number}.example."), Kind::A).expect("a name");
            cache.insert(question, Answer::Nothing { why: Nothing::NoData, ttl_s: 60 }, 0);
        }
        assert_eq!(read(&table, &cache), NUMBERS_AHEAD_MAX);
        assert_eq!(read(&RouteTable::default(), &cache), 0, "no route has ENUM");
    }

    #[test]
    fn each_message_has_its_guess_and_those_behind_have_none() {
        let mut ahead = Ahead::default();
        let guess = |entry| Guess { near: Some((1, Near::elsewhere(entry))), slot: None };
        for (entry, place) in (0..).zip(&mut ahead.guesses) {
            *place = guess(entry);
        }
        for entry in 0..NUMBERS_AHEAD_MAX as u32 {
            let message = ahead.take();
            assert_eq!(ahead.guess(message), Some(&guess(entry)));
        }
        let behind = ahead.take();
        assert_eq!(ahead.guess(behind).or_else(|| ahead.guess(InLine::NONE)), None);
    }

    #[test]
    fn the_number_is_guessed() {
        for (message, expected) in [
            ("INVITE sip:+441632960083@h SIP/2.0\r\n", Some("+441632960083")),
            ("SUBSCRIBE sips:44;npdi@h SIP/2.0\r\n", Some("44")),
            ("OPTIONS tel:+44;x=y SIP/2.0\r\n", Some("+44")),
            ("INVITE sip:alice@h SIP/2.0\r\n", None),
            ("INVITE SIP:+44@h SIP/2.0\r\n", None),
            ("INVITE sip:+44", None),
            ("SIP/2.0 200 OK\r\n", None),
            ("\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(dialled(message.as_bytes()), expected.map(str::as_bytes), "{message}");
        }
        let long = format!("INVITE sip:{}@h SIP/2.0\r\n", "4".repeat(NUMBER_BYTES_MAX));
        assert_eq!(dialled(long.as_bytes()), None);
    }
}
