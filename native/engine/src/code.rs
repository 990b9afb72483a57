//! The refusal codes of steps 1-7 (specification, section 8), as the one-byte numbers that stand in
//! a `code` column.

/// What became of one text. The numbers are part of the interface: Python owns their names and
/// remedies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    Accepted = 0,
    TextLength = 17,
    TextDigits = 18,
    TextPrefix = 19,
    TextRange = 20,
    TextCheck = 21,
    EnvelopeShape = 33,
    KeyUnknown = 49,
    SignatureInvalid = 65,
    ClaimsShape = 81,
    TimeFuture = 97,
    TimeExpired = 98,
    TimeLifetime = 99,
    ScopePeriod = 113,
    ScopeWithdrawn = 114,
    ScopePlace = 115,
    /// Not judged here: a text or signed claims of profile 2 or 3, which the serial engine opens.
    NotMine = 255,
}

impl Code {
    /// The number that stands in a `code` column.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}
