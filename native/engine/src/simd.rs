//! Whether this processor has the 512-bit vectors with which SM3 is hashed and digits are read.

/// Proof that this processor has AVX-512 F, BW and VBMI: code that holds a `Simd` may call
/// functions that are compiled for them.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub struct Simd(());

#[cfg(target_arch = "x86_64")]
impl Simd {
    /// `None` if the processor lacks one of the instruction sets.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi");
        there.then_some(Self(()))
    }
}

/// This architecture has no such vectors, so this type has no value.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub enum Simd {}

#[cfg(not(target_arch = "x86_64"))]
impl Simd {
    #[must_use]
    pub fn detect() -> Option<Self> {
        None
    }
}
