//! Sums in XYZZ coordinates, which need no inversion: eight tokens in a vector, for batches that
//! are too small to share one.
//!
//! A pair of equal or opposite points makes ZZ zero, and zero it stays: one test at the end finds
//! every token whose sum is lost.

use super::field::{Element, Sum, mask_of, multiply, multiply_two, square, zero_lanes};
use super::octet::{Entries, Octet};
use super::vector::{Isa, Mask};
use crate::math::arith::U256;
use crate::math::curve::Spec;
use crate::math::modulus29::Modulus29;
use crate::paths::steps::{Step, eight, lane_tasks, steps};
use crate::tables::BaseTable;
use crate::task::{Task, Verdict, second_candidate};

struct Sums {
    x: Sum,
    y: Sum,
    zz: Element,
    zzz: Element,
}

impl Sums {
    #[inline(always)]
    fn begin<M: Modulus29>(isa: Isa, entries: &Entries) -> Self {
        let one = Element::constant(isa, M::ONE29);
        Self { x: entries.x(isa).into(), y: entries.y(isa), zz: one, zzz: one }
    }

    /// Adds an entry to every lane, by 8 multiplications and 2 squares: x3 = R^2 - PPP - 2 Q and
    /// y3 = R (Q - x3) - y1 PPP.
    #[inline(always)]
    fn add_entries<M: Modulus29>(&mut self, isa: Isa, entries: &Entries) {
        let y2 = entries.y(isa).factor::<M>(isa);
        let u2 = Sum::from(multiply::<M>(isa, &self.zz, &entries.x(isa)));
        let s2 = Sum::from(multiply::<M>(isa, &self.zzz, &y2));
        let p = u2.minus(self.x).factor::<M>(isa).carry(isa);
        let r = s2.minus(self.y).factor::<M>(isa).carry(isa);
        let pp = square::<M>(isa, &p);
        let ppp = multiply::<M>(isa, &p, &pp);
        let q = Sum::from(multiply::<M>(isa, &pp, &self.x.factor::<M>(isa)));
        let rr = Sum::from(square::<M>(isa, &r));
        self.x = rr.minus(ppp).minus(q.plus(q)).settle::<M>(isa);
        let down = q.minus(self.x).factor::<M>(isa).carry(isa);
        let minus_y1 = self.y.minus_factor::<M>(isa);
        self.y = multiply_two::<M>(isa, (&r, &down), (&minus_y1, &ppp)).into();
        self.zz.set(&multiply::<M>(isa, &self.zz, &pp));
        self.zzz.set(&multiply::<M>(isa, &self.zzz, &ppp));
    }

    /// The lanes whose x is c, c given a lane.
    #[inline(always)]
    fn compare<M: Modulus29>(&self, isa: Isa, candidates: [&U256; 8]) -> Mask {
        let c = Element::doubled(isa, candidates);
        let c = multiply::<M>(isa, &c, &Element::constant(isa, M::ENTER_DOUBLED));
        let c_zz = multiply::<M>(isa, &c, &self.zz);
        mask_of(zero_lanes::<M>(isa, &self.x.minus(c_zz).factor::<M>(isa)))
    }

    /// The verdicts on tasks a lane.
    #[inline(always)]
    fn verdicts<C: Spec>(&self, isa: Isa, tasks: [&Task; 8]) -> [Verdict; 8] {
        let lost = mask_of(zero_lanes::<C::Prime>(isa, &self.zz));
        let mut equal = self.compare::<C::Prime>(isa, eight(|lane| &tasks[lane].expected));
        let seconds = tasks.map(|task| second_candidate::<C>(task.expected));
        if seconds.iter().any(Option::is_some) {
            let second = |lane: usize| seconds[lane].as_ref().unwrap_or(&tasks[lane].expected);
            equal |= self.compare::<C::Prime>(isa, eight(second));
        }
        core::array::from_fn(|lane| {
            if tasks[lane].refused {
                Verdict::Refused
            } else if lost >> lane & 1 == 1 {
                Verdict::Undecided
            } else {
                Verdict::from(equal >> lane & 1 == 1)
            }
        })
    }
}

/// A step's entries, whose cache lines are asked for.
#[inline(always)]
fn look_up<'e>(isa: Isa, octet: &Octet<'e>, step: &Step<'e>) -> Entries<'e> {
    let entries = octet.entries(isa, step);
    entries.prefetch();
    entries
}

/// Verdicts on up to eight tasks whose tables all have the same windows, a lane each.
#[inline(always)]
pub(super) fn batch<C: Spec>(isa: Isa, base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    let octet = Octet::new(tasks, 0);
    let (opening, steps) = steps(base, &tasks[0]);
    let opening = look_up(isa, &octet, &opening);
    let mut next = look_up(isa, &octet, &steps[0]);
    let mut after = look_up(isa, &octet, &steps[1]);
    let mut sums = Sums::begin::<C::Prime>(isa, &opening);
    for i in 0..steps.len() {
        let entries = next;
        next = after;
        if let Some(step) = steps.get(i + 2) {
            after = look_up(isa, &octet, step);
        }
        sums.add_entries::<C::Prime>(isa, &entries);
    }
    let found = sums.verdicts::<C>(isa, lane_tasks(tasks, 0));
    for (verdict, found) in verdicts.iter_mut().zip(found) {
        *verdict = found;
    }
}
