//! The outcomes of steps 1 to 7 (specification, section 8), as the one-byte numbers of the `codes`
//! column.

/// The outcome for one text: accepted, or the rule that refused it.
///
/// The numbers are part of the format's contract. `ybtoken.refusals` has their names and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    Accepted = 0,
    TextLength = rule(1, 1),
    TextDigits = rule(1, 2),
    TextPrefix = rule(1, 3),
    TextRange = rule(1, 4),
    TextCheck = rule(1, 5),
    TextBeginning = rule(1, 6),
    EnvelopeShape = rule(2, 1),
    KeyUnknown = rule(3, 1),
    SignatureInvalid = rule(4, 1),
    ClaimsShape = rule(5, 1),
    TimeFuture = rule(6, 1),
    TimeExpired = rule(6, 2),
    TimeLifetime = rule(6, 3),
    ScopePeriod = rule(7, 1),
    ScopeWithdrawn = rule(7, 2),
    ScopePlace = rule(7, 3),
    /// A text or signed claims of profile 2 or 3, which only the serial engine can verify.
    Undecided = 255,
}

/// The number of the `k`-th refusal of a step.
const fn rule(step: u8, k: u8) -> u8 {
    16 * step + k
}

impl Code {
    /// The number in the `codes` column.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}
