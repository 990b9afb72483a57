//! Public keys. They are checked at construction: a `PublicKey` is a finite point on its curve.

use core::fmt;

use crate::math::arith::{U256, from_be, less};
use crate::math::curve::{Curve, P256, Sm2, Spec};
use crate::math::field::{Modulus, Residue};
use crate::math::point::Affine;

/// A finite point on one of the two curves. Both groups have prime order, so no subgroup check is
/// needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey {
    curve: Curve,
    x: U256,
    y: U256,
}

/// Why 64 bytes are not a public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// A coordinate is not below the field's prime.
    CoordinateRange,
    /// The point does not satisfy the curve's equation. Infinity, written as (0, 0), gives this
    /// error too.
    NotOnCurve,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CoordinateRange => {
                "a coordinate of the public key is not below the prime of its field"
            }
            Self::NotOnCurve => "the public key is not a point of its curve",
        })
    }
}

impl std::error::Error for KeyError {}

impl PublicKey {
    /// The point (x, y), both big-endian.
    ///
    /// # Errors
    /// `KeyError` if a coordinate is not below p, or the point is not on the curve.
    pub fn new(curve: Curve, x: &[u8; 32], y: &[u8; 32]) -> Result<Self, KeyError> {
        let (x, y) = (from_be(x), from_be(y));
        match curve {
            Curve::P256 => check::<P256>(x, y)?,
            Curve::Sm2 => check::<Sm2>(x, y)?,
        }
        Ok(Self { curve, x, y })
    }

    pub fn curve(&self) -> Curve {
        self.curve
    }

    pub(crate) fn point<C: Spec>(&self) -> Affine<C> {
        debug_assert!(self.curve == C::CURVE);
        Affine { x: Residue::new(self.x), y: Residue::new(self.y) }
    }
}

fn check<C: Spec>(x: U256, y: U256) -> Result<(), KeyError> {
    let p = <C::Prime as Modulus>::M;
    if !less(x, p) || !less(y, p) {
        return Err(KeyError::CoordinateRange);
    }
    let point = Affine::<C> { x: Residue::new(x), y: Residue::new(y) };
    if point.on_curve() { Ok(()) } else { Err(KeyError::NotOnCurve) }
}
