//! 256-bit integers as four little-endian 64-bit words.

pub(crate) type U256 = [u64; 4];

#[inline(always)]
pub(crate) const fn adc(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let t = a as u128 + b as u128 + carry as u128;
    (t as u64, (t >> 64) as u64)
}

/// `a - b - borrow`; the returned borrow is 0 or 1.
#[inline(always)]
pub(crate) const fn sbb(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    // Compilers turn this form into a chain of subtract-with-borrow instructions; from 128-bit
    // arithmetic they do not.
    let (d, first) = a.overflowing_sub(b);
    let (d, second) = d.overflowing_sub(borrow);
    (d, (first | second) as u64)
}

/// `acc + a * b + carry`; it always fits into two words.
#[inline(always)]
pub(crate) const fn mac(acc: u64, a: u64, b: u64, carry: u64) -> (u64, u64) {
    let t = acc as u128 + (a as u128) * (b as u128) + carry as u128;
    (t as u64, (t >> 64) as u64)
}

#[inline(always)]
pub(crate) const fn add(a: U256, b: U256) -> (U256, u64) {
    let (r0, c) = adc(a[0], b[0], 0);
    let (r1, c) = adc(a[1], b[1], c);
    let (r2, c) = adc(a[2], b[2], c);
    let (r3, c) = adc(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

#[inline(always)]
pub(crate) const fn sub(a: U256, b: U256) -> (U256, u64) {
    let (r0, c) = sbb(a[0], b[0], 0);
    let (r1, c) = sbb(a[1], b[1], c);
    let (r2, c) = sbb(a[2], b[2], c);
    let (r3, c) = sbb(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

#[inline(always)]
pub(crate) const fn less(a: U256, b: U256) -> bool {
    sub(a, b).1 == 1
}

#[inline(always)]
pub(crate) const fn is_zero(a: U256) -> bool {
    a[0] | a[1] | a[2] | a[3] == 0
}

#[inline(always)]
const fn select(yes: bool, a: U256, b: U256) -> U256 {
    let m = (yes as u64).wrapping_neg();
    [
        (a[0] & m) | (b[0] & !m),
        (a[1] & m) | (b[1] & !m),
        (a[2] & m) | (b[2] & !m),
        (a[3] & m) | (b[3] & !m),
    ]
}

/// Subtracts `m` once if needed: reduces `carry * 2^256 + a`, which must be below `2 * m`, to below
/// `m`. A mask is faster than a branch here, because in a field multiplication the outcome is
/// random.
#[inline(always)]
pub(crate) const fn reduce_once(a: U256, carry: u64, m: U256) -> U256 {
    let (d, borrow) = sub(a, m);
    select(borrow > carry, a, d)
}

#[inline(always)]
pub(crate) const fn add_mod(a: U256, b: U256, m: U256) -> U256 {
    let (s, carry) = add(a, b);
    reduce_once(s, carry, m)
}

#[inline(always)]
pub(crate) const fn sub_mod(a: U256, b: U256, m: U256) -> U256 {
    let (d, borrow) = sub(a, b);
    let mask = borrow.wrapping_neg();
    add(d, [m[0] & mask, m[1] & mask, m[2] & mask, m[3] & mask]).0
}

#[inline(always)]
pub(crate) fn from_be(bytes: &[u8; 32]) -> U256 {
    let word = |i: usize| u64::from_be_bytes(bytes[i..i + 8].try_into().expect("eight bytes"));
    [word(24), word(16), word(8), word(0)]
}
