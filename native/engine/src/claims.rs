//! Step 5: the claims of profile 1 (specification, sections 2.3 and 3.1): the one exact encoding
//! and its bounds. This file owns them.

/// Whether a claim of the extras is there, as bits of the `present` column.
pub mod present {
    pub const CHANNEL: u8 = 1;
    pub const PURPOSE: u8 = 2;
    pub const PRESENTER: u8 = 4;
    pub const ASSURANCE: u8 = 8;
    pub const STATUS_INDEX: u8 = 16;
}

/// The claims of one profile 1 token. An extra that is absent is zero, and its bit in `present` is
/// not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    pub exp: u32,
    pub iat: u32,
    pub nonce_len: u8,
    /// The nonce, zero padded.
    pub nonce: [u8; 16],
    pub identity: [u8; 16],
    pub city: u32,
    pub present: u8,
    pub channel: u16,
    pub purpose: u32,
    pub presenter: [u8; 16],
    pub assurance: u8,
    pub status_index: u32,
}

/// Why a payload is not [`Claims`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotClaims {
    /// Not the one exact encoding, or a bound broken.
    Shape,
    /// Claims of profile 2 or 3 so far as can be seen here; the serial engine says which refusal
    /// that is.
    OtherProfile,
}

impl Claims {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`NotClaims`]: `OtherProfile` as soon as a `cnf` claim or a profile of 2 or 3 is met,
    /// `Shape` for anything else.
    pub fn parse(payload: &[u8]) -> Result<Self, NotClaims> {
        let mut reader = Reader { rest: payload, other: false };
        match reader.claims() {
            Some(claims) if reader.rest.is_empty() => Ok(claims),
            _ if reader.other => Err(NotClaims::OtherProfile),
            _ => Err(NotClaims::Shape),
        }
    }

    /// The one encoding of these claims: the inverse of [`Claims::parse`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0xa4, 0x04];
        put_uint(&mut out, self.exp);
        out.push(0x06);
        put_uint(&mut out, self.iat);
        let nonce = self.nonce.get(..usize::from(self.nonce_len)).unwrap_or(&self.nonce);
        out.extend([0x07, 0x40 | self.nonce_len]);
        out.extend(nonce);
        out.extend([
            0x3a,
            0x00,
            0x01,
            0x00,
            0x00,
            if self.present == 0 { 0x83 } else { 0x84 },
            0x01,
            0x50,
        ]);
        out.extend(self.identity);
        put_uint(&mut out, self.city);
        if self.present == 0 {
            return out;
        }
        out.push(0xa0 | u8::try_from(self.present.count_ones()).unwrap_or(0));
        let mut uint = |label: u8, bit: u8, value: u32| {
            if self.present & bit != 0 {
                out.push(label);
                put_uint(&mut out, value);
            }
        };
        uint(1, present::CHANNEL, self.channel.into());
        uint(2, present::PURPOSE, self.purpose);
        if self.present & present::PRESENTER != 0 {
            out.extend([3, 0x50]);
            out.extend(self.presenter);
        }
        let mut uint = |label: u8, bit: u8, value: u32| {
            if self.present & bit != 0 {
                out.push(label);
                put_uint(&mut out, value);
            }
        };
        uint(4, present::ASSURANCE, self.assurance.into());
        uint(5, present::STATUS_INDEX, self.status_index);
        out
    }
}

fn put_uint(out: &mut Vec<u8>, value: u32) {
    let [b3, b2, b1, b0] = value.to_be_bytes();
    match value {
        0..24 => out.push(b0),
        24..0x100 => out.extend([0x18, b0]),
        0x100..0x1_0000 => out.extend([0x19, b1, b0]),
        _ => out.extend([0x1a, b3, b2, b1, b0]),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Whether a sign of profile 2 or 3 was met.
    other: bool,
}

impl Reader<'_> {
    fn claims(&mut self) -> Option<Claims> {
        let mut claims = Claims::default();
        let claim_count = self.byte()?;
        if claim_count != 0xa4 && claim_count != 0xa5 {
            return None;
        }
        self.expect([0x04])?;
        claims.exp = self.uint()?;
        self.expect([0x06])?;
        claims.iat = self.uint()?;
        if claims.exp <= claims.iat {
            return None;
        }
        self.expect([0x07])?;
        claims.nonce_len =
            self.byte()?.checked_sub(0x40).filter(|length| (8..=16).contains(length))?;
        let (nonce, rest) = self.rest.split_at_checked(claims.nonce_len.into())?;
        claims.nonce.get_mut(..nonce.len())?.copy_from_slice(nonce);
        self.rest = rest;
        if claim_count == 0xa5 {
            self.other = self.byte()? == 0x08;
            return None;
        }
        self.expect([0x3a, 0x00, 0x01, 0x00, 0x00])?;
        let fields = self.byte()?;
        if fields != 0x83 && fields != 0x84 {
            return None;
        }
        let profile = self.byte()?;
        if profile != 1 {
            self.other = profile == 2 || profile == 3;
            return None;
        }
        self.expect([0x50])?;
        claims.identity = self.take()?;
        claims.city = self.uint_to(999_999)?;
        if fields == 0x84 {
            self.extras(&mut claims)?;
        }
        Some(claims)
    }

    /// A map of one to five extras, labels ascending.
    fn extras(&mut self, claims: &mut Claims) -> Option<()> {
        let count = self.byte()?.checked_sub(0xa0).filter(|count| (1..=5).contains(count))?;
        let mut last = 0;
        for _ in 0..count {
            let label = self.byte()?;
            if label <= last {
                return None;
            }
            match label {
                1 => claims.channel = u16::try_from(self.uint()?).ok()?,
                2 => claims.purpose = self.uint_to(99_999)?,
                3 => {
                    self.expect([0x50])?;
                    claims.presenter = self.take()?;
                }
                4 => claims.assurance = u8::try_from(self.uint()?).ok()?,
                5 => claims.status_index = self.uint()?,
                _ => return None,
            }
            claims.present |= 1 << (label - 1);
            last = label;
        }
        Some(())
    }

    /// An unsigned integer below 2^32 in its shortest form.
    fn uint(&mut self) -> Option<u32> {
        let (value, least) = match self.byte()? {
            small @ 0..24 => (u32::from(small), 0),
            0x18 => (u32::from(self.byte()?), 24),
            0x19 => (u32::from(u16::from_be_bytes(self.take()?)), 0x100),
            0x1a => (u32::from_be_bytes(self.take()?), 0x1_0000),
            _ => return None,
        };
        (value >= least).then_some(value)
    }

    fn uint_to(&mut self, most: u32) -> Option<u32> {
        self.uint().filter(|&value| value <= most)
    }

    fn expect<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        (self.take::<N>()? == bytes).then_some(())
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
}
