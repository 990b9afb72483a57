//! The vector path: eight tokens side by side with AVX-512 IFMA.

#![allow(
    clippy::needless_range_loop,
    reason = "`for n in 0..N` over several arrays shows which operations run side by side"
)]

mod affine;
mod divide;
pub(crate) mod field;
mod octet;
pub(crate) mod vector;
mod xyzz;

pub(crate) use vector::Isa;

use crate::math::arith::U256;
use crate::math::curve::Spec;
use crate::tables::BaseTable;
use crate::task::{self, Task, Verdict};

/// Tokens that advance in step: enough to make the shared inversion cheap, and few enough for their
/// points to stay in L2.
const CHUNK: usize = 2048;
/// From this many tokens on, one shared inversion a step is cheaper than XYZZ coordinates.
const AFFINE_MIN: usize = 192;
/// Up to this many tokens, spreading one after the other over all lanes is faster than one token a
/// lane.
const SPREAD_MAX: usize = 6;

/// Verdicts on tasks whose tables all have the same windows.
pub(crate) fn run<C: Spec>(isa: Isa, base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    let (mut tasks, mut verdicts) = (tasks, verdicts);
    while !tasks.is_empty() {
        let method = Method::best(tasks.len());
        let count = tasks.len().min(method.most());
        let (now, later) = tasks.split_at(count);
        let (now_verdicts, later_verdicts) = verdicts.split_at_mut(count);
        method.run::<C>(isa, base, now, now_verdicts);
        (tasks, verdicts) = (later, later_verdicts);
    }
}

/// Below this many quotients, one scalar inversion each is faster than filling the lanes.
const DIVIDE_MIN: usize = 8;

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

/// Ways to add up several sums at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    Affine,
    Xyzz,
    Spread,
}

impl Method {
    pub(crate) fn best(tasks: usize) -> Self {
        if tasks >= AFFINE_MIN {
            Self::Affine
        } else if tasks > SPREAD_MAX {
            Self::Xyzz
        } else {
            Self::Spread
        }
    }

    /// How many tasks one run takes at most.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::Affine => CHUNK,
            Self::Xyzz => xyzz::TOKENS,
            Self::Spread => xyzz::SPREAD,
        }
    }

    pub(crate) fn run<C: Spec>(
        self,
        isa: Isa,
        base: &BaseTable,
        tasks: &[Task],
        verdicts: &mut [Verdict],
    ) {
        // Each closure is inlined into its own copy of `Isa::run`, which is compiled for AVX-512.
        match self {
            Self::Affine => isa.run(
                #[inline(always)]
                || affine::run::<C>(isa, base, tasks, verdicts),
            ),
            Self::Xyzz => isa.run(
                #[inline(always)]
                || xyzz::batch::<C>(isa, base, tasks, verdicts),
            ),
            Self::Spread => match tasks {
                [first, second] => {
                    let two = [*first, *second];
                    isa.run(
                        #[inline(always)]
                        || xyzz::spread::<C, 2>(isa, base, &two, verdicts),
                    );
                }
                _ => {
                    let one = [tasks[0]];
                    isa.run(
                        #[inline(always)]
                        || xyzz::spread::<C, 1>(isa, base, &one, verdicts),
                    );
                }
            },
        }
    }
}
