//! Whether this processor has the 512-bit vectors that hash SM3 and read digits.
#![allow(
    unsafe_code,
    reason = "calls of functions compiled for instruction sets; the type proves that they may run"
)]

use crate::sm3::{Block, LANES, State16};
use crate::text::{Group, GroupSums, TokenBuffer};

/// Proof that this processor runs the vector code: AVX-512 F, BW and VBMI.
#[derive(Clone, Copy, Debug)]
pub struct Lanes(Proof);

#[cfg(target_arch = "x86_64")]
type Proof = ();

/// Where there are no such vectors: a type that has no value.
#[cfg(not(target_arch = "x86_64"))]
type Proof = core::convert::Infallible;

#[cfg(target_arch = "x86_64")]
impl Lanes {
    /// `None` where the processor lacks one of the instruction sets.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi");
        there.then_some(Self(()))
    }

    /// Takes each lane's SM3 state over its block.
    pub fn compress(self, state: &mut State16, blocks: [&Block; LANES]) {
        // SAFETY: a `Lanes` is made only by `detect`, which saw the features that `compress` is compiled for.
        unsafe { crate::sm3_lanes::compress(state, blocks) }
    }

    /// Whether every byte is an ASCII digit.
    pub(crate) fn all_digits(self, text: &[u8]) -> bool {
        // SAFETY: as above.
        unsafe { crate::text_lanes::all_digits(text) }
    }

    /// See `text::read_groups`; of at least eight groups.
    pub(crate) fn groups(self, groups: &[Group], out: &mut TokenBuffer) -> GroupSums {
        // SAFETY: as above.
        unsafe { crate::text_lanes::groups(groups, out) }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Lanes {
    #[must_use]
    pub fn detect() -> Option<Self> {
        None
    }

    pub fn compress(self, _state: &mut State16, _blocks: [&Block; LANES]) {
        match self.0 {}
    }

    pub(crate) fn all_digits(self, _text: &[u8]) -> bool {
        match self.0 {}
    }

    pub(crate) fn groups(self, _groups: &[Group], _out: &mut TokenBuffer) -> GroupSums {
        match self.0 {}
    }
}
