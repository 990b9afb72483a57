//! Modular inversion by Bernstein and Yang's division steps ("Fast constant-time gcd computation
//! and modular inversion", 2019), in variable time. The low words alone determine 62 steps; these
//! are collected in a 2x2 matrix, which is then applied to the full numbers.

use super::arith::{U256, is_zero};

const LIMBS: usize = 5;
const BITS: u32 = 62;
const MASK: u64 = u64::MAX >> 2;

/// Five limbs of 62 bits; the top limb carries the sign.
type Signed = [i64; LIMBS];

/// The matrix of 62 steps, scaled by 2^62: (f, g) becomes (u f + v g, q f + r g) / 2^62.
struct Matrix {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// `a^-1 mod m` for `a < m`, where m is an odd prime and `m0_inverse` its inverse mod 2^64. The
/// inverse of zero is zero.
pub(crate) fn invert(a: U256, m: U256, m0_inverse: u64) -> U256 {
    if is_zero(a) {
        return a;
    }
    let modulus = split(m);
    let (mut f, mut g) = (modulus, split(a));
    let (mut d, mut e): (Signed, Signed) = ([0; LIMBS], [1, 0, 0, 0, 0]);
    let mut eta = -1;
    while g[0] | g[1] | g[2] | g[3] | g[4] != 0 {
        let matrix;
        (eta, matrix) = steps(eta, f[0] as u64, g[0] as u64);
        apply_modular(&mut d, &mut e, &matrix, &modulus, m0_inverse);
        apply(&mut f, &mut g, &matrix);
    }
    // f is now 1 or -1, d * a = f mod m, and -2m < d < m.
    if d[4] < 0 {
        d = combine(&d, 1, &modulus);
    }
    if f[4] < 0 {
        d = combine(&[0; LIMBS], -1, &d);
    }
    if d[4] < 0 {
        d = combine(&d, 1, &modulus);
    }
    join(d)
}

/// 62 division steps on the low words. A run of zero bits of g is taken at once.
#[inline(always)]
fn steps(mut eta: i64, f: u64, g: u64) -> (i64, Matrix) {
    let (mut u, mut v, mut q, mut r) = (1u64, 0u64, 0u64, 1u64);
    let (mut f, mut g) = (f, g);
    let mut left = BITS;
    loop {
        let zeros = (g | (u64::MAX << left)).trailing_zeros();
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        eta -= zeros as i64;
        left -= zeros;
        if left == 0 {
            break;
        }
        let w;
        if eta < 0 {
            eta = -eta;
            (f, g) = (g, f.wrapping_neg());
            (u, q) = (q, u.wrapping_neg());
            (v, r) = (r, v.wrapping_neg());
            // Cancel up to six low bits of g by adding a multiple of f: -g / f mod 64.
            let bits = (eta + 1).min(left as i64).min(6) as u32;
            let inverse = f.wrapping_mul(f.wrapping_mul(f).wrapping_sub(2));
            w = inverse.wrapping_mul(g) & ((1 << bits) - 1);
        } else {
            // Here mostly four bits can be cancelled, and the inverse for four is cheaper.
            let bits = (eta + 1).min(left as i64).min(4) as u32;
            let inverse = f.wrapping_add((f.wrapping_add(1) & 4) << 1);
            w = inverse.wrapping_mul(g).wrapping_neg() & ((1 << bits) - 1);
        }
        g = g.wrapping_add(f.wrapping_mul(w));
        q = q.wrapping_add(u.wrapping_mul(w));
        r = r.wrapping_add(v.wrapping_mul(w));
    }
    let matrix = Matrix { u: u as i64, v: v as i64, q: q as i64, r: r as i64 };
    (eta, matrix)
}

/// (f, g) = matrix * (f, g) / 2^62; the division is exact.
#[inline(always)]
fn apply(f: &mut Signed, g: &mut Signed, t: &Matrix) {
    let mut cf = wide(t.u, f[0]) + wide(t.v, g[0]);
    let mut cg = wide(t.q, f[0]) + wide(t.r, g[0]);
    debug_assert!(cf as u64 & MASK == 0 && cg as u64 & MASK == 0);
    for i in 1..LIMBS {
        cf = (cf >> BITS) + wide(t.u, f[i]) + wide(t.v, g[i]);
        cg = (cg >> BITS) + wide(t.q, f[i]) + wide(t.r, g[i]);
        f[i - 1] = (cf as u64 & MASK) as i64;
        g[i - 1] = (cg as u64 & MASK) as i64;
    }
    f[LIMBS - 1] = (cf >> BITS) as i64;
    g[LIMBS - 1] = (cg >> BITS) as i64;
}

/// (d, e) = matrix * (d, e) / 2^62 mod m, both kept between -2m and m.
#[inline(always)]
fn apply_modular(d: &mut Signed, e: &mut Signed, t: &Matrix, m: &Signed, m0_inverse: u64) {
    let (d_sign, e_sign) = (d[4] >> 63, e[4] >> 63);
    // The multiples of m to add: one for each negative number, plus the multiple that clears the
    // low limb.
    let mut md = (t.u & d_sign) + (t.v & e_sign);
    let mut me = (t.q & d_sign) + (t.r & e_sign);
    let mut cd = wide(t.u, d[0]) + wide(t.v, e[0]);
    let mut ce = wide(t.q, d[0]) + wide(t.r, e[0]);
    md -= (m0_inverse.wrapping_mul(cd as u64).wrapping_add(md as u64) & MASK) as i64;
    me -= (m0_inverse.wrapping_mul(ce as u64).wrapping_add(me as u64) & MASK) as i64;
    cd += wide(m[0], md);
    ce += wide(m[0], me);
    debug_assert!(cd as u64 & MASK == 0 && ce as u64 & MASK == 0);
    for i in 1..LIMBS {
        cd = (cd >> BITS) + wide(t.u, d[i]) + wide(t.v, e[i]) + wide(m[i], md);
        ce = (ce >> BITS) + wide(t.q, d[i]) + wide(t.r, e[i]) + wide(m[i], me);
        d[i - 1] = (cd as u64 & MASK) as i64;
        e[i - 1] = (ce as u64 & MASK) as i64;
    }
    d[LIMBS - 1] = (cd >> BITS) as i64;
    e[LIMBS - 1] = (ce >> BITS) as i64;
}

/// `a + k * b`, with carries propagated.
fn combine(a: &Signed, k: i64, b: &Signed) -> Signed {
    let mut out = [0; LIMBS];
    let mut carry = 0;
    for i in 0..LIMBS - 1 {
        let t = a[i] + k * b[i] + carry;
        out[i] = (t as u64 & MASK) as i64;
        carry = t >> BITS;
    }
    out[LIMBS - 1] = a[LIMBS - 1] + k * b[LIMBS - 1] + carry;
    out
}

#[inline(always)]
fn wide(a: i64, b: i64) -> i128 {
    a as i128 * b as i128
}

fn split(a: U256) -> Signed {
    [
        (a[0] & MASK) as i64,
        ((a[0] >> 62 | a[1] << 2) & MASK) as i64,
        ((a[1] >> 60 | a[2] << 4) & MASK) as i64,
        ((a[2] >> 58 | a[3] << 6) & MASK) as i64,
        (a[3] >> 56) as i64,
    ]
}

fn join(a: Signed) -> U256 {
    let [a0, a1, a2, a3, a4] = a.map(|limb| limb as u64);
    [a0 | a1 << 62, a1 >> 2 | a2 << 60, a2 >> 4 | a3 << 58, a3 >> 6 | a4 << 56]
}
