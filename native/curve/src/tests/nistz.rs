//! BoringSSL's unit vectors for P-256 arithmetic and published multiples of the generator, read
//! from the folder of vectors if there is one.

use std::path::PathBuf;

use super::{big, small};
use crate::math::curve::{Field, P256};
use crate::math::field::{P256Order, P256Prime, Residue};
use crate::math::point::{Affine, Xyzz};
use num_bigint::BigUint;

fn text(name: &str) -> Option<String> {
    let folder = std::env::var_os("YBTOKEN_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        println!("skipped: no vectors at {} (set YBTOKEN_VECTORS)", folder.display());
        return None;
    }
    Some(std::fs::read_to_string(folder.join(name)).expect(name))
}

fn number(hex: &str) -> crate::math::arith::U256 {
    small(&BigUint::parse_bytes(hex.as_bytes(), 16).expect("hex"))
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn p256_nistz_vectors_hold() {
    let Some(text) = text("boringssl/p256-nistz_tests.txt") else { return };
    let mut seen = [0; 4];
    for record in text.split("\n\n") {
        let get = |name: &str| {
            let line = record.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.map(str::trim)
        };
        let field = |name: &str| Field::<P256>::from_montgomery(number(get(name).unwrap()));
        match get("Test") {
            Some("Negate") => {
                assert_eq!(field("A"), field("B").negate_if(true));
                seen[0] += 1;
            }
            Some("MulMont") => {
                assert_eq!(field("A") * field("B"), field("Result"));
                seen[1] += 1;
            }
            Some("OrdMulMont") => {
                // Some operands are not reduced.
                let order = |name| {
                    let n = big(<P256Order as crate::math::field::Modulus>::M);
                    Residue::<P256Order>::from_montgomery(small(
                        &(big(number(get(name).unwrap())) % n),
                    ))
                };
                assert_eq!(order("A") * order("B"), order("Result"));
                seen[2] += 1;
            }
            Some("PointAdd") => {
                let xs = |names: [&str; 3]| names.map(&field);
                let jacobian = |[x, y, z]: [Residue<P256Prime>; 3]| {
                    let zz = z.square();
                    Xyzz::<P256> { x, y, zz, zzz: zz * z }
                };
                let a = jacobian(xs(["A.X", "A.Y", "A.Z"])).to_affine();
                let b = jacobian(xs(["B.X", "B.Y", "B.Z"])).to_affine();
                let result = [field("Result.X"), field("Result.Y")];
                let sum = match (a, b) {
                    (Some(a), Some(b)) => Xyzz::from(a).add_affine(b).to_affine(),
                    (a, b) => a.or(b),
                };
                let expected = Some(Affine { x: result[0], y: result[1] });
                assert_eq!(sum, expected.filter(|point| !point.x.is_zero() || !point.y.is_zero()));
                seen[3] += 1;
            }
            _ => {}
        }
    }
    assert_eq!(seen, [256, 31, 26, 21]);
}
