//! The committed corpora of `tests/fuzz`, through what the fuzz targets check, without libFuzzer.

use std::{fs, path::Path};

#[path = "fuzz/targets/mod.rs"]
mod targets;

/// As many as there are: a folder that is not found must not pass.
const INPUTS: usize = 266;

#[test]
fn every_committed_input_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut played = 0;
    for (target, check) in targets::TARGETS {
        let mut files: Vec<_> = fs::read_dir(corpus.join(target))
            .unwrap_or_else(|error| panic!("corpus/{target}: {error}"))
            .map(|entry| entry.expect("entry").path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "no input for {target}");
        for file in files {
            // Shown when the check panics.
            println!("{}", file.display());
            check(&fs::read(&file).expect("input"));
            played += 1;
        }
    }
    assert_eq!(played, INPUTS, "inputs found; correct INPUTS when one is added");
    let folders = fs::read_dir(&corpus).expect("corpus").count();
    assert_eq!(folders, targets::TARGETS.len(), "a corpus for each target and no other");
}
