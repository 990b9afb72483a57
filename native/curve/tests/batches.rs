//! Batches of every size and mixture; keys; threads.
#![cfg(not(miri))] // hours

mod common;
#[path = "common/signatures.rs"]
mod signatures;

use signatures::{Random, Signature, Signatures, signatures};
use ybtoken_curve::{Curve, Job, KeyError, KeyTable, Path, PublicKey, Verifier, VerifierError};

const CURVES: [Curve; 2] = [Curve::P256, Curve::Sm2];
/// The chunk of the affine method; the scalar path's chunk is half of it.
const CHUNK: usize = 2048;

fn verifiers() -> Vec<Verifier> {
    let usable = [Path::Ifma, Path::Avx2, Path::Scalar].into_iter().filter(|path| {
        let usable = path.available();
        if !usable {
            println!("skipped: this processor cannot run {path:?}");
        }
        usable
    });
    usable.map(|path| Verifier::with_base_window(path, 9).unwrap()).collect()
}

fn tables(curve: Curve, signed: &Signatures, window: u32) -> Vec<KeyTable> {
    let table =
        |(x, y): &_| KeyTable::build(&PublicKey::new(curve, x, y).unwrap(), window).unwrap();
    signed.keys.iter().map(table).collect()
}

fn jobs<'a>(tables: &'a [KeyTable], all: &[Signature]) -> Vec<Job<'a>> {
    all.iter().map(|one| Job { table: &tables[one.key], e: one.e, r: one.r, s: one.s }).collect()
}

fn verdicts(verifier: &Verifier, curve: Curve, jobs: &[Job]) -> Vec<bool> {
    let mut accepted: Vec<_> = (0..jobs.len()).map(|i| i % 2 == 0).collect();
    verifier.verify_batch(curve, jobs, &mut accepted);
    accepted
}

/// Alters a signature in one of seven ways.
fn spoil(job: &mut Job, way: usize, bit: usize) {
    let flip = |bytes: &mut [u8; 32]| bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    match way % 7 {
        0 => flip(&mut job.e),
        1 => flip(&mut job.r),
        2 => flip(&mut job.s),
        3 => job.r = [0; 32],
        4 => job.s = [0; 32],
        5 => job.r = [0xff; 32],
        _ => job.s = [0xff; 32],
    }
}

#[test]
fn every_size_gives_every_job_its_own_verdict() {
    for curve in CURVES {
        let signed = signatures(curve, 5, CHUNK + 1, 21);
        let tables = tables(curve, &signed, 6);
        let good = jobs(&tables, &signed.all);
        let mut random = Random(22);
        for verifier in verifiers() {
            let sizes = [
                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 39, 40, 41, 191, 192, 193,
                207, 208, 209, 255, 256, 257,
            ];
            let around = |n: usize| [n - 1, n, n + 1];
            for size in sizes.into_iter().chain(around(CHUNK / 2)).chain(around(CHUNK)) {
                assert!(
                    verdicts(&verifier, curve, &good[..size]).iter().all(|&yes| yes),
                    "{size} good"
                );
                let mut mixed = good[..size].to_vec();
                let bad: Vec<_> = (0..size).map(|_| random.below(3) == 0).collect();
                for (job, _) in mixed.iter_mut().zip(&bad).filter(|(_, bad)| **bad) {
                    spoil(job, random.below(7), random.below(256));
                }
                let expected: Vec<_> = bad.iter().map(|bad| !bad).collect();
                assert_eq!(
                    verdicts(&verifier, curve, &mixed),
                    expected,
                    "{curve:?} {:?} {size}",
                    verifier.path()
                );
            }
            assert_eq!(verifier.slow_count(), 0);
        }
    }
}

#[test]
fn every_position_can_be_wrong_alone() {
    for curve in CURVES {
        let signed = signatures(curve, 3, 208, 31);
        let tables = tables(curve, &signed, 5);
        let good = jobs(&tables, &signed.all);
        for verifier in verifiers() {
            for size in [1, 2, 5, 8, 16, 17, 33, 208] {
                for place in 0..size {
                    let mut some = good[..size].to_vec();
                    spoil(&mut some[place], place, place * 37);
                    let found = verdicts(&verifier, curve, &some);
                    let wrong: Vec<_> = (0..size).filter(|&i| !found[i]).collect();
                    assert_eq!(wrong, [place], "{curve:?} {:?} size {size}", verifier.path());
                }
            }
        }
    }
}

#[test]
fn every_bit_counts() {
    for curve in CURVES {
        let signed = signatures(curve, 1, 1, 41);
        let tables = tables(curve, &signed, 8);
        let good = jobs(&tables, &signed.all)[0];
        let mut spoiled = vec![good];
        for way in 0..3 {
            spoiled.extend((0..256).map(|bit| {
                let mut job = good;
                spoil(&mut job, way, bit);
                job
            }));
        }
        for verifier in verifiers() {
            let found = verdicts(&verifier, curve, &spoiled);
            assert!(found[0] && !found[1..].contains(&true));
            let alone = spoiled.iter().step_by(16).map(|job| verifier.verify_one(curve, job));
            assert_eq!(alone.filter(|&yes| yes).count(), 1);
        }
    }
}

#[test]
fn duplicates_and_mixed_windows_change_nothing() {
    for curve in CURVES {
        let signed = signatures(curve, 7, 600, 51);
        let (key, other) = (signed.keys[0], signed.keys[1]);
        let windows = [8, 4, 10, 8, 7, 5, 8];
        let build = |((x, y), window): (&_, u32)| {
            KeyTable::build(&PublicKey::new(curve, x, y).unwrap(), window).unwrap()
        };
        let tables: Vec<_> = signed.keys.iter().zip(windows).map(build).collect();
        assert!(key != other && *tables[0].public_key() != *tables[1].public_key());
        let mut many = jobs(&tables, &signed.all);
        let first = many[0];
        many.extend(vec![first; 300]);
        spoil(&mut many[17], 0, 0);
        let bad = many[17];
        many.extend(vec![bad; 20]);
        for verifier in verifiers() {
            for (i, accepted) in verdicts(&verifier, curve, &many).into_iter().enumerate() {
                assert_eq!(accepted, i != 17 && i < 900, "{i}");
            }
        }
    }
}

/// In ECDSA n - s verifies too; in SM2 it does not.
#[test]
fn the_other_s_verifies_in_ecdsa_only() {
    for curve in CURVES {
        let signed = signatures(curve, 2, 40, 61);
        let tables = tables(curve, &signed, 8);
        let mut many = jobs(&tables, &signed.all);
        for job in &mut many {
            job.s = match curve {
                Curve::P256 => signatures::on_p256::bytes(-signatures::on_p256::scalar(job.s)),
                Curve::Sm2 => signatures::on_sm2::bytes(-signatures::on_sm2::scalar(job.s)),
            };
        }
        for verifier in verifiers() {
            assert!(
                verdicts(&verifier, curve, &many).iter().all(|&yes| yes == (curve == Curve::P256))
            );
        }
    }
}

#[test]
fn keys_that_are_no_points_are_refused() {
    for curve in CURVES {
        let signed = signatures(curve, 1, 1, 71);
        let (x, y) = signed.keys[0];
        assert!(PublicKey::new(curve, &x, &y).is_ok());
        let mut off = y;
        off[31] ^= 1;
        assert_eq!(PublicKey::new(curve, &x, &off), Err(KeyError::NotOnCurve));
        assert_eq!(PublicKey::new(curve, &[0; 32], &[0; 32]), Err(KeyError::NotOnCurve));
        assert_eq!(PublicKey::new(curve, &[0xff; 32], &y), Err(KeyError::CoordinateRange));
        assert_eq!(PublicKey::new(curve, &x, &[0xff; 32]), Err(KeyError::CoordinateRange));
        let other = if curve == Curve::P256 { Curve::Sm2 } else { Curve::P256 };
        assert_eq!(PublicKey::new(other, &x, &y), Err(KeyError::NotOnCurve));
    }
}

#[test]
fn misuse_panics_and_unknown_windows_are_errors() {
    let signed = signatures(Curve::P256, 1, 1, 81);
    let tables = tables(Curve::P256, &signed, 4);
    let many = jobs(&tables, &signed.all);
    let verifier = Verifier::with_base_window(Path::Scalar, 4).unwrap();
    let caught = |curve, length| {
        let run = || verifier.verify_batch(curve, &many, &mut vec![false; length]);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err()
    };
    assert!(!caught(Curve::P256, 1) && caught(Curve::P256, 2) && caught(Curve::Sm2, 1));
    assert!(matches!(Verifier::with_base_window(Path::Scalar, 40), Err(VerifierError::Window(_))));
    assert!(KeyTable::build(tables[0].public_key(), 3).is_err());
}

#[test]
fn tables_built_together_are_those_built_alone() {
    for window in [4, 8, 10] {
        let signed = CURVES.map(|curve| signatures(curve, 5, 40, 17));
        // The curves alternate, and the order is kept.
        let key = |at: usize| {
            let (x, y) = &signed[at % 2].keys[at / 2];
            PublicKey::new(CURVES[at % 2], x, y).unwrap()
        };
        let keys: Vec<_> = (0..10).map(key).collect();
        let mut together = KeyTable::build_all(&keys, window).unwrap();
        let alone = KeyTable::build(&keys[3], window).unwrap();
        assert_eq!(together[3].bytes(), alone.bytes());
        for (at, table) in together.iter().enumerate() {
            assert_eq!((table.public_key(), table.curve()), (&keys[at], CURVES[at % 2]));
            assert_eq!(table.window_bits(), window);
        }
        // The remaining tables stay valid when others are dropped.
        together.drain(..4);
        for verifier in verifiers() {
            for (which, curve) in CURVES.into_iter().enumerate() {
                let own = signed[which].all.iter().filter(|one| one.key >= 2);
                let mut many: Vec<_> = own
                    .map(|one| Job {
                        table: &together[2 * one.key + which - 4],
                        e: one.e,
                        r: one.r,
                        s: one.s,
                    })
                    .collect();
                spoil(&mut many[5], 1, 7);
                let found = verdicts(&verifier, curve, &many);
                assert!(found.iter().enumerate().all(|(i, &yes)| yes == (i != 5)));
            }
        }
    }
    assert!(KeyTable::build_all(&[], 8).unwrap().is_empty());
    assert!(KeyTable::build_all(&[], 3).is_err());
}

#[test]
fn tables_come_and_go_under_threads() {
    for verifier in verifiers() {
        let fresh = Verifier::with_base_window(verifier.path(), 7).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let fresh = &fresh;
                scope.spawn(move || {
                    for round in 0..6 {
                        let curve = CURVES[(thread + round) as usize % 2];
                        let signed = signatures(
                            curve,
                            2,
                            20 + 40 * (round as usize % 2),
                            thread * 100 + round,
                        );
                        let tables = tables(curve, &signed, 4 + (round % 5) as u32);
                        let mut many = jobs(&tables, &signed.all);
                        spoil(&mut many[3], round as usize, 9);
                        let found = verdicts(fresh, curve, &many);
                        assert!(found.iter().enumerate().all(|(i, &yes)| yes == (i != 3)));
                    }
                });
            }
        });
    }
}

fn bytes(hex: &str) -> [u8; 32] {
    common::number(&common::unhex(hex)).unwrap()
}

/// The verdicts, on each path and by each method, of jobs that are all the same.
fn assert_all(x: &str, y: &str, (e, r, s): (&str, &str, &str), expected: bool) {
    let key = PublicKey::new(Curve::Sm2, &bytes(x), &bytes(y)).unwrap();
    let table = KeyTable::build(&key, 6).unwrap();
    let job = Job { table: &table, e: bytes(e), r: bytes(r), s: bytes(s) };
    for verifier in verifiers() {
        for size in [1, 8, 300] {
            let found = verdicts(&verifier, Curve::Sm2, &vec![job; size]);
            assert_eq!(found, vec![expected; size], "{:?}", verifier.path());
        }
    }
}

/// For s = 2 and t = 3 the sum is the point with x = 0: it is compared as 0, not as p.
#[test]
fn a_sum_whose_x_is_zero_is_accepted() {
    let x = "fa448cc091006dcbcae8d112ae204b1b6e4878f8391eaab720c69f6861c84a04";
    let y = "37f639359b515439f64a02388e027d6c1c00fc9bd7db45f300bafbf23cdf242a";
    assert_all(x, y, ("01", "01", "02"), true);
    assert_all(x, y, ("02", "01", "02"), false);
}

/// What is out of range is computed with 1 and 1 instead, and x = 1. This key is the point with
/// x = 1 minus the generator, so that equation holds.
#[test]
fn what_is_out_of_range_is_refused_even_if_its_stand_in_holds() {
    let x = "3907075aaa2d96786771587bd8d55a7958dafb66269157cd02325ccaba20b811";
    let y = "abf2d0f236d8a74578b60dbd80367bdebb0a3a0703f0658cdadfc04cabd2c4e5";
    assert_all(x, y, ("00", "00", "02"), false);
    assert_all(x, y, ("00", "01", "00"), false);
}

#[test]
fn tables_and_verifiers_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<KeyTable>();
    shared::<Verifier>();
    shared::<PublicKey>();
    assert!(Path::best() != Path::Slow && Path::best().available());
}
