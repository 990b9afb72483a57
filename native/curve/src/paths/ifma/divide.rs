//! The quotients of ECDSA, sixteen at a time, with one inversion for all. Numbers are read as
//! Montgomery forms, as in `task::divide`.

use super::field::{Element, Factor, invert, multiply, plain, words_of};
use super::octet::to_lanes;
use super::vector::{Isa, Vector};
use crate::math::arith::U256;
use crate::math::curve::Spec;
use crate::math::modulus52::Modulus52;
use crate::paths::steps::eight;

const WIDE: usize = 2;
const NUMBERS: usize = WIDE * 8;
/// Fills the lanes past the end of a batch: s = 1.
const FILLER: [U256; 3] = [[1, 0, 0, 0]; 3];

#[inline(always)]
fn load(isa: Isa, group: &[[U256; 3]], which: usize) -> [Factor; WIDE] {
    [load_octet(isa, group, 0, which), load_octet(isa, group, 8, which)]
}

#[inline(always)]
fn load_octet(isa: Isa, group: &[[U256; 3]], start: usize, which: usize) -> Factor {
    let rows = eight(|lane| &group.get(start + lane).unwrap_or(&FILLER)[which]);
    Element::from_words(isa, Vector::transpose(isa, rows)).into()
}

#[inline(always)]
pub(super) fn run<C: Spec<Order: Modulus52>>(isa: Isa, quotients: &mut [[U256; 3]]) {
    let one = Factor::from(Element::constant(isa, C::Order::ONE));
    let mut product = [one; WIDE];
    let mut before = Vec::with_capacity(quotients.len().div_ceil(NUMBERS));
    for group in quotients.chunks(NUMBERS) {
        before.push(product);
        product = multiply::<C::Order, WIDE>(isa, &product, &load(isa, group, 2));
    }
    let mut inverse = invert::<C::Order>(isa, &product).expect("no s is 0");
    for (group, before) in quotients.chunks_mut(NUMBERS).zip(&before).rev() {
        let this = multiply::<C::Order, WIDE>(isa, &inverse, before);
        inverse = multiply::<C::Order, WIDE>(isa, &inverse, &load(isa, group, 2));
        for which in 0..2 {
            let forms = multiply::<C::Order, WIDE>(isa, &load(isa, group, which), &this);
            for n in 0..WIDE {
                let lanes = to_lanes(plain::<C::Order>(isa, forms[n]));
                for (lane, quotient) in group.iter_mut().skip(n * 8).take(8).enumerate() {
                    quotient[which] = words_of(&lanes, lane);
                }
            }
        }
    }
}
