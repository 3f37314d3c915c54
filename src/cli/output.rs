//! Outside. Writes to the terminal: colours where they are wanted, bytes of strangers made harmless.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

pub(crate) use crate::control::explain::describe::counted;
use crate::{
    control::logging,
    route::file::{Diagnostic, Severity},
};

/// Writes all of `bytes` to stdout. A reader that has gone (`| head`) is no error of ours.
pub(crate) fn stdout(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _gone = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes one line to stderr.
pub(crate) fn stderr(line: &str) {
    let _gone = writeln!(io::stderr().lock(), "{line}");
}

/// A value as JSON, indented, with its line end.
pub(crate) fn json(value: &serde_json::Value) {
    stdout(format!("{value:#}\n").as_bytes());
}

/// Prints findings to stderr, `FILE:LINE:COLUMN: error|warning: MESSAGE`.
pub(crate) fn diagnostics(findings: &[Diagnostic]) {
    for finding in findings {
        stderr(&diagnostic(finding));
    }
}

/// One finding as a line.
pub(crate) fn diagnostic(finding: &Diagnostic) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let Diagnostic { file, line, column, message, .. } = finding;
    // A finding on a file as a whole (it cannot be read) has no place in it, and its message names the file.
    if *line == 0 {
        format!("{severity}: {message}")
    } else {
        format!("{file}:{line}:{column}: {severity}: {message}")
    }
}

/// Bytes as text that cannot steer a terminal: control characters and bytes that are not UTF-8 as `\x1b`.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                let mut utf8 = [0; 4];
                hex(&mut text, character.encode_utf8(&mut utf8).as_bytes());
            } else {
                text.push(character);
            }
        }
        hex(&mut text, chunk.invalid());
    }
    text
}

/// A SIP message for people: its lines, each [`shown`].
pub(crate) fn shown_message(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split(|byte| *byte == b'\n') {
        text.push_str(&shown(line.strip_suffix(b"\r").unwrap_or(line)));
        text.push('\n');
    }
    // The empty piece after the last line end is no line.
    if bytes.ends_with(b"\n") {
        text.pop();
    }
    text
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Colours when stdout is a terminal and NO_COLOR is not set (<https://no-color.org>).
    pub(crate) fn of_stdout() -> Self {
        Self { on: io::stdout().is_terminal() && logging::colours_wanted() }
    }
    /// None.
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self { on: false }
    }
    pub(crate) fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }
    pub(crate) fn good(self, text: impl Display) -> String {
        self.wrap("32", text)
    }
    pub(crate) fn bad(self, text: impl Display) -> String {
        self.wrap("31", text)
    }
    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shown_can_steer_a_terminal() {
        assert_eq!(shown(b"a\x1b[31mb\x7f\xff\r\n"), "a\\x1b[31mb\\x7f\\xff\\x0d\\x0a");
        assert_eq!(shown("Zürich \u{9b}31m".as_bytes()), "Zürich \\xc2\\x9b31m");
    }

    #[test]
    fn messages_are_shown_line_by_line() {
        assert_eq!(shown_message(b"A\r\nB\r\n\r\n"), "A\nB\n\n");
        assert_eq!(shown_message(b"A\r\n\r\nbody"), "A\n\nbody\n");
        assert_eq!(shown_message(b"A\rB\r\n"), "A\\x0dB\n");
    }

    #[test]
    fn findings_have_one_form() {
        let mut finding = Diagnostic {
            file: "a.yaml".to_owned(),
            line: 3,
            column: 5,
            severity: Severity::Warning,
            message: "m".to_owned(),
        };
        assert_eq!(diagnostic(&finding), "a.yaml:3:5: warning: m");
        (finding.line, finding.severity) = (0, Severity::Error);
        assert_eq!(diagnostic(&finding), "error: m");
    }

    #[test]
    fn paint_is_only_paint() {
        assert_eq!(Paint { on: true }.bad("x"), "\x1b[31mx\x1b[0m");
        assert_eq!(Paint::off().bad("x"), "x");
    }
}
