//! The paths: ways to add up the points of many signatures. All give the same verdicts.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
mod bmi2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod scalar;
pub(crate) mod slow;
#[cfg(target_arch = "x86_64")]
mod steps;

/// How to compute the sums. All paths give the same verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Path {
    /// AVX-512 IFMA: eight tokens a vector.
    Ifma,
    /// AVX2: eight tokens a vector, four a multiplication.
    Avx2,
    /// 64-bit words; runs on every processor.
    Scalar,
    /// Complete double-and-add without tables. It is some hundred times slower, and the oracle for
    /// the other paths.
    Slow,
}

impl Path {
    /// The fastest first.
    pub const ALL: [Self; 4] = [Self::Ifma, Self::Avx2, Self::Scalar, Self::Slow];

    /// What it is called where it is chosen and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ifma => "ifma",
            Self::Avx2 => "avx2",
            Self::Scalar => "scalar",
            Self::Slow => "slow",
        }
    }

    /// The fastest path that this processor can run.
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|path| path.available()).expect("scalar code runs everywhere")
    }

    /// Whether this processor can run the path.
    pub fn available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => ifma::Isa::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Isa::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Ifma | Self::Avx2 => false,
            Self::Scalar | Self::Slow => true,
        }
    }
}
