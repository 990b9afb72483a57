//! SM3's compression function for several messages at once, each in one lane of 32 bits: written
//! once, and compiled for each width of vectors.

use super::state::{Block, LANES, State16};
use crate::simd::Simd;

/// `T_j <<< j`, which is added in round j.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
const ROUND: [i32; 64] = {
    let mut constants = [0; 64];
    let mut j = 0;
    while j < 64 {
        let t: u32 = if j < 16 { 0x79cc_4519 } else { 0x7a87_9d8a };
        constants[j] = t.rotate_left(j as u32 % 32).cast_signed();
        j += 1;
    }
    constants
};

/// One round, in place. The next round gets the variables rotated by name, so no value is moved.
macro_rules! round {
    ($ff:ident, $gg:ident, $j:expr, $w:ident, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        let a12 = rotate::<12>($a);
        let ss1 = rotate::<7>(add(a12, add($e, splat(ROUND[$j]))));
        let mixed = add($d, xor($w[$j], $w[$j + 4]));
        let tt1 = add(add($ff($a, $b, $c), mixed), xor(ss1, a12));
        let word = add($h, $w[$j]);
        let tt2 = add(add($gg($e, $f, $g), word), ss1);
        $b = rotate::<9>($b);
        $d = tt1;
        $f = rotate::<19>($f);
        $h = xor3(tt2, rotate::<9>(tt2), rotate::<17>(tt2));
    };
}

/// The function `compress`, made of the functions of vectors that have these names where it stands.
macro_rules! compress {
    ($features:literal) => {
        /// Advances each lane's state by its block.
        #[target_feature(enable = $features)]
        pub(super) fn compress(state: &mut State16, blocks: [&Block; LANES]) {
            let mut w = [splat(0); 68];
            w[..16].copy_from_slice(&message_words(blocks));
            for j in 16..68 {
                let x = xor3(w[j - 16], w[j - 9], rotate::<15>(w[j - 3]));
                let p1 = xor3(x, rotate::<15>(x), rotate::<23>(x));
                w[j] = xor3(p1, rotate::<7>(w[j - 13]), w[j - 6]);
            }

            let mut before = [splat(0); 8];
            for (vector, words) in before.iter_mut().zip(&*state) {
                *vector = load(words);
            }
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = before;
            for j in (0..16).step_by(4) {
                round!(xor3, xor3, j, w, a b c d e f g h);
                round!(xor3, xor3, j + 1, w, d a b c h e f g);
                round!(xor3, xor3, j + 2, w, c d a b g h e f);
                round!(xor3, xor3, j + 3, w, b c d a f g h e);
            }
            for j in (16..64).step_by(4) {
                round!(majority, choose, j, w, a b c d e f g h);
                round!(majority, choose, j + 1, w, d a b c h e f g);
                round!(majority, choose, j + 2, w, c d a b g h e f);
                round!(majority, choose, j + 3, w, b c d a f g h e);
            }
            let after = [a, b, c, d, e, f, g, h];
            for ((words, before), after) in state.iter_mut().zip(before).zip(after) {
                store(words, xor(before, after));
            }
        }
    };
}

mod avx2;
mod avx512;

/// How many messages a vector holds.
pub const fn lanes(simd: Simd) -> usize {
    match simd {
        Simd::Avx512(_) => LANES,
        Simd::Avx2(_) => avx2::EIGHT,
    }
}

/// Advances the states of the first `lanes(simd)` lanes, each by its block.
pub fn compress(simd: Simd, state: &mut State16, blocks: [&Block; LANES]) {
    match simd {
        // SAFETY: a `Simd` proves the features of its name.
        Simd::Avx512(_) => unsafe { avx512::compress(state, blocks) },
        // SAFETY: as above.
        Simd::Avx2(_) => unsafe { avx2::compress(state, blocks) },
    }
}
