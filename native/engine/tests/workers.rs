//! Work that threads share: each item is done once, all threads take part, and a panic is passed
//! on.

#![cfg(not(miri))] // Miri refuses how crossbeam-epoch, which rayon uses, accesses its memory.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use ybtoken_engine::Workers;

#[test]
fn every_item_is_done_once_whatever_the_threads() {
    for threads in [1, 2, 3, 5] {
        let workers = Workers::new(threads).unwrap();
        assert_eq!(workers.threads(), threads);
        for count in [0, 1, 2, 3, 7, 1000] {
            let done: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            let made = AtomicUsize::new(0);
            workers.each(
                (0..count).collect(),
                || made.fetch_add(1, Ordering::Relaxed),
                |_, item: usize| {
                    done[item].fetch_add(1, Ordering::Relaxed);
                },
            );
            assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == 1));
            // A thread that gets no item makes no scratch.
            assert!(made.into_inner() <= threads.min(count));
        }
    }
}

#[test]
fn one_thread_takes_the_items_in_order_and_keeps_its_scratch() {
    let seen = Mutex::new(Vec::new());
    Workers::none().each(
        vec!["a", "b", "c"],
        || 0,
        |before, item| {
            seen.lock().unwrap().push((*before, item));
            *before += 1;
        },
    );
    assert_eq!(seen.into_inner().unwrap(), [(0, "a"), (1, "b"), (2, "c")]);
}

#[test]
fn a_single_item_waits_for_nobody() {
    let workers = Workers::new(2).unwrap();
    // How many threads are at work, and whether they may end.
    let (state, changed) = (Mutex::new((0, false)), Condvar::new());
    thread::scope(|scope| {
        let busy = scope.spawn(|| {
            workers.each(
                vec![(); 2],
                || (),
                |(), ()| {
                    state.lock().unwrap().0 += 1;
                    changed.notify_all();
                    let waited = changed.wait_timeout_while(
                        state.lock().unwrap(),
                        Duration::from_secs(20),
                        |(_, over)| !*over,
                    );
                    assert!(!waited.unwrap().1.timed_out());
                },
            );
        });
        let both = changed.wait_while(state.lock().unwrap(), |(count, _)| *count < 2);
        drop(both.unwrap());
        let at = Mutex::new(None);
        workers.each(vec![()], || (), |(), ()| *at.lock().unwrap() = Some(thread::current().id()));
        state.lock().unwrap().1 = true;
        changed.notify_all();
        assert_eq!(at.into_inner().unwrap(), Some(thread::current().id()));
        assert!(busy.join().is_ok(), "the single item came last");
    });
}

#[test]
fn all_threads_work_at_the_same_time_the_callers_too() {
    let workers = Workers::new(3).unwrap();
    let (arrived, all_here) = (Mutex::new(HashSet::new()), Condvar::new());
    workers.each(
        vec![(); 3],
        || (),
        |(), ()| {
            let mut here = arrived.lock().unwrap();
            here.insert(thread::current().id());
            all_here.notify_all();
            // No thread continues before three are here. With fewer threads than that, none ever
            // would.
            let waited =
                all_here.wait_timeout_while(here, Duration::from_secs(60), |here| here.len() < 3);
            assert!(!waited.unwrap().1.timed_out());
        },
    );
    assert!(arrived.into_inner().unwrap().contains(&thread::current().id()));
}

#[test]
fn a_panic_reaches_the_caller_and_spoils_nothing() {
    for threads in [1, 2, 3] {
        let workers = Workers::new(threads).unwrap();
        for _ in 0..20 {
            let work = AssertUnwindSafe(|| {
                workers.each((0..50).collect(), || (), |(), item| assert_ne!(item, 7));
            });
            assert!(catch_unwind(work).is_err());
        }
        let sum = AtomicUsize::new(0);
        workers.each(
            (1..=100).collect(),
            || (),
            |(), item| {
                sum.fetch_add(item, Ordering::Relaxed);
            },
        );
        assert_eq!(sum.into_inner(), 5050);
    }
}
