//! What `deploy/` has is known: each file is told in deploy/README.md, each configuration is one that Waypost reads,
//! and none goes missing. What it does when it is run is tests/deploy/run.sh's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use waypost::{
    config,
    control::loader::{Load, Loader},
};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn text(name: &str) -> String {
    let path = deploy().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files under a directory of `deploy`, as the README writes them.
fn files(directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![deploy().join(directory)];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(deploy()).expect("inside");
                found.push(name.to_str().expect("text").to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_file_is_told_in_the_readme() {
    let readme = text("README.md");
    let found = files("");
    assert!(found.len() >= 43, "files found: {}", found.len());
    let untold: Vec<&String> = found
        .iter()
        .filter(|name| *name != "README.md" && !readme.contains(&format!("| `{name}` |")))
        .collect();
    assert_eq!(untold, Vec::<&String>::new(), "each has a row in deploy/README.md");
}

#[test]
fn there_are_as_many_as_there_should_be() {
    let counts = [
        ("debian", 6),
        ("container", 4),
        ("compose", 3),
        ("kubernetes", 17),
        ("kamailio", 3),
        ("opensips", 1),
        ("asterisk", 2),
        ("freeswitch", 2),
        ("baresip", 2),
    ];
    for (directory, count) in counts {
        assert_eq!(files(directory).len(), count, "{directory}: {:?}", files(directory));
    }
}

#[test]
fn every_key_of_the_parser_is_in_the_shipped_configuration() {
    let shipped = text("waypost.yaml");
    let message = config::parse("w.yaml", "no such key: 1\n").expect_err("unknown key")[0].message.clone();
    let known = message.split_once("expected one of ").expect("the keys").1;
    let keys: Vec<&str> = known.split(", ").map(|key| key.trim_matches('`')).collect();
    assert!(keys.len() >= 10, "{keys:?}");
    for key in keys {
        let stands = |line: &str| line.trim_start_matches('#').starts_with(&format!("{key}:"));
        assert!(shipped.lines().any(stands), "waypost.yaml, and so waypost.yaml(5), has no `{key}`");
    }
}

#[test]
fn every_configuration_is_one() {
    let configurations: Vec<String> =
        files("").into_iter().filter(|name| name.ends_with("waypost.yaml")).collect();
    let expected = [
        "compose/grafana/dashboards/waypost.yaml",
        "container/waypost.yaml",
        "kubernetes/base/waypost.yaml",
        "kubernetes/daemonset/waypost.yaml",
        "waypost.yaml",
    ];
    assert_eq!(configurations, expected);
    for name in configurations.iter().filter(|name| !name.starts_with("compose/")) {
        let read = config::parse(name, &text(name)).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
        assert_eq!(read.routes, Path::new("/etc/waypost/routes"), "{name}");
    }
}

#[test]
fn the_routes_of_a_fresh_installation_refuse_every_call_without_a_warning() {
    let directory = tempfile::tempdir().expect("directory");
    fs::copy(deploy().join("routes.yaml"), directory.path().join("10-routes.yaml")).expect("copied");
    let loader = Loader::new(directory.path().to_owned());
    let Load::New(loaded) = loader.load(None).expect("routes") else { panic!("nothing was loaded before") };
    assert_eq!((loaded.table.routes.len(), loaded.warnings.len()), (1, 0));
}
