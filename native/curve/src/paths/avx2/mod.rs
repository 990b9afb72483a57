//! The vector path of processors without AVX-512 IFMA: eight tokens side by side with AVX2.

mod affine;
mod divide;
pub(crate) mod field;
mod octet;
pub(crate) mod vector;
mod xyzz;

pub(crate) use vector::Isa;

use crate::math::arith::U256;
use crate::math::curve::Spec;
use crate::paths::scalar;
use crate::tables::BaseTable;
use crate::task::{self, Task, Verdict};

/// Tokens that advance in step: enough to make the shared inversion cheap, and few enough for their
/// points, 300 bytes each, to stay in L2.
const CHUNK: usize = 2048;
/// From this many tokens on, one shared inversion a step is cheaper than XYZZ coordinates.
const AFFINE_MIN: usize = 40;
/// Up to this many tokens, scalar code is faster than a vector that is not full.
const SCALAR_MAX: usize = 4;

/// Verdicts on tasks whose tables all have the same windows. It is not inlined, because it would
/// make the function larger that runs every path.
#[inline(never)]
pub(crate) fn run<C: Spec>(isa: Isa, base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    let (mut tasks, mut verdicts) = (tasks, verdicts);
    while tasks.len() > SCALAR_MAX {
        let in_step = tasks.len() >= AFFINE_MIN;
        let most = if in_step { CHUNK } else { 8 };
        let (now, later) = tasks.split_at(tasks.len().min(most));
        let (now_verdicts, later_verdicts) = verdicts.split_at_mut(now.len());
        if in_step {
            affine::<C>(isa, base, now, now_verdicts);
        } else {
            side_by_side::<C>(isa, base, now, now_verdicts);
        }
        (tasks, verdicts) = (later, later_verdicts);
    }
    scalar::run::<C>(base, tasks, verdicts);
}

// Each of these is inlined into a copy of its own of `Isa::run`, which is compiled for AVX2.

fn affine<C: Spec>(isa: Isa, base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    isa.run(
        #[inline(always)]
        || affine::run::<C>(isa, base, tasks, verdicts),
    );
}

fn side_by_side<C: Spec>(isa: Isa, base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    isa.run(
        #[inline(always)]
        || xyzz::batch::<C>(isa, base, tasks, verdicts),
    );
}

/// Below this many quotients, one scalar inversion each is faster than filling the lanes.
const DIVIDE_MIN: usize = 16;

/// Replaces each (e, r, s), where s is not 0 mod n, by (e / s, r / s).
pub(crate) fn divide<C: Spec>(isa: Isa, quotients: &mut [[U256; 3]]) {
    if quotients.len() < DIVIDE_MIN {
        return task::divide::<C>(quotients);
    }
    isa.run(
        #[inline(always)]
        || divide::run::<C>(isa, quotients),
    );
}
