//! Scalar code for points in affine and in XYZZ coordinates (x = X/ZZ, y = Y/ZZZ, ZZ^3 = ZZZ^2; ZZ
//! = 0 means infinity).
//!
//! The additions of `Xyzz` are complete: branches handle equal points, opposite points and
//! infinity.

use super::arith::U256;
use super::curve::{Field, Spec};
use super::field::{Residue, invert_all};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Affine<C: Spec> {
    pub(crate) x: Field<C>,
    pub(crate) y: Field<C>,
}

impl<C: Spec> Affine<C> {
    pub(crate) fn generator() -> Self {
        Self { x: Residue::new(C::G[0]), y: Residue::new(C::G[1]) }
    }

    pub(crate) fn on_curve(self) -> bool {
        let three = Residue::new([3, 0, 0, 0]);
        self.y.square() == (self.x.square() - three) * self.x + Residue::new(C::B)
    }

    #[inline(always)]
    pub(crate) fn negate_if(self, yes: bool) -> Self {
        Self { x: self.x, y: self.y.negate_if(yes) }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Xyzz<C: Spec> {
    pub(crate) x: Field<C>,
    pub(crate) y: Field<C>,
    pub(crate) zz: Field<C>,
    pub(crate) zzz: Field<C>,
}

impl<C: Spec> From<Affine<C>> for Xyzz<C> {
    fn from(point: Affine<C>) -> Self {
        Self { x: point.x, y: point.y, zz: Residue::ONE, zzz: Residue::ONE }
    }
}

impl<C: Spec> Xyzz<C> {
    pub(crate) const INFINITY: Self =
        Self { x: Residue::ONE, y: Residue::ONE, zz: Residue::ZERO, zzz: Residue::ZERO };

    pub(crate) fn is_infinity(self) -> bool {
        self.zz.is_zero()
    }

    pub(crate) fn double(self) -> Self {
        // The order is odd, so no finite point doubles to infinity; infinity keeps ZZ = 0.
        let u = self.y.double();
        let v = u.square();
        let w = u * v;
        let s = self.x * v;
        let m = (self.x - self.zz) * (self.x + self.zz);
        let m = m.double() + m;
        let x = m.square() - s.double();
        Self { x, y: m * (s - x) - w * self.y, zz: v * self.zz, zzz: w * self.zzz }
    }

    #[inline(always)]
    pub(crate) fn add_affine(self, other: Affine<C>) -> Self {
        if self.is_infinity() {
            return other.into();
        }
        let p = other.x * self.zz - self.x;
        let r = other.y * self.zzz - self.y;
        if p.is_zero() {
            return if r.is_zero() { self.double() } else { Self::INFINITY };
        }
        let pp = p.square();
        let ppp = p * pp;
        let q = self.x * pp;
        let x = r.square() - ppp - q.double();
        Self { x, y: r * (q - x) - self.y * ppp, zz: self.zz * pp, zzz: self.zzz * ppp }
    }

    /// `scalar * point`, by plain double-and-add.
    pub(crate) fn multiply(point: Affine<C>, scalar: U256) -> Self {
        multiply_two(point, scalar, point, [0; 4])
    }

    pub(crate) fn to_affine(self) -> Option<Affine<C>> {
        if self.is_infinity() {
            return None;
        }
        let i = self.zzz.invert();
        // 1/ZZ = (ZZ * 1/ZZZ)^2, because ZZ^3 = ZZZ^2.
        let j = (self.zz * i).square();
        Some(Affine { x: self.x * j, y: self.y * i })
    }
}

/// `a * P + b * Q`, by plain double-and-add.
pub(crate) fn multiply_two<C: Spec>(p: Affine<C>, a: U256, q: Affine<C>, b: U256) -> Xyzz<C> {
    let mut sum = Xyzz::INFINITY;
    for bit in (0..256).rev() {
        sum = sum.double();
        if a[bit / 64] >> (bit % 64) & 1 == 1 {
            sum = sum.add_affine(p);
        }
        if b[bit / 64] >> (bit % 64) & 1 == 1 {
            sum = sum.add_affine(q);
        }
    }
    sum
}

/// Affine forms of finite points, with one inversion in all.
pub(crate) fn to_affine_all<C: Spec>(points: &[Xyzz<C>]) -> Vec<Affine<C>> {
    let mut inverses: Vec<_> = points.iter().map(|p| p.zzz).collect();
    let finite = invert_all(&mut inverses, &mut Vec::new());
    assert!(finite, "a point at infinity has no affine form");
    let affine =
        |(p, &i): (&Xyzz<C>, &Field<C>)| Affine { x: p.x * (p.zz * i).square(), y: p.y * i };
    points.iter().zip(&inverses).map(affine).collect()
}

/// `out[i] = a[i] + b[i]`, with one inversion in all. Returns false if a pair has equal x, because
/// this formula cannot add such a pair.
pub(crate) fn add_all<C: Spec>(a: &[Affine<C>], b: &[Affine<C>], out: &mut Vec<Affine<C>>) -> bool {
    let mut inverses: Vec<_> = a.iter().zip(b).map(|(a, b)| b.x - a.x).collect();
    if !invert_all(&mut inverses, &mut Vec::new()) {
        return false;
    }
    for ((a, b), &inverse) in a.iter().zip(b).zip(&inverses) {
        out.push(add_with_inverse(*a, *b, inverse));
    }
    true
}

/// `a + b`, given 1 / (b.x - a.x).
#[inline(always)]
pub(crate) fn add_with_inverse<C: Spec>(
    a: Affine<C>,
    b: Affine<C>,
    inverse: Field<C>,
) -> Affine<C> {
    let slope = (b.y - a.y) * inverse;
    let x = slope.square() - a.x - b.x;
    Affine { x, y: slope * (a.x - x) - a.y }
}
