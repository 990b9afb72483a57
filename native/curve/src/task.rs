//! Turns a job into what a path needs: two recoded scalars and the expected x. This file owns the
//! equations and the range checks of both schemes; the paths only add points.

use crate::math::arith::{U256, add, add_mod, from_be, is_zero, less, reduce_once, sub_mod};
use crate::math::curve::{Curve, Field, Scalar, Spec};
use crate::math::digits::Recoded;
use crate::math::field::{Modulus, invert_all};
use crate::tables::KeyTable;

/// One signature to verify. e, r and s are big-endian; they need not be in range.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    pub table: &'a KeyTable,
    pub e: [u8; 32],
    pub r: [u8; 32],
    pub s: [u8; 32],
}

/// A path's result for one task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Refused,
    Accepted,
    /// The sum met a pair of points that the path cannot add: the slow path must decide.
    Undecided,
}

impl From<bool> for Verdict {
    fn from(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Refused }
    }
}

/// One signature, ready for a path: it is valid if (base * G + key * Q).x mod n is `expected`.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) table: &'a KeyTable,
    pub(crate) base: Recoded,
    pub(crate) key: Recoded,
    pub(crate) expected: U256,
    /// r, s or r + s is out of range. The scalars are harmless stand-ins; the verdict is Refused.
    pub(crate) refused: bool,
}

/// The scalars of a signature, (u1, u2) in ECDSA and (s, t) in SM2, and the expected x of the sum.
pub(crate) struct Equation {
    pub(crate) base: U256,
    pub(crate) key: U256,
    pub(crate) expected: U256,
}

/// r and s, if both are at least 1 and below n.
pub(crate) fn in_range<C: Spec>(job: &Job) -> Option<(U256, U256)> {
    let (r, s) = (from_be(&job.r), from_be(&job.s));
    let order = <C::Order as Modulus>::M;
    let good = |a: U256| !is_zero(a) && less(a, order);
    (good(r) && good(s)).then_some((r, s))
}

/// ECDSA (FIPS 186-5, 6.4.2): u1 = e / s, u2 = r / s; x mod n must be r.
pub(crate) fn ecdsa<C: Spec>(e: U256, r: U256, s: U256) -> Equation {
    let s_inverse = Scalar::<C>::new(s).invert();
    let over_s = |a| (Scalar::<C>::new(a) * s_inverse).value();
    Equation { base: over_s(e), key: over_s(r), expected: r }
}

/// SM2 (GB/T 32918.2, 7.1): t = r + s mod n must not be 0; (e + x) mod n must be r.
#[inline(always)]
pub(crate) fn sm2<C: Spec>(e: U256, r: U256, s: U256) -> Option<Equation> {
    let order = <C::Order as Modulus>::M;
    let key = add_mod(r, s, order);
    let expected = sub_mod(r, reduce_once(e, 0, order), order);
    (!is_zero(key)).then_some(Equation { base: s, key, expected })
}

/// Fills `tasks` from `jobs`. `divide` computes the quotients of ECDSA for all jobs at once: it
/// replaces each (e, r, s), where s is not 0 mod n, by (e / s, r / s).
pub(crate) fn prepare<'a, C: Spec>(
    jobs: &[&Job<'a>],
    tasks: &mut Vec<Task<'a>>,
    divide: impl FnOnce(&mut [[U256; 3]]),
) {
    // The shared inversion multiplies all s, so a job that is out of range gets an invertible s.
    const HARMLESS: U256 = [1, 0, 0, 0];
    let mut quotients: Vec<[U256; 3]> = Vec::new();
    if C::CURVE == Curve::P256 {
        quotients.extend(jobs.iter().map(|job| {
            let (r, s) = in_range::<C>(job).unwrap_or((HARMLESS, HARMLESS));
            [from_be(&job.e), r, s]
        }));
        divide(&mut quotients);
    }
    tasks.clear();
    tasks.extend(jobs.iter().enumerate().map(|(i, job)| {
        let equation = in_range::<C>(job).and_then(|(r, s)| match C::CURVE {
            Curve::P256 => {
                Some(Equation { base: quotients[i][0], key: quotients[i][1], expected: r })
            }
            Curve::Sm2 => sm2::<C>(from_be(&job.e), r, s),
        });
        let refused = equation.is_none();
        let harmless = Equation { base: HARMLESS, key: HARMLESS, expected: HARMLESS };
        let Equation { base, key, expected } = equation.unwrap_or(harmless);
        Task {
            table: job.table,
            base: Recoded::new::<C::Order>(base),
            key: Recoded::new::<C::Order>(key),
            expected,
            refused,
        }
    }));
}

/// The scalar code's `divide`. Each number is read as if it already were a Montgomery form, which
/// saves the conversion: the form s stands for s / R; its inverse R / s has the form R^2 / s; and
/// the Montgomery product of e and that form is e / s * R, the form of e / s.
pub(crate) fn divide<C: Spec>(quotients: &mut [[U256; 3]]) {
    let form = |a: U256| Scalar::<C>::from_montgomery(reduce_once(a, 0, <C::Order as Modulus>::M));
    let mut inverses: Vec<_> = quotients.iter().map(|&[_, _, s]| form(s)).collect();
    let invertible = invert_all(&mut inverses, &mut Vec::new());
    debug_assert!(invertible);
    for ([e, r, _], inverse) in quotients.iter_mut().zip(inverses) {
        *e = (form(*e) * inverse).value();
        *r = (form(*r) * inverse).value();
    }
}

/// The other x below p that is `expected` mod n, if there is one (expected + n).
#[inline(always)]
pub(crate) fn second_candidate<C: Spec>(expected: U256) -> Option<U256> {
    let (second, carry) = add(expected, <C::Order as Modulus>::M);
    (carry == 0 && less(second, <C::Prime as Modulus>::M)).then_some(second)
}

/// Whether X / ZZ mod n is `expected`; needs no inversion. ZZ must not be zero.
pub(crate) fn matches<C: Spec>(x: Field<C>, zz: Field<C>, expected: U256) -> bool {
    let equal = |candidate| Field::<C>::new(candidate) * zz == x;
    equal(expected) || second_candidate::<C>(expected).is_some_and(equal)
}
