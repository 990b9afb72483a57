//! Eight lanes, in 256 bits: the first eight of a [`State16`].

#![allow(clippy::indexing_slicing, reason = "constant indices into arrays of fixed length")]

use core::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm_loadu_si128, _mm256_add_epi32 as add, _mm256_and_si256 as and,
    _mm256_castsi128_si256, _mm256_inserti128_si256, _mm256_loadu_si256, _mm256_or_si256 as or,
    _mm256_set1_epi32 as splat, _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_slli_epi32,
    _mm256_srl_epi32, _mm256_storeu_si256, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256 as xor,
};

use super::ROUND;
use crate::sm3::state::{Block, LANES, State16};

/// How many lanes there are.
pub(super) const EIGHT: usize = 8;

compress!("avx2");

#[target_feature(enable = "avx2")]
#[inline]
fn rotate<const COUNT: i32>(a: __m256i) -> __m256i {
    // The compiler makes a shift by a constant of this; a constant cannot be computed from COUNT.
    let right = _mm_cvtsi32_si128(32 - COUNT);
    or(_mm256_slli_epi32::<COUNT>(a), _mm256_srl_epi32(a, right))
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    xor(xor(a, b), c)
}

#[target_feature(enable = "avx2")]
#[inline]
fn majority(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    or(and(a, b), and(c, or(a, b)))
}

/// The bits of `b` where `a` has ones, those of `c` where it has zeros.
#[target_feature(enable = "avx2")]
#[inline]
fn choose(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    xor(c, and(a, xor(b, c)))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(words: &[u32; LANES]) -> __m256i {
    // SAFETY: the first 32 of 64 readable bytes, by an unaligned load.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(words: &mut [u32; LANES], vector: __m256i) {
    // SAFETY: the first 32 of 64 writable bytes, by an unaligned store.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) }
}

/// The sixteen big-endian words of each block: one vector for each word, one lane for each block.
#[target_feature(enable = "avx2")]
fn message_words(blocks: [&Block; LANES]) -> [__m256i; 16] {
    #[rustfmt::skip]
    let swap = _mm256_setr_epi8(
        3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
        3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
    );
    let mut words = [splat(0); 16];
    for (quarter, four) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        // SAFETY: a quarter of a block is 16 readable bytes, by an unaligned load.
        let part =
            |i: usize| unsafe { _mm_loadu_si128(blocks[i].as_ptr().add(16 * quarter).cast()) };
        // The words 4 q to 4 q + 3 of two blocks, one in each half of a vector.
        let pair = |i| {
            let both = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(part(i)), part(i + 4));
            _mm256_shuffle_epi8(both, swap)
        };
        let (r0, r1, r2, r3) = (pair(0), pair(1), pair(2), pair(3));
        let (low01, high01) = (_mm256_unpacklo_epi32(r0, r1), _mm256_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm256_unpacklo_epi32(r2, r3), _mm256_unpackhi_epi32(r2, r3));
        *four = [
            _mm256_unpacklo_epi64(low01, low23),
            _mm256_unpackhi_epi64(low01, low23),
            _mm256_unpacklo_epi64(high01, high23),
            _mm256_unpackhi_epi64(high01, high23),
        ];
    }
    words
}
