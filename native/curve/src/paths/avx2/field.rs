//! Eight residues at once in nine limbs of 29 bits, Montgomery form with R = 2^261. Integers alone:
//! nothing here depends on the floating-point mode.
//!
//! Eight lanes of 32 bits hold a limb of eight residues; the multiplier takes four at a time, the
//! even lanes and then the odd ones. Three types keep apart what may be done:
//! * `Sum`: limbs from -2^31 to 2^31, to be added to, never multiplied;
//! * `Factor`: limbs from 0 to 2^31.4, to be multiplied with a carried one;
//! * `Element`: carried limbs, from 0 to 2^29 (and a little), the top one apart.
//!
//! A column of a product is the sum of at most nine products of 2^31.4 * 2^29, so below 2^63.6;
//! what reduction and carries add is below 2^59. Products of `a` and `b` come out below
//! p + a b / 2^261, which for factors up to 7 p and 1.5 p is below 1.4 p. `Sum::settle` brings sums
//! to a number from -2^226 to 2^256 + 2^230.

use super::vector::{Isa, Mask, Vector};
use crate::math::arith::{U256, reduce_once};
use crate::math::field::Residue;
use crate::math::inverse;
use crate::math::modulus29::{BITS, LIMB, LIMBS, Limbs, Modulus29, limbs, words};
use crate::math::modulus52::Form;

const SHIFT: i32 = BITS as i32;

pub(crate) type Nine = [Vector; LIMBS];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum(pub(crate) Nine);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor(Nine);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Element(pub(crate) Nine);

/// Arrays are mapped by a macro: closures and loops are not always inlined and unrolled.
macro_rules! nine {
    (|$i:ident| $value:expr) => {{
        macro_rules! at {
            ($place:literal) => {{
                const $i: usize = $place;
                $value
            }};
        }
        [at!(0), at!(1), at!(2), at!(3), at!(4), at!(5), at!(6), at!(7), at!(8)]
    }};
}

/// The statements of a macro, for each place.
macro_rules! for_nine {
    ($at:ident) => {
        $at!(0);
        $at!(1);
        $at!(2);
        $at!(3);
        $at!(4);
        $at!(5);
        $at!(6);
        $at!(7);
        $at!(8);
    };
}

#[inline(always)]
fn constant(isa: Isa, a: Limbs) -> Nine {
    nine!(|I| Vector::splat(isa, a[I]))
}

impl Sum {
    #[inline(always)]
    pub(crate) fn plus(self, b: impl Into<Self>) -> Self {
        let b = b.into();
        Self(nine!(|I| self.0[I].add(b.0[I])))
    }

    #[inline(always)]
    pub(crate) fn minus(self, b: impl Into<Self>) -> Self {
        let b = b.into();
        Self(nine!(|I| self.0[I].sub(b.0[I])))
    }

    /// Turned in sign in the lanes where `signs` is negative; 0 is no sign.
    #[inline(always)]
    pub(crate) fn turn(self, signs: Vector) -> Self {
        Self(nine!(|I| self.0[I].turn(signs)))
    }

    /// 4 p more, so that no limb and no value is negative.
    #[inline(always)]
    pub(crate) fn factor<M: Modulus29>(self, isa: Isa) -> Factor {
        Factor::checked(isa, self.plus(Sum(constant(isa, M::FOUR))).0)
    }

    /// 4 p minus this.
    #[inline(always)]
    pub(crate) fn minus_factor<M: Modulus29>(self, isa: Isa) -> Factor {
        Factor::checked(isa, Sum(constant(isa, M::FOUR)).minus(self).0)
    }

    /// The same residue from -2^226 to 2^256 + 2^230, in limbs from -2^24 to 2^29 + 2^24, the top
    /// one below 2^24. Each limb passes its carry to the next and no further, which leaves -4 to
    /// 2^29 + 3.
    #[inline(always)]
    pub(crate) fn settle<M: Modulus29>(self, isa: Isa) -> Self {
        let mask = Vector::splat(isa, LIMB);
        let t = self.0;
        let mut out = nine!(|I| {
            if I == 0 {
                t[0].and(mask)
            } else {
                let own = if I == LIMBS - 1 { t[I] } else { t[I].and(mask) };
                own.add(t[I.wrapping_sub(1)].right_signed::<SHIFT>())
            }
        });
        // 2^256 = 2^256 - p mod p.
        let q = out[8].right_signed::<24>();
        out[8] = out[8].and(Vector::splat(isa, (1 << 24) - 1));
        out[0] = out[0].add(q);
        match M::FORM29 {
            Form::P256Prime => {
                out[3] = out[3].sub(q.left::<9>());
                out[6] = out[6].sub(q.left::<18>());
            }
            Form::Sm2Prime => {
                out[2] = out[2].sub(q.left::<6>());
                out[3] = out[3].add(q.left::<9>());
            }
            Form::Order => unreachable!("scalars are only multiplied"),
        }
        out[7] = out[7].add(q.left::<21>());
        Self(out)
    }
}

impl Factor {
    /// In debug builds, that no limb is negative or above its bound.
    #[inline(always)]
    fn checked(_: Isa, limbs: Nine) -> Self {
        debug_assert!(
            limbs.iter().all(|limb| limb
                .lanes()
                .0
                .iter()
                .all(|&limb| limb < (1 << 31) + (3 << 28))),
            "a factor's limb is negative or too large"
        );
        Self(limbs)
    }

    /// Carried by one limb, which leaves at most 2^29 + 7.
    #[inline(always)]
    pub(crate) fn carry(self, isa: Isa) -> Element {
        let mask = Vector::splat(isa, LIMB);
        let t = self.0;
        Element(nine!(|I| {
            if I == 0 {
                t[0].and(mask)
            } else {
                let own = if I == LIMBS - 1 { t[I] } else { t[I].and(mask) };
                own.add(t[I.wrapping_sub(1)].right::<SHIFT>())
            }
        }))
    }

    #[inline(always)]
    pub(crate) fn replace(self, lanes: Vector, b: Element) -> Self {
        Self(nine!(|I| self.0[I].replace(lanes, b.0[I])))
    }
}

impl Element {
    #[inline(always)]
    pub(crate) fn constant(isa: Isa, a: Limbs) -> Self {
        Self(constant(isa, a))
    }

    /// Twice the numbers of the rows: a table entry has R = 2^260, and so has the form it needs.
    #[inline(always)]
    pub(crate) fn doubled(isa: Isa, rows: [&U256; 8]) -> Self {
        let w = Vector::transpose(isa, rows);
        let mask = Vector::splat(isa, LIMB);
        macro_rules! limb {
            ($low:literal, $right:literal, $left:literal) => {
                w[$low].right::<$right>().or(w[$low + 1].left::<$left>()).and(mask)
            };
        }
        // Limb i begins at bit 29 i - 1.
        Self([
            w[0].left::<1>().and(mask),
            limb!(0, 28, 4),
            limb!(1, 25, 7),
            limb!(2, 22, 10),
            limb!(3, 19, 13),
            limb!(4, 16, 16),
            limb!(5, 13, 19),
            limb!(6, 10, 22),
            w[7].right::<7>(),
        ])
    }

    /// Copies `b` limb by limb. As a whole, nine vectors are copied by a call of memcpy, whose
    /// wider loads wait for the stores before them, a quarter of a multiplication.
    #[inline(always)]
    pub(crate) fn set(&mut self, b: &Self) {
        macro_rules! at {
            ($place:literal) => {
                self.0[$place] = b.0[$place];
            };
        }
        for_nine!(at);
    }

    #[inline(always)]
    pub(crate) fn rotate<const COUNT: usize>(self, isa: Isa) -> Self {
        Self(nine!(|I| self.0[I].rotate::<COUNT>(isa)))
    }

    /// The limbs of a factor as they are.
    #[cfg(test)]
    pub(crate) fn from_limbs(a: Factor) -> Self {
        Self(a.0)
    }

    /// The limbs of a lane.
    #[inline(always)]
    pub(crate) fn lane(&self, lane: usize) -> Limbs {
        nine!(|I| self.0[I].lanes().0[lane])
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
        Self(a.0)
    }
}

/// What may be multiplied.
pub(crate) trait Operand {
    fn limbs(&self) -> &Nine;
}

impl Operand for Factor {
    #[inline(always)]
    fn limbs(&self) -> &Nine {
        &self.0
    }
}

impl Operand for Element {
    #[inline(always)]
    fn limbs(&self) -> &Nine {
        &self.0
    }
}

/// The even and the odd lanes, in lanes of 64 bits whose low 32 are a limb.
#[inline(always)]
fn halves(a: &Nine) -> [Nine; 2] {
    [*a, nine!(|I| a[I].odd())]
}

// A product is added up row by row in nine columns on their way, of which place 0 is the lowest
// that is not yet reduced: nine sums and a limb fit the registers.

/// Adds the products of a limb with all limbs.
#[inline(always)]
fn add_row(columns: &mut Nine, a: &Nine, b: Vector) {
    macro_rules! at {
        ($place:literal) => {
            columns[$place] = columns[$place].add_wide(a[$place].times(b));
        };
    }
    for_nine!(at);
}

/// The same of a square: the products of limb I with itself and, doubled, with the higher limbs.
#[inline(always)]
fn add_square_row<const I: usize>(columns: &mut Nine, a: &Nine, doubled: &Nine) {
    macro_rules! at {
        ($place:literal) => {
            if $place + I < LIMBS {
                let other = if $place == 0 { a } else { doubled };
                let product = a[I].times(other[($place + I) % LIMBS]);
                columns[($place + I) % LIMBS] = columns[($place + I) % LIMBS].add_wide(product);
            }
        };
    }
    for_nine!(at);
}

/// What a reduction needs beside its columns.
struct Constants {
    mask: Vector,
    zero: Vector,
    /// Limbs 7 and 8 of a prime.
    top: [Vector; 2],
}

impl Constants {
    #[inline(always)]
    fn new(isa: Isa) -> Self {
        Self {
            mask: Vector::splat_wide(isa, LIMB as u64),
            zero: Vector::zero(isa),
            // Both primes have 2^256 - 2^224: 2^24 - 1 in limb 8, and 2^29 - 2^21 in limb 7. What
            // the compiler knew, it would multiply by in shifts and subtractions.
            top: [
                core::hint::black_box(Vector::splat_wide(isa, (1 << 29) - (1 << 21))),
                core::hint::black_box(Vector::splat_wide(isa, (1 << 24) - 1)),
            ],
        }
    }
}

/// Adds the multiple of M that clears column 0, and moves on by a column. Both primes are -1 modulo
/// 2^29: their digit is the limb itself and clears it, so that only the terms of M + 1 are left.
#[inline(always)]
fn reduce<M: Modulus29, const I: usize>(isa: Isa, c: &mut Nine, constants: &Constants) {
    let Constants { mask, zero, top } = constants;
    let carry;
    match M::FORM29 {
        Form::P256Prime | Form::Sm2Prime => {
            let digit = c[0].and(*mask);
            carry = c[0].right_wide::<SHIFT>();
            if matches!(M::FORM29, Form::P256Prime) {
                c[3] = c[3].add_wide(digit.left_wide::<9>());
                c[6] = c[6].add_wide(digit.left_wide::<18>());
            } else {
                c[2] = c[2].add_wide(digit.left_wide::<6>());
                let bias = Vector::splat_wide(isa, M::BIAS[I]);
                c[3] = c[3].add_wide(bias).sub_wide(digit.left_wide::<9>());
            }
            c[7] = c[7].add_wide(digit.times(top[0]));
            c[8] = c[8].add_wide(digit.times(top[1]));
        }
        Form::Order => {
            let n0 = M::N0 & LIMB as u64;
            let digit = c[0].times(Vector::splat_wide(isa, n0)).and(*mask);
            macro_rules! at {
                ($place:literal) => {
                    let limb = Vector::splat_wide(isa, M::LIMBS29[$place] as u64);
                    c[$place] = c[$place].add_wide(digit.times(limb));
                };
            }
            for_nine!(at);
            carry = c[0].right_wide::<SHIFT>();
        }
    }
    *c = [c[1].add_wide(carry), c[2], c[3], c[4], c[5], c[6], c[7], c[8], *zero];
}

/// The columns of a half: rows as `$row` adds them, each followed by its reduction, and the carries
/// of what is left.
macro_rules! reduced {
    ($isa:ident, $m:ty, |$columns:ident, $i:ident| $row:expr) => {{
        let constants = Constants::new($isa);
        let mut columns = [constants.zero; LIMBS];
        macro_rules! at {
            ($place:literal) => {{
                const $i: usize = $place;
                let $columns = &mut columns;
                $row;
            }
            reduce::<$m, $place>($isa, &mut columns, &constants);};
        }
        for_nine!(at);
        macro_rules! at {
            ($place:literal) => {
                if $place < LIMBS - 1 {
                    let carry = columns[$place].right_wide::<SHIFT>();
                    columns[($place + 1) % LIMBS] = columns[($place + 1) % LIMBS].add_wide(carry);
                }
            };
        }
        for_nine!(at);
        columns
    }};
}

/// The limbs of both halves, of which all but the top one have bits too many.
#[inline(always)]
fn join(isa: Isa, even: Nine, odd: Nine) -> Nine {
    let limb = Vector::splat(isa, LIMB);
    nine!(|I| {
        let both = even[I].interleave(odd[I].left_wide::<32>());
        if I == LIMBS - 1 { both } else { both.and(limb) }
    })
}

// These are called and not inlined, with their operands in memory, where the multiplier can read
// them: there is one copy of each for a modulus, and a small one.

#[inline(always)]
fn product_of<M: Modulus29>(isa: Isa, a: &Nine, b: &Nine) -> Nine {
    isa.call(
        #[inline(always)]
        || {
            let (a, b) = (halves(a), halves(b));
            let even = reduced!(isa, M, |columns, I| add_row(columns, &a[0], b[0][I]));
            let odd = reduced!(isa, M, |columns, I| add_row(columns, &a[1], b[1][I]));
            join(isa, even, odd)
        },
    )
}

#[inline(always)]
fn products_of<M: Modulus29>(isa: Isa, a: &Nine, b: &Nine, c: &Nine, d: &Nine) -> Nine {
    isa.call(
        #[inline(always)]
        || {
            let (a, b, c, d) = (halves(a), halves(b), halves(c), halves(d));
            macro_rules! half {
                ($half:literal) => {
                    reduced!(isa, M, |columns, I| {
                        add_row(columns, &a[$half], b[$half][I]);
                        add_row(columns, &c[$half], d[$half][I]);
                    })
                };
            }
            join(isa, half!(0), half!(1))
        },
    )
}

#[inline(always)]
fn square_of<M: Modulus29>(isa: Isa, a: &Nine) -> Nine {
    isa.call(
        #[inline(always)]
        || {
            let a = halves(a);
            macro_rules! half {
                ($half:literal) => {{
                    let a = &a[$half];
                    let doubled = nine!(|I| a[I].add_wide(a[I]));
                    reduced!(isa, M, |columns, I| add_square_row::<I>(columns, a, &doubled))
                }};
            }
            join(isa, half!(0), half!(1))
        },
    )
}

/// `a * b`. Not both may be wide factors.
#[inline(always)]
pub(crate) fn multiply<M: Modulus29>(isa: Isa, a: &impl Operand, b: &impl Operand) -> Element {
    Element(product_of::<M>(isa, a.limbs(), b.limbs()))
}

/// `a * b + c * d`, of which `c` may be a wide factor and the others are carried.
#[inline(always)]
pub(crate) fn multiply_two<M: Modulus29>(
    isa: Isa,
    (a, b): (&Element, &Element),
    (c, d): (&Factor, &Element),
) -> Element {
    Element(products_of::<M>(isa, &a.0, &b.0, &c.0, &d.0))
}

/// `a^2`.
#[inline(always)]
pub(crate) fn square<M: Modulus29>(isa: Isa, a: &Element) -> Element {
    Element(square_of::<M>(isa, &a.0))
}

/// The numbers, out of Montgomery form: at most M, so that zero can come out as M. What `BIAS` adds
/// to columns makes that M + 2^98 for SM2's prime: a number below 2^98 can come out greater by M.
#[inline(always)]
pub(crate) fn plain<M: Modulus29>(isa: Isa, a: &impl Operand) -> Element {
    let mut one = [0; LIMBS];
    one[0] = 1;
    multiply::<M>(isa, a, &Element::constant(isa, one))
}

/// All ones in the lanes that are zero mod M.
#[inline(always)]
pub(crate) fn zero_lanes<M: Modulus29>(isa: Isa, a: &impl Operand) -> Vector {
    let plain = plain::<M>(isa, a).0;
    let m = constant(isa, M::LIMBS29);
    let any = |a: Nine| {
        let (low, high) = (a[0].or(a[1]).or(a[2].or(a[3])), a[4].or(a[5]).or(a[6].or(a[7])));
        low.or(high).or(a[8])
    };
    let zero = Vector::zero(isa);
    any(plain).equal(zero).or(any(nine!(|I| plain[I].xor(m[I]))).equal(zero))
}

#[inline(always)]
pub(crate) fn mask_of(lanes: Vector) -> Mask {
    lanes.tops()
}

/// The inverses of eight residues with one scalar inversion, or `None` when one of them is zero.
#[inline(always)]
pub(crate) fn invert<M: Modulus29>(isa: Isa, a: &Element) -> Option<Element> {
    let four = a.rotate::<4>(isa);
    let pairs = multiply::<M>(isa, a, &four);
    let two = pairs.rotate::<2>(isa);
    let quarters = multiply::<M>(isa, &pairs, &two);
    let one = quarters.rotate::<1>(isa);
    let all = multiply::<M>(isa, &quarters, &one);
    let others = multiply::<M>(isa, &four, &two);
    let others = multiply::<M>(isa, &others, &one);
    let inverse = Element::constant(isa, invert_lane::<M>(all.lane(0))?);
    let inverse = multiply::<M>(isa, &inverse, &Element::constant(isa, M::ENTER_TWICE29));
    Some(multiply::<M>(isa, &inverse, &others))
}

/// The inverse mod M of a number below 2 M; `None` for zero.
fn invert_lane<M: Modulus29>(mut a: Limbs) -> Option<Limbs> {
    // 2 M may need one bit more than 256.
    let carry = (a[8] >> 24) as u64;
    a[8] &= (1 << 24) - 1;
    let a = reduce_once(words(a), carry, M::M);
    if Residue::<M>::from_montgomery(a).is_zero() {
        return None;
    }
    Some(limbs(inverse::invert(a, M::M, M::N0.wrapping_neg())))
}

/// The numbers of the lanes, which are below 2^256.
#[inline(always)]
pub(crate) fn numbers(a: Element) -> [U256; 8] {
    let limbs = nine!(|I| a.0[I].lanes());
    core::array::from_fn(|lane| words(limbs.map(|limb| limb.0[lane])))
}
