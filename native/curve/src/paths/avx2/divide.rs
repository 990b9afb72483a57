//! ECDSA's quotients, eight at a time, with one inversion for all. Numbers stand for Montgomery
//! forms as in `task::divide`; all of them are doubled, which a quotient does not show.

use super::field::{Element, invert, multiply, numbers, plain};
use super::vector::Isa;
use crate::math::arith::U256;
use crate::math::curve::Spec;
use crate::math::modulus29::Modulus29;
use crate::paths::steps::eight;

/// Stands in past the end of a batch: s = 1.
const FILLER: [U256; 3] = [[1, 0, 0, 0]; 3];

#[inline(always)]
fn load(isa: Isa, group: &[[U256; 3]], which: usize) -> Element {
    Element::doubled(isa, eight(|lane| &group.get(lane).unwrap_or(&FILLER)[which]))
}

#[inline(always)]
pub(super) fn run<C: Spec>(isa: Isa, quotients: &mut [[U256; 3]]) {
    let mut product = Element::constant(isa, C::Order::ONE29);
    let mut before = Vec::with_capacity(quotients.len().div_ceil(8));
    for group in quotients.chunks(8) {
        before.push(product);
        product.set(&multiply::<C::Order>(isa, &product, &load(isa, group, 2)));
    }
    let mut inverse = invert::<C::Order>(isa, &product).expect("no s is 0");
    for (group, before) in quotients.chunks_mut(8).zip(&before).rev() {
        let this = multiply::<C::Order>(isa, &inverse, before);
        inverse.set(&multiply::<C::Order>(isa, &inverse, &load(isa, group, 2)));
        for which in 0..2 {
            let forms = multiply::<C::Order>(isa, &this, &load(isa, group, which));
            for (quotient, number) in group.iter_mut().zip(numbers(plain::<C::Order>(isa, &forms)))
            {
                quotient[which] = number;
            }
        }
    }
}
