//! Reads `tests/clauses/*.md`: every MUST and SHOULD that touches a stateless redirect server, what Waypost
//! does about it, and the test that shows it or the reason for deviating.
//!
//! A row is a heading `### 8.2.6.2 MUST: title`, the sentence of the RFC as a quote, one paragraph that
//! says what Waypost does, and its verdict: `Test:` with the tests that show it, `Deviates:` with the
//! reason (a `Test:` that shows it may follow), or `Not ours:` with the role whose obligation it is.

use std::{collections::HashSet, fs, path::Path};

/// As many rows as each file has: a row that is lost must not pass.
const FILES: &[(&str, usize)] = &[
    ("rfc3261.md", 182),
    ("rfc3263.md", 17),
    ("rfc3326.md", 5),
    ("rfc3402.md", 6),
    ("rfc3403.md", 10),
    ("rfc3581.md", 8),
    ("rfc3966.md", 19),
    ("rfc4320.md", 5),
    ("rfc4694.md", 26),
    ("rfc4904.md", 14),
    ("rfc5626.md", 2),
    ("rfc5630.md", 16),
    ("rfc6116.md", 40),
    ("rfc7339.md", 20),
    ("rfc7616.md", 24),
    ("rfc8760.md", 9),
];

const KEYWORDS: [&str; 11] = [
    "MUST",
    "MUST NOT",
    "REQUIRED",
    "SHALL",
    "SHALL NOT",
    "SHOULD",
    "SHOULD NOT",
    "RECOMMENDED",
    "NOT RECOMMENDED",
    "MAY",
    "OPTIONAL",
];

#[test]
fn every_row_has_its_test_or_its_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clauses");
    let mut found: Vec<String> = fs::read_dir(&folder)
        .expect("tests/clauses")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let expected: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, expected, "files of tests/clauses; FILES in tests/clauses.rs lists them in this order");
    let mut faults = Vec::new();
    for (name, count) in FILES {
        let text = fs::read_to_string(folder.join(name)).expect("a table");
        let rows = read(name, &text, &mut faults);
        if rows.len() != *count {
            faults.push(format!("{name}: {} rows, but FILES in tests/clauses.rs says {count}", rows.len()));
        }
        rows.iter().for_each(|row| row.check(name, &mut faults));
        check_order(name, &rows, &mut faults);
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// One clause, as it stands in its file.
struct Row<'t> {
    line: usize,
    heading: &'t str,
    section: Vec<u32>,
    keywords: Vec<&'t str>,
    title: &'t str,
    quote: String,
    paragraphs: Vec<Paragraph>,
}

struct Paragraph {
    line: usize,
    text: String,
}

/// The rows of a file, which begins with its title and a paragraph on how to read it. `##` lines are for
/// the reader's eye.
fn read<'t>(name: &str, text: &'t str, faults: &mut Vec<String>) -> Vec<Row<'t>> {
    let mut rows: Vec<Row<'t>> = Vec::new();
    let mut fresh = true;
    let mut introduction = 0;
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if let Some(heading) = line.strip_prefix("### ") {
            rows.push(Row::new(number, heading, name, faults));
        } else if line.starts_with('#') {
            if (number == 1) != line.starts_with("# RFC ") || (number > 1 && !line.starts_with("## ")) {
                faults.push(format!(
                    "{name}:{number}: `# RFC …` first, then `## group` and `### clause`: {line}"
                ));
            }
        } else if let (Some(row), false) = (rows.last_mut(), line.is_empty()) {
            row.line_of_text(number, line, fresh);
        } else if !line.is_empty() {
            introduction += 1;
        }
        fresh = line.is_empty();
    }
    if introduction == 0 {
        faults.push(format!("{name}:1: no paragraph says which sections these are"));
    }
    rows
}

impl<'t> Row<'t> {
    fn new(line: usize, heading: &'t str, name: &str, faults: &mut Vec<String>) -> Self {
        let (clause, title) = heading.split_once(": ").unwrap_or((heading, ""));
        let (section, keywords) = clause.split_once(' ').unwrap_or((clause, ""));
        let row = Self {
            line,
            heading,
            section: section.split('.').map_while(|part| part.parse().ok()).collect(),
            keywords: keywords.split(", ").collect(),
            title,
            quote: String::new(),
            paragraphs: Vec::new(),
        };
        let sound = row.section.len() == section.split('.').count()
            && row.keywords.iter().all(|keyword| KEYWORDS.contains(keyword))
            && !title.is_empty();
        if !sound {
            faults.push(format!("{name}:{line}: not `### 8.2.6.2 MUST, MUST NOT: title`: {heading}"));
        }
        row
    }

    fn line_of_text(&mut self, line: usize, text: &str, fresh: bool) {
        if let Some(quote) = text.strip_prefix('>') {
            self.quote.push(' ');
            self.quote.push_str(quote.trim());
        } else if let (Some(last), false) = (self.paragraphs.last_mut(), fresh) {
            last.text.push(' ');
            last.text.push_str(text.trim());
        } else {
            self.paragraphs.push(Paragraph { line, text: text.trim().to_owned() });
        }
    }

    fn check(&self, name: &str, faults: &mut Vec<String>) {
        let at = format!("{name}:{}: {}", self.line, self.heading);
        for keyword in self.keywords.iter().filter(|keyword| !has_keyword(&self.quote, keyword)) {
            faults.push(format!("{at}: the quote does not say {keyword}"));
        }
        let kinds: Vec<&str> = self.paragraphs.iter().map(|paragraph| kind(&paragraph.text)).collect();
        match kinds[..] {
            ["", "Test"] | ["", "Deviates" | "Not ours"] | ["Deviates" | "Not ours"] => {}
            ["Deviates", "Test"] | ["", "Deviates", "Test"] => {}
            _ => faults.push(format!(
                "{at}: after the quote come what Waypost does and one of `Test:`, `Deviates:` (with or \
                 without `Test:`), `Not ours:`; found {kinds:?}"
            )),
        }
        for paragraph in &self.paragraphs {
            match paragraph.text.split_once(':') {
                Some(("Test", tests)) => check_tests(tests, &format!("{name}:{}", paragraph.line), faults),
                Some(("Deviates" | "Not ours", reason)) if reason.trim().len() < 10 => {
                    faults.push(format!("{name}:{}: no reason", paragraph.line));
                }
                _ => {}
            }
        }
    }
}

/// What a paragraph begins with; nothing for the one that says what Waypost does.
fn kind(paragraph: &str) -> &'static str {
    let kinds = ["Test", "Deviates", "Not ours"];
    kinds
        .into_iter()
        .find(|kind| paragraph.strip_prefix(kind).is_some_and(|rest| rest.starts_with(": ")))
        .unwrap_or_default()
}

/// Whether the quote has a keyword in capitals; `MUST` is not found in `MUST NOT`.
fn has_keyword(quote: &str, keyword: &str) -> bool {
    let words: Vec<&str> =
        quote.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let wanted: Vec<&str> = keyword.split(' ').collect();
    words.windows(wanted.len()).enumerate().any(|(at, window)| {
        let not_before = keyword == "RECOMMENDED" && at > 0 && words[at - 1] == "NOT";
        window == wanted && words.get(at + wanted.len()) != Some(&"NOT") && !not_before
    })
}

/// `` `scenarios/NAME.txt`, `src/…/FILE.rs TEST`, `tests/FILE.rs TEST`, `tests/FILE.sh` ``.
fn check_tests(list: &str, at: &str, faults: &mut Vec<String>) {
    for test in list.split(", ").map(str::trim) {
        let fault = match test.strip_prefix('`').and_then(|test| test.strip_suffix('`')) {
            Some(test) => missing(test),
            None => Some("is not between backquotes"),
        };
        if let Some(fault) = fault {
            faults.push(format!("{at}: {test} {fault}"));
        }
    }
}

/// Why there is no such test.
fn missing(test: &str) -> Option<&'static str> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (path, function) = test.split_once(' ').unwrap_or((test, ""));
    if let Some(scenario) = path.strip_prefix("scenarios/") {
        let found = scenario.ends_with(".txt") && root.join("tests/scenarios").join(scenario).is_file();
        return (!found || !function.is_empty()).then_some("is no scenario");
    }
    let in_source = path.starts_with("src/") || path.starts_with("tests/");
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("sh") if in_source && root.join(path).is_file() => None,
        Some("rs") if in_source => match fs::read_to_string(root.join(path)) {
            Ok(source) => (!has_test(&source, function)).then_some("is no `#[test] fn` of this file"),
            Err(_) => Some("is no file"),
        },
        _ => Some("is neither scenario, nor script, nor `FILE.rs TEST`"),
    }
}

/// Whether `fn name` stands there with `#[test]` and is not ignored; inside `proptest!` too.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let starts = |line: &str| {
        line.strip_prefix("fn ")
            .and_then(|line| line.strip_prefix(name))
            .is_some_and(|line| line.starts_with('('))
    };
    lines.iter().enumerate().filter(|(_, line)| starts(line)).any(|(at, _)| {
        let attributes: Vec<&&str> = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
            .collect();
        attributes.contains(&&"#[test]") && !attributes.iter().any(|line| line.starts_with("#[ignore"))
    })
}

fn check_order(name: &str, rows: &[Row<'_>], faults: &mut Vec<String>) {
    for pair in rows.windows(2).filter(|pair| pair[0].section > pair[1].section) {
        let [before, after] = pair else { continue };
        faults.push(format!("{name}:{}: {} stands after {}", after.line, after.heading, before.heading));
    }
    let (mut titles, mut quotes) = (HashSet::new(), HashSet::new());
    for row in rows {
        if !titles.insert((&row.section, row.title))
            || !quotes.insert((&row.section, &row.quote, &row.keywords))
        {
            faults.push(format!("{name}:{}: {} stands twice", row.line, row.heading));
        }
    }
}

#[test]
fn the_reader_finds_what_is_wrong() {
    let sound = "# RFC 1: x\n\nAll of it.\n\n## 8\n\n### 8.2 MUST: a\n> It\n> MUST be.\n\nIt is.\n\n";
    let faults = |text: &str| {
        let mut faults = Vec::new();
        let rows = read("f", text, &mut faults);
        rows.iter().for_each(|row| row.check("f", &mut faults));
        check_order("f", &rows, &mut faults);
        faults.join("\n")
    };
    let test = "Test: `tests/clauses.rs the_reader_finds_what_is_wrong`\n";
    assert_eq!(faults(&format!("{sound}{test}")), "");
    assert_eq!(faults(&format!("{sound}Test: `scenarios/bad-requests.txt`,\n`tests/run.sh`\n")), "");
    let table = [
        ("Test: `tests/clauses.rs read`\n", "no `#[test] fn`"),
        ("Test: `tests/none.rs read`\n", "is no file"),
        ("Test: `scenarios/none.txt`\n", "is no scenario"),
        ("Test: tests/run.sh\n", "between backquotes"),
        ("Test: `tests/clauses.rs`\n", "no `#[test] fn`"),
        ("Deviates: no\n", "no reason"),
        ("Deviates: for a reason.\n\nDeviates: for a reason.\n", "found [\"\", \"Deviates\", \"Deviates\"]"),
        ("", "found [\"\"]"),
        ("Test: `tests/run.sh`\n\nNot ours: of somebody else\n", "found [\"\", \"Test\", \"Not ours\"]"),
        ("Test: `tests/run.sh`\n\n### 8.1 MUST: b\n> MUST\n\nNot ours: of a proxy.\n", "stands after 8.2"),
        ("Test: `tests/run.sh`\n\n### 8.2 MUST: b\n> It MUST be.\n\nNot ours: of a proxy.\n", "stands twice"),
        (
            "Test: `tests/run.sh`\n\n### 8.2 SHOULD: b\n> It MUST be.\n\nNot ours: of a proxy.\n",
            "not say SHOULD",
        ),
        ("Test: `tests/run.sh`\n\n### 8.2 MUST: b\n> MUST NOT.\n\nNot ours: of a proxy.\n", "not say MUST"),
        ("Test: `tests/run.sh`\n\n### 8.2 must: b\n> must\n\nNot ours: of a proxy.\n", "not `###"),
        ("Test: `tests/run.sh`\n\n### 8.x MUST: b\n> MUST\n\nNot ours: of a proxy.\n", "not `###"),
        ("Test: `tests/run.sh`\n\n# 9\n", "`## group`"),
    ];
    for (end, fault) in table {
        let found = faults(&format!("{sound}{end}"));
        assert!(found.contains(fault), "{end}: {found}");
    }
}
