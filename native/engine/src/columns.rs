//! The outcomes for many texts, as columns. This file owns the names, widths and order of the
//! columns.
//!
//! A column is a byte string with one value after the other; numbers are little-endian on every
//! machine. So the caller may own the memory and read it without copying, and its alignment does
//! not matter.

use crate::claims::Claims;
use crate::code::Code;

/// The entry number of a token for which no key was found.
pub const NO_ENTRY: u16 = u16::MAX;

/// The outcome for one text: a row of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub code: Code,
    /// The number of the ring entry whose key was used, from step 4 on; [`NO_ENTRY`] before.
    pub entry: u16,
    /// 1 if the claims are known, that is, if the code is `Accepted` or a refusal of step 6 or 7;
    /// otherwise 0.
    pub profile: u8,
    /// All zero if the claims are not known, with one exception: the nonce of `KeyUnknown` is the
    /// 8-byte kid, so that the caller can say which key is missing.
    pub claims: Claims,
}

impl Opened {
    /// A refusal before the key was found.
    #[must_use]
    pub fn refused(code: Code) -> Self {
        Self { code, entry: NO_ENTRY, profile: 0, claims: Claims::default() }
    }
}

/// A value in the form in which a column stores it.
trait Cell<const N: usize> {
    fn cell(self) -> [u8; N];
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(impl Cell<{ size_of::<$type>() }> for $type {
            fn cell(self) -> [u8; size_of::<$type>()] {
                self.to_le_bytes()
            }
        })*
    };
}

numbers!(u8 u16 u32);

impl<const N: usize> Cell<N> for [u8; N] {
    fn cell(self) -> Self {
        self
    }
}

macro_rules! layout {
    ($($(#[$doc:meta])* $name:ident: $type:ty = |$opened:ident| $value:expr,)*) => {
        /// The columns of an opened batch, one row a text.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Columns {
            $($(#[$doc])* pub $name: Vec<u8>,)*
        }

        impl Columns {
            /// The name of each column and its width, in bytes a row.
            pub const LAYOUT: &'static [(&'static str, usize)] =
                &[$((stringify!($name), size_of::<$type>())),*];

            /// Columns of `rows` rows of zeros.
            #[must_use]
            pub fn new(rows: usize) -> Self {
                Self { $($name: vec![0; rows * size_of::<$type>()],)* }
            }

            /// The columns as writable memory.
            pub fn as_mut(&mut self) -> ColumnsMut<'_> {
                ColumnsMut { $($name: self.$name.as_chunks_mut().0,)* }
            }
        }

        /// Memory for the columns of a batch, or of a part of one.
        #[derive(Debug)]
        pub struct ColumnsMut<'a> {
            $(pub $name: &'a mut [[u8; size_of::<$type>()]],)*
        }

        impl<'a> ColumnsMut<'a> {
            /// Memory for `rows` rows, given column by column in the order of [`Columns::LAYOUT`].
            ///
            /// `None` if a column is missing, or has another length.
            pub fn from_slices(
                rows: usize,
                slices: impl IntoIterator<Item = &'a mut [u8]>,
            ) -> Option<Self> {
                let mut slices = slices.into_iter();
                let columns = Self {
                    $($name: {
                        let (column, []) = slices.next()?.as_chunks_mut() else {
                            return None;
                        };
                        if column.len() != rows {
                            return None;
                        }
                        column
                    },)*
                };
                slices.next().is_none().then_some(columns)
            }

            /// Splits off the first `rows` rows, or all if there are fewer.
            #[must_use]
            pub fn take(&mut self, rows: usize) -> Self {
                let rows = rows.min(self.len());
                Self { $($name: self.$name.split_off_mut(..rows).unwrap_or_default(),)* }
            }

            /// Writes one row; ignores a row past the last.
            pub fn put(&mut self, row: usize, opened: &Opened) {
                $({
                    let $opened = opened;
                    if let Some(place) = self.$name.get_mut(row) {
                        *place = Cell::cell($value);
                    }
                })*
            }
        }
    };
}

macro_rules! columns {
    ($($label:literal $claim:ident: $type:ty, $bound:expr, $column:ident;)*) => {
        layout! {
            /// [`Code`] numbers.
            codes: u8 = |opened| opened.code.number(),
            /// Numbers of ring entries.
            entries: u16 = |opened| opened.entry,
            /// Seconds since 1970.
            issued_at: u32 = |opened| opened.claims.issued_at,
            /// Seconds since 1970.
            expires_at: u32 = |opened| opened.claims.expires_at,
            cities: u32 = |opened| opened.claims.city,
            profiles: u8 = |opened| opened.profile,
            nonce_sizes: u8 = |opened| opened.claims.nonce_size,
            /// Padded with zeros.
            nonces: [u8; 16] = |opened| opened.claims.nonce,
            identity_refs: [u8; 16] = |opened| opened.claims.identity_ref,
            /// [`Claims::present`].
            present: u8 = |opened| opened.claims.present(),
            $($column: $type = |opened| opened.claims.$claim.unwrap_or_default(),)*
        }
    };
}

optional_claims!(columns);

impl Columns {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

impl ColumnsMut<'_> {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}
