//! Step 5: the claims.

#![allow(clippy::needless_update, reason = "a further optional claim need not be named here")]

use proptest::prelude::*;
use ybtoken_engine::claims::{Claims, NotClaims, Value};

fn claims() -> Claims {
    Claims {
        expires_at: 1_780_000_060,
        issued_at: 1_780_000_000,
        nonce_size: 8,
        nonce: *b"nonce-8b\0\0\0\0\0\0\0\0",
        identity_ref: *b"identity 16bytes",
        city: 330_100,
        ..Claims::default()
    }
}

fn full() -> Claims {
    Claims {
        channel: Some(500),
        purpose: Some(1301),
        presenter: Some(*b"presenter of 16b"),
        assurance: Some(3),
        status_index: Some(70_000),
        ..claims()
    }
}

const SHAPE: Result<Claims, NotClaims> = Err(NotClaims::Shape);
const OTHER: Result<Claims, NotClaims> = Err(NotClaims::OtherProfile);

/// The result for the encoding of `claims` after its one occurrence of `from` is replaced.
fn replaced(claims: &Claims, from: &[u8], to: &[u8]) -> Result<Claims, NotClaims> {
    let bytes = claims.encode();
    let places: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    let [at] = places[..] else { panic!("{from:02x?} is there {} times", places.len()) };
    Claims::parse(&[&bytes[..at], to, &bytes[at + from.len()..]].concat())
}

#[test]
fn the_encoding_is_the_specified_one() {
    let expected = "a4041a6a18a77c061a6a18a740074868656c6c6f2d38623a00010000830150";
    let small = Claims {
        expires_at: 0x6a18_a77c,
        issued_at: 0x6a18_a740,
        nonce: *b"hello-8b\0\0\0\0\0\0\0\0",
        ..claims()
    };
    assert_eq!(
        hex::encode(small.encode()),
        format!("{expected}{}1a00050974", hex::encode(small.identity_ref))
    );
    assert_eq!(small.encode().len(), 52);
    assert_eq!(full().encode().len(), 52 + 1 + 4 + 4 + 18 + 2 + 6);
}

#[test]
fn every_choice_of_optional_claims_comes_back() {
    for bits in 0..32 {
        let mut some = full();
        for (bit, clear) in [
            (1, (|c| c.channel = None) as fn(&mut Claims)),
            (2, |c| c.purpose = None),
            (4, |c| c.presenter = None),
            (8, |c| c.assurance = None),
            (16, |c| c.status_index = None),
        ] {
            if bits & bit == 0 {
                clear(&mut some);
            }
        }
        assert_eq!(some.present(), bits);
        assert_eq!(Claims::parse(&some.encode()), Ok(some));
    }
}

#[test]
fn optional_claims_are_told_by_label() {
    let some = Claims { assurance: None, ..full() };
    let expected = [
        Some(Value::Number(500)),
        Some(Value::Number(1301)),
        Some(Value::Bytes(*b"presenter of 16b")),
        None,
        Some(Value::Number(70_000)),
    ];
    assert_eq!(some.optional()[..5], expected);
}

#[test]
fn integers_have_one_form() {
    for (value, long) in
        [(5_u32, &[0x18, 5][..]), (200, &[0x19, 0, 200]), (40_000, &[0x1a, 0, 0, 0x9c, 0x40])]
    {
        let some = Claims { status_index: Some(value), ..claims() };
        let bytes = some.encode();
        let at = bytes
            .iter()
            .rposition(|&byte| byte == 5 && bytes.ends_with(&bytes[bytes.len() - 1..]))
            .unwrap();
        assert_eq!(Claims::parse(&bytes), Ok(some));
        let label = if value == 5 { bytes.len() - 2 } else { at };
        assert_eq!(Claims::parse(&[&bytes[..=label], long].concat()), SHAPE, "{value}");
    }
    let wide = b"\x1b\0\0\0\0\x6a\x18\xa7\x7c";
    assert_eq!(
        replaced(&Claims { expires_at: 0x6a18_a77c, ..claims() }, b"\x1a\x6a\x18\xa7\x7c", wide),
        SHAPE
    );
    for head in [0x1b, 0x1c, 0x1f, 0x20, 0x38, 0x40, 0x61, 0x80, 0xc0, 0xf5, 0xf6, 0xfa, 0xff] {
        assert_eq!(replaced(&claims(), b"\x1a\x00\x05\x09\x74", &[head, 0, 5, 9, 0x74]), SHAPE);
    }
}

#[test]
fn bounds_hold() {
    let ok = |claims: Claims| assert_eq!(Claims::parse(&claims.encode()), Ok(claims));
    let no = |claims: Claims| assert_eq!(Claims::parse(&claims.encode()), SHAPE);
    ok(Claims { expires_at: 1, issued_at: 0, ..claims() });
    ok(Claims { expires_at: u32::MAX, issued_at: u32::MAX - 1, ..claims() });
    no(Claims { expires_at: 7, issued_at: 7, ..claims() });
    no(Claims { expires_at: 7, issued_at: 8, ..claims() });
    ok(Claims { city: 0, ..claims() });
    ok(Claims { city: 999_999, ..claims() });
    no(Claims { city: 1_000_000, ..claims() });
    ok(Claims { nonce_size: 16, nonce: [7; 16], ..claims() });
    no(Claims { nonce_size: 7, nonce: *b"7 bytes\0\0\0\0\0\0\0\0\0", ..claims() });
    no(Claims { nonce_size: 17, nonce: [7; 16], ..claims() });
    ok(Claims { purpose: Some(99_999), ..full() });
    no(Claims { purpose: Some(100_000), ..full() });
    assert_eq!(
        replaced(&full(), &[0x01, 0x19, 0x01, 0xf4], &[0x01, 0x1a, 0, 1, 0, 0]),
        SHAPE,
        "channel"
    );
    assert_eq!(
        replaced(&full(), &[0x04, 0x03, 0x05], &[0x04, 0x19, 1, 0, 0x05]),
        SHAPE,
        "assurance"
    );
}

#[test]
fn other_shapes_are_refused() {
    let bytes = claims().encode();
    for size in 0..bytes.len() {
        assert_eq!(Claims::parse(&bytes[..size]), SHAPE);
    }
    assert_eq!(Claims::parse(&[&bytes[..], &[0]].concat()), SHAPE, "trailing byte");
    assert_eq!(Claims::parse(&[&bytes[..], &[0xa0]].concat()), SHAPE, "trailing map");
    assert_eq!(replaced(&claims(), &[0xa4, 0x04], &[0xa3, 0x04]), SHAPE);
    assert_eq!(replaced(&claims(), &[0xa4, 0x04], &[0xa5, 0x04]), SHAPE);
    assert_eq!(replaced(&claims(), &[0xa4, 0x04], &[0xbf, 0x04]), SHAPE);
    assert_eq!(replaced(&claims(), &[0x83, 0x01], &[0x84, 0x01]), SHAPE);
    assert_eq!(replaced(&claims(), &[0x83, 0x01], &[0x9f, 0x01]), SHAPE);
    assert_eq!(replaced(&claims(), &[0x01, 0x50], &[0x01, 0x58, 0x10]), SHAPE);
    assert_eq!(replaced(&claims(), &[0x01, 0x50], &[0x01, 0x70]), SHAPE, "text string");
    assert_eq!(replaced(&claims(), &[0x3a, 0, 1, 0, 0], &[0x3b, 0, 0, 0, 0, 0, 1, 0, 0]), SHAPE);
    assert_eq!(replaced(&claims(), &[0x3a, 0, 1, 0, 0], &[0x3a, 0, 1, 0, 1]), SHAPE);
    let empty = Claims::parse(
        &[&bytes[..bytes.len() - 23], &[0x84], &bytes[bytes.len() - 22..], &[0xa0]].concat(),
    );
    assert_eq!(empty, SHAPE, "empty map");
}

#[test]
fn optional_claims_ascend_and_are_known() {
    let some = Claims { channel: Some(2), assurance: Some(3), ..claims() };
    let map = [0xa2, 0x01, 0x02, 0x04, 0x03];
    assert_eq!(replaced(&some, &map, &map), Ok(some));
    assert_eq!(replaced(&some, &map, &[0xa2, 0x04, 0x03, 0x01, 0x02]), SHAPE, "order");
    assert_eq!(replaced(&some, &map, &[0xa2, 0x01, 0x02, 0x01, 0x03]), SHAPE, "twice");
    let unknown = Claims::OPTIONAL as u8 + 1;
    assert_eq!(replaced(&some, &map, &[0xa2, 0x01, 0x02, unknown, 0x03]), SHAPE, "unknown label");
    assert_eq!(replaced(&some, &map, &[0xa2, 0x00, 0x02, 0x04, 0x03]), SHAPE, "label 0");
    assert_eq!(replaced(&some, &map, &[0xa3, 0x01, 0x02, 0x04, 0x03]), SHAPE, "one too few");
    assert_eq!(replaced(&some, &map, &[0xa1, 0x01, 0x02, 0x04, 0x03]), SHAPE, "one too many");
    assert_eq!(replaced(&some, &map, &[0xa2, 0x01, 0x02, 0x18, 0x04, 0x03]), SHAPE, "longer label");
    assert_eq!(replaced(&some, &map, &[0xbf, 0x01, 0x02, 0x04, 0x03, 0xff]), SHAPE, "indefinite");
}

#[test]
fn signs_of_another_profile_are_told_apart() {
    for profile in [2, 3] {
        assert_eq!(replaced(&claims(), &[0x83, 0x01], &[0x83, profile]), OTHER);
    }
    for profile in [0, 4, 0x18] {
        assert_eq!(replaced(&claims(), &[0x83, 0x01], &[0x83, profile]), SHAPE);
    }
    let mut with_cnf = claims().encode();
    with_cnf[0] = 0xa5;
    let voucher = with_cnf.windows(5).position(|at| at == [0x3a, 0, 1, 0, 0]).unwrap();
    with_cnf.splice(voucher..voucher, [0x08, 0xa1, 0x01, 0xa0]);
    assert_eq!(Claims::parse(&with_cnf), OTHER);
    with_cnf[voucher] = 0x09;
    assert_eq!(Claims::parse(&with_cnf), SHAPE);
}

prop_compose! {
    fn any_claims()(
        issued_at in 0..u32::MAX,
        life in 1_u32..,
        nonce_size in 8..=16_u8,
        nonce: [u8; 16],
        identity_ref: [u8; 16],
        city in 0..1_000_000_u32,
        channel: Option<u16>,
        purpose in prop::option::of(0..100_000_u32),
        presenter: Option<[u8; 16]>,
        assurance: Option<u8>,
        status_index: Option<u32>,
    ) -> Claims {
        let mut nonce = nonce;
        nonce[usize::from(nonce_size)..].fill(0);
        Claims {
            expires_at: issued_at.saturating_add(life),
            issued_at,
            nonce_size,
            nonce,
            identity_ref,
            city,
            channel,
            purpose,
            presenter,
            assurance,
            status_index,
            ..Claims::default()
        }
    }
}

proptest! {
    #[test]
    fn parsing_undoes_encoding(claims in any_claims()) {
        prop_assert_eq!(Claims::parse(&claims.encode()), Ok(claims));
    }

    #[test]
    fn what_parses_is_what_encodes(claims in any_claims(), at: prop::sample::Index, byte: u8) {
        let mut bytes = claims.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(other) = Claims::parse(&bytes) {
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn any_bytes_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Claims::parse(&bytes);
    }
}
