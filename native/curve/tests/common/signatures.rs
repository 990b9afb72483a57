//! Makes many valid signatures from a seed, backwards: chooses the two scalars of the sum, then
//! solves for r, s and e.
//!
//! The points are computed by RustCrypto's crates, so nothing here depends on the code under test.

#![allow(dead_code, reason = "each test binary uses its part")]

use ybtoken_curve::Curve;

pub type Bytes = [u8; 32];

#[derive(Clone, Copy, Debug)]
pub struct Signature {
    pub key: usize,
    pub e: Bytes,
    pub r: Bytes,
    pub s: Bytes,
}

pub struct Signatures {
    pub keys: Vec<(Bytes, Bytes)>,
    pub all: Vec<Signature>,
}

/// SplitMix64: small, seeded, and good enough for test data.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn bytes(&mut self) -> Bytes {
        let mut out = [0; 32];
        out.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_be_bytes()));
        out
    }
}

/// `count` valid signatures; the `keys` keys take turns.
pub fn signatures(curve: Curve, keys: usize, count: usize, seed: u64) -> Signatures {
    match curve {
        Curve::P256 => on_p256::signatures(keys, count, seed),
        Curve::Sm2 => on_sm2::signatures(keys, count, seed),
    }
}

macro_rules! on_curve {
    ($name:ident, $crate_name:ident, $solve:expr) => {
        pub mod $name {
            use super::{Bytes, Random, Signature, Signatures};
            use $crate_name::elliptic_curve::PrimeField;
            use $crate_name::elliptic_curve::ops::Reduce;
            use $crate_name::elliptic_curve::sec1::ToSec1Point;
            use $crate_name::{FieldBytes, ProjectivePoint, Scalar};

            pub fn scalar(bytes: Bytes) -> Scalar {
                <Scalar as Reduce<FieldBytes>>::reduce(&bytes.into())
            }

            pub fn bytes(scalar: Scalar) -> Bytes {
                scalar.to_repr().into()
            }

            /// Affine coordinates of a finite point.
            pub fn coordinates(point: ProjectivePoint) -> (Bytes, Bytes) {
                let encoded = point.to_affine().to_sec1_point(false);
                let (x, y) = encoded.as_bytes()[1..].split_at(32);
                (x.try_into().unwrap(), y.try_into().unwrap())
            }

            /// (e, r, s) such that the sum to verify is `a * G + b * Q`, where Q = d * G and
            /// neither a nor b is 0.
            pub fn solve(a: Scalar, b: Scalar, d: Scalar) -> (Bytes, Bytes, Bytes) {
                let x = scalar(coordinates(ProjectivePoint::GENERATOR * (a + b * d)).0);
                let (e, r, s) = ($solve)(a, b, x);
                (bytes(e), bytes(r), bytes(s))
            }

            pub fn signatures(keys: usize, count: usize, seed: u64) -> Signatures {
                let mut random = Random(seed);
                let secrets: Vec<_> = (0..keys).map(|_| scalar(random.bytes())).collect();
                let keys =
                    secrets.iter().map(|&d| coordinates(ProjectivePoint::GENERATOR * d)).collect();
                let one = |i: usize| {
                    let key = i % secrets.len();
                    let (a, b) = (scalar(random.bytes()), scalar(random.bytes()));
                    let (e, r, s) = solve(a, b, secrets[key]);
                    Signature { key, e, r, s }
                };
                let all = (0..count).map(one).collect();
                Signatures { keys, all }
            }
        }
    };
}

// u1 = e / s, u2 = r / s, and x must be r.
on_curve!(on_p256, p256, |a: Scalar, b: Scalar, x: Scalar| {
    let s = x * Option::<Scalar>::from(b.invert()).unwrap();
    (a * s, x, s)
});
// The scalars are s and r + s, and e + x must be r.
on_curve!(on_sm2, sm2, |a: Scalar, b: Scalar, x: Scalar| (b - a - x, b - a, a));
