//! The complete path: plain double-and-add without tables, with every exception handled. It decides
//! what the fast paths cannot, and they are tested against it.

use crate::math::arith::from_be;
use crate::math::curve::{Curve, Spec};
use crate::math::point::{Affine, multiply_two};
use crate::task::{Job, ecdsa, in_range, matches, sm2};

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
