//! Any bytes get exactly one code: alone and in a batch, on the fast path and on the scalar path,
//! as a text and as a token in a text.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ybtoken_engine::text::encode;
use ybtoken_engine::{
    Code, Key, Limits, Now, Path, Ring, Scope, Verifier, Workers, open_batch, open_one,
};

/// A P-256 and an SM2 key whose points are the generators. Anyone who knows the secret 1 can sign
/// for them; nothing here does.
fn ring(path: Path) -> Ring {
    let bytes = |digits: &str| -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
    };
    let key = |header: &[u8], x, y| Key {
        header: [header, b"kid-8byt"].concat(),
        x: bytes(x),
        y: bytes(y),
        user_id: b"1234567812345678".to_vec(),
        window: 4,
        scope: Scope::new(0, i64::MAX, None, vec![(0, 1_000_000)]).unwrap(),
    };
    let keys = vec![
        key(
            b"\xa2\x01\x26\x04\x48",
            "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        ),
        key(
            b"\xa2\x01\x3a\x00\x01\x00\x00\x04\x48",
            "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7",
            "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0",
        ),
    ];
    let verifier = Arc::new(Verifier::with_base_window(path, 6).unwrap());
    Ring::new(keys, verifier, Ring::TABLE_BYTES, &Workers::none()).unwrap()
}

const NOW: i64 = 1_780_000_000;
const LIMITS: Limits = Limits { skew: 5, max_lifetime: 300 };

static BEST: LazyLock<Ring> = LazyLock::new(|| ring(Path::best()));
static SCALAR: LazyLock<Ring> = LazyLock::new(|| ring(Path::Scalar));

fn check(text: &[u8]) -> Code {
    let alone = open_one(&BEST, text, NOW, LIMITS);
    assert_eq!(alone, open_one(&SCALAR, text, NOW, LIMITS));
    let batch =
        open_batch(&BEST, &vec![text; 3], Now::Same(NOW), LIMITS, &Workers::none()).unwrap();
    assert_eq!(batch.codes, [alone.code.number(); 3]);
    assert_eq!(batch.issued_at[..4], alone.claims.issued_at.to_le_bytes());
    assert_eq!(batch.nonces[..16], alone.claims.nonce);
    alone.code
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(encode(96, bytes).as_bytes());
    // A whole envelope for either key, so that the signature and the claims are reached.
    if let [choice, rest @ ..] = bytes
        && rest.len() >= 64 + 24
    {
        let (signature, payload) = rest.split_at(64);
        let payload = &payload[..payload.len().min(200)];
        let (head, header) = match choice & 1 {
            0 => (0x4d, &b"\xa2\x01\x26\x04\x48kid-8byt"[..]),
            _ => (0x51, &b"\xa2\x01\x3a\x00\x01\x00\x00\x04\x48kid-8byt"[..]),
        };
        let token = [
            &[0xd2, 0x84, head],
            header,
            &[0xa0, 0x58, payload.len() as u8],
            payload,
            &[0x58, 0x40],
            signature,
        ];
        assert_eq!(check(encode(96, &token.concat()).as_bytes()), Code::SignatureInvalid);
    }
});
