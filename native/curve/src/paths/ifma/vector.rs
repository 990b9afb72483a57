//! Vectors of eight 64-bit lanes. This is the only module of the vector path that contains
//! `unsafe`; the modules above it are safe code on `Vector`.
//!
//! Soundness rests on one rule. A `Vector` can only be made with an `Isa`, an `Isa` only by
//! `Isa::detect`, and `detect` returns one only if the processor has every instruction set used
//! here. So an argument of these functions proves that they may run. `Isa::run` compiles its
//! closure with the instruction sets enabled. Outside of it the functions are sound but slow,
//! because the intrinsics are not inlined.
#![allow(unsafe_code, reason = "intrinsics; the module's text says why their preconditions hold")]

use core::arch::x86_64::*;

#[cfg(miri)]
use in_miri::{_mm512_madd52hi_epu64, _mm512_madd52lo_epu64};

use crate::math::arith::U256;

/// Proof that this processor has AVX-512 F, DQ, VL, IFMA and VBMI2, and BMI2 and ADX.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isa(());

impl Isa {
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("adx");
        all.then_some(Self(()))
    }

    /// Runs `work`, compiled for the instruction sets that `self` proves.
    #[inline(always)]
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma,avx512vbmi2,bmi2,adx")]
        fn enabled<T>(work: impl FnOnce() -> T) -> T {
            work()
        }
        // SAFETY: `self` proves that the processor has the features for which `enabled` is
        // compiled.
        unsafe { enabled(work) }
    }
}

/// Memory for one vector, aligned so that a load crosses no cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Lanes(pub(crate) [u64; 8]);

/// One bit for each lane.
pub(crate) type Mask = u8;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector(__m512i);

impl Vector {
    #[inline(always)]
    pub(crate) fn zero(_: Isa) -> Self {
        // SAFETY: `Isa` proves AVX-512 F.
        Self(unsafe { _mm512_setzero_si512() })
    }

    #[inline(always)]
    pub(crate) fn splat(_: Isa, a: u64) -> Self {
        // SAFETY: `Isa` proves AVX-512 F.
        Self(unsafe { _mm512_set1_epi64(a as i64) })
    }

    #[inline(always)]
    pub(crate) fn load(_: Isa, lanes: &Lanes) -> Self {
        // SAFETY: `Isa` proves AVX-512 F; `Lanes` is 64 readable bytes, aligned to 64.
        Self(unsafe { _mm512_load_si512(lanes.0.as_ptr().cast()) })
    }

    #[inline(always)]
    pub(crate) fn lanes(self) -> Lanes {
        let mut lanes = Lanes([0; 8]);
        // SAFETY: a `Vector` proves AVX-512 F; `Lanes` is 64 writable bytes, aligned to 64.
        unsafe { _mm512_store_si512(lanes.0.as_mut_ptr().cast(), self.0) };
        lanes
    }

    /// Transposes eight 256-bit numbers: vector i holds word i of each.
    #[inline(always)]
    pub(crate) fn transpose(_: Isa, rows: [&U256; 8]) -> [Self; 4] {
        // SAFETY: `Isa` proves AVX-512 F and VL; each row is 32 readable bytes, and the loads are
        // unaligned ones.
        unsafe {
            let pair = |low: usize, high: usize| {
                let low = _mm256_loadu_si256(rows[low].as_ptr().cast());
                let high = _mm256_loadu_si256(rows[high].as_ptr().cast());
                _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
            };
            let (a, b, c, d) = (pair(0, 2), pair(1, 3), pair(4, 6), pair(5, 7));
            let (even_ab, odd_ab) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
            let (even_cd, odd_cd) = (_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
            [
                Self(_mm512_shuffle_i64x2::<0x88>(even_ab, even_cd)),
                Self(_mm512_shuffle_i64x2::<0x88>(odd_ab, odd_cd)),
                Self(_mm512_shuffle_i64x2::<0xdd>(even_ab, even_cd)),
                Self(_mm512_shuffle_i64x2::<0xdd>(odd_ab, odd_cd)),
            ]
        }
    }

    #[inline(always)]
    pub(crate) fn add(self, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_add_epi64(self.0, b.0) })
    }

    #[inline(always)]
    pub(crate) fn sub(self, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_sub_epi64(self.0, b.0) })
    }

    /// `b - self` in the lanes of the mask, `self` in the others.
    #[inline(always)]
    pub(crate) fn subtract_from(self, lanes: Mask, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_mask_sub_epi64(self.0, lanes, b.0, self.0) })
    }

    /// `b` in the lanes of the mask, `self` in the others.
    #[inline(always)]
    pub(crate) fn replace(self, lanes: Mask, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_mask_mov_epi64(self.0, lanes, b.0) })
    }

    #[inline(always)]
    pub(crate) fn and(self, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_and_si512(self.0, b.0) })
    }

    #[inline(always)]
    pub(crate) fn or(self, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_or_si512(self.0, b.0) })
    }

    #[inline(always)]
    pub(crate) fn xor(self, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_xor_si512(self.0, b.0) })
    }

    /// `self ^ b` in the lanes of the mask, `self` in the others.
    #[inline(always)]
    pub(crate) fn xor_lanes(self, lanes: Mask, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_mask_xor_epi64(self.0, lanes, self.0, b.0) })
    }

    /// The lanes that have none of the bits of `b` set.
    #[inline(always)]
    pub(crate) fn test_not(self, b: Self) -> Mask {
        // SAFETY: a `Vector` proves AVX-512 F.
        unsafe { _mm512_testn_epi64_mask(self.0, b.0) }
    }

    /// The low word of `(high : self) >> bits`; each lane of `bits` is below 64.
    #[inline(always)]
    pub(crate) fn shift_in_by(self, high: Self, bits: Self) -> Self {
        // SAFETY: a `Vector` proves VBMI2.
        Self(unsafe { _mm512_shrdv_epi64(self.0, high.0, bits.0) })
    }

    #[inline(always)]
    pub(crate) fn shift_left<const BITS: u32>(self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_slli_epi64::<BITS>(self.0) })
    }

    #[inline(always)]
    pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_srli_epi64::<BITS>(self.0) })
    }

    /// Arithmetic shift: the sign is kept.
    #[inline(always)]
    pub(crate) fn shift_right_signed<const BITS: u32>(self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_srai_epi64::<BITS>(self.0) })
    }

    /// The low word of `(high : self) >> BITS`.
    #[inline(always)]
    pub(crate) fn shift_in<const BITS: i32>(self, high: Self) -> Self {
        // SAFETY: a `Vector` proves VBMI2.
        Self(unsafe { _mm512_shrdi_epi64::<BITS>(self.0, high.0) })
    }

    /// `self` + the low 52 bits of a * b; only the low 52 bits of a and b are read.
    #[inline(always)]
    pub(crate) fn add_low(self, a: Self, b: Self) -> Self {
        // SAFETY: a `Vector` proves IFMA.
        Self(unsafe { _mm512_madd52lo_epu64(self.0, a.0, b.0) })
    }

    /// `self` + the high 52 bits of a * b (104 bits); only the low 52 bits of a and b are read.
    #[inline(always)]
    pub(crate) fn add_high(self, a: Self, b: Self) -> Self {
        // SAFETY: a `Vector` proves IFMA.
        Self(unsafe { _mm512_madd52hi_epu64(self.0, a.0, b.0) })
    }

    /// Lane i gets the value of lane (i + COUNT) mod 8.
    #[inline(always)]
    pub(crate) fn rotate<const COUNT: i32>(self) -> Self {
        // SAFETY: a `Vector` proves AVX-512 F.
        Self(unsafe { _mm512_alignr_epi64::<COUNT>(self.0, self.0) })
    }
}

/// Portable versions of the instructions that Miri does not support. They take few steps because
/// Miri interprets each.
#[cfg(miri)]
mod in_miri {
    use core::arch::x86_64::__m512i;
    use core::mem::transmute;

    const LIMB: u64 = (1 << 52) - 1;

    fn multiply_add<const FROM: u32>(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: both types have 64 bytes, and every bit pattern is valid in both.
        let [mut sum, a, b]: [[u64; 8]; 3] = unsafe { transmute([sum, a, b]) };
        let mut i = 0;
        while i < 8 {
            let product = (a[i] & LIMB) as u128 * (b[i] & LIMB) as u128;
            sum[i] = sum[i].wrapping_add((product >> FROM) as u64 & LIMB);
            i += 1;
        }
        // SAFETY: as above.
        unsafe { transmute(sum) }
    }

    pub(super) unsafe fn _mm512_madd52lo_epu64(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        multiply_add::<0>(sum, a, b)
    }

    pub(super) unsafe fn _mm512_madd52hi_epu64(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        multiply_add::<52>(sum, a, b)
    }
}
