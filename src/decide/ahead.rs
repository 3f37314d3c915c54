//! Pure. What several messages will look up in tables, read ahead of their decisions.
//!
//! In:    messages that stand in line; the route table.
//! Out:   nothing but time: a decision by one of a million numbers waits for memory longer than it works, and these
//!        messages wait together.
//! Never: changes what a decision says. Which number that will be is a guess: a normalisation may make another of it.

use memchr::memchr;

use crate::{
    limits::{NUMBER_BYTES_MAX, NUMBERS_AHEAD_MAX},
    route::RouteTable,
};

/// Looks for the numbers of the first [`NUMBERS_AHEAD_MAX`] messages in the tables that calls are looked up in by their number.
pub fn look_ahead<'m>(messages: impl Iterator<Item = &'m [u8]>, table: &RouteTable) {
    if table.ahead.is_empty() {
        return;
    }
    let mut numbers = [&b""[..]; NUMBERS_AHEAD_MAX];
    let mut count = 0;
    for (place, number) in numbers.iter_mut().zip(messages.filter_map(dialled)) {
        *place = number;
        count += 1;
    }
    let tables = table.ahead.iter().filter_map(|id| table.tables.get(*id));
    tables.for_each(|table| table.table().look_ahead(numbers.iter().take(count).copied()));
}

/// The number of a usual Request-URI, as it is written.
fn dialled(message: &[u8]) -> Option<&[u8]> {
    const METHOD_BYTES_MAX: usize = "SUBSCRIBE ".len();
    let method_end = memchr(b' ', message.get(..METHOD_BYTES_MAX)?)?;
    let uri = message.get(method_end + 1..)?;
    let user = [&b"sip:"[..], b"tel:", b"sips:"].iter().find_map(|scheme| uri.strip_prefix(*scheme))?;
    let user = user.get(..NUMBER_BYTES_MAX).unwrap_or(user);
    let len = user.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b'+'))?;
    user.get(..len).filter(|number| !number.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_is_read_where_no_table_is_looked_ahead_in_and_no_more_than_the_limit_elsewhere() {
        let message = &b"INVITE sip:+441632960083@h SIP/2.0\r\n"[..];
        for (ahead, expected) in [(vec![], 0), (vec![0], NUMBERS_AHEAD_MAX)] {
            let table = RouteTable { ahead, ..RouteTable::default() };
            let mut read = 0;
            look_ahead(std::iter::repeat_n(message, NUMBERS_AHEAD_MAX + 1).inspect(|_| read += 1), &table);
            assert_eq!(read, expected);
        }
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
