//! Step 1: digits to bytes (specification, section 2.1). This file owns the text rules and their
//! order.
//!
//! `text = prefix(2) || groups || check(2)`. A group is 7 bytes, little-endian, as 17 digits; the
//! last group may have 1 to 6 bytes, as 3, 5, 8, 10, 13 or 15 digits. `check` is ISO 7064 MOD
//! 97-10. Each token has one text: second spellings (such as `00` for `97` in the check digits) are
//! refused.

mod groups;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "intrinsics need it; each block gives its reason")]
mod lanes;

use crate::code::Code;
use crate::simd::Simd;
use groups::{
    GROUP_BYTES, GROUP_DIGITS, LANES, TAIL_BYTES, TAIL_DIGITS, power, read_groups, tail_value,
};
pub use groups::{MAX_TEXT, MAX_TOKEN, TokenBuffer};

/// Digits of the longest other code that a counter scans.
const LONGEST_OTHER: usize = 40;

/// Decodes a profile 1 text into the start of `out`, using vectors if there is a `simd`.
///
/// Returns the number of bytes; the bytes of `out` after them may be overwritten. `text` may be any
/// bytes: what is not ASCII digits is refused as such.
///
/// # Errors
/// The first that applies of `TextLength`, `TextBeginning`, `TextPrefix`, `TextDigits`, `TextRange`
/// and `TextCheck`; `Undecided` for the prefixes 97 and 98.
pub fn decode(simd: Option<Simd>, text: &[u8], out: &mut TokenBuffer) -> Result<usize, Code> {
    // A character has at most four bytes, so a longer text need not be decoded to be refused.
    if text.len() > 4 * MAX_TEXT || text.len() > MAX_TEXT && characters(text) > MAX_TEXT {
        return Err(Code::TextLength);
    }
    match text {
        [b'9', b'6', ..] => {}
        [b'9', b'7' | b'8', ..] => return Err(Code::Undecided),
        [b'9', b'5', ..] => return Err(Code::TextPrefix), // a challenge
        _ if text.len() > LONGEST_OTHER && text.len() <= MAX_TEXT && all_digits(text) => {
            return Err(Code::TextBeginning);
        }
        _ => return Err(Code::TextPrefix),
    }
    if text.len() > MAX_TEXT
        || !simd.map_or_else(|| all_digits(text), |simd| lanes::all_digits(simd, text))
    {
        return Err(Code::TextDigits);
    }
    let [_, _, groups @ .., c1, c0] = text else {
        return Err(Code::TextLength);
    };
    let (whole, tail) = groups.as_chunks();
    let tail_bytes = TAIL_BYTES.get(tail.len()).map_or(usize::MAX, |&n| usize::from(n));
    if tail_bytes >= GROUP_BYTES || groups.is_empty() {
        return Err(Code::TextLength);
    }

    let sums = match simd {
        Some(simd) if whole.len() >= LANES => lanes::groups(simd, whole, out),
        _ => read_groups(whole, out),
    };
    let tail_value = tail_value(groups, tail.len());
    if sums.high_bits >> 56 != 0 || tail_value >> (8 * tail_bytes) != 0 {
        return Err(Code::TextRange);
    }

    let residue = 96 * power(GROUP_DIGITS * whole.len()) + sums.residue();
    let residue = residue * power(tail.len()) + tail_value % 97;
    let check = u64::from(c1 & 15) * 10 + u64::from(c0 & 15);
    // The encoder writes 98 - x for x in 0..=96, so never 00, 01 or 99, which are congruent to 97,
    // 98 and 02.
    if (residue * 100 + check) % 97 != 1 || !(2..=98).contains(&check) {
        return Err(Code::TextCheck);
    }
    let start = whole.len() * GROUP_BYTES;
    if let Some(last) = out.get_mut(start..start + 8) {
        last.copy_from_slice(&tail_value.to_le_bytes());
    }
    Ok(start + tail_bytes)
}

/// The text of `token` with a two-digit `prefix`: the inverse of [`decode`], for tokens of any
/// length.
#[must_use]
pub fn encode(prefix: u8, token: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = format!("{prefix:02}");
    for group in token.chunks(GROUP_BYTES) {
        let value = group.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        let digits = TAIL_DIGITS.get(group.len()).copied().unwrap_or(GROUP_DIGITS);
        // Writing to a String cannot fail.
        let _ = write!(text, "{value:0digits$}");
    }
    let residue =
        text.bytes().fold(0, |residue, digit| (residue * 10 + u64::from(digit & 15)) % 97);
    let _ = write!(text, "{:02}", 98 - residue * 100 % 97);
    text
}

/// The number of characters if `text` is UTF-8, otherwise the number of its bytes.
fn characters(text: &[u8]) -> usize {
    // For 800 characters of three bytes the standard library's validation takes as long as
    // verifying a signature. Miri refuses simdutf8 (0.1.5), which computes addresses past the end
    // of its input to prefetch them.
    let utf8 = if cfg!(miri) {
        core::str::from_utf8(text).ok()
    } else {
        simdutf8::basic::from_utf8(text).ok()
    };
    utf8.map_or(text.len(), |text| text.chars().count())
}

/// Whether every byte is an ASCII digit. There is no early exit, so that the compiler can vectorise
/// the loop.
#[inline]
fn all_digits(text: &[u8]) -> bool {
    text.iter().fold(true, |all, byte| all & byte.is_ascii_digit())
}

/// This architecture has no vectors to read digits with.
#[cfg(not(target_arch = "x86_64"))]
mod lanes {
    use super::groups::{Group, GroupSums, TokenBuffer};
    use crate::simd::Simd;

    pub(super) fn all_digits(simd: Simd, _text: &[u8]) -> bool {
        match simd {}
    }

    pub(super) fn groups(simd: Simd, _groups: &[Group], _out: &mut TokenBuffer) -> GroupSums {
        match simd {}
    }
}
