//! Batch-affine additions: all sums of a chunk advance by one addition a step and share one
//! inversion a step.
//!
//! An addition costs 5 multiplications and a square: three for its share of the inversion, then
//! slope = dy / dx, x3 = slope^2 - x1 - x2, y3 = slope (x1 - x3) - y1. One walk over the chunk
//! finishes step i and also begins step i + 1 (its dx and the running product), each time in the
//! opposite direction. So a step passes over memory once, and the dependency chain of the running
//! product overlaps with the other work.
//!
//! y is stored with its sign inverted after every step, because the formulas need -y1 twice and
//! give y3 with a positive sign. In odd steps the signs of the entries are inverted to match, so
//! the negation is never computed.

use super::field::{
    Element, Factor, Sum, invert, multiply, plain, products, square, words_of, zero_lanes,
};
use super::octet::{Entries, Octet, to_lanes};
use super::vector::{Isa, Mask};
use crate::math::arith::reduce_once;
use crate::math::curve::Spec;
use crate::math::field::Modulus;
use crate::math::modulus52::Modulus52;
use crate::paths::steps::{Step, steps};
use crate::tables::BaseTable;
use crate::task::{Task, Verdict, second_candidate};

/// Vectors processed side by side.
const WIDE: usize = 2;
const TOKENS: usize = WIDE * 8;
/// How many pairs before its use a table entry is prefetched.
const AHEAD: usize = 2;

/// What depends on the step's number.
#[derive(Clone, Copy)]
struct Manner {
    /// The signs of the entries are inverted.
    turned: bool,
    /// The carries of the sums' limbs are propagated. Limbs grow by less than 2^56 a step and must
    /// stay below 2^61.
    carried: bool,
}

impl Manner {
    fn of(step: usize) -> Self {
        Self { turned: step % 2 == 1, carried: step % 16 == 15 }
    }
}

/// Sixteen sums between two steps; each field has two vectors, processed side by side.
struct Pair<'e> {
    x: [Sum; WIDE],
    /// -y before even steps, y before odd steps.
    y: [Sum; WIDE],
    dx: [Factor; WIDE],
    /// 3 p - x1 - x2, to which the square of the slope is added.
    rest: [Sum; WIDE],
    /// The product of the dx of the pairs visited before this one.
    before: [Factor; WIDE],
    addend: [Entries<'e>; WIDE],
    next: [Entries<'e>; WIDE],
    /// The lanes whose sum is lost.
    lost: [Mask; WIDE],
}

impl Pair<'_> {
    /// 3 p - x1.
    #[inline(always)]
    fn minus_x<M: Modulus52>(&self, isa: Isa) -> [Sum; WIDE] {
        let mut minus = self.x;
        for n in 0..WIDE {
            minus[n] = Sum::constant(isa, M::THREE).minus(self.x[n]);
        }
        minus
    }

    /// Begins the addition of the entries: computes dx and the running product.
    #[inline(always)]
    fn begin<M: Modulus52>(
        &mut self,
        isa: Isa,
        minus_x1: [Sum; WIDE],
        product: &mut [Factor; WIDE],
    ) {
        for n in 0..WIDE {
            let x2 = self.addend[n].x(isa);
            // 1.9 p < 3 p - x1 <= 3 p, so both sums are positive.
            self.dx[n] = minus_x1[n].plus(x2).carry_factor();
            self.rest[n] = minus_x1[n].minus(x2);
        }
        self.before = *product;
        *product = multiply::<M, WIDE>(isa, product, &self.dx);
    }

    /// Finishes the addition, given in `inverse` the inverse of the product up to and including
    /// this pair; leaves in it the inverse of the product of the pairs before. Returns 3 p - x3.
    ///
    /// x3 and y3 are folded, but their carries are propagated only in some steps. That suffices
    /// because both are only added to, and the carries of those sums are propagated.
    ///
    /// The cache lines of the entries in `coming` are prefetched in quarters between the
    /// multiplications. All at once they would occupy every line-fill buffer of L1, and the loads
    /// of the sums would wait. There is always something to prefetch: a branch on whether there is
    /// costs a fifth more.
    #[inline(always)]
    fn finish<M: Modulus52>(
        &mut self,
        isa: Isa,
        inverse: &mut [Factor; WIDE],
        how: Manner,
        coming: &[Entries<'_>; WIDE],
    ) -> [Sum; WIDE] {
        coming[0].prefetch_half(0);
        let dx_inverse = multiply::<M, WIDE>(isa, inverse, &self.before);
        *inverse = multiply::<M, WIDE>(isa, inverse, &self.dx);
        coming[0].prefetch_half(1);
        let mut dy = self.dx;
        for n in 0..WIDE {
            dy[n] = self.addend[n].y::<M>(isa, how.turned).plus(self.y[n]).carry_factor();
        }
        let slope = multiply::<M, WIDE>(isa, &dy, &dx_inverse);
        let x3 = square::<M, WIDE>(isa, self.rest, &slope);
        let x1 = self.x;
        for n in 0..WIDE {
            self.x[n] = x3[n].fold::<M>(isa);
            if how.carried {
                self.x[n] = self.x[n].carry(isa).into();
            }
        }
        coming[1].prefetch_half(0);
        let minus_x3 = self.minus_x::<M>(isa);
        let mut down = slope;
        for n in 0..WIDE {
            // x1 - x3 + 3 p, which is between 1.9 p and 4.1 p.
            down[n] = x1[n].plus(minus_x3[n]).carry_factor();
        }
        let y3 = products::<M, WIDE, 1>(isa, self.y, [(&slope, &down)]);
        coming[1].prefetch_half(1);
        for n in 0..WIDE {
            self.y[n] = y3[n].fold::<M>(isa);
            if how.carried {
                self.y[n] = self.y[n].carry(isa).into();
            }
        }
        minus_x3
    }
}

/// The sums of a chunk during the additions.
struct Chunk<'e> {
    isa: Isa,
    octets: Vec<[Octet<'e>; WIDE]>,
    pairs: Vec<Pair<'e>>,
    /// The direction of the last walk over the pairs.
    forward: bool,
}

impl<'e> Chunk<'e> {
    /// Starts every sum with its opening entry and begins the first addition; also returns the
    /// product of all dx.
    #[inline(always)]
    fn begin<M: Modulus52>(
        isa: Isa,
        tasks: &[Task<'e>],
        opening: &Step<'e>,
        first: &Step<'e>,
    ) -> (Self, [Factor; WIDE]) {
        let count = tasks.len().div_ceil(TOKENS);
        let mut octets = Vec::with_capacity(count);
        let mut pairs = Vec::with_capacity(count);
        let one = Element::constant(isa, M::ONE);
        let mut product = [one.into(); WIDE];
        for i in 0..count {
            let both = [Octet::new(tasks, i * TOKENS), Octet::new(tasks, i * TOKENS + 8)];
            for octet in &both {
                octet.entries(isa, opening).prefetch();
                octet.entries(isa, first).prefetch();
            }
            octets.push(both);
        }
        for both in &octets {
            let addend = [both[0].entries(isa, first), both[1].entries(isa, first)];
            let mut pair = Pair {
                x: [one.into(); WIDE],
                y: [one.into(); WIDE],
                dx: product,
                rest: [one.into(); WIDE],
                before: product,
                addend,
                next: addend,
                lost: [0; WIDE],
            };
            for n in 0..WIDE {
                let opening = both[n].entries(isa, opening);
                pair.x[n] = opening.x(isa).into();
                // Before an even step the stored y is negated.
                pair.y[n] = opening.y::<M>(isa, true);
            }
            pair.begin::<M>(isa, pair.minus_x::<M>(isa), &mut product);
            pairs.push(pair);
        }
        (Self { isa, octets, pairs, forward: true }, product)
    }

    /// The index of the i-th pair of a walk.
    #[inline(always)]
    fn place(&self, i: usize) -> usize {
        if self.forward { i } else { self.pairs.len() - 1 - i }
    }

    /// Finishes a step, given the inverse of the product of all its dx, and begins the next step,
    /// whose product it returns. The pair visited last must be finished first, so the direction
    /// changes.
    #[inline(always)]
    fn walk<M: Modulus52>(
        &mut self,
        how: Manner,
        mut inverse: [Factor; WIDE],
        next: Option<&Step<'e>>,
    ) -> [Factor; WIDE] {
        self.forward = !self.forward;
        let isa = self.isa;
        let mut product = [Element::constant(isa, M::ONE).into(); WIDE];
        // If nothing is to come, prefetch entries that are there already.
        let mut coming = self.pairs[0].addend;
        for i in 0..AHEAD {
            if let Some(entries) = self.look_up(i, next) {
                entries.iter().for_each(Entries::prefetch);
            }
        }
        for i in 0..self.pairs.len() {
            if let Some(entries) = self.look_up(i + AHEAD, next) {
                coming = entries;
            }
            let place = self.place(i);
            let pair = &mut self.pairs[place];
            let minus_x = pair.finish::<M>(isa, &mut inverse, how, &coming);
            if next.is_some() {
                pair.addend = pair.next;
                pair.begin::<M>(isa, minus_x, &mut product);
            }
        }
        product
    }

    /// Looks up the next step's entries for the i-th pair. `None` if there is no next step or no
    /// i-th pair.
    #[inline(always)]
    fn look_up(&mut self, i: usize, next: Option<&Step<'e>>) -> Option<[Entries<'e>; WIDE]> {
        let step = next.filter(|_| i < self.pairs.len())?;
        let place = self.place(i);
        let [first, second] = &self.octets[place];
        let entries = [first.entries(self.isa, step), second.entries(self.isa, step)];
        self.pairs[place].next = entries;
        Some(entries)
    }

    /// Some dx is zero: marks its lanes as lost, replaces its dx by one, and computes the product
    /// again in the same order.
    #[inline(always)]
    fn drop_lost<M: Modulus52>(&mut self) -> [Factor; WIDE] {
        let isa = self.isa;
        let one = Element::constant(isa, M::ONE);
        let mut product = [one.into(); WIDE];
        for i in 0..self.pairs.len() {
            let place = self.place(i);
            let pair = &mut self.pairs[place];
            for n in 0..WIDE {
                let zero = zero_lanes::<M>(isa, pair.dx[n]);
                pair.lost[n] |= zero;
                pair.dx[n] = pair.dx[n].element(isa).replace(zero, one).into();
            }
            pair.before = product;
            product = multiply::<M, WIDE>(isa, &product, &pair.dx);
        }
        product
    }
}

/// Verdicts on at most one chunk of tasks whose key tables all have the same windows.
#[inline(always)]
pub(super) fn run<C: Spec>(isa: Isa, base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    let (opening, steps) = steps(base, &tasks[0]);
    let (mut chunk, mut product) = Chunk::begin::<C::Prime>(isa, tasks, &opening, &steps[0]);
    for i in 0..steps.len() {
        let inverse = loop {
            match invert::<C::Prime>(isa, &product) {
                Some(inverse) => break inverse,
                None => product = chunk.drop_lost::<C::Prime>(),
            }
        };
        product = chunk.walk::<C::Prime>(Manner::of(i), inverse, steps.get(i + 1));
    }
    for (i, pair) in chunk.pairs.iter().enumerate() {
        for n in 0..WIDE {
            let x = to_lanes(plain::<C::Prime>(isa, pair.x[n].carry_factor()));
            let start = (i * TOKENS + n * 8).min(tasks.len());
            for (lane, (task, verdict)) in
                tasks[start..].iter().zip(&mut verdicts[start..]).take(8).enumerate()
            {
                let x = reduce_once(words_of(&x, lane), 0, <C::Prime as Modulus>::M);
                *verdict = if task.refused {
                    Verdict::Refused
                } else if pair.lost[n] >> lane & 1 == 1 {
                    Verdict::Undecided
                } else {
                    Verdict::from(
                        x == task.expected || Some(x) == second_candidate::<C>(task.expected),
                    )
                };
            }
        }
    }
}
