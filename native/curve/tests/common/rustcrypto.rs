//! Whether RustCrypto's verifiers accept a signature.

use ybtoken_curve::Curve;

use super::signatures::{Bytes, Signature};

pub fn accepts(curve: Curve, key: &(Bytes, Bytes), one: &Signature) -> bool {
    let encoded = [&[4][..], &key.0, &key.1].concat();
    match curve {
        Curve::P256 => {
            use p256::ecdsa::signature::hazmat::PrehashVerifier;
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&encoded).unwrap();
            p256::ecdsa::Signature::from_scalars(one.r, one.s)
                .is_ok_and(|signature| key.verify_prehash(&one.e, &signature).is_ok())
        }
        Curve::Sm2 => {
            use sm2::dsa::signature::hazmat::PrehashVerifier;
            let key =
                sm2::dsa::VerifyingKey::from_sec1_bytes("1234567812345678", &encoded).unwrap();
            sm2::dsa::Signature::from_scalars(one.r, one.s)
                .is_ok_and(|signature| key.verify_prehash(&one.e, &signature).is_ok())
        }
    }
}
