//! Compares every path with Intel's crypto_mb, which verifies about a hundred times as fast as
//! RustCrypto; a hundred million signatures need that speed. `make differential` finds the library
//! and runs this program. Environment variables:
//!
//! * `YB_DIFF_LIBRARY`: the path of libcrypto_mb.so
//! * `YB_DIFF_COUNT`, `YB_DIFF_SM2_COUNT`: how many signatures of P-256 (1,000,000) and of SM2
//!   (three tenths of that)
//! * `YB_DIFF_SEED`: the seed of everything but the secret points at which sums start; it is
//!   printed
//! * `YB_DIFF_SCALAR_EVERY`: the scalar path verifies one batch in so many (1: all), because it is
//!   the slowest of the compared paths
//!
//! crypto_mb refuses P-256 signatures of a digest that is 0 or at least n, although e is only taken
//! modulo n (FIPS 186-5, 6.4.2). RustCrypto decides these, which are one in a thousand. If r or s
//! is out of range, or r + s = 0 in SM2, and for every thousandth signature, both are asked; if
//! they differ, the run fails.

#[path = "../../tests/common/mod.rs"]
mod common;
mod crypto_mb;
mod fresh;
mod run;
#[path = "../../tests/common/rustcrypto.rs"]
mod rustcrypto;
#[path = "../../tests/common/signatures.rs"]
mod signatures;

use std::process::ExitCode;
use std::time::Instant;

use crypto_mb::CryptoMb;
use run::Run;
use ybtoken_curve::Curve;

fn main() -> ExitCode {
    let Some(library) = std::env::var_os("YB_DIFF_LIBRARY") else {
        eprintln!("set YB_DIFF_LIBRARY to the path of libcrypto_mb.so, or use `make differential`");
        return ExitCode::from(2);
    };
    let crypto_mb = match CryptoMb::open(library.as_ref()) {
        Ok(crypto_mb) => crypto_mb,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::from(2);
        }
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = setting("YB_DIFF_SEED", now.as_nanos() as u64);
    let count = setting("YB_DIFF_COUNT", 1_000_000) as usize;
    let sm2_count = setting("YB_DIFF_SM2_COUNT", count as u64 * 3 / 10) as usize;
    let scalar_every = setting("YB_DIFF_SCALAR_EVERY", 1).max(1) as usize;
    let mut good = true;
    for (curve, count) in [(Curve::P256, count), (Curve::Sm2, sm2_count)] {
        let started = Instant::now();
        let tally = Run::new(curve, &crypto_mb, seed, scalar_every).run(count);
        let paths = tally
            .paths
            .iter()
            .map(|(path, made, wrong)| format!("{path:?} gave {made} verdicts, {wrong} differ; "));
        println!(
            "{curve:?}: seed {seed}, {} signatures of {} keys in {} batches, {} valid, {} with r or s and {} with e out of range; \
             {}both oracles were asked about {}, {} differ; {:.1} s",
            tally.signatures,
            tally.keys,
            tally.batches,
            tally.valid,
            tally.out_of_range,
            tally.odd_digests,
            paths.collect::<String>(),
            tally.both,
            tally.oracles_differ,
            started.elapsed().as_secs_f64(),
        );
        good &= tally.good();
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}
