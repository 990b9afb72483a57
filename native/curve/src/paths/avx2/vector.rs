//! 256 bits as eight lanes of 32 bits or four of 64: the only module of this path with `unsafe`.
//!
//! Soundness rests on the same rule as in `ifma::vector`: a `Vector` can be made only with an
//! `Isa`, and an `Isa` only where the processor has every instruction set used here.
#![allow(unsafe_code, reason = "intrinsics; see above for why their preconditions hold")]

use core::arch::x86_64::*;

use crate::math::arith::U256;

/// Proof that this processor has AVX2 and BMI2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isa(());

impl Isa {
    pub(crate) fn detect() -> Option<Self> {
        let both = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2");
        both.then_some(Self(()))
    }

    /// Runs `work` compiled for the instruction sets this value vouches for.
    #[inline(always)]
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "avx2,bmi2")]
        fn enabled<T>(work: impl FnOnce() -> T) -> T {
            work()
        }
        // SAFETY: `self` proves that the processor has the features `enabled` is compiled for.
        unsafe { enabled(work) }
    }
}

impl Isa {
    /// The same for a function of its own, which is called and not inlined: a multiplication is
    /// some 800 instructions, and the first cache holds few of them.
    #[inline(always)]
    pub(crate) fn call<T>(self, work: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "avx2,bmi2")]
        #[inline(never)]
        fn enabled<T>(work: impl FnOnce() -> T) -> T {
            work()
        }
        // SAFETY: as in `run`.
        unsafe { enabled(work) }
    }
}

/// Memory for one vector.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub(crate) struct Lanes(pub(crate) [u32; 8]);

/// One bit a lane of 32 bits.
pub(crate) type Mask = u8;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector(__m256i);

/// A method of two vectors, by one intrinsic.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident $intrinsic:ident;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name(self, b: Self) -> Self {
            // SAFETY: a `Vector` proves AVX2.
            Self(unsafe { $intrinsic(self.0, b.0) })
        }
    )*};
}

/// A method that shifts every lane by the same number of bits.
macro_rules! shift {
    ($($(#[$doc:meta])* $name:ident $intrinsic:ident;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name<const COUNT: i32>(self) -> Self {
            // SAFETY: a `Vector` proves AVX2.
            Self(unsafe { $intrinsic::<COUNT>(self.0) })
        }
    )*};
}

impl Vector {
    binary! {
        and _mm256_and_si256;
        or _mm256_or_si256;
        xor _mm256_xor_si256;
        /// In lanes of 64 bits.
        add_wide _mm256_add_epi64;
        /// In lanes of 64 bits.
        sub_wide _mm256_sub_epi64;
        /// The products of the low 32 bits of the lanes of 64 bits.
        times _mm256_mul_epu32;
        add _mm256_add_epi32;
        sub _mm256_sub_epi32;
        /// Turned in sign where the lane of `b` is negative; that of `b` is not 0.
        turn _mm256_sign_epi32;
        /// All ones in the lanes that are equal.
        equal _mm256_cmpeq_epi32;
    }

    shift! {
        left_wide _mm256_slli_epi64;
        right_wide _mm256_srli_epi64;
        left _mm256_slli_epi32;
        right _mm256_srli_epi32;
        /// Keeps the sign.
        right_signed _mm256_srai_epi32;
    }

    #[inline(always)]
    pub(crate) fn zero(_: Isa) -> Self {
        // SAFETY: `Isa` proves AVX2.
        Self(unsafe { _mm256_setzero_si256() })
    }

    #[inline(always)]
    pub(crate) fn splat(_: Isa, a: u32) -> Self {
        // SAFETY: `Isa` proves AVX2.
        Self(unsafe { _mm256_set1_epi32(a as i32) })
    }

    #[inline(always)]
    pub(crate) fn splat_wide(_: Isa, a: u64) -> Self {
        // SAFETY: `Isa` proves AVX2.
        Self(unsafe { _mm256_set1_epi64x(a as i64) })
    }

    #[inline(always)]
    pub(crate) fn load(_: Isa, lanes: &Lanes) -> Self {
        // SAFETY: `Isa` proves AVX2; `Lanes` is 32 readable bytes, aligned to 32.
        Self(unsafe { _mm256_load_si256(lanes.0.as_ptr().cast()) })
    }

    #[inline(always)]
    pub(crate) fn lanes(self) -> Lanes {
        let mut lanes = Lanes([0; 8]);
        // SAFETY: a `Vector` proves AVX2; `Lanes` is 32 writable bytes, aligned to 32.
        unsafe { _mm256_store_si256(lanes.0.as_mut_ptr().cast(), self.0) };
        lanes
    }

    /// Shifts every lane by `count` bits, up to 32.
    #[inline(always)]
    pub(crate) fn right_by(self, count: u32) -> Self {
        // SAFETY: a `Vector` proves AVX2.
        Self(unsafe { _mm256_srl_epi32(self.0, _mm_cvtsi32_si128(count as i32)) })
    }

    /// Shifts every lane by `count` bits, up to 32.
    #[inline(always)]
    pub(crate) fn left_by(self, count: u32) -> Self {
        // SAFETY: a `Vector` proves AVX2.
        Self(unsafe { _mm256_sll_epi32(self.0, _mm_cvtsi32_si128(count as i32)) })
    }

    /// The odd lanes of 32 bits in the places of the even ones. A move of floating-point numbers:
    /// it changes no bits, reads no floating-point mode, and can take its operand from memory.
    #[inline(always)]
    pub(crate) fn odd(self) -> Self {
        // SAFETY: a `Vector` proves AVX2.
        Self(unsafe { _mm256_castps_si256(_mm256_movehdup_ps(_mm256_castsi256_ps(self.0))) })
    }

    /// The even lanes of 32 bits of `self` and the odd lanes of `b`.
    #[inline(always)]
    pub(crate) fn interleave(self, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX2.
        Self(unsafe { _mm256_blend_epi32::<0xaa>(self.0, b.0) })
    }

    /// The top bits of the lanes.
    #[inline(always)]
    pub(crate) fn tops(self) -> Mask {
        // SAFETY: a `Vector` proves AVX2.
        unsafe { _mm256_movemask_ps(_mm256_castsi256_ps(self.0)) as Mask }
    }

    /// Lane i takes lane (i + COUNT) mod 8.
    #[inline(always)]
    pub(crate) fn rotate<const COUNT: usize>(self, isa: Isa) -> Self {
        let places = Lanes(core::array::from_fn(|i| ((i + COUNT) % 8) as u32));
        // SAFETY: a `Vector` proves AVX2.
        Self(unsafe { _mm256_permutevar8x32_epi32(self.0, Self::load(isa, &places).0) })
    }

    /// `b` in the lanes whose top bit is set in `lanes`, `self` in the others.
    #[inline(always)]
    pub(crate) fn replace(self, lanes: Self, b: Self) -> Self {
        // SAFETY: a `Vector` proves AVX2. The lanes' bytes are all ones or all zeros.
        Self(unsafe { _mm256_blendv_epi8(self.0, b.0, lanes.0) })
    }

    /// The 32-bit word i of eight 256-bit numbers in vector i.
    #[inline(always)]
    pub(crate) fn transpose(_: Isa, rows: [&U256; 8]) -> [Self; 8] {
        // SAFETY: `Isa` proves AVX2; each row is 32 readable bytes, and the loads are unaligned.
        unsafe {
            // Macros, because closures of closures are not inlined. Words 0 to 3 (or 4 to 7) of
            // rows `i` and `i + 4`.
            macro_rules! pair {
                ($i:literal, $half:literal) => {{
                    let low = _mm_loadu_si128(rows[$i].as_ptr().add(2 * $half).cast());
                    let high = _mm_loadu_si128(rows[$i + 4].as_ptr().add(2 * $half).cast());
                    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
                }};
            }
            macro_rules! four {
                ($half:literal) => {{
                    let (a, b) = (pair!(0, $half), pair!(1, $half));
                    let (c, d) = (pair!(2, $half), pair!(3, $half));
                    let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
                    let (high_ab, high_cd) =
                        (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
                    [
                        Self(_mm256_unpacklo_epi64(ab, cd)),
                        Self(_mm256_unpackhi_epi64(ab, cd)),
                        Self(_mm256_unpacklo_epi64(high_ab, high_cd)),
                        Self(_mm256_unpackhi_epi64(high_ab, high_cd)),
                    ]
                }};
            }
            let ([a, b, c, d], [e, f, g, h]) = (four!(0), four!(1));
            [a, b, c, d, e, f, g, h]
        }
    }
}
