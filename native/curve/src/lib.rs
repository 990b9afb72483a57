//! Batch verification of ECDSA P-256 and SM2 signatures against known public keys with precomputed tables.
//!
//! **Verification only, public data only.** Everything here runs in variable time and must never see a private key or a
//! nonce. There is no hashing: a job carries e, the 32-byte digest (for SM2 the SM3 hash over Z_A and the message).
//!
//! ```
//! use ybtoken_curve::{Curve, Job, KeyTable, Path, PublicKey, Verifier};
//! # let bytes = |s: &str| -> [u8; 32] {
//! #     core::array::from_fn(|i| u8::from_str_radix(&s[2 * i..2 * i + 2], 16).unwrap())
//! # };
//! # // RFC 6979 A.2.5, SHA-256, message "sample"
//! # let x = bytes("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
//! # let y = bytes("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
//! # let e = bytes("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");
//! # let r = bytes("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
//! # let s = bytes("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
//! let key = PublicKey::new(Curve::P256, &x, &y)?;
//! let table = KeyTable::build(&key, KeyTable::DEFAULT_WINDOW)?;
//! let verifier = Verifier::new(Path::best())?;
//! let jobs = [Job { table: &table, e, r, s }];
//! let mut accepted = [false];
//! verifier.verify_batch(Curve::P256, &jobs, &mut accepted);
//! assert!(accepted[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Both points of `u1 * G + u2 * Q` are known beforehand, so with tables of odd multiples a signature is about fifty
//! additions and no doubling. Every sum passes through a secret random point, so that no signature can be crafted to hit
//! the cases an addition formula cannot do; should one occur all the same, the complete slow path decides.

#![deny(unsafe_code)]
#![warn(missing_debug_implementations)]

mod arith;
#[cfg(target_arch = "x86_64")]
mod bmi2;
mod digits;
mod field;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod inverse;
mod key;
mod pages;
mod point;
mod scalar;
mod slow;
mod spec;
mod table;
mod task;
#[cfg(test)]
mod tests;
mod verifier;

pub use key::{KeyError, PublicKey};
pub use table::{KeyTable, WindowError};
pub use verifier::{Verifier, VerifierError};

/// The curve, and with it the scheme: ECDSA on P-256 (FIPS 186-5), or SM2 (GB/T 32918.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Curve {
    P256,
    Sm2,
}

/// How to compute. All paths give the same verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Path {
    /// Eight tokens a vector with AVX-512 IFMA.
    Ifma,
    /// 64-bit words, on any processor.
    Scalar,
    /// Complete double-and-add without tables: some hundred times slower, the oracle of the others.
    Slow,
}

impl Path {
    /// The fastest path of this processor.
    pub fn best() -> Self {
        if Self::Ifma.available() { Self::Ifma } else { Self::Scalar }
    }

    /// Whether this processor can run the path.
    pub fn available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => ifma::Isa::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Ifma => false,
            Self::Scalar | Self::Slow => true,
        }
    }
}

/// One signature to verify: e, r and s big-endian, in no range in particular.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    pub table: &'a KeyTable,
    pub e: [u8; 32],
    pub r: [u8; 32],
    pub s: [u8; 32],
}
