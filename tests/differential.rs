//! Our parser against an independent one (ezk-sip-types), over the corpora, the scenarios' and made-up
//! requests. Every disagreement is of a class that `tests/differential/disagreements.md` explains.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

#[path = "differential/classes.rs"]
mod classes;
#[path = "differential/generate.rs"]
mod generate;
#[path = "differential/reading.rs"]
mod reading;

/// As many as there are: a folder that is not found must not pass.
const CORPUS: usize = 83;
const MADE_UP: usize = 20_000;

#[test]
fn every_disagreement_is_explained() {
    let mut dice = generate::Dice(20_26);
    let mut met: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut agreed = 0;
    let valid = (0..MADE_UP / 2).map(|_| generate::valid(&mut dice)).collect::<Vec<_>>();
    for message in &valid {
        assert!(reading::ours(message).is_ok(), "{:?} {}", reading::ours(message), message.escape_ascii());
    }
    let mangled = (0..MADE_UP / 2).map(|_| generate::mangled(&mut dice));
    for message in corpus().into_iter().chain(valid).chain(mangled) {
        let classes = classes::of(&message, &reading::ours(&message), &reading::theirs(&message));
        agreed += usize::from(classes.is_empty());
        for class in classes {
            match class {
                Ok(class) => *met.entry(class).or_default() += 1,
                Err(difference) => unexplained.push(format!("{difference}\n  {}", message.escape_ascii())),
            }
        }
    }
    let shown = unexplained.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(unexplained.is_empty(), "{} disagreements are in no class:\n{shown}", unexplained.len());
    let met_names: BTreeSet<_> = met.keys().map(|class| (*class).to_owned()).collect();
    assert_eq!(met_names, listed(), "classes met, and classes in disagreements.md");
    assert!(agreed * 2 > MADE_UP, "they agree about {agreed} of {MADE_UP}: {met:?}");
}

/// Messages of the fuzz corpus: RFC 4475 and the scenarios.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/message");
    let files = fs::read_dir(folder).expect("corpus").map(|entry| entry.expect("entry").path());
    let messages: Vec<_> = files.map(|file| fs::read(file).expect("message")).collect();
    assert_eq!(messages.len(), CORPUS, "messages found; correct CORPUS when one is added");
    messages
}

/// The classes of the list: its headings.
fn listed() -> BTreeSet<String> {
    let list = include_str!("differential/disagreements.md");
    list.lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}
