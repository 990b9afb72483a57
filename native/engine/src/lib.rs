//! Steps 1-5 of verifying tokens, for one text and for many, and steps 6 and 7 in columns.
//!
//! ```text
//! text -> bytes -> envelope -> key -> hash -> signature -> claims -> columns -> judge
//! ```
//!
//! Everything here is public data: nothing is secret, and nothing is constant time. No input makes it panic; a text ends in
//! one [`Code`], alone and at any place of a batch alike.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]
#![deny(unsafe_code)]

pub mod claims;
mod code;
pub mod columns;
pub mod envelope;
pub mod judge;
mod lanes;
mod pipeline;
mod ring;
pub mod sm3;
#[cfg(target_arch = "x86_64")]
#[allow(
    unsafe_code,
    reason = "intrinsics need it; each block gives its reason"
)]
#[allow(
    clippy::indexing_slicing,
    reason = "constant indices into arrays of fixed length"
)]
mod sm3_lanes;
mod tables;
pub mod text;
#[cfg(target_arch = "x86_64")]
#[allow(
    unsafe_code,
    reason = "intrinsics need it; each block gives its reason"
)]
#[allow(
    clippy::indexing_slicing,
    reason = "at compile time, for the tables of indices"
)]
mod text_lanes;
mod texts;
mod workers;

pub use code::Code;
pub use pipeline::{CHUNK, open_batch, open_into, open_one};
pub use ring::{Key, Options, Ring, RingError};
pub use tables::{TableStats, footprint};
pub use texts::{Lines, Texts};
pub use workers::Workers;
pub use ybtoken_curve::{KeyTable, Path, Verifier, VerifierError};
