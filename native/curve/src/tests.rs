//! Unit tests of private parts: fields and scalars against big integers, lanes against scalar code,
//! digits, tables, and sums crafted to meet pairs of points that an addition cannot add.

#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod lanes29;
mod nistz;
mod numbers;
mod pages;
mod sums;

use num_bigint::BigUint;

use crate::math::arith::U256;

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn number(&mut self) -> U256 {
        [self.next(), self.next(), self.next(), self.next()]
    }
}

pub(crate) fn big(a: U256) -> BigUint {
    BigUint::from_slice(&a.iter().flat_map(|&w| [w as u32, (w >> 32) as u32]).collect::<Vec<_>>())
}

pub(crate) fn small(a: &BigUint) -> U256 {
    let mut digits = a.to_u64_digits();
    assert!(digits.len() <= 4);
    digits.resize(4, 0);
    digits.try_into().unwrap()
}

/// Numbers below m that provoke wrong carries and borrows: near 0, near m and near every boundary
/// of 64-bit words and 52-bit limbs, runs of ones and zeros, and some random numbers.
pub(crate) fn awkward(m: U256) -> Vec<U256> {
    let modulus = big(m);
    let one = BigUint::from(1u8);
    let mut all = vec![];
    for bit in [
        0, 1, 2, 28, 29, 30, 32, 44, 48, 51, 52, 53, 57, 58, 63, 64, 65, 86, 87, 96, 103, 104, 128,
        155, 156, 192, 207, 208, 224, 231, 232, 248, 255,
    ] {
        let power: BigUint = &one << bit;
        all.extend([&power - &one, power.clone(), &power + &one]);
        if power < modulus {
            all.extend([&modulus - &power, &modulus - &power + &one - &one]);
        }
    }
    let limb: BigUint = (&one << 52u32) - &one;
    for i in 0..5 {
        all.push(&limb << (52 * i));
    }
    let small_limb: BigUint = (&one << 29u32) - &one;
    for i in 0..9 {
        all.push(&small_limb << (29 * i));
    }
    let word: BigUint = (&one << 64u32) - &one;
    for i in 0..4 {
        all.push(&word << (64 * i));
    }
    let mut random = Random(7);
    all.extend((0..10).map(|_| big(random.number())));
    let mut all: Vec<_> = all.into_iter().map(|a| a % &modulus).collect();
    all.sort();
    all.dedup();
    if cfg!(miri) {
        // Miri is slow: take some numbers of each kind.
        all = all.into_iter().step_by(37).collect();
    }
    all.iter().map(small).collect()
}
