//! Tables and whole sums: every entry is the multiple that it should be, and no crafted sum reaches
//! the slow path.

use super::Random;
use crate::math::arith::{U256, is_zero};
use crate::math::curve::{P256, Scalar, Sm2, Spec};
use crate::math::digits::{Recoded, Windows};
use crate::math::field::Residue;
use crate::math::point::{Affine, Xyzz, multiply_two};
use crate::tables::BaseTable;
use crate::{Curve, Job, KeyTable, Path, PublicKey, Verifier};

fn be(a: U256) -> [u8; 32] {
    let mut out = [0; 32];
    for (chunk, word) in out.chunks_exact_mut(8).zip(a.iter().rev()) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    out
}

fn key<C: Spec>(secret: Scalar<C>) -> PublicKey {
    let point =
        Xyzz::<C>::multiply(Affine::generator(), secret.value()).to_affine().expect("not 0");
    PublicKey::new(C::CURVE, &be(point.x.value()), &be(point.y.value())).expect("on the curve")
}

fn tables_hold_their_multiples<C: Spec>(bits: u32) {
    let secret = Scalar::<C>::new([3, 5, 7, 11]);
    let key = key::<C>(secret);
    let table = KeyTable::build(&key, bits).unwrap();
    assert_eq!(table.window_bits(), bits);
    let windows = table.table().windows;
    let point = key.point::<C>();
    for window in 0..windows.count {
        let length = 1u64 << (windows.width(window) - 1);
        let places = [0, 1, 2, length / 2, length - 2, length - 1];
        for place in places.into_iter().filter(|&place| place < length) {
            let mut power = Xyzz::multiply(point, [2 * place + 1, 0, 0, 0]);
            for _ in 0..windows.offset(window) {
                power = power.double();
            }
            let entry = table.table().window(window)[place as usize].load::<C>();
            assert!(entry.on_curve());
            assert_eq!(
                Some(entry),
                power.to_affine(),
                "window {window} of {bits} bits, place {place}"
            );
        }
    }
    let entries: usize = (0..windows.count).map(|i| 1 << (windows.width(i) - 1)).sum();
    assert!(table.bytes() >= 64 * entries && table.bytes() < 64 * entries + 2048);
}

#[test]
#[cfg_attr(miri, ignore = "slow")]
fn every_window_size_holds_its_multiples() {
    for bits in [4, 5, 7, 8, 9, 10] {
        tables_hold_their_multiples::<P256>(bits);
        tables_hold_their_multiples::<Sm2>(bits);
    }
}

#[test]
fn window_sizes_without_a_table_are_refused() {
    let key = key::<P256>(Residue::ONE);
    for bits in [0, 1, 3, 17, u32::MAX] {
        assert!(KeyTable::build(&key, bits).is_err());
        assert!(Verifier::with_base_window(Path::Scalar, bits).is_err());
    }
}

/// The blinds in the opening and closing windows must cancel, and the points of the lanes too.
#[test]
fn blinds_cancel() {
    let blind = Xyzz::<P256>::multiply(Affine::generator(), [1234, 5, 6, 7]).to_affine().unwrap();
    let base = BaseTable::build::<P256>(4, blind).unwrap();
    let windows = base.table().windows;
    let both = |window: usize, place: usize| base.table().window(window)[place].load::<P256>();
    let top = windows.count - 1;
    let last = (1 << windows.width(top)) - 1;
    // The first and the last place of a window hold opposite digits, so their sum is twice the
    // blind.
    let twice = Xyzz::from(blind).double().to_affine();
    assert_eq!(Xyzz::from(both(top, 0)).add_affine(both(top, last)).to_affine(), twice);
    let minus_twice = twice.map(|point| point.negate_if(true));
    let last = (1 << windows.width(top - 1)) - 1;
    assert_eq!(
        Xyzz::from(both(top - 1, 0)).add_affine(both(top - 1, last)).to_affine(),
        minus_twice
    );
    let sum =
        base.lanes().iter().fold(Xyzz::<P256>::INFINITY, |sum, entry| sum.add_affine(entry.load()));
    assert!(sum.is_infinity());
}

/// The digit of a window, as a scalar.
fn digit<C: Spec>(recoded: &Recoded, windows: Windows, window: usize) -> Scalar<C> {
    let (place, negative) = recoded.place(windows.offset(window), windows.width(window));
    let mut value = Scalar::<C>::new([2 * place as u64 + 1, 0, 0, 0]);
    for _ in 0..windows.offset(window) {
        value = value.double();
    }
    value.negate_if(negative)
}

/// A signature whose sum is `u * G + v * Q`; the expected x does not matter.
fn job<C: Spec>(table: &KeyTable, u: Scalar<C>, v: Scalar<C>) -> Job<'_> {
    match C::CURVE {
        // r = 1, so s = 1 / v and e = u s.
        Curve::P256 => {
            let s = v.invert();
            Job { table, e: be((u * s).value()), r: be([1, 0, 0, 0]), s: be(s.value()) }
        }
        Curve::Sm2 => Job { table, e: [9; 32], r: be((v - u).value()), s: be(u.value()) },
    }
}

/// Verifies good and bad signatures by each path and each of its methods. Small enough for Miri.
fn every_path_tells_good_from_bad<C: Spec>() {
    let secret = Scalar::<C>::new([21, 22, 23, 24]);
    let table = KeyTable::build(&key::<C>(secret), 4).unwrap();
    let (u, v) = (Scalar::<C>::new([5, 6, 7, 8]), Scalar::<C>::new([8, 7, 6, 5]));
    let point = table.public_key().point();
    let sum =
        multiply_two(Affine::<C>::generator(), u.value(), point, v.value()).to_affine().unwrap();
    let x = Scalar::<C>::new(sum.x.value());
    let good = match C::CURVE {
        Curve::P256 => {
            let s = x * v.invert();
            Job { table: &table, e: be((u * s).value()), r: be(x.value()), s: be(s.value()) }
        }
        Curve::Sm2 => {
            let r = v - u;
            Job { table: &table, e: be((r - x).value()), r: be(r.value()), s: be(u.value()) }
        }
    };
    let bad = Job { e: [1; 32], ..good };
    let refused = Job { s: [0; 32], ..good };
    for path in Path::ALL {
        let Ok(verifier) = Verifier::with_base_window(path, 4) else { continue };
        // These sizes are verified one after the other, side by side, and in step.
        let sizes: &[usize] = match path {
            // Vector sums take Miri too long; the tests of lanes let it check their arithmetic.
            Path::Ifma | Path::Avx2 if cfg!(miri) => &[],
            Path::Ifma | Path::Avx2 => &[3, 9, 17, 200],
            Path::Scalar if cfg!(miri) => &[3],
            Path::Scalar => &[3, 36],
            Path::Slow => &[3],
        };
        for &size in sizes {
            let jobs: Vec<_> = (0..size).map(|i| [good, bad, refused][i % 3]).collect();
            let mut accepted = vec![false; size];
            verifier.verify_batch(C::CURVE, &jobs, &mut accepted);
            assert!(accepted.iter().enumerate().all(|(i, &yes)| yes == (i % 3 == 0)));
        }
    }
}

#[test]
fn every_path_tells_good_from_bad_on_p256() {
    every_path_tells_good_from_bad::<P256>();
}

#[test]
fn every_path_tells_good_from_bad_on_sm2() {
    every_path_tells_good_from_bad::<Sm2>();
}

/// For each addition of the sum in turn, makes a key for which it would add two equal or two
/// opposite points if there were no blinding. An outsider can do so for some additions, the key's
/// owner for all of them.
fn crafted_sums_never_reach_the_slow_path<C: Spec>(path: Path) {
    if !path.available() {
        println!("skipped: this processor cannot run {path:?}");
        return;
    }
    let verifier = Verifier::with_base_window(path, 6).unwrap();
    let (bases, keys) = (Windows::new(6), Windows::new(5));
    let mut random = Random(99);
    let mut tables = vec![];
    for addition in 0..bases.count - 1 + keys.count {
        for opposite in [false, true] {
            let (u, v) = (Scalar::<C>::new(random.number()), Scalar::<C>::new(random.number()));
            let (base, key_digits) =
                (Recoded::new::<C::Order>(u.value()), Recoded::new::<C::Order>(v.value()));
            // The sum so far is g * G + q * Q, and the point to add is h * G + i * Q.
            let mut g = digit::<C>(&base, bases, bases.count - 1);
            let mut q = Residue::ZERO;
            let (mut h, mut i) = (Residue::ZERO, Residue::ZERO);
            for step in 0..=addition {
                (g, q) = (g + h, q + i);
                (h, i) = (Residue::ZERO, Residue::ZERO);
                match step.checked_sub(bases.count - 2) {
                    None => h = digit::<C>(&base, bases, step),
                    Some(window) if window < keys.count => {
                        i = digit::<C>(&key_digits, keys, window)
                    }
                    Some(_) => h = digit::<C>(&base, bases, bases.count - 2),
                }
            }
            if opposite {
                (h, i) = (h.negate_if(true), i.negate_if(true));
            }
            // g + q d = h + i d, solved for the private key d.
            let slope = q - i;
            if !slope.is_zero() {
                let secret = (h - g) * slope.invert();
                tables.push((KeyTable::build(&key::<C>(secret), 5).unwrap(), u, v, secret));
            }
        }
    }
    assert!(tables.len() > 90);
    let infinite = |u: Scalar<C>, v: Scalar<C>, secret: Scalar<C>| (u + v * secret).is_zero();
    let crafted: Vec<_> =
        tables.iter().filter(|(_, u, v, secret)| !infinite(*u, *v, *secret)).collect();
    let jobs: Vec<_> = crafted.iter().map(|(table, u, v, _)| job::<C>(table, *u, *v)).collect();
    let mut many = jobs.clone();
    many.extend_from_slice(&jobs);
    many.extend_from_slice(&jobs);
    many.extend_from_slice(&jobs);
    for size in [1, 2, 16, 33, many.len()] {
        let mut accepted = vec![true; many.len()];
        for (jobs, accepted) in many.chunks(size).zip(accepted.chunks_mut(size)) {
            verifier.verify_batch(C::CURVE, jobs, accepted);
        }
        assert!(accepted.iter().all(|accepted| !accepted), "r = 1 is no x of these");
    }
    assert_eq!(verifier.slow_count(), 0, "an addition met a case it cannot do");

    // The one exception that remains is a sum that is infinity. It needs the private key, it is
    // refused, and it affects no other signature.
    let (table, _, v, secret) = &tables[0];
    let u = (*v * *secret).negate_if(true);
    assert!(!is_zero(u.value()));
    let sum =
        multiply_two(Affine::<C>::generator(), u.value(), table.public_key().point(), v.value());
    assert!(sum.is_infinity());
    for size in [1, 2, 8, 16, 300] {
        let before = verifier.slow_count();
        let mut some = vec![jobs[0]; size];
        some[size / 2] = job::<C>(table, u, *v);
        let mut accepted = vec![true; size];
        verifier.verify_batch(C::CURVE, &some, &mut accepted);
        assert!(accepted.iter().all(|accepted| !accepted));
        // The scalar path's sums of one token are complete, so they need no slow path.
        let complete = match path {
            Path::Scalar => size < 32,
            Path::Avx2 => size < 5,
            _ => false,
        };
        assert_eq!(verifier.slow_count() - before, if complete { 0 } else { 1 }, "size {size}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "slow")]
fn crafted_sums_never_reach_the_slow_path_on_any_path() {
    for path in [Path::Ifma, Path::Avx2, Path::Scalar] {
        crafted_sums_never_reach_the_slow_path::<P256>(path);
        crafted_sums_never_reach_the_slow_path::<Sm2>(path);
    }
}
