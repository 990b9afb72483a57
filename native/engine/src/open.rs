//! Steps 1-5 for one text and for many: text, envelope, key, signature, claims.
//!
//! A batch goes in chunks that fit the cache. In a chunk each text is read up to its key and
//! hashed; then all signatures of a curve are verified at once; then what was accepted is written
//! to the columns, so that no claim of an unverified token is ever there. Every text gets the
//! answer that it gets alone.

use ybtoken_curve::{Curve, Job};

use crate::claims::{Claims, NotClaims};
use crate::code::Code;
use crate::columns::{Columns, ColumnsMut, Opened};
use crate::envelope::Envelope;
use crate::input::Texts;
use crate::ring::{Entry, Ring};
use crate::sm3::Pending;
use crate::text::{self, TokenBuffer};
use crate::workers::Workers;

/// The most texts of a chunk: enough for the curve's batches, and what is kept of them stays in the
/// second cache.
pub const CHUNK: usize = 2048;

/// The fewest, but for what is left over: 768 cost a twentieth more a text than 2048 do, 256 a
/// fifth.
const LEAST_CHUNK: usize = 768;

/// Opens one text.
#[must_use]
pub fn open_one(ring: &Ring, text: &[u8]) -> Opened {
    let mut buffer: TokenBuffer = [0; _];
    let (envelope, at, entry) = match read(ring, text, &mut buffer) {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let claims = Claims::parse(envelope.payload());
    let e = entry.hash.one(&envelope);
    let accepted = ring.tables.get(at.into()).is_some_and(|held| {
        let job = |table| Job { table, e, r: *envelope.r, s: *envelope.s };
        held.table().is_some_and(|table| ring.verifier.verify_one(entry.curve, &job(table)))
    });
    verdict(at, accepted, claims)
}

/// Opens many texts to new columns.
#[must_use]
pub fn open_batch(ring: &Ring, texts: &(impl Texts + ?Sized), workers: &Workers) -> Columns {
    let mut columns = Columns::new(texts.len());
    open_into(ring, texts, columns.as_mut(), workers);
    columns
}

/// Opens many texts to columns of zeros, a row a text; texts past the last row are left out.
pub fn open_into(
    ring: &Ring,
    texts: &(impl Texts + ?Sized),
    columns: ColumnsMut<'_>,
    workers: &Workers,
) {
    let mut rest = columns;
    let rows = rest.len().min(texts.len());
    let chunks = chunks(rows, workers.threads()).map(|(start, size)| (start, rest.take(size)));
    workers.each(
        chunks.collect(),
        || Scratch::new(ring),
        |scratch, (start, columns)| scratch.open(ring, texts, start, columns),
    );
}

/// Where each chunk of a batch starts, and its size: ever fewer, so that `threads` cores end at the
/// same time, though one may run slower than the others.
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

/// Steps 1-3: the envelope, and the entry of its key; or what refused it.
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
        unknown.claims.nonce_len = 8;
        unknown.claims.nonce.iter_mut().zip(envelope.header.kid).for_each(|(to, from)| *to = *from);
        return Err(unknown);
    };
    Ok((envelope, at, entry))
}

/// Steps 4 and 5: what became of a token whose signature was found `accepted` or not.
fn verdict(entry: u16, accepted: bool, claims: Result<Claims, NotClaims>) -> Opened {
    let refused = |code| Opened { entry, ..Opened::refused(code) };
    if !accepted {
        return refused(Code::SignatureInvalid);
    }
    match claims {
        Ok(claims) => Opened { code: Code::Accepted, entry, profile: 1, claims },
        Err(NotClaims::Shape) => refused(Code::ClaimsShape),
        Err(NotClaims::OtherProfile) => Opened::refused(Code::NotMine),
    }
}

/// A token that waits for its signature to be verified.
struct Waiting {
    row: usize,
    entry: u16,
    e: [u8; 32],
    r: [u8; 32],
    s: [u8; 32],
    claims: Result<Claims, NotClaims>,
}

/// What a thread keeps from chunk to chunk.
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

    fn open(
        &mut self,
        ring: &Ring,
        texts: &(impl Texts + ?Sized),
        start: usize,
        mut columns: ColumnsMut<'_>,
    ) {
        for row in 0..columns.len() {
            self.read(ring, texts.text(start + row), row, &mut columns);
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

    /// Steps 1-3 of one text, and its hash, here or later.
    fn read(&mut self, ring: &Ring, text: &[u8], row: usize, columns: &mut ColumnsMut<'_>) {
        let (envelope, at, entry) = match read(ring, text, &mut self.buffer) {
            Ok(found) => found,
            Err(refused) => return columns.put(row, &refused),
        };
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
        let claims = Claims::parse(envelope.payload());
        queue.push(Waiting { row, entry: at, e, r: *envelope.r, s: *envelope.s, claims });
    }
}

/// Steps 4 and 5 of all tokens of a curve.
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
            columns.put(waiting.row, &verdict(waiting.entry, accepted, waiting.claims));
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
                // Whoever is slow leaves no more than a share of its own to wait for.
                assert!(all.iter().all(|(_, size)| *size <= rows.div_ceil(threads) + 15));
            }
        }
    }
}
