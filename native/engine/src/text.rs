//! Step 1: digits to bytes (specification section 2.1). This file owns the text rules and their order.
//!
//! `text = prefix(2) || groups || check(2)`; a group is 7 bytes, little-endian, as 17 digits, the last one 1-6 bytes
//! as 3, 5, 8, 10, 13 or 15; `check` is ISO 7064 MOD 97-10. One text for each token: an alias (`00` for `97`) is refused.

use crate::code::Code;
use crate::lanes::Lanes;

/// The longest text that is looked at, in characters.
pub const MAX_TEXT: usize = 800;

/// The most bytes a text of [`MAX_TEXT`] digits holds: 46 whole groups and one of 5 bytes.
pub const MAX_TOKEN: usize = 46 * 7 + 5;

/// Room for a decoded token: whole groups may be written past the end of a shorter last one.
pub type TokenBuffer = [u8; 336];

const _: () = assert!(MAX_TOKEN + 8 <= size_of::<TokenBuffer>());

const GROUP_DIGITS: usize = 17;
pub(crate) const GROUP_BYTES: usize = 7;
pub(crate) type Group = [u8; GROUP_DIGITS];
/// From this many groups on, vectors read them.
pub(crate) const LANES: usize = 8;
/// Digits of a last group of 0-6 bytes.
const TAIL_DIGITS: [usize; GROUP_BYTES] = [0, 3, 5, 8, 10, 13, 15];
/// Bytes of a last group of 0-16 digits; 255 where no last group has that many.
const TAIL_BYTES: [u8; GROUP_DIGITS] = tail_bytes();
pub(crate) const MAX_GROUPS: usize = (MAX_TEXT - 4) / GROUP_DIGITS;
/// `10^(17 j)` modulo 97, what a group weighs that has `j` groups behind it; from the most groups down to none.
pub(crate) const WEIGHTS: [u64; MAX_GROUPS] = weights();

/// The bytes of a profile 1 text, written to the head of `out`; by vectors, if there are `lanes`.
///
/// Returns how many; bytes of `out` past them are scratch. `text` is any bytes: UTF-8 that is not ASCII digits is refused as such.
///
/// # Errors
/// `TextLength`, `TextPrefix`, `TextDigits`, `TextRange`, `TextCheck`, and `NotMine` for prefixes 97 and 98; the first that holds.
pub fn decode(lanes: Option<Lanes>, text: &[u8], out: &mut TokenBuffer) -> Result<usize, Code> {
    // A character has four bytes at the most, so what is longer need not be looked at.
    if text.len() > 4 * MAX_TEXT || text.len() > MAX_TEXT && characters(text) > MAX_TEXT {
        return Err(Code::TextLength);
    }
    match text {
        [b'9', b'6', ..] => {}
        [b'9', b'7' | b'8', ..] => return Err(Code::NotMine),
        _ => return Err(Code::TextPrefix),
    }
    if text.len() > MAX_TEXT
        || !lanes.map_or_else(|| all_digits(text), |lanes| lanes.all_digits(text))
    {
        return Err(Code::TextDigits);
    }
    let [_, _, groups @ .., c1, c0] = text else {
        return Err(Code::TextLength);
    };
    let (whole, tail) = groups.as_chunks();
    let tail_bytes = TAIL_BYTES
        .get(tail.len())
        .map_or(usize::MAX, |&n| usize::from(n));
    if tail_bytes >= GROUP_BYTES || groups.is_empty() {
        return Err(Code::TextLength);
    }

    let sums = match lanes {
        Some(lanes) if whole.len() >= LANES => lanes.groups(whole, out),
        _ => read_groups(whole, out),
    };
    let tail_value = tail_value(groups, tail.len());
    if sums.high_bits >> 56 != 0 || tail_value >> (8 * tail_bytes) != 0 {
        return Err(Code::TextRange);
    }

    let residue = 96 * power(GROUP_DIGITS * whole.len()) + sums.residue();
    let residue = residue * power(tail.len()) + tail_value % 97;
    let check = u64::from(c1 & 15) * 10 + u64::from(c0 & 15);
    // 98 - x for x in 0..=96: the encoder never writes 00, 01 or 99, which are congruent to 97, 98 and 02.
    if (residue * 100 + check) % 97 != 1 || !(2..=98).contains(&check) {
        return Err(Code::TextCheck);
    }
    let start = whole.len() * GROUP_BYTES;
    if let Some(last) = out.get_mut(start..start + 8) {
        last.copy_from_slice(&tail_value.to_le_bytes());
    }
    Ok(start + tail_bytes)
}

/// What whole groups come to.
#[derive(Debug, Default)]
pub(crate) struct GroupSums {
    /// The values' bits, of all groups together: none from 2^56 on, if each is in range.
    pub(crate) high_bits: u64,
    /// The sums of the values' low and high 32 bits, each multiplied by its weight. 46 products of 32 and 7 bits cannot
    /// overflow, so one reduction at the end does for all groups.
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl GroupSums {
    /// All groups as one number, modulo 97.
    fn residue(&self) -> u64 {
        (self.low + (self.high % 97) * ((1 << 32) % 97)) % 97
    }
}

/// Writes seven bytes for each group, and perhaps scratch past the last.
fn read_groups(groups: &[Group], out: &mut TokenBuffer) -> GroupSums {
    let mut sums = GroupSums::default();
    let weights = WEIGHTS.iter().skip(MAX_GROUPS.saturating_sub(groups.len()));
    let (room, _) = out.as_chunks_mut::<GROUP_BYTES>();
    for ((group, seven), weight) in groups.iter().zip(room).zip(weights) {
        let value = group_value(group);
        sums.high_bits |= value;
        sums.low += (value & 0xffff_ffff) * weight;
        sums.high += (value >> 32) * weight;
        let [b0, b1, b2, b3, b4, b5, b6, _] = value.to_le_bytes();
        *seven = [b0, b1, b2, b3, b4, b5, b6];
    }
    sums
}

/// The text of `token` under a two-digit `prefix`: the inverse of [`decode`], for any length.
#[must_use]
pub fn encode(prefix: u8, token: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = format!("{prefix:02}");
    for group in token.chunks(GROUP_BYTES) {
        let value = group
            .iter()
            .rev()
            .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        let digits = TAIL_DIGITS
            .get(group.len())
            .copied()
            .unwrap_or(GROUP_DIGITS);
        // Writing to a String cannot fail.
        let _ = write!(text, "{value:0digits$}");
    }
    let residue = text.bytes().fold(0, |residue, digit| {
        (residue * 10 + u64::from(digit & 15)) % 97
    });
    let _ = write!(text, "{:02}", 98 - residue * 100 % 97);
    text
}

/// Characters of a UTF-8 string; of anything else, its bytes.
fn characters(text: &[u8]) -> usize {
    // The standard library's validation takes as long as verifying a signature, for 800 characters of three bytes.
    // Miri refuses simdutf8 (0.1.5), which reckons addresses past the end of its input, to prefetch them.
    let utf8 = if cfg!(miri) {
        core::str::from_utf8(text).ok()
    } else {
        simdutf8::basic::from_utf8(text).ok()
    };
    utf8.map_or(text.len(), |text| text.chars().count())
}

/// Whether every byte is an ASCII digit. No early exit: this form becomes vector code.
fn all_digits(text: &[u8]) -> bool {
    text.iter()
        .fold(true, |all, byte| all & byte.is_ascii_digit())
}

/// The value of the last `count` digits, at most 15.
fn tail_value(digits: &[u8], count: usize) -> u64 {
    match digits.last_chunk::<16>() {
        // One load, and zeros in the place of the digits before.
        Some(last) if count > 0 => {
            let digits = u128::from_le_bytes(*last) & u128::MAX << (8 * (16 - count));
            sixteen_digits(digits.to_le_bytes())
        }
        Some(_) => 0,
        None => {
            let tail = digits.get(digits.len() - count..).unwrap_or_default();
            tail.iter()
                .fold(0, |value, digit| value * 10 + u64::from(digit & 15))
        }
    }
}

fn group_value(group: &Group) -> u64 {
    let [first, rest @ ..] = group;
    u64::from(first & 15) * 10_000_000_000_000_000 + sixteen_digits(*rest)
}

fn sixteen_digits(digits: [u8; 16]) -> u64 {
    match digits.as_chunks() {
        ([high, low], _) => eight_digits(*high) * 100_000_000 + eight_digits(*low),
        _ => 0,
    }
}

/// The value of eight ASCII digits, by pairs, then fours, then all.
fn eight_digits(digits: [u8; 8]) -> u64 {
    let digits = u64::from_le_bytes(digits) & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let mask = 0x0000_00ff_0000_00ff;
    let even = (pairs & mask).wrapping_mul(100 + (1_000_000 << 32));
    let odd = (pairs >> 16 & mask).wrapping_mul(1 + (10_000 << 32));
    even.wrapping_add(odd) >> 32
}

/// `10^exponent` modulo 97.
fn power(exponent: usize) -> u64 {
    POWERS.get(exponent % 96).copied().unwrap_or(1)
}

/// `10^j` modulo 97; the order of 10 divides 96.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
const POWERS: [u64; 96] = {
    let mut powers = [1; 96];
    let mut j = 1;
    while j < 96 {
        powers[j] = powers[j - 1] * 10 % 97;
        j += 1;
    }
    powers
};

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn weights() -> [u64; MAX_GROUPS] {
    let mut weights = [1; MAX_GROUPS];
    let mut at = MAX_GROUPS - 1;
    while at > 0 {
        weights[at - 1] = weights[at] * POWERS[GROUP_DIGITS] % 97;
        at -= 1;
    }
    weights
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn tail_bytes() -> [u8; GROUP_DIGITS] {
    let mut bytes = [255; GROUP_DIGITS];
    let mut n = 0;
    while n < GROUP_BYTES {
        bytes[TAIL_DIGITS[n]] = n as u8;
        n += 1;
    }
    bytes
}
