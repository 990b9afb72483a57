//! A modulus in five limbs of 52 bits for the vector code, with constants for Montgomery form with
//! R = 2^260.

use super::arith::U256;
use super::field::{Modulus, P256Order, P256Prime, Sm2Order, Sm2Prime, double};

/// The low 52 bits.
pub(crate) const LIMB: u64 = (1 << 52) - 1;

pub(crate) const fn limbs(a: U256) -> [u64; 5] {
    [
        a[0] & LIMB,
        (a[0] >> 52 | a[1] << 12) & LIMB,
        (a[1] >> 40 | a[2] << 24) & LIMB,
        (a[2] >> 28 | a[3] << 36) & LIMB,
        a[3] >> 16,
    ]
}

pub(crate) const fn words(a: [u64; 5]) -> U256 {
    [a[0] | a[1] << 52, a[1] >> 12 | a[2] << 40, a[2] >> 24 | a[3] << 28, a[3] >> 36 | a[4] << 16]
}

/// `k * M`, with carries propagated.
const fn multiple(k: u64, m: U256) -> [u64; 5] {
    let m = limbs(m);
    let mut out = [0; 5];
    let mut carry = 0;
    let mut i = 0;
    while i < 5 {
        let t = m[i] * k + carry;
        out[i] = t & LIMB;
        carry = t >> 52;
        i += 1;
    }
    out[4] += carry << 52;
    out
}

/// Which reduction a modulus allows. This is a const, so that this module need not know vectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    P256Prime,
    Sm2Prime,
    /// The order of a group has no special form.
    Order,
}

/// A modulus as the vector code needs it.
pub(crate) trait Modulus52: Modulus {
    const FORM: Form;
    const LIMBS: [u64; 5] = limbs(Self::M);
    const TWO: [u64; 5] = multiple(2, Self::M);
    const THREE: [u64; 5] = multiple(3, Self::M);
    const FIVE: [u64; 5] = multiple(5, Self::M);
    /// 2^260 mod M, which is one in Montgomery form, and 2^520 mod M, which brings a number into
    /// Montgomery form.
    const ONE: [u64; 5] = limbs(double(Self::R1, 4, Self::M));
    const ENTER: [u64; 5] = limbs(double(Self::R2, 8, Self::M));
    /// 2^780 mod M turns the inverse of a Montgomery form into the Montgomery form of the inverse.
    const ENTER_TWICE: [u64; 5] = limbs(double(Self::R3, 12, Self::M));
}

impl Modulus52 for P256Prime {
    const FORM: Form = Form::P256Prime;
}

impl Modulus52 for Sm2Prime {
    const FORM: Form = Form::Sm2Prime;
}

impl Modulus52 for P256Order {
    const FORM: Form = Form::Order;
}

impl Modulus52 for Sm2Order {
    const FORM: Form = Form::Order;
}
