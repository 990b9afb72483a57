//! Step 5: the claims of profile 1 (specification, sections 2.3 and 3.1). This file owns their one
//! exact encoding and their bounds.

/// The optional claims of a voucher: one row each, from which everything else follows, namely the
/// fields of [`Claims`], their parsing and encoding, the bits of the `present` column, the claim's
/// own column, and its place in the row that Python gets.
///
/// A row is `label name: type, bound, column`. The bound is the greatest value of a number, or the
/// length of a byte string.
#[macro_export]
macro_rules! optional_claims {
    ($then:ident) => {
        $then! {
            1 channel: u16, 65_535, channels;
            2 purpose: u32, 99_999, purposes;
            3 presenter: [u8; 16], 16, presenters;
            4 assurance: u8, 255, assurances;
            5 status_index: u32, 4_294_967_295, status_indexes;
        }
    };
}

macro_rules! define {
    ($($label:literal $name:ident: $type:ty, $bound:expr, $column:ident;)*) => {
        /// The claims of one profile 1 token.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Claims {
            /// Seconds since 1970.
            pub expires_at: u32,
            /// Seconds since 1970.
            pub issued_at: u32,
            /// How many bytes of `nonce` are used, 8 to 16.
            pub nonce_size: u8,
            /// Padded with zeros.
            pub nonce: [u8; 16],
            pub identity_ref: [u8; 16],
            pub city: u32,
            $(pub $name: Option<$type>,)*
        }

        impl Claims {
            /// How many optional claims there can be.
            pub const OPTIONAL: usize = LABELS.len();

            /// Which optional claims are present: bit `label - 1` for each.
            #[must_use]
            pub fn present(&self) -> u8 {
                0 $(| u8::from(self.$name.is_some()) << ($label - 1))*
            }

            /// The optional claims by ascending label.
            #[must_use]
            pub fn optional(&self) -> [Option<Value>; Self::OPTIONAL] {
                [$(self.$name.map(Value::from)),*]
            }

            fn put_optional(&self, out: &mut Vec<u8>) {
                $(if let Some(value) = self.$name {
                    out.push($label);
                    value.put(out);
                })*
            }

            fn read_optional(&mut self, label: u8, reader: &mut Reader<'_>) -> Option<()> {
                match label {
                    $($label => self.$name = Some(Encoded::read(reader, $bound)?),)*
                    _ => return None,
                }
                Some(())
            }
        }

        const LABELS: &[u8] = &[$($label),*];
    };
}

optional_claims!(define);

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const _: () = {
    assert!(LABELS.len() <= 8, "`present` has eight bits");
    let mut at = 0;
    while at < LABELS.len() {
        assert!(LABELS[at] as usize == at + 1, "labels count up from 1, as the bits do");
        at += 1;
    }
};

/// The value of an optional claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Number(u32),
    Bytes([u8; 16]),
}

impl From<[u8; 16]> for Value {
    fn from(bytes: [u8; 16]) -> Self {
        Self::Bytes(bytes)
    }
}

/// A type that an optional claim's value can have.
trait Encoded: Sized {
    /// Reads a value within its bound.
    fn read(reader: &mut Reader<'_>, bound: u32) -> Option<Self>;

    fn put(self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(impl Encoded for $type {
            fn read(reader: &mut Reader<'_>, bound: u32) -> Option<Self> {
                reader.uint_to(bound)?.try_into().ok()
            }

            fn put(self, out: &mut Vec<u8>) {
                put_uint(out, self.into());
            }
        }

        impl From<$type> for Value {
            fn from(number: $type) -> Self {
                Self::Number(number.into())
            }
        })*
    };
}

numbers!(u8 u16 u32);

impl Encoded for [u8; 16] {
    fn read(reader: &mut Reader<'_>, bound: u32) -> Option<Self> {
        debug_assert!(bound == 16, "the bound of a byte string is its length");
        reader.expect([0x50])?;
        reader.take()
    }

    fn put(self, out: &mut Vec<u8>) {
        out.push(0x50);
        out.extend(self);
    }
}

/// Why a payload does not give [`Claims`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotClaims {
    /// Not in the one exact encoding, or a value out of its bounds.
    Shape,
    /// Claims that start like those of profile 2 or 3. The serial engine decides about them.
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
        let count = self.present().count_ones() as u8;
        let mut out = vec![0xa4, 0x04];
        put_uint(&mut out, self.expires_at);
        out.push(0x06);
        put_uint(&mut out, self.issued_at);
        out.extend([0x07, 0x40 | self.nonce_size]);
        out.extend(self.nonce.get(..self.nonce_size.into()).unwrap_or(&self.nonce));
        out.extend([0x3a, 0x00, 0x01, 0x00, 0x00]);
        out.extend([if count == 0 { 0x83 } else { 0x84 }, 0x01, 0x50]);
        out.extend(self.identity_ref);
        put_uint(&mut out, self.city);
        if count > 0 {
            out.push(0xa0 | count);
            self.put_optional(&mut out);
        }
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
    /// Whether something that only profiles 2 and 3 have was seen.
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
        claims.expires_at = self.uint()?;
        self.expect([0x06])?;
        claims.issued_at = self.uint()?;
        if claims.expires_at <= claims.issued_at {
            return None;
        }
        self.expect([0x07])?;
        claims.nonce_size =
            self.byte()?.checked_sub(0x40).filter(|size| (8..=16).contains(size))?;
        let (nonce, rest) = self.rest.split_at_checked(claims.nonce_size.into())?;
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
        claims.identity_ref = self.take()?;
        claims.city = self.uint_to(999_999)?;
        if fields == 0x84 {
            self.optional(&mut claims)?;
        }
        Some(claims)
    }

    /// A map of one or more optional claims, labels ascending.
    fn optional(&mut self, claims: &mut Claims) -> Option<()> {
        let count = self.byte()?.checked_sub(0xa0)?;
        if !(1..=Claims::OPTIONAL).contains(&count.into()) {
            return None;
        }
        let mut last = 0;
        for _ in 0..count {
            let label = self.byte()?;
            if label <= last {
                return None;
            }
            claims.read_optional(label, self)?;
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
