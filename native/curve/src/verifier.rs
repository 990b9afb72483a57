//! The verifier chooses the path, holds the generator's tables, sorts each batch by window size and
//! collects the verdicts.

use core::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::math::arith::{add_mod, from_be, reduce_once};
use crate::math::curve::{Curve, P256, Sm2, Spec};
use crate::math::field::Modulus;
use crate::math::point::{Affine, Xyzz};
use crate::paths::{Path, scalar, slow};
#[cfg(target_arch = "x86_64")]
use crate::paths::{avx2, ifma};
use crate::tables::{BaseTable, WindowError, check_window};
use crate::task::{Job, Task, Verdict, divide, prepare};

/// Verifies signatures on one path. It holds the generator's tables (docs/why/native.md has their
/// size; each is built in some 20 ms when its curve is first used) and the secret point that blinds
/// every sum. Make one verifier a process and share it: all methods take `&self`.
pub struct Verifier {
    path: Path,
    base_window: u32,
    blinds: [[u8; 32]; 2],
    p256: OnceLock<BaseTable>,
    sm2: OnceLock<BaseTable>,
    slow_count: AtomicU64,
}

/// Why a verifier could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum VerifierError {
    /// This processor lacks instructions that the path needs.
    PathUnavailable(Path),
    /// The operating system gave no random bytes for the blinding point.
    NoRandomness,
    Window(WindowError),
}

impl fmt::Display for VerifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathUnavailable(path) => write!(f, "this processor cannot run the path {path:?}"),
            Self::NoRandomness => f.write_str("the operating system gave no randomness"),
            Self::Window(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VerifierError {}

impl Verifier {
    /// The window size of the generator's table. With it and the default key table a signature
    /// costs 50 additions.
    pub const BASE_WINDOW: u32 = 14;

    /// A verifier on the given path; `Path::best()` is the fastest path that this processor can
    /// run.
    ///
    /// # Errors
    /// `VerifierError` if the processor cannot run the path, or there are no random bytes.
    pub fn new(path: Path) -> Result<Self, VerifierError> {
        Self::with_base_window(path, Self::BASE_WINDOW)
    }

    /// `new` with another window size for the generator: smaller windows make a smaller table and
    /// more additions.
    ///
    /// # Errors
    /// As `new`, and `VerifierError::Window` if `window_bits` is not from 4 to 16.
    pub fn with_base_window(path: Path, window_bits: u32) -> Result<Self, VerifierError> {
        check_window(window_bits).map_err(VerifierError::Window)?;
        if !path.available() {
            return Err(VerifierError::PathUnavailable(path));
        }
        let mut blinds = [[0; 32]; 2];
        for blind in &mut blinds {
            getrandom::fill(blind).map_err(|_| VerifierError::NoRandomness)?;
        }
        Ok(Self {
            path,
            base_window: window_bits,
            blinds,
            p256: OnceLock::new(),
            sm2: OnceLock::new(),
            slow_count: AtomicU64::new(0),
        })
    }

    pub fn path(&self) -> Path {
        self.path
    }

    /// Builds the generator's table of a curve now instead of in the curve's first batch.
    pub fn warm_up(&self, curve: Curve) {
        if self.path != Path::Slow {
            match curve {
                Curve::P256 => drop(self.base::<P256>()),
                Curve::Sm2 => drop(self.base::<Sm2>()),
            }
        }
    }

    /// How many signatures a fast path handed to the slow path. It stays 0 for honest signatures
    /// and for junk. Only the holder of a private key can increase it, with signatures whose sum is
    /// the point at infinity.
    pub fn slow_count(&self) -> u64 {
        self.slow_count.load(Ordering::Relaxed)
    }

    /// Sets `accepted[i]` to whether job i is a valid signature. A batch may have any number of
    /// jobs and mix keys and window sizes.
    ///
    /// # Panics
    /// If the slices differ in length, or a table belongs to another curve.
    pub fn verify_batch(&self, curve: Curve, jobs: &[Job], accepted: &mut [bool]) {
        assert_eq!(jobs.len(), accepted.len(), "one verdict a job");
        assert!(jobs.iter().all(|job| job.table.curve() == curve), "a table of another curve");
        match curve {
            Curve::P256 => self.batch::<P256>(jobs, accepted),
            Curve::Sm2 => self.batch::<Sm2>(jobs, accepted),
        }
    }

    /// Whether one job is a valid signature.
    ///
    /// # Panics
    /// If the table belongs to another curve.
    pub fn verify_one(&self, curve: Curve, job: &Job) -> bool {
        let mut accepted = [false];
        self.verify_batch(curve, core::slice::from_ref(job), &mut accepted);
        accepted[0]
    }

    fn batch<C: Spec>(&self, jobs: &[Job], accepted: &mut [bool]) {
        if self.path == Path::Slow {
            for (job, accepted) in jobs.iter().zip(accepted) {
                *accepted = slow::verify::<C>(job);
            }
            return;
        }
        let Some(first) = jobs.first() else { return };
        if jobs.iter().all(|job| job.table.window_bits() == first.table.window_bits()) {
            let same: Vec<_> = jobs.iter().collect();
            return self.uniform::<C>(&same, |i, verdict| accepted[i] = verdict);
        }
        // Tokens that advance in step need the same windows, so each window size gets a run of its
        // own.
        let mut order: Vec<_> = (0..jobs.len()).collect();
        order.sort_by_key(|&i| jobs[i].table.window_bits());
        for group in
            order.chunk_by(|&a, &b| jobs[a].table.window_bits() == jobs[b].table.window_bits())
        {
            let same: Vec<_> = group.iter().map(|&i| &jobs[i]).collect();
            self.uniform::<C>(&same, |i, verdict| accepted[group[i]] = verdict);
        }
    }

    /// Verifies a batch whose key tables all have the same windows.
    fn uniform<C: Spec>(&self, jobs: &[&Job], mut accept: impl FnMut(usize, bool)) {
        let base = self.base::<C>();
        let mut tasks: Vec<Task> = Vec::with_capacity(jobs.len());
        let mut verdicts = vec![Verdict::Refused; jobs.len()];
        match self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Ifma => {
                let isa = ifma::Isa::detect().expect("looked for when this was made");
                prepare::<C>(jobs, &mut tasks, |quotients| ifma::divide::<C>(isa, quotients));
                ifma::run::<C>(isa, base, &tasks, &mut verdicts);
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => {
                let isa = avx2::Isa::detect().expect("looked for when this was made");
                prepare::<C>(jobs, &mut tasks, |quotients| avx2::divide::<C>(isa, quotients));
                avx2::run::<C>(isa, base, &tasks, &mut verdicts);
            }
            _ => {
                prepare::<C>(jobs, &mut tasks, divide::<C>);
                scalar::run::<C>(base, &tasks, &mut verdicts);
            }
        }
        for (i, verdict) in verdicts.into_iter().enumerate() {
            accept(
                i,
                match verdict {
                    Verdict::Accepted => true,
                    Verdict::Refused => false,
                    Verdict::Undecided => {
                        self.slow_count.fetch_add(1, Ordering::Relaxed);
                        slow::verify::<C>(jobs[i])
                    }
                },
            );
        }
    }

    fn base<C: Spec>(&self) -> &BaseTable {
        let (cell, seed) = match C::CURVE {
            Curve::P256 => (&self.p256, &self.blinds[0]),
            Curve::Sm2 => (&self.sm2, &self.blinds[1]),
        };
        cell.get_or_init(|| {
            let order = <C::Order as Modulus>::M;
            let mut blind = reduce_once(from_be(seed), 0, order);
            loop {
                let point = Xyzz::<C>::multiply(Affine::generator(), blind).to_affine();
                if let Some(table) =
                    point.and_then(|point| BaseTable::build::<C>(self.base_window, point))
                {
                    return table;
                }
                blind = add_mod(blind, [1, 0, 0, 0], order);
            }
        })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The blinds are secret and are not shown.
        f.debug_struct("Verifier")
            .field("path", &self.path)
            .field("base_window", &self.base_window)
            .field("slow_count", &self.slow_count())
            .finish_non_exhaustive()
    }
}
