//! Limits of the route files, reached from both sides; and that no limit is without a test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use waypost::{
    limits::{
        ANSWER_BYTES_MIN, ANSWER_BYTES_ROOM, ANSWER_HEADERS_MAX, CARRIERS_PER_TABLE_MAX, ENUM_APEXES_MAX,
        GATEWAYS_MAX, GATEWAYS_PROBED_MAX, GROUP_MEMBERS_MAX, PROBE_INTERVAL_S_MAX, PROBE_TIMEOUT_MS_MAX,
        PROBE_TIMEOUT_MS_MIN, PROBES_IN_A_ROW_MAX, REASON_BYTES_MAX, REGEX_BYTES_MAX, ROUTES_MAX,
        TABLE_AHEAD_FROM_BYTES, TABLE_COLUMNS_MAX, TABLES_AHEAD_MAX, TABLES_MAX, YAML_NODES_MAX,
    },
    route::{
        RouteTable,
        file::{Source, parse},
    },
};

const NO_CALL: &str = "routes: [ { answer: 404 } ]\n";

/// The table of one file whose data files all have these bytes, or all that is wrong, line by line.
fn load(text: &str, data: &dyn Fn() -> Vec<u8>) -> Result<RouteTable, String> {
    let source = Source { path: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let table = parse(&[source]).and_then(|draft| draft.build_from(&|_| Ok(data())));
    table.map(|(table, _)| table).map_err(|errors| {
        errors.iter().map(|it| format!("{}:{}: {}\n", it.file, it.line, it.message)).collect()
    })
}

fn table(text: &str) -> RouteTable {
    load(text, &|| b"1\n".to_vec()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The only error.
fn error(text: &str) -> String {
    let errors = load(text, &|| b"1\n".to_vec()).expect_err("one too many");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors.trim_end().to_owned()
}

fn joined(count: usize, between: &str, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(between)
}

fn gateways(count: usize) -> String {
    format!("gateways:\n{}", joined(count, "", |index| format!("  g{index}: sip:a.example.net\n")))
}

#[test]
fn gateways_in_all() {
    let text = |count| format!("{}{NO_CALL}", gateways(count));
    assert_eq!(table(&text(GATEWAYS_MAX)).gateways.len(), GATEWAYS_MAX);
    assert_eq!(error(&text(GATEWAYS_MAX + 1)), "a.yaml:20002: 20001 gateways in all; expected at most 20000");
}

#[test]
fn gateways_that_are_probed() {
    let text = |count| format!("defaults: {{ health: true }}\n{}{NO_CALL}", gateways(count));
    let is_probed =
        |table: RouteTable| table.gateways.iter().filter(|gateway| gateway.health.is_some()).count();
    assert_eq!(is_probed(table(&text(GATEWAYS_PROBED_MAX))), GATEWAYS_PROBED_MAX);
    let message = error(&text(GATEWAYS_PROBED_MAX + 1));
    assert!(
        message.ends_with("more than 2000 gateways are probed; give the others `health: false`"),
        "{message}"
    );
}

#[test]
fn times_of_probes() {
    let probed = |key: &str, value: u32| {
        let health = format!("{{ probe: true, interval_s: 60, {key}: {value} }}")
            .replace("interval_s: 60, interval_s", "interval_s");
        let text = format!("gateways: {{ a: {{ uri: 'sip:a.example', health: {health} }} }}\n{NO_CALL}");
        load(&text, &Vec::new).map(|table| table.gateways[0].health.clone().expect("it is probed"))
    };
    for (key, least, most) in [
        ("interval_s", 1, PROBE_INTERVAL_S_MAX),
        ("timeout_ms", PROBE_TIMEOUT_MS_MIN, PROBE_TIMEOUT_MS_MAX),
        ("failures", 1, PROBES_IN_A_ROW_MAX),
        ("successes", 1, PROBES_IN_A_ROW_MAX),
    ] {
        assert!(probed(key, least).is_ok() && probed(key, most).is_ok(), "{key}");
        for beyond in [least - 1, most + 1] {
            let message = probed(key, beyond).expect_err("beyond the limit");
            assert!(message.contains(&format!("{beyond}; expected {least} to {most}")), "{message}");
        }
    }
    assert_eq!(probed("interval_s", PROBE_INTERVAL_S_MAX).unwrap().interval_ms, 3_600_000);
}

#[test]
fn members_of_a_group_and_targets_of_an_answer() {
    let members = |count| joined(count, ", ", |index| format!("g{index}"));
    let text = |count, more: &str| {
        let (gateways, members) = (gateways(GROUP_MEMBERS_MAX + 1), members(count));
        format!(
            "{gateways}groups: {{ all: [ {members} ] }}\nroutes: [ {{ answer: {{ contacts: [ all{more} ] }} }} ]\n"
        )
    };
    assert_eq!(table(&text(GROUP_MEMBERS_MAX, "")).groups[0].members.len(), GROUP_MEMBERS_MAX);
    assert!(error(&text(GROUP_MEMBERS_MAX + 1, "")).ends_with("257 members; expected at most 256"));
    table(&text(GROUP_MEMBERS_MAX - 1, ", g256"));
    assert!(
        error(&text(GROUP_MEMBERS_MAX, ", g256"))
            .ends_with("257 targets, groups counted by member; expected at most 256")
    );
}

#[test]
fn tables_in_all() {
    let text = |count| {
        let table = |index| format!("  t{index}: {{ file: t.csv, match: exact, columns: [number] }}\n");
        format!("tables:\n{}{NO_CALL}", joined(count, "", table))
    };
    assert_eq!(table(&text(TABLES_MAX)).tables.len(), TABLES_MAX);
    assert!(error(&text(TABLES_MAX + 1)).ends_with("65 tables in all; expected at most 64"));
}

#[test]
fn tables_that_are_looked_ahead_in() {
    let columns = "match: prefix, columns: [prefix, word]";
    let text = |count| {
        let table = |index| format!("  t{index}: {{ file: t.csv, {columns} }}\n");
        let route = |index| format!("  - {{ when: {{ not: {{ in: [t{index}] }} }}, answer: 404 }}\n");
        format!("tables:\n{}routes:\n{}", joined(count, "", table), joined(count, "", route))
    };
    let of_rows = |count, rows: usize| {
        let word = "x".repeat(200);
        let data = joined(rows, "", |row| format!("{row}9,{row}{word}\n"));
        load(&text(count), &|| data.clone().into_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let mut seen = BTreeSet::new();
    for rows in [100, 4000, 5000, 6000] {
        let table = of_rows(1, rows);
        let is_large = table.tables[0].table().resident_bytes() >= TABLE_AHEAD_FROM_BYTES;
        assert_eq!(table.ahead, if is_large { vec![0] } else { vec![] }, "{rows}");
        seen.insert(is_large);
    }
    assert_eq!(seen.len(), 2);
    assert_eq!(of_rows(TABLES_AHEAD_MAX, 6000).ahead.len(), TABLES_AHEAD_MAX);
    assert_eq!(of_rows(TABLES_AHEAD_MAX + 1, 6000).ahead, (0..TABLES_AHEAD_MAX).collect::<Vec<_>>());
}

#[test]
fn columns_of_a_table() {
    let columns =
        |count| joined(count, ",", |index| if index == 0 { "number".into() } else { format!("c{index}") });
    let row = |count| joined(count, ",", |index| format!("{index}1"));
    let named = |count: usize| {
        let text = format!(
            "tables: {{ t: {{ file: t.csv, match: exact, columns: [{}] }} }}\n{NO_CALL}",
            columns(count)
        );
        load(&text, &|| row(count).into_bytes())
    };
    let headed = |count: usize| {
        let text = format!("tables: {{ t: {{ file: t.csv, match: exact, header: true }} }}\n{NO_CALL}");
        load(&text, &|| format!("{}\n{}\n", columns(count), row(count)).into_bytes())
    };
    for (load, file) in [(&named as &dyn Fn(usize) -> _, "a.yaml"), (&headed, "t.csv")] {
        let table = &load(TABLE_COLUMNS_MAX).expect("as many as allowed").tables[0];
        assert_eq!((table.columns().len(), table.len()), (TABLE_COLUMNS_MAX, 1));
        assert_eq!(
            load(TABLE_COLUMNS_MAX + 1).unwrap_err(),
            format!("{file}:1: 33 columns; expected at most 32\n")
        );
    }
}

#[test]
fn carriers_of_a_table() {
    let text = format!(
        "{}tables: {{ rates: {{ file: t.csv, match: prefix, columns: [prefix, to, cost] }} }}\n\
         routes: [ {{ answer: {{ lcr: rates }} }} ]\n",
        gateways(CARRIERS_PER_TABLE_MAX + 1)
    );
    let rows = |carriers: usize| {
        // Each twice: it is names that count, not rows.
        let row = |index| format!("{},g{},1\n", index, index / 2);
        load(&text, &|| joined(carriers * 2, "", row).into_bytes())
    };
    let table = rows(CARRIERS_PER_TABLE_MAX).expect("as many as allowed");
    assert_eq!(table.tables[0].len(), 2 * CARRIERS_PER_TABLE_MAX);
    let errors = rows(CARRIERS_PER_TABLE_MAX + 1).unwrap_err();
    assert!(
        errors.starts_with("t.csv:1: 257 different names in the column `to`; expected at most 256\n"),
        "{errors}"
    );
}

#[test]
fn reasons() {
    for answer in ["code: 404, reason: ", "code: 380, service: emergency, reason_text: "] {
        let text = |bytes| format!("routes: [ {{ answer: {{ {answer}{} }} }} ]\n", "x".repeat(bytes));
        table(&text(REASON_BYTES_MAX));
        assert_eq!(error(&text(REASON_BYTES_MAX + 1)), "a.yaml:1: a text of 257 bytes; expected 1 to 256");
    }
}

#[test]
fn headers_of_an_answer() {
    let text = |count| {
        let headers = joined(count, ", ", |index| format!("X-{index}: a"));
        format!("routes: [ {{ answer: {{ code: 404, headers: {{ {headers} }} }} }} ]\n")
    };
    table(&text(ANSWER_HEADERS_MAX));
    assert!(error(&text(ANSWER_HEADERS_MAX + 1)).ends_with("17 headers; expected at most 16"));
}

#[test]
fn apexes_of_a_lookup() {
    let text = |count| {
        let apexes = joined(count, ", ", |apex| format!("a{apex}.example"));
        format!("routes: [ {{ enum: {{ apexes: [ {apexes} ] }} }} ]\n")
    };
    table(&text(ENUM_APEXES_MAX));
    assert!(error(&text(ENUM_APEXES_MAX + 1)).contains("9 apexes; expected at most 8"));
}

#[test]
fn budgets_of_an_answer() {
    let by_default = |bytes| format!("defaults: {{ answer_bytes_max: {bytes} }}\n{NO_CALL}");
    let by_route = |bytes| {
        format!("routes: [ {{ answer: {{ contact: 'sip:a.example.net', answer_bytes_max: {bytes} }} }} ]\n")
    };
    for text in [&by_default as &dyn Fn(usize) -> String, &by_route] {
        table(&text(ANSWER_BYTES_MIN));
        table(&text(ANSWER_BYTES_ROOM));
        for bytes in [ANSWER_BYTES_MIN - 1, ANSWER_BYTES_ROOM + 1] {
            assert!(error(&text(bytes)).contains(&format!("{bytes}; expected 300 to {ANSWER_BYTES_ROOM}")));
        }
    }
}

#[test]
fn routes_of_all_files() {
    let sources = |counts: [usize; 2]| {
        let list = |count| {
            format!(
                "lists: {{ l{count}: [ &x {{ when: {{ user: a }}, answer: 404 }}{} ] }}\n",
                ", *x".repeat(count - 1)
            )
        };
        let source = |count| Source { path: format!("{count}.yaml"), bytes: list(count).into_bytes() };
        parse(&counts.map(source)).and_then(|draft| draft.build_from(&|_| Ok(Vec::new())))
    };
    let (table, _) = sources([ROUTES_MAX - 7, 7]).expect("as many as allowed");
    assert_eq!(table.routes.len(), ROUTES_MAX);
    let errors = sources([ROUTES_MAX - 7, 8]).expect_err("one too many");
    assert!(errors[0].message.starts_with("more than 100000 routes in all"), "{errors:?}");
}

#[test]
fn values_of_a_file() {
    // The file, the key, the list: three. An inner list of 999 counts as 1000 each time.
    let text = |count: usize| {
        let (lists, rest) = ((count - 3) / 1000, (count - 3) % 1000);
        let inner = format!("&a [{}]", joined(999, ",", |_| "1".into()));
        format!("routes: [{inner}{}{}]\n", ",*a".repeat(lists - 1), ",1".repeat(rest))
    };
    let found = |count| load(&text(count), &Vec::new).unwrap_err();
    // Lists are no routes; that is what is wrong then.
    assert!(!found(YAML_NODES_MAX).contains("more than"));
    assert!(found(YAML_NODES_MAX + 1).contains("more than 1000000 values, aliases expanded"));
}

#[test]
fn expressions() {
    let small = "([0-9]{20}){20}";
    let large = "(([0-9]{100}){100}){10}";
    let number = |regex: &str| format!("numbers: {{ n: [ {{ regex: '{regex}', to: x }} ] }}\n{NO_CALL}");
    let user = |regex: &str| format!("routes: [ {{ when: {{ user: '/{regex}/' }}, answer: 404 }} ]\n");
    for text in [&number as &dyn Fn(&str) -> String, &user] {
        table(&text(small));
        let message = error(&text(large));
        let most = format!("needs more than {} kB when compiled", REGEX_BYTES_MAX / 1024);
        assert!(message.contains(&most), "{message}");
    }
}

/// Every limit is named by a test, or by one of the lists below.
#[test]
fn no_limit_is_without_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let limits = fs::read_to_string(root.join("src/limits.rs")).expect("the limits");
    let names: Vec<&str> = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() > 80, "only {} limits were found", names.len());

    let tests = tests_of(root);
    let words = words_of(&tests);
    let mut excused = BTreeSet::new();
    let named = |list: &'static [(&str, &str)]| list.iter().map(|(name, _)| *name);
    let lists = named(TUNING).chain(named(REACHED_UNNAMED));
    for name in lists {
        assert!(names.contains(&name), "{name} is no limit any more: take it out of its list");
        assert!(!words.contains(name), "{name} is named by a test now: take it out of its list");
        assert!(excused.insert(name), "{name} is in two lists");
    }
    for (name, test) in REACHED_UNNAMED {
        assert!(tests.contains(&format!("fn {test}(")), "the test {test} of {name} is gone");
    }
    let bare: Vec<_> =
        names.into_iter().filter(|name| !words.contains(name) && !excused.contains(name)).collect();
    assert!(bare.is_empty(), "limits that no test names: {bare:?}");
}

#[test]
fn tests_are_told_from_code() {
    let root = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("src/lib.rs", "use ONE_MAX;\n#[cfg(test)]\nmod cases;\nmod code;\nuse TWO_MAX;\n"),
        ("src/cases.rs", "use THREE_MAX;"),
        ("src/code.rs", "use FOUR_MAX;\n#[cfg(test)]\nmod tests {\n use FIVE_MAX;\n}\n"),
        ("src/code/mod.rs", "#[cfg(test)]\nmod inner;\n"),
        ("src/code/inner.rs", "use SIX_MAX;"),
        ("tests/a.rs", "use SEVEN_MAX;"),
        ("tests/limits.rs", &format!("use EIGHT_MAX;{MARK}NINE_MAX")),
    ] {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let tests = tests_of(root.path());
    let found: Vec<_> = words_of(&tests).into_iter().filter(|word| word.ends_with("_MAX")).collect();
    assert_eq!(found, ["EIGHT_MAX", "FIVE_MAX", "SEVEN_MAX", "SIX_MAX", "THREE_MAX"]);
}

/// The text of all tests: below `tests`, and the `#[cfg(test)]` modules below `src`.
fn tests_of(root: &Path) -> String {
    let mut tests = String::new();
    for path in sources(&root.join("tests")) {
        let text = fs::read_to_string(&path).expect("a test");
        // The lists of this file name what has no test.
        let end = if path.ends_with("limits.rs") { text.find(MARK) } else { None };
        tests.push_str(&text[..end.unwrap_or(text.len())]);
    }
    for path in sources(&root.join("src")) {
        let text = fs::read_to_string(&path).expect("a source");
        let modules = text.split("#[cfg(test)]\nmod ").skip(1);
        for module in modules {
            match module.split_once([';', ' ']) {
                Some((_, rest)) if rest.starts_with('{') => tests.push_str(rest),
                Some((name, _)) => {
                    let is_root = ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| path.ends_with(name));
                    let folder = if is_root {
                        path.parent().expect("src").to_owned()
                    } else {
                        path.with_extension("")
                    };
                    tests.push_str(
                        &fs::read_to_string(folder.join(format!("{name}.rs"))).expect("a module of tests"),
                    );
                }
                None => {}
            }
        }
    }
    tests
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn words_of(text: &str) -> BTreeSet<&str> {
    text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_').collect()
}

/// From here on, a name in this file is not that of a tested limit.
const MARK: &str = "\nconst TUNING";

/// Values that are chosen and not run into, and why no test reaches them.
const TUNING: &[(&str, &str)] = &[
    (
        "ANSWER_BYTES_DEFAULT",
        "what holds where a route file says nothing; budgets are tested by what it says",
    ),
    ("LOOKUP_MS_DEFAULT", "what holds where a route says nothing; `within` is tested by what it says"),
    ("RETRY_AFTER_S_DEFAULT", "what holds where the configuration says nothing; tests say their own"),
    ("RECEIVE_BUFFER_BYTES", "a wish to the kernel, which grants less without a word"),
    ("SEND_WAIT_MS_MAX", "a time: the answers that it did not help are counted, and that is tested"),
    ("ADMIN_REQUEST_MS_MAX", "a time of two minutes"),
    ("CTL_MS_MAX", "likewise"),
    ("CTL_CONNECT_MS_MAX", "a time that no connection on this machine takes"),
    ("LIVE_MS_MAX", "a time of ten seconds; that a look ends with its time is tested"),
    ("PROGRESS_MS", "a pause of seconds; the pace that is told after it is tested"),
    ("CONNECTIONS_BACKLOG", "a wish to the kernel, which grants less without a word"),
    (
        "CONNECTIONS_DEFAULT",
        "what holds where the configuration says nothing; `max` is tested by what it says",
    ),
    ("CONNECTIONS_PER_SOURCE_DEFAULT", "likewise, `per_source`"),
    ("CONNECTION_IDLE_S_DEFAULT", "likewise, `idle_s`"),
    ("MESSAGE_MS_MAX", "a time of ten seconds; tests/streams.rs has its own"),
    ("UNSENT_MS_MAX", "likewise"),
    (
        "ACCEPTS_PER_TURN_MAX",
        "a share of a turn: what is left has the next one, and ten thousand connections are taken",
    ),
    ("VISITS_PER_TURN_MAX", "a share of a turn, likewise"),
    ("READS_PER_VISIT_MAX", "a share of a visit: a body that takes more reads is taken, and that is tested"),
    ("STREAM_READ_BYTES", "a share of a visit, likewise"),
    ("EVENTS_PER_TURN_MAX", "a share of a turn: what is left comes with the next"),
    ("FILES_BESIDES_CONNECTIONS", "a wish to the kernel; what it does not grant is told in the log"),
    ("WATCH_POLL_MS", "a time; tests of the watcher have their own"),
    ("WATCH_QUIET_MS", "a time; that a burst is one reload cannot be told without a clock"),
    ("WATCH_DELAY_MS_MAX", "a time; that a writer without a pause is read is tested"),
    (
        "TAP_PAUSE_MS",
        "a pause; that records wait no longer than their number lasts is tested by what is dropped",
    ),
    ("CACHE_LOOK_MS_MAX", "a time that the loop does not take"),
    ("CACHE_LOOKS_PER_TURN_MAX", "a share of a turn: what is left has the next one"),
    ("SOURCE_CONNECT_MS_MAX", "a time; that a server that says nothing is given up is tested"),
    ("SOURCE_PING_MS", "a pause; tests/fleet cuts a node off that nothing but a ping tells of it"),
    ("DNS_QUESTION_MS_MAX", "a time; that a silent server is a timeout is tested"),
    (
        "DNS_SERVERS_AT_ONCE",
        "a share of sockets: a question without room for one more server goes on with those it has",
    ),
];

/// Limits that a test runs into without naming them, and which.
const REACHED_UNNAMED: &[(&str, &str)] = &[
    ("ADMIN_HEAD_MS_MAX", "connections_that_say_nothing_do_not_shut_the_others_out"),
    ("ASK_TIMEOUT_MS_MAX", "timeouts_have_a_unit_and_an_end"),
    ("DNS_LOOKUPS_MAX", "behind_a_dead_server_every_question_is_answered_and_not_all_are_asked"),
    ("NAPTR_REPEAT_MAX", "intervals"),
    ("RETIRED_GRACE_MS", "no_table_is_loaded_while_too_many_old_ones_are_held"),
    ("RETIRED_WAIT_MS_MAX", "no_table_is_loaded_while_too_many_old_ones_are_held"),
];
