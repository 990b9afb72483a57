//! Whether this processor has the 512-bit vectors that hash SM3 and read digits.

/// Proof that this processor has AVX-512 F, BW and VBMI: whoever holds one may call what is
/// compiled for them.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub struct Simd(());

#[cfg(target_arch = "x86_64")]
impl Simd {
    /// `None` where the processor lacks one of the instruction sets.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi");
        there.then_some(Self(()))
    }
}

/// There are no such vectors on this architecture, so there is no proof.
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
