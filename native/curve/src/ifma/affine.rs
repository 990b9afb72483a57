//! Batch-affine additions: all sums of a chunk advance one addition a step, and share one inversion a step.
//!
//! An addition costs 5 multiplications and a square: three for its share of the inversion, then
//! slope = dy / dx, x3 = slope^2 - x1 - x2, y3 = slope (x1 - x3) - y1. The walk that finishes step i also begins step i + 1
//! (its dx and the running product), in the opposite direction each time; so a step passes over memory once, and the chain
//! of the running product hides behind the rest.
//!
//! y is held with its sign turned after every step: what is needed of it is -y1 twice, and y3 comes out positive. An odd
//! step then adds with the signs of its entries turned, and the negation is never computed.

use super::field::words_of;
use super::field::{Element, Factor, Modulus52, Sum, invert, multiply, plain, products, square, zero_lanes};
use super::octet::{Entries, Octet, Step, steps, to_lanes};
use super::vector::{Isa, Mask};
use crate::arith::reduce_once;
use crate::field::Modulus;
use crate::spec::Spec;
use crate::table::BaseTable;
use crate::task::{Task, Verdict, second_candidate};

/// Vectors worked on side by side.
const WIDE: usize = 2;
const TOKENS: usize = WIDE * 8;
/// How many pairs ahead of its use a table entry is asked for.
const AHEAD: usize = 2;

/// Sixteen sums between two steps. Two vectors of each, side by side.
struct Pair<'e> {
    x: [Element; WIDE],
    /// -y before even steps, y before odd ones.
    y: [Element; WIDE],
    dx: [Factor; WIDE],
    /// 3 p - x1 - x2: what the square of the slope is added to.
    rest: [Sum; WIDE],
    /// The product of the dx of the pairs visited before this one.
    before: [Factor; WIDE],
    addend: [Entries<'e>; WIDE],
    next: [Entries<'e>; WIDE],
    /// Lanes whose sum is lost.
    lost: [Mask; WIDE],
}

impl Pair<'_> {
    /// Begins the addition of the entries: dx, and the running product.
    #[inline(always)]
    fn begin<M: Modulus52>(&mut self, isa: Isa, product: &mut [Factor; WIDE]) {
        for n in 0..WIDE {
            let x2 = self.addend[n].x(isa);
            // 2 p < 3 p - x1 <= 3 p, so both sums are positive.
            let minus_x1 = Sum::constant(isa, M::THREE).minus(self.x[n]);
            self.dx[n] = minus_x1.plus(x2).carry_factor();
            self.rest[n] = minus_x1.minus(x2);
        }
        self.before = *product;
        *product = multiply::<M, WIDE>(isa, product, &self.dx);
    }

    /// Finishes the addition, given the inverse of the product up to and with this pair; leaves that of the pairs before.
    #[inline(always)]
    fn finish<M: Modulus52>(&mut self, isa: Isa, inverse: &mut [Factor; WIDE], turned: bool) {
        let dx_inverse = multiply::<M, WIDE>(isa, inverse, &self.before);
        *inverse = multiply::<M, WIDE>(isa, inverse, &self.dx);
        let mut dy = self.dx;
        for n in 0..WIDE {
            dy[n] = self.addend[n].y::<M>(isa, turned).plus(self.y[n]).carry_factor();
        }
        let slope = multiply::<M, WIDE>(isa, &dy, &dx_inverse);
        let x3 = square::<M, WIDE>(isa, self.rest, &slope);
        let mut down = slope;
        let mut minus_y1 = self.rest;
        for n in 0..WIDE {
            let x3 = x3[n].settle::<M>(isa);
            // x1 - x3 + 2 p, between 0.9 p and 3.1 p.
            down[n] = Sum::constant(isa, M::TWO).plus(self.x[n]).minus(x3).carry_factor();
            minus_y1[n] = self.y[n].into();
            self.x[n] = x3;
        }
        let y3 = products::<M, WIDE, 1>(isa, minus_y1, [(&slope, &down)]);
        for n in 0..WIDE {
            self.y[n] = y3[n].settle::<M>(isa);
        }
    }
}

/// Verdicts on up to a chunk of tasks whose tables all have the same windows.
#[inline(always)]
pub(super) fn run<C: Spec>(isa: Isa, base: &BaseTable, tasks: &[Task], verdicts: &mut [Verdict]) {
    let steps = steps(base, &tasks[0]);
    let count = tasks.len().div_ceil(TOKENS);
    let octets: Vec<[Octet; WIDE]> =
        (0..count).map(|i| core::array::from_fn(|n| Octet::new(tasks, i * TOKENS + n * 8))).collect();
    let one = Factor(Sum::constant(isa, C::Prime::ONE).0);
    let mut pairs: Vec<Pair> = octets
        .iter()
        .map(|octets| {
            let opening = octets.each_ref().map(|octet| octet.opening(base));
            let first = octets.each_ref().map(|octet| octet.entries(base, steps[0]));
            Pair {
                x: opening.map(|entries| entries.x(isa)),
                // Before an even step y is held negative.
                y: opening.map(|entries| entries.y::<C::Prime>(isa, true).carry(isa)),
                dx: [one; WIDE],
                rest: [Sum::zero(isa); WIDE],
                before: [one; WIDE],
                addend: first,
                next: first,
                lost: [0; WIDE],
            }
        })
        .collect();
    let mut product = [one; WIDE];
    for pair in &mut pairs {
        pair.begin::<C::Prime>(isa, &mut product);
    }
    let mut forward = true;
    for (i, _) in steps.iter().enumerate() {
        let mut inverse = loop {
            match invert::<C::Prime>(isa, &product) {
                Some(inverse) => break inverse,
                None => {
                    let order = Order { count, forward };
                    product = drop_lost::<C::Prime>(isa, &mut pairs, order, one);
                }
            }
        };
        // The last pair visited is the first to be finished.
        forward = !forward;
        let order = Order { count, forward };
        let next = steps.get(i + 1).copied();
        walk::<C>(isa, base, &octets, &mut pairs, order, i % 2 == 1, next, &mut inverse, &mut product, one);
    }
    for (i, pair) in pairs.iter().enumerate() {
        for n in 0..WIDE {
            let x = to_lanes(plain::<C::Prime>(isa, pair.x[n].into()));
            for lane in 0..8 {
                let place = i * TOKENS + n * 8 + lane;
                let Some(task) = tasks.get(place) else { break };
                let x = reduce_once(words_of(&x, lane), 0, <C::Prime as Modulus>::M);
                verdicts[place] = if task.refused {
                    Verdict::Refused
                } else if pair.lost[n] >> lane & 1 == 1 {
                    Verdict::Undecided
                } else {
                    Verdict::from(x == task.expected || Some(x) == second_candidate::<C>(task.expected))
                };
            }
        }
    }
}

/// A direction over the pairs.
#[derive(Clone, Copy)]
struct Order {
    count: usize,
    forward: bool,
}

impl Order {
    #[inline(always)]
    fn place(self, i: usize) -> usize {
        if self.forward { i } else { self.count - 1 - i }
    }
}

/// One pass over the pairs: finishes a step, begins the next.
#[expect(clippy::too_many_arguments, reason = "the state of the sums, in one place")]
#[inline(always)]
fn walk<'e, C: Spec>(
    isa: Isa,
    base: &'e BaseTable,
    octets: &[[Octet<'_, 'e>; WIDE]],
    pairs: &mut [Pair<'e>],
    order: Order,
    turned: bool,
    next: Option<Step>,
    inverse: &mut [Factor; WIDE],
    product: &mut [Factor; WIDE],
    one: Factor,
) {
    *product = [one; WIDE];
    for i in 0..AHEAD {
        fetch(base, octets, pairs, order, i, next);
    }
    for i in 0..order.count {
        fetch(base, octets, pairs, order, i + AHEAD, next);
        let pair = &mut pairs[order.place(i)];
        pair.finish::<C::Prime>(isa, inverse, turned);
        if next.is_some() {
            pair.addend = pair.next;
            pair.begin::<C::Prime>(isa, product);
        }
    }
}

/// Looks up the entries of the next step for the i-th pair of the walk, and asks for them and for those of this step.
#[inline(always)]
fn fetch<'e>(
    base: &'e BaseTable,
    octets: &[[Octet<'_, 'e>; WIDE]],
    pairs: &mut [Pair<'e>],
    order: Order,
    i: usize,
    next: Option<Step>,
) {
    if let Some(step) = next.filter(|_| i < order.count) {
        let place = order.place(i);
        for n in 0..WIDE {
            let entries = octets[place][n].entries(base, step);
            entries.prefetch();
            pairs[place].next[n] = entries;
            pairs[place].addend[n].prefetch();
        }
    }
}

/// Some dx is zero: marks its lanes as lost, puts one in its place, and takes the product again in the same order.
#[cold]
fn drop_lost<M: Modulus52>(isa: Isa, pairs: &mut [Pair], order: Order, one: Factor) -> [Factor; WIDE] {
    let mut product = [one; WIDE];
    for i in 0..order.count {
        let pair = &mut pairs[order.place(i)];
        for n in 0..WIDE {
            let zero = zero_lanes::<M>(isa, pair.dx[n]);
            pair.lost[n] |= zero;
            pair.dx[n] = pair.dx[n].element(isa).replace(zero, one.element(isa)).into();
        }
        pair.before = product;
        product = multiply::<M, WIDE>(isa, &product, &pair.dx);
    }
    product
}
