//! The vector path: eight tokens side by side with AVX-512 IFMA.

mod affine;
mod field;
mod octet;
mod vector;

pub(crate) use field::Modulus52;
pub(crate) use vector::Isa;

use crate::spec::Spec;
use crate::table::BaseTable;
use crate::task::{Task, Verdict};

/// Tokens in step: enough to make the shared inversion cheap, few enough for their points to stay in the second cache.
const CHUNK: usize = 4096;

/// Verdicts on tasks whose tables all have the same windows.
pub(crate) fn run<C: Spec>(isa: Isa, base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict])
where
    C::Prime: Modulus52,
{
    for (tasks, verdicts) in tasks.chunks(CHUNK).zip(verdicts.chunks_mut(CHUNK)) {
        isa.run(
            #[inline(always)]
            || affine::run::<C>(isa, base, tasks, verdicts),
        );
    }
}
