//! Sixteen lanes, in 512 bits.

#![allow(clippy::indexing_slicing, reason = "constant indices into arrays of fixed length")]

use core::arch::x86_64::{
    __m512i, _mm512_add_epi32 as add, _mm512_loadu_si512, _mm512_rol_epi32 as rotate,
    _mm512_set1_epi32 as splat, _mm512_set4_epi32, _mm512_shuffle_epi8, _mm512_shuffle_i32x4,
    _mm512_storeu_si512, _mm512_ternarylogic_epi32 as logic, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512 as xor,
};

use super::ROUND;
use crate::sm3::state::{Block, LANES, State16};

compress!("avx512f,avx512bw");

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    logic::<0x96>(a, b, c)
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn majority(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    logic::<0xe8>(a, b, c)
}

/// The bits of `b` where `a` has ones, those of `c` where it has zeros.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn choose(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    logic::<0xca>(a, b, c)
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load(words: &[u32; LANES]) -> __m512i {
    // SAFETY: 64 readable bytes, by an unaligned load.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn store(words: &mut [u32; LANES], vector: __m512i) {
    // SAFETY: 64 writable bytes, by an unaligned store.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) }
}

/// The sixteen big-endian words of each block: one vector for each word, one lane for each block.
#[target_feature(enable = "avx512f,avx512bw")]
fn message_words(blocks: [&Block; LANES]) -> [__m512i; 16] {
    let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let mut rows = [splat(0); LANES];
    for (row, block) in rows.iter_mut().zip(blocks) {
        // SAFETY: a block is 64 readable bytes.
        *row = _mm512_shuffle_epi8(unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }, swap);
    }
    // Each quarter of a vector then holds the words 4 q + k of four blocks, for k = 0..4 ...
    let (fours, _) = rows.as_chunks::<4>();
    let mut parts = [[splat(0); 4]; 4];
    for (part, &[r0, r1, r2, r3]) in parts.iter_mut().zip(fours) {
        let (low01, high01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
        *part = [
            _mm512_unpacklo_epi64(low01, low23),
            _mm512_unpackhi_epi64(low01, low23),
            _mm512_unpacklo_epi64(high01, high23),
            _mm512_unpackhi_epi64(high01, high23),
        ];
    }
    // ... and the quarters with the same k from all blocks form four whole words.
    let mut words = [splat(0); 16];
    let [p0, p1, p2, p3] = parts;
    for k in 0..4 {
        let even01 = _mm512_shuffle_i32x4::<0x88>(p0[k], p1[k]);
        let even23 = _mm512_shuffle_i32x4::<0x88>(p2[k], p3[k]);
        let odd01 = _mm512_shuffle_i32x4::<0xdd>(p0[k], p1[k]);
        let odd23 = _mm512_shuffle_i32x4::<0xdd>(p2[k], p3[k]);
        words[k] = _mm512_shuffle_i32x4::<0x88>(even01, even23);
        words[k + 4] = _mm512_shuffle_i32x4::<0x88>(odd01, odd23);
        words[k + 8] = _mm512_shuffle_i32x4::<0xdd>(even01, even23);
        words[k + 12] = _mm512_shuffle_i32x4::<0xdd>(odd01, odd23);
    }
    words
}
