//! Eight tasks, transposed: the bits of their recoded scalars in lanes, and the lookup of their
//! table entries.

use super::field::{Element, Sum};
use super::vector::{Isa, Lanes, Mask, Vector};
use crate::math::digits::Recoded;
use crate::math::modulus52::Modulus52;
use crate::tables::{BaseTable, Entry, Table, prefetch};
use crate::task::Task;

/// One addition in every sum: the position of its digit in the scalar, and the start of the
/// window's entries in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'e> {
    /// The generator's entries if the digit belongs to the generator; `None` means the key's table.
    base: Option<&'e [Entry]>,
    word: usize,
    shift: u64,
    width: u32,
    start: usize,
    /// Whether the window holds positive multiples only. Otherwise it holds both signs, with the
    /// blind point added.
    folded: bool,
}

impl<'e> Step<'e> {
    fn new(base: Option<&'e [Entry]>, table: &Table, window: usize, folded: bool) -> Self {
        let (offset, width) = (table.windows.offset(window), table.windows.width(window));
        let (word, shift) = ((offset / 64) as usize, offset as u64 % 64);
        Self { base, word, shift, width, start: table.start(window), folded }
    }
}

/// The opening step, with which every sum starts, and the steps added after it. They hold for every
/// task whose key table has the same windows as that of `task`.
pub(super) fn steps<'e>(base: &'e BaseTable, task: &Task) -> (Step<'e>, Vec<Step<'e>>) {
    let (own, key) = (base.table(), task.table.table());
    let of_base = |window| Step::new(Some(own.entries()), own, window, window < base.plain());
    let of_key = |window| Step::new(None, key, window, true);
    let added = (0..base.plain()).map(of_base).chain((0..key.windows.count).map(of_key));
    (of_base(base.plain() + 1), added.chain([of_base(base.plain())]).collect())
}

/// Eight entries, and a mask of the lanes whose entry is to be subtracted.
#[derive(Clone, Copy)]
pub(super) struct Entries<'e> {
    pub(super) rows: [&'e Entry; 8],
    pub(super) negative: Mask,
}

impl<'e> Entries<'e> {
    /// Up to eight entries; unused lanes repeat the first.
    #[inline(always)]
    pub(super) fn gather(entries: &[(&'e Entry, bool)]) -> Self {
        let mut all = Self { rows: [entries[0].0; 8], negative: 0 };
        for (lane, &(entry, negative)) in entries.iter().enumerate() {
            all.rows[lane] = entry;
            all.negative |= (negative as Mask) << lane;
        }
        all
    }

    #[inline(always)]
    pub(super) fn x(&self, isa: Isa) -> Element {
        let r = self.rows;
        let rows = [&r[0].x, &r[1].x, &r[2].x, &r[3].x, &r[4].x, &r[5].x, &r[6].x, &r[7].x];
        Element::from_words(isa, Vector::transpose(isa, rows))
    }

    /// y, or p - y in the lanes whose digit is negative; `turned` inverts these signs.
    #[inline(always)]
    pub(super) fn y<M: Modulus52>(&self, isa: Isa, turned: bool) -> Sum {
        let r = self.rows;
        let rows = [&r[0].y, &r[1].y, &r[2].y, &r[3].y, &r[4].y, &r[5].y, &r[6].y, &r[7].y];
        let y = Element::from_words(isa, Vector::transpose(isa, rows));
        y.negate_lanes::<M>(isa, self.negative ^ (turned as Mask).wrapping_neg())
    }

    #[inline(always)]
    pub(super) fn prefetch(&self) {
        self.prefetch_half(0);
        self.prefetch_half(1);
    }

    #[inline(always)]
    pub(super) fn prefetch_half(&self, half: usize) {
        for entry in &self.rows[4 * half..4 * half + 4] {
            prefetch(entry);
        }
    }
}

/// One recoded scalar a lane.
struct Digits {
    bits: [Lanes; 4],
    /// All ones in the lanes where the signs of the digits are inverted.
    negative: Lanes,
}

impl Digits {
    fn new(recoded: [&Recoded; 8]) -> Self {
        let mut digits = Self { bits: [Lanes::default(); 4], negative: Lanes::default() };
        for (lane, recoded) in recoded.into_iter().enumerate() {
            for (word, bits) in digits.bits.iter_mut().zip(recoded.bits) {
                word.0[lane] = bits;
            }
            digits.negative.0[lane] = (recoded.negative as u64).wrapping_neg();
        }
        digits
    }
}

/// What eight tasks need to look up their entries.
pub(super) struct Octet<'e> {
    base: Digits,
    key: Digits,
    tables: [&'e [Entry]; 8],
}

impl<'e> Octet<'e> {
    /// The tasks from `start` on. Lanes past the end repeat the first task; their verdicts are
    /// ignored.
    pub(super) fn new(tasks: &[Task<'e>], start: usize) -> Self {
        let tasks = lane_tasks(tasks, start);
        Self {
            base: Digits::new(tasks.map(|task| &task.base)),
            key: Digits::new(tasks.map(|task| &task.key)),
            tables: tasks.map(|task| task.table.table().entries()),
        }
    }

    #[inline(always)]
    pub(super) fn entries(&self, isa: Isa, step: &Step<'e>) -> Entries<'e> {
        let digits = if step.base.is_some() { &self.base } else { &self.key };
        let splat = |a| Vector::splat(isa, a);
        let half = 1 << (step.width - 1);
        let low = Vector::load(isa, &digits.bits[step.word]);
        let high = Vector::load(isa, &digits.bits[(step.word + 1).min(3)]);
        let signed =
            low.shift_in_by(high, splat(step.shift)).xor(Vector::load(isa, &digits.negative));
        let (place, negative) = if step.folded {
            let negative = signed.test_not(splat(half));
            (signed.xor_lanes(negative, splat(u64::MAX)).and(splat(half - 1)), negative)
        } else {
            (signed.and(splat(2 * half - 1)), 0)
        };
        let place = place.add(splat(step.start as u64)).lanes().0;
        let rows = match step.base {
            Some(entries) => eight(|lane| &entries[place[lane] as usize]),
            None => eight(|lane| &self.tables[lane][place[lane] as usize]),
        };
        Entries { rows, negative }
    }
}

/// Eight tasks from `start` on; lanes past the end repeat the first task.
pub(super) fn lane_tasks<'t, 'e>(tasks: &'t [Task<'e>], start: usize) -> [&'t Task<'e>; 8] {
    core::array::from_fn(|lane| tasks.get(start + lane).unwrap_or(&tasks[0]))
}

/// Every entry of one task's sum and whether to subtract it, and the point that cancels the eight
/// of `BaseTable::lanes`.
pub(super) fn all_entries<'e>(base: &'e BaseTable, task: &Task<'e>) -> Vec<(&'e Entry, bool)> {
    let (own, key) = (base.table(), task.table.table());
    let mut all = Vec::with_capacity(own.windows.count + key.windows.count + 1);
    let (own_entries, key_entries) = (own.entries(), key.entries());
    all.push((&base.lanes()[8], false));
    for window in (0..own.windows.count).rev() {
        let (offset, width) = (own.windows.offset(window), own.windows.width(window));
        let (place, negative) = if window < base.plain() {
            task.base.place(offset, width)
        } else {
            (task.base.signed_place(offset, width), false)
        };
        all.push((&own_entries[own.start(window) + place as usize], negative));
    }
    for window in 0..key.windows.count {
        let (place, negative) =
            task.key.place(key.windows.offset(window), key.windows.width(window));
        all.push((&key_entries[key.start(window) + place as usize], negative));
    }
    for (entry, _) in &all {
        prefetch(entry);
    }
    all
}

/// `array::from_fn`, always inlined.
#[inline(always)]
pub(super) fn eight<T>(mut f: impl FnMut(usize) -> T) -> [T; 8] {
    [f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)]
}

#[inline(always)]
pub(super) fn to_lanes(a: Element) -> [Lanes; 4] {
    let words = a.to_words();
    [words[0].lanes(), words[1].lanes(), words[2].lanes(), words[3].lanes()]
}
