//! The mathematics: numbers, fields, points and the two curves. Imports nothing of the rest.

pub(crate) mod arith;
pub(crate) mod curve;
pub(crate) mod digits;
pub(crate) mod field;
pub(crate) mod inverse;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only vectors need it"))]
pub(crate) mod modulus29;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only vectors need it"))]
pub(crate) mod modulus52;
pub(crate) mod point;
