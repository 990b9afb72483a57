//! Digits to bytes in 512-bit vectors: eight groups of seventeen digits at once, one group in each
//! lane of 64 bits.

#![allow(clippy::indexing_slicing, reason = "at compile time, for the tables of indices")]

#[cfg(not(miri))]
use core::arch::x86_64::_mm512_permutexvar_epi8;
use core::arch::x86_64::{
    __m512i, __mmask64, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpgt_epu8_mask,
    _mm512_loadu_si512, _mm512_madd_epi16, _mm512_maddubs_epi16, _mm512_maskz_loadu_epi8,
    _mm512_maskz_mov_epi64, _mm512_maskz_permutex2var_epi8, _mm512_mul_epu32, _mm512_or_si512,
    _mm512_packus_epi32, _mm512_permutex2var_epi8, _mm512_reduce_add_epi64, _mm512_reduce_or_epi64,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi8,
};

use super::groups::{GROUP_BYTES, Group, GroupSums, LANES, MAX_GROUPS, TokenBuffer, WEIGHTS};
use crate::simd::Simd;

/// Byte indices for a permutation: for each of `first`, `run` consecutive bytes from it on, placed
/// at intervals of `stride` bytes.
const fn picks<const N: usize>(first: [u8; N], run: usize, stride: usize) -> [u8; 64] {
    let mut picks = [0; 64];
    let mut i = 0;
    while i < N * run {
        picks[i / run * stride + i % run] = first[i / run] + (i % run) as u8;
        i += 1;
    }
    picks
}

/// The first digit of each group, one a lane: indices into the block of 136 bytes, from its start.
const FIRSTS: [u8; 64] = picks([0, 17, 34, 51, 68, 85, 102, 119], 1, 8);
/// The other sixteen digits of groups 0, 2, 4 and 6, counted from the block's start; and those of
/// groups 1, 3, 5 and 7, counted from its byte 8.
const EVEN: [u8; 64] = picks([1, 35, 69, 103], 16, 16);
const ODD: [u8; 64] = picks([18 - 8, 52 - 8, 86 - 8, 120 - 8], 16, 16);
/// The low seven bytes of every lane, side by side.
const SEVENS: [u8; 64] = picks([0, 8, 16, 24, 32, 40, 48, 56], 7, 7);

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 readable bytes, by an unaligned load.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Miri does not support this instruction, but it supports the permutation of two vectors.
#[cfg(miri)]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn _mm512_permutexvar_epi8(picks: __m512i, bytes: __m512i) -> __m512i {
    _mm512_permutex2var_epi8(bytes, picks, bytes)
}

/// Whether every byte is an ASCII digit.
pub(super) fn all_digits(_: Simd, text: &[u8]) -> bool {
    // SAFETY: `Simd` proves the features for which the function is compiled.
    unsafe { all_digits_512(text) }
}

/// As `groups::read_groups`, for 8 to `MAX_GROUPS` groups.
pub(super) fn groups(_: Simd, groups: &[Group], out: &mut TokenBuffer) -> GroupSums {
    // SAFETY: as above.
    unsafe { groups_512(groups, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn all_digits_512(text: &[u8]) -> bool {
    let (zero, nine) = (_mm512_set1_epi8(b'0'.cast_signed()), _mm512_set1_epi8(9));
    let others = |bytes| _mm512_cmpgt_epu8_mask(_mm512_sub_epi8(bytes, zero), nine);
    let (whole, rest) = text.as_chunks();
    let mut any = 0;
    for bytes in whole {
        any |= others(load(bytes));
    }
    let there: __mmask64 = (1 << rest.len()) - 1;
    // SAFETY: bytes past the end of the slice are masked and not read.
    let last = unsafe { _mm512_maskz_loadu_epi8(there, rest.as_ptr().cast()) };
    any | others(last) & there == 0
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn groups_512(groups: &[Group], out: &mut TokenBuffer) -> GroupSums {
    assert!((LANES..=MAX_GROUPS).contains(&groups.len()));
    let mut high_bits = _mm512_setzero_si512();
    let (mut low, mut high) = (high_bits, high_bits);
    let (steps, rest) = groups.as_chunks::<LANES>();
    let mut add = |block: &[Group; LANES], at: usize, fresh: u8| {
        let weights = WEIGHTS.get(MAX_GROUPS - groups.len() + at..);
        let place = out.get_mut(at * GROUP_BYTES..);
        let (Some(weights), Some(place)) = (
            weights.and_then(<[u64]>::first_chunk::<LANES>),
            place.and_then(<[u8]>::first_chunk_mut::<64>),
        ) else {
            unreachable!("as many groups as there are weights and room for")
        };
        // SAFETY: eight words are 64 readable bytes, by an unaligned load.
        let weights = unsafe { _mm512_loadu_si512(weights.as_ptr().cast()) };
        let weights = _mm512_maskz_mov_epi64(fresh, weights);
        let values = eight_values(block);
        high_bits = _mm512_or_si512(high_bits, values);
        low = _mm512_add_epi64(low, _mm512_mul_epu32(values, weights));
        high = _mm512_add_epi64(high, _mm512_mul_epu32(_mm512_srli_epi64::<32>(values), weights));
        let bytes = _mm512_permutexvar_epi8(load(&SEVENS), values);
        // SAFETY: 64 writable bytes, by an unaligned store.
        unsafe { _mm512_storeu_si512(place.as_mut_ptr().cast(), bytes) };
    };
    for (step, block) in steps.iter().enumerate() {
        add(block, step * LANES, 0xff);
    }
    if let (Some(block), false) = (groups.last_chunk(), rest.is_empty()) {
        // The last eight groups. Those that were read before get weight 0, so that they do not
        // count twice.
        add(block, groups.len() - LANES, 0xff << (LANES - rest.len()));
    }
    GroupSums {
        high_bits: _mm512_reduce_or_epi64(high_bits).cast_unsigned(),
        low: _mm512_reduce_add_epi64(low).cast_unsigned(),
        high: _mm512_reduce_add_epi64(high).cast_unsigned(),
    }
}

/// The value of each group.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn eight_values(block: &[Group; LANES]) -> __m512i {
    let bytes = block.as_flattened().as_ptr();
    // SAFETY: the block is 136 readable bytes. Each load reads 64 of them, from byte 0, 8, 64 or
    // 72, and may be unaligned.
    let part = |start: usize| unsafe { _mm512_loadu_si512(bytes.add(start).cast()) };
    let nibbles = _mm512_set1_epi8(0x0f);
    let firsts =
        _mm512_maskz_permutex2var_epi8(0x0101_0101_0101_0101, part(0), load(&FIRSTS), part(64));
    let even = _mm512_permutex2var_epi8(part(0), load(&EVEN), part(64));
    let odd = _mm512_permutex2var_epi8(part(8), load(&ODD), part(72));
    // Digits to pairs, pairs to fours, fours to eights: each step multiplies and adds two
    // neighbours.
    let tens = _mm512_set1_epi32(0x010a_010a);
    let hundreds = _mm512_set1_epi32(1 << 16 | 100);
    let fours = |digits| {
        let pairs = _mm512_maddubs_epi16(_mm512_and_si512(digits, nibbles), tens);
        _mm512_madd_epi16(pairs, hundreds)
    };
    let eights = _mm512_madd_epi16(
        _mm512_packus_epi32(fours(even), fours(odd)),
        _mm512_set1_epi32(1 << 16 | 10_000),
    );
    // Each lane now holds the upper eight of a group's last sixteen digits in its low half, and the
    // lower eight in its high half.
    let hundred_million = _mm512_set1_epi64(100_000_000);
    let firsts = _mm512_mul_epu32(_mm512_and_si512(firsts, nibbles), hundred_million);
    let nine = _mm512_add_epi64(firsts, _mm512_and_si512(eights, _mm512_set1_epi64(0xffff_ffff)));
    _mm512_add_epi64(_mm512_mul_epu32(nine, hundred_million), _mm512_srli_epi64::<32>(eights))
}
