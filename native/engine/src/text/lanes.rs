//! Four groups of seventeen digits at once in 256-bit vectors, one group in each lane of 64 bits.

use core::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm_setr_epi8, _mm_storeu_si128, _mm256_add_epi64, _mm256_and_si256,
    _mm256_castsi256_si128, _mm256_cmpgt_epi64, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_epu32, _mm256_or_si256,
    _mm256_packus_epi32, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_set1_epi64x,
    _mm256_setr_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi64,
    _mm256_storeu_si256,
};

use super::groups::{GROUP_BYTES, Group, GroupSums, LANES, MAX_GROUPS, TokenBuffer, WEIGHTS};
use crate::simd::Simd;

/// Whether every byte is an ASCII digit.
pub(super) fn all_digits(_: Simd, text: &[u8]) -> bool {
    #[target_feature(enable = "avx2")]
    fn enabled(text: &[u8]) -> bool {
        super::all_digits(text)
    }
    // SAFETY: `Simd` proves AVX2.
    unsafe { enabled(text) }
}

/// As `groups::read_groups`, for 4 to `MAX_GROUPS` groups.
pub(super) fn groups(_: Simd, groups: &[Group], out: &mut TokenBuffer) -> GroupSums {
    // SAFETY: as above.
    unsafe { groups_256(groups, out) }
}

#[target_feature(enable = "avx2")]
fn groups_256(groups: &[Group], out: &mut TokenBuffer) -> GroupSums {
    assert!((LANES..=MAX_GROUPS).contains(&groups.len()));
    let mut high_bits = _mm256_setzero_si256();
    let (mut low, mut high) = (high_bits, high_bits);
    let (steps, rest) = groups.as_chunks::<LANES>();
    let mut add = |block: &[Group; LANES], at: usize, fresh: __m256i| {
        let weights = WEIGHTS.get(MAX_GROUPS - groups.len() + at..);
        let place = out.get_mut(at * GROUP_BYTES..);
        let (Some(weights), Some(place)) = (
            weights.and_then(<[u64]>::first_chunk::<LANES>),
            place.and_then(<[u8]>::first_chunk_mut::<30>),
        ) else {
            unreachable!("as many groups as there are weights and room for")
        };
        // SAFETY: four words are 32 readable bytes, by an unaligned load.
        let weights = unsafe { _mm256_loadu_si256(weights.as_ptr().cast()) };
        let weights = _mm256_and_si256(weights, fresh);
        let values = four_values(block);
        high_bits = _mm256_or_si256(high_bits, values);
        low = _mm256_add_epi64(low, _mm256_mul_epu32(values, weights));
        high = _mm256_add_epi64(high, _mm256_mul_epu32(_mm256_srli_epi64::<32>(values), weights));
        let sevens = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, -1, -1);
        let bytes = _mm256_shuffle_epi8(values, _mm256_set_m128i(sevens, sevens));
        // SAFETY: 16 writable bytes each, from byte 0 and 14 of 30, by unaligned stores.
        unsafe {
            _mm_storeu_si128(place.as_mut_ptr().cast(), _mm256_castsi256_si128(bytes));
            let second = place.as_mut_ptr().add(2 * GROUP_BYTES).cast();
            _mm_storeu_si128(second, _mm256_extracti128_si256::<1>(bytes));
        }
    };
    for (step, block) in steps.iter().enumerate() {
        add(block, step * LANES, _mm256_set1_epi64x(-1));
    }
    if let (Some(block), false) = (groups.last_chunk(), rest.is_empty()) {
        // The last four groups. Those that were read before get weight 0, so that they do not
        // count twice.
        let first = _mm256_set1_epi64x((LANES - 1 - rest.len()) as i64);
        let fresh = _mm256_cmpgt_epi64(_mm256_setr_epi64x(0, 1, 2, 3), first);
        add(block, groups.len() - LANES, fresh);
    }
    let words = |sums| {
        let mut words = [0_u64; LANES];
        // SAFETY: four words are 32 writable bytes, by an unaligned store.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), sums) };
        words
    };
    GroupSums {
        high_bits: words(high_bits).into_iter().fold(0, |all, word| all | word),
        low: words(low).into_iter().sum(),
        high: words(high).into_iter().sum(),
    }
}

/// The value of each group.
#[target_feature(enable = "avx2")]
#[inline]
fn four_values(block: &[Group; LANES]) -> __m256i {
    let [g0, g1, g2, g3] = block;
    let nibbles = _mm256_set1_epi8(0x0f);
    // Digits to pairs, pairs to fours, fours to eights: each step multiplies and adds two
    // neighbours.
    let tens = _mm256_set1_epi32(0x010a_010a);
    let hundreds = _mm256_set1_epi32(1 << 16 | 100);
    let fours = |low: &Group, high: &Group| {
        // SAFETY: the last 16 of a group's 17 bytes, by unaligned loads.
        let [low, high] =
            [low, high].map(|group| unsafe { _mm_loadu_si128(group.as_ptr().add(1).cast()) });
        let digits = _mm256_and_si256(_mm256_set_m128i(high, low), nibbles);
        _mm256_madd_epi16(_mm256_maddubs_epi16(digits, tens), hundreds)
    };
    let eights = _mm256_madd_epi16(
        _mm256_packus_epi32(fours(g0, g2), fours(g1, g3)),
        _mm256_set1_epi32(1 << 16 | 10_000),
    );
    // Each lane now holds the upper eight of a group's last sixteen digits in its low half, and the
    // lower eight in its high half.
    let first = |group: &Group| i64::from(group[0] & 15);
    let firsts = _mm256_setr_epi64x(first(g0), first(g1), first(g2), first(g3));
    let hundred_million = _mm256_set1_epi64x(100_000_000);
    let firsts = _mm256_mul_epu32(firsts, hundred_million);
    let nine = _mm256_add_epi64(firsts, _mm256_and_si256(eights, _mm256_set1_epi64x(0xffff_ffff)));
    _mm256_add_epi64(_mm256_mul_epu32(nine, hundred_million), _mm256_srli_epi64::<32>(eights))
}
