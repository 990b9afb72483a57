//! What became of many texts, as columns. This file owns their names, widths and order.
//!
//! A column is bytes: numbers stand in it little-endian, one after the other, whatever the machine.
//! So the columns can be memory that someone else owns and reads without copying, with no word on
//! alignment.

use crate::claims::Claims;
use crate::code::Code;

/// The entry of a token that no key was found for.
pub const NO_ENTRY: u16 = u16::MAX;

/// What became of one text: a row of the columns.
///
/// Claims are there only with `Code::Accepted`; `entry` from step 4 on, [`NO_ENTRY`] before. With
/// `Code::KeyUnknown` the nonce is the 8-byte kid of the header, so that whoever judges can say
/// which key is missing; all else is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub code: Code,
    pub entry: u16,
    /// 1 where accepted, or else 0.
    pub profile: u8,
    pub claims: Claims,
}

impl Opened {
    /// A refusal before a key was found.
    #[must_use]
    pub fn refused(code: Code) -> Self {
        Self { code, entry: NO_ENTRY, profile: 0, claims: Claims::default() }
    }
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident: $width:literal,)*) => {
        /// The columns of an opened batch, one row a text.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Columns {
            $($(#[$doc])* pub $name: Vec<u8>,)*
        }

        impl Columns {
            /// Name and bytes a row of each column, in order.
            pub const LAYOUT: &'static [(&'static str, usize)] = &[$((stringify!($name), $width)),*];

            /// Columns of `rows` rows of zeros.
            #[must_use]
            pub fn new(rows: usize) -> Self {
                Self { $($name: vec![0; rows * $width],)* }
            }

            /// The columns as memory to write to.
            pub fn as_mut(&mut self) -> ColumnsMut<'_> {
                ColumnsMut { $($name: self.$name.as_chunks_mut::<$width>().0,)* }
            }
        }

        /// Memory for the columns of a batch, or of a part of one.
        pub struct ColumnsMut<'a> {
            $(pub $name: &'a mut [[u8; $width]],)*
        }

        impl<'a> ColumnsMut<'a> {
            /// Memory that is given column by column in the order of [`Columns::LAYOUT`], `rows`
            /// rows long.
            ///
            /// `None` if a column is missing, or not of its length.
            pub fn from_slices(rows: usize, slices: impl IntoIterator<Item = &'a mut [u8]>) -> Option<Self> {
                let mut slices = slices.into_iter();
                let columns = Self {
                    $($name: {
                        let (column, []) = slices.next()?.as_chunks_mut::<$width>() else { return None };
                        if column.len() != rows {
                            return None;
                        }
                        column
                    },)*
                };
                slices.next().is_none().then_some(columns)
            }

            /// Takes the first `rows` rows off, or all if there are fewer.
            #[must_use]
            pub fn take(&mut self, rows: usize) -> Self {
                Self {
                    $($name: self.$name.split_off_mut(..rows.min(self.$name.len())).unwrap_or_default(),)*
                }
            }
        }
    };
}

columns! {
    /// [`Code`] numbers.
    code: 1,
    /// Index of the key ring's entry.
    entry: 2,
    /// Seconds since 1970.
    iat: 4,
    /// Seconds since 1970.
    exp: 4,
    city: 4,
    profile: 1,
    nonce_len: 1,
    nonce: 16,
    identity: 16,
    /// Bits of [`crate::claims::present`].
    present: 1,
    channel: 2,
    purpose: 4,
    presenter: 16,
    assurance: 1,
    status_index: 4,
}

impl Columns {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.code.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.code.is_empty()
    }
}

impl ColumnsMut<'_> {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.code.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.code.is_empty()
    }

    /// Writes one row; one past the end is left out.
    pub fn put(&mut self, row: usize, opened: &Opened) {
        let Opened { code, entry, profile, claims } = opened;
        set(self.code, row, [code.number()]);
        set(self.entry, row, entry.to_le_bytes());
        set(self.iat, row, claims.iat.to_le_bytes());
        set(self.exp, row, claims.exp.to_le_bytes());
        set(self.city, row, claims.city.to_le_bytes());
        set(self.profile, row, [*profile]);
        set(self.nonce_len, row, [claims.nonce_len]);
        set(self.nonce, row, claims.nonce);
        set(self.identity, row, claims.identity);
        set(self.present, row, [claims.present]);
        set(self.channel, row, claims.channel.to_le_bytes());
        set(self.purpose, row, claims.purpose.to_le_bytes());
        set(self.presenter, row, claims.presenter);
        set(self.assurance, row, [claims.assurance]);
        set(self.status_index, row, claims.status_index.to_le_bytes());
    }
}

fn set<const N: usize>(column: &mut [[u8; N]], row: usize, value: [u8; N]) {
    if let Some(place) = column.get_mut(row) {
        *place = value;
    }
}
