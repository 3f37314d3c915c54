//! What one answer costs, stage by stage: reading the request, deciding and writing, the whole.
//!
//! In:    `cargo bench --bench stages [-- FILTER]`.
//! Out:   Criterion's report; earlier runs are in target/criterion, and it compares with them.
//! Never: opens a socket.

mod scene;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use scene::{KINDS, PATH, Scene};
use waypost::{
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Verdict, decide},
    dns::{Cache, DnsView},
    limits::ANSWER_BYTES_ROOM,
    route::Down,
    sip::{HeaderIndex, Parsed, Writer, parse, write_head},
};

/// Rows of the prefix table.
const PREFIXES: u32 = 1_000_000;
const SIZES: [&str; 2] = ["small", "real"];

criterion_group!(stages, reading, writing, deciding, answering);
criterion_main!(stages);

/// The request alone.
fn reading(criterion: &mut Criterion) {
    for size in SIZES {
        let requests = scene("static", size).requests;
        let (mut index, mut next) = (HeaderIndex::new(), 0);
        criterion.bench_function(&format!("read/{size}"), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % requests.len();
                matches!(parse(black_box(&requests[next]), &mut index), Parsed::Sound(_))
            });
        });
    }
}

/// What every answer begins with.
fn writing(criterion: &mut Criterion) {
    for size in SIZES {
        let requests = scene("static", size).requests;
        let mut index = HeaderIndex::new();
        let Parsed::Sound(request) = parse(&requests[0], &mut index) else { panic!("a sound request") };
        let mut out = vec![0; ANSWER_BYTES_ROOM];
        criterion.bench_function(&format!("write head/{size}"), |bencher| {
            bencher.iter(|| {
                let mut writer = Writer::new(&mut out);
                let reason = black_box(b"Moved Temporarily");
                write_head(&mut writer, &request, 302, reason, PATH.source, b"0123456789abcdef");
                writer.finish()
            });
        });
    }
}

/// Reading, deciding and writing, without the engine's memory.
fn deciding(criterion: &mut Criterion) {
    for size in SIZES {
        let scene = scene("static", size);
        let (settings, cache) = (Settings::default(), Cache::new());
        let arrival = Arrival {
            source: PATH.source,
            local: PATH.local,
            listener: "default",
            transport: PATH.transport,
            identity: None,
        };
        let dns = DnsView::new(&cache, scene::NOW.ms);
        let context = Context {
            settings: &settings,
            table: &scene.table,
            dns,
            unix_s: 0,
            draining: false,
            down: Down::NONE,
            guess: None,
        };
        let (mut scratch, mut out, mut next) = (Scratch::new(), vec![0; ANSWER_BYTES_ROOM], 0);
        criterion.bench_function(&format!("decide/static-{size}"), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % scene.requests.len();
                let bytes = black_box(&scene.requests[next]);
                let verdict = decide(bytes, &arrival, &context, &mut scratch, &mut NoTrace, &mut out);
                matches!(verdict, Verdict::Reply(_))
            });
        });
    }
}

/// The whole: [`waypost::engine::Engine::datagram`].
fn answering(criterion: &mut Criterion) {
    for kind in KINDS {
        for size in SIZES.iter().filter(|size| kind.name != "options" || **size == "small") {
            let mut scene = scene(kind.name, size);
            criterion.bench_function(&format!("answer/{}-{size}", kind.name), |bencher| {
                bencher.iter(|| scene.answer());
            });
        }
    }
}

fn scene(kind: &str, size: &str) -> Scene {
    Scene::new(kind, size, PREFIXES).unwrap_or_else(|| panic!("{kind}, {size}"))
}
