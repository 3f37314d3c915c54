//! Pure. Results of ENUM that say something about a number instead of where to call it.

use crate::sip::{Scheme, Uri, same_name};

/// The value of an attribute of a result: of a list (`mcc=310;mnc=012`), or of the parameters of a URI
/// (`tel:+1…;rn=+1…;npdi`). Empty for one that stands there without a value.
pub fn attribute<'r>(result: &'r [u8], name: &[u8]) -> Option<&'r [u8]> {
    let uri = Uri::parse(result).filter(|uri| uri.scheme != Scheme::Other);
    if let Some(uri) = uri {
        let value = uri.user_param(name).or_else(|| uri.param(name))?;
        return Some(value.unwrap_or_default());
    }
    result.split(|byte| *byte == b';').find_map(|item| {
        let mut halves = item.splitn(2, |byte| *byte == b'=');
        let is_it = halves.next().is_some_and(|found| same_name(found.trim_ascii(), name));
        is_it.then(|| halves.next().unwrap_or_default().trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_of_lists_and_of_uris() {
        for (result, name, value) in [
            ("mcc=310;mnc=012", "mnc", Some("012")),
            ("mcc=310; MNC = 1", "mnc", Some("1")),
            ("country=null;ported=false;err=0", "PORTED", Some("false")),
            ("tel:+13125550123;mcc=310;mnc=012", "mcc", Some("310")),
            ("tel:+13125550123;npdi;rn=+13125550100", "npdi", Some("")),
            ("sip:+13125550123;npdi;rn=+13125550100@x;user=phone", "rn", Some("+13125550100")),
            ("sip:+13125550123@x;user=phone", "user", Some("phone")),
            ("sip:+13125550123@x", "rn", None),
            ("mcc", "mcc", Some("")),
            ("", "mcc", None),
            ("mcc=", "mcc", Some("")),
        ] {
            let found = attribute(result.as_bytes(), name.as_bytes());
            assert_eq!(found, value.map(str::as_bytes), "{result} {name}");
        }
    }
}
