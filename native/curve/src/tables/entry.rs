//! One table entry: a point that every path can load. It fills one cache line and holds affine
//! coordinates in Montgomery form with R = 2^260, below p. The vector code cuts them into limbs of
//! 52 bits; the scalar code divides them by 16 (`Entry::load`).

use bytemuck::{Pod, Zeroable};

use crate::math::arith::{U256, mac};
use crate::math::curve::Spec;
use crate::math::field::{Modulus, Residue, double};
use crate::math::point::Affine;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(crate) x: U256,
    pub(crate) y: U256,
}

impl Entry {
    pub(crate) fn store<C: Spec>(point: Affine<C>) -> Self {
        Self { x: to_r260(point.x), y: to_r260(point.y) }
    }

    #[inline(always)]
    pub(crate) fn load<C: Spec>(&self) -> Affine<C> {
        Affine { x: from_r260(self.x), y: from_r260(self.y) }
    }
}

/// Prefetches an entry's cache line, which takes about half an addition to arrive. The target is
/// L2: L1 has too few line-fill buffers for a burst of entries, and a chunk's own sums need them
/// too. A prefetch is a hint and cannot fail.
#[inline(always)]
pub(crate) fn prefetch(entry: &Entry) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[allow(unsafe_code, reason = "SSE is part of x86-64, and a prefetch touches nothing")]
    // SAFETY: SSE is part of x86-64, and a prefetch accesses no memory that the program can see.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T2, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T2>(core::ptr::from_ref(entry).cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = entry;
}

pub(crate) fn to_r260<M: Modulus>(a: Residue<M>) -> U256 {
    double(a.montgomery(), 4, M::M)
}

/// `a / 16 mod p`: both primes are -1 mod 16, so adding (a mod 16) * p clears the low four bits.
#[inline(always)]
pub(crate) fn from_r260<M: Modulus>(a: U256) -> Residue<M> {
    debug_assert!(M::N0 & 15 == 1);
    let k = a[0] & 15;
    let (t0, c) = mac(a[0], k, M::M[0], 0);
    let (t1, c) = mac(a[1], k, M::M[1], c);
    let (t2, c) = mac(a[2], k, M::M[2], c);
    let (t3, t4) = mac(a[3], k, M::M[3], c);
    let shift = |low: u64, high: u64| low >> 4 | high << 60;
    Residue::from_montgomery([shift(t0, t1), shift(t1, t2), shift(t2, t3), shift(t3, t4)])
}
