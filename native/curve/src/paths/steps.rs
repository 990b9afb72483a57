//! What the vector paths add to every sum, in which order, and where it lies in the tables.

use crate::tables::{BaseTable, Entry, Table, prefetch};
use crate::task::Task;

/// One addition in every sum: the position of its digit in the scalar, and the start of the
/// window's entries in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'e> {
    /// The generator's entries if the digit belongs to the generator; `None` means the key's table.
    pub(crate) base: Option<&'e [Entry]>,
    pub(crate) word: usize,
    pub(crate) shift: u64,
    pub(crate) width: u32,
    pub(crate) start: usize,
    /// Whether the window holds positive multiples only. Otherwise it holds both signs, with the
    /// blind point added.
    pub(crate) folded: bool,
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
pub(crate) fn steps<'e>(base: &'e BaseTable, task: &Task) -> (Step<'e>, Vec<Step<'e>>) {
    let (own, key) = (base.table(), task.table.table());
    let of_base = |window| Step::new(Some(own.entries()), own, window, window < base.plain());
    let of_key = |window| Step::new(None, key, window, true);
    let added = (0..base.plain()).map(of_base).chain((0..key.windows.count).map(of_key));
    (of_base(base.plain() + 1), added.chain([of_base(base.plain())]).collect())
}

/// Eight tasks from `start` on; lanes past the end repeat the first task.
pub(crate) fn lane_tasks<'t, 'e>(tasks: &'t [Task<'e>], start: usize) -> [&'t Task<'e>; 8] {
    core::array::from_fn(|lane| tasks.get(start + lane).unwrap_or(&tasks[0]))
}

/// Every entry of one task's sum and whether to subtract it, and the point that cancels the eight
/// of `BaseTable::lanes`.
pub(crate) fn all_entries<'e>(base: &'e BaseTable, task: &Task<'e>) -> Vec<(&'e Entry, bool)> {
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
pub(crate) fn eight<T>(mut f: impl FnMut(usize) -> T) -> [T; 8] {
    [f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)]
}
