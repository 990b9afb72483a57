//! Steps 1 to 7 of verifying tokens, for one text and for many.
//!
//! ```text
//! text -> bytes -> envelope -> key -> hash -> signature -> claims -> time -> scope -> columns
//! ```
//!
//! All data here is public: nothing is secret, and nothing runs in constant time. No input causes a
//! panic. Every text gets one [`Code`], the same alone and at any place of a batch.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[macro_use]
pub mod claims;
mod code;
pub mod columns;
pub mod envelope;
mod input;
mod open;
mod ring;
mod simd;
pub mod sm3;
mod tables;
pub mod text;
pub mod validity;
mod workers;

pub use code::Code;
pub use input::{Lines, Texts};
pub use open::{CHUNK, open_batch, open_into, open_one};
pub use ring::{Key, Ring, RingError};
pub use simd::Simd;
pub use tables::{TableStats, footprint};
pub use validity::{Limits, Mismatch, Now, Scope};
pub use workers::Workers;
pub use ybtoken_curve::{KeyTable, Path, Verifier, VerifierError};
