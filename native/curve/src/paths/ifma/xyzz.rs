//! Sums in XYZZ coordinates, which need no inversion and so no other sums to share it. A batch of
//! medium size is added up sixteen tokens at a time, in two vectors. In a very small batch the
//! additions of each token are spread over the eight lanes of a vector, and the lanes are added up
//! at the end.
//!
//! As in `affine`, y is stored with its sign inverted after every addition: the formulas
//! `R = y2 ZZZ - y1` and `y3 = R (Q - x3) - y1 PPP` then both add it. Equal or opposite points make
//! ZZ zero, and it stays zero; so one test at the end finds every token whose sum is lost.

use super::field::{Element, Factor, Sum, multiply, products, square, zero_lanes};
use super::octet::{Entries, Octet};
use super::vector::{Isa, Mask, Vector};
use crate::math::curve::Spec;
use crate::math::modulus52::Modulus52;
use crate::paths::steps::{Step, all_entries, eight, lane_tasks, steps};
use crate::tables::BaseTable;
use crate::task::{Task, Verdict, second_candidate};

/// How many tokens one call of `batch` takes at most.
pub(super) const TOKENS: usize = 16;
/// How many tokens one call of `spread` takes at most.
pub(super) const SPREAD: usize = 2;

struct Sums<const N: usize> {
    x: [Element; N],
    /// y or -y, depending on the number of additions so far.
    y: [Element; N],
    zz: [Factor; N],
    zzz: [Factor; N],
}

impl<const N: usize> Sums<N> {
    /// Starts with the points of the entries; y is negated.
    #[inline(always)]
    fn begin<M: Modulus52>(isa: Isa, entries: &[Entries; N]) -> Self {
        let one = Element::constant(isa, M::ONE);
        let mut sums = Self { x: [one; N], y: [one; N], zz: [one.into(); N], zzz: [one.into(); N] };
        for n in 0..N {
            sums.x[n] = entries[n].x(isa);
            sums.y[n] = entries[n].y::<M>(isa, true).carry(isa);
        }
        sums
    }

    /// Adds an entry to every lane, with 8 multiplications and 2 squares. `turned` inverts the
    /// signs of the entries, as every other call must.
    #[inline(always)]
    fn add_entries<M: Modulus52>(&mut self, isa: Isa, entries: &[Entries; N], turned: bool) {
        let zero = [Sum::zero(isa); N];
        let (mut x2, mut y2) = (self.zz, self.zzz);
        let (mut p, mut r) = (zero, zero);
        for n in 0..N {
            x2[n] = entries[n].x(isa).into();
            y2[n] = entries[n].y::<M>(isa, turned).carry_factor();
            p[n] = Sum::constant(isa, M::TWO).minus(self.x[n]);
            r[n] = self.y[n].into();
        }
        let p = factors(products::<M, N, 1>(isa, p, [(&x2, &self.zz)]), x2);
        let r = factors(products::<M, N, 1>(isa, r, [(&y2, &self.zzz)]), y2);
        let mut x1 = x2;
        let mut y1 = y2;
        for n in 0..N {
            x1[n] = self.x[n].into();
            y1[n] = self.y[n].into();
        }
        let pp = factors(square::<M, N>(isa, zero, &p), p);
        let ppp = multiply::<M, N>(isa, &p, &pp);
        let q = multiply::<M, N>(isa, &x1, &pp);
        let down = self.close::<M>(isa, &r, &ppp, &q);
        let y3 = products::<M, N, 2>(isa, zero, [(&r, &down), (&y1, &ppp)]);
        for n in 0..N {
            self.y[n] = y3[n].carry(isa);
        }
        self.zz = multiply::<M, N>(isa, &self.zz, &pp);
        self.zzz = multiply::<M, N>(isa, &self.zzz, &ppp);
    }

    /// Sets x3 = R^2 - PPP - 2 Q and returns Q - x3 + 2 p.
    #[inline(always)]
    fn close<M: Modulus52>(
        &mut self,
        isa: Isa,
        r: &[Factor; N],
        ppp: &[Factor; N],
        q: &[Factor; N],
    ) -> [Factor; N] {
        let mut rest = [Sum::zero(isa); N];
        for n in 0..N {
            // PPP and Q are below 1.5 p.
            let q = q[n].element(isa);
            rest[n] = Sum::constant(isa, M::FIVE).minus(ppp[n].element(isa)).minus(q).minus(q);
        }
        let x3 = square::<M, N>(isa, rest, r);
        let mut down = *q;
        for n in 0..N {
            self.x[n] = x3[n].settle::<M>(isa);
            down[n] =
                Sum::constant(isa, M::TWO).plus(q[n].element(isa)).minus(self.x[n]).carry_factor();
        }
        down
    }

    /// Adds to every lane the lane COUNT places after it, with 12 multiplications and 2 squares.
    #[inline(always)]
    fn add_rotated<M: Modulus52, const COUNT: i32>(&mut self, isa: Isa) {
        let zero = [Sum::zero(isa); N];
        let (mut x1, mut y1, zz1, zzz1) = (self.zz, self.zz, self.zz, self.zzz);
        let (mut x2, mut y2, mut zz2, mut zzz2) = (x1, y1, zz1, zzz1);
        for n in 0..N {
            x1[n] = self.x[n].into();
            y1[n] = self.y[n].into();
            x2[n] = x1[n].rotate::<COUNT>();
            y2[n] = y1[n].rotate::<COUNT>();
            zz2[n] = zz1[n].rotate::<COUNT>();
            zzz2[n] = zzz1[n].rotate::<COUNT>();
        }
        let u1 = multiply::<M, N>(isa, &x1, &zz2);
        let s1 = multiply::<M, N>(isa, &y1, &zzz2);
        let (mut minus_u1, mut minus_s1) = (zero, zero);
        for n in 0..N {
            minus_u1[n] = Sum::constant(isa, M::TWO).minus(u1[n].element(isa));
            minus_s1[n] = Sum::constant(isa, M::TWO).minus(s1[n].element(isa));
        }
        let p = factors(products::<M, N, 1>(isa, minus_u1, [(&x2, &zz1)]), x1);
        let r = factors(products::<M, N, 1>(isa, minus_s1, [(&y2, &zzz1)]), y1);
        let pp = factors(square::<M, N>(isa, zero, &p), p);
        let ppp = multiply::<M, N>(isa, &p, &pp);
        let q = multiply::<M, N>(isa, &u1, &pp);
        let down = self.close::<M>(isa, &r, &ppp, &q);
        let minus_s1 = factors(minus_s1, s1);
        let y3 = products::<M, N, 2>(isa, zero, [(&r, &down), (&minus_s1, &ppp)]);
        for n in 0..N {
            self.y[n] = y3[n].carry(isa);
        }
        self.zz = multiply::<M, N>(isa, &multiply::<M, N>(isa, &zz1, &zz2), &pp);
        self.zzz = multiply::<M, N>(isa, &multiply::<M, N>(isa, &zzz1, &zzz2), &ppp);
    }

    /// The lanes of vector n whose x is the candidate of that lane.
    #[inline(always)]
    fn compare<M: Modulus52>(
        &self,
        isa: Isa,
        n: usize,
        candidates: [&crate::math::arith::U256; 8],
    ) -> Mask {
        let c = Element::from_words(isa, Vector::transpose(isa, candidates)).into();
        let enter = Factor::from(Element::constant(isa, M::ENTER));
        let c = multiply::<M, 1>(isa, &[c], &[enter]);
        let c_zz = multiply::<M, 1>(isa, &c, &[self.zz[n]])[0].element(isa);
        let distance = Sum::constant(isa, M::TWO).plus(self.x[n]).minus(c_zz);
        zero_lanes::<M>(isa, distance.carry_factor())
    }

    /// The verdicts of vector n on the tasks of its lanes.
    #[inline(always)]
    fn verdicts<C: Spec<Prime: Modulus52>>(
        &self,
        isa: Isa,
        n: usize,
        tasks: [&Task; 8],
    ) -> [Verdict; 8] {
        let lost = zero_lanes::<C::Prime>(isa, self.zz[n]);
        let mut equal = self.compare::<C::Prime>(isa, n, eight(|lane| &tasks[lane].expected));
        let seconds = tasks.map(|task| second_candidate::<C>(task.expected));
        if seconds.iter().any(Option::is_some) {
            let second = |lane: usize| seconds[lane].as_ref().unwrap_or(&tasks[lane].expected);
            equal |= self.compare::<C::Prime>(isa, n, eight(second));
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

#[inline(always)]
fn factors<const N: usize>(sums: [Sum; N], mut out: [Factor; N]) -> [Factor; N] {
    for n in 0..N {
        out[n] = sums[n].carry_factor();
    }
    out
}

/// Looks up a step's entries and prefetches their cache lines. This is a function because a closure
/// that is not inlined is compiled without the instruction sets.
#[inline(always)]
fn look_up<'e>(isa: Isa, octets: &[Octet<'e>; 2], step: &Step<'e>) -> [Entries<'e>; 2] {
    let entries = [octets[0].entries(isa, step), octets[1].entries(isa, step)];
    entries[0].prefetch();
    entries[1].prefetch();
    entries
}

/// Verdicts on at most sixteen tasks, one a lane, whose key tables all have the same windows.
#[inline(always)]
pub(super) fn batch<C: Spec<Prime: Modulus52>>(
    isa: Isa,
    base: &BaseTable,
    tasks: &[Task],
    verdicts: &mut [Verdict],
) {
    let octets = [Octet::new(tasks, 0), Octet::new(tasks, 8)];
    let (opening, steps) = steps(base, &tasks[0]);
    let opening = look_up(isa, &octets, &opening);
    let mut next = look_up(isa, &octets, &steps[0]);
    let mut sums = Sums::begin::<C::Prime>(isa, &opening);
    for i in 0..steps.len() {
        let entries = next;
        if let Some(step) = steps.get(i + 1) {
            next = look_up(isa, &octets, step);
        }
        sums.add_entries::<C::Prime>(isa, &entries, i % 2 == 1);
    }
    for n in 0..2 {
        let these = sums.verdicts::<C>(isa, n, lane_tasks(tasks, n * 8));
        for (verdict, this) in verdicts.iter_mut().skip(n * 8).zip(these) {
            *verdict = this;
        }
    }
}

/// Verdicts on N tasks whose key tables have the same windows. Each task is spread over the lanes
/// of a vector: lane k starts with a secret point of its own and adds every eighth entry; then the
/// lanes are added up. The secret points cancel in the last addition; until then every partial sum
/// contains some of them.
#[inline(always)]
pub(super) fn spread<C: Spec<Prime: Modulus52>, const N: usize>(
    isa: Isa,
    base: &BaseTable,
    tasks: &[Task; N],
    verdicts: &mut [Verdict],
) {
    let mut digits = [const { Vec::new() }; N];
    for n in 0..N {
        digits[n] = all_entries(base, &tasks[n]);
    }
    let lanes = Entries { rows: eight(|lane| &base.lanes()[lane]), negative: 0 };
    let mut sums = Sums::begin::<C::Prime>(isa, &[lanes; N]);
    for (i, start) in (0..digits[0].len()).step_by(8).enumerate() {
        let active = 8.min(digits[0].len() - start);
        let mut entries = [lanes; N];
        for n in 0..N {
            entries[n] = Entries::gather(&digits[n][start..start + active]);
        }
        let idle = (0xff_u32 << active) as Mask;
        let (x, y, zz, zzz) = (sums.x, sums.y, sums.zz, sums.zzz);
        sums.add_entries::<C::Prime>(isa, &entries, i % 2 == 1);
        if idle != 0 {
            for n in 0..N {
                sums.x[n] = sums.x[n].replace(idle, x[n]);
                // The sign of y is inverted in idle lanes too.
                let turned = Sum::constant(isa, C::Prime::TWO).minus(y[n]).carry(isa);
                sums.y[n] = sums.y[n].replace(idle, turned);
                sums.zz[n] = sums.zz[n].element(isa).replace(idle, zz[n].element(isa)).into();
                sums.zzz[n] = sums.zzz[n].element(isa).replace(idle, zzz[n].element(isa)).into();
            }
        }
    }
    sums.add_rotated::<C::Prime, 4>(isa);
    sums.add_rotated::<C::Prime, 2>(isa);
    sums.add_rotated::<C::Prime, 1>(isa);
    for (n, verdict) in verdicts.iter_mut().enumerate() {
        *verdict = sums.verdicts::<C>(isa, n, [&tasks[n]; 8])[0];
    }
}
