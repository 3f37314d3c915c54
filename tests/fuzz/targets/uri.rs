//! Target `uri`: two URIs, one on each line.

use waypost::sip::{Scheme, Uri, decoded, same_name, same_uri};

pub fn check(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |&byte| byte == b'\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let (a, b) = (Uri::parse(first), Uri::parse(second));
    for (uri, bytes) in [(a, first), (b, second)] {
        if let Some(uri) = uri {
            check_one(&uri, bytes);
        }
    }
    if let (Some(a), Some(b)) = (a, b) {
        let same = same_uri(&a, &b);
        assert_eq!(same, same_uri(&b, &a), "not symmetric");
        assert!(same || first != second);
        assert!(!same || a.scheme == b.scheme);
    }
}

fn check_one(uri: &Uri<'_>, bytes: &[u8]) {
    assert!(same_uri(uri, uri), "not reflexive");
    let rendered = rendered(uri);
    let again = Uri::parse(&rendered).expect("what was taken apart can be put together");
    assert_eq!(*uri, again);
    assert!(same_uri(uri, &again), "not the same when put together");
    // Nothing is lost but a `?` with nothing after it and the noughts before a port.
    assert!(rendered == bytes || uri.port.is_some() || bytes.ends_with(b"?"), "{:?}", bytes.escape_ascii());
    let params: Vec<_> = uri.user_params().collect();
    check_params(&params, |name| uri.user_param(name));
    if let Scheme::Sip | Scheme::Sips = uri.scheme {
        let host_params: Vec<_> = pairs(uri.params);
        check_params(&host_params, |name| uri.param(name));
        assert_eq!(uri.has_double_param(), repeats(&params) || repeats(&host_params));
    } else if uri.scheme == Scheme::Tel {
        assert_eq!(uri.has_double_param(), repeats(&params));
        assert!(uri.host.is_empty() && uri.params.is_empty() && uri.port.is_none());
    } else {
        assert!(!uri.has_double_param() && uri.user.is_none() && uri.host.is_empty());
    }
}

fn rendered(uri: &Uri<'_>) -> Vec<u8> {
    let mut text = [uri.scheme_name, b":", uri.opaque].concat();
    if let Some(user) = uri.user {
        text.extend_from_slice(user);
        if let Some(password) = uri.password {
            text.push(b':');
            text.extend_from_slice(password);
        }
        if uri.scheme != Scheme::Tel {
            text.push(b'@');
        }
    }
    text.extend_from_slice(uri.host);
    if let Some(port) = uri.port {
        text.extend_from_slice(format!(":{port}").as_bytes());
    }
    text.extend_from_slice(uri.params);
    if !uri.headers.is_empty() {
        text.push(b'?');
        text.extend_from_slice(uri.headers);
    }
    text
}

type Param<'a> = (&'a [u8], Option<&'a [u8]>);

fn pairs(list: &[u8]) -> Vec<Param<'_>> {
    let of_piece = |piece: &'_ [u8]| piece.iter().position(|&byte| byte == b'=');
    let pieces = list.split(|&byte| byte == b';').filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| of_piece(piece).map_or((piece, None), |at| (&piece[..at], Some(&piece[at + 1..]))))
        .collect()
}

/// Each is found by its name, and it is the first of that name that is.
fn check_params<'a>(params: &[Param<'a>], find: impl Fn(&[u8]) -> Option<Option<&'a [u8]>>) {
    for (name, _) in params {
        // A name is looked for as it reads, not as it is written.
        let plain: Vec<u8> = decoded(name).collect();
        let first = params.iter().find(|(other, _)| same_name(other, &plain)).map(|(_, value)| *value);
        assert_eq!(find(&plain), first);
        assert!(first.is_some() || plain.contains(&b'%'));
    }
}

fn repeats(params: &[Param<'_>]) -> bool {
    let lower = |name: &[u8]| decoded(name).map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
    let mut names: Vec<_> = params.iter().map(|(name, _)| lower(name)).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}
