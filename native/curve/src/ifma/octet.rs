//! Eight tasks turned on their side: bits of the recoded scalars in lanes, and the look-up of table entries.

use super::field::{Element, Modulus52, Sum};
use super::vector::{Isa, Lanes, Mask, Vector};
use crate::digits::fold;
use crate::table::{BaseTable, Entry};
use crate::task::Task;

/// What the additions of a sum take from the tables, in order, after the opening entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Base(usize),
    Key(usize),
    Closing,
}

/// The steps of every task whose key table is cut like that of `task`.
pub(super) fn steps(base: &BaseTable, task: &Task) -> Vec<Step> {
    let plain = (0..base.plain()).map(Step::Base);
    let keys = (0..task.table.windows().count).map(Step::Key);
    plain.chain(keys).chain([Step::Closing]).collect()
}

/// Eight entries, and the lanes whose entry is to be subtracted.
#[derive(Clone, Copy)]
pub(super) struct Entries<'a> {
    pub(super) rows: [&'a Entry; 8],
    pub(super) negative: Mask,
}

impl<'a> Entries<'a> {
    #[inline(always)]
    pub(super) fn x(&self, isa: Isa) -> Element {
        Element::from_words(isa, Vector::transpose(isa, self.rows.map(|entry| &entry.x)))
    }

    /// y, or p - y where the digit is negative; the signs turned when `turned`.
    #[inline(always)]
    pub(super) fn y<M: Modulus52>(&self, isa: Isa, turned: bool) -> Sum {
        let y = Element::from_words(isa, Vector::transpose(isa, self.rows.map(|entry| &entry.y)));
        y.negate_lanes::<M>(isa, self.negative ^ (turned as Mask).wrapping_neg())
    }

    #[inline(always)]
    pub(super) fn prefetch(&self) {
        self.rows.iter().for_each(|entry| super::vector::prefetch(entry));
    }
}

/// Eight tasks; `None` past the end of a batch is filled by the caller with copies.
pub(super) struct Octet<'t, 'a> {
    tasks: [&'t Task<'a>; 8],
}

impl<'t, 'a: 't> Octet<'t, 'a> {
    /// The tasks from `start` on; past the end the first task again, whose extra verdicts nobody reads.
    pub(super) fn new(tasks: &'t [Task<'a>], start: usize) -> Self {
        Self { tasks: core::array::from_fn(|lane| tasks.get(start + lane).unwrap_or(&tasks[0])) }
    }

    /// The entries with which every sum begins: the generator's top digit and the blind point.
    #[inline(always)]
    pub(super) fn opening<'e>(&self, base: &'e BaseTable) -> Entries<'e> {
        self.both_signs(base, base.plain() + 1)
    }

    #[inline(always)]
    fn both_signs<'e>(&self, base: &'e BaseTable, window: usize) -> Entries<'e> {
        let (offset, width) = (base.windows().offset(window), base.windows().width(window));
        let entries = base.window(window);
        let rows =
            core::array::from_fn(|lane| &entries[self.tasks[lane].base.signed_place(offset, width) as usize]);
        Entries { rows, negative: 0 }
    }

    #[inline(always)]
    pub(super) fn entries<'e>(&self, base: &'e BaseTable, step: Step) -> Entries<'e>
    where
        'a: 'e,
    {
        let mut negative = 0;
        let mut sign = |lane: usize, (place, is_negative): (u32, bool)| {
            negative |= (is_negative as Mask) << lane;
            place as usize
        };
        let rows = match step {
            Step::Closing => return self.both_signs(base, base.plain()),
            Step::Base(window) => {
                let (offset, width) = (base.windows().offset(window), base.windows().width(window));
                let entries = base.window(window);
                core::array::from_fn(|lane| {
                    let place = self.tasks[lane].base.signed_place(offset, width);
                    &entries[sign(lane, fold(place, width))]
                })
            }
            Step::Key(window) => {
                let windows = self.tasks[0].table.windows();
                let (offset, width) = (windows.offset(window), windows.width(window));
                core::array::from_fn(|lane| {
                    let task = self.tasks[lane];
                    let place = task.key.signed_place(offset, width);
                    &task.table.window(window)[sign(lane, fold(place, width))]
                })
            }
        };
        Entries { rows, negative }
    }

    #[inline(always)]
    pub(super) fn expected(&self) -> [&'t crate::arith::U256; 8] {
        self.tasks.map(|task| &task.expected)
    }
}

#[inline(always)]
pub(super) fn to_lanes(a: Element) -> [Lanes; 4] {
    a.to_words().map(Vector::lanes)
}
