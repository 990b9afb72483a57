//! The paths: ways to add up the points of many signatures. All give the same verdicts.

#[cfg(target_arch = "x86_64")]
mod bmi2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod scalar;
pub(crate) mod slow;

/// How to compute the sums. All paths give the same verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Path {
    /// AVX-512 IFMA: eight tokens a vector.
    Ifma,
    /// 64-bit words; runs on every processor.
    Scalar,
    /// Complete double-and-add without tables. It is some hundred times slower, and the oracle for
    /// the other paths.
    Slow,
}

impl Path {
    /// The fastest path that this processor can run.
    pub fn best() -> Self {
        if Self::Ifma.available() { Self::Ifma } else { Self::Scalar }
    }

    /// Whether this processor can run the path.
    pub fn available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => ifma::Isa::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Ifma => false,
            Self::Scalar | Self::Slow => true,
        }
    }
}
