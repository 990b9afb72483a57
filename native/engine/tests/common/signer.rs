//! Keys that sign, made with RustCrypto, for tests and benches.

use sm2::dsa::signature::Signer as _;
use ybtoken_engine::claims::Claims;
use ybtoken_engine::envelope::{Algorithm, signed_prefix};
use ybtoken_engine::text::encode;
use ybtoken_engine::{Key, KeyTable, Limits, Scope};

enum Secret {
    P256(p256::ecdsa::SigningKey),
    Sm2(sm2::dsa::SigningKey),
}

pub struct Signer {
    secret: Secret,
    pub key: Key,
}

impl Signer {
    /// The `number`th key of an algorithm.
    pub fn new(algorithm: Algorithm, number: u32) -> Self {
        Self::with(algorithm, number, "1234567812345678", KeyTable::DEFAULT_WINDOW)
    }

    pub fn with(algorithm: Algorithm, number: u32, user_id: &str, window: u32) -> Self {
        let mut bytes = [0x5a; 32];
        bytes[4..8].copy_from_slice(&number.to_be_bytes());
        let (secret, point) = match algorithm {
            Algorithm::Es256 | Algorithm::Esp256 => {
                let secret = p256::ecdsa::SigningKey::from_slice(&bytes).unwrap();
                let point = secret.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                (Secret::P256(secret), point)
            }
            Algorithm::Sm2 => {
                let secret = sm2::dsa::SigningKey::from_slice(user_id, &bytes).unwrap();
                let point = secret.verifying_key().as_affine();
                let point = sm2::PublicKey::from_affine(*point).unwrap().to_sec1_bytes().to_vec();
                (Secret::Sm2(secret), uncompressed(&point))
            }
        };
        let mut header = match algorithm {
            Algorithm::Es256 => vec![0xa2, 0x01, 0x26, 0x04, 0x48],
            Algorithm::Esp256 => vec![0xa2, 0x01, 0x28, 0x04, 0x48],
            Algorithm::Sm2 => vec![0xa2, 0x01, 0x3a, 0x00, 0x01, 0x00, 0x00, 0x04, 0x48],
        };
        header.extend(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let key = Key {
            header,
            x: point[1..33].try_into().unwrap(),
            y: point[33..].try_into().unwrap(),
            user_id: user_id.into(),
            window,
            scope: everything(),
        };
        Self { secret, key }
    }

    /// A token with this payload.
    pub fn token(&self, payload: &[u8]) -> Vec<u8> {
        let tail = [&[payload.len() as u8], payload].concat();
        let signed = [&signed_prefix(&self.key.header), &tail[..]].concat();
        let signature = match &self.secret {
            Secret::P256(secret) => {
                let signature: p256::ecdsa::Signature = secret.sign(&signed);
                signature.to_bytes().to_vec()
            }
            Secret::Sm2(secret) => secret.sign(&signed).to_bytes().to_vec(),
        };
        let header = &self.key.header[..];
        [
            &[0xd2, 0x84, 0x40 | header.len() as u8],
            header,
            &[0xa0, 0x58],
            &tail,
            &[0x58, 0x40],
            &signature,
        ]
        .concat()
    }

    #[allow(dead_code, reason = "for the tests")]
    pub fn text(&self, claims: &Claims) -> String {
        encode(96, &self.token(&claims.encode()))
    }
}

fn uncompressed(point: &[u8]) -> Vec<u8> {
    assert_eq!(point.len(), 65);
    point.to_vec()
}

/// The scope of a key that may sign anything.
pub fn everything() -> Scope {
    Scope::new(i64::MIN, i64::MAX, None, vec![(0, 1_000_000)]).unwrap()
}

/// A time and limits that accept every token.
#[allow(dead_code, reason = "not for every test")]
pub const NOW: i64 = 1_780_000_000;
#[allow(dead_code, reason = "not for every test")]
pub const LENIENT: Limits = Limits { skew: 1 << 40, max_lifetime: 1 << 40 };

/// The claims of token `number`; over the numbers every combination of optional claims occurs.
#[allow(clippy::needless_update, reason = "a further optional claim need not be named here")]
pub fn claims(number: u32) -> Claims {
    let wide = [number.to_le_bytes(); 4];
    let identity_ref = *wide.as_flattened().first_chunk().unwrap();
    let mut nonce = [0; 16];
    nonce[..8 + (number % 9) as usize].fill(number as u8);
    let there = |bit: u32| number >> bit & 1 != 0;
    Claims {
        expires_at: 1_780_000_060 + number,
        issued_at: 1_780_000_000 + number,
        nonce_size: 8 + (number % 9) as u8,
        nonce,
        identity_ref,
        city: number * 7919 % 1_000_000,
        channel: there(0).then_some(number as u16),
        purpose: there(1).then_some(number % 100_000),
        presenter: there(2).then_some(identity_ref),
        assurance: there(3).then_some(number as u8),
        status_index: there(4).then_some(number),
        ..Claims::default()
    }
}

/// The usual claims: a nonce of 8 bytes and no optional claims.
#[allow(dead_code, reason = "for the benches")]
pub fn plain_claims(number: u32) -> Claims {
    let mut claims = Claims { nonce_size: 8, nonce: [0; 16], ..claims(32 * number) };
    claims.nonce[..8].copy_from_slice(&u64::from(number).to_be_bytes());
    claims
}
