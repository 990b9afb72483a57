//! Groups of digits: their sizes, and their values, computed one group after the other.

/// The longest text that is read, in characters.
pub const MAX_TEXT: usize = 800;

/// The most bytes in a text of [`MAX_TEXT`] digits: 46 whole groups and one of 5 bytes.
pub const MAX_TOKEN: usize = 46 * 7 + 5;

/// Memory for a decoded token. Whole groups may be written past the end of a shorter last group.
pub type TokenBuffer = [u8; 336];

const _: () = assert!(MAX_TOKEN + 8 <= size_of::<TokenBuffer>());

pub(super) const GROUP_DIGITS: usize = 17;
pub(super) const GROUP_BYTES: usize = 7;
pub(super) type Group = [u8; GROUP_DIGITS];
/// From this many groups on, vectors read them.
pub(super) const LANES: usize = 4;
/// Digits of a last group of 0 to 6 bytes.
pub(super) const TAIL_DIGITS: [usize; GROUP_BYTES] = [0, 3, 5, 8, 10, 13, 15];
/// Bytes of a last group of 0 to 16 digits; 255 if no last group has that many digits.
pub(super) const TAIL_BYTES: [u8; GROUP_DIGITS] = tail_bytes();
pub(super) const MAX_GROUPS: usize = (MAX_TEXT - 4) / GROUP_DIGITS;
/// `10^(17 j)` modulo 97, the weight of a group with `j` groups after it, from the largest j down
/// to 0.
pub(super) const WEIGHTS: [u64; MAX_GROUPS] = weights();

/// Sums over the values of whole groups.
#[derive(Debug, Default)]
pub(super) struct GroupSums {
    /// The bits of all groups' values, combined by "or". If every value is in range, none is set
    /// from bit 56 on.
    pub(super) high_bits: u64,
    /// The sums of the values' low and high 32 bits, each multiplied by the group's weight. 46
    /// products of 32 bits and 7 bits cannot overflow, so one reduction at the end is enough for
    /// all groups.
    pub(super) low: u64,
    pub(super) high: u64,
}

impl GroupSums {
    /// All groups as one number, modulo 97.
    pub(super) fn residue(&self) -> u64 {
        (self.low + (self.high % 97) * ((1 << 32) % 97)) % 97
    }
}

/// Writes seven bytes for each group; bytes after the last may be overwritten.
pub(super) fn read_groups(groups: &[Group], out: &mut TokenBuffer) -> GroupSums {
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

/// The value of the last `count` digits, of which there are at most 15.
pub(super) fn tail_value(digits: &[u8], count: usize) -> u64 {
    match digits.last_chunk::<16>() {
        // One load; the digits before the last `count` are replaced by zeros.
        Some(last) if count > 0 => {
            let digits = u128::from_le_bytes(*last) & u128::MAX << (8 * (16 - count));
            sixteen_digits(digits.to_le_bytes())
        }
        Some(_) => 0,
        None => {
            let tail = digits.get(digits.len() - count..).unwrap_or_default();
            tail.iter().fold(0, |value, digit| value * 10 + u64::from(digit & 15))
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

/// The value of eight ASCII digits: first of pairs, then of fours, then of all eight.
fn eight_digits(digits: [u8; 8]) -> u64 {
    let digits = u64::from_le_bytes(digits) & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let mask = 0x0000_00ff_0000_00ff;
    let even = (pairs & mask).wrapping_mul(100 + (1_000_000 << 32));
    let odd = (pairs >> 16 & mask).wrapping_mul(1 + (10_000 << 32));
    even.wrapping_add(odd) >> 32
}

/// `10^exponent` modulo 97.
pub(super) fn power(exponent: usize) -> u64 {
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
