//! Batch-affine additions, as in `ifma::affine`: all sums of a chunk advance by one addition a step
//! and share one inversion a step. One walk over the chunk finishes a step and begins the next,
//! each time in the opposite direction.

use super::field::{
    Element, Factor, Sum, invert, mask_of, multiply, numbers, plain, square, zero_lanes,
};
use super::octet::{Entries, Octet};
use super::vector::{Isa, Mask};
use crate::math::arith::reduce_once;
use crate::math::curve::Spec;
use crate::math::field::Modulus;
use crate::math::modulus29::Modulus29;
use crate::paths::steps::{Step, steps};
use crate::tables::BaseTable;
use crate::task::{Task, Verdict, second_candidate};

const TOKENS: usize = 8;
/// How many groups before its use a table entry is prefetched.
const AHEAD: usize = 3;

/// Eight sums between two steps.
struct Group<'e> {
    x: Sum,
    y: Sum,
    dx: Factor,
    /// x1 + x2, to be subtracted from the square of the slope.
    both: Sum,
    /// The product of the dx of the groups visited before this one.
    before: Element,
    addend: Entries<'e>,
    next: Entries<'e>,
    /// The lanes whose sum is lost.
    lost: Mask,
}

impl Group<'_> {
    /// Begins the addition of the entries: dx, and the running product.
    #[inline(always)]
    fn begin<M: Modulus29>(&mut self, isa: Isa, product: &mut Element) {
        let x2 = self.addend.x(isa);
        self.dx = Sum::from(x2).minus(self.x).factor::<M>(isa);
        self.both = self.x.plus(x2);
        self.before.set(product);
        product.set(&multiply::<M>(isa, &self.before, &self.dx));
    }

    /// Finishes the addition, given the inverse of the product up to and with this group; leaves
    /// that of the groups before.
    ///
    /// The cache lines of the `coming` entries are prefetched by halves, between the
    /// multiplications.
    #[inline(always)]
    fn finish<M: Modulus29>(&mut self, isa: Isa, inverse: &mut Element, coming: &Entries<'_>) {
        let dx_inverse = multiply::<M>(isa, inverse, &self.before);
        coming.prefetch_half(0);
        inverse.set(&multiply::<M>(isa, inverse, &self.dx));
        let dy = self.addend.y(isa).minus(self.y).factor::<M>(isa);
        let slope = multiply::<M>(isa, &dx_inverse, &dy);
        coming.prefetch_half(1);
        let x1 = self.x;
        self.x = Sum::from(square::<M>(isa, &slope)).minus(self.both).settle::<M>(isa);
        let down = x1.minus(self.x).factor::<M>(isa);
        self.y = Sum::from(multiply::<M>(isa, &slope, &down)).minus(self.y).settle::<M>(isa);
    }
}

/// The sums of a chunk, on their way.
struct Chunk<'e> {
    isa: Isa,
    octets: Vec<Octet<'e>>,
    groups: Vec<Group<'e>>,
    /// The direction of the last walk.
    forward: bool,
}

impl<'e> Chunk<'e> {
    /// Every sum with its opening entry, and the first addition begun; with the product of all dx.
    #[inline(always)]
    fn begin<M: Modulus29>(
        isa: Isa,
        tasks: &[Task<'e>],
        opening: &Step<'e>,
        first: &Step<'e>,
    ) -> (Self, Element) {
        let count = tasks.len().div_ceil(TOKENS);
        let mut octets = Vec::with_capacity(count);
        let mut groups = Vec::with_capacity(count);
        let mut product = Element::constant(isa, M::ONE29);
        for i in 0..count {
            let octet = Octet::new(tasks, i * TOKENS);
            octet.entries(isa, opening).prefetch();
            octet.entries(isa, first).prefetch();
            octets.push(octet);
        }
        for octet in &octets {
            let (opening, addend) = (octet.entries(isa, opening), octet.entries(isa, first));
            let x = opening.x(isa);
            let mut group = Group {
                x: x.into(),
                y: opening.y(isa),
                dx: x.into(),
                both: x.into(),
                before: x,
                addend,
                next: addend,
                lost: 0,
            };
            group.begin::<M>(isa, &mut product);
            groups.push(group);
        }
        (Self { isa, octets, groups, forward: true }, product)
    }

    /// The i-th group of a walk.
    #[inline(always)]
    fn place(&self, i: usize) -> usize {
        if self.forward { i } else { self.groups.len() - 1 - i }
    }

    /// Finishes a step with the inverse of the product of all its dx, and begins the next; gives
    /// the new product. The group visited last is the first to be finished, so the direction turns.
    #[inline(always)]
    fn walk<M: Modulus29>(&mut self, mut inverse: Element, next: Option<&Step<'e>>) -> Element {
        self.forward = !self.forward;
        let isa = self.isa;
        let mut product = Element::constant(isa, M::ONE29);
        // Where none are to come, those that are there.
        let mut coming = self.groups[0].addend;
        for i in 0..AHEAD {
            if let Some(entries) = self.look_up(i, next) {
                entries.prefetch();
            }
        }
        for i in 0..self.groups.len() {
            if let Some(entries) = self.look_up(i + AHEAD, next) {
                coming = entries;
            }
            let place = self.place(i);
            let group = &mut self.groups[place];
            group.finish::<M>(isa, &mut inverse, &coming);
            if next.is_some() {
                group.addend = group.next;
                group.begin::<M>(isa, &mut product);
            }
        }
        product
    }

    /// Looks up the next step's entries for the i-th group, if there are any.
    #[inline(always)]
    fn look_up(&mut self, i: usize, next: Option<&Step<'e>>) -> Option<Entries<'e>> {
        let step = next.filter(|_| i < self.groups.len())?;
        let place = self.place(i);
        let entries = self.octets[place].entries(self.isa, step);
        self.groups[place].next = entries;
        Some(entries)
    }

    /// Some dx is zero: marks its lanes as lost, puts one in its place, and takes the product again
    /// in the same order.
    #[inline(always)]
    fn drop_lost<M: Modulus29>(&mut self) -> Element {
        let isa = self.isa;
        let one = Element::constant(isa, M::ONE29);
        let mut product = one;
        for i in 0..self.groups.len() {
            let place = self.place(i);
            let group = &mut self.groups[place];
            let zero = zero_lanes::<M>(isa, &group.dx);
            group.lost |= mask_of(zero);
            group.dx = group.dx.replace(zero, one);
            group.before.set(&product);
            product.set(&multiply::<M>(isa, &group.before, &group.dx));
        }
        product
    }
}

/// Verdicts on up to a chunk of tasks whose tables all have the same windows.
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
        product = chunk.walk::<C::Prime>(inverse, steps.get(i + 1));
    }
    for (i, group) in chunk.groups.iter().enumerate() {
        let x = numbers(plain::<C::Prime>(isa, &group.x.factor::<C::Prime>(isa)));
        let start = i * TOKENS;
        let own = tasks[start..].iter().zip(&mut verdicts[start..]).zip(x).enumerate();
        for (lane, ((task, verdict), x)) in own {
            let x = reduce_once(x, 0, <C::Prime as Modulus>::M);
            *verdict = if task.refused {
                Verdict::Refused
            } else if group.lost >> lane & 1 == 1 {
                Verdict::Undecided
            } else {
                Verdict::from(x == task.expected || Some(x) == second_candidate::<C>(task.expected))
            };
        }
    }
}
