//! Pure. Templates: text with `{values}`, checked at load, rendered without formatting machinery.
//!
//! In:    the text of a route file; later, the values of one request.
//! Out:   bytes. A value that is missing makes the whole template fail, so that half a URI or half a
//!        header is never sent.
//! Never: looks at a request itself; [`Values`] does.

use super::{NormalisationId, TableId, is_plain_number};
use crate::{
    limits::NUMBER_BYTES_MAX,
    sip::{Scheme, Uri},
};

/// What a template may name, as the loader knows it.
pub trait Names {
    /// `{TABLE.COLUMN}`.
    fn column(&self, table: &str, column: &str) -> Option<(TableId, usize)>;
    /// `{number|NAME}`.
    fn normalisation(&self, name: &str) -> Option<NormalisationId>;
}

/// Where rendering finds the values of one request.
pub trait Values {
    /// Appends a value; `false` when the request has none.
    fn append(&self, of: &ValueOf, out: &mut Vec<u8>) -> bool;
    /// Appends `number`, normalised.
    fn normalise(&self, by: NormalisationId, number: &[u8], out: &mut Vec<u8>);
}

/// What a `{value}` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueOf {
    /// `{user}`: the user part of the Request-URI as it came, parameters included.
    User,
    /// `{user.name}`: the same without parameters.
    UserName,
    /// `{number}`: the normalised number, as routes before this one left it.
    Number,
    /// `{routing}`: the routing number where there is one, otherwise the number (RFC 4694 §5.1).
    Routing,
    /// `{host}` of the Request-URI.
    Host,
    /// `{port}` of the Request-URI.
    Port,
    /// `{uri}`: the whole Request-URI.
    RequestUri,
    /// `{method}`.
    Method,
    /// `{source}`: the address the packet came from.
    Source,
    /// `{local}`: the address the packet came to.
    Local,
    /// `{from.user}`, `{from.number}`, `{from.host}`, `{from.uri}`.
    From(Part),
    /// `{pai.…}` of the first P-Asserted-Identity.
    PAssertedIdentity(Part),
    /// `{param.NAME}`, and `{rn}` `{npdi}` `{cic}` `{tgrp}` `{trunk-context}` for short.
    Param(Box<str>),
    /// `{header.NAME}`: the first line of that name.
    Header(Box<str>),
    /// `{var.NAME}`.
    Var(Box<str>),
    /// `{TABLE.COLUMN}` of the row that `in: TABLE` hit.
    Column(TableId, usize),
}

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Part {
    User,
    Number,
    Host,
    Uri,
}

impl ValueOf {
    /// Whether the value is a piece of a URI as it came, in which `%41` is an escape already.
    fn is_escaped(&self) -> bool {
        matches!(
            self,
            Self::User
                | Self::UserName
                | Self::RequestUri
                | Self::From(Part::User | Part::Uri)
                | Self::PAssertedIdentity(Part::User | Part::Uri)
                | Self::Param(_)
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Filter {
    /// `|digits`: without the leading `+`.
    Digits,
    /// `|strip N`: without the first N characters.
    Strip(usize),
    /// `|keep N`: only the first N characters.
    Keep(usize),
    /// `|NAME`: normalised.
    Normalise(NormalisationId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<[u8]>),
    Value { of: ValueOf, filters: Box<[Filter]>, place: UriPlace },
}

/// Where in a URI a value stands; decides what is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UriPlace {
    /// Not in a URI.
    Plain,
    /// Before the `@`; also the whole of a tel: or urn: URI.
    User,
    /// Host and port: nothing can be escaped there, a foreign character fails.
    Host,
    /// After the first `;` behind the host.
    Param,
    /// After `?`.
    Header,
}

/// A text with values in it.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Reads a template. The error is a sentence without place that says what was found and expected.
    pub fn parse(text: &str, names: &dyn Names) -> Result<Self, String> {
        Ok(Self { pieces: parse_pieces(text, names)? })
    }

    /// The template of one value.
    #[must_use]
    pub fn value(of: ValueOf) -> Self {
        Self { pieces: vec![Piece::Value { of, filters: Box::default(), place: UriPlace::Plain }] }
    }

    /// The text, when there is no value in it.
    #[must_use]
    pub fn literal(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [] => Some(b""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is the number that routes go by, and nothing else.
    #[must_use]
    pub fn is_number(&self) -> bool {
        let [Piece::Value { of, filters, .. }] = self.pieces.as_slice() else { return false };
        matches!(of, ValueOf::Number | ValueOf::Routing) && filters.is_empty()
    }

    /// Every value named, for the loader's checks.
    pub fn values(&self) -> impl Iterator<Item = &ValueOf> {
        values(&self.pieces)
    }

    /// Appends the text to `out`; `false` when a value is missing, and then `out` is as it was.
    #[must_use]
    pub fn render(&self, values: &impl Values, out: &mut Vec<u8>) -> bool {
        all_or_nothing(&self.pieces, values, out)
    }
}

/// Whose scheme a URI template has.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SchemePart {
    /// Written in the template.
    Written(Scheme),
    /// `locate: "{host}"`: sips for a sips request, else sip.
    OfRequest,
    /// The template begins with a value that holds a whole URI.
    InValue,
}

/// What [`UriTemplate::fixed_parts`] says.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct FixedParts<'t> {
    pub scheme: Scheme,
    /// What stands before the number; the whole user part where it has none.
    pub before_number: &'t [u8],
    pub number: NumberIn,
    /// From the host on.
    pub rest: &'t [u8],
}

/// Whether the user part of a template has the number in it; what has to be known of the call is more from one to the
/// next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NumberIn {
    /// It is the same for every call.
    Nothing,
    /// The number ends it.
    User,
    /// It is the user part of the call: the number with its parameters.
    UserOfCall,
}

/// A URI with values in it: each is escaped by the place where it stands.
#[derive(Clone, Debug)]
pub struct UriTemplate {
    scheme: SchemePart,
    /// Before the `@`.
    user: Option<Vec<Piece>>,
    /// From the host on; all of a tel:, urn: or whole-value template.
    rest: Vec<Piece>,
}

impl UriTemplate {
    /// Reads a sip:, sips:, tel: or urn: template and checks its grammar (`transport=tls` is refused:
    /// RFC 5630 §5.4).
    pub fn parse(text: &str, names: &dyn Names) -> Result<Self, String> {
        let pieces = parse_pieces(text, names)?;
        let template = match pieces.first() {
            Some(Piece::Value { .. }) => {
                // The first value brings scheme and more; what follows it stands in a URI all the same.
                let mut rest = pieces;
                let (user, host) = split_user(rest.split_off(1));
                rest.extend(
                    user.into_iter().flat_map(|user| user.into_iter().chain([Piece::Text((*b"@").into())])),
                );
                rest.extend(host);
                Self { scheme: SchemePart::InValue, user: None, rest }
            }
            Some(Piece::Text(first)) => match scheme_of(first) {
                Some((scheme @ (Scheme::Sip | Scheme::Sips), prefix)) => {
                    let (user, rest) = split_user(without_prefix(pieces, prefix));
                    Self { scheme: SchemePart::Written(scheme), user, rest }
                }
                Some((scheme, _)) => Self {
                    scheme: SchemePart::Written(scheme),
                    user: None,
                    rest: placed(pieces, UriPlace::User),
                },
                None => return Err(no_scheme(text)),
            },
            None => {
                return Err("an empty URI; expected one such as `sip:{number}@sbc.example.net`".to_owned());
            }
        };
        template.check(text)?;
        Ok(template)
    }

    /// Reads what `locate:` takes: a URI template, or a host alone, whose scheme is the request's.
    pub fn parse_host_or_uri(text: &str, names: &dyn Names) -> Result<Self, String> {
        if scheme_of(text.as_bytes()).is_some() || text.starts_with("{uri") || text.starts_with("{var.") {
            return Self::parse(text, names);
        }
        let (user, rest) = split_user(parse_pieces(text, names)?);
        let template = Self { scheme: SchemePart::OfRequest, user, rest };
        template.check(text)?;
        Ok(template)
    }

    /// Whether the template has a user part of its own, or is of a kind that takes none.
    #[must_use]
    pub fn has_user(&self) -> bool {
        self.user.is_some() || !self.takes_user()
    }

    /// Whether a user part can be put before the host.
    #[must_use]
    pub fn takes_user(&self) -> bool {
        matches!(self.scheme, SchemePart::Written(Scheme::Sip | Scheme::Sips) | SchemePart::OfRequest)
    }

    /// The parts of a template in which nothing is a value but the number.
    #[must_use]
    pub fn fixed_parts(&self) -> Option<FixedParts<'_>> {
        let [Piece::Text(rest)] = self.rest.as_slice() else { return None };
        self.parts_with(rest)
    }

    /// The column of a table that is the only value of a template but for the number.
    #[must_use]
    pub fn column(&self) -> Option<(TableId, usize)> {
        self.parts_with(b"")?;
        let mut columns = self.rest.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value { of: ValueOf::Column(table, column), filters, .. } if filters.is_empty() => {
                Some(Some((*table, *column)))
            }
            Piece::Value { .. } => Some(None),
        });
        let first = columns.next()??;
        columns.all(|other| other == Some(first)).then_some(first)
    }

    /// The same parts with this value for [`UriTemplate::column`]; `rest` is room for the last of them.
    #[must_use]
    pub fn fixed_parts_with<'t>(&'t self, value: &[u8], rest: &'t mut Vec<u8>) -> Option<FixedParts<'t>> {
        rest.clear();
        if !all_or_nothing(&self.rest, &OneColumn(value), rest) {
            return None;
        }
        self.parts_with(rest)
    }

    fn parts_with<'t>(&'t self, rest: &'t [u8]) -> Option<FixedParts<'t>> {
        let SchemePart::Written(scheme @ (Scheme::Sip | Scheme::Sips)) = self.scheme else { return None };
        let is_number = |of: &ValueOf, filters: &[Filter]| *of == ValueOf::Number && filters.is_empty();
        let (before_number, number) = match self.user.as_deref() {
            None => (&[][..], NumberIn::UserOfCall),
            Some([Piece::Text(user)]) => (&**user, NumberIn::Nothing),
            Some([Piece::Value { of, filters, .. }]) if is_number(of, filters) => (&[][..], NumberIn::User),
            Some([Piece::Text(text), Piece::Value { of, filters, .. }]) if is_number(of, filters) => {
                (&**text, NumberIn::User)
            }
            Some(_) => return None,
        };
        Some(FixedParts { scheme, before_number, number, rest })
    }

    /// The scheme, as far as it is known without a request.
    #[must_use]
    pub fn scheme(&self) -> Option<Scheme> {
        match self.scheme {
            SchemePart::Written(scheme) => Some(scheme),
            SchemePart::OfRequest | SchemePart::InValue => None,
        }
    }

    /// Every value named, for the loader's checks.
    pub fn values(&self) -> impl Iterator<Item = &ValueOf> {
        values(self.user.as_deref().unwrap_or_default()).chain(values(&self.rest))
    }

    /// Appends the URI to `out`. `user` is the user part to put in where the template has none.
    /// `false` when a value is missing or cannot stand in its place, and then `out` is as it was.
    #[must_use]
    pub fn render(
        &self,
        values: &impl Values,
        request_scheme: Scheme,
        user: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        match self.scheme {
            SchemePart::Written(Scheme::Sip) => out.extend_from_slice(b"sip:"),
            SchemePart::Written(Scheme::Sips) => out.extend_from_slice(b"sips:"),
            SchemePart::OfRequest if request_scheme == Scheme::Sips => out.extend_from_slice(b"sips:"),
            SchemePart::OfRequest => out.extend_from_slice(b"sip:"),
            SchemePart::Written(_) | SchemePart::InValue => {}
        }
        let user_ok = match (&self.user, user) {
            (Some(pieces), _) => {
                let ok = all_or_nothing(pieces, values, out);
                out.push(b'@');
                ok
            }
            (None, Some(user)) if self.takes_user() => {
                out.extend_from_slice(user);
                out.push(b'@');
                true
            }
            (None, _) => true,
        };
        let ok = user_ok && all_or_nothing(&self.rest, values, out);
        if !ok {
            out.truncate(start);
        }
        ok
    }

    /// Renders with a stand-in for every value and reads the result as a URI.
    fn check(&self, text: &str) -> Result<(), String> {
        if self.scheme == SchemePart::InValue {
            return Ok(());
        }
        let mut probe = match self.scheme() {
            Some(Scheme::Sip) | None => b"sip:".to_vec(),
            Some(Scheme::Sips) => b"sips:".to_vec(),
            Some(Scheme::Tel | Scheme::Other) => Vec::new(),
        };
        if let Some(user) = &self.user {
            push_stand_ins(user, &mut probe);
            probe.push(b'@');
        }
        push_stand_ins(&self.rest, &mut probe);
        let Some(uri) = Uri::parse(&probe) else {
            return Err(format!(
                "`{text}` is not a legal URI; expected the form `sip:USER@HOST:PORT;param=value` \
                 (escape other characters as %HH)"
            ));
        };
        if matches!(uri.scheme, Scheme::Sip | Scheme::Sips) && uri.host.is_empty() {
            return Err(format!("`{text}` has no host"));
        }
        if uri.has_double_param() {
            return Err(format!(
                "`{text}` has a parameter twice, which RFC 3261 §19.1.1 forbids; take one out"
            ));
        }
        let transport = uri.param(b"transport").flatten();
        if transport.is_some_and(|value| value.eq_ignore_ascii_case(b"tls")) {
            // RFC 5630 §5.4: a redirect server MUST NOT use transport=tls.
            return Err(format!(
                "`{text}` says transport=tls, which RFC 5630 §5.4 forbids to redirect servers; write sips: instead"
            ));
        }
        Ok(())
    }
}

/// The only value there is: a cell of a table.
struct OneColumn<'v>(&'v [u8]);

impl Values for OneColumn<'_> {
    fn append(&self, _of: &ValueOf, out: &mut Vec<u8>) -> bool {
        // An empty cell is a value that is missing.
        out.extend_from_slice(self.0);
        !self.0.is_empty()
    }

    fn normalise(&self, _by: NormalisationId, number: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(number);
    }
}

/// Appends bytes to a user part, escaping what may not stand there. Those `as_it_came` are a part of a
/// user already: they keep their `%HH`, and the reserved characters that are legal there.
pub fn push_user_escaped(bytes: &[u8], as_it_came: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(bytes);
    escape_in_place(out, start, as_it_came, |byte| {
        is_user_char(byte) || (as_it_came && b",/?".contains(&byte))
    });
}

/// Appends the value of a parameter of a telephone number (RFC 3966 §3 `paramchar`, as far as it may stand
/// in a user part); `%HH` is kept.
pub fn push_param_escaped(value: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(value);
    escape_in_place(out, start, true, |byte| is_unreserved(byte) || b"/&+$".contains(&byte));
}

fn parse_pieces(text: &str, names: &dyn Names) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        literal.extend_from_slice(before.as_bytes());
        if from.starts_with("{{") || from.starts_with("}}") {
            literal.push(from.as_bytes()[0]);
            rest = &from[2..];
        } else if let Some(inside) = from.strip_prefix('{') {
            let Some((name, after)) = inside.split_once('}') else {
                return Err(format!("`{text}` has a `{{` without its `}}`; write `{{{{` for a brace itself"));
            };
            flush(&mut literal, &mut pieces);
            pieces.push(parse_value(name, names)?);
            rest = after;
        } else {
            return Err(format!("`{text}` has a `}}` without its `{{`; write `}}}}` for a brace itself"));
        }
    }
    literal.extend_from_slice(rest.as_bytes());
    if literal.iter().any(|byte| byte.is_ascii_control()) {
        return Err(format!("`{}` holds a control character", text.escape_debug()));
    }
    flush(&mut literal, &mut pieces);
    Ok(pieces)
}

fn flush(literal: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !literal.is_empty() {
        pieces.push(Piece::Text(std::mem::take(literal).into()));
    }
}

fn parse_value(text: &str, names: &dyn Names) -> Result<Piece, String> {
    let mut words = text.split('|').map(str::trim);
    let of = parse_value_name(words.next().unwrap_or_default(), names)?;
    let filters = words.map(|word| parse_filter(word, names)).collect::<Result<_, _>>()?;
    Ok(Piece::Value { of, filters, place: UriPlace::Plain })
}

fn parse_value_name(name: &str, names: &dyn Names) -> Result<ValueOf, String> {
    Ok(match name {
        "user" => ValueOf::User,
        "user.name" => ValueOf::UserName,
        "number" => ValueOf::Number,
        "routing" => ValueOf::Routing,
        "host" => ValueOf::Host,
        "port" => ValueOf::Port,
        "uri" => ValueOf::RequestUri,
        "method" => ValueOf::Method,
        "source" => ValueOf::Source,
        "local" => ValueOf::Local,
        "rn" | "npdi" | "cic" | "tgrp" | "trunk-context" => ValueOf::Param(name.into()),
        _ => match name.split_once('.') {
            Some(("from", part)) => ValueOf::From(parse_part(name, part)?),
            Some(("pai", part)) => ValueOf::PAssertedIdentity(parse_part(name, part)?),
            Some(("param", part)) if !part.is_empty() => ValueOf::Param(part.to_ascii_lowercase().into()),
            Some(("header", part)) if !part.is_empty() => ValueOf::Header(part.into()),
            Some(("var", part)) if !part.is_empty() => ValueOf::Var(part.into()),
            Some((table, column)) => match names.column(table, column) {
                Some((table, column)) => ValueOf::Column(table, column),
                None => return Err(format!("no table `{table}` with a column `{column}` for `{{{name}}}`")),
            },
            None => return Err(unknown_value(name)),
        },
    })
}

fn unknown_value(name: &str) -> String {
    format!(
        "unknown value `{{{name}}}`; expected one of user, user.name, number, host, port, uri, method, source, \
         local, from.PART, pai.PART (user, number, host, uri), param.NAME, header.NAME, var.NAME, TABLE.COLUMN"
    )
}

fn parse_part(name: &str, part: &str) -> Result<Part, String> {
    match part {
        "user" => Ok(Part::User),
        "number" => Ok(Part::Number),
        "host" => Ok(Part::Host),
        "uri" => Ok(Part::Uri),
        _ => Err(unknown_value(name)),
    }
}

fn parse_filter(word: &str, names: &dyn Names) -> Result<Filter, String> {
    let count = |text: &str| text.trim().parse::<usize>().ok().filter(|count| (1..=64).contains(count));
    match word.split_once(' ') {
        None if word == "digits" => Ok(Filter::Digits),
        Some(("strip", number)) if count(number).is_some() => Ok(Filter::Strip(count(number).unwrap_or(0))),
        Some(("keep", number)) if count(number).is_some() => Ok(Filter::Keep(count(number).unwrap_or(0))),
        _ => match names.normalisation(word) {
            Some(id) => Ok(Filter::Normalise(id)),
            None => Err(format!(
                "unknown filter `|{word}`; expected digits, strip N, keep N (N from 1 to 64) or a name defined under `numbers:`"
            )),
        },
    }
}

/// The scheme a text begins with, and its length with the colon.
fn scheme_of(text: &[u8]) -> Option<(Scheme, usize)> {
    [(&b"sips:"[..], Scheme::Sips), (b"sip:", Scheme::Sip), (b"tel:", Scheme::Tel), (b"urn:", Scheme::Other)]
        .into_iter()
        .find(|(name, _)| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        .map(|(name, scheme)| (scheme, name.len()))
}

fn no_scheme(text: &str) -> String {
    format!("`{text}` is not a URI; expected it to begin with sip:, sips:, tel: or urn:")
}

fn without_prefix(mut pieces: Vec<Piece>, prefix: usize) -> Vec<Piece> {
    if let Some(Piece::Text(first)) = pieces.first_mut() {
        *first = first[prefix.min(first.len())..].into();
    }
    pieces
}

/// Splits at the first `@` of the literal text, of which a URI has one; marks every value with its place.
fn split_user(pieces: Vec<Piece>) -> (Option<Vec<Piece>>, Vec<Piece>) {
    let is_at = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains(&b'@'));
    let Some(index) = pieces.iter().position(is_at) else {
        return (None, host_on(pieces));
    };
    let mut user = pieces;
    let after = user.split_off(index + 1);
    let Some(Piece::Text(text)) = user.pop() else { return (None, host_on(after)) };
    let at = text.iter().position(|&byte| byte == b'@').unwrap_or(0);
    if at > 0 {
        user.push(Piece::Text(text[..at].into()));
    }
    let mut rest = Vec::new();
    if at + 1 < text.len() {
        rest.push(Piece::Text(text[at + 1..].into()));
    }
    rest.extend(after);
    (Some(placed(user, UriPlace::User)), host_on(rest))
}

fn host_on(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut place = UriPlace::Host;
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => {
                if text.contains(&b'?') {
                    place = UriPlace::Header;
                } else if place == UriPlace::Host && text.contains(&b';') {
                    place = UriPlace::Param;
                }
                Piece::Text(text)
            }
            Piece::Value { of, filters, .. } => Piece::Value { of, filters, place },
        })
        .collect()
}

fn placed(pieces: Vec<Piece>, place: UriPlace) -> Vec<Piece> {
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Value { of, filters, .. } => Piece::Value { of, filters, place },
            text @ Piece::Text(_) => text,
        })
        .collect()
}

fn values(pieces: &[Piece]) -> impl Iterator<Item = &ValueOf> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Value { of, .. } => Some(of),
        Piece::Text(_) => None,
    })
}

fn all_or_nothing(pieces: &[Piece], values: &impl Values, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let ok = pieces.iter().all(|piece| match piece {
        Piece::Text(text) => {
            out.extend_from_slice(text);
            true
        }
        Piece::Value { of, filters, place } => push_value(of, filters, *place, values, out),
    });
    if !ok {
        out.truncate(start);
    }
    ok
}

fn push_value(
    of: &ValueOf,
    filters: &[Filter],
    place: UriPlace,
    values: &impl Values,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    if !values.append(of, out) {
        return false;
    }
    for filter in filters {
        apply_filter(filter, start, values, out);
    }
    match place {
        UriPlace::Plain => true,
        UriPlace::Host => out.len() > start && out[start..].iter().all(|&byte| is_host_char(byte)),
        UriPlace::User | UriPlace::Param | UriPlace::Header => {
            escape_tail(of, place, start, out);
            place != UriPlace::User || out.len() > start
        }
    }
}

fn apply_filter(filter: &Filter, start: usize, values: &impl Values, out: &mut Vec<u8>) {
    let len = out.len() - start;
    match filter {
        Filter::Digits => {
            if out.get(start) == Some(&b'+') {
                out.remove(start);
            }
        }
        Filter::Strip(count) => drop(out.drain(start..start + len.min(*count))),
        Filter::Keep(count) => out.truncate(start + len.min(*count)),
        Filter::Normalise(id) => {
            let mut number = [0; NUMBER_BYTES_MAX];
            // A longer one is no number: it stays as it is.
            if let Some(number) = number.get_mut(..len) {
                number.copy_from_slice(&out[start..]);
                out.truncate(start);
                values.normalise(*id, number, out);
            }
        }
    }
}

/// Escapes what was appended since `start`.
fn escape_tail(of: &ValueOf, place: UriPlace, start: usize, out: &mut Vec<u8>) {
    // What most values are may stand anywhere.
    if out.get(start..).is_some_and(is_plain_number) {
        return;
    }
    escape_in_place(out, start, of.is_escaped(), |byte| match place {
        UriPlace::Header => is_unreserved(byte) || b"[]/?:+$".contains(&byte),
        UriPlace::Param => is_unreserved(byte) || b"[]/:&+$".contains(&byte),
        // Only the user part as it came may bring parameters along.
        _ => is_user_char(byte) || (*of == ValueOf::User && b";,/?".contains(&byte)),
    });
}

/// Escapes all bytes since `start` that are not allowed; the common case, nothing to escape, moves
/// nothing. With `escaped`, a `%HH` is one already.
fn escape_in_place(out: &mut Vec<u8>, start: usize, escaped: bool, allowed: impl Fn(u8) -> bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let is_kept = |bytes: &[u8], at: usize| {
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        allowed(bytes[at]) || (escaped && bytes[at] == b'%' && hex(at + 1) && hex(at + 2))
    };
    let end = out.len();
    let added = 2 * (start..end).filter(|&at| !is_kept(out, at)).count();
    if added == 0 {
        return;
    }
    // From the end on: what is written lies behind all that is still to be read.
    out.resize(end + added, 0);
    let mut to = end + added;
    for at in (start..end).rev() {
        let byte = out[at];
        // The two bytes after a `%` have been moved, escaped or not, to where `to` points.
        let is_escape = escaped && byte == b'%' && to + 1 < end + added && {
            let hex = |digit: u8| digit.is_ascii_hexdigit();
            hex(out[to]) && hex(out[to + 1]) && at + 2 < end
        };
        if allowed(byte) || is_escape {
            to -= 1;
            out[to] = byte;
        } else {
            to -= 3;
            out[to..to + 3].copy_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

/// RFC 3261 §25.1 `unreserved`.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

/// RFC 3261 §25.1 `user-unreserved` without `;` `?` `/` `,`: a value must not bring parameters in.
fn is_user_char(byte: u8) -> bool {
    is_unreserved(byte) || b"&=+$".contains(&byte)
}

fn is_host_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte)
}

/// Appends the pieces with a stand-in for every value: any number can stand wherever a value can.
fn push_stand_ins(pieces: &[Piece], out: &mut Vec<u8>) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Value { .. } => out.push(b'1'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World;

    impl Names for World {
        fn column(&self, table: &str, column: &str) -> Option<(TableId, usize)> {
            (table == "ported" && column == "rn").then_some((0, 1))
        }

        fn normalisation(&self, name: &str) -> Option<NormalisationId> {
            (name == "uk").then_some(0)
        }
    }

    impl Values for World {
        fn append(&self, of: &ValueOf, out: &mut Vec<u8>) -> bool {
            let value: &[u8] = match of {
                ValueOf::User => b"+44;rn=9 %41%",
                ValueOf::UserName => b"a%41",
                ValueOf::Number => b"+441632960001",
                ValueOf::Host => b"example.net",
                ValueOf::Header(_) => b"<x>;a=\"50%41\"",
                ValueOf::Var(name) if &**name == "evil" => b"a;b?c@d\r\n>",
                ValueOf::Var(name) if &**name == "empty" => b"",
                _ => return false,
            };
            out.extend_from_slice(value);
            true
        }

        fn normalise(&self, _: NormalisationId, number: &[u8], out: &mut Vec<u8>) {
            out.extend_from_slice(b"N");
            out.extend_from_slice(number);
        }
    }

    fn uri(template: &str) -> Option<String> {
        let template = UriTemplate::parse(template, &World).expect(template);
        let mut out = Vec::new();
        template.render(&World, Scheme::Sip, None, &mut out).then(|| String::from_utf8(out).expect("utf8"))
    }

    fn text(template: &str) -> Option<String> {
        let template = Template::parse(template, &World).expect(template);
        let mut out = b"kept".to_vec();
        let ok = template.render(&World, &mut out);
        assert!(out.starts_with(b"kept"));
        assert!(ok || out == b"kept", "a template that fails leaves nothing behind");
        ok.then(|| String::from_utf8(out[4..].to_vec()).expect("utf8"))
    }

    #[test]
    fn values_are_escaped_by_their_place_in_the_uri() {
        for (template, expected) in [
            ("sip:{number}@gw.example.net", "sip:+441632960001@gw.example.net"),
            ("sip:{user}@{host}:5070", "sip:+44;rn=9%20%41%25@example.net:5070"),
            ("sip:{user.name}@h", "sip:a%41@h"),
            ("sip:x{var.evil}@h", "sip:xa%3Bb%3Fc%40d%0D%0A%3E@h"),
            ("sip:h;p={var.evil};q=1", "sip:h;p=a%3Bb%3Fc%40d%0D%0A%3E;q=1"),
            ("sip:u@h?Identity={header.Identity}", "sip:u@h?Identity=%3Cx%3E%3Ba%3D%2250%2541%22"),
            ("tel:{number}", "tel:+441632960001"),
            ("sip:{number|digits}@h", "sip:441632960001@h"),
            ("sip:{number|strip 3}@h", "sip:1632960001@h"),
            ("sip:{number|digits|keep 2}@h", "sip:44@h"),
            ("sip:{number|uk}@h", "sip:N+441632960001@h"),
        ] {
            assert_eq!(uri(template).as_deref(), Some(expected), "{template}");
        }
    }

    #[test]
    fn a_uri_in_a_value_ends_where_the_value_does() {
        // What follows the first value stands in a URI: it brings no parameters in.
        let template = UriTemplate::parse("{host};x={var.evil}", &World).expect("template");
        let mut out = Vec::new();
        assert!(template.render(&World, Scheme::Sip, None, &mut out));
        assert_eq!(String::from_utf8_lossy(&out), "example.net;x=a%3Bb%3Fc%40d%0D%0A%3E");
        let template = UriTemplate::parse("{var.scheme}{var.evil}@{host}", &World).expect("template");
        out.clear();
        assert!(!template.render(&World, Scheme::Sip, None, &mut out), "a value is missing");
    }

    proptest::proptest! {
        #[test]
        fn escaping_in_place_is_escaping_byte_by_byte(
            bytes in proptest::collection::vec(proptest::prelude::prop_oneof![
                proptest::prelude::any::<u8>(), proptest::prelude::Just(b'%'), b'0'..=b'9',
            ], 0..40),
            escaped: bool,
        ) {
            let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
            let mut expected = b"before".to_vec();
            for (at, &byte) in bytes.iter().enumerate() {
                if is_user_char(byte) || (escaped && byte == b'%' && hex(at + 1) && hex(at + 2)) {
                    expected.push(byte);
                } else {
                    expected.extend_from_slice(format!("%{byte:02X}").as_bytes());
                }
            }
            let mut out = b"before".to_vec();
            out.extend_from_slice(&bytes);
            escape_in_place(&mut out, b"before".len(), escaped, is_user_char);
            proptest::prop_assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_value_that_cannot_stand_there_fails_the_whole_uri() {
        assert_eq!(uri("sip:u@{var.evil}"), None, "host with foreign characters");
        assert_eq!(uri("sip:u@{var.empty}"), None, "empty host");
        assert_eq!(uri("sip:{var.empty}@h"), None, "empty user");
        assert_eq!(uri("sip:u@h;x={ported.rn}"), None, "missing value");
    }

    #[test]
    fn texts_render_or_fail_whole() {
        assert_eq!(text("a {{{number}}} b").as_deref(), Some("a {+441632960001} b"));
        assert_eq!(text("x {number} {ported.rn}"), None);
        assert_eq!(text("").as_deref(), Some(""));
    }

    #[test]
    fn mistakes_are_named() {
        for (template, part) in [
            ("{nmuber}", "unknown value `{nmuber}`"),
            ("{ported.nr}", "no table `ported` with a column `nr`"),
            ("{number", "without its `}`"),
            ("number}", "without its `{`"),
            ("{number|strp 3}", "unknown filter `|strp 3`"),
            ("{number|strip 65}", "unknown filter"),
            ("{from.name}", "unknown value `{from.name}`"),
            ("a\nb", "control character"),
        ] {
            let error = Template::parse(template, &World).expect_err(template);
            assert!(error.contains(part), "{template}: {error}");
        }
        for (template, part) in [
            ("gw.example.net", "begin with sip:"),
            ("sip:gw example", "not a legal URI"),
            ("sip:gw;transport=TLS", "RFC 5630"),
            ("sip:{number}@", "not a legal URI"),
            ("sip:{number};rn=+1;RN={var.x}@gw", "a parameter twice"),
            ("sip:gw;lr;lr", "a parameter twice"),
        ] {
            let error = UriTemplate::parse(template, &World).expect_err(template);
            assert!(error.contains(part), "{template}: {error}");
        }
    }
}
