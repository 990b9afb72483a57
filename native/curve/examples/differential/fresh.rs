//! Makes many signatures, each with a nonce of its own. The nonces advance by random steps whose
//! points are known, so a signature costs one point addition. The arithmetic is RustCrypto's,
//! independent of the code under test. Nothing here is secret.

use ybtoken_curve::Curve;

use crate::signatures::{Bytes, Random, Signature};

/// The number of different steps: with so many, two walks practically never meet.
const STEPS: usize = 64;

pub trait Signer {
    fn keys(&self) -> &[(Bytes, Bytes)];

    /// Sets r and s of each element to a signature of its e by its key.
    fn sign(&mut self, random: &mut Random, all: &mut [Signature]);
}

/// A signer with `keys` new keys.
pub fn signer(curve: Curve, keys: usize, random: &mut Random) -> Box<dyn Signer> {
    match curve {
        Curve::P256 => Box::new(by_p256::Walk::new(keys, random)),
        Curve::Sm2 => Box::new(by_sm2::Walk::new(keys, random)),
    }
}

macro_rules! on_curve {
    ($name:ident, $on:ident, $crate_name:ident, $factor:expr, $sign:expr) => {
        mod $name {
            use $crate_name::elliptic_curve::point::{AffineCoordinates, BatchNormalize};
            use $crate_name::{AffinePoint, ProjectivePoint, Scalar};

            use super::{Bytes, Random, STEPS, Signature, Signer};
            use crate::signatures::$on::{bytes, coordinates, scalar};

            pub struct Walk {
                keys: Vec<(Bytes, Bytes)>,
                /// d, and the value that a signature needs besides it.
                secrets: Vec<(Scalar, Scalar)>,
                steps: Vec<(Scalar, AffinePoint)>,
                nonce: Scalar,
                point: ProjectivePoint,
            }

            impl Walk {
                pub fn new(keys: usize, random: &mut Random) -> Self {
                    let secrets: Vec<_> = (0..keys).map(|_| scalar(random.bytes())).collect();
                    let times_g = |k: Scalar| ProjectivePoint::GENERATOR * k;
                    let nonce = scalar(random.bytes());
                    let step = |_| {
                        let step = scalar(random.bytes());
                        (step, times_g(step).to_affine())
                    };
                    Self {
                        steps: (0..STEPS).map(step).collect(),
                        keys: secrets.iter().map(|&d| coordinates(times_g(d))).collect(),
                        secrets: secrets.into_iter().map(|d| (d, ($factor)(d))).collect(),
                        nonce,
                        point: times_g(nonce),
                    }
                }
            }

            impl Signer for Walk {
                fn keys(&self) -> &[(Bytes, Bytes)] {
                    &self.keys
                }

                fn sign(&mut self, random: &mut Random, all: &mut [Signature]) {
                    let mut walk = |_: &Signature| {
                        let (step, point) = &self.steps[random.below(STEPS)];
                        self.nonce += step;
                        self.point += point;
                        (self.nonce, self.point)
                    };
                    let (nonces, points): (Vec<_>, Vec<_>) = all.iter().map(&mut walk).unzip();
                    let points = ProjectivePoint::batch_normalize(points.as_slice());
                    // One inversion for all nonces (Montgomery's trick).
                    let before = nonces.iter().scan(Scalar::ONE, |product, nonce| {
                        Some(std::mem::replace(product, *product * nonce))
                    });
                    let before: Vec<_> = before.collect();
                    let product = nonces.iter().fold(Scalar::ONE, |product, nonce| product * nonce);
                    let mut inverse = product.invert().unwrap();
                    for (i, one) in all.iter_mut().enumerate().rev() {
                        let nonce_inverse = inverse * before[i];
                        inverse *= nonces[i];
                        let x = scalar(points[i].x().into());
                        let (r, s) = ($sign)(
                            scalar(one.e),
                            x,
                            self.secrets[one.key],
                            nonces[i],
                            nonce_inverse,
                        );
                        (one.r, one.s) = (bytes(r), bytes(s));
                    }
                }
            }
        }
    };
}

// s = (e + r d) / k.
on_curve!(
    by_p256,
    on_p256,
    p256,
    |d: Scalar| d,
    |e: Scalar, x: Scalar, (d, _): (Scalar, Scalar), _nonce: Scalar, nonce_inverse: Scalar| {
        (x, nonce_inverse * (e + x * d))
    }
);
// r = e + x, s = (k - r d) / (1 + d).
on_curve!(
    by_sm2,
    on_sm2,
    sm2,
    |d: Scalar| (Scalar::ONE + d).invert().unwrap(),
    |e: Scalar, x: Scalar, (d, over): (Scalar, Scalar), nonce: Scalar, _nonce_inverse: Scalar| {
        let r = e + x;
        (r, over * (nonce - r * d))
    }
);
