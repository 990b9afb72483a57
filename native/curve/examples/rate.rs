//! Signatures a second for every path and batch size, good ones and junk: `cargo run --release
//! --example rate [seconds] [window]`.

use std::time::{Duration, Instant};

use ybtoken_curve::{Curve, Job, KeyTable, Path, PublicKey, Verifier};

#[path = "../tests/common/signatures.rs"]
mod signatures;
use signatures::{Signature, signatures};

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|word| word.parse::<f64>().ok());
    let seconds = arguments.next().unwrap_or(1.0);
    let window = arguments.next().map_or(KeyTable::DEFAULT_WINDOW, |bits| bits as u32);
    for curve in [Curve::P256, Curve::Sm2] {
        let signed = signatures(curve, 32, 4096, 1);
        let tables: Vec<_> = signed
            .keys
            .iter()
            .map(|(x, y)| KeyTable::build(&PublicKey::new(curve, x, y).unwrap(), window).unwrap())
            .collect();
        let job = |one: &Signature| Job { table: &tables[one.key], e: one.e, r: one.r, s: one.s };
        let good: Vec<_> = signed.all.iter().map(job).collect();
        let junk: Vec<_> = good.iter().map(|job| Job { e: job.s, s: job.e, ..*job }).collect();
        for path in Path::ALL {
            let Ok(verifier) = Verifier::new(path) else { continue };
            verifier.warm_up(curve);
            for size in [1, 2, 4, 8, 16, 64, 128, 256, 512, 1024, 4096] {
                if path == Path::Slow && size > 1 {
                    continue;
                }
                let (best, median) = rate(&verifier, curve, &good, size, seconds, true);
                println!(
                    "{curve:?} {path:?} w={window} batch {size:4}: {best:9.0}/s best {median:9.0}/s median"
                );
            }
            if path != Path::Slow {
                let (good, _) = rate(&verifier, curve, &good, 4096, seconds, true);
                let (junk, _) = rate(&verifier, curve, &junk, 4096, seconds, false);
                println!(
                    "{curve:?} {path:?} junk cost ratio {:.3}, slow path taken {}",
                    good / junk,
                    verifier.slow_count()
                );
            }
        }
    }
}

/// Signatures a second: the best and the median of many short runs.
fn rate(
    verifier: &Verifier,
    curve: Curve,
    jobs: &[Job],
    size: usize,
    seconds: f64,
    expect: bool,
) -> (f64, f64) {
    let mut accepted = vec![false; size];
    let mut rates = vec![];
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut chunks = jobs.chunks_exact(size).cycle();
    while Instant::now() < end || rates.len() < 3 {
        let rounds = (256 / size).max(1);
        let start = Instant::now();
        for _ in 0..rounds {
            verifier.verify_batch(curve, chunks.next().unwrap(), &mut accepted);
            assert!(accepted.iter().all(|&accepted| accepted == expect));
        }
        rates.push((rounds * size) as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    (rates[rates.len() - 1], rates[rates.len() / 2])
}
