//! Eight tasks turned on their side: bits of the recoded scalars in lanes, and the look-up of table entries.

use super::field::{Element, Modulus52, Sum};
use super::vector::{Isa, Lanes, Mask, Vector};
use crate::digits::{Recoded, Windows};
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
    /// Up to eight entries; the lanes past the end repeat the first.
    #[inline(always)]
    pub(super) fn gather(entries: &[(&'a Entry, bool)]) -> Self {
        let mut all = Self { rows: [entries[0].0; 8], negative: 0 };
        for (lane, &(entry, negative)) in entries.iter().enumerate() {
            all.rows[lane] = entry;
            all.negative |= (negative as Mask) << lane;
        }
        all
    }

    #[inline(always)]
    pub(super) fn x(&self, isa: Isa) -> Element {
        Element::from_words(
            isa,
            Vector::transpose(
                isa,
                eight(
                    #[inline(always)]
                    |lane| &self.rows[lane].x,
                ),
            ),
        )
    }

    /// y, or p - y where the digit is negative; the signs turned when `turned`.
    #[inline(always)]
    pub(super) fn y<M: Modulus52>(&self, isa: Isa, turned: bool) -> Sum {
        let y = Element::from_words(
            isa,
            Vector::transpose(
                isa,
                eight(
                    #[inline(always)]
                    |lane| &self.rows[lane].y,
                ),
            ),
        );
        y.negate_lanes::<M>(isa, self.negative ^ (turned as Mask).wrapping_neg())
    }

    #[inline(always)]
    pub(super) fn prefetch(&self) {
        for entry in self.rows {
            super::vector::prefetch(entry);
        }
    }
}

/// Eight tasks; `None` past the end of a batch is filled by the caller with copies.
pub(super) struct Octet<'t, 'a> {
    pub(super) tasks: [&'t Task<'a>; 8],
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
        let mut rows = [&entries[0]; 8];
        for (row, task) in rows.iter_mut().zip(self.tasks) {
            *row = &entries[task.base.signed_place(offset, width) as usize];
        }
        Entries { rows, negative: 0 }
    }

    #[inline(always)]
    pub(super) fn entries<'e>(&self, base: &'e BaseTable, step: Step) -> Entries<'e>
    where
        'a: 'e,
    {
        match step {
            Step::Closing => self.both_signs(base, base.plain()),
            Step::Base(window) => {
                let entries = base.window(window);
                self.folded(base.windows(), window, |task| (&task.base, entries))
            }
            Step::Key(window) => {
                let windows = self.tasks[0].table.windows();
                self.folded(windows, window, |task| (&task.key, task.table.window(window)))
            }
        }
    }

    #[inline(always)]
    fn folded<'e>(
        &self,
        windows: Windows,
        window: usize,
        table: impl Fn(&'t Task<'a>) -> (&'t Recoded, &'e [Entry]),
    ) -> Entries<'e> {
        let (offset, width) = (windows.offset(window), windows.width(window));
        let mut rows = [&table(self.tasks[0]).1[0]; 8];
        let mut negative = 0;
        for lane in 0..8 {
            let (digits, entries) = table(self.tasks[lane]);
            let (place, is_negative) = digits.place(offset, width);
            rows[lane] = &entries[place as usize];
            negative |= (is_negative as Mask) << lane;
        }
        Entries { rows, negative }
    }
}

/// Every entry of one task's sum, and whether it is to be subtracted; with them the point that cancels `BaseTable::lanes`.
pub(super) fn all_entries<'e>(base: &'e BaseTable, task: &Task<'e>) -> Vec<(&'e Entry, bool)> {
    let mut all = Vec::with_capacity(base.windows().count + task.table.windows().count + 1);
    all.push((&base.lanes()[8], false));
    for window in (0..base.windows().count).rev() {
        let (offset, width) = (base.windows().offset(window), base.windows().width(window));
        let (place, negative) = if window < base.plain() {
            task.base.place(offset, width)
        } else {
            (task.base.signed_place(offset, width), false)
        };
        all.push((&base.window(window)[place as usize], negative));
    }
    let windows = task.table.windows();
    for window in 0..windows.count {
        let (place, negative) = task.key.place(windows.offset(window), windows.width(window));
        all.push((&task.table.window(window)[place as usize], negative));
    }
    for (entry, _) in &all {
        super::vector::prefetch(entry);
    }
    all
}

/// `array::from_fn` that is always inlined.
#[inline(always)]
pub(super) fn eight<T>(mut f: impl FnMut(usize) -> T) -> [T; 8] {
    [f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)]
}

#[inline(always)]
pub(super) fn to_lanes(a: Element) -> [Lanes; 4] {
    let words = a.to_words();
    [words[0].lanes(), words[1].lanes(), words[2].lanes(), words[3].lanes()]
}
