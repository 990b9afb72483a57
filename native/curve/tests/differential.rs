//! Random and altered signatures against RustCrypto's verifiers. `YB_DIFF_COUNT` sets how many for
//! each curve, `YB_DIFF_SEED` the seed; both are printed.
#![cfg(not(miri))] // hours

#[path = "common/rustcrypto.rs"]
mod rustcrypto;
#[path = "common/signatures.rs"]
mod signatures;

use signatures::{Random, Signature, signatures};
use ybtoken_curve::{Curve, Job, KeyTable, Path, PublicKey, Verifier};

/// Alters about half of the signatures, by small and by large changes.
fn spoil(random: &mut Random, all: &mut [Signature], keys: usize) {
    let order_minus = |byte: u8| {
        let mut n = [0xff; 32];
        n[4..8].fill(0);
        n[31] = byte;
        n
    };
    for i in 0..all.len() {
        let other = all[random.below(all.len())];
        let one = &mut all[i];
        let bit = random.below(256);
        match random.below(20) {
            0 => one.e[bit / 8] ^= 1 << (bit % 8),
            1 => one.r[bit / 8] ^= 1 << (bit % 8),
            2 => one.s[bit / 8] ^= 1 << (bit % 8),
            3 => one.key = (one.key + 1) % keys,
            4 => (one.r, one.s) = (one.s, one.r),
            5 => one.e = other.e,
            6 => one.s = other.s,
            7 => one.r[..31].fill(0),
            8 => one.s[..31].fill(0),
            9 => one.e = [0; 32],
            10 => (one.e, one.r, one.s) = (random.bytes(), random.bytes(), random.bytes()),
            11 => one.s = order_minus(random.next() as u8),
            _ => {}
        }
    }
}

fn agree(curve: Curve, count: usize, seed: u64) {
    let keys = 16;
    let verifiers: Vec<_> = [Path::Ifma, Path::Avx2, Path::Scalar]
        .into_iter()
        .filter(|path| path.available())
        .map(|path| Verifier::with_base_window(path, if count < 50_000 { 9 } else { 14 }).unwrap())
        .collect();
    let (mut good, mut done, mut wrong) = (0, 0, 0);
    let mut random = Random(seed);
    while done < count {
        let size = (count - done).min(1 + random.below(6000));
        let mut signed = signatures(curve, keys, size, random.next());
        spoil(&mut random, &mut signed.all, keys);
        let expected: Vec<_> = signed
            .all
            .iter()
            .map(|one| rustcrypto::accepts(curve, &signed.keys[one.key], one))
            .collect();
        let window = [8, 8, 10, 9, 5][random.below(5)];
        let tables: Vec<_> = signed
            .keys
            .iter()
            .map(|(x, y)| KeyTable::build(&PublicKey::new(curve, x, y).unwrap(), window).unwrap())
            .collect();
        let job = |one: &Signature| Job { table: &tables[one.key], e: one.e, r: one.r, s: one.s };
        let jobs: Vec<_> = signed.all.iter().map(job).collect();
        for verifier in &verifiers {
            let mut accepted = vec![false; size];
            // One half in one batch, the other half in small batches of all sizes.
            let (large, small) = jobs.split_at(size / 2);
            let (large_accepted, small_accepted) = accepted.split_at_mut(size / 2);
            verifier.verify_batch(curve, large, large_accepted);
            let (mut small, mut small_accepted) = (small, small_accepted);
            while !small.is_empty() {
                let now = small.len().min(1 + random.below(40));
                verifier.verify_batch(curve, &small[..now], &mut small_accepted[..now]);
                (small, small_accepted) = (&small[now..], &mut small_accepted[now..]);
            }
            for (i, (accepted, expected)) in accepted.iter().zip(&expected).enumerate() {
                if accepted != expected {
                    println!(
                        "{:?} says {accepted}: {:?} of {:?}",
                        verifier.path(),
                        signed.all[i],
                        signed.keys
                    );
                    wrong += 1;
                }
            }
        }
        good += expected.iter().filter(|&&yes| yes).count();
        done += size;
    }
    println!(
        "{curve:?}: seed {seed}, {done} signatures, {good} of them valid, {wrong} verdicts differ"
    );
    assert_eq!(wrong, 0);
    assert!(good > done / 4 && good < done);
    assert!(verifiers.iter().all(|verifier| verifier.slow_count() == 0));
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}

fn count() -> usize {
    setting("YB_DIFF_COUNT", if cfg!(debug_assertions) { 2_000 } else { 20_000 }) as usize
}

fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    setting("YB_DIFF_SEED", now.as_nanos() as u64)
}

#[test]
fn p256_agrees_with_rustcrypto() {
    agree(Curve::P256, count(), seed());
}

#[test]
fn sm2_agrees_with_rustcrypto() {
    agree(Curve::Sm2, count(), seed());
}
