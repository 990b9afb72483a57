//! SM3 (GB/T 32905-2016) of what SM2 keys have signed: single messages by RustCrypto's `sm3`, many
//! messages in lanes: sixteen in AVX-512, eight in AVX2.
//!
//! SM2 hashes the message `ZA || Sig_structure`. Everything in it before the payload's length
//! depends only on the key: the 32 bytes of ZA and the 32 bytes of `84 6a "Signature1" 51 header 40
//! 58` are exactly the first block. So a key stores the state after that block, and a usual token
//! costs one block instead of two.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "intrinsics need it; each block gives its reason")]
mod lanes;
mod state;

use sm3::{Digest, Sm3};

use crate::simd::Simd;
pub use lanes::{compress, lanes};
pub use state::{Block, INITIAL, LANES, State, State16};
use state::{lane_hash, put_lane};

/// SM3 of one message.
#[must_use]
pub fn hash(message: &[u8]) -> [u8; 32] {
    Sm3::digest(message).into()
}

/// ZA of an SM2 key (GB/T 32918.2 section 5.5): the hash of the user id, the curve and the public
/// key.
#[must_use]
pub fn za(user_id: &[u8], x: &[u8; 32], y: &[u8; 32]) -> [u8; 32] {
    // ENTLA is the id's length in bits as two bytes; `Ring::new` refuses a longer id.
    let bits = (user_id.len() as u16).wrapping_mul(8);
    let mut hash = Sm3::new();
    for part in [&bits.to_be_bytes(), user_id, CURVE.as_slice(), x, y] {
        hash.update(part);
    }
    hash.finalize().into()
}

/// a, b, x_G and y_G of the SM2 curve (GB/T 32918.5).
const CURVE: [u8; 128] = *b"\
\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfc\
\x28\xe9\xfa\x9e\x9d\x9f\x5e\x34\x4d\x5a\x9e\x4b\xcf\x65\x09\xa7\
\xf3\x97\x89\xf5\x15\xab\x8f\x92\xdd\xbc\xbd\x41\x4d\x94\x0e\x93\
\x32\xc4\xae\x2c\x1f\x19\x81\x19\x5f\x99\x04\x46\x6a\x39\xc9\x94\
\x8f\xe3\x0b\xbf\xf2\x66\x0b\xe1\x71\x5a\x45\x89\x33\x4c\x74\xc7\
\xbc\x37\x36\xa2\xf4\xf6\x77\x9c\x59\xbd\xce\xe3\x6b\x69\x21\x53\
\xd0\xa9\x87\x7c\xc6\x2a\x47\x40\x02\xdf\x32\xe5\x21\x39\xf0\xa0";

/// A hash that continues from a first block.
#[derive(Clone)]
pub struct Prefix {
    one: Sm3,
    many: Option<(Simd, State)>,
}

impl Prefix {
    /// The state after `block`. With `simd`, lanes can continue from it too.
    #[must_use]
    pub fn new(block: &Block, simd: Option<Simd>) -> Self {
        let many = simd.map(|simd| {
            let mut states = [[0; LANES]; 8];
            put_lane(&mut states, 0, &INITIAL);
            compress(simd, &mut states, [block; LANES]);
            (simd, states.map(|[word, ..]| word))
        });
        Self { one: Sm3::new_with_prefix(block), many }
    }

    /// The hash of the first block followed by `tail`.
    #[must_use]
    pub fn hash(&self, tail: &[u8]) -> [u8; 32] {
        self.one.clone().chain_update(tail).finalize().into()
    }

    /// The state from which a [`Pending`] continues, if there are lanes.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.many.as_ref().map(|(_, state)| state)
    }
}

/// The most blocks of a tail: a length byte, 255 bytes and 9 bytes of padding.
const MAX_BLOCKS: usize = 5;

/// Messages that wait to be hashed in lanes.
pub struct Pending {
    simd: Simd,
    blocks: Vec<Block>,
    /// By number of blocks, one to five, so that the messages in a vector end together.
    messages: [Vec<Message>; MAX_BLOCKS],
}

struct Message {
    state: State,
    first_block: usize,
    slot: usize,
}

impl Pending {
    #[must_use]
    pub fn new(simd: Simd) -> Self {
        Self { simd, blocks: Vec::new(), messages: Default::default() }
    }

    /// Adds a message: a first block that led to `state`, then `tail`, which has at most 311 bytes.
    /// `slot` is the number by which the caller knows the message.
    pub fn push(&mut self, state: &State, tail: &[u8], slot: usize) {
        let first_block = self.blocks.len();
        let (whole, rest) = tail.as_chunks::<64>();
        self.blocks.extend_from_slice(whole);
        let mut last = [0; 64];
        for (byte, value) in last.iter_mut().zip(rest.iter().chain(&[0x80])) {
            *byte = *value;
        }
        if rest.len() >= 56 {
            self.blocks.push(last);
            last = [0; 64];
        }
        let bits = 8 * (64 + tail.len() as u64);
        if let Some(place) = last.last_chunk_mut::<8>() {
            *place = bits.to_be_bytes();
        }
        self.blocks.push(last);
        let count = self.blocks.len() - first_block;
        if let Some(messages) = self.messages.get_mut(count - 1) {
            messages.push(Message { state: *state, first_block, slot });
        }
    }

    /// Hashes all waiting messages, passes each slot and its hash to `tell`, and is then empty.
    pub fn finish(&mut self, mut tell: impl FnMut(usize, [u8; 32])) {
        for (messages, count) in self.messages.iter_mut().zip(1..) {
            for group in messages.chunks(lanes(self.simd)) {
                let mut states = [[0; LANES]; 8];
                for (lane, message) in group.iter().enumerate() {
                    put_lane(&mut states, lane, &message.state);
                }
                for block in 0..count {
                    let mut blocks = [&[0; 64]; LANES];
                    for (place, message) in blocks.iter_mut().zip(group) {
                        *place = self.blocks.get(message.first_block + block).unwrap_or(&[0; 64]);
                    }
                    compress(self.simd, &mut states, blocks);
                }
                for (lane, message) in group.iter().enumerate() {
                    tell(message.slot, lane_hash(&states, lane));
                }
            }
            messages.clear();
        }
        self.blocks.clear();
    }
}

/// This architecture has no vectors to hash with.
#[cfg(not(target_arch = "x86_64"))]
mod lanes {
    use super::state::{Block, LANES, State16};
    use crate::simd::Simd;

    pub fn lanes(simd: Simd) -> usize {
        match simd {}
    }

    pub fn compress(simd: Simd, _state: &mut State16, _blocks: [&Block; LANES]) {
        match simd {}
    }
}
