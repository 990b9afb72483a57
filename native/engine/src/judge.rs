//! Steps 6 and 7 in columns: time, and what a key may sign for (specification, section 4). This
//! file owns those rules and their order.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::code::Code;
use crate::workers::Workers;

/// What the key of a ring entry may sign for. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The first second it may sign in.
    pub not_before: i64,
    /// The first second it may no longer sign in.
    pub not_after: i64,
    /// From when on what it signed is refused, if it was withdrawn.
    pub withdrawn_since: Option<i64>,
    /// City codes, as ranges `[from, to)`, ascending and disjoint.
    places: Vec<(u32, u32)>,
}

impl Scope {
    /// A scope of a time and places. `None` if the places are not ascending, disjoint and each
    /// `from < to`.
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

    fn judge(&self, iat: i64, city: u32) -> Code {
        if iat < self.not_before || iat >= self.not_after {
            return Code::ScopePeriod;
        }
        if self.withdrawn_since.is_some_and(|since| iat >= since) {
            return Code::ScopeWithdrawn;
        }
        let after = self.places.partition_point(|&(from, _)| from <= city);
        match after.checked_sub(1).and_then(|at| self.places.get(at)) {
            Some(&(_, to)) if city < to => Code::Accepted,
            _ => Code::ScopePlace,
        }
    }
}

/// The time at which rows are judged, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now<'a> {
    /// One for all.
    Same(i64),
    /// One for each row, as the little-endian bytes of an `i64`: scans that were recorded at their
    /// own times.
    Each(&'a [[u8; 8]]),
}

/// The clock and the bounds of a verifier, all in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment<'a> {
    pub now: Now<'a>,
    pub skew: i64,
    /// The longest `exp - iat` that is taken.
    pub max_lifetime: i64,
}

impl Moment<'_> {
    fn judge(&self, row: usize, iat: i64, exp: i64) -> Result<Code, Mismatch> {
        let now = match self.now {
            Now::Same(now) => now,
            Now::Each(column) => i64::from_le_bytes(*column.get(row).ok_or(Mismatch)?),
        };
        Ok(if iat > now.saturating_add(self.skew) {
            Code::TimeFuture
        } else if now >= exp.saturating_add(self.skew) {
            Code::TimeExpired
        } else if exp - iat > self.max_lifetime {
            Code::TimeLifetime
        } else {
            Code::Accepted
        })
    }
}

/// The columns that are judged, as [`crate::columns::Columns`] has them; all of one length.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    pub entry: &'a [[u8; 2]],
    pub iat: &'a [[u8; 4]],
    pub exp: &'a [[u8; 4]],
    pub city: &'a [[u8; 4]],
}

/// A batch that cannot be judged: the columns' lengths differ, or an accepted row names an entry
/// without a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

/// Judges every row whose code is accepted, and writes what became of it to its code.
///
/// # Errors
/// [`Mismatch`]; some rows may have been judged then, and the codes are not to be used.
pub fn judge(
    code: &mut [u8],
    rows: Judged<'_>,
    scopes: &[Scope],
    moment: Moment<'_>,
    workers: &Workers,
) -> Result<(), Mismatch> {
    const ROWS: usize = 1 << 14;
    let Judged { entry, iat, exp, city } = rows;
    let times = match moment.now {
        Now::Same(_) => code.len(),
        Now::Each(column) => column.len(),
    };
    if [entry.len(), iat.len(), exp.len(), city.len(), times] != [code.len(); 5] {
        return Err(Mismatch);
    }
    let failed = AtomicBool::new(false);
    let part = |(from, code): (usize, &mut [u8])| {
        let times = iat.iter().zip(exp).skip(from);
        let places = entry.iter().zip(city).skip(from);
        let rows = code.iter_mut().zip(times).zip(places);
        for (row, ((code, (iat, exp)), (entry, city))) in (from..).zip(rows) {
            if *code != Code::Accepted.number() {
                continue;
            }
            let scope = scopes.get(usize::from(u16::from_le_bytes(*entry))).ok_or(Mismatch)?;
            let iat = i64::from(u32::from_le_bytes(*iat));
            let mut verdict = moment.judge(row, iat, u32::from_le_bytes(*exp).into())?;
            if verdict == Code::Accepted {
                verdict = scope.judge(iat, u32::from_le_bytes(*city));
            }
            *code = verdict.number();
        }
        Ok(())
    };
    let parts = (0..).step_by(ROWS).zip(code.chunks_mut(ROWS)).collect();
    workers.each(
        parts,
        || (),
        |(), rows| {
            if part(rows) == Err(Mismatch) {
                failed.store(true, Ordering::Relaxed);
            }
        },
    );
    if failed.into_inner() {
        return Err(Mismatch);
    }
    Ok(())
}
