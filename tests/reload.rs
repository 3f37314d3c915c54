//! Reloads: one at a time, for whoever asks, and never worse than before.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use waypost::{
    control::{
        loader::{Load, LoadError, Loaded, Loader},
        reload::{Cause, LoadFn, Outcome, Refused, Reloader, Report},
        watch::{Timing, Watcher},
    },
    limits::{RELOADS_WAITING_MAX, RETIRED_TABLES_MAX},
    route::{
        Place, Route, RouteTable, Then,
        file::{Diagnostic, Severity},
    },
    snapshot::Snapshot,
};

/// Longer than any machine needs; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn table(routes: usize) -> RouteTable {
    let route = |index| Route {
        name: format!("route {index}").into(),
        place: Place::default(),
        when: Vec::new(),
        set: Vec::new(),
        then: Then::Next,
    };
    RouteTable { routes: (0..routes).map(route).collect(), ..RouteTable::default() }
}

fn loaded(routes: usize, hash: &str) -> Result<Load, LoadError> {
    Ok(Load::New(Box::new(Loaded { table: table(routes), warnings: Vec::new(), hash: hash.to_owned() })))
}

fn rejected() -> LoadError {
    let diagnostic = Diagnostic {
        file: "10.yaml".into(),
        line: 3,
        column: 5,
        severity: Severity::Error,
        message: "no such gateway".into(),
    };
    LoadError::Rejected { dir: "routes".into(), diagnostics: vec![diagnostic] }
}

fn first() -> Arc<ArcSwap<Snapshot>> {
    Arc::new(ArcSwap::from_pointee(Snapshot::new(table(1), "first".into(), 1_000, None)))
}

fn start(
    table: &Arc<ArcSwap<Snapshot>>,
    load: impl Fn(Option<&str>) -> Result<Load, LoadError> + Send + 'static,
) -> Reloader {
    let load: LoadFn = Box::new(load);
    Reloader::start(Arc::clone(table), load).unwrap()
}

fn ask(reloader: &Reloader) -> Report {
    reloader.request(Cause::Http).unwrap().blocking_recv().unwrap()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_new_table_serves_and_is_reported() {
    let table = first();
    let reloader = start(&table, |_| loaded(3, "second"));
    assert_eq!(reloader.status().success_unix_s, 1_000);
    let report = ask(&reloader);
    assert_eq!((report.result, report.generation, report.routes), (Outcome::Loaded, 2, 3));
    assert_eq!((&*report.hash, report.error), ("second", None));
    let serving = table.load();
    assert_eq!((serving.generation, &*serving.hash, serving.table.routes.len()), (2, "second", 3));
    assert_eq!(reloader.status().counts, [1, 0, 0]);
    assert!(reloader.status().success_unix_s > 1_000);
}

#[test]
fn the_loader_is_told_the_hash_in_service_and_unchanged_keeps_the_generation() {
    let table = first();
    let reloader =
        start(&table, |serving| if serving == Some("second") { Ok(Load::Same) } else { loaded(1, "second") });
    assert_eq!(ask(&reloader).result, Outcome::Loaded);
    let before = table.load_full();
    let report = ask(&reloader);
    assert_eq!((report.result, report.generation, &*report.hash), (Outcome::Unchanged, 2, "second"));
    assert!(Arc::ptr_eq(&before, &table.load_full()));
    assert_eq!(reloader.status().counts, [1, 1, 0]);
}

#[test]
fn an_error_keeps_the_old_table_and_says_where() {
    let table = first();
    let answers = Mutex::new(VecDeque::from([Err(rejected()), loaded(2, "good")]));
    let reloader = start(&table, move |_| answers.lock().unwrap().pop_front().unwrap());
    let report = ask(&reloader);
    assert_eq!((report.result, report.generation, &*report.hash), (Outcome::Failed, 1, "first"));
    assert_eq!(report.error.as_deref(), Some("routes/10.yaml:3:5: error: no such gateway"));
    assert_eq!(report.diagnostics.len(), 1);
    let status = reloader.status();
    assert_eq!((status.failing, status.success_unix_s, status.counts), (true, 1_000, [0, 0, 1]));

    assert_eq!(ask(&reloader).generation, 2);
    assert!(!reloader.status().failing);
}

#[test]
fn a_panic_of_the_loader_is_a_failed_reload_and_not_the_last_one() {
    let table = first();
    let calls = AtomicUsize::new(0);
    let reloader = start(&table, move |_| {
        assert!(calls.fetch_add(1, Ordering::Relaxed) > 0, "bug in the loader");
        loaded(1, "good")
    });
    let report = ask(&reloader);
    assert_eq!(
        report.error.as_deref(),
        Some("internal error while loading routes: bug in the loader; please report it")
    );
    assert_eq!(ask(&reloader).result, Outcome::Loaded);
}

/// A loader whose loads wait to be let go, and tell when they begin and how many run.
struct Gate {
    began: mpsc::Receiver<usize>,
    go: mpsc::Sender<()>,
    running_max: Arc<AtomicUsize>,
}

fn gated(table: &Arc<ArcSwap<Snapshot>>) -> (Reloader, Gate) {
    let (tell, began) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let running_max = Arc::new(AtomicUsize::new(0));
    let (max, running, number) = (Arc::clone(&running_max), AtomicUsize::new(0), AtomicUsize::new(0));
    let reloader = start(table, move |_| {
        let number = number.fetch_add(1, Ordering::Relaxed) + 1;
        max.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        tell.send(number).unwrap();
        wait.lock().unwrap().recv().unwrap();
        running.fetch_sub(1, Ordering::Relaxed);
        loaded(number, &format!("load {number}"))
    });
    (reloader, Gate { began, go, running_max })
}

#[test]
fn who_asks_during_a_load_gets_the_next_one_together() {
    let table = first();
    let (reloader, gate) = gated(&table);
    let early = reloader.request(Cause::Http).unwrap();
    assert_eq!(gate.began.recv_timeout(PATIENCE), Ok(1));
    let late: Vec<_> = (0..10).map(|_| reloader.request(Cause::Http).unwrap()).collect();
    reloader.nudge(Cause::Watch);
    gate.go.send(()).unwrap();
    assert_eq!(early.blocking_recv().unwrap().hash, "load 1");

    assert_eq!(gate.began.recv_timeout(PATIENCE), Ok(2));
    gate.go.send(()).unwrap();
    for report in late {
        let report = report.blocking_recv().unwrap();
        assert_eq!((&*report.hash, report.generation), ("load 2", 3));
    }
    // Eleven requests, two loads: nothing is left in the queue.
    drop(reloader);
    assert_eq!(gate.began.recv(), Err(mpsc::RecvError));
    assert_eq!(table.load().generation, 3);
    assert_eq!(gate.running_max.load(Ordering::Relaxed), 1);
}

#[test]
fn no_more_requests_wait_than_may() {
    let table = first();
    let (reloader, gate) = gated(&table);
    let _running = reloader.request(Cause::Http).unwrap();
    assert_eq!(gate.began.recv_timeout(PATIENCE), Ok(1));
    let waiting: Vec<_> = (0..RELOADS_WAITING_MAX).map(|_| reloader.request(Cause::Http).unwrap()).collect();
    assert_eq!(reloader.request(Cause::Http).unwrap_err(), Refused::Busy);
    reloader.nudge(Cause::Signal);
    gate.go.send(()).unwrap();
    gate.go.send(()).unwrap();
    for report in waiting {
        assert_eq!(report.blocking_recv().unwrap().hash, "load 2");
    }
}

#[test]
fn a_caller_that_left_does_not_disturb() {
    let table = first();
    let reloader = start(&table, |_| loaded(1, "x"));
    drop(reloader.request(Cause::Http).unwrap());
    reloader.nudge(Cause::Signal);
    wait_until("two loads or one for both", || reloader.status().counts[0] >= 1);
    assert_eq!(ask(&reloader).result, Outcome::Loaded);
}

#[test]
fn concurrent_callers_each_get_a_load_that_began_after_they_asked() {
    let table = first();
    let loads = Arc::new(AtomicUsize::new(0));
    let began = Arc::clone(&loads);
    let reloader = start(&table, move |_| loaded(1, &(began.fetch_add(1, Ordering::SeqCst) + 1).to_string()));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (reloader, loads) = (reloader.clone(), Arc::clone(&loads));
            thread::spawn(move || {
                for _ in 0..50 {
                    let before = loads.load(Ordering::SeqCst);
                    let report = ask(&reloader);
                    let number: usize = report.hash.parse().unwrap();
                    assert!(number > before, "load {number} began before load {before} had");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
    let status = reloader.status();
    assert_eq!(u64::try_from(loads.load(Ordering::SeqCst)), Ok(status.counts[0]));
    assert_eq!(table.load().generation, status.counts[0] + 1);
}

#[test]
fn an_old_table_is_kept_while_the_loop_has_it_and_freed_when_it_lets_go() {
    let table = first();
    let reloader = start(&table, |_| loaded(1, "next"));
    let held = table.load_full();
    let weak = Arc::downgrade(&held);
    ask(&reloader);
    // Ours and the reload thread's: ours is not the last, whenever it goes.
    assert_eq!(Arc::strong_count(&held), 2);
    drop(held);
    // No request comes, and it is freed nevertheless.
    wait_until("the old table is freed", || weak.strong_count() == 0);
}

#[test]
fn no_table_is_loaded_while_too_many_old_ones_are_held() {
    let table = first();
    let reloader = start(&table, |_| loaded(1, "next"));
    let mut held = Vec::new();
    for _ in 0..RETIRED_TABLES_MAX {
        held.push(table.load_full());
        assert_eq!(ask(&reloader).result, Outcome::Loaded);
    }
    held.push(table.load_full());
    let report = ask(&reloader);
    assert_eq!(report.result, Outcome::Failed);
    assert_eq!(
        report.error.as_deref(),
        Some("internal error while loading routes: 4 old route tables are still in use; please report it")
    );
    held.clear();
    assert_eq!(ask(&reloader).result, Outcome::Loaded);
}

#[test]
fn nudges_take_one_place_in_the_queue_and_none_is_lost() {
    let table = first();
    let (reloader, gate) = gated(&table);
    for load in 1..=10 {
        reloader.nudge(Cause::Watch);
        assert_eq!(gate.began.recv_timeout(PATIENCE), Ok(load), "the nudge of round {load} got its load");
        if load == 10 {
            for _ in 0..RELOADS_WAITING_MAX * 2 {
                reloader.nudge(Cause::Watch);
            }
            assert!(reloader.request(Cause::Http).is_ok(), "there is room for others");
            gate.go.send(()).unwrap();
            assert_eq!(gate.began.recv_timeout(PATIENCE), Ok(11), "one for all of them");
        }
        gate.go.send(()).unwrap();
    }
    drop(reloader);
    assert_eq!(gate.began.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
}

/// A directory with a route file and a table, loaded, and watched as the server does.
#[test]
fn real_files_are_loaded_watched_and_refused() {
    let dir = tempfile::tempdir().unwrap();
    let routes = dir.path().join("routes");
    std::fs::create_dir(&routes).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(dir.path().join("new"), text).unwrap();
        std::fs::rename(dir.path().join("new"), routes.join(name)).unwrap();
    };
    let rules = "tables:\n  ported: {file: ported.csv, match: exact, columns: [number, rn]}\nroutes:\n  - {name: default, answer: {code: 404}}\n";
    write("10.yaml", rules);
    write("ported.csv", "+441632960001,+441632\n");

    let loader = Arc::new(Loader::new(&routes));
    let Load::New(loaded) = loader.load(None).unwrap() else { panic!("nothing serves yet") };
    assert!(matches!(loader.load(Some(&loaded.hash)), Ok(Load::Same)));
    let table = Arc::new(ArcSwap::from_pointee(Snapshot::new(loaded.table, loaded.hash, 0, None)));
    assert_eq!(table.load().table.tables[0].len(), 1);
    let load = Arc::clone(&loader);
    let reloader = start(&table, move |serving| load.load(serving));
    let nudged = reloader.clone();
    let _watcher = Watcher::start(loader, Timing::default(), move || nudged.nudge(Cause::Watch)).unwrap();

    write("ported.csv", "+441632960001,+441632\n+441632960002,+441632\n");
    wait_until("the longer table serves", || table.load().table.tables[0].len() == 2);
    write("20.yaml", "routes:\n  - {name: wrong, answer: {code: 999}}\n");
    wait_until("the wrong file is refused", || reloader.status().failing);
    let report = ask(&reloader);
    assert_eq!((report.result, report.routes), (Outcome::Failed, 1));
    assert_eq!((&*report.diagnostics[0].file, report.diagnostics[0].line), ("20.yaml", 2));
    assert!(report.error.unwrap().starts_with(&format!("{}/20.yaml:2:", routes.display())));
    std::fs::remove_file(routes.join("ported.csv")).unwrap();
    std::fs::remove_file(routes.join("20.yaml")).unwrap();
    wait_until("the missing table is refused", || {
        let report = ask(&reloader);
        report.diagnostics.iter().any(|d| d.file == "10.yaml" && d.line == 2)
    });
    write("ported.csv", "+441632960003,+441632\n");
    wait_until("it serves again", || !reloader.status().failing && table.load().table.tables[0].len() == 1);
}
