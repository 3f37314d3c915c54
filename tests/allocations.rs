//! An answer takes no memory: after the first ones, none of the usual ways to an answer allocates. This
//! fails when somebody adds an allocation, and dhat-heap.json then says where.

#[path = "../benches/stages/scene.rs"]
mod scene;

use std::num::NonZeroU32;

use scene::{KINDS, Scene};
use waypost::{
    engine::Path,
    net::{End, Next, Sampling, Seen, taps},
    route::{Down, Transport},
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Rows of the prefix table: its size is no matter here.
const PREFIXES: u32 = 1_000;
/// Answers that are counted: each request twice.
const ANSWERS: usize = 128;

/// One test, for it counts what the whole process allocates.
#[test]
fn no_answer_allocates_in_steady_state() {
    let ways = KINDS.iter().flat_map(|kind| ["small", "real"].map(|size| (kind.name, size)));
    let mut scenes: Vec<_> =
        ways.map(|(way, size)| (way, size, Scene::new(way, size, PREFIXES).expect("a scene"))).collect();
    let _profiler = dhat::Profiler::builder().testing().build();
    let (mut taps, outlet) =
        taps(1, Sampling { calls: NonZeroU32::new(1), ..Sampling::default() }).expect("a tap");
    for (way, size, scene) in &mut scenes {
        // All gateways up, one down, all down: then all are used.
        for down in [0, 1, scene.table.gateways.len()] {
            scene.down = Down::of(0..down);
            let before = dhat::HeapStats::get().total_blocks;
            let answered = (0..ANSWERS).filter(|_| scene.answer() > 0).count();
            let allocations = dhat::HeapStats::get().total_blocks - before;
            dhat::assert_eq!((*way, *size, down, answered, allocations), (*way, *size, down, ANSWERS, 0));
        }
    }
    let here = ([127, 0, 0, 1], 5060).into();
    let path = Path { source: here, local: here, listener: 0, transport: Transport::Udp };
    let before = dhat::HeapStats::get().total_blocks;
    let mut shown = 0;
    for (way, _, scene) in &scenes {
        for request in &scene.requests {
            let seen = Seen {
                request,
                answer: &scene.out,
                to: here,
                path,
                end: End::Answer(302),
                route: Some(*way),
                waited_ms: 0,
            };
            let chosen = taps[0].choose(request).expect("all are shown");
            assert!(taps[0].show(&seen, chosen));
            if let Next::Record(record) = outlet.next() {
                outlet.give_back(record);
                shown += 1;
            }
        }
    }
    let allocations = dhat::HeapStats::get().total_blocks - before;
    dhat::assert_eq!((shown > ANSWERS, allocations), (true, 0));
}
