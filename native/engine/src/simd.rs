//! Which vectors hash SM3 and read digits.

/// Proof that this processor has AVX2, and what its name says: code that holds a `Simd` may call
/// functions that are compiled for them.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub enum Simd {
    /// AVX-512 F and BW.
    Avx512(Avx512),
    Avx2(Avx2),
}

/// Made by [`Simd::avx512`] alone.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

/// Made by [`Simd::avx2`] alone.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Simd {
    /// `None` if the processor lacks one of the instruction sets.
    #[must_use]
    pub fn avx512() -> Option<Self> {
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx2");
        there.then_some(Self::Avx512(Avx512(())))
    }

    /// `None` if the processor lacks AVX2.
    #[must_use]
    pub fn avx2() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self::Avx2(Avx2(())))
    }
}

/// This architecture has no such vectors, so this type has no value.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub enum Simd {}

#[cfg(not(target_arch = "x86_64"))]
impl Simd {
    #[must_use]
    pub fn avx512() -> Option<Self> {
        None
    }

    #[must_use]
    pub fn avx2() -> Option<Self> {
        None
    }
}
