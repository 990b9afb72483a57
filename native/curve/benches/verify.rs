//! Verification by path, curve and batch size, and the building of tables. Run by `cargo bench`;
//! plain `cargo test --benches` runs each once.

use std::sync::OnceLock;

use divan::{Bencher, black_box, counter::ItemsCount};
use ybtoken_curve::{Curve, Job, KeyTable, Path, PublicKey, Verifier};

#[path = "../tests/common/signatures.rs"]
mod signatures;
use signatures::{Signature, Signatures, signatures};

const SIZES: [usize; 6] = [1, 16, 64, 256, 1024, 4096];
const KEYS: usize = 32;

struct Setting {
    signed: Signatures,
    tables: Vec<KeyTable>,
}

fn setting(curve: Curve) -> &'static Setting {
    static SETTINGS: [OnceLock<Setting>; 2] = [OnceLock::new(), OnceLock::new()];
    SETTINGS[curve as usize].get_or_init(|| {
        let signed = signatures(curve, KEYS, 4096, 1);
        let table = |(x, y): &_| {
            KeyTable::build(&PublicKey::new(curve, x, y).unwrap(), KeyTable::DEFAULT_WINDOW)
                .unwrap()
        };
        let tables = signed.keys.iter().map(table).collect();
        Setting { signed, tables }
    })
}

fn verify(bencher: Bencher, curve: Curve, path: Path, size: usize) {
    let Ok(verifier) = Verifier::new(path) else {
        println!("skipped: this processor cannot run {path:?}");
        return;
    };
    verifier.warm_up(curve);
    let Setting { signed, tables } = setting(curve);
    let job = |one: &Signature| Job { table: &tables[one.key], e: one.e, r: one.r, s: one.s };
    let jobs: Vec<_> = signed.all[..size].iter().map(job).collect();
    let mut accepted = vec![false; size];
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        verifier.verify_batch(curve, black_box(&jobs), &mut accepted);
    });
    assert!(accepted.iter().all(|&yes| yes));
}

#[divan::bench(args = SIZES)]
fn p256_ifma(bencher: Bencher, size: usize) {
    verify(bencher, Curve::P256, Path::Ifma, size);
}

#[divan::bench(args = SIZES)]
fn sm2_ifma(bencher: Bencher, size: usize) {
    verify(bencher, Curve::Sm2, Path::Ifma, size);
}

#[divan::bench(args = SIZES)]
fn p256_avx2(bencher: Bencher, size: usize) {
    verify(bencher, Curve::P256, Path::Avx2, size);
}

#[divan::bench(args = SIZES)]
fn sm2_avx2(bencher: Bencher, size: usize) {
    verify(bencher, Curve::Sm2, Path::Avx2, size);
}

#[divan::bench(args = SIZES)]
fn p256_scalar(bencher: Bencher, size: usize) {
    verify(bencher, Curve::P256, Path::Scalar, size);
}

#[divan::bench(args = SIZES)]
fn sm2_scalar(bencher: Bencher, size: usize) {
    verify(bencher, Curve::Sm2, Path::Scalar, size);
}

#[divan::bench(args = [Curve::P256, Curve::Sm2])]
fn slow(bencher: Bencher, curve: Curve) {
    verify(bencher, curve, Path::Slow, 1);
}

#[divan::bench(args = [8, 10])]
fn build_key_table(bencher: Bencher, window: u32) {
    let key = *setting(Curve::Sm2).tables[0].public_key();
    bencher.bench_local(|| KeyTable::build(black_box(&key), window).unwrap());
}

fn main() {
    divan::main();
}
