//! `cargo bench -p ybtoken-engine`: the parts, and the whole from text to columns. Times are for
//! one token.
//!
//! `YBTOKEN_PATH=avx2`, `scalar` or `slow` forces the path.

#[path = "../tests/common/signer.rs"]
mod signer;

use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use divan::counter::ItemsCount;
use signer::{LENIENT, NOW, Signer, claims, plain_claims};
use ybtoken_engine::claims::Claims;
use ybtoken_engine::envelope::{Algorithm, Envelope};
use ybtoken_engine::sm3::{Pending, Prefix};
use ybtoken_engine::text::{TokenBuffer, decode, encode};
use ybtoken_engine::{Key, Now, Path, Ring, Simd, Verifier, Workers, open_batch, open_one};

const KEYS: u32 = 32;
const TEXTS: u32 = 4096;

fn main() {
    divan::main();
}

static VERIFIER: LazyLock<Arc<Verifier>> = LazyLock::new(|| {
    let path = match std::env::var("YBTOKEN_PATH").as_deref() {
        Ok("avx2") => Path::Avx2,
        Ok("scalar") => Path::Scalar,
        Ok("slow") => Path::Slow,
        _ => Path::best(),
    };
    Arc::new(Verifier::new(path).unwrap())
});

struct Case {
    ring: Ring,
    texts: Vec<String>,
    /// The same texts, each with another signature that is in range but wrong.
    junk: Vec<String>,
}

fn case(algorithm: Algorithm, window: u32) -> Case {
    let user_id = "1234567812345678";
    let signers: Vec<_> =
        (0..KEYS).map(|key| Signer::with(algorithm, key, user_id, window)).collect();
    let keys: Vec<Key> = signers.iter().map(|signer| signer.key.clone()).collect();
    let ring = Ring::new(keys, Arc::clone(&VERIFIER), Ring::TABLE_BYTES, &Workers::none()).unwrap();
    let token = |text| signers[(text * 7 % KEYS) as usize].token(&plain_claims(text).encode());
    let tokens: Vec<_> = (0..TEXTS).map(token).collect();
    let spoiled = |token: &Vec<u8>| {
        let mut token = token.clone();
        if let Some(last) = token.last_mut() {
            *last ^= 1;
        }
        encode(96, &token)
    };
    Case {
        ring,
        texts: tokens.iter().map(|token| encode(96, token)).collect(),
        junk: tokens.iter().map(spoiled).collect(),
    }
}

static P256: LazyLock<Case> = LazyLock::new(|| case(Algorithm::Es256, 8));
static SM2: LazyLock<Case> = LazyLock::new(|| case(Algorithm::Sm2, 8));
static P256_HOT: LazyLock<Case> = LazyLock::new(|| case(Algorithm::Es256, 10));
static SM2_HOT: LazyLock<Case> = LazyLock::new(|| case(Algorithm::Sm2, 10));

fn whole(bencher: Bencher, case: &Case, texts: &[String], size: usize, threads: usize) {
    let workers = Workers::new(threads).unwrap();
    bencher.counter(ItemsCount::new(size)).bench(|| {
        open_batch(&case.ring, black_box(&texts[..size]), Now::Same(NOW), LENIENT, &workers)
    });
}

#[divan::bench(args = [1, 16, 64, 256, 1024, 4096])]
fn whole_p256(bencher: Bencher, size: usize) {
    whole(bencher, &P256, &P256.texts, size, 1);
}

#[divan::bench(args = [1, 16, 64, 256, 1024, 4096])]
fn whole_sm2(bencher: Bencher, size: usize) {
    whole(bencher, &SM2, &SM2.texts, size, 1);
}

#[divan::bench]
fn whole_p256_hot(bencher: Bencher) {
    whole(bencher, &P256_HOT, &P256_HOT.texts, TEXTS as usize, 1);
}

#[divan::bench]
fn whole_sm2_hot(bencher: Bencher) {
    whole(bencher, &SM2_HOT, &SM2_HOT.texts, TEXTS as usize, 1);
}

#[divan::bench]
fn junk_p256(bencher: Bencher) {
    whole(bencher, &P256, &P256.junk, TEXTS as usize, 1);
}

#[divan::bench]
fn junk_sm2(bencher: Bencher) {
    whole(bencher, &SM2, &SM2.junk, TEXTS as usize, 1);
}

#[divan::bench(args = [1, 2])]
fn threads_p256(bencher: Bencher, threads: usize) {
    whole(bencher, &P256, &P256.texts, TEXTS as usize, threads);
}

#[divan::bench(args = [1, 2])]
fn threads_sm2(bencher: Bencher, threads: usize) {
    whole(bencher, &SM2, &SM2.texts, TEXTS as usize, threads);
}

fn one(bencher: Bencher, case: &Case) {
    let mut texts = case.texts.iter().cycle();
    bencher.bench_local(|| open_one(&case.ring, texts.next().unwrap().as_bytes(), NOW, LENIENT));
}

#[divan::bench]
fn one_p256(bencher: Bencher) {
    one(bencher, &P256);
}

#[divan::bench]
fn one_sm2(bencher: Bencher) {
    one(bencher, &SM2);
}

/// Measures a part of the work over all of its inputs.
fn part<T>(bencher: Bencher, inputs: &[T], mut work: impl FnMut(&T)) {
    bencher
        .counter(ItemsCount::new(inputs.len()))
        .bench_local(|| inputs.iter().for_each(|input| work(black_box(input))));
}

#[divan::bench(args = [true, false])]
fn part_decode(bencher: Bencher, by_lanes: bool) {
    let simd = by_lanes.then(Simd::avx2).flatten();
    let mut buffer: TokenBuffer = [0; _];
    part(bencher, &P256.texts, |text| {
        black_box(decode(simd, text.as_bytes(), black_box(&mut buffer)).unwrap());
    });
}

#[divan::bench]
fn part_cut(bencher: Bencher) {
    let tokens: Vec<_> = (0..1024)
        .map(|number| Signer::new(Algorithm::Es256, 1).token(&[number as u8; 52]))
        .collect();
    part(bencher, &tokens, |token| {
        black_box(Envelope::cut(token).unwrap());
    });
}

#[divan::bench]
fn part_parse(bencher: Bencher) {
    let payloads: Vec<_> = (0..TEXTS).map(|number| plain_claims(number).encode()).collect();
    part(bencher, &payloads, |payload| {
        black_box(Claims::parse(payload).unwrap());
    });
}

#[divan::bench]
fn part_parse_all_optional(bencher: Bencher) {
    let payloads: Vec<_> = (0..TEXTS).map(|number| claims(number).encode()).collect();
    part(bencher, &payloads, |payload| {
        black_box(Claims::parse(payload).unwrap());
    });
}

#[divan::bench]
fn part_sha256(bencher: Bencher) {
    use sha2::{Digest, Sha256};
    let prefix = Sha256::new_with_prefix([7; 28]);
    part(bencher, &vec![[9; 53]; TEXTS as usize], |tail| {
        black_box(prefix.clone().chain_update(tail).finalize());
    });
}

#[divan::bench]
fn part_sm3_one(bencher: Bencher) {
    let prefix = Prefix::new(&[7; 64], None);
    part(bencher, &vec![[9; 53]; TEXTS as usize], |tail| {
        black_box(prefix.hash(tail));
    });
}

#[divan::bench(args = [512, 256])]
fn part_sm3_lanes(bencher: Bencher, bits: u32) {
    let simd = if bits == 512 { Simd::avx512() } else { Simd::avx2() };
    let Some(simd) = simd else { return };
    let prefix = Prefix::new(&[7; 64], Some(simd));
    let mut pending = Pending::new(simd);
    let tails = vec![[9; 53]; TEXTS as usize];
    bencher.counter(ItemsCount::new(tails.len())).bench_local(|| {
        for (slot, tail) in tails.iter().enumerate() {
            pending.push(prefix.state().unwrap(), tail, slot);
        }
        pending.finish(|slot, hash| {
            black_box((slot, hash));
        });
    });
}
