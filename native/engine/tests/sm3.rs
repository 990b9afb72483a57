//! SM3: the lanes against RustCrypto's implementation, and both against published values.

mod common;

use proptest::prelude::*;
use sm3::{Digest, Sm3};
use ybtoken_engine::Simd;
use ybtoken_engine::sm3::{
    Block, INITIAL, LANES, Pending, Prefix, State, compress, hash, lanes, za,
};

/// The vectors that this processor has.
fn widths() -> impl Iterator<Item = Simd> {
    let found = [("AVX-512", Simd::avx512()), ("AVX2", Simd::avx2())];
    found.into_iter().filter_map(|(name, simd)| {
        if simd.is_none() {
            eprintln!("skipped: this processor has no {name}");
        }
        simd
    })
}

/// A prefix block and a message tail of `length` bytes; `at` makes them differ.
fn message(at: usize, length: usize) -> (Block, Vec<u8>) {
    let byte = |i: usize| (i * 167 + at * 59 + length) as u8;
    (std::array::from_fn(byte), (0..length).map(|i| byte(i + 64)).collect())
}

fn expected(block: &Block, tail: &[u8]) -> [u8; 32] {
    Sm3::new_with_prefix(block).chain_update(tail).finalize().into()
}

#[test]
fn every_count_of_messages_and_every_length_agree() {
    widths().for_each(every_count_and_length);
}

fn every_count_and_length(simd: Simd) {
    let mut pending = Pending::new(simd);
    let lanes = lanes(simd);
    for count in (0..=2 * lanes + 1).step_by(if cfg!(miri) { lanes + 1 } else { 1 }) {
        // Every length for one message, for full lanes and for one more message; with other counts
        // only the lengths at which the number of blocks changes.
        let every = [1, lanes, lanes + 1].contains(&count) && !cfg!(miri);
        let turns = [0, 53, 55, 56, 63, 64, 119, 120, 183, 184, 247, 248, 300];
        let turns = if cfg!(miri) { &turns[2..4] } else { &turns };
        for length in (0..=300).filter(|length| every || turns.contains(length)) {
            let messages: Vec<_> = (0..count).map(|at| message(at, length)).collect();
            for (slot, (block, tail)) in messages.iter().enumerate() {
                pending.push(Prefix::new(block, Some(simd)).state().unwrap(), tail, slot);
            }
            let mut told = vec![None; count];
            pending.finish(|slot, hash| assert_eq!(told[slot].replace(hash), None));
            for (hash, (block, tail)) in told.into_iter().zip(&messages) {
                assert_eq!(hash, Some(expected(block, tail)), "{simd:?}: {count} of {length}");
            }
        }
    }
}

#[test]
fn messages_of_many_lengths_share_a_call() {
    widths().for_each(many_lengths);
}

fn many_lengths(simd: Simd) {
    let mut pending = Pending::new(simd);
    let count = if cfg!(miri) { 20 } else { 1000 };
    let messages: Vec<_> = (0..count).map(|at| message(at, at * 31 % 300)).collect();
    for (slot, (block, tail)) in messages.iter().enumerate() {
        pending.push(Prefix::new(block, Some(simd)).state().unwrap(), tail, slot);
    }
    let mut told = 0;
    pending.finish(|slot, hash| {
        told += 1;
        assert_eq!(hash, expected(&messages[slot].0, &messages[slot].1));
    });
    assert_eq!(told, messages.len());
}

#[test]
fn one_at_a_time_agrees() {
    for length in (0..=300).step_by(if cfg!(miri) { 50 } else { 1 }) {
        let (block, tail) = message(3, length);
        assert_eq!(Prefix::new(&block, None).hash(&tail), expected(&block, &tail));
    }
}

/// SM3 of a whole message in the lanes: padded blocks, starting from the initial state.
fn by_lanes(simd: Simd, message: &[u8]) -> [u8; 32] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    let mut states = INITIAL.map(|word| [word; LANES]);
    for block in padded.as_chunks::<64>().0 {
        compress(simd, &mut states, [block; LANES]);
    }
    let states: [State; LANES] = std::array::from_fn(|lane| states.map(|words| words[lane]));
    assert!(states[..lanes(simd)].iter().all(|state| *state == states[0]));
    let bytes: Vec<u8> = states[0].iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.try_into().unwrap()
}

fn check(message: &str, digest: &str) {
    let message = hex::decode(message).unwrap();
    let digest = hex::decode(digest).unwrap();
    assert_eq!(hash(&message), *digest);
    for simd in widths() {
        assert_eq!(by_lanes(simd, &message), *digest);
    }
}

#[test]
fn the_standards_examples_agree() {
    check("616263", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    let four = "61626364".repeat(16);
    check(&four, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732");
}

/// The values of the lines `name = value`.
fn fields<'a>(file: &'a str, name: &str) -> Vec<&'a str> {
    let values = file.lines().filter_map(|line| line.split_once('='));
    values.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim()).collect()
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn vectors_from_elsewhere_agree() {
    let Some(botan) = common::vectors("sm3/botan_sm3.vec") else {
        return;
    };
    let messages = fields(&botan, "In");
    let digests = fields(&botan, "Out");
    assert!(messages.len() > 100 && messages.len() == digests.len());
    for (message, digest) in messages.iter().zip(digests) {
        check(message, digest);
    }

    let oscca = common::vectors("sm3/oscca.txt").unwrap();
    let cases: Vec<_> = fields(&oscca, "Len")
        .into_iter()
        .zip(fields(&oscca, "Msg"))
        .zip(fields(&oscca, "MD"))
        .collect();
    assert!(cases.len() > 3);
    for ((bits, message), digest) in cases {
        let digits = bits.parse::<usize>().unwrap() / 4;
        check(&message[..digits], digest);
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn za_agrees_with_known_answers() {
    let Some(file) = common::vectors("sm2/sm2_kat.json") else {
        return;
    };
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    let mut count = 0;
    for case in file["tests"].as_array().unwrap() {
        let bytes = |name: &str| hex::decode(case[name].as_str().unwrap_or_default()).unwrap();
        let key = bytes("pub_hex");
        if case["curve"] == "sm2p256v1" && key.len() == 65 && !bytes("za_hex").is_empty() {
            let (x, y) = (key[1..33].try_into().unwrap(), key[33..].try_into().unwrap());
            let za = za(&bytes("id_hex"), x, y);
            assert_eq!(za[..], bytes("za_hex"));
            assert_eq!(hash(&[&za[..], &bytes("msg_hex")].concat())[..], bytes("e_hex"));
            count += 1;
        }
    }
    assert!(count > 0);
}

proptest! {
    #[test]
    fn lanes_do_not_mix(
        states: [[u32; LANES]; 8],
        blocks in prop::collection::vec(any::<[u8; 32]>(), 2 * LANES),
    ) {
        let block = |two: &[[u8; 32]]| std::array::from_fn(|i| two[i / 32][i % 32]);
        let blocks: Vec<Block> = blocks.chunks(2).map(block).collect();
        let refs = std::array::from_fn(|lane| &blocks[lane]);
        for simd in widths() {
            let mut together = states;
            compress(simd, &mut together, refs);
            for lane in 0..lanes(simd) {
                let mut alone = states.map(|words| [words[lane]; LANES]);
                compress(simd, &mut alone, [&blocks[lane]; LANES]);
                prop_assert_eq!(together.map(|words| words[lane]), alone.map(|[word, ..]| word));
            }
            for lane in lanes(simd)..LANES {
                prop_assert_eq!(together.map(|words| words[lane]), states.map(|words| words[lane]));
            }
        }
    }
}
