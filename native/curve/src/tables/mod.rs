//! Tables of odd multiples: for each window of a scalar, the points (2k + 1) * 2^offset * P.

mod entry;
mod pages;

use core::fmt;

pub(crate) use entry::{Entry, prefetch};
#[cfg(test)]
pub(crate) use entry::{from_r260, to_r260};
pub(crate) use pages::Pages;

use crate::key::PublicKey;
use crate::math::curve::{Curve, P256, Sm2, Spec};
use crate::math::digits::{WINDOW_BITS, Windows};
use crate::math::field::Residue;
use crate::math::point::{Affine, Xyzz, add_all, to_affine_all};
use pages::Entries;

/// The entries of all windows in stored form, and where each window starts.
struct Stored {
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

impl Stored {
    fn new<C: Spec>(multiples: Vec<Vec<Affine<C>>>) -> Self {
        let mut starts = Vec::with_capacity(multiples.len());
        let mut entries = Vec::with_capacity(multiples.iter().map(Vec::len).sum());
        for window in multiples {
            starts.push(entries.len() as u32);
            entries.extend(window.into_iter().map(Entry::store));
        }
        Self { starts, entries }
    }
}

/// The entries of all windows, one window after the other.
pub(crate) struct Table {
    pub(crate) windows: Windows,
    starts: Vec<u32>,
    entries: Entries,
}

impl Table {
    /// Tables with the same windows, side by side in memory.
    fn side_by_side(
        windows: Windows,
        count: usize,
        tables: impl Iterator<Item = Stored>,
    ) -> Vec<Self> {
        let mut all_starts = Vec::with_capacity(count);
        let mut pages = None;
        for Stored { starts, entries } in tables {
            pages.get_or_insert_with(|| Pages::new(count * entries.len())).push(entries);
            all_starts.push(starts);
        }
        let entries = pages.map_or(vec![], Pages::finish);
        all_starts
            .into_iter()
            .zip(entries)
            .map(|(starts, entries)| Self { windows, starts, entries })
            .collect()
    }

    #[inline(always)]
    pub(crate) fn entries(&self) -> &[Entry] {
        self.entries.all()
    }

    /// Index of a window's first entry; equal in all tables with the same windows.
    #[inline(always)]
    pub(crate) fn start(&self, window: usize) -> usize {
        self.starts[window] as usize
    }

    /// The entries from the start of a window on, including those of the windows after it.
    #[inline(always)]
    pub(crate) fn window(&self, window: usize) -> &[Entry] {
        &self.entries()[self.start(window)..]
    }
}

/// A public key with its precomputed multiples. All of it is public: nothing must be wiped or kept
/// secret.
pub struct KeyTable {
    key: PublicKey,
    table: Table,
}

/// A window size that no table can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowError(pub u32);

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (WINDOW_BITS.start(), WINDOW_BITS.end());
        write!(f, "a window has {low} to {high} bits, not {}", self.0)
    }
}

impl std::error::Error for WindowError {}

impl KeyTable {
    /// 262 kB a key: right for a ring of some hundred keys.
    pub const DEFAULT_WINDOW: u32 = 8;
    /// 786 kB a key, and an eighth fewer additions a signature: for the few keys that sign most
    /// tokens.
    pub const HOT_WINDOW: u32 = 10;

    /// Computes the table. At the default window that is about 4,096 additions, below a
    /// millisecond.
    ///
    /// # Errors
    /// `WindowError` unless `window_bits` is from 4 to 16.
    pub fn build(key: &PublicKey, window_bits: u32) -> Result<Self, WindowError> {
        Ok(Self::build_all(&[*key], window_bits)?.remove(0))
    }

    /// The tables of several keys, side by side in memory. The memory is freed when the last of
    /// them is dropped. If the system gives large pages for it, signatures of many keys are
    /// verified a seventh faster.
    ///
    /// # Errors
    /// As `build`.
    pub fn build_all(keys: &[PublicKey], window_bits: u32) -> Result<Vec<Self>, WindowError> {
        check_window(window_bits)?;
        let windows = Windows::new(window_bits);
        let stored = keys.iter().map(|key| match key.curve() {
            Curve::P256 => Stored::new(odd_multiples::<P256>(key.point(), windows)),
            Curve::Sm2 => Stored::new(odd_multiples::<Sm2>(key.point(), windows)),
        });
        let tables = Table::side_by_side(windows, keys.len(), stored);
        Ok(keys.iter().zip(tables).map(|(&key, table)| Self { key, table }).collect())
    }

    /// The size of this table in bytes: what a cache with a byte limit should count.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(self.table.entries()) + size_of_val(&*self.table.starts)
    }

    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    pub fn curve(&self) -> Curve {
        self.key.curve()
    }

    pub fn window_bits(&self) -> u32 {
        self.table.windows.bits
    }

    #[inline(always)]
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }
}

impl fmt::Debug for KeyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyTable")
            .field("key", &self.key)
            .field("window_bits", &self.table.windows.bits)
            .finish_non_exhaustive()
    }
}

pub(crate) fn check_window(bits: u32) -> Result<(), WindowError> {
    if WINDOW_BITS.contains(&bits) { Ok(()) } else { Err(WindowError(bits)) }
}

/// For each window, the multiples 1, 3, .. 2^w - 1 of 2^offset * P. Each round adds a power of two
/// times P to every point of a window's list, which doubles the list; all windows share one
/// inversion a round.
fn odd_multiples<C: Spec>(point: Affine<C>, windows: Windows) -> Vec<Vec<Affine<C>>> {
    let mut doubled = Xyzz::from(point);
    let powers = core::iter::repeat_with(|| {
        let this = doubled;
        doubled = this.double();
        this
    });
    let powers = to_affine_all(&powers.take(256).collect::<Vec<_>>());
    let mut lists: Vec<_> =
        (0..windows.count).map(|i| vec![powers[windows.offset(i) as usize]]).collect();
    let widest = windows.width(0);
    for round in 1..widest {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let growing = |i: &usize| round < windows.width(*i);
        for i in (0..windows.count).filter(growing) {
            // (2k + 1) + 2^round: the second half of the 2^round entries that the list then has.
            let step = powers[(windows.offset(i) + round) as usize];
            left.extend_from_slice(&lists[i]);
            right.extend(core::iter::repeat_n(step, lists[i].len()));
        }
        let mut sums = Vec::with_capacity(left.len());
        // (2k + 1) - 2^round and (2k + 1) + 2^round are small and odd, so they are never 0 mod the
        // prime order.
        let distinct = add_all(&left, &right, &mut sums);
        assert!(
            distinct,
            "two different small multiples of a point of prime order have different x"
        );
        let mut sums = sums.into_iter();
        for i in (0..windows.count).filter(growing) {
            let length = lists[i].len();
            lists[i].extend(sums.by_ref().take(length));
        }
    }
    lists
}

/// The generator's table, with a secret point B hidden in its two top windows: B is added to every
/// entry of the top window and subtracted from every entry of the window below it. A sum starts
/// with the one and ends with the other, so it passes only through points that nobody can predict,
/// and nobody can craft a signature whose additions meet equal points. The blinding costs no
/// addition. These two windows hold both signs of every multiple, because the sign of B must not be
/// inverted.
pub(crate) struct BaseTable {
    table: Table,
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "only vectors spread a sum over lanes")
    )]
    lanes: [Entry; 9],
}

impl BaseTable {
    /// `None` if the blind point collides with a table entry, which has a chance of about 2^-240;
    /// the caller draws another.
    pub(crate) fn build<C: Spec>(window_bits: u32, blind: Affine<C>) -> Option<Self> {
        let lanes = lane_blinds(blind)?;
        let windows = Windows::new(window_bits);
        let mut multiples = odd_multiples::<C>(Affine::generator(), windows);
        for (window, turned) in [(windows.count - 1, false), (windows.count - 2, true)] {
            let positive = &multiples[window];
            let negative = positive.iter().rev().map(|p| p.negate_if(true));
            let both: Vec<_> = negative.chain(positive.iter().copied()).collect();
            let blinds = vec![blind.negate_if(turned); both.len()];
            let mut sums = Vec::with_capacity(both.len());
            if !add_all(&both, &blinds, &mut sums) {
                return None;
            }
            multiples[window] = sums;
        }
        let table =
            Table::side_by_side(windows, 1, core::iter::once(Stored::new(multiples))).pop()?;
        Some(Self { table, lanes })
    }

    #[inline(always)]
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Eight secret points and the point that cancels them, for eight partial sums that start apart
    /// and are added up at the end.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "only vectors spread a sum over lanes")
    )]
    pub(crate) fn lanes(&self) -> &[Entry; 9] {
        &self.lanes
    }

    /// The number of windows that hold plain entries of positive multiples; after them come the
    /// closing window and the opening window.
    #[inline(always)]
    pub(crate) fn plain(&self) -> usize {
        self.table.windows.count - 2
    }
}

/// Derives the points of the lanes from B: B, 2 B, 4 B .. 128 B, and -255 B. The last is added in
/// lane 0, and the opening and closing entries, which contain B and -B, in lanes 1 and 2; so the
/// lanes contain -254, 3, 3, 8, 16, 32, 64 and 128 times B. The lanes are added up in pairs: lane k
/// and k + 4, then k and k + 2, then k and k + 1. Before the last addition the two sides never
/// contain equal or opposite multiples of B. In the last addition they contain opposite multiples,
/// as they must; so they are never equal.
fn lane_blinds<C: Spec>(blind: Affine<C>) -> Option<[Entry; 9]> {
    let mut sum = Xyzz::from(blind);
    let mut points = Vec::with_capacity(9);
    for _ in 0..8 {
        points.push(sum);
        sum = sum.double();
    }
    // 256 B - B, negated.
    let mut rest = sum.add_affine(blind.negate_if(true));
    rest.y = Residue::ZERO - rest.y;
    points.push(rest);
    let stored: Vec<_> = to_affine_all(&points).into_iter().map(Entry::store).collect();
    stored.try_into().ok()
}
