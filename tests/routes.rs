//! Route files: every example file is right, and every bad file gets exactly the message it should.
//!
//! `UPDATE=1 cargo test --test routes` rewrites the expected messages, for review by `git diff`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use waypost::route::{
    RouteTable,
    file::{Diagnostic, Severity, Source, parse},
};

/// Files in `routes/`. When this fails, a file was added or lost: look, then change the number.
const EXAMPLES: usize = 9;

/// Cases in `tests/routes_invalid/`.
const CASES: usize = 107;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a directory with this extension, in the order of their names.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of the repository");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of it").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    paths
}

fn source(path: &Path) -> Source {
    let name = path.file_name().expect("a file name").to_string_lossy().into_owned();
    Source { path: name, bytes: fs::read(path).expect("a file of the repository") }
}

fn load(directory: &Path, sources: &[Source]) -> Result<(RouteTable, Vec<Diagnostic>), Vec<Diagnostic>> {
    let draft = parse(sources)?;
    draft.build_from(&|path| fs::read(directory.join(path)).map_err(|_| "no such file".to_owned()))
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let line = |it: &Diagnostic| {
        let severity = match it.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!("{}:{}:{}: {severity}: {}\n", it.file, it.line, it.column, it.message)
    };
    diagnostics.iter().map(line).collect()
}

#[test]
fn the_example_set_is_right_and_without_warning() {
    let directory = root().join("routes");
    let sources: Vec<Source> = files(&directory, "yaml").iter().map(|path| source(path)).collect();
    assert_eq!(sources.len(), EXAMPLES);
    let (table, warnings) = load(&directory, &sources).map_err(|errors| shown(&errors)).expect("a table");
    assert_eq!(shown(&warnings), "");
    assert_eq!(table.gateways.len(), 7);
    assert_eq!(table.groups.len(), 1);
    assert_eq!(table.tables.iter().map(|table| table.len()).collect::<Vec<_>>(), [3, 8]);
    assert_eq!(table.lists.len(), 2);
    let names: Vec<&str> = table.lists[0].routes.iter().map(|&id| &*table.routes[id].name).collect();
    assert_eq!(names.first(), Some(&"emergency"));
    assert_eq!(names.last(), Some(&"default"));
}

#[test]
fn every_bad_file_gets_its_message() {
    let directory = root().join("tests/routes_invalid");
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = String::new();
    // A case is a file, or a folder of files that are wrong together.
    let mut cases = files(&directory, "yaml");
    cases.extend(files(&directory, "d"));
    for path in &cases {
        let sources = match path.is_dir() {
            true => files(path, "yaml").iter().map(|path| source(path)).collect(),
            false => vec![source(path)],
        };
        let found = match load(&directory, &sources) {
            Ok((_, warnings)) => shown(&warnings),
            Err(errors) => shown(&errors),
        };
        assert!(!found.is_empty(), "{} is right, and should not be", path.display());
        let expected_path = path.with_extension("txt");
        if update {
            fs::write(&expected_path, &found).expect("room for the expected message");
            continue;
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if found != expected {
            wrong.push_str(&format!("{}\n  found\n{found}  expected\n{expected}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(cases.len(), CASES, "a case was added or lost: look, then change the number");
    assert_eq!(files(&directory, "txt").len(), CASES, "a message without its case");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever has the right shape can be decoded: schema and decoder know the same language. And
    /// whatever is wrong is said in one line, with a place.
    #[test]
    fn mangled_examples_get_messages_with_a_place(
        file in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), "[ -~\n]{0,3}", 0_usize..4), 1..4),
    ) {
        let directory = root().join("routes");
        let examples = files(&directory, "yaml");
        let mut mangled = source(&examples[file.index(examples.len())]);
        for (at, insert, remove) in changes {
            let at = at.index(mangled.bytes.len());
            let end = (at + remove).min(mangled.bytes.len());
            mangled.bytes.splice(at..end, insert.bytes());
        }
        for it in load(&directory, &[mangled]).err().into_iter().flatten() {
            prop_assert!(!it.message.contains(" at line "), "{}", it.message);
            prop_assert!(it.line > 0 && it.column > 0 && !it.message.contains('\n'), "{:?}", it);
        }
    }
}
