//! The ways to add up the points of many signatures. All give the same verdicts.

#[cfg(target_arch = "x86_64")]
mod bmi2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod scalar;
pub(crate) mod slow;

/// How to compute. All paths give the same verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Path {
    /// Eight tokens a vector with AVX-512 IFMA.
    Ifma,
    /// 64-bit words, on any processor.
    Scalar,
    /// Complete double-and-add without tables: some hundred times slower, the oracle of the others.
    Slow,
}

impl Path {
    /// The fastest path of this processor.
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
