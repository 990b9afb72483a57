//! Batch verification of ECDSA P-256 and SM2 signatures against known public keys with precomputed
//! tables.
//!
//! **Verification only, public data only.** All code here runs in variable time and must never see
//! a private key or a nonce. Nothing is hashed here: a job carries e, the 32-byte digest (for SM2
//! the SM3 hash of Z_A and the message).
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
//! The verifier computes `u1 * G + u2 * Q`. Both points are known in advance, so tables of their
//! odd multiples reduce a signature to about fifty point additions without a doubling. Every sum
//! passes through a secret random point, so nobody can craft a signature that makes an addition
//! meet equal or opposite points, which its formula cannot add. If that happens nevertheless, the
//! slow path, whose additions are complete, decides.

#![warn(missing_debug_implementations)]

mod key;
mod math;
mod paths;
mod tables;
mod task;
#[cfg(test)]
mod tests;
mod verifier;

pub use key::{KeyError, PublicKey};
pub use math::curve::Curve;
pub use paths::Path;
pub use tables::{KeyTable, WindowError};
pub use task::Job;
pub use verifier::{Verifier, VerifierError};
