//! Residues, inverses and digits against big integers.

use num_bigint::BigUint;

use super::{Random, awkward, big, small};
use crate::math::digits::{Recoded, WINDOW_BITS, Windows};
use crate::math::field::{Modulus, P256Order, P256Prime, Residue, Sm2Order, Sm2Prime, invert_all};
use crate::tables::{from_r260, to_r260};

fn residues_agree<M: Modulus>() {
    let m = big(M::M);
    assert_eq!(big(M::R1), (BigUint::from(1u8) << 256u32) % &m);
    assert_eq!(big(M::R2), (BigUint::from(1u8) << 512u32) % &m);
    assert_eq!(big(M::R3), (BigUint::from(1u8) << 768u32) % &m);
    let numbers = awkward(M::M);
    for &a in &numbers {
        let (x, big_a) = (Residue::<M>::new(a), big(a));
        assert_eq!(x.value(), a);
        assert_eq!(big(x.square().value()), &big_a * &big_a % &m);
        assert_eq!(big(x.double().value()), &big_a * 2u8 % &m);
        assert_eq!(big(x.negate_if(true).value()), (&m - &big_a) % &m);
        let inverse = big_a.modinv(&m).unwrap_or_default();
        assert_eq!(big(x.invert().value()), inverse, "1 / {big_a}");
        for &b in &numbers {
            let (y, big_b) = (Residue::<M>::new(b), big(b));
            assert_eq!(big((x * y).value()), &big_a * &big_b % &m);
            assert_eq!(big((x + y).value()), (&big_a + &big_b) % &m);
            assert_eq!(big((x - y).value()), (&big_a + &m - &big_b) % &m);
        }
    }
    // Numbers from M upwards are reduced too.
    for above in [M::M, [u64::MAX; 4]] {
        assert_eq!(big(Residue::<M>::new(above).value()), big(above) % &m);
    }
}

#[test]
fn residues_agree_with_big_integers() {
    residues_agree::<P256Prime>();
    residues_agree::<P256Order>();
    residues_agree::<Sm2Prime>();
    residues_agree::<Sm2Order>();
}

fn inverses_agree<M: Modulus>(count: usize) {
    let mut random = Random(11);
    let mut all: Vec<_> = (0..count).map(|_| Residue::<M>::new(random.number())).collect();
    let plain = all.clone();
    assert!(invert_all(&mut all, &mut Vec::new()));
    for (a, inverse) in plain.iter().zip(&all) {
        assert_eq!(*a * *inverse, Residue::ONE);
        assert_eq!(a.invert(), *inverse);
    }
    all[count / 2] = Residue::ZERO;
    let before = all.clone();
    assert!(!invert_all(&mut all, &mut Vec::new()), "zero has no inverse");
    assert_eq!(all, before);
}

#[test]
fn many_inverses_agree() {
    let count = if cfg!(miri) { 5 } else { 2000 };
    inverses_agree::<P256Prime>(count);
    inverses_agree::<P256Order>(count);
    inverses_agree::<Sm2Prime>(count);
    inverses_agree::<Sm2Order>(count);
}

#[test]
fn stored_form_is_sixteen_times_the_scalar_form() {
    for a in awkward(P256Prime::M) {
        let a = Residue::<P256Prime>::from_montgomery(a);
        assert_eq!(from_r260::<P256Prime>(to_r260(a)), a);
        assert_eq!(big(to_r260(a)), big(a.montgomery()) * 16u8 % big(P256Prime::M));
    }
    for a in awkward(Sm2Prime::M) {
        let a = Residue::<Sm2Prime>::from_montgomery(a);
        assert_eq!(from_r260::<Sm2Prime>(to_r260(a)), a);
    }
}

fn digits_add_up<N: Modulus>() {
    let n = big(N::M);
    for bits in WINDOW_BITS.step_by(if cfg!(miri) { 20 } else { 1 }) {
        let windows = Windows::new(bits);
        let widths: u32 = (0..windows.count).map(|i| windows.width(i)).sum();
        assert_eq!(widths, 256);
        assert_eq!(windows.width(0), bits.min(windows.width(0)));
        for scalar in awkward(N::M).into_iter().chain([N::M]) {
            let recoded = Recoded::new::<N>(scalar);
            let (mut positive, mut negative) = (BigUint::default(), BigUint::default());
            for i in 0..windows.count {
                let (offset, width) = (windows.offset(i), windows.width(i));
                let (place, is_negative) = recoded.place(offset, width);
                assert!(place < 1 << (width - 1));
                let digit = BigUint::from(2 * place + 1) << offset;
                *(if is_negative { &mut negative } else { &mut positive }) += digit;
                // Index 0 of a table of both signs holds -(2^w - 1).
                let both = recoded.signed_place(offset, width) as i64 * 2 + 1 - (1 << width);
                assert_eq!(both, (2 * place as i64 + 1) * if is_negative { -1 } else { 1 });
            }
            assert_eq!((positive + &n * 2u8 - negative) % &n, big(scalar) % &n, "window {bits}");
        }
    }
}

#[test]
fn digits_add_up_to_the_scalar() {
    digits_add_up::<P256Order>();
    digits_add_up::<Sm2Order>();
    assert_eq!(small(&BigUint::from(5u8)), [5, 0, 0, 0]);
}
