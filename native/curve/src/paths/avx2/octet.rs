//! Eight tasks, transposed: the bits of their recoded scalars in lanes, and the lookup of their
//! table entries.

use super::field::{Element, Sum};
use super::vector::{Isa, Lanes, Vector};
use crate::math::digits::Recoded;
use crate::paths::steps::{Step, eight, lane_tasks};
use crate::tables::{Entry, prefetch};
use crate::task::Task;

/// Eight entries, and the signs with which they are added: 1 or -1.
#[derive(Clone, Copy)]
pub(super) struct Entries<'e> {
    rows: [&'e Entry; 8],
    signs: Vector,
}

impl Entries<'_> {
    #[inline(always)]
    pub(super) fn x(&self, isa: Isa) -> Element {
        let r = self.rows;
        Element::doubled(
            isa,
            [&r[0].x, &r[1].x, &r[2].x, &r[3].x, &r[4].x, &r[5].x, &r[6].x, &r[7].x],
        )
    }

    /// y, or -y where the entry is to be subtracted.
    #[inline(always)]
    pub(super) fn y(&self, isa: Isa) -> Sum {
        let r = self.rows;
        let rows = [&r[0].y, &r[1].y, &r[2].y, &r[3].y, &r[4].y, &r[5].y, &r[6].y, &r[7].y];
        Sum::from(Element::doubled(isa, rows)).turn(self.signs)
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

/// A recoded scalar a lane, in words of 32 bits and one more that is 0.
struct Digits {
    bits: [Lanes; 9],
    /// All ones where the signs of the digits are inverted.
    negative: Lanes,
}

impl Digits {
    fn new(recoded: [&Recoded; 8]) -> Self {
        let mut digits = Self { bits: [Lanes::default(); 9], negative: Lanes::default() };
        for (lane, recoded) in recoded.into_iter().enumerate() {
            for (i, bits) in recoded.bits.into_iter().enumerate() {
                digits.bits[2 * i].0[lane] = bits as u32;
                digits.bits[2 * i + 1].0[lane] = (bits >> 32) as u32;
            }
            digits.negative.0[lane] = (recoded.negative as u32).wrapping_neg();
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
        let (word, shift) = (2 * step.word + (step.shift / 32) as usize, step.shift as u32 % 32);
        let low = Vector::load(isa, &digits.bits[word]).right_by(shift);
        let high = Vector::load(isa, &digits.bits[word + 1]).left_by(32 - shift);
        let signed = low.or(high).xor(Vector::load(isa, &digits.negative));
        let (place, signs) = if step.folded {
            let negative = signed.and(splat(half)).equal(Vector::zero(isa));
            (signed.xor(negative).and(splat(half - 1)), negative.or(splat(1)))
        } else {
            (signed.and(splat(2 * half - 1)), splat(1))
        };
        let place = place.add(splat(step.start as u32)).lanes().0;
        let rows = match step.base {
            Some(entries) => eight(|lane| &entries[place[lane] as usize]),
            None => eight(|lane| &self.tables[lane][place[lane] as usize]),
        };
        Entries { rows, signs }
    }
}
