//! Pure. Overload control in the top Via (RFC 7339): whether a client offers it, and what it is told.
//!
//! In:    a Via value; a [`Feedback`].
//! Out:   where the parameters stand that an answer replaces; those that it has instead.
//! Never: tells a client that has not offered it.

use std::ops::Range;

use super::{Writer, scan::Scan};

/// What a client that offers overload control is told: the loss-based scheme, the only one that every such client has
/// (RFC 7339 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// By how much it is to send less, in per cent, 0 to 100 (§7.1).
    pub loss_percent: u8,
    /// For how long; 0: no reduction is asked for (§4.3).
    pub validity_ms: u64,
    /// The sequence number, which grows with each value (§4.4): what stands before its point.
    pub seq_s: u64,
    /// And what stands behind it.
    pub seq_fraction: u32,
}

/// `oc`, `oc-algo`, `oc-validity`, `oc-seq`: where they stand in a Via value, with the semicolon.
pub(super) type Places = [Option<Range<usize>>; 4];

/// Where the parameters stand of a client that offers the loss-based scheme: `oc` without a value and `oc-algo` with
/// `loss` in its list (§4.1, §4.2). `None` of any other, and of one that writes a parameter twice.
pub(super) fn offered(value: &[u8]) -> Option<Places> {
    let mut places: Places = Default::default();
    let mut offers_loss = false;
    let mut end = value.iter().position(|byte| *byte == b';')?;
    let begin = end;
    let mut scan = Scan::new(value.get(begin..)?);
    while scan.eat_spaced(b';') {
        let param = scan.param()?;
        let place = end..begin.saturating_add(scan.at());
        end = place.end;
        let index = match param.name {
            name if name.eq_ignore_ascii_case(b"oc") => {
                // §4.1: the value is ours to add.
                if param.value.is_some() {
                    return None;
                }
                0
            }
            name if name.eq_ignore_ascii_case(b"oc-algo") => {
                offers_loss = has_loss(param.value?);
                1
            }
            // §5.2: not for requests. What is told of them shall be ours.
            name if name.eq_ignore_ascii_case(b"oc-validity") => 2,
            name if name.eq_ignore_ascii_case(b"oc-seq") => 3,
            _ => continue,
        };
        if places.get_mut(index)?.replace(place).is_some() {
            return None;
        }
    }
    let [oc, algo, ..] = &places;
    (oc.is_some() && algo.is_some() && offers_loss).then_some(places)
}

/// §9: a list in quotes. Tokens are compared in any case (RFC 3261 §7.3.1).
fn has_loss(algorithms: &[u8]) -> bool {
    let bare = algorithms.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let mut tokens = bare.unwrap_or(algorithms).split(|byte| *byte == b',');
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"loss"))
}

/// Writes the parameters of an answer (§5.1, §9).
pub(super) fn write(feedback: &Feedback, out: &mut Writer<'_>) {
    out.put(b";oc=");
    out.put_number(feedback.loss_percent.into());
    out.put(b";oc-algo=\"loss\";oc-validity=");
    out.put_number(feedback.validity_ms);
    out.put(b";oc-seq=");
    out.put_number(feedback.seq_s);
    out.put(b".");
    out.put_number(feedback.seq_fraction.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_out(params: &str) -> Option<String> {
        let value = format!("SIP/2.0/UDP [2001:db8::1]:5060{params}");
        let mut places: Vec<_> = offered(value.as_bytes())?.into_iter().flatten().collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.start));
        let mut left = value;
        places.into_iter().for_each(|place| left.replace_range(place, ""));
        Some(left.strip_prefix("SIP/2.0/UDP [2001:db8::1]:5060").expect("sent-by stays").to_owned())
    }

    #[test]
    fn who_offers_overload_control() {
        for (params, left) in [
            (";branch=z;oc;oc-algo=\"loss\"", Some(";branch=z")),
            (";oc;branch=z;oc-algo=\"loss,A\";rport", Some(";branch=z;rport")),
            (";OC ; Oc-Algo = \"A, LOSS\";x", Some(";x")),
            (";oc;oc-algo=loss", Some("")),
            // RFC 7339 §5.2: a client writes none of these; what it wrote is not ours.
            (";oc;oc-algo=\"loss\";oc-validity=9;oc-seq=1.1;b", Some(";b")),
            ("", None),
            (";branch=z", None),
            (";oc", None),
            (";oc-algo=\"loss\"", None),
            (";oc;oc-algo", None),
            (";oc;oc-algo=\"rate\"", None),
            (";oc;oc-algo=\"lossy\"", None),
            (";oc=0;oc-algo=\"loss\"", None),
            (";oc;oc;oc-algo=\"loss\"", None),
            (";oc;oc-algo=\"loss\";oc-algo=\"loss\"", None),
            (";occ;oc-algo=\"loss\"", None),
        ] {
            assert_eq!(taken_out(params).as_deref(), left, "{params}");
        }
    }
}
