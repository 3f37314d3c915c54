//! Pure. What is the same in every Contact of a gateway or template: rendered, read and judged once, when a table
//! is sealed.
//!
//! In:    a gateway, or a Contact as a route has it; the values of a column, where one is named in it.
//! Out:   the bytes before and behind the number, and what a decision still has to ask of them.
//! Never: one whose URI may be no Contact, or has other values than the number and one column: those are judged call
//!        by call.

use super::{ContactTemplate, FixedParts, Gateway, NumberIn, NumberTable, Row, TableId};
use crate::{
    limits::URI_BYTES_MAX,
    sip::{Destination, NextHop, Scheme},
};

/// A Contact without the number: all that a call reads of it lies together.
#[derive(Debug)]
pub struct FixedContact {
    /// The scheme and what stands before the number, then what follows from the `@` on.
    text: Box<[u8]>,
    number_at: u16,
    destination: Destination,
    /// Whether the number stands between them.
    pub number: NumberIn,
    /// See [`Gateway::strip`].
    pub strip: usize,
    /// See [`Gateway::expires_s`].
    pub expires_s: Option<u32>,
}

impl FixedContact {
    /// `None` for a gateway whose Contact has more in it that differs from call to call than the number.
    #[must_use]
    pub fn of_gateway(gateway: &Gateway) -> Option<Self> {
        if gateway.resolve || !gateway.params.is_empty() || !is_plain_number(gateway.prefix.as_bytes()) {
            return None;
        }
        let parts = gateway.uri.fixed_parts()?;
        let before_number = [parts.before_number, gateway.prefix.as_bytes()].concat();
        let fixed = Self::of_parts(FixedParts { before_number: &before_number, ..parts })?;
        Some(Self { strip: gateway.strip, expires_s: gateway.expires_s, ..fixed })
    }

    /// The same of a Contact that a route has by itself.
    #[must_use]
    pub fn of_template(contact: &ContactTemplate) -> Option<Self> {
        let fixed = Self::of_parts(contact.uri.fixed_parts()?)?;
        Some(Self { expires_s: contact.expires_s, ..fixed })
    }

    /// The same with this value in place of the only column of a table that the Contact names.
    fn of_template_with(contact: &ContactTemplate, value: &[u8]) -> Option<Self> {
        let mut rest = Vec::new();
        let fixed = Self::of_parts(contact.uri.fixed_parts_with(value, &mut rest)?)?;
        Some(Self { expires_s: contact.expires_s, ..fixed })
    }

    fn of_parts(parts: FixedParts<'_>) -> Option<Self> {
        let scheme_name = match parts.scheme {
            Scheme::Sip => &b"sip:"[..],
            Scheme::Sips => b"sips:",
            Scheme::Tel | Scheme::Other => return None,
        };
        let before_number = [scheme_name, parts.before_number].concat();
        let behind_number = [b"@", parts.rest].concat();
        // Whatever plain number stands in it, it leads to the same place.
        let number = if parts.number == NumberIn::Nothing { &b""[..] } else { b"0" };
        let destination = Destination::of(&[&before_number, number, &behind_number].concat())?;
        Some(Self {
            number_at: before_number.len().try_into().ok()?,
            destination,
            number: parts.number,
            strip: 0,
            expires_s: None,
            text: [before_number, behind_number].concat().into(),
        })
    }

    /// The scheme, and what stands before the number.
    #[must_use]
    pub fn before_number(&self) -> &[u8] {
        self.text.get(..self.number_at.into()).unwrap_or_default()
    }

    /// From the `@` on.
    #[must_use]
    pub fn behind_number(&self) -> &[u8] {
        self.text.get(self.number_at.into()..).unwrap_or_default()
    }

    /// The host of the URI.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.destination.host(&self.text)
    }

    /// Where a client sends the call.
    #[must_use]
    pub fn next_hop(&self) -> NextHop<'_> {
        self.destination.next_hop(&self.text)
    }

    /// Its length without a number.
    #[must_use]
    pub fn len_around(&self) -> usize {
        self.text.len()
    }

    /// Whether the URI with a number of this length is short enough.
    #[must_use]
    pub fn has_room_for(&self, number_len: usize) -> bool {
        let has_number = number_len > 0 || self.number == NumberIn::Nothing;
        has_number && self.len_around() + number_len <= URI_BYTES_MAX
    }
}

/// The Contacts that a route's own makes of the values of a column.
#[derive(Debug)]
pub struct ContactsOfColumn {
    /// Whose column it is.
    pub table: TableId,
    column: usize,
    /// By the id of the value ([`crate::numbers::Table::value_id`]).
    by_id: Box<[Option<FixedContact>]>,
}

impl ContactsOfColumn {
    /// `None` for a Contact that has something else in it that differs from call to call, and when there are more values
    /// than `room`; what they take is taken off it.
    #[must_use]
    pub fn of(contact: &ContactTemplate, tables: &[NumberTable], room: &mut usize) -> Option<Self> {
        let (id, column) = contact.uri.column()?;
        let table = tables.get(id)?;
        let values = table.table().values(column);
        // A key is not kept as one of few values.
        if values.len() == 0 {
            return None;
        }
        *room = room.checked_sub(values.len())?;
        let by_id = values.map(|value| FixedContact::of_template_with(contact, value)).collect();
        Some(Self { table: id, column, by_id })
    }

    /// The Contact with the value of a row; `None` for one that is judged call by call.
    #[must_use]
    #[inline]
    pub fn of_row(&self, table: &NumberTable, at: Row) -> Option<&FixedContact> {
        self.by_id.get(table.table().value_id(at.row, self.column) as usize)?.as_ref()
    }
}

/// Whether a number stands in a URI as it is, whatever its place: nothing in it is escaped, put in order or
/// compared as a parameter.
#[must_use]
pub fn is_plain_number(number: &[u8]) -> bool {
    number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'+')
}
