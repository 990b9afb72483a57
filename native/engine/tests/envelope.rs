//! Step 2: the shape of the envelope.

use proptest::prelude::*;
use ybtoken_engine::Code;
use ybtoken_engine::envelope::{Algorithm, Envelope, Header, signed_prefix};

const P256: &[u8] = b"\xa2\x01\x26\x04\x48kid-8byt";
const ESP: &[u8] = b"\xa2\x01\x28\x04\x48kid-8byt";
const SM2: &[u8] = b"\xa2\x01\x3a\x00\x01\x00\x00\x04\x48kid-8byt";

fn token(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut token = vec![0xd2, 0x84, 0x40 | header.len() as u8];
    token.extend(header);
    token.extend([0xa0, 0x58, payload.len() as u8]);
    token.extend(payload);
    token.extend([0x58, 0x40]);
    token.extend([0x11; 32]);
    token.extend([0x22; 32]);
    token
}

#[test]
fn the_parts_are_cut() {
    for (raw, algorithm) in
        [(P256, Algorithm::Es256), (ESP, Algorithm::Esp256), (SM2, Algorithm::Sm2)]
    {
        for size in [24, 52, 255] {
            let payload = vec![9; size];
            let token = token(raw, &payload);
            let envelope = Envelope::cut(&token).unwrap();
            assert_eq!(envelope.header, Header { raw, algorithm, kid: b"kid-8byt" });
            assert_eq!(envelope.payload(), payload);
            assert_eq!((envelope.r, envelope.s), (&[0x11; 32], &[0x22; 32]));
        }
    }
}

#[test]
fn a_payload_that_needs_no_length_byte_is_another_shape() {
    assert_eq!(Envelope::cut(&token(P256, &[9; 23])), Err(Code::EnvelopeShape));
}

#[test]
fn every_cut_and_every_trailing_byte_is_refused() {
    for header in [P256, ESP, SM2] {
        let mut token = token(header, &[9; 52]);
        for size in 0..token.len() {
            assert_eq!(Envelope::cut(&token[..size]), Err(Code::EnvelopeShape));
        }
        token.push(0);
        assert_eq!(Envelope::cut(&token), Err(Code::EnvelopeShape));
    }
}

#[test]
fn a_flipped_bit_is_refused_or_lies_in_a_part() {
    for header in [P256, SM2] {
        let good = token(header, &[9; 52]);
        let whole = Envelope::cut(&good).unwrap();
        for bit in 0..good.len() * 8 {
            let mut token = good.clone();
            token[bit / 8] ^= 1 << (bit % 8);
            // Every flip changes some part: nothing in a token is ignored.
            assert!(Envelope::cut(&token).is_err() || Envelope::cut(&token) != Ok(whole), "{bit}");
        }
    }
}

#[test]
fn other_envelopes_are_refused() {
    let good = token(P256, &[9; 52]);
    let header_end = 3 + P256.len();
    let replaced = |at: usize, count: usize, with: &[u8]| {
        let mut token = good.clone();
        token.splice(at..at + count, with.iter().copied());
        Envelope::cut(&token).map(|_| ())
    };
    let refused = Err(Code::EnvelopeShape);
    assert_eq!(replaced(0, 1, &[0xd2]), Ok(()));
    assert_eq!(replaced(0, 1, &[]), refused, "untagged");
    assert_eq!(replaced(0, 1, &[0xd1]), refused, "COSE_Mac0");
    assert_eq!(replaced(0, 1, &[0xd8, 0x12]), refused, "longer tag");
    assert_eq!(replaced(0, 0, &[0xd8, 0x3d]), refused, "CWT tag around");
    assert_eq!(replaced(1, 1, &[0x98, 0x04]), refused, "longer array head");
    assert_eq!(replaced(1, 1, &[0x9f]), refused, "indefinite array");
    assert_eq!(replaced(2, 1, &[0x58, 0x0d]), refused, "longer header length");
    assert_eq!(replaced(3, 3, &[0xa2, 0x01, 0x25]), refused, "another algorithm");
    assert_eq!(replaced(3, 1, &[0xb8, 0x02]), refused, "longer map head");
    assert_eq!(replaced(header_end, 1, &[0xa1, 0x01, 0x26]), refused, "unprotected header");
    assert_eq!(replaced(header_end, 1, &[0xbf, 0xff]), refused, "indefinite map");
    assert_eq!(replaced(header_end + 1, 1, &[0x59, 0x00]), refused, "longer payload length");
    assert_eq!(replaced(header_end + 1, 1, &[0x78]), refused, "text payload");
    let signature = header_end + 3 + 52;
    assert_eq!(replaced(signature, 2, &[0x59, 0x00, 0x40]), refused, "longer signature length");
    assert_eq!(replaced(signature + 1, 2, &[0x3f]), refused, "63 bytes of signature");
}

#[test]
fn a_header_has_one_shape() {
    for raw in [P256, ESP, SM2] {
        assert!(Header::parse(raw).is_some());
        assert_eq!(Header::parse(&raw[..raw.len() - 1]), None);
        assert_eq!(Header::parse(&[raw, &[0]].concat()), None);
    }
    // kid before alg, and a kid of another length.
    assert_eq!(Header::parse(b"\xa2\x04\x48kid-8byt\x01\x26"), None);
    assert_eq!(Header::parse(b"\xa2\x01\x26\x04\x49kid-9byte"), None);
}

#[test]
fn what_is_signed_starts_as_rfc_9052_says() {
    let mut signed = signed_prefix(P256);
    signed.push(1);
    signed.push(7);
    assert_eq!(signed, b"\x84\x6aSignature1\x4d\xa2\x01\x26\x04\x48kid-8byt\x40\x58\x01\x07");
    assert_eq!(signed_prefix(SM2).len(), 32);
}

proptest! {
    #[test]
    fn any_bytes_are_cut_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Envelope::cut(&bytes);
        let _ = Envelope::cut(&[&[0xd2, 0x84, 0x4d][..], P256, &[0xa0, 0x58], &bytes].concat());
    }
}
