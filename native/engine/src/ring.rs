//! Step 3: the keys. A [`Ring`] is prepared once from a list of keys; after that any number of
//! threads only read it.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use ybtoken_curve::{Curve, KeyError, Path, PublicKey, Verifier};

use crate::columns::NO_ENTRY;
use crate::envelope::{Algorithm, Envelope, Header, signed_prefix};
use crate::simd::Simd;
use crate::sm3::{self, Block, Prefix, State};
use crate::tables::{TableStats, Tables};
use crate::validity::Scope;
use crate::workers::Workers;

/// A key of a ring, as the caller gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The raw protected header of the tokens it signs.
    pub header: Vec<u8>,
    pub x: [u8; 32],
    pub y: [u8; 32],
    /// The SM2 user id; ignored for other algorithms.
    pub user_id: Vec<u8>,
    /// Window size of the key's table in bits, 4 to 16: `KeyTable::DEFAULT_WINDOW`, or `HOT_WINDOW`
    /// for a key that signs most tokens.
    pub window: u32,
    /// What the key may sign for.
    pub scope: Scope,
}

/// Why a ring could not be made. The number is the key's position in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// More keys than an `entry` column can number.
    TooMany,
    /// Not a protected header `{1: alg, 4: kid}` with a known algorithm.
    Header(usize),
    /// An earlier key has the same header.
    Duplicate(usize),
    /// The coordinates are not a public key.
    Key(usize, KeyError),
    /// The SM2 user id has 8,192 bytes or more.
    UserId(usize),
    /// A window size that no table can have.
    Window(usize),
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "a ring holds fewer than {NO_ENTRY} keys"),
            Self::Header(at) => write!(f, "key {at}: not a protected header of a known algorithm"),
            Self::Duplicate(at) => {
                write!(f, "key {at}: an earlier key has the same protected header")
            }
            Self::Key(at, error) => write!(f, "key {at}: {error}"),
            Self::UserId(at) => write!(f, "key {at}: an SM2 user id has fewer than 8192 bytes"),
            Self::Window(at) => write!(f, "key {at}: the window of a table has 4 to 16 bits"),
        }
    }
}

impl std::error::Error for RingError {}

/// How a key hashes what it has signed.
pub(crate) enum Hash {
    /// SHA-256, after the start of the Sig_structure.
    Sha256(Box<Sha256>),
    /// SM3, after ZA and the start of the Sig_structure.
    Sm3(Box<Prefix>),
}

/// A key that is ready for use.
pub(crate) struct Entry {
    header: Vec<u8>,
    pub(crate) curve: Curve,
    pub(crate) hash: Hash,
    pub(crate) scope: Scope,
}

/// Keys with their tables, found by the raw protected header.
pub struct Ring {
    entries: Vec<Entry>,
    /// A hash table with open addressing, by kid: indices into `entries`, or [`NO_ENTRY`]. Its size
    /// is a power of two, and at least half of it is empty.
    index: Vec<u16>,
    pub(crate) tables: Tables,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) simd: Option<Simd>,
}

impl Ring {
    /// A limit for tables that has room for about a thousand keys with the default window.
    pub const TABLE_BYTES: usize = 256 << 20;

    /// Checks the keys and lets `workers` build their tables, as many as `table_bytes` allow.
    ///
    /// # Errors
    /// [`RingError`] for the first wrong key.
    pub fn new(
        keys: Vec<Key>,
        verifier: Arc<Verifier>,
        table_bytes: usize,
        workers: &Workers,
    ) -> Result<Self, RingError> {
        if keys.len() >= usize::from(NO_ENTRY) {
            return Err(RingError::TooMany);
        }
        let simd = simd(verifier.path());
        let mut entries: Vec<Entry> = Vec::with_capacity(keys.len());
        let mut index = vec![NO_ENTRY; (2 * keys.len()).next_power_of_two()];
        let mut public_keys = Vec::with_capacity(keys.len());
        for (at, key) in keys.into_iter().enumerate() {
            let header = Header::parse(&key.header).ok_or(RingError::Header(at))?;
            let place = match place(&index, &entries, &header) {
                Some(place) if index.get(place) == Some(&NO_ENTRY) => place,
                _ => return Err(RingError::Duplicate(at)),
            };
            if let (Some(slot), Ok(at)) = (index.get_mut(place), u16::try_from(at)) {
                *slot = at;
            }
            let (curve, hash) = match header.algorithm {
                Algorithm::Es256 | Algorithm::Esp256 => {
                    let prefix = Sha256::new_with_prefix(signed_prefix(&key.header));
                    (Curve::P256, Hash::Sha256(Box::new(prefix)))
                }
                Algorithm::Sm2 if key.user_id.len() >= 8192 => return Err(RingError::UserId(at)),
                Algorithm::Sm2 => (Curve::Sm2, Hash::Sm3(Box::new(sm2_prefix(&key, simd)))),
            };
            let public_key =
                PublicKey::new(curve, &key.x, &key.y).map_err(|error| RingError::Key(at, error))?;
            if !(4..=16).contains(&key.window) {
                return Err(RingError::Window(at));
            }
            public_keys.push((public_key, key.window));
            entries.push(Entry { header: key.header, curve, hash, scope: key.scope });
        }
        let tables = Tables::new(public_keys, table_bytes, workers);
        if verifier.path() != Path::Slow {
            for curve in [Curve::P256, Curve::Sm2] {
                if entries.iter().any(|entry| entry.curve == curve) {
                    verifier.warm_up(curve);
                }
            }
        }
        Ok(Self { entries, index, tables, verifier, simd })
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many tables there are and how much memory they take now.
    #[must_use]
    pub fn table_stats(&self) -> TableStats {
        self.tables.stats()
    }

    /// The entry with this raw header.
    pub(crate) fn find(&self, header: &Header<'_>) -> Option<(u16, &Entry)> {
        let at = *self.index.get(place(&self.index, &self.entries, header)?)?;
        Some((at, self.entries.get(usize::from(at))?))
    }
}

/// The index position at which the entry of `header` is, or would be.
fn place(index: &[u16], entries: &[Entry], header: &Header<'_>) -> Option<usize> {
    // A kid is the start of a SHA-256 hash, so its bits spread the keys evenly. Even in the worst
    // case there are no more probes than entries plus one.
    let start = u64::from_le_bytes(*header.kid) as usize;
    let mask = index.len().checked_sub(1)?;
    (0..index.len()).map(|step| start.wrapping_add(step) & mask).find(|&place| {
        let at = index.get(place).copied().unwrap_or(NO_ENTRY);
        entries.get(usize::from(at)).is_none_or(|entry| entry.header == header.raw)
    })
}

/// The vectors for texts and hashes: none that the path would not use itself, so that a forced path
/// takes as long as on a processor that has no better one.
fn simd(path: Path) -> Option<Simd> {
    match path {
        Path::Ifma => Simd::avx512().or_else(Simd::avx2),
        Path::Avx2 => Simd::avx2(),
        Path::Scalar | Path::Slow => None,
    }
}

/// ZA (32 bytes) and the start of the Sig_structure (32 bytes).
fn sm2_prefix(key: &Key, simd: Option<Simd>) -> Prefix {
    let mut block: Block = [0; 64];
    let start = sm3::za(&key.user_id, &key.x, &key.y);
    for (byte, value) in block.iter_mut().zip(start.iter().chain(&signed_prefix(&key.header))) {
        *byte = *value;
    }
    Prefix::new(&block, simd)
}

impl Hash {
    /// The hash over which the envelope's signature was made.
    pub(crate) fn one(&self, envelope: &Envelope<'_>) -> [u8; 32] {
        match self {
            Self::Sha256(prefix) => prefix.clone().chain_update(envelope.tail).finalize().into(),
            Self::Sm3(prefix) => prefix.hash(envelope.tail),
        }
    }

    /// The state from which lanes continue, if lanes can compute this hash.
    pub(crate) fn lane_state(&self) -> Option<&State> {
        match self {
            Self::Sha256(_) => None,
            Self::Sm3(prefix) => prefix.state(),
        }
    }
}
