//! Intel's crypto_mb through its C interface: eight signatures a call. It shares no code with this
//! crate.

#![allow(unsafe_code, reason = "calls of C functions; each block gives its reason")]

use std::path::Path;
use std::ptr::{null, null_mut};

use libloading::Library;
use ybtoken_curve::Curve;

pub const LANES: usize = 8;
/// The SM2 user id of every key here.
pub const SIGNER: &[u8] = b"1234567812345678";

/// One signature. The message is the digest for P-256, and for SM2 what SM3 hashes after Z_A.
/// Coordinates are little-endian words.
#[derive(Clone, Copy)]
pub struct Lane<'a> {
    pub message: &'a [u8],
    pub r: &'a [u8; 32],
    pub s: &'a [u8; 32],
    pub x: &'a [u64; 4],
    pub y: &'a [u64; 4],
}

// As declared in crypto_mb/ec_nistp256.h and crypto_mb/ec_sm2.h: arrays of eight pointers. A null z
// means 1.
type Octets = *const *const u8;
type Words = *const *const u64;
type Applicable = unsafe extern "C" fn(features: u64) -> i32;
type VerifyP256 = unsafe extern "C" fn(
    r: Octets,
    s: Octets,
    message: Octets,
    x: Words,
    y: Words,
    z: Words,
    buffer: *mut u8,
) -> u32;
type VerifySm2 = unsafe extern "C" fn(
    r: Octets,
    s: Octets,
    signer: Octets,
    signer_size: *const i32,
    message: Octets,
    message_size: *const i32,
    x: Words,
    y: Words,
    z: Words,
    buffer: *mut u8,
) -> u32;

pub struct CryptoMb {
    p256: VerifyP256,
    sm2: VerifySm2,
    /// Keeps the library loaded while its functions may be called.
    _library: Library,
}

impl CryptoMb {
    /// Loads the library at `path`, if this processor can run it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: libloading::Error| format!("{}: {error}", path.display());
        // SAFETY: loading runs the library's initialisers, which only query the processor.
        let library = unsafe { Library::new(path) }.map_err(failed)?;
        // SAFETY: the type is that of the library's header.
        let applicable = unsafe {
            *library.get::<Applicable>(b"mbx_is_crypto_mb_applicable\0").map_err(failed)?
        };
        // SAFETY: takes a number and returns a number; 0 asks whether all features it needs are
        // present.
        if unsafe { applicable(0) } == 0 {
            return Err("crypto_mb does not run on this processor: it needs AVX-512 IFMA".into());
        }
        // SAFETY: the type is that of the library's header.
        let p256 = unsafe { *library.get(b"mbx_nistp256_ecdsa_verify_mb8\0").map_err(failed)? };
        // SAFETY: the type is that of the library's header.
        let sm2 = unsafe { *library.get(b"mbx_sm2_ecdsa_verify_mb8\0").map_err(failed)? };
        Ok(Self { p256, sm2, _library: library })
    }

    /// The verdicts on eight signatures.
    ///
    /// # Panics
    /// If a P-256 message is not a digest of 32 bytes, or SM2 messages differ in length: some
    /// versions crash if lengths below and above 32 bytes are mixed.
    pub fn accepts(&self, curve: Curve, lanes: &[Lane; LANES]) -> [bool; LANES] {
        let size = lanes[0].message.len();
        assert!(
            lanes.iter().all(|lane| lane.message.len() == size)
                && (curve == Curve::Sm2 || size == 32)
        );
        let r = lanes.map(|lane| lane.r.as_ptr());
        let s = lanes.map(|lane| lane.s.as_ptr());
        let message = lanes.map(|lane| lane.message.as_ptr());
        let x = lanes.map(|lane| lane.x.as_ptr());
        let y = lanes.map(|lane| lane.y.as_ptr());
        let status = match curve {
            // SAFETY: each argument is an array of eight pointers to 32 bytes or four words, which
            // outlive the call and are only read; z and the buffer may be null.
            Curve::P256 => unsafe {
                (self.p256)(
                    r.as_ptr(),
                    s.as_ptr(),
                    message.as_ptr(),
                    x.as_ptr(),
                    y.as_ptr(),
                    null(),
                    null_mut(),
                )
            },
            Curve::Sm2 => {
                let signer = [SIGNER.as_ptr(); LANES];
                let signer_size = [SIGNER.len() as i32; LANES];
                let message_size = [size as i32; LANES];
                // SAFETY: as above; messages and user ids have the lengths in the size arrays.
                unsafe {
                    (self.sm2)(
                        r.as_ptr(),
                        s.as_ptr(),
                        signer.as_ptr(),
                        signer_size.as_ptr(),
                        message.as_ptr(),
                        message_size.as_ptr(),
                        x.as_ptr(),
                        y.as_ptr(),
                        null(),
                        null_mut(),
                    )
                }
            }
        };
        // Four bits a lane; 0 means a valid signature.
        std::array::from_fn(|lane| status >> (4 * lane) & 0xf == 0)
    }
}
