//! Eight tasks, transposed: the bits of their recoded scalars in lanes, and the lookup of their
//! table entries.

use super::field::{Element, Sum};
use super::vector::{Isa, Lanes, Mask, Vector};
use crate::math::digits::Recoded;
use crate::math::modulus52::Modulus52;
use crate::paths::steps::{Step, eight, lane_tasks};
use crate::tables::{Entry, prefetch};
use crate::task::Task;

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

#[inline(always)]
pub(super) fn to_lanes(a: Element) -> [Lanes; 4] {
    let words = a.to_words();
    [words[0].lanes(), words[1].lanes(), words[2].lanes(), words[3].lanes()]
}
