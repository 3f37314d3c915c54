//! The rings hold: a file of an inner ring names nothing of an outer one, nor what only an outer one may
//! touch. Read from the source, so that a forbidden import fails here and not in review.

use std::{fs, path::Path};

/// Folders and files of the pure ring, without `src/`.
const PURE: &[&str] =
    &["access/", "sip/", "dns/", "route/", "numbers/", "decide/", "compare/", "limits.rs", "config"];
/// Of the deterministic ring.
const DETERMINISTIC: &[&str] = &["engine", "overload/", "counters", "snapshot.rs", "marks.rs", "health.rs"];
/// Of the outside.
const OUTSIDE: &[&str] = &["net/", "control/", "cli/", "main.rs", "lib.rs"];

/// What no inner ring may name: sockets, clocks, threads, files, randomness, logs, and the crates that
/// bring them. Types that are only data (`SocketAddr`, `Duration`, atomics) are free.
const FORBIDDEN: &[&str] = &[
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UnixListener",
    "ToSocketAddrs",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "std::thread",
    "thread::",
    "thread_local",
    "std::process",
    "std::env",
    "env::var",
    "std::fs",
    "fs::",
    "std::io",
    "File::",
    "println!",
    "eprintln!",
    "print!",
    "dbg!",
    "RandomState::new",
    "RandomState::default",
    "hash_map::RandomState",
    "hash::RandomState",
    "rand::",
    "getrandom",
    "thread_rng",
    "tracing",
    "log::",
    "mio",
    "tokio",
    "axum",
    "hickory",
    "arc_swap",
    "notify",
    "prometheus",
    "libc",
    "socket2",
    "clap",
    "unsafe {",
    "unsafe fn",
    "include_bytes!",
    "include_str!",
];

/// What the pure ring may not name besides: memory that is shared or outlives a call.
const FORBIDDEN_IN_PURE: &[&str] = &[
    "Mutex",
    "RwLock",
    "static mut",
    "LazyLock",
    "OnceLock",
    "Atomic",
    "crate::engine",
    "crate::overload",
    "crate::counters",
    "crate::snapshot",
];

const OUTER_RINGS: &[&str] = &["crate::net", "crate::control", "crate::cli"];

#[test]
fn inner_rings_name_nothing_of_the_outside() {
    let mut found = Vec::new();
    let mut counted = [0; 3];
    for (file, text) in sources() {
        let is_of = |ring: &[&str]| ring.iter().any(|start| file.starts_with(start));
        let forbidden: Vec<&str> = match (is_of(PURE), is_of(DETERMINISTIC), is_of(OUTSIDE)) {
            (true, false, false) => {
                counted[0] += 1;
                [FORBIDDEN, FORBIDDEN_IN_PURE, OUTER_RINGS].concat()
            }
            (false, true, false) => {
                counted[1] += 1;
                [FORBIDDEN, OUTER_RINGS].concat()
            }
            (false, false, true) => {
                counted[2] += 1;
                continue;
            }
            _ => panic!("src/{file} belongs to no ring, or to two: say which in tests/layers.rs"),
        };
        for (number, line) in code_of(&text) {
            for word in forbidden.iter().filter(|word| names(line, word)) {
                found.push(format!("src/{file}:{number}: `{word}` in: {}", line.trim()));
            }
        }
    }
    assert!(counted[0] >= 25 && counted[1] >= 3 && counted[2] >= 10, "files seen by ring: {counted:?}");
    assert!(found.is_empty(), "an inner ring reaches out:\n{}", found.join("\n"));
}

#[test]
fn unsafe_stands_in_the_batching_module_only() {
    let has_unsafe = |text: &str| {
        code_of(text).any(|(_, line)| {
            names(line, "unsafe {") || names(line, "unsafe fn") || line.contains("allow(unsafe_code)")
        })
    };
    let found: Vec<String> =
        sources().into_iter().filter(|(_, text)| has_unsafe(text)).map(|(file, _)| file).collect();
    assert_eq!(found, ["net/batch.rs"], "the files with unsafe code");
}

/// The compiler and clippy look; this looks that they do: unsafe code is refused but where a file allows it, and each
/// block of it has its reason (clippy::undocumented_unsafe_blocks).
#[test]
fn unsafe_is_denied_and_undocumented_unsafe_too() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let lints = manifest.split_once("[lints.rust]").expect("lints").1;
    for line in ["unsafe_code = \"deny\"", "undocumented_unsafe_blocks = \"deny\""] {
        assert!(lints.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn the_test_sees_what_it_forbids() {
    assert!(names("use std::time::Instant;", "Instant"));
    assert!(names("let t = Instant::now();", "Instant"));
    assert!(!names("an Instantaneous word", "Instant"));
    assert!(!names("self.memory_fs::x", "fs::"));
    let text = "use std::fs;\n// std::io\n#[cfg(test)]\nmod tests {\n    use std::io;\n}\n";
    let code: Vec<_> = code_of(text).collect();
    assert_eq!(code, [(1, "use std::fs;")]);
}

/// Whether `word` stands in `line` by itself.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back().is_some_and(is_word);
        let after = line[at + word.len()..].chars().next().is_some_and(is_word);
        let open_end = !word.ends_with(|c: char| c.is_ascii_alphanumeric());
        !before && (open_end || !after)
    })
}

/// Lines of code with their numbers: no comments, and nothing from the tests at the end on.
fn code_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Every file below `src`, by its path from there.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                // `tests.rs` is a module of tests, as the end of other files is.
                let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
                files.push((name, fs::read_to_string(&path).expect("source")));
            }
        }
    }
    files
}
