//! Runs batch after batch: signs, alters, lets the oracles decide, and compares every path with
//! them.

use sm3::{Digest, Sm3};
use ybtoken_curve::{Curve, Job, KeyTable, Path, PublicKey, Verifier};

use crate::crypto_mb::{CryptoMb, LANES, Lane, SIGNER};
use crate::signatures::{Bytes, Random, Signature, on_p256, on_sm2};
use crate::{common, fresh, rustcrypto};

/// The slowest last: it may take part in some batches only.
const PATHS: [Path; 3] = [Path::Ifma, Path::Avx2, Path::Scalar];
const KEYS: usize = 16;
/// How many batches use the same keys.
const ROUND: usize = 64;
const MOST_A_BATCH: usize = 6000;
const WINDOWS: [u32; 4] = [5, 8, 9, 10];
const BASE_WINDOWS: [u32; 2] = [9, 14];
/// Every how many signatures both oracles are asked.
const BOTH_EVERY: usize = 1000;
const LONGEST_MESSAGE: usize = 100;
/// How many differences are printed for each path and for the oracles.
const SHOWN: usize = 10;

#[derive(Default)]
pub struct Tally {
    pub signatures: usize,
    pub keys: usize,
    pub batches: usize,
    pub valid: usize,
    /// r or s is out of range.
    pub out_of_range: usize,
    /// e is 0 or at least n (P-256).
    pub odd_digests: usize,
    /// For each path, how many verdicts it gave and how many differed from the oracle's.
    pub paths: Vec<(Path, usize, usize)>,
    pub both: usize,
    pub oracles_differ: usize,
    /// Signatures that a fast path handed to the slow path.
    pub slow: u64,
}

impl Tally {
    /// Whether nothing differs and the signatures were a fair mixture.
    pub fn good(&self) -> bool {
        if self.slow > 0 {
            println!("{} signatures were left to the slow path", self.slow);
        }
        let mixed = self.signatures < 1000
            || (self.valid > self.signatures / 4 && self.valid < self.signatures * 3 / 4);
        let wrong: usize = self.paths.iter().map(|(_, _, wrong)| wrong).sum();
        wrong == 0 && self.oracles_differ == 0 && self.slow == 0 && mixed
    }
}

/// A signature, and for SM2 the message from which its e is computed.
#[derive(Clone, Copy)]
struct Case {
    signature: Signature,
    message: [u8; LONGEST_MESSAGE],
}

/// What the oracles and the paths need to know of the keys of a round.
struct Keys {
    points: Vec<(Bytes, Bytes)>,
    /// Coordinates in the form that crypto_mb takes.
    words: Vec<([u64; 4], [u64; 4])>,
    /// SM3 states that have hashed Z_A.
    hashers: Vec<Sm3>,
    /// By window, then by key.
    tables: Vec<Vec<KeyTable>>,
}

impl Keys {
    fn new(curve: Curve, points: &[(Bytes, Bytes)]) -> Self {
        let words = |number: &Bytes| {
            std::array::from_fn(|i| {
                let end = 32 - 8 * i;
                u64::from_be_bytes(number[end - 8..end].try_into().unwrap())
            })
        };
        let table = |window| {
            let build = |(x, y): &_| {
                KeyTable::build(&PublicKey::new(curve, x, y).unwrap(), window).unwrap()
            };
            points.iter().map(build).collect()
        };
        Self {
            words: points.iter().map(|(x, y)| (words(x), words(y))).collect(),
            hashers: points
                .iter()
                .map(|(x, y)| Sm3::new().chain_update(common::sm2_za(SIGNER, x, y)))
                .collect(),
            tables: WINDOWS.map(table).into(),
            points: points.to_vec(),
        }
    }
}

pub struct Run<'a> {
    curve: Curve,
    crypto_mb: &'a CryptoMb,
    random: Random,
    verifiers: Vec<Verifier>,
    scalar_every: usize,
    tally: Tally,
}

impl<'a> Run<'a> {
    pub fn new(curve: Curve, crypto_mb: &'a CryptoMb, seed: u64, scalar_every: usize) -> Self {
        let verifier = |(path, window)| Verifier::with_base_window(path, window).unwrap();
        let paths = PATHS;
        let all = paths.into_iter().flat_map(|path| BASE_WINDOWS.map(|window| (path, window)));
        Self {
            curve,
            crypto_mb,
            random: Random(seed),
            verifiers: all.map(verifier).collect(),
            scalar_every,
            tally: Tally { paths: paths.map(|path| (path, 0, 0)).into(), ..Tally::default() },
        }
    }

    pub fn run(mut self, count: usize) -> Tally {
        while self.tally.signatures < count {
            let mut signer = fresh::signer(self.curve, KEYS, &mut self.random);
            let keys = Keys::new(self.curve, signer.keys());
            self.tally.keys += KEYS;
            for _ in 0..ROUND {
                let size = (1 + self.random.below(MOST_A_BATCH))
                    .min(count.saturating_sub(self.tally.signatures));
                self.batch(&keys, &mut *signer, size);
            }
        }
        self.tally.slow = self.verifiers.iter().map(Verifier::slow_count).sum();
        self.tally
    }

    fn batch(&mut self, keys: &Keys, signer: &mut dyn fresh::Signer, size: usize) {
        let message_size = match self.curve {
            Curve::P256 => 32,
            Curve::Sm2 => 1 + self.random.below(LONGEST_MESSAGE),
        };
        let mut cases = self.sign(keys, signer, size, message_size);
        self.spoil(keys, &mut cases, message_size);
        let expected = self.expect(keys, &cases, message_size);
        let mixed = self.random.below(4) == 0;
        let window = self.random.below(WINDOWS.len());
        let job = |case: &Case| {
            let window = if mixed { self.random.below(WINDOWS.len()) } else { window };
            let Signature { key, e, r, s } = case.signature;
            Job { table: &keys.tables[window][key], e, r, s }
        };
        let jobs: Vec<_> = cases.iter().map(job).collect();
        let base = self.random.below(BASE_WINDOWS.len());
        let with_scalar = self.tally.batches.is_multiple_of(self.scalar_every);
        for path in 0..PATHS.len() - !with_scalar as usize {
            let accepted = self.verify(path * BASE_WINDOWS.len() + base, &jobs);
            self.compare(keys, path, &cases, &accepted, &expected);
        }
        self.tally.batches += 1;
        self.tally.signatures += size;
        self.tally.valid += expected.iter().filter(|&&yes| yes).count();
    }

    fn digest(&self, keys: &Keys, case: &Case, message_size: usize) -> Bytes {
        match self.curve {
            Curve::P256 => case.message[..32].try_into().unwrap(),
            Curve::Sm2 => keys.hashers[case.signature.key]
                .clone()
                .chain_update(&case.message[..message_size])
                .finalize()
                .into(),
        }
    }

    fn sign(
        &mut self,
        keys: &Keys,
        signer: &mut dyn fresh::Signer,
        size: usize,
        message_size: usize,
    ) -> Vec<Case> {
        let order = order(self.curve);
        let mut cases = Vec::with_capacity(size);
        for i in 0..size {
            let mut message = [0; LONGEST_MESSAGE];
            message.chunks_mut(8).for_each(|chunk| {
                chunk.copy_from_slice(&self.random.next().to_be_bytes()[..chunk.len()]);
            });
            match self.random.below(2000) {
                // A digest from n up to 2^256, or one near 0, which no hash function gives by
                // chance.
                0 if self.curve == Curve::P256 => message[..4].fill(0xff),
                1 if self.curve == Curve::P256 => message[..32].copy_from_slice(&order),
                2 => message[..32].fill(0),
                3..20 => message[..31].fill(0),
                _ => {}
            }
            let signature = Signature { key: i % KEYS, e: [0; 32], r: [0; 32], s: [0; 32] };
            let mut case = Case { signature, message };
            case.signature.e = self.digest(keys, &case, message_size);
            cases.push(case);
        }
        let mut signed: Vec<_> = cases.iter().map(|case| case.signature).collect();
        signer.sign(&mut self.random, &mut signed);
        cases.iter_mut().zip(signed).for_each(|(case, signed)| case.signature = signed);
        cases
    }

    /// Alters about half of the cases, by small and by large changes. One change keeps an ECDSA
    /// signature valid: s becomes n - s.
    fn spoil(&mut self, keys: &Keys, cases: &mut [Case], message_size: usize) {
        let order = order(self.curve);
        let curve = self.curve;
        let minus = |number: Bytes| match curve {
            Curve::P256 => on_p256::bytes(-on_p256::scalar(number)),
            Curve::Sm2 => on_sm2::bytes(-on_sm2::scalar(number)),
        };
        let near = |mut number: Bytes, random: &mut Random| {
            number[31] = random.next() as u8;
            number
        };
        for i in 0..cases.len() {
            let other = cases[self.random.below(cases.len())];
            let bit = self.random.below(256);
            let flip = |bytes: &mut [u8]| bytes[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
            let Case { signature: one, message } = &mut cases[i];
            match self.random.below(32) {
                0 | 1 => flip(&mut message[..message_size]),
                2 | 3 => flip(&mut one.r),
                4 | 5 => flip(&mut one.s),
                6 => one.key = (one.key + 1) % KEYS,
                7 => (one.r, one.s) = (one.s, one.r),
                8 => *message = other.message,
                9 => one.s = other.signature.s,
                10 => (one.r, one.s) = (other.signature.r, other.signature.s),
                11 => one.r[..31].fill(0),
                12 => one.s[..31].fill(0),
                13 => message[..31].fill(0),
                14 => (one.r, one.s) = (self.random.bytes(), self.random.bytes()),
                15 => one.s = near(order, &mut self.random),
                16 => one.r = near(order, &mut self.random),
                17 => one.s = minus(one.s),
                18 => one.s = minus(one.r),
                _ => continue,
            }
            cases[i].signature.e = self.digest(keys, &cases[i], message_size);
        }
    }

    /// The verdicts of the oracles.
    fn expect(&mut self, keys: &Keys, cases: &[Case], message_size: usize) -> Vec<bool> {
        let mut expected = Vec::with_capacity(cases.len());
        for eight in cases.chunks(LANES) {
            let lanes: [_; LANES] = std::array::from_fn(|lane| {
                let case = eight.get(lane).unwrap_or(&eight[0]);
                let (x, y) = &keys.words[case.signature.key];
                Lane {
                    message: &case.message[..message_size],
                    r: &case.signature.r,
                    s: &case.signature.s,
                    x,
                    y,
                }
            });
            let said = self.crypto_mb.accepts(self.curve, &lanes);
            for (case, crypto_mb) in eight.iter().zip(said) {
                let in_range = self.in_range(&case.signature);
                let digest_in_range = self.curve == Curve::Sm2 || self.in_order(&case.signature.e);
                let both = (self.tally.signatures + expected.len()).is_multiple_of(BOTH_EVERY);
                if in_range && digest_in_range && !both {
                    expected.push(crypto_mb);
                    continue;
                }
                let key = &keys.points[case.signature.key];
                let rustcrypto = rustcrypto::accepts(self.curve, key, &case.signature);
                self.tally.out_of_range += usize::from(!in_range);
                self.tally.odd_digests += usize::from(!digest_in_range);
                self.tally.both += usize::from(digest_in_range);
                if digest_in_range && rustcrypto != crypto_mb {
                    self.tally.oracles_differ += 1;
                    if self.tally.oracles_differ <= SHOWN {
                        let curve = self.curve;
                        println!(
                            "{curve:?}: RustCrypto says {rustcrypto}, crypto_mb {crypto_mb}: {:x?} of {key:x?}",
                            case.signature
                        );
                    }
                }
                expected.push(rustcrypto);
            }
        }
        expected
    }

    fn in_range(&self, one: &Signature) -> bool {
        let sum_is_zero = || on_sm2::scalar(one.r) == -on_sm2::scalar(one.s);
        self.in_order(&one.r)
            && self.in_order(&one.s)
            && (self.curve == Curve::P256 || !sum_is_zero())
    }

    fn in_order(&self, number: &Bytes) -> bool {
        *number != [0; 32] && *number < order(self.curve)
    }

    /// The verdicts of one verifier: the first half in large batches, the rest in small ones.
    fn verify(&mut self, verifier: usize, jobs: &[Job]) -> Vec<bool> {
        let mut accepted = vec![false; jobs.len()];
        let mut done = 0;
        while done < jobs.len() {
            let most = match self.random.below(3) + if done < jobs.len() / 2 { 0 } else { 3 } {
                0 => 300,
                1 => 2100,
                2 => MOST_A_BATCH,
                3 => 6,
                4 => 40,
                _ => 200,
            };
            let now = done..(done + 1 + self.random.below(most)).min(jobs.len());
            self.verifiers[verifier].verify_batch(
                self.curve,
                &jobs[now.clone()],
                &mut accepted[now.clone()],
            );
            done = now.end;
        }
        accepted
    }

    fn compare(
        &mut self,
        keys: &Keys,
        path: usize,
        cases: &[Case],
        accepted: &[bool],
        expected: &[bool],
    ) {
        let (name, made, wrong) = &mut self.tally.paths[path];
        *made += cases.len();
        for (case, (accepted, expected)) in cases.iter().zip(accepted.iter().zip(expected)) {
            if accepted != expected {
                *wrong += 1;
                if *wrong <= SHOWN {
                    let one = &case.signature;
                    let key = &keys.points[one.key];
                    let rustcrypto = rustcrypto::accepts(self.curve, key, one);
                    println!(
                        "{:?}: {name:?} says {accepted}, the oracle {expected}, RustCrypto {rustcrypto}: \
                         {one:x?} of {key:x?}",
                        self.curve
                    );
                }
            }
        }
    }
}

fn order(curve: Curve) -> Bytes {
    let minus_one = match curve {
        Curve::P256 => on_p256::bytes(-p256::Scalar::ONE),
        Curve::Sm2 => on_sm2::bytes(-sm2::Scalar::ONE),
    };
    // Both orders are odd, so adding 1 to n - 1 carries nothing.
    let mut order = minus_one;
    order[31] += 1;
    order
}
