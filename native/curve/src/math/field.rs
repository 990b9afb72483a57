//! Residues modulo a 256-bit odd modulus in Montgomery form with R = 2^256, always fully reduced.
//!
//! One generic type serves both fields and both scalar rings. The two primes override the
//! reduction: they are -1 mod 2^64, so the quotient digit is the lowest word itself and multiplying
//! it by the prime takes mostly shifts and additions.

use core::marker::PhantomData;

use super::arith::{U256, adc, add_mod, is_zero, less, mac, reduce_once, sbb, sub, sub_mod};
use super::inverse;

/// A modulus above 2^255, and values that follow from it. They are associated consts because the
/// compiler does not fold a `const fn` call in a function body.
pub(crate) trait Modulus: Copy + Eq + core::fmt::Debug + Send + Sync + 'static {
    const M: U256;
    /// -M^-1 mod 2^64.
    const N0: u64 = negative_inverse(Self::M[0]);
    /// 2^256, 2^512 and 2^768 mod M.
    const R1: U256 = sub([0; 4], Self::M).0;
    const R2: U256 = double(Self::R1, 256, Self::M);
    const R3: U256 = double(Self::R2, 256, Self::M);

    /// `t / 2^256 mod M` for `t < M * 2^256`.
    #[inline(always)]
    fn reduce(mut t: [u64; 8]) -> U256 {
        let mut high = 0;
        for i in 0..4 {
            let m = t[i].wrapping_mul(Self::N0);
            let mut c = 0;
            for j in 0..4 {
                (t[i + j], c) = mac(t[i + j], m, Self::M[j], c);
            }
            (t[i + 4], high) = adc(t[i + 4], c, high);
        }
        reduce_once([t[4], t[5], t[6], t[7]], high, Self::M)
    }
}

const fn negative_inverse(m: u64) -> u64 {
    // Newton's iteration: each round doubles the number of correct low bits, starting from 3 (m * m
    // = 1 mod 8).
    let mut inverse = m;
    let mut i = 0;
    while i < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(m.wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg()
}

/// `a * 2^times mod m`.
pub(crate) const fn double(mut a: U256, times: u32, m: U256) -> U256 {
    let mut i = 0;
    while i < times {
        a = add_mod(a, a, m);
        i += 1;
    }
    a
}

/// The prime of P-256, 2^256 - 2^224 + 2^192 + 2^96 - 1 (SP 800-186, 3.2.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct P256Prime;

impl Modulus for P256Prime {
    const M: U256 = [u64::MAX, 0xffff_ffff, 0, 0xffff_ffff_0000_0001];

    #[inline(always)]
    fn reduce(mut t: [u64; 8]) -> U256 {
        let mut high = 0;
        for i in 0..4 {
            // Adds m * p with m = t[i], which clears t[i]: m * (p + 1) / 2^64 = m * (2^32 + 2^128 *
            // M[3]) is added one word up.
            let m = t[i];
            let top = m as u128 * Self::M[3] as u128;
            let c;
            (t[i + 1], c) = adc(t[i + 1], m << 32, 0);
            let (w, c) = adc(t[i + 2], m >> 32, c);
            t[i + 2] = w;
            let (w, c) = adc(t[i + 3], top as u64, c);
            t[i + 3] = w;
            (t[i + 4], high) = adc(t[i + 4], (top >> 64) as u64 + high, c);
        }
        reduce_once([t[4], t[5], t[6], t[7]], high, Self::M)
    }
}

/// The order of P-256.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct P256Order;

impl Modulus for P256Order {
    const M: U256 = [0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, u64::MAX, 0xffff_ffff_0000_0000];
}

/// The prime of SM2, 2^256 - 2^224 - 2^96 + 2^64 - 1 (GB/T 32918.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sm2Prime;

impl Modulus for Sm2Prime {
    const M: U256 = [u64::MAX, 0xffff_ffff_0000_0000, u64::MAX, 0xffff_fffe_ffff_ffff];

    #[inline(always)]
    fn reduce(mut t: [u64; 8]) -> U256 {
        let mut high = 0;
        for i in 0..4 {
            // m * (p + 1) / 2^64 = m * (2^192 - 2^160 - 2^32 + 1).
            let m = t[i];
            let (low, top) = (m << 32, m >> 32);
            let (k0, b) = sbb(m, low, 0);
            let (k1, b) = sbb(0, top, b);
            let (k2, b) = sbb(0, low, b);
            let (k3, _) = sbb(m, top, b);
            let c;
            (t[i + 1], c) = adc(t[i + 1], k0, 0);
            let (w, c) = adc(t[i + 2], k1, c);
            t[i + 2] = w;
            let (w, c) = adc(t[i + 3], k2, c);
            t[i + 3] = w;
            (t[i + 4], high) = adc(t[i + 4], k3 + high, c);
        }
        reduce_once([t[4], t[5], t[6], t[7]], high, Self::M)
    }
}

/// The order of SM2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sm2Order;

impl Modulus for Sm2Order {
    const M: U256 = [0x53bb_f409_39d5_4123, 0x7203_df6b_21c6_052b, u64::MAX, 0xffff_fffe_ffff_ffff];
}

/// A residue `a` mod M, stored as `a * 2^256 mod M`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Residue<M>(U256, PhantomData<M>);

impl<M: Modulus> Residue<M> {
    pub(crate) const ZERO: Self = Self([0; 4], PhantomData);
    pub(crate) const ONE: Self = Self(M::R1, PhantomData);

    /// The residue whose Montgomery form is `a`: a constant, or a stored value below M.
    #[inline(always)]
    pub(crate) const fn from_montgomery(a: U256) -> Self {
        debug_assert!(less(a, M::M));
        Self(a, PhantomData)
    }

    /// The residue of any 256-bit number `a`.
    #[inline(always)]
    pub(crate) fn new(a: U256) -> Self {
        Self(reduce_once(a, 0, M::M), PhantomData) * Self(M::R2, PhantomData)
    }

    /// The number itself, out of Montgomery form, below M.
    #[inline(always)]
    pub(crate) fn value(self) -> U256 {
        M::reduce([self.0[0], self.0[1], self.0[2], self.0[3], 0, 0, 0, 0])
    }

    #[inline(always)]
    pub(crate) fn montgomery(self) -> U256 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn is_zero(self) -> bool {
        is_zero(self.0)
    }

    #[inline(always)]
    pub(crate) fn double(self) -> Self {
        self + self
    }

    #[inline(always)]
    pub(crate) fn negate_if(self, yes: bool) -> Self {
        if yes { Self::ZERO - self } else { self }
    }

    #[inline(always)]
    pub(crate) fn square(self) -> Self {
        let a = self.0;
        let mut t = [0; 8];
        // The products of different words are taken once and doubled; then the squares are added.
        let mut c;
        (t[1], c) = mac(0, a[0], a[1], 0);
        (t[2], c) = mac(0, a[0], a[2], c);
        (t[3], c) = mac(0, a[0], a[3], c);
        t[4] = c;
        (t[3], c) = mac(t[3], a[1], a[2], 0);
        (t[4], c) = mac(t[4], a[1], a[3], c);
        t[5] = c;
        (t[5], c) = mac(t[5], a[2], a[3], 0);
        t[6] = c;
        t[7] = t[6] >> 63;
        for i in (2..7).rev() {
            t[i] = t[i] << 1 | t[i - 1] >> 63;
        }
        t[1] <<= 1;
        let mut c = 0;
        for i in 0..4 {
            let s = a[i] as u128 * a[i] as u128;
            (t[2 * i], c) = adc(t[2 * i], s as u64, c);
            (t[2 * i + 1], c) = adc(t[2 * i + 1], (s >> 64) as u64, c);
        }
        Self(M::reduce(t), PhantomData)
    }

    /// The inverse; the inverse of zero is zero.
    pub(crate) fn invert(self) -> Self {
        let inverse = inverse::invert(self.0, M::M, M::N0.wrapping_neg());
        Self(inverse, PhantomData) * Self(M::R3, PhantomData)
    }
}

impl<M: Modulus> core::ops::Add for Residue<M> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(add_mod(self.0, other.0, M::M), PhantomData)
    }
}

impl<M: Modulus> core::ops::Sub for Residue<M> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(sub_mod(self.0, other.0, M::M), PhantomData)
    }
}

impl<M: Modulus> core::ops::Mul for Residue<M> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let mut t = [0; 8];
        for i in 0..4 {
            let mut c = 0;
            for j in 0..4 {
                (t[i + j], c) = mac(t[i + j], self.0[j], other.0[i], c);
            }
            t[i + 4] = c;
        }
        Self(M::reduce(t), PhantomData)
    }
}

/// Replaces every element by its inverse, with one inversion in all (Montgomery's trick). Returns
/// false and changes nothing if an element is zero. `scratch` is overwritten.
#[inline(always)]
pub(crate) fn invert_all<M: Modulus>(
    values: &mut [Residue<M>],
    scratch: &mut Vec<Residue<M>>,
) -> bool {
    scratch.clear();
    let mut product = Residue::ONE;
    for &value in values.iter() {
        scratch.push(product);
        product = product * value;
    }
    if product.is_zero() {
        return false;
    }
    let mut inverse = product.invert();
    for (value, &prefix) in values.iter_mut().zip(scratch.iter()).rev() {
        let this = inverse * prefix;
        inverse = inverse * *value;
        *value = this;
    }
    true
}
