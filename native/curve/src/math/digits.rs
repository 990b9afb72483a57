//! Signed odd digits: writes a scalar as a sum of digits that are never zero, so that no table
//! lookup gives the point at infinity.
//!
//! For odd u, let v = (u >> 1) | 2^255, cut into windows v_i of w_i bits. Then u is the sum of (2
//! v_i + 1 - 2^w_i) * 2^(offset of i), and no carry runs between the digits. An even scalar u is
//! replaced by n - u and the signs of its digits are inverted. A digit of magnitude 2k + 1 stands
//! at index k of the window's table.

use core::ops::RangeInclusive;

use super::arith::{U256, sub};
use super::field::Modulus;

/// Below 4 bits the additions outnumber what tables save; above 16 bits a table is larger than any
/// cache.
pub(crate) const WINDOW_BITS: RangeInclusive<u32> = 4..=16;

/// How 256 bits are cut: into the fewest windows of at most `bits` bits, of sizes as equal as
/// possible, the wider ones first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Windows {
    pub(crate) bits: u32,
    pub(crate) count: usize,
    narrow: u32,
    wide: usize,
}

impl Windows {
    pub(crate) const fn new(bits: u32) -> Self {
        let count = 256u32.div_ceil(bits);
        Self { bits, count: count as usize, narrow: 256 / count, wide: (256 % count) as usize }
    }

    #[inline(always)]
    pub(crate) fn width(&self, window: usize) -> u32 {
        self.narrow + (window < self.wide) as u32
    }

    /// The first bit of a window.
    #[inline(always)]
    pub(crate) fn offset(&self, window: usize) -> u32 {
        self.narrow * window as u32 + window.min(self.wide) as u32
    }
}

/// A recoded scalar: the bits of v, and whether the sign of every digit is inverted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recoded {
    pub(crate) bits: U256,
    pub(crate) negative: bool,
}

impl Recoded {
    /// `scalar` is at most n. Both 0 and n stand for zero.
    #[inline(always)]
    pub(crate) fn new<N: Modulus>(scalar: U256) -> Self {
        let negative = scalar[0] & 1 == 0;
        let u = if negative { sub(N::M, scalar).0 } else { scalar };
        Self {
            bits: [
                u[0] >> 1 | u[1] << 63,
                u[1] >> 1 | u[2] << 63,
                u[2] >> 1 | u[3] << 63,
                u[3] >> 1 | 1 << 63,
            ],
            negative,
        }
    }

    /// The bits v_i of the window, complemented if the signs are inverted: the index into a table
    /// of both signs, which holds the odd multiples from -(2^w - 1) to 2^w - 1.
    #[inline(always)]
    pub(crate) fn signed_place(&self, offset: u32, width: u32) -> u32 {
        let (word, shift) = ((offset / 64) as usize, offset % 64);
        let mut v = self.bits[word] >> shift;
        if shift + width > 64 {
            v |= self.bits[word + 1] << (64 - shift);
        }
        (v as u32 ^ (self.negative as u32).wrapping_neg()) & ((1 << width) - 1)
    }

    /// The index of the digit's magnitude in a table of positive multiples, and whether the digit
    /// is negative.
    #[inline(always)]
    pub(crate) fn place(&self, offset: u32, width: u32) -> (u32, bool) {
        fold(self.signed_place(offset, width), width)
    }
}

/// Converts an index into a table of both signs to (index of the magnitude, digit is negative).
#[inline(always)]
pub(crate) fn fold(signed_place: u32, width: u32) -> (u32, bool) {
    let half = 1 << (width - 1);
    let negative = signed_place & half == 0;
    ((signed_place ^ (negative as u32).wrapping_neg()) & (half - 1), negative)
}
