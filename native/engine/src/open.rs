//! Steps 1 to 7 for one text and for many: text, envelope, key, signature, claims, time, scope.
//!
//! A batch is cut into chunks that fit the cache. In a chunk every text is first read and hashed,
//! and its outcome for a good signature is kept aside; then all signatures of a curve are verified
//! together; only then are the columns written. So the columns never hold a claim of an unverified
//! token. A text has the same outcome in any batch as alone.

use ybtoken_curve::{Curve, Job};

use crate::claims::{Claims, NotClaims};
use crate::code::Code;
use crate::columns::{Columns, ColumnsMut, Opened};
use crate::envelope::Envelope;
use crate::input::Texts;
use crate::ring::{Entry, Ring};
use crate::sm3::Pending;
use crate::text::{self, TokenBuffer};
use crate::validity::{self, Limits, Mismatch, Now};
use crate::workers::Workers;

/// The most texts in a chunk: enough for the curve's batches, and few enough for what is kept of
/// each to stay in L2.
pub const CHUNK: usize = 2048;

/// The fewest texts in a chunk other than the last: with 768 a text costs 5 % more than with 2048,
/// with 256 it costs 20 % more.
const LEAST_CHUNK: usize = 768;

/// Opens one text.
#[must_use]
pub fn open_one(ring: &Ring, text: &[u8], now: i64, limits: Limits) -> Opened {
    let mut buffer: TokenBuffer = [0; _];
    let (envelope, at, entry) = match read(ring, text, &mut buffer) {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let e = entry.hash.one(&envelope);
    let accepted = ring.tables.get(at.into()).is_some_and(|held| {
        let job = |table| Job { table, e, r: *envelope.r, s: *envelope.s };
        held.table().is_some_and(|table| ring.verifier.verify_one(entry.curve, &job(table)))
    });
    if accepted { signed(&envelope, at, entry, now, limits) } else { forged(at) }
}

/// Opens many texts into new columns.
///
/// # Errors
/// [`Mismatch`] if `now` does not have one time for each text.
pub fn open_batch(
    ring: &Ring,
    texts: &(impl Texts + ?Sized),
    now: Now<'_>,
    limits: Limits,
    workers: &Workers,
) -> Result<Columns, Mismatch> {
    let mut columns = Columns::new(texts.len());
    open_into(ring, texts, now, limits, columns.as_mut(), workers)?;
    Ok(columns)
}

/// Opens many texts into columns of zeros that have one row for each text.
///
/// # Errors
/// [`Mismatch`] if the rows or the times are not as many as the texts; then nothing is written.
pub fn open_into(
    ring: &Ring,
    texts: &(impl Texts + ?Sized),
    now: Now<'_>,
    limits: Limits,
    columns: ColumnsMut<'_>,
    workers: &Workers,
) -> Result<(), Mismatch> {
    let (mut rest, rows) = (columns, texts.len());
    if rest.len() != rows || !now.fits(rows) {
        return Err(Mismatch);
    }
    let chunks = chunks(rows, workers.threads()).map(|(start, size)| (start, rest.take(size)));
    workers.each(
        chunks.collect(),
        || Scratch::new(ring),
        |scratch, (start, columns)| {
            scratch.open(ring, texts, start, now.from(start), limits, columns);
        },
    );
    Ok(())
}

/// Start and size of each chunk of a batch. The sizes decrease, so that `threads` cores finish at
/// about the same time even if one is slower than the others.
fn chunks(rows: usize, threads: usize) -> impl Iterator<Item = (usize, usize)> {
    let least = LEAST_CHUNK.min(rows.div_ceil(threads));
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = rows.checked_sub(start).filter(|&rest| rest > 0)?;
        let size =
            if threads == 1 { CHUNK } else { rest.div_ceil(2 * threads).clamp(least, CHUNK) };
        let size = size.next_multiple_of(16).min(rest);
        start += size;
        Some((start - size, size))
    })
}

/// Steps 1 to 3: returns the envelope and the entry of its key, or the refusal.
fn read<'r, 't>(
    ring: &'r Ring,
    text: &[u8],
    buffer: &'t mut TokenBuffer,
) -> Result<(Envelope<'t>, u16, &'r Entry), Opened> {
    let length = text::decode(ring.simd, text, buffer).map_err(Opened::refused)?;
    let token = buffer.get(..length).unwrap_or_default();
    let envelope = Envelope::cut(token).map_err(Opened::refused)?;
    let Some((at, entry)) = ring.find(&envelope.header) else {
        let mut unknown = Opened::refused(Code::KeyUnknown);
        let Claims { nonce_size, nonce, .. } = &mut unknown.claims;
        *nonce_size = 8;
        nonce.iter_mut().zip(envelope.header.kid).for_each(|(to, from)| *to = *from);
        return Err(unknown);
    };
    Ok((envelope, at, entry))
}

/// The outcome of a token whose signature is not good (step 4).
fn forged(at: u16) -> Opened {
    Opened { entry: at, ..Opened::refused(Code::SignatureInvalid) }
}

/// The outcome of a token whose signature is good (steps 5 to 7).
fn signed(envelope: &Envelope<'_>, at: u16, entry: &Entry, now: i64, limits: Limits) -> Opened {
    match Claims::parse(envelope.payload()) {
        Ok(claims) => Opened {
            code: validity::check(&claims, &entry.scope, now, limits),
            entry: at,
            profile: 1,
            claims,
        },
        Err(NotClaims::Shape) => Opened { entry: at, ..Opened::refused(Code::ClaimsShape) },
        Err(NotClaims::OtherProfile) => Opened::refused(Code::Undecided),
    }
}

/// A token whose signature is still to be verified.
struct Waiting {
    row: usize,
    entry: u16,
    e: [u8; 32],
    r: [u8; 32],
    s: [u8; 32],
    /// The outcome if the signature is good.
    signed: Opened,
}

/// Memory that a thread reuses from chunk to chunk.
struct Scratch {
    buffer: TokenBuffer,
    p256: Vec<Waiting>,
    sm2: Vec<Waiting>,
    hashes: Option<Pending>,
}

impl Scratch {
    fn new(ring: &Ring) -> Self {
        Self {
            buffer: [0; _],
            p256: Vec::new(),
            sm2: Vec::new(),
            hashes: ring.simd.map(Pending::new),
        }
    }

    /// Opens as many texts from `start` on as there are rows; `now` holds the times of these rows.
    fn open(
        &mut self,
        ring: &Ring,
        texts: &(impl Texts + ?Sized),
        start: usize,
        now: Now<'_>,
        limits: Limits,
        mut columns: ColumnsMut<'_>,
    ) {
        // A row left out by mistake must not read as accepted, whose code is zero.
        columns.codes.fill([Code::Undecided.number()]);
        for row in 0..columns.len() {
            if let Some(now) = now.at(row)
                && let Err(refused) = self.read(ring, texts.text(start + row), row, now, limits)
            {
                columns.put(row, &refused);
            }
        }
        if let Some(hashes) = &mut self.hashes {
            hashes.finish(|slot, hash| {
                if let Some(waiting) = self.sm2.get_mut(slot) {
                    waiting.e = hash;
                }
            });
        }
        for (curve, waiting) in [(Curve::P256, &mut self.p256), (Curve::Sm2, &mut self.sm2)] {
            verify(ring, curve, waiting, &mut columns);
            waiting.clear();
        }
    }

    /// Queues one text for the verification of its signature, or returns an earlier refusal.
    fn read(
        &mut self,
        ring: &Ring,
        text: &[u8],
        row: usize,
        now: i64,
        limits: Limits,
    ) -> Result<(), Opened> {
        let (envelope, at, entry) = read(ring, text, &mut self.buffer)?;
        let queue = match entry.curve {
            Curve::P256 => &mut self.p256,
            Curve::Sm2 => &mut self.sm2,
        };
        let e = match (entry.hash.lane_state(), &mut self.hashes) {
            (Some(state), Some(hashes)) => {
                hashes.push(state, envelope.tail, queue.len());
                [0; 32]
            }
            _ => entry.hash.one(&envelope),
        };
        let signed = signed(&envelope, at, entry, now, limits);
        queue.push(Waiting { row, entry: at, e, r: *envelope.r, s: *envelope.s, signed });
        Ok(())
    }
}

/// Step 4 for all waiting tokens of a curve; writes their rows.
fn verify(ring: &Ring, curve: Curve, waiting: &[Waiting], columns: &mut ColumnsMut<'_>) {
    let mut entries: Vec<u16> = waiting.iter().map(|waiting| waiting.entry).collect();
    entries.sort_unstable();
    entries.dedup();
    for run in ring.tables.runs(&entries) {
        let held: Vec<_> = run.iter().filter_map(|&entry| ring.tables.get(entry.into())).collect();
        let table = |waiting: &Waiting| held.get(run.binary_search(&waiting.entry).ok()?)?.table();
        let with_table = waiting.iter().filter_map(|waiting| Some((waiting, table(waiting)?)));
        let (waiting, jobs): (Vec<_>, Vec<_>) = with_table
            .map(|(waiting, table)| {
                (waiting, Job { table, e: waiting.e, r: waiting.r, s: waiting.s })
            })
            .unzip();
        let mut accepted = vec![false; jobs.len()];
        ring.verifier.verify_batch(curve, &jobs, &mut accepted);
        for (waiting, accepted) in waiting.into_iter().zip(accepted) {
            let opened = if accepted { &waiting.signed } else { &forged(waiting.entry) };
            columns.put(waiting.row, opened);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, LEAST_CHUNK, chunks};

    #[test]
    fn chunks_are_everything_once_ever_fewer_and_only_the_last_is_small() {
        for threads in 1..=9 {
            for rows in (0..=4 * CHUNK).step_by(7).chain([16_384, 100_000]) {
                let all: Vec<_> = chunks(rows, threads).collect();
                let mut next = 0;
                for &(start, size) in &all {
                    assert_eq!(start, next);
                    next += size;
                }
                assert_eq!(next, rows);
                assert!(all.is_sorted_by(|(_, a), (_, b)| a >= b));
                let least = LEAST_CHUNK.min(rows.div_ceil(threads));
                let (last, others) = all.split_last().unwrap_or((&(0, 0), &[]));
                assert!(last.1 <= CHUNK);
                assert!(others.iter().all(|(_, size)| size % 16 == 0));
                assert!(others.iter().all(|(_, size)| (least..=CHUNK).contains(size)));
                // A slow thread delays the end by at most its fair share of the rows.
                assert!(all.iter().all(|(_, size)| *size <= rows.div_ceil(threads) + 15));
            }
        }
    }
}
