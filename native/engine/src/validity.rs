//! Steps 6 and 7: the time, and what a key may sign for (specification, section 4). This file owns
//! these rules and their order.

use std::fmt;

use crate::claims::Claims;
use crate::code::Code;

/// What the key of a ring entry may sign for. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    not_before: i64,
    not_after: i64,
    withdrawn_since: Option<i64>,
    places: Vec<(u32, u32)>,
}

impl Scope {
    /// A key that may sign for the given places, from `not_before` until just before `not_after`.
    ///
    /// Tokens issued at `withdrawn_since` or later are refused. Places are ranges `[from, to)` of
    /// city codes. `None` unless they ascend, are disjoint and have `from < to`.
    #[must_use]
    pub fn new(
        not_before: i64,
        not_after: i64,
        withdrawn_since: Option<i64>,
        places: Vec<(u32, u32)>,
    ) -> Option<Self> {
        let ordered =
            places.iter().all(|(from, to)| from < to) && places.is_sorted_by(|a, b| a.1 <= b.0);
        ordered.then_some(Self { not_before, not_after, withdrawn_since, places })
    }

    fn check(&self, issued_at: i64, city: u32) -> Code {
        if issued_at < self.not_before || issued_at >= self.not_after {
            return Code::ScopePeriod;
        }
        if self.withdrawn_since.is_some_and(|since| issued_at >= since) {
            return Code::ScopeWithdrawn;
        }
        let after = self.places.partition_point(|&(from, _)| from <= city);
        match after.checked_sub(1).and_then(|at| self.places.get(at)) {
            Some(&(_, to)) if city < to => Code::Accepted,
            _ => Code::ScopePlace,
        }
    }
}

/// What a verifier allows. All values are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far the clocks of issuer and verifier may differ.
    pub skew: i64,
    /// The longest lifetime, from issue to expiry, that is accepted.
    pub max_lifetime: i64,
}

impl Limits {
    fn check(self, now: i64, issued_at: i64, expires_at: i64) -> Code {
        if issued_at > now.saturating_add(self.skew) {
            Code::TimeFuture
        } else if now >= expires_at.saturating_add(self.skew) {
            Code::TimeExpired
        } else if expires_at - issued_at > self.max_lifetime {
            Code::TimeLifetime
        } else {
            Code::Accepted
        }
    }
}

/// Steps 6 and 7 for claims signed by a key with this scope: `Accepted`, or the first refusal.
#[must_use]
pub fn check(claims: &Claims, scope: &Scope, now: i64, limits: Limits) -> Code {
    let issued_at = claims.issued_at.into();
    match limits.check(now, issued_at, claims.expires_at.into()) {
        Code::Accepted => scope.check(issued_at, claims.city),
        refused => refused,
    }
}

/// The time at which texts are verified, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now<'a> {
    /// One time for all texts.
    Same(i64),
    /// A time for each text, such as when it was scanned: the little-endian bytes of an `i64`.
    Each(&'a [[u8; 8]]),
}

impl<'a> Now<'a> {
    /// Whether there is exactly one time for each of `rows` texts.
    #[must_use]
    pub fn fits(self, rows: usize) -> bool {
        match self {
            Self::Same(_) => true,
            Self::Each(times) => times.len() == rows,
        }
    }

    /// The time of a row; `None` past the last.
    pub(crate) fn at(self, row: usize) -> Option<i64> {
        match self {
            Self::Same(now) => Some(now),
            Self::Each(times) => times.get(row).copied().map(i64::from_le_bytes),
        }
    }

    /// The times from row `start` on.
    pub(crate) fn from(self, start: usize) -> Self {
        match self {
            Self::Same(_) => self,
            Self::Each(times) => Self::Each(times.get(start..).unwrap_or_default()),
        }
    }
}

/// Texts, times and columns that differ in length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("texts, times and columns differ in length")
    }
}

impl std::error::Error for Mismatch {}
