//! Substitution expressions of NAPTRs against the C library's `regcomp`: a table, where every difference is
//! named by its line, and made-up ones, where there is none.
//!
//! A group that took no part is told from an empty one by neither: it is empty in the result.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use waypost::dns::{Expression, substitute};

#[path = "ere/generate.rs"]
mod generate;

/// As many as there are: a table that is not read must not pass.
const TABLE: usize = 276;
const EXAMPLES: usize = 40;
const MADE_UP: usize = 3_000;

/// One question to both.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    ere: String,
    flags: String,
    subject: String,
}

#[test]
fn the_table_holds_and_the_c_library_agrees() {
    let table: Vec<(Case, &str, Option<&str>)> = rows(include_str!("ere/table.txt"))
        .map(|row| match row[..] {
            [ere, flags, subject, expected] => (case(ere, flags, subject), expected, None),
            [ere, flags, subject, expected, why] => (case(ere, flags, subject), expected, Some(why)),
            _ => panic!("not four or five fields: {row:?}"),
        })
        .collect();
    assert_eq!(table.len(), TABLE, "lines found; correct TABLE when one is added");
    let theirs = c_library(table.iter().map(|(case, ..)| case));
    let mut wrong = Vec::new();
    for ((case, expected, why), theirs) in table.iter().zip(&theirs) {
        let ours = ours(case);
        if ours != *expected {
            wrong.push(format!("{case:?}: ours {ours}, expected {expected}"));
        }
        if (theirs == expected) == why.is_some() {
            wrong.push(format!("{case:?}: theirs {theirs}, expected {expected}, marked: {why:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {TABLE}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn made_up_expressions_match_as_the_c_library_has_it() {
    let mut dice = generate::Dice(6116);
    let cases: Vec<Case> = (0..MADE_UP).map(|_| generate::case(&mut dice)).collect();
    let (mut different, mut found) = (Vec::new(), 0);
    for (case, theirs) in cases.iter().zip(c_library(cases.iter())) {
        let ours = ours(case);
        found += usize::from(ours.starts_with('<'));
        if ours != theirs {
            different.push(format!("{case:?}: ours {ours}, theirs {theirs}"));
        }
    }
    let shown = different.iter().take(30).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} of {MADE_UP}:\n{shown}", different.len());
    assert!(found * 3 > MADE_UP, "{found} of {MADE_UP} match");
}

#[test]
fn the_examples_of_the_rfcs_come_out_byte_for_byte() {
    let mut count = 0;
    for row in rows(include_str!("ere/examples.txt")) {
        let [rfc, expression, subject, expected] = row[..] else { panic!("not four fields: {row:?}") };
        let made = substitute(expression.as_bytes(), subject.as_bytes());
        let made = made.map(|made| String::from_utf8(made).expect("text"));
        let expected = (expected != "nothing").then(|| expected.to_owned());
        assert_eq!(made, expected, "{rfc}: {expression} on {subject}");
        count += 1;
    }
    assert_eq!(count, EXAMPLES, "examples found; correct EXAMPLES when one is added");
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("##"))
        .map(|line| line.split('\t').collect())
}

fn case(ere: &str, flags: &str, subject: &str) -> Case {
    Case { ere: ere.to_owned(), flags: flags.to_owned(), subject: subject.to_owned() }
}

/// The whole match and the groups, written as the C program does.
fn ours(case: &Case) -> String {
    let Case { ere, flags, subject } = case;
    let delimiter = ["!", "/", "%", "~"].into_iter().find(|it| !ere.contains(it)).expect("one is free");
    let flags = flags.trim_matches('-');
    let made = |ere: &str, replacement: &str| {
        let expression = format!("{delimiter}{ere}{delimiter}{replacement}{delimiter}{flags}");
        let made = substitute(expression.as_bytes(), subject.as_bytes())?;
        Some(String::from_utf8(made).expect("text"))
    };
    let read = format!("{delimiter}{ere}{delimiter}{delimiter}{flags}");
    if Expression::new(read.as_bytes()).is_none() {
        return "refused".to_owned();
    }
    let Some(whole) = made(&format!("({ere})"), r"<\1>") else {
        assert_eq!(made(ere, ""), None, "{case:?}: in a group or not");
        return "none".to_owned();
    };
    let groups = |count: usize| made(ere, &(1..=count).map(|n| format!(r"<\{n}>")).collect::<String>());
    let most = (0..=9).rev().find(|count| groups(*count).is_some()).expect("none is always there");
    whole + &groups(most).expect("just made")
}

/// What the C library says to each.
fn c_library<'c>(cases: impl Iterator<Item = &'c Case>) -> Vec<String> {
    let lines: Vec<String> =
        cases.map(|case| format!("{}\t{}\t{}\n", case.flags, case.ere, case.subject)).collect();
    let mut child = Command::new(program())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the compiled program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let text = lines.concat();

    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).expect("it reads"));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    assert!(output.status.success(), "{:?}", output.status);
    let answers: Vec<String> =
        String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), lines.len(), "an answer to each");
    answers
}

/// `tests/ere/regcomp.c`, compiled: once for each test, so that none waits for another.
fn program() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ere/regcomp.c");
    let thread = std::thread::current();
    let name = format!("regcomp-{}", thread.name().expect("that of the test"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let compiled = Command::new("cc").arg("-o").arg(&program).arg(&source).output();
    let compiled = compiled.unwrap_or_else(|error| {
        panic!("this test needs a C compiler, `cc` (Debian package gcc; tests/run.sh installs it): {error}")
    });
    let errors = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "cc {}: {errors}", source.display());
    program
}
