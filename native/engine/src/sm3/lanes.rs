//! SM3's compression function for sixteen messages at once, each in one lane of 512-bit vectors.

#![allow(clippy::indexing_slicing, reason = "constant indices into arrays of fixed length")]

use core::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_rol_epi32, _mm512_set1_epi32,
    _mm512_set4_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4,
    _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::state::{Block, LANES, State16};
use crate::simd::Simd;

/// `T_j <<< j`, which is added in round j.
const ROUND: [u32; 64] = {
    let mut constants = [0; 64];
    let mut j = 0;
    while j < 64 {
        let t: u32 = if j < 16 { 0x79cc_4519 } else { 0x7a87_9d8a };
        constants[j] = t.rotate_left(j as u32 % 32);
        j += 1;
    }
    constants
};

// Truth tables of functions of three inputs, in the form that `vpternlogd` takes.
const XOR: i32 = 0x96;
const MAJORITY: i32 = 0xe8;
const CHOOSE: i32 = 0xca;

/// One round, in place. The next round gets the variables rotated by name, so no value is moved.
macro_rules! round {
    ($ff:ident, $gg:ident, $j:expr, $w:ident, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        let a12 = _mm512_rol_epi32::<12>($a);
        let constant = _mm512_set1_epi32(ROUND[$j].cast_signed());
        let ss1 = _mm512_rol_epi32::<7>(_mm512_add_epi32(a12, _mm512_add_epi32($e, constant)));
        let mixed = _mm512_add_epi32($d, _mm512_xor_si512($w[$j], $w[$j + 4]));
        let tt1 = _mm512_add_epi32(
            _mm512_add_epi32(_mm512_ternarylogic_epi32::<$ff>($a, $b, $c), mixed),
            _mm512_xor_si512(ss1, a12),
        );
        let word = _mm512_add_epi32($h, $w[$j]);
        let tt2 = _mm512_add_epi32(
            _mm512_add_epi32(_mm512_ternarylogic_epi32::<$gg>($e, $f, $g), word),
            ss1,
        );
        $b = _mm512_rol_epi32::<9>($b);
        $d = tt1;
        $f = _mm512_rol_epi32::<19>($f);
        $h = _mm512_ternarylogic_epi32::<XOR>(
            tt2,
            _mm512_rol_epi32::<9>(tt2),
            _mm512_rol_epi32::<17>(tt2),
        );
    };
}

/// Advances each lane's state by its block.
pub fn compress(_: Simd, state: &mut State16, blocks: [&Block; LANES]) {
    // SAFETY: `Simd` proves the features for which the function is compiled.
    unsafe { compress_512(state, blocks) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn compress_512(state: &mut State16, blocks: [&Block; LANES]) {
    let mut w = [_mm512_setzero_si512(); 68];
    w[..16].copy_from_slice(&message_words(blocks));
    for j in 16..68 {
        let x =
            _mm512_ternarylogic_epi32::<XOR>(w[j - 16], w[j - 9], _mm512_rol_epi32::<15>(w[j - 3]));
        let p1 = _mm512_ternarylogic_epi32::<XOR>(
            x,
            _mm512_rol_epi32::<15>(x),
            _mm512_rol_epi32::<23>(x),
        );
        w[j] = _mm512_ternarylogic_epi32::<XOR>(p1, _mm512_rol_epi32::<7>(w[j - 13]), w[j - 6]);
    }

    let mut before = [_mm512_setzero_si512(); 8];
    for (vector, words) in before.iter_mut().zip(&*state) {
        // SAFETY: a word of sixteen states is 64 readable bytes.
        *vector = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = before;
    for j in (0..16).step_by(4) {
        round!(XOR, XOR, j, w, a b c d e f g h);
        round!(XOR, XOR, j + 1, w, d a b c h e f g);
        round!(XOR, XOR, j + 2, w, c d a b g h e f);
        round!(XOR, XOR, j + 3, w, b c d a f g h e);
    }
    for j in (16..64).step_by(4) {
        round!(MAJORITY, CHOOSE, j, w, a b c d e f g h);
        round!(MAJORITY, CHOOSE, j + 1, w, d a b c h e f g);
        round!(MAJORITY, CHOOSE, j + 2, w, c d a b g h e f);
        round!(MAJORITY, CHOOSE, j + 3, w, b c d a f g h e);
    }
    for ((words, before), after) in state.iter_mut().zip(before).zip([a, b, c, d, e, f, g, h]) {
        // SAFETY: a word of sixteen states is 64 writable bytes.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), _mm512_xor_si512(before, after)) };
    }
}

/// The sixteen big-endian words of each block: one vector for each word, one lane for each block.
#[target_feature(enable = "avx512f,avx512bw")]
fn message_words(blocks: [&Block; LANES]) -> [__m512i; 16] {
    let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let mut rows = [_mm512_setzero_si512(); LANES];
    for (row, block) in rows.iter_mut().zip(blocks) {
        // SAFETY: a block is 64 readable bytes.
        *row = _mm512_shuffle_epi8(unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }, swap);
    }
    // Each quarter of a vector then holds the words 4 q + k of four blocks, for k = 0..4 ...
    let (fours, _) = rows.as_chunks::<4>();
    let mut parts = [[_mm512_setzero_si512(); 4]; 4];
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
    let mut words = [_mm512_setzero_si512(); 16];
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
