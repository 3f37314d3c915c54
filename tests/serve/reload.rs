//! Routes that change while the server answers: however they change, and whoever says so.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::{
    caller::Caller,
    harness::{KEY, Routes, Server, eventually, refuse_with},
};

#[test]
fn sighup_brings_the_next_answer_from_the_new_routes() {
    let routes = Routes::of(&refuse_with(480));
    let (mut server, caller) = (Server::start(routes.path(), KEY), Caller::here());
    assert_eq!(caller.status(&server, "before"), 480);
    // The watcher sees a change as well; that a signal is heard shows where nothing has changed.
    server.signal("HUP");
    server.line_with("routes unchanged, asked by SIGHUP");
    routes.write(&refuse_with(403));
    server.signal("HUP");
    caller.until(&server, 480, 403);
    assert_eq!(server.sample("waypost_table_generation"), 2.0);
}

#[test]
fn a_reload_by_http_has_happened_when_it_is_answered() {
    let routes = Routes::of(&refuse_with(480));
    let (server, caller) = (Server::start(routes.path(), KEY), Caller::here());
    for (generation, code) in (2..20).zip([403, 480].into_iter().cycle()) {
        routes.write(&refuse_with(code));
        let said = server.reload();
        assert_eq!((said.status, &said.json()["generation"]), (200, &generation.into()), "{}", said.body);
        assert_eq!(caller.status(&server, &format!("call-{generation}")), code);
    }
}

#[test]
fn a_reload_without_change_keeps_the_generation() {
    let routes = Routes::of(&refuse_with(480));
    let server = Server::start(routes.path(), KEY);
    let before = server.samples();
    // The same bytes in another file are no change.
    routes.write(&refuse_with(480));
    let said = server.reload();
    assert_eq!(said.status, 200, "{}", said.body);
    assert_eq!((&said.json()["result"], &said.json()["generation"]), (&"unchanged".into(), &1.into()));
    let after = server.samples();
    assert_eq!(after["waypost_table_generation"], 1.0);
    assert_eq!(after[r#"waypost_reloads_total{result="loaded"}"#], 0.0);
    assert!(after[r#"waypost_reloads_total{result="unchanged"}"#] >= 1.0);
    let hash = before.keys().find(|name| name.starts_with("waypost_table_info")).unwrap();
    assert_eq!(after.get(hash), Some(&1.0));
}

#[test]
fn a_file_that_is_renamed_into_the_directory_is_seen() {
    let routes = Routes::of(&refuse_with(480));
    let (mut server, caller) = (Server::start(routes.path(), KEY), Caller::here());
    for (old, new) in [(480, 403), (403, 410), (410, 480)] {
        routes.write(&refuse_with(new));
        caller.until(&server, old, new);
    }
    server.line_with("routes reloaded for a change of the files");
    assert_eq!(server.sample("waypost_table_generation"), 4.0);
}

#[test]
fn a_config_map_of_kubernetes_is_seen_when_its_link_is_swapped() {
    // What kubelet does: files are links through `..data`, which is a link that it renames over.
    let routes = Routes::empty();
    let dir = routes.path();
    let publish = |version: &str, code: u16| {
        let data = dir.join(format!("..{version}"));
        fs::create_dir(&data).unwrap();
        fs::write(data.join("routes.yaml"), refuse_with(code)).unwrap();
        symlink(format!("..{version}"), dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    };
    publish("2026_01", 480);
    symlink("..data/routes.yaml", dir.join("routes.yaml")).unwrap();
    let (server, caller) = (Server::start(dir, KEY), Caller::here());
    assert_eq!(caller.status(&server, "before"), 480);
    for (version, old, new) in [("2026_02", 480, 403), ("2026_03", 403, 410)] {
        let outdated = fs::canonicalize(dir.join("..data")).unwrap();
        publish(version, new);
        fs::remove_dir_all(outdated).unwrap();
        caller.until(&server, old, new);
    }
    assert_eq!(server.sample(r#"waypost_reloads_total{result="failed"}"#), 0.0);
}

#[test]
fn a_bad_file_is_told_everywhere_while_the_old_routes_answer() {
    let routes = Routes::of(&refuse_with(480));
    let (mut server, caller) = (Server::start(routes.path(), KEY), Caller::here());
    routes.write("routes:\n- name: all\n  answer: {code: 299}\n");

    let said = server.reload();
    assert_eq!(said.status, 422, "{}", said.body);
    let json = said.json();
    assert_eq!((&json["result"], &json["generation"]), (&"failed".into(), &1.into()));
    let [fault] = &json["diagnostics"].as_array().unwrap()[..] else { panic!("{json}") };
    assert_eq!(
        (&fault["file"], &fault["line"], &fault["column"], &fault["severity"]),
        (&"routes.yaml".into(), &3.into(), &18.into(), &"error".into())
    );
    let message = fault["message"].as_str().unwrap();
    assert_eq!(message, "`code` is 299; expected 300 to 699");

    let place = routes.path().join("routes.yaml");
    let line = format!("{}:3:18: error: {message}", place.display());
    assert_eq!(json["error"], *line);
    server.line_with("failed, generation 1 serves on:");
    assert_eq!(server.line_with(&line), line);

    let samples = server.samples();
    assert_eq!((samples["waypost_reload_successful"], samples["waypost_table_generation"]), (0.0, 1.0));
    assert!(samples[r#"waypost_reloads_total{result="failed"}"#] >= 1.0);
    assert_eq!(samples[r#"waypost_reloads_total{result="loaded"}"#], 0.0);
    assert_eq!(caller.status(&server, "meanwhile"), 480);
    assert_eq!(server.get("/readyz").status, 200);

    routes.write(&refuse_with(403));
    caller.until(&server, 480, 403);
    let samples = server.samples();
    assert_eq!((samples["waypost_reload_successful"], samples["waypost_table_generation"]), (1.0, 2.0));
    assert_eq!(samples[r#"waypost_reloads_total{result="loaded"}"#], 1.0);
}

#[test]
fn a_thousand_reloads_leave_no_descriptor_and_no_thread_behind() {
    let routes = Routes::of(&refuse_with(480));
    let server = Server::start(routes.path(), KEY);
    let reload = |code| {
        routes.write(&refuse_with(code));
        let said = server.reload();
        assert_eq!(said.status, 200, "{}", said.body);
    };
    reload(403);
    let before = ["fd", "task"].map(|what| settled(&server, what));
    for number in 0..1000 {
        reload(if number % 2 == 0 { 480 } else { 403 });
    }
    assert_eq!(server.sample("waypost_table_generation"), 1002.0);
    for (what, before) in ["fd", "task"].into_iter().zip(before) {
        eventually(&format!("{before} in {what}"), || server.proc_count(what) == before);
    }
}

/// A count of /proc/PID that two looks agree on: the last admin connection may be closing.
fn settled(server: &Server, what: &str) -> usize {
    let mut last = 0;
    eventually("a count that stays", || {
        let before = std::mem::replace(&mut last, server.proc_count(what));
        before == last
    });
    last
}

#[test]
fn a_directory_that_comes_and_goes_does_not_end_the_server() {
    let parent = Routes::empty();
    let dir = parent.path().join("routes");
    let make = |code: u16| {
        let new = parent.path().join("new");
        fs::create_dir(&new).unwrap();
        fs::write(new.join("routes.yaml"), refuse_with(code)).unwrap();
        fs::rename(new, &dir).unwrap();
    };
    make(480);
    let (server, caller) = (Server::start(&dir, KEY), Caller::here());
    remove(&dir);
    let said = server.reload();
    assert_eq!(said.status, 422, "{}", said.body);
    assert!(said.json()["error"].as_str().unwrap().contains("mkdir -p"), "{}", said.body);
    assert_eq!(caller.status(&server, "without"), 480);
    make(403);
    caller.until(&server, 480, 403);
}

fn remove(dir: &Path) {
    fs::remove_dir_all(dir).unwrap();
}
