//! Step 2: cuts the tagged COSE_Sign1 of a token, which has one exact shape (specification, section
//! 2.2; RFC 9052, section 4.2), and says what is signed (RFC 9052, section 4.4). This file owns the
//! rules of the envelope.

use crate::code::Code;

/// An algorithm of the header, by its COSE number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ES256 on P-256, -7.
    Es256,
    /// ESP256 (RFC 9864), -9.
    Esp256,
    /// SM2 with SM3, -65537 (private use).
    Sm2,
}

impl Algorithm {
    /// The COSE number.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Es256 => -7,
            Self::Esp256 => -9,
            Self::Sm2 => -65537,
        }
    }
}

/// A protected header `{1: alg, 4: kid}` in its one exact shape, with its raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header<'a> {
    pub raw: &'a [u8],
    pub algorithm: Algorithm,
    pub kid: &'a [u8; 8],
}

impl<'a> Header<'a> {
    /// Reads `raw`; `None` if it has another shape.
    #[must_use]
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let (algorithm, kid) = match raw {
            [0xa2, 0x01, 0x26, 0x04, 0x48, kid @ ..] => (Algorithm::Es256, kid),
            [0xa2, 0x01, 0x28, 0x04, 0x48, kid @ ..] => (Algorithm::Esp256, kid),
            [0xa2, 0x01, 0x3a, 0x00, 0x01, 0x00, 0x00, 0x04, 0x48, kid @ ..] => {
                (Algorithm::Sm2, kid)
            }
            _ => return None,
        };
        Some(Self { raw, algorithm, kid: kid.try_into().ok()? })
    }
}

/// The parts of a token that later steps need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub header: Header<'a>,
    /// The payload's length (one byte) and the payload. With the header they are all that is
    /// signed.
    pub tail: &'a [u8],
    pub r: &'a [u8; 32],
    pub s: &'a [u8; 32],
}

impl<'a> Envelope<'a> {
    /// Cuts `token`: tag 18, array of 4, header, empty map, payload of 24 to 255 bytes, signature
    /// of 64 bytes, and nothing after it.
    ///
    /// # Errors
    /// `EnvelopeShape` if the token has another shape.
    pub fn cut(token: &'a [u8]) -> Result<Self, Code> {
        Self::shape(token).ok_or(Code::EnvelopeShape)
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.tail.get(1..).unwrap_or_default()
    }

    fn shape(token: &'a [u8]) -> Option<Self> {
        let rest = token.strip_prefix(&[0xd2, 0x84])?;
        let (&head, rest) = rest.split_first()?;
        if head != 0x4d && head != 0x51 {
            return None;
        }
        let (raw, rest) = rest.split_at_checked(usize::from(head & 0x1f))?;
        let header = Header::parse(raw)?;
        let rest = rest.strip_prefix(&[0xa0, 0x58])?;
        let length = rest.first().filter(|&&length| length >= 24)?;
        let (tail, rest) = rest.split_at_checked(1 + usize::from(*length))?;
        let signature: &[u8; 64] = rest.strip_prefix(&[0x58, 0x40])?.try_into().ok()?;
        let ([r, s], _) = signature.as_chunks::<32>() else {
            return None;
        };
        Some(Self { header, tail, r, s })
    }
}

/// The part of a Sig_structure before the payload's length: `84 6a "Signature1" 4d|51 header 40
/// 58`.
///
/// It depends only on the key, so a key hashes it once and every token continues from there.
#[must_use]
pub fn signed_prefix(header: &[u8]) -> Vec<u8> {
    let length = u8::try_from(header.len()).unwrap_or(0) & 0x1f;
    [b"\x84\x6aSignature1".as_slice(), &[0x40 | length], header, &[0x40, 0x58]].concat()
}
