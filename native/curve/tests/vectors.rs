//! Every published signature through every path, alone and in batches of the sizes that change the method, on every
//! window size that is shipped.

mod common;

use std::collections::HashMap;

use common::Case;
use ybtoken_curve::{Curve, Job, KeyTable, Path, PublicKey, Verifier};

const PATHS: [Path; 3] = [Path::Ifma, Path::Scalar, Path::Slow];

fn tables(cases: &[Case], window: u32) -> HashMap<[u8; 64], KeyTable> {
    let mut tables = HashMap::new();
    for case in cases {
        tables.entry(name(case)).or_insert_with(|| {
            let key = PublicKey::new(case.curve, &case.x, &case.y).expect(&case.id);
            KeyTable::build(&key, window).unwrap()
        });
    }
    tables
}

fn name(case: &Case) -> [u8; 64] {
    [case.x, case.y].concat().try_into().unwrap()
}

fn verifiers() -> Vec<Verifier> {
    let usable = PATHS.into_iter().filter(|path| {
        let usable = path.available();
        if !usable {
            println!("skipped: this processor cannot run {path:?}");
        }
        usable
    });
    usable.map(|path| Verifier::with_base_window(path, 8).unwrap()).collect()
}

#[test]
fn every_published_signature_has_its_verdict_on_every_path_and_window() {
    let all = common::all_cases();
    let windows: &[u32] = if cfg!(debug_assertions) { &[8] } else { &[4, 5, 6, 7, 8, 9, 10] };
    for curve in [Curve::P256, Curve::Sm2] {
        // A key that is not a point is refused earlier; there is no verdict on its signatures.
        let is_key = |case: &&Case| case.curve == curve && PublicKey::new(curve, &case.x, &case.y).is_ok();
        let cases: Vec<_> = all.iter().filter(is_key).cloned().collect();
        let valid = cases.iter().filter(|case| case.valid).count();
        println!("{curve:?}: {} signatures, {valid} valid", cases.len());
        for &window in windows {
            let tables = tables(&cases, window);
            let job = |case: &Case| (tables[&name(case)].window_bits(), case.e, case.r, case.s);
            assert!(cases.iter().all(|case| job(case).0 == window));
            let jobs: Vec<_> = cases
                .iter()
                .map(|case| Job { table: &tables[&name(case)], e: case.e, r: case.r, s: case.s })
                .collect();
            for verifier in verifiers() {
                if verifier.path() == Path::Slow && window != 8 {
                    continue;
                }
                for size in [1, 5, 16, 100, jobs.len().max(1)] {
                    if verifier.path() == Path::Slow && size != 16 {
                        continue;
                    }
                    let mut accepted = vec![false; jobs.len()];
                    for (jobs, accepted) in jobs.chunks(size).zip(accepted.chunks_mut(size)) {
                        verifier.verify_batch(curve, jobs, accepted);
                    }
                    for (case, accepted) in cases.iter().zip(accepted) {
                        let path = verifier.path();
                        assert_eq!(accepted, case.valid, "{} {path:?} window {window} size {size}", case.id);
                    }
                }
            }
        }
    }
}
