//! The field of the AVX2 path lane by lane against big integers.

#![allow(clippy::needless_range_loop, reason = "a lane is a place in several arrays")]

use num_bigint::{BigInt, BigUint};

use super::{Random, awkward, big, small};
use crate::math::arith::U256;
use crate::math::field::{Modulus, P256Order, P256Prime, Sm2Order, Sm2Prime};
use crate::math::modulus29::{Limbs, Modulus29, limbs, words};
use crate::paths::avx2::Isa;
use crate::paths::avx2::field::{
    Element, Sum, invert, mask_of, multiply, multiply_two, numbers, plain, square, zero_lanes,
};
use crate::paths::avx2::vector::{Lanes, Vector};

type Eight = [BigUint; 8];

fn isa() -> Option<Isa> {
    let isa = Isa::detect();
    if isa.is_none() {
        println!("skipped: this processor has no AVX2");
    }
    isa
}

fn value(a: Limbs) -> BigUint {
    a.iter().rev().fold(BigUint::default(), |sum, &limb| (sum << 29u32) + limb)
}

/// Twice the numbers of the lanes, which are below 2^256.
fn doubled(isa: Isa, numbers: &Eight) -> Element {
    let words = numbers.each_ref().map(small);
    Element::doubled(isa, words.each_ref())
}

fn lane(a: Element, lane: usize) -> BigUint {
    value(a.lane(lane))
}

/// The number in a lane, with limbs of either sign.
fn signed_lane(a: Sum, lane: usize) -> BigInt {
    let limbs = a.0.map(|limb| limb.lanes().0[lane] as i32);
    limbs.iter().rev().fold(BigInt::default(), |sum, &limb| (sum << 29u32) + limb)
}

fn pairs(m: U256) -> Vec<(Eight, Eight)> {
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

fn r_inverse(m: &BigUint) -> BigUint {
    (BigUint::from(1u8) << 261u32).modinv(m).unwrap()
}

fn products_agree<M: Modulus29>() {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    let r_inverse = r_inverse(&m);
    for (a, b) in pairs(M::M) {
        let (x, y) = (doubled(isa, &a), doubled(isa, &b));
        let product = multiply::<M>(isa, &x, &y);
        let squared = square::<M>(isa, &x);
        let (out, zero) = (plain::<M>(isa, &x), mask_of(zero_lanes::<M>(isa, &x)));
        let read = numbers(out);
        for n in 0..8 {
            let (a, b) = (&a[n] * 2u8, &b[n] * 2u8);
            assert_eq!(lane(x, n), a);
            assert_eq!(lane(product, n) % &m, &a * &b * &r_inverse % &m);
            assert!(lane(product, n) < &m * 2u8);
            assert_eq!(lane(squared, n) % &m, &a * &a * &r_inverse % &m);
            assert_eq!(lane(out, n) % &m, &a * &r_inverse % &m);
            assert!(lane(out, n) <= &m + (BigUint::from(1u8) << 98));
            assert_eq!(big(read[n]), lane(out, n));
            assert_eq!(zero >> n & 1 == 1, a == BigUint::default());
        }
    }
}

/// Numbers with one bit, in each limb in turn, are not zero.
fn lone_bits_are_seen<M: Modulus29>() {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    for limb in 0..9_u32 {
        let half = (BigUint::from(1u8) << (260 + 29 * limb)) % &m;
        let form = doubled(isa, &core::array::from_fn(|_| half.clone()));
        assert_eq!(lane(plain::<M>(isa, &form), 0) % &m, BigUint::from(1u8) << (29 * limb));
        assert_eq!(mask_of(zero_lanes::<M>(isa, &form)), 0, "limb {limb}");
    }
}

#[test]
fn a_bit_in_any_limb_is_not_zero() {
    lone_bits_are_seen::<P256Prime>();
    lone_bits_are_seen::<Sm2Prime>();
}

#[test]
fn products_of_small_limbs_agree_with_big_integers() {
    products_agree::<P256Prime>();
    products_agree::<Sm2Prime>();
    products_agree::<P256Order>();
    products_agree::<Sm2Order>();
}

fn modulo(a: &BigInt, m: &BigUint) -> BigUint {
    let m = BigInt::from(m.clone());
    ((a % &m + &m) % &m).to_biguint().unwrap()
}

/// Sums as the additions make them: their factors, their products, and what `settle` leaves.
fn sums_agree<M: Modulus29>() {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    let r_inverse = r_inverse(&m);
    let signs = Lanes([1, u32::MAX, u32::MAX, 1, 1, u32::MAX, 1, u32::MAX]);
    let least = -(BigInt::from(1u8) << 227u32);
    let most = (BigInt::from(1u8) << 256u32) + (BigInt::from(1u8) << 230u32);
    for (a, b) in pairs(M::M) {
        let (x, y) = (doubled(isa, &a), doubled(isa, &b));
        let turned = Sum::from(y).turn(Vector::load(isa, &signs));
        // slope^2 - x1 - x2, which is the least that is settled, and a product minus a y.
        let low = Sum::from(x).minus(Sum::from(y).plus(y)).settle::<M>(isa);
        let high = Sum::from(x).minus(turned).settle::<M>(isa);
        // dy and its like: the widest factors.
        let wide = turned.minus(low).factor::<M>(isa);
        let minus = high.minus_factor::<M>(isa);
        let product = multiply::<M>(isa, &wide, &x);
        let swapped = multiply::<M>(isa, &x, &wide);
        let both = multiply_two::<M>(isa, (&wide.carry(isa), &x), (&minus, &y));
        let squared = square::<M>(isa, &wide.carry(isa));
        let zero = Sum::from(x).minus(x).factor::<M>(isa);
        assert_eq!(mask_of(zero_lanes::<M>(isa, &zero)), 0xff, "4 p is zero");
        for n in 0..8 {
            let (a, b) = (BigInt::from(&a[n] * 2u8), BigInt::from(&b[n] * 2u8));
            let sign = if signs.0[n] == 1 { 1 } else { -1 };
            let (low, high) = (signed_lane(low, n), signed_lane(high, n));
            assert_eq!(modulo(&low, &m), modulo(&(&a - &b * 2), &m));
            assert_eq!(modulo(&high, &m), modulo(&(&a - &b * sign), &m));
            for settled in [&low, &high] {
                assert!(&least < settled && settled < &most);
            }
            let wide = modulo(&(&b * sign - &low), &m);
            let expected = &wide * modulo(&a, &m) * &r_inverse % &m;
            assert_eq!(lane(product, n) % &m, expected);
            assert_eq!(lane(swapped, n) % &m, expected);
            assert!(lane(product, n) < &m * 2u8);
            let other = modulo(&-high, &m) * modulo(&b, &m) * &r_inverse;
            assert_eq!(lane(both, n) % &m, (expected + other) % &m);
            assert!(lane(both, n) < &m * 2u8);
            assert_eq!(lane(squared, n) % &m, &wide * &wide * &r_inverse % &m);
        }
    }
}

#[test]
fn sums_and_wide_factors_agree_with_big_integers() {
    sums_agree::<P256Prime>();
    sums_agree::<Sm2Prime>();
}

/// Every limb at its largest: the columns of a product may not overflow.
fn largest_limbs_agree<M: Modulus29>() {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    let full = Element::constant(isa, [(1 << 29) - 1; 9]);
    // The largest that a sum of settled and signed limbs can be, taken from 4 p.
    let least = Element::constant(isa, [(1 << 30) + (1 << 24); 9]);
    let mut least = Sum::from(least).0;
    least[8] = Vector::splat(isa, 1 << 25);
    let wide = Sum(least).minus_factor::<M>(isa);
    let most = Sum([Vector::splat(isa, (1 << 29) + (1 << 24)); 9]).factor::<M>(isa);
    for factor in [wide, most] {
        let own = value(Element::from_limbs(factor).lane(5));
        let got = multiply::<M>(isa, &factor, &full);
        let expected = own * value([(1 << 29) - 1; 9]) * r_inverse(&m) % &m;
        assert_eq!(lane(got, 5) % &m, expected);
    }
}

#[test]
fn the_largest_limbs_do_not_overflow() {
    largest_limbs_agree::<P256Prime>();
    largest_limbs_agree::<Sm2Prime>();
}

fn inverses_agree<M: Modulus29>() {
    let Some(isa) = isa() else { return };
    let m = big(M::M);
    let r = BigUint::from(1u8) << 261u32;
    let mut random = Random(5);
    for round in 0..if cfg!(miri) { 1 } else { 50 } {
        let a: Eight = core::array::from_fn(|_| big(random.number()) % &m);
        let enter = Element::constant(isa, M::ENTER_DOUBLED);
        let form = multiply::<M>(isa, &doubled(isa, &a), &enter);
        let inverse = invert::<M>(isa, &form).expect("no zero");
        for n in 0..8 {
            assert_eq!(lane(form, n) % &m, &a[n] * &r % &m);
            assert_eq!(&a[n] * lane(inverse, n) % &m, &r % &m);
        }
        let mut with_zero = a.clone();
        with_zero[round % 8] = if round % 2 == 0 { BigUint::default() } else { m.clone() };
        let with_zero = doubled(isa, &with_zero);
        assert_eq!(mask_of(zero_lanes::<M>(isa, &with_zero)), 1 << (round % 8));
        let with_zero = multiply::<M>(isa, &with_zero, &enter);
        assert!(invert::<M>(isa, &with_zero).is_none(), "zero has no inverse");
    }
}

#[test]
fn one_inversion_of_eight_lanes_inverts_each() {
    inverses_agree::<P256Prime>();
    inverses_agree::<Sm2Prime>();
    inverses_agree::<P256Order>();
    inverses_agree::<Sm2Order>();
}

#[test]
fn constants_of_small_limbs_are_what_they_say() {
    fn check<M: Modulus29>() {
        let m = big(<M as Modulus>::M);
        let one = BigUint::from(1u8);
        assert_eq!(value(M::LIMBS29), m);
        assert_eq!(words(limbs(M::M)), M::M);
        assert_eq!(value(M::FOUR), &m * 4u8);
        assert!(M::FOUR[..8].iter().all(|limb| (3 * (1 << 29) - 3..1 << 31).contains(limb)));
        assert!(M::FOUR[8] > (1 << 25) + (1 << 24));
        assert_eq!(value(M::ONE29), (&one << 261u32) % &m);
        assert_eq!(value(M::ENTER_DOUBLED), (&one << 521u32) % &m);
        assert_eq!(value(M::ENTER_TWICE29), (&one << 783u32) % &m);
        let bias =
            M::BIAS.iter().rev().fold(BigUint::default(), |sum, &limb| (sum << 29u32) + limb);
        assert_eq!(bias % &m, BigUint::default());
        assert!(M::BIAS.iter().all(|&column| column >> 39 == 1));
    }
    check::<P256Prime>();
    check::<Sm2Prime>();
    check::<P256Order>();
    check::<Sm2Order>();
}
