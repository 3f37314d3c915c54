//! Target `yaml`: any bytes as a route file. A line `%%%` ends it; what follows is every data file.

use waypost::route::file::{Diagnostic, Severity, Source, parse};

const NEXT: &[u8] = b"\n%%%\n";

pub fn check(bytes: &[u8]) {
    let at = bytes.windows(NEXT.len()).position(|window| window == NEXT);
    let (text, data) = at.map_or((bytes, &b""[..]), |at| (&bytes[..=at], &bytes[at + NEXT.len()..]));
    let first = load(text, data);
    assert_eq!(first, load(text, data), "loaded twice");
}

/// What was found, and the table as it debugs.
fn load(text: &[u8], data: &[u8]) -> (Vec<Diagnostic>, usize) {
    let source = Source { path: "a.yaml".to_owned(), bytes: text.to_vec() };
    let result = parse(&[source]).and_then(|draft| {
        let files = draft.data_files();
        assert!(files.is_sorted() && files.windows(2).all(|pair| pair[0] != pair[1]), "{files:?}");
        draft.build(&|path| {
            assert!(files.iter().any(|file| file == path), "{path} was not announced");
            Ok(data.to_vec())
        })
    });
    let (found, routes) = match result {
        Ok((table, warnings)) => {
            assert!(warnings.iter().all(|finding| finding.severity == Severity::Warning));
            (warnings, table.routes.len())
        }
        Err(errors) => {
            assert!(errors.iter().any(|finding| finding.severity == Severity::Error), "refused for nothing");
            (errors, 0)
        }
    };
    for finding in &found {
        check_place(finding, if finding.file == "a.yaml" { text } else { data });
    }
    (found, routes)
}

/// A finding is one line that says something, at a place that is there.
fn check_place(finding: &Diagnostic, bytes: &[u8]) {
    assert!(!finding.message.is_empty() && !finding.message.contains(['\n', '\r', '\0']), "{finding:?}");
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let line = usize::try_from(finding.line).expect("a line");
    assert!((1..=lines + 1).contains(&line) && finding.column >= 1, "{finding:?} of {lines} lines");
    let length = bytes.split(|&byte| byte == b'\n').nth(line - 1).map_or(0, <[u8]>::len);
    assert!(
        usize::try_from(finding.column).expect("a column") <= length + 1,
        "{finding:?} of {length} bytes"
    );
}
