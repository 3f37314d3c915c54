//! The README says what is so: its tables are those of the code, its examples load, its call is answered
//! as it shows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Parser as _;
use waypost::{
    cli::Cli,
    config,
    control::{
        loader::{Load, Loader},
        metrics,
    },
    decide::Settings,
    engine::{Engine, Now, Outcome, Path as PacketPath},
    limits::ANSWER_BYTES_ROOM,
    route::{Transport, file},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// The blocks fenced as `language`, without their fences.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| format!("{block}\n")))
        .collect()
}

#[test]
fn the_metrics_are_those_of_the_catalogue() {
    const BEGIN: &str = "<!-- metrics -->\n";
    const END: &str = "<!-- end of metrics -->";
    let mut table = String::from("| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n");
    for entry in metrics::catalogue() {
        let labels: Vec<String> = entry.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = entry.kind.label();
        table.push_str(&format!("| `{}` | {kind} | {} | {} |\n", entry.name, labels.join(", "), entry.help));
    }
    assert!(table.lines().count() > 20, "the catalogue has metrics");
    let text = readme();
    let (before, rest) = text.split_once(BEGIN).expect("the mark of the metrics");
    let (shown, after) = rest.split_once(END).expect("the end mark of the metrics");
    if shown != table && std::env::var_os("UPDATE").is_some() {
        fs::write(root().join("README.md"), format!("{before}{BEGIN}{table}{END}{after}")).expect("update");
        return;
    }
    assert_eq!(shown, table, "UPDATE=1 cargo test --test readme writes the table");
}

#[test]
fn the_configuration_keys_are_those_of_the_parser() {
    let text = readme();
    let table = text.split_once("| Key | Flag | Default | Meaning |").expect("the table of keys").1;
    let table = table.split_once("\n\n").expect("its end").0;
    let shown: Vec<&str> = table
        .lines()
        .skip(2)
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split(','))
        .map(|key| key.trim().trim_matches('`'))
        .collect();
    // The parser names every key it knows when it meets one that it does not.
    let message = config::parse("w.yaml", "no such key: 1\n").expect_err("unknown key")[0].message.clone();
    let known = message.split_once("expected one of ").expect("the keys").1;
    let known: Vec<&str> = known.split(", ").map(|key| key.trim_matches('`')).collect();
    assert_eq!(shown, known);
    assert!(known.len() >= 10);
}

#[test]
fn the_shipped_configuration_is_the_default_but_for_its_paths() {
    let text = fs::read_to_string(root().join("deploy/waypost.yaml")).expect("deploy/waypost.yaml");
    let shipped = config::parse("waypost.yaml", &text).expect("a configuration");
    let default = config::Config::default();
    assert_eq!((shipped.listen, shipped.admin), (default.listen, default.admin));
    assert_eq!(shipped.routes, Path::new("/etc/waypost/routes"));
    assert_eq!(shipped.settings.key, default.settings.key);
}

#[test]
fn every_example_of_the_route_language_loads() {
    let examples = blocks(&readme(), "yaml");
    assert_eq!(examples.len(), 6, "examples found");
    for example in examples {
        let source = file::Source { path: "README.md".to_owned(), bytes: example.clone().into_bytes() };
        let draft = file::parse(&[source]).unwrap_or_else(|errors| panic!("{errors:#?}\n{example}"));
        let data = |path: &str| fs::read(root().join("routes").join(path)).map_err(|error| error.to_string());
        let (table, warnings) =
            draft.build_from(&data).unwrap_or_else(|errors| panic!("{errors:#?}\n{example}"));
        assert!(!table.routes.is_empty(), "{example}");
        assert_eq!(warnings, [], "{example}");
    }
}

#[test]
fn the_call_is_answered_as_shown() {
    let shown = blocks(&readme(), "sip");
    let [invite, answer] = shown.as_slice() else { panic!("an INVITE and its answer, not {}", shown.len()) };
    let Load::New(loaded) = Loader::new(root().join("routes")).load(None).expect("the example routes") else {
        panic!("nothing was loaded before");
    };
    let settings = Settings { key: config::Config::default().settings.key, ..Settings::default() };
    let mut engine = Engine::new(settings, vec!["default".into()]);
    let path = PacketPath {
        source: "198.51.100.7:5060".parse().expect("address"),
        local: "192.0.2.1:5060".parse().expect("address"),
        listener: 0,
        transport: Transport::Udp,
    };
    let mut out = vec![0; ANSWER_BYTES_ROOM];
    let now = Now { ms: 0, unix_s: 1_767_614_400 };
    let invite = invite.replace('\n', "\r\n");
    let (_, outcome) = engine.datagram(invite.as_bytes(), path, &loaded.table, now, &mut out);
    let Outcome::Send { reply, .. } = outcome else { panic!("{outcome:?}") };
    let sent = String::from_utf8(out[..reply.len].to_vec()).expect("text");
    assert_eq!(sent.replace("\r\n", "\n"), *answer);
}

#[test]
fn every_command_shown_is_one() {
    let text = readme();
    let mut found = 0;
    for block in blocks(&text, "console") {
        for command in block.lines().filter_map(|line| line.strip_prefix("$ target/release/")) {
            found += 1;
            if let Err(error) = Cli::try_parse_from(command.split_whitespace()) {
                panic!("{command}: {error}");
            }
        }
    }
    assert_eq!(found, 5, "commands found");
    for command in ["waypost check", "waypost schema", "waypost explain +44", "waypost --config w.yaml"] {
        assert!(Cli::try_parse_from(command.split_whitespace()).is_ok(), "{command}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let text = readme();
    let links: Vec<&str> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(link, _)| link))
        .filter(|link| !link.starts_with("http"))
        .collect();
    assert!(links.len() >= 15, "links found: {}", links.len());
    for link in links {
        assert!(root().join(link).exists(), "{link} leads nowhere");
    }
}

/// Each file in the tables of SECURITY.md is there, and has the tests that are named after it.
#[test]
fn the_tests_that_security_md_names_are_there() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let table = text.split_once("## What is protected, and by which test").expect("the section").1;
    let mut named = (0, 0);
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Claim")) {
        let tests = row.trim_end_matches(" |").rsplit_once(" | ").expect("two columns").1;
        let mut file = String::new();
        for word in tests.split('`').filter(|word| !word.trim_matches([' ', ',']).is_empty()) {
            if word.contains('/') {
                file =
                    fs::read_to_string(root().join(word)).unwrap_or_else(|error| panic!("{word}: {error}"));
                named.0 += 1;
            } else {
                let is_there = ["fn ", "def "].iter().any(|begin| file.contains(&format!("{begin}{word}(")));
                assert!(is_there, "no test {word}: {row}");
                named.1 += 1;
            }
        }
    }
    assert!(named.0 >= 18 && named.1 >= 14, "files and tests that are named: {named:?}");
}
