//! The vector field, checked lane by lane against big integers.

#![allow(clippy::needless_range_loop, reason = "a lane is an index into several arrays")]

use num_bigint::BigUint;

use super::{Random, awkward, big, small};
use crate::math::field::{Modulus, P256Order, P256Prime, Sm2Order, Sm2Prime};
use crate::math::modulus52::Modulus52;
use crate::paths::ifma::Isa;
use crate::paths::ifma::field::{
    Element, Factor, Sum, invert, multiply, plain, products, square, zero_lanes,
};
use crate::paths::ifma::vector::Vector;

type Eight = [BigUint; 8];

fn isa() -> Option<Isa> {
    let isa = Isa::detect();
    if isa.is_none() {
        println!("skipped: this processor has no AVX-512 IFMA");
    }
    isa
}

/// Eight numbers below 2^256, one a lane.
fn load(isa: Isa, numbers: &Eight) -> Element {
    let words = numbers.each_ref().map(small);
    Element::from_words(isa, Vector::transpose(isa, words.each_ref()))
}

/// The number in one lane; it may be of any size.
fn lane(a: &Element, lane: usize) -> BigUint {
    a.lane(lane).iter().rev().fold(BigUint::default(), |sum, &limb| (sum << 52u32) + limb)
}

/// Pairs of eight numbers each, such that every awkward number meets every other in some lane.
fn pairs(m: crate::math::arith::U256) -> Vec<(Eight, Eight)> {
    let numbers: Vec<_> = awkward(m).into_iter().map(big).collect();
    let mut out = vec![];
    for shift in if cfg!(miri) { 1..2 } else { 0..numbers.len() } {
        for start in (0..numbers.len()).step_by(8) {
            let a = |i: usize| numbers[(start + i) % numbers.len()].clone();
            let b = |i: usize| numbers[(start + i + shift) % numbers.len()].clone();
            out.push((core::array::from_fn(a), core::array::from_fn(b)));
        }
    }
    out
}

fn products_agree<M: Modulus52>(is_prime: bool) {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    let r_inverse = (BigUint::from(1u8) << 260u32).modinv(&m).unwrap();
    for (a, b) in pairs(M::M) {
        let (x, y) = (load(isa, &a), load(isa, &b));
        for n in 0..8 {
            assert_eq!(lane(&x, n), a[n]);
        }
        assert_eq!(x.to_words().map(|word| word.lanes().0[3]), small(&a[3]));
        let product = multiply::<M, 2>(isa, &[x.into(), y.into()], &[y.into(), x.into()]);
        let squared = square::<M, 1>(isa, [Sum::zero(isa)], &[x.into()])[0].carry(isa);
        let out = plain::<M>(isa, x.into());
        for n in 0..8 {
            let expected = &a[n] * &b[n] * &r_inverse % &m;
            for vector in product {
                let got = lane(&vector.element(isa), n);
                assert!(got < &m * 2u8);
                assert_eq!(got % &m, expected);
            }
            assert_eq!(lane(&squared, n) % &m, &a[n] * &a[n] * &r_inverse % &m);
            assert_eq!(lane(&out, n) % &m, &a[n] * &r_inverse % &m);
            assert!(lane(&out, n) <= m);
            let zero = (zero_lanes::<M>(isa, x.into()) >> n & 1) == 1;
            assert_eq!(zero, a[n] == BigUint::default());
        }
        if is_prime {
            // Two products and a difference, in the form in which the additions compute them.
            let init = Sum::constant(isa, M::FIVE).minus(x).minus(y).minus(y);
            let (xs, ys): (Factor, Factor) = (x.into(), y.into());
            let sum = products::<M, 1, 2>(isa, [init], [(&[xs], &[ys]), (&[xs], &[xs])])[0];
            let squared = square::<M, 1>(isa, [init], &[xs])[0];
            let (sum, squared) = (sum.settle::<M>(isa), squared.settle::<M>(isa));
            let mut negated = x.negate_lanes::<M>(isa, 0b1010_0101).plus(y);
            negated = Sum::from(negated.settle::<M>(isa));
            let negated = negated.carry(isa);
            for n in 0..8 {
                let init = &m * 5u8 - &a[n] - &b[n] - &b[n];
                let expected = (&a[n] * (&b[n] + &a[n]) * &r_inverse + &init) % &m;
                assert_eq!(lane(&sum, n) % &m, expected);
                assert_eq!(lane(&squared, n) % &m, (&a[n] * &a[n] * &r_inverse + init) % &m);
                assert!(lane(&sum, n) < &m + (&m >> 9) && lane(&squared, n) < &m + (&m >> 9));
                let minus = 0b1010_0101 >> n & 1 == 1;
                let x = if minus { &m - &a[n] } else { a[n].clone() };
                assert_eq!(lane(&negated, n) % &m, (x + &b[n]) % &m);
            }
        }
    }
}

#[test]
fn lanes_agree_with_big_integers() {
    products_agree::<P256Prime>(true);
    products_agree::<Sm2Prime>(true);
    products_agree::<P256Order>(false);
    products_agree::<Sm2Order>(false);
}

/// The largest operands that any formula makes: a little above 5 p, on both sides.
fn wide_operands_agree<M: Modulus52>() {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    let r_inverse = (BigUint::from(1u8) << 260u32).modinv(&m).unwrap();
    for (a, b) in pairs(M::M) {
        let three = Sum::constant(isa, M::THREE);
        let wide = |x: &Eight| three.plus(load(isa, x)).carry(isa);
        let (x, y): (Factor, Factor) = (wide(&a).into(), wide(&b).into());
        let got = products::<M, 1, 1>(isa, [three], [(&[x], &[y])])[0].settle::<M>(isa);
        for n in 0..8 {
            let expected = (&m * 3u8 + &a[n]) * (&m * 3u8 + &b[n]) * &r_inverse % &m;
            assert_eq!(lane(&got, n) % &m, expected);
        }
    }
}

#[test]
fn operands_of_several_times_the_prime_are_reduced_right() {
    wide_operands_agree::<P256Prime>();
    wide_operands_agree::<Sm2Prime>();
}

/// Values whose limbs have either sign and are much larger than 52 bits, as in the affine sums.
fn folding_agrees<M: Modulus52>() {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    for (a, _) in pairs(M::M) {
        for times in [0u8, 1, 2, 6, 13] {
            let mut sum = Sum::from(load(isa, &a));
            for _ in 0..times {
                sum = sum.plus(Sum::constant(isa, M::LIMBS));
            }
            let (up, down) = ([1 << 57, 0, 0, 1 << 57, 0], [0, 1 << 5, 0, 0, 1 << 5]);
            let shifted = sum.plus(Sum::constant(isa, up)).minus(Sum::constant(isa, down));
            let turned = sum.plus(Sum::constant(isa, down)).minus(Sum::constant(isa, up));
            for one in [sum, shifted, turned] {
                let got = one.fold::<M>(isa).carry(isa);
                for n in 0..8 {
                    assert_eq!(lane(&got, n) % &m, &a[n] % &m);
                    assert!(lane(&got, n) < &m + (&m >> 9));
                }
            }
        }
    }
}

#[test]
fn folding_keeps_the_residue_and_its_bounds() {
    folding_agrees::<P256Prime>();
    folding_agrees::<Sm2Prime>();
}

fn inverses_agree<M: Modulus52>() {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    let mut random = Random(5);
    let r = BigUint::from(1u8) << 260u32;
    for round in 0..if cfg!(miri) { 1 } else { 50 } {
        let mut next = || core::array::from_fn::<_, 8, _>(|_| big(random.number()) % &m);
        let (a, b) = (next(), next());
        let pair: [Factor; 2] = [load(isa, &a).into(), load(isa, &b).into()];
        let inverses = invert::<M>(isa, &pair).expect("no zero");
        for (numbers, inverses) in [(&a, inverses[0]), (&b, inverses[1])] {
            let inverses = inverses.element(isa);
            for n in 0..8 {
                // The inverse (a R)^-1 R^2 is expected, because a is read as the form a R.
                assert_eq!(&numbers[n] * lane(&inverses, n) % &m, &r * &r % &m);
            }
        }
        let mut with_zero = a.clone();
        with_zero[round % 8] = if round % 2 == 0 { BigUint::default() } else { m.clone() };
        let zero = [load(isa, &b).into(), load(isa, &with_zero).into()];
        assert!(
            invert::<M>(isa, &zero).is_none(),
            "zero, also written as the prime, has no inverse"
        );
        assert_eq!(zero_lanes::<M>(isa, zero[1]), 1 << (round % 8));
    }
}

#[test]
fn shared_inversion_inverts_every_lane() {
    inverses_agree::<P256Prime>();
    inverses_agree::<Sm2Prime>();
}

#[test]
fn constants_are_what_they_say() {
    fn check<M: Modulus52>() {
        let value = |a: [u64; 5]| {
            a.iter().rev().fold(BigUint::default(), |sum, &limb| (sum << 52u32) + limb)
        };
        let m = big(<M as Modulus>::M);
        let one = BigUint::from(1u8);
        assert_eq!(value(M::LIMBS), m);
        assert_eq!(value(M::TWO), &m * 2u8);
        assert_eq!(value(M::THREE), &m * 3u8);
        assert_eq!(value(M::FIVE), &m * 5u8);
        assert_eq!(value(M::ONE), (&one << 260u32) % &m);
        assert_eq!(value(M::ENTER), (&one << 520u32) % &m);
        assert_eq!(value(M::ENTER_TWICE), (&one << 780u32) % &m);
    }
    check::<P256Prime>();
    check::<Sm2Prime>();
    check::<P256Order>();
    check::<Sm2Order>();
}
