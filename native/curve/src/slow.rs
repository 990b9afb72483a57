//! The complete path: plain double-and-add with every exception handled, no tables. It decides what the fast paths
//! cannot, and is the oracle they are tested against.

use crate::arith::from_be;
use crate::point::{Affine, multiply_two};
use crate::spec::Spec;
use crate::task::{ecdsa, in_range, matches, sm2};
use crate::{Curve, Job};

pub(crate) fn verify<C: Spec>(job: &Job) -> bool {
    let Some((r, s)) = in_range::<C>(job) else {
        return false;
    };
    let e = from_be(&job.e);
    let equation = match C::CURVE {
        Curve::P256 => ecdsa::<C>(e, r, s),
        Curve::Sm2 => match sm2::<C>(e, r, s) {
            Some(equation) => equation,
            None => return false,
        },
    };
    let key = job.table.public_key().point::<C>();
    let sum = multiply_two(Affine::generator(), equation.base, key, equation.key);
    !sum.is_infinity() && matches::<C>(sum.x, sum.zz, equation.expected)
}
