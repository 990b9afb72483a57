//! Runs code compiled for processors with BMI2 and ADX. Their multiplications leave the flags
//! alone, and their additions have two independent carry flags.
#![allow(unsafe_code, reason = "a call of a function that is compiled for instruction sets")]

/// Proof that this processor has both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isa(());

impl Isa {
    pub(crate) fn detect() -> Option<Self> {
        let both = is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("adx");
        both.then_some(Self(()))
    }

    /// Runs `work`, compiled for the instruction sets that `self` proves.
    #[inline(always)]
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "bmi2,adx")]
        fn enabled<T>(work: impl FnOnce() -> T) -> T {
            work()
        }
        // SAFETY: `self` proves that the processor has the features for which `enabled` is
        // compiled.
        unsafe { enabled(work) }
    }
}
