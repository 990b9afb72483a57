//! From a job to what the sums need: two recoded scalars and the x that is expected. This file owns the equations of
//! both schemes and their range checks; the paths only add points.

use crate::arith::{U256, add, from_be, is_zero, less};
use crate::digits::Recoded;
use crate::field::{Modulus, Residue, invert_all};
use crate::spec::{Field, Scalar, Spec};
use crate::table::KeyTable;
use crate::{Curve, Job};

/// What a path says of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Refused,
    Accepted,
    /// The path met a pair of points it cannot add: the slow path must decide.
    Undecided,
}

impl From<bool> for Verdict {
    fn from(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Refused }
    }
}

/// One signature ready for a path: accept when (base * G + key * Q).x mod n is `expected`.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) table: &'a KeyTable,
    pub(crate) base: Recoded,
    pub(crate) key: Recoded,
    pub(crate) expected: U256,
    /// Out of range: its scalars are harmless stand-ins, and its verdict is no.
    pub(crate) refused: bool,
}

/// A signature's scalars (u1, u2) or (s, t), and the x expected of the sum.
pub(crate) struct Equation<C: Spec> {
    pub(crate) base: Scalar<C>,
    pub(crate) key: Scalar<C>,
    pub(crate) expected: U256,
}

/// r and s when both are in 1..n.
pub(crate) fn in_range<C: Spec>(job: &Job) -> Option<(U256, U256)> {
    let (r, s) = (from_be(&job.r), from_be(&job.s));
    let order = <C::Order as Modulus>::M;
    let good = |a: U256| !is_zero(a) && less(a, order);
    (good(r) && good(s)).then_some((r, s))
}

/// ECDSA (FIPS 186-5, 6.4.2): u1 = e / s, u2 = r / s; x mod n must be r.
#[inline(always)]
pub(crate) fn ecdsa<C: Spec>(e: U256, r: U256, s_inverse: Scalar<C>) -> Equation<C> {
    Equation { base: Residue::new(e) * s_inverse, key: Residue::new(r) * s_inverse, expected: r }
}

/// SM2 (GB/T 32918.2, 7.1): t = r + s, not 0; e + x mod n must be r.
#[inline(always)]
pub(crate) fn sm2<C: Spec>(e: U256, r: U256, s: U256) -> Option<Equation<C>> {
    let (base, r) = (Scalar::<C>::new(s), Scalar::<C>::new(r));
    let key = r + base;
    let expected = (r - Residue::new(e)).value();
    (!key.is_zero()).then_some(Equation { base, key, expected })
}

/// Fills `tasks` from jobs. ECDSA shares one inversion of s among all of them.
pub(crate) fn prepare<'a, C: Spec>(jobs: &[&Job<'a>], tasks: &mut Vec<Task<'a>>) {
    let mut inverses = Vec::new();
    if C::CURVE == Curve::P256 {
        // A refused job must not poison the shared inversion.
        let s = |job: &&Job| in_range::<C>(job).map_or(Residue::ONE, |(_, s)| Scalar::<C>::new(s));
        inverses.extend(jobs.iter().map(s));
        let invertible = invert_all(&mut inverses, &mut Vec::new());
        debug_assert!(invertible);
    }
    tasks.clear();
    for (i, job) in jobs.iter().enumerate() {
        let e = from_be(&job.e);
        let equation = in_range::<C>(job).and_then(|(r, s)| match C::CURVE {
            Curve::P256 => Some(ecdsa::<C>(e, r, inverses[i])),
            Curve::Sm2 => sm2::<C>(e, r, s),
        });
        tasks.push(match equation {
            Some(equation) => Task {
                table: job.table,
                base: Recoded::new::<C::Order>(equation.base.value()),
                key: Recoded::new::<C::Order>(equation.key.value()),
                expected: equation.expected,
                refused: false,
            },
            None => Task {
                table: job.table,
                base: Recoded::new::<C::Order>([1, 0, 0, 0]),
                key: Recoded::new::<C::Order>([1, 0, 0, 0]),
                expected: [0; 4],
                refused: true,
            },
        });
    }
}

/// The other x below p that is `expected` mod n, where there is one.
#[inline(always)]
pub(crate) fn second_candidate<C: Spec>(expected: U256) -> Option<U256> {
    let (second, carry) = add(expected, <C::Order as Modulus>::M);
    (carry == 0 && less(second, <C::Prime as Modulus>::M)).then_some(second)
}

/// Whether X / ZZ mod n is `expected`, without an inversion. ZZ is not zero.
pub(crate) fn matches<C: Spec>(x: Field<C>, zz: Field<C>, expected: U256) -> bool {
    let equal = |candidate| Field::<C>::new(candidate) * zz == x;
    equal(expected) || second_candidate::<C>(expected).is_some_and(equal)
}
