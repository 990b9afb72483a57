//! The two curves. Both are y^2 = x^3 - 3x + b over a prime field, with a group of prime order.

use super::arith::U256;
use super::field::{P256Order, P256Prime, Residue, Sm2Order, Sm2Prime};
use super::modulus29::Modulus29;
use super::modulus52::Modulus52;

/// The curve, and with it the scheme: ECDSA on P-256 (FIPS 186-5), or SM2 (GB/T 32918.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Curve {
    P256,
    Sm2,
}

/// What differs between the two curves and their signature schemes.
pub(crate) trait Spec: Copy + Eq + core::fmt::Debug + Send + Sync + 'static {
    type Prime: Modulus52 + Modulus29;
    type Order: Modulus52 + Modulus29;
    const CURVE: Curve;
    const B: U256;
    const G: [U256; 2];
}

pub(crate) type Field<C> = Residue<<C as Spec>::Prime>;
pub(crate) type Scalar<C> = Residue<<C as Spec>::Order>;

/// SP 800-186, 3.2.1.3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct P256;

impl Spec for P256 {
    type Prime = P256Prime;
    type Order = P256Order;
    const CURVE: Curve = Curve::P256;
    const B: U256 = [
        0x3bce_3c3e_27d2_604b,
        0x651d_06b0_cc53_b0f6,
        0xb3eb_bd55_7698_86bc,
        0x5ac6_35d8_aa3a_93e7,
    ];
    const G: [U256; 2] = [
        [
            0xf4a1_3945_d898_c296,
            0x7703_7d81_2deb_33a0,
            0xf8bc_e6e5_63a4_40f2,
            0x6b17_d1f2_e12c_4247,
        ],
        [
            0xcbb6_4068_37bf_51f5,
            0x2bce_3357_6b31_5ece,
            0x8ee7_eb4a_7c0f_9e16,
            0x4fe3_42e2_fe1a_7f9b,
        ],
    ];
}

/// GB/T 32918.5-2017.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sm2;

impl Spec for Sm2 {
    type Prime = Sm2Prime;
    type Order = Sm2Order;
    const CURVE: Curve = Curve::Sm2;
    const B: U256 = [
        0xddbc_bd41_4d94_0e93,
        0xf397_89f5_15ab_8f92,
        0x4d5a_9e4b_cf65_09a7,
        0x28e9_fa9e_9d9f_5e34,
    ];
    const G: [U256; 2] = [
        [
            0x715a_4589_334c_74c7,
            0x8fe3_0bbf_f266_0be1,
            0x5f99_0446_6a39_c994,
            0x32c4_ae2c_1f19_8119,
        ],
        [
            0x02df_32e5_2139_f0a0,
            0xd0a9_877c_c62a_4740,
            0x59bd_cee3_6b69_2153,
            0xbc37_36a2_f4f6_779c,
        ],
    ];
}
