//! The state of SM3, for one message and for up to sixteen side by side.

/// The most messages that are hashed at once.
pub const LANES: usize = 16;

pub type Block = [u8; 64];
/// The eight words of a state.
pub type State = [u32; 8];
/// Eight words of sixteen states: `[word][lane]`.
pub type State16 = [[u32; LANES]; 8];

/// The state before the first block.
pub const INITIAL: State = [
    0x7380_166f,
    0x4914_b2b9,
    0x1724_42d7,
    0xda8a_0600,
    0xa96f_30bc,
    0x1631_38aa,
    0xe38d_ee4d,
    0xb0fb_0e4e,
];

/// Writes a state into a lane.
pub(super) fn put_lane(states: &mut State16, lane: usize, state: &State) {
    for (words, word) in states.iter_mut().zip(state) {
        if let Some(place) = words.get_mut(lane) {
            *place = *word;
        }
    }
}

/// The hash that the state of a lane stands for.
pub(super) fn lane_hash(states: &State16, lane: usize) -> [u8; 32] {
    let mut hash = [0; 32];
    let (places, _) = hash.as_chunks_mut::<4>();
    for (place, words) in places.iter_mut().zip(states) {
        *place = words.get(lane).copied().unwrap_or(0).to_be_bytes();
    }
    hash
}
