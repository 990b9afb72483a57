//! A modulus cut into nine limbs of 29 bits, for vectors whose multiplier takes 32 bits: Montgomery
//! form with R = 2^261.

use super::arith::{U256, sub};
use super::field::{Modulus, P256Order, P256Prime, Sm2Order, Sm2Prime, double};
use super::modulus52::Form;

/// The number of limbs.
pub(crate) const LIMBS: usize = 9;
/// The bits of a limb.
pub(crate) const BITS: u32 = 29;
/// The low 29 bits.
pub(crate) const LIMB: u32 = (1 << BITS) - 1;

pub(crate) type Limbs = [u32; LIMBS];

pub(crate) const fn limbs(a: U256) -> Limbs {
    let mut out = [0; LIMBS];
    let mut i = 0;
    while i < LIMBS {
        let (word, shift) = (BITS as usize * i / 64, BITS * i as u32 % 64);
        let mut limb = a[word] >> shift;
        if shift > 64 - BITS && word < 3 {
            limb |= a[word + 1] << (64 - shift);
        }
        out[i] = limb as u32 & LIMB;
        i += 1;
    }
    out
}

/// The number in carried limbs, which is below 2^256.
pub(crate) fn words(a: Limbs) -> U256 {
    let mut out = [0; 4];
    for (i, limb) in a.into_iter().enumerate() {
        let (word, shift) = (BITS as usize * i / 64, BITS * i as u32 % 64);
        out[word] |= (limb as u64) << shift;
        if shift > 64 - BITS && word < 3 {
            out[word + 1] |= limb as u64 >> (64 - shift);
        }
    }
    out
}

/// 4 M in limbs that are above what is subtracted from them: limbs 0 to 7 are from 3 * 2^29 - 3 to
/// 2^31, and what they are too large is taken from the next.
const fn spread_four(m: U256) -> Limbs {
    let m = limbs(m);
    let mut out = [0; LIMBS];
    let mut carry = 0;
    let mut i = 0;
    while i < LIMBS {
        let t = m[i] as u64 * 4 + carry;
        if i < LIMBS - 1 {
            let low = (t as u32) & LIMB;
            out[i] = if i == 0 { low + 3 * (1 << BITS) } else { low + 3 * (1 << BITS) - 3 };
            carry = t >> BITS;
        } else {
            out[i] = t as u32 - 3;
        }
        i += 1;
    }
    out
}

/// A multiple of M in columns 3 to 11, none of which is below 2^39.
const fn bias(m: U256) -> [u64; LIMBS] {
    // The sum of 2^(29 i), i from 0 to 8, times 2^39; what it lacks to a multiple of M is added.
    let mut ones = [0; 4];
    let mut i = 0;
    while i < LIMBS {
        ones[BITS as usize * i / 64] |= 1 << (BITS * i as u32 % 64);
        i += 1;
    }
    let rest = limbs(sub(m, double(ones, 39, m)).0);
    let mut out = [0; LIMBS];
    let mut i = 0;
    while i < LIMBS {
        out[i] = (1 << 39) + rest[i] as u64;
        i += 1;
    }
    out
}

/// A modulus as the vectors of 32-bit lanes see it.
pub(crate) trait Modulus29: Modulus {
    const FORM29: Form;
    const LIMBS29: Limbs = limbs(Self::M);
    /// 4 M, to be subtracted from limb by limb.
    const FOUR: Limbs = spread_four(Self::M);
    /// Keeps columns positive from which multiples of a quotient digit are taken.
    const BIAS: [u64; LIMBS] = bias(Self::M);
    /// 2^261 mod M: one.
    const ONE29: Limbs = limbs(double(Self::R1, 5, Self::M));
    /// 2^521 mod M: brings the double of a number into Montgomery form.
    const ENTER_DOUBLED: Limbs = limbs(double(Self::R2, 9, Self::M));
    /// 2^783 mod M: turns the inverse of a Montgomery form into the Montgomery form of the inverse.
    const ENTER_TWICE29: Limbs = limbs(double(Self::R3, 15, Self::M));
}

impl Modulus29 for P256Prime {
    const FORM29: Form = Form::P256Prime;
}

impl Modulus29 for Sm2Prime {
    const FORM29: Form = Form::Sm2Prime;
}

impl Modulus29 for P256Order {
    const FORM29: Form = Form::Order;
}

impl Modulus29 for Sm2Order {
    const FORM29: Form = Form::Order;
}
