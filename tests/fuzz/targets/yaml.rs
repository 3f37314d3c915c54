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
        draft.build_from(&|path| {
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
    // YAML 1.2.2 §5.4: a CR alone breaks a line, too. What is not UTF-8 was not read as YAML.
    let unix: Vec<_> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::len).collect();
    let yaml = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let yaml: Vec<_> = yaml.split('\n').map(str::len).collect();
    let number = |number: u32| usize::try_from(number).expect("a place");
    let (line, column) = (number(finding.line), number(finding.column));
    assert!(line >= 1 && column >= 1, "{finding:?}");
    let is_in = |lengths: &[usize]| {
        // The end of a file is a place, after its last line end.
        line <= lengths.len() + 1 && column <= lengths.get(line - 1).unwrap_or(&0) + 1
    };
    assert!(is_in(&unix) || is_in(&yaml), "{finding:?} is nowhere");
}
