//! Eight residues at once, in five limbs of 52 bits, in Montgomery form with R = 2^260.
//!
//! The multiplier reads only the low 52 bits of a lane, so the carries of limbs must be propagated
//! before a multiplication. Three types keep track of that:
//! * `Sum`: limbs of any size and sign; can be added to, never multiplied.
//! * `Element`: limbs below 2^52.
//! * `Factor`: limbs whose low 52 bits are right and whose higher bits are undefined, except in the
//!   top limb. It saves masking a value that is only multiplied.
//!
//! All values are below 2^260, which is a little more than 16 p. A product of `a` and `b` is below
//! p + a b / 2^260, so the product of two factors below 4 p is below 2 p, and so is that of a
//! factor below 4.1 p and one below 3 p. `fold` and `settle` bring a sum below 1.001 p. N vectors
//! are processed side by side, because the dependency chain of one vector is longer than the
//! processor's reorder window.

use super::vector::{Isa, Lanes, Mask, Vector};
use crate::math::arith::{U256, reduce_once};
use crate::math::field::Residue;
use crate::math::inverse;
use crate::math::modulus52::{Form, LIMB, Modulus52, limbs, words};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum(pub(crate) [Vector; 5]);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Element(pub(crate) [Vector; 5]);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor(pub(crate) [Vector; 5]);

/// Maps by hand, because `array::map` that is not inlined is compiled without the instruction sets.
#[inline(always)]
fn map(a: [Vector; 5], b: [Vector; 5], f: impl Fn(Vector, Vector) -> Vector) -> [Vector; 5] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3]), f(a[4], b[4])]
}

impl Sum {
    #[inline(always)]
    pub(crate) fn zero(isa: Isa) -> Self {
        Self([Vector::zero(isa); 5])
    }

    #[inline(always)]
    pub(crate) fn constant(isa: Isa, a: [u64; 5]) -> Self {
        let splat = |i: usize| Vector::splat(isa, a[i]);
        Self([splat(0), splat(1), splat(2), splat(3), splat(4)])
    }

    #[inline(always)]
    pub(crate) fn plus(self, b: impl Into<Self>) -> Self {
        Self(map(self.0, b.into().0, Vector::add))
    }

    #[inline(always)]
    pub(crate) fn minus(self, b: impl Into<Self>) -> Self {
        Self(map(self.0, b.into().0, Vector::sub))
    }

    /// Propagates the carries: limbs below 2^52, of a value from 0 to 2^260.
    #[inline(always)]
    pub(crate) fn carry(self, isa: Isa) -> Element {
        let mut t = self.carry_factor().0;
        for limb in &mut t[..4] {
            *limb = limb.and(Vector::splat(isa, LIMB));
        }
        Element(t)
    }

    #[inline(always)]
    pub(crate) fn carry_factor(self) -> Factor {
        let mut t = self.0;
        for i in 0..4 {
            t[i + 1] = t[i + 1].add(t[i].shift_right_signed::<52>());
        }
        Factor(t).checked()
    }

    /// The same residue, between 0 and 1.001 M, of a value from 0 to 2^260. The limbs stay as large
    /// as they were. The top limb alone determines which multiple of M is subtracted: what the
    /// lower limbs hold beyond their 52 bits is at most 2^-40 of M, and the bounds leave room for
    /// that.
    #[inline(always)]
    pub(crate) fn fold<M: Modulus52>(mut self, isa: Isa) -> Self {
        fold_top::<M>(isa, &mut self.0);
        debug_assert!(
            self.0.iter().all(|limb| limb
                .lanes()
                .0
                .iter()
                .all(|&limb| (limb as i64).abs() < 1 << 61)),
            "limbs have grown too large"
        );
        debug_assert!(
            self.carry_factor().0[4].lanes().0.iter().all(|&top| top <= (1 << 48) + (1 << 22)),
            "a folded value is above its bound"
        );
        self
    }

    /// `fold`, then `carry`.
    #[inline(always)]
    pub(crate) fn settle<M: Modulus52>(self, isa: Isa) -> Element {
        self.fold::<M>(isa).carry(isa)
    }
}

impl Element {
    #[inline(always)]
    pub(crate) fn constant(isa: Isa, a: [u64; 5]) -> Self {
        Self(Sum::constant(isa, a).0)
    }

    /// From four words of 64 bits a lane.
    #[inline(always)]
    pub(crate) fn from_words(isa: Isa, w: [Vector; 4]) -> Self {
        let mask = Vector::splat(isa, LIMB);
        Self([
            w[0].and(mask),
            w[0].shift_in::<52>(w[1]).and(mask),
            w[1].shift_in::<40>(w[2]).and(mask),
            w[2].shift_in::<28>(w[3]).and(mask),
            w[3].shift_right::<16>(),
        ])
    }

    /// Four words of 64 bits a lane, of a value below 2^256.
    #[inline(always)]
    pub(crate) fn to_words(self) -> [Vector; 4] {
        let t = self.0;
        [
            t[0].or(t[1].shift_left::<52>()),
            t[1].shift_right::<12>().or(t[2].shift_left::<40>()),
            t[2].shift_right::<24>().or(t[3].shift_left::<28>()),
            t[3].shift_right::<36>().or(t[4].shift_left::<16>()),
        ]
    }

    /// M - self in the lanes of the mask, for a value of at most M.
    #[inline(always)]
    pub(crate) fn negate_lanes<M: Modulus52>(self, isa: Isa, lanes: Mask) -> Sum {
        Sum(map(self.0, Sum::constant(isa, M::LIMBS).0, |a, m| a.subtract_from(lanes, m)))
    }

    #[inline(always)]
    pub(crate) fn replace(self, lanes: Mask, b: Self) -> Self {
        Self(map(self.0, b.0, |a, b| a.replace(lanes, b)))
    }

    #[inline(always)]
    pub(crate) fn lane(&self, lane: usize) -> [u64; 5] {
        let limb = |i: usize| self.0[i].lanes().0[lane];
        [limb(0), limb(1), limb(2), limb(3), limb(4)]
    }
}

impl From<Element> for Sum {
    #[inline(always)]
    fn from(a: Element) -> Self {
        Self(a.0)
    }
}

impl From<Element> for Factor {
    #[inline(always)]
    fn from(a: Element) -> Self {
        Self(a.0).checked()
    }
}

impl Factor {
    /// Asserts in debug builds that the value is not negative and below 2^260.
    #[inline(always)]
    fn checked(self) -> Self {
        debug_assert!(
            self.0[4].lanes().0.iter().all(|&top| top <= LIMB),
            "an operand is negative or above 2^260"
        );
        self
    }

    #[inline(always)]
    pub(crate) fn rotate<const COUNT: i32>(self) -> Self {
        let t = self.0;
        Self([
            t[0].rotate::<COUNT>(),
            t[1].rotate::<COUNT>(),
            t[2].rotate::<COUNT>(),
            t[3].rotate::<COUNT>(),
            t[4].rotate::<COUNT>(),
        ])
    }

    #[inline(always)]
    pub(crate) fn element(self, isa: Isa) -> Element {
        Element(map(self.0, [Vector::splat(isa, LIMB); 5], Vector::and))
    }
}

/// One round of Montgomery reduction: adds the multiple of M that clears limb 0 of `t`, and carries
/// limb 0 into limb 1.
#[inline(always)]
fn clear_limb<M: Modulus52>(isa: Isa, t: &mut [Vector; 6]) {
    let m = t[0];
    match M::FORM {
        // p + 1 = 2^256 - 2^224 + 2^192 + 2^96, and p = -1 mod 2^52, so the quotient digit is the
        // limb itself.
        Form::P256Prime => {
            let (c1, c3) = (Vector::splat(isa, 1 << 44), Vector::splat(isa, 1 << 36));
            let c4 = Vector::splat(isa, (1 << 48) - (1 << 16));
            t[1] = t[1].add_low(m, c1).add(m.shift_right::<52>());
            t[2] = t[2].add_high(m, c1);
            t[3] = t[3].add_low(m, c3);
            t[4] = t[4].add_high(m, c3).add_low(m, c4);
            t[5] = t[5].add_high(m, c4);
        }
        // p + 1 = 2^256 - 2^224 - 2^96 + 2^64. The part 2^96 - 2^64 is taken as a borrow from
        // 2^104, so limb 2 may become negative.
        Form::Sm2Prime => {
            let c1 = Vector::splat(isa, (1 << 52) - (1 << 44) + (1 << 12));
            let c4 = Vector::splat(isa, (1 << 48) - (1 << 16));
            t[1] = t[1].add_low(m, c1).add(m.shift_right_signed::<52>());
            t[2] = t[2].add_high(m, c1).sub(m.and(Vector::splat(isa, LIMB)));
            t[4] = t[4].add_low(m, c4);
            t[5] = t[5].add_high(m, c4);
        }
        Form::Order => {
            let n0 = Vector::splat(isa, M::N0 & LIMB);
            let m = Vector::zero(isa).add_low(t[0], n0);
            for i in 0..5 {
                let limb = Vector::splat(isa, M::LIMBS[i]);
                t[i] = t[i].add_low(m, limb);
                t[i + 1] = t[i + 1].add_high(m, limb);
            }
            t[1] = t[1].add(t[0].shift_right::<52>());
        }
    }
}

/// Subtracts a multiple of M so that a value from 0 to 2^260 becomes one from 0 to 1.001 M. Only
/// for primes.
#[inline(always)]
fn fold_top<M: Modulus52>(isa: Isa, t: &mut [Vector; 5]) {
    let q = t[4].shift_right_signed::<48>();
    t[0] = t[0].add(q);
    match M::FORM {
        Form::P256Prime => {
            t[1] = t[1].sub(q.shift_left::<44>());
            t[3] = t[3].sub(q.shift_left::<36>());
        }
        Form::Sm2Prime => t[1] = t[1].add(q.shift_left::<44>()).sub(q.shift_left::<12>()),
        Form::Order => unreachable!("scalars are only multiplied"),
    }
    t[4] = t[4].and(Vector::splat(isa, (1 << 48) - 1)).add(q.shift_left::<16>());
}

/// `init + (sum of the products of the pairs) / 2^260`; carries are not propagated.
#[inline(always)]
pub(crate) fn products<M: Modulus52, const N: usize, const K: usize>(
    isa: Isa,
    init: [Sum; N],
    pairs: [(&[Factor; N], &[Factor; N]); K],
) -> [Sum; N] {
    let mut t = [[Vector::zero(isa); 10]; N];
    for n in 0..N {
        t[n][5..].copy_from_slice(&init[n].0);
    }
    for i in 0..5 {
        for (a, b) in pairs {
            for j in 0..5 {
                for n in 0..N {
                    t[n][i + j] = t[n][i + j].add_low(a[n].0[j], b[n].0[i]);
                }
                for n in 0..N {
                    t[n][i + j + 1] = t[n][i + j + 1].add_high(a[n].0[j], b[n].0[i]);
                }
            }
        }
        for t in &mut t {
            clear::<M>(isa, t, i);
        }
    }
    high(init, &t)
}

#[inline(always)]
fn high<const N: usize>(mut out: [Sum; N], t: &[[Vector; 10]; N]) -> [Sum; N] {
    for n in 0..N {
        out[n] = Sum([t[n][5], t[n][6], t[n][7], t[n][8], t[n][9]]);
    }
    out
}

#[inline(always)]
fn clear<M: Modulus52>(isa: Isa, t: &mut [Vector; 10], i: usize) {
    // The last round has no limb 10 to carry into: its sixth limb is i + 5 = 9.
    let mut window = [t[i], t[i + 1], t[i + 2], t[i + 3], t[i + 4], t[i + 5]];
    clear_limb::<M>(isa, &mut window);
    t[i..i + 6].copy_from_slice(&window);
}

/// `a * b`, as a factor of further multiplications.
#[inline(always)]
pub(crate) fn multiply<M: Modulus52, const N: usize>(
    isa: Isa,
    a: &[Factor; N],
    b: &[Factor; N],
) -> [Factor; N] {
    let sums = products::<M, N, 1>(isa, [Sum::zero(isa); N], [(a, b)]);
    let mut out = *a;
    for n in 0..N {
        out[n] = sums[n].carry_factor();
    }
    out
}

/// `init + a^2 / 2^260`; carries are not propagated. The products of different limbs are taken once
/// and doubled.
#[inline(always)]
pub(crate) fn square<M: Modulus52, const N: usize>(
    isa: Isa,
    init: [Sum; N],
    a: &[Factor; N],
) -> [Sum; N] {
    let mut t = [[Vector::zero(isa); 10]; N];
    for i in 0..5 {
        for j in i + 1..5 {
            for n in 0..N {
                t[n][i + j] = t[n][i + j].add_low(a[n].0[i], a[n].0[j]);
            }
            for n in 0..N {
                t[n][i + j + 1] = t[n][i + j + 1].add_high(a[n].0[i], a[n].0[j]);
            }
        }
    }
    for n in 0..N {
        for limb in &mut t[n][1..9] {
            *limb = limb.add(*limb);
        }
        for i in 0..5 {
            t[n][5 + i] = t[n][5 + i].add(init[n].0[i]);
        }
    }
    for i in 0..5 {
        for n in 0..N {
            t[n][2 * i] = t[n][2 * i].add_low(a[n].0[i], a[n].0[i]);
            t[n][2 * i + 1] = t[n][2 * i + 1].add_high(a[n].0[i], a[n].0[i]);
        }
    }
    for i in 0..5 {
        for t in &mut t {
            clear::<M>(isa, t, i);
        }
    }
    high(init, &t)
}

/// The numbers out of Montgomery form. They are at most M, so zero can also appear as M.
#[inline(always)]
pub(crate) fn plain<M: Modulus52>(isa: Isa, a: Factor) -> Element {
    let one = Factor(Sum::constant(isa, [1, 0, 0, 0, 0]).0);
    products::<M, 1, 1>(isa, [Sum::zero(isa)], [(&[a], &[one])])[0].carry(isa)
}

/// The lanes whose value is zero mod M.
#[inline(always)]
pub(crate) fn zero_lanes<M: Modulus52>(isa: Isa, a: Factor) -> Mask {
    let plain = plain::<M>(isa, a);
    let any = |a: [Vector; 5]| a[0].or(a[1]).or(a[2]).or(a[3].or(a[4]));
    let distance = map(plain.0, Sum::constant(isa, M::LIMBS).0, Vector::sub);
    let ones = Vector::splat(isa, u64::MAX);
    any(plain.0).test_not(ones) | any(distance).test_not(ones)
}

/// The inverses of 16 residues with one scalar inversion; `None` if one of them is zero.
#[inline(always)]
pub(crate) fn invert<M: Modulus52>(isa: Isa, a: &[Factor; 2]) -> Option<[Factor; 2]> {
    let times = |a: Factor, b: Factor| multiply::<M, 1>(isa, &[a], &[b])[0];
    let pair = times(a[0], a[1]);
    let four = pair.rotate::<4>();
    let halves = times(pair, four);
    let two = halves.rotate::<2>();
    let quarters = times(halves, two);
    let one = quarters.rotate::<1>();
    let all = times(quarters, one);
    let others = times(times(four, two), one);
    let inverse = invert_lane::<M>(all.element(isa).lane(0))?;
    let inverse = Factor(Sum::constant(isa, inverse).0);
    let r3 = Factor(Sum::constant(isa, M::ENTER_TWICE).0);
    let pair_inverse = times(times(inverse, r3), others);
    Some([times(pair_inverse, a[1]), times(pair_inverse, a[0])])
}

/// The inverse mod M of a number below 2 M; `None` for zero.
fn invert_lane<M: Modulus52>(a: [u64; 5]) -> Option<[u64; 5]> {
    // A product of factors below 4 M is below 2 M, which may not fit into 256 bits.
    let carry = a[4] >> 48;
    let a = reduce_once(words([a[0], a[1], a[2], a[3], a[4] & ((1 << 48) - 1)]), carry, M::M);
    if Residue::<M>::from_montgomery(a).is_zero() {
        return None;
    }
    Some(limbs(inverse::invert(a, M::M, M::N0.wrapping_neg())))
}

#[inline(always)]
pub(crate) fn words_of(lanes: &[Lanes; 4], lane: usize) -> U256 {
    [lanes[0].0[lane], lanes[1].0[lane], lanes[2].0[lane], lanes[3].0[lane]]
}
