//! The portable path. A few tokens are added up one after the other in XYZZ coordinates; many
//! advance in step with batch-affine additions.

use crate::math::curve::Spec;
use crate::math::field::{Residue, invert_all};
use crate::math::point::{Affine, Xyzz, add_with_inverse};
use crate::tables::{BaseTable, Entry, prefetch};
use crate::task::{Task, Verdict, matches};

/// From this many tokens on, one shared inversion a step is cheaper than XYZZ coordinates.
const BATCH_MIN: usize = 32;
/// Tokens that advance in step: their points fill about a tenth of an L2 cache.
const CHUNK: usize = 1024;

/// Verdicts on tasks whose key tables all have the same windows. With BMI2 and ADX (most x86-64
/// processors since 2015) the same source runs a tenth faster, because its carries survive the
/// multiplications.
pub(crate) fn run<C: Spec>(base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(isa) = super::bmi2::Isa::detect() {
        return isa.run(
            #[inline(always)]
            || all::<C>(base, tasks, verdicts),
        );
    }
    all::<C>(base, tasks, verdicts);
}

#[inline(always)]
fn all<C: Spec>(base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    for (tasks, verdicts) in tasks.chunks(CHUNK).zip(verdicts.chunks_mut(CHUNK)) {
        if tasks.len() < BATCH_MIN {
            for (task, verdict) in tasks.iter().zip(verdicts) {
                *verdict = single::<C>(base, task);
            }
        } else {
            batch::<C>(base, tasks, verdicts);
        }
    }
}

/// What one step adds to every sum: an entry from a window of the generator's table or of the
/// key's.
#[derive(Clone, Copy)]
enum Step {
    Base(usize),
    Key(usize),
    Closing,
}

fn steps(base: &BaseTable, task: &Task) -> impl Iterator<Item = Step> + use<> {
    let plain = (0..base.plain()).map(Step::Base);
    let keys = (0..task.table.table().windows.count).map(Step::Key);
    plain.chain(keys).chain([Step::Closing])
}

/// A table entry, and whether to subtract it.
type LookedUp<'e> = (&'e Entry, bool);

#[inline(always)]
fn opening<'e>(base: &'e BaseTable, task: &Task) -> LookedUp<'e> {
    both_signs(base, task, base.plain() + 1)
}

#[inline(always)]
fn both_signs<'e>(base: &'e BaseTable, task: &Task, window: usize) -> LookedUp<'e> {
    let windows = base.table().windows;
    let place = task.base.signed_place(windows.offset(window), windows.width(window));
    (&base.table().window(window)[place as usize], false)
}

/// The entry that a step adds.
#[inline(always)]
fn look_up<'e>(base: &'e BaseTable, task: &Task<'e>, step: Step) -> LookedUp<'e> {
    let (entries, (place, negative)) = match step {
        Step::Closing => return both_signs(base, task, base.plain()),
        Step::Base(i) => {
            let windows = base.table().windows;
            (base.table().window(i), task.base.place(windows.offset(i), windows.width(i)))
        }
        Step::Key(i) => {
            let windows = task.table.table().windows;
            (task.table.table().window(i), task.key.place(windows.offset(i), windows.width(i)))
        }
    };
    (&entries[place as usize], negative)
}

#[inline(always)]
fn load<C: Spec>((entry, negative): LookedUp) -> Affine<C> {
    entry.load().negate_if(negative)
}

#[inline(always)]
fn single<C: Spec>(base: &BaseTable, task: &Task) -> Verdict {
    let mut sum = Xyzz::<C>::from(load(opening(base, task)));
    let all: Vec<_> = steps(base, task).map(|step| look_up(base, task, step)).collect();
    all.iter().for_each(|(entry, _)| prefetch(entry));
    for entry in all {
        // These additions are complete, so even a sum that is infinity is decided here.
        sum = sum.add_affine(load(entry));
    }
    Verdict::from(!task.refused && !sum.is_infinity() && matches::<C>(sum.x, sum.zz, task.expected))
}

#[inline(always)]
fn batch<C: Spec>(base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    let mut entries: Vec<_> = tasks.iter().map(|task| opening(base, task)).collect();
    let mut sums: Vec<Affine<C>> = entries.iter().map(|&entry| load(entry)).collect();
    let mut addends = sums.clone();
    let mut slopes = vec![Residue::ONE; tasks.len()];
    let mut scratch = Vec::with_capacity(tasks.len());
    verdicts.fill(Verdict::Refused);
    for step in steps(base, &tasks[0]) {
        for (entry, task) in entries.iter_mut().zip(tasks) {
            *entry = look_up(base, task, step);
            prefetch(entry.0);
        }
        for (i, &entry) in entries.iter().enumerate() {
            addends[i] = load(entry);
            let dx = addends[i].x - sums[i].x;
            slopes[i] = if dx.is_zero() {
                // Equal or opposite points: this token's sum is lost, but it must not spoil the
                // shared inversion.
                verdicts[i] = Verdict::Undecided;
                Residue::ONE
            } else {
                dx
            };
        }
        let invertible = invert_all(&mut slopes, &mut scratch);
        debug_assert!(invertible);
        for ((sum, addend), &inverse) in sums.iter_mut().zip(&addends).zip(&slopes) {
            *sum = add_with_inverse(*sum, *addend, inverse);
        }
    }
    for ((task, sum), verdict) in tasks.iter().zip(&sums).zip(verdicts) {
        if task.refused {
            *verdict = Verdict::Refused;
        } else if *verdict != Verdict::Undecided {
            *verdict = Verdict::from(matches::<C>(sum.x, Residue::ONE, task.expected));
        }
    }
}
