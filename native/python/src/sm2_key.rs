//! SM2 signing keys, with RustCrypto's constant-time arithmetic.

use std::hint::black_box;

use getrandom::SysRng;
use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sm2::dsa::SigningKey;
use sm2::dsa::signature::hazmat::RandomizedPrehashSigner;
use sm2::{FieldBytes, NonZeroScalar, Scalar};
use ybtoken_engine::sm3;
use zeroize::Zeroizing;

use crate::guard::guarded;

/// The default user id that is in common use with GB/T 32918.
const DEFAULT_USER_ID: &[u8] = b"1234567812345678";

/// An SM2 signing key (GB/T 32918.2). It never shows its secret, and overwrites it when it is
/// dropped.
#[pyclass(name = "Sm2Key", module = "ybtoken_native", frozen)]
pub struct Sm2Key {
    /// Signs hashes, so its own user id is not used.
    key: SigningKey,
    x: [u8; 32],
    y: [u8; 32],
    za: [u8; 32],
}

impl Sm2Key {
    /// `None` if the secret is not in 1..=n-2.
    fn from_secret(secret: &FieldBytes, user_id: &[u8]) -> Option<Self> {
        let key = SigningKey::from_slice("", secret).ok()?;
        let secret: &NonZeroScalar = key.as_nonzero_scalar();
        // Signing inverts 1 + d.
        if bool::from((Scalar::ONE + **secret).is_zero()) {
            return None;
        }
        let point = key.verifying_key().to_sec1_bytes();
        let (x, y) = (*point.get(1..)?.first_chunk()?, *point.last_chunk()?);
        Some(Self { za: sm3::za(user_id, &x, &y), key, x, y })
    }
}

impl Drop for Sm2Key {
    fn drop(&mut self) {
        // RustCrypto's signing key does not wipe itself, so the key with the secret 1 is written
        // over it.
        let mut one = FieldBytes::default();
        one[31] = 1;
        if let Ok(nobody) = SigningKey::from_slice("", &one) {
            self.key = nobody;
        }
        black_box(&self.key);
    }
}

fn checked(user_id: Option<&[u8]>) -> PyResult<&[u8]> {
    let user_id = user_id.unwrap_or(DEFAULT_USER_ID);
    if user_id.len() >= 8192 {
        return Err(PyValueError::new_err("an SM2 user id has fewer than 8192 bytes"));
    }
    Ok(user_id)
}

#[pymethods]
impl Sm2Key {
    #[new]
    #[pyo3(signature = (secret, /, *, user_id = None))]
    fn new(secret: &Bound<'_, PyBytes>, user_id: Option<&[u8]>) -> PyResult<Self> {
        let user_id = checked(user_id)?;
        let secret = secret.as_bytes();
        if secret.len() != 32 {
            return Err(PyValueError::new_err(format!(
                "a secret is 32 bytes, not {}",
                secret.len()
            )));
        }
        let mut bytes = Zeroizing::new(FieldBytes::default());
        bytes.copy_from_slice(secret);
        let key = guarded(|| Ok(Self::from_secret(&bytes, user_id)))?;
        key.ok_or_else(|| PyValueError::new_err("a secret is 1 to n - 2, big-endian"))
    }

    /// A key with a new secret from the operating system's random generator.
    #[staticmethod]
    #[pyo3(signature = (*, user_id = None))]
    fn generate(user_id: Option<&[u8]>) -> PyResult<Self> {
        let user_id = checked(user_id)?;
        let mut bytes = Zeroizing::new(FieldBytes::default());
        // A secret is out of range with a probability of about 2^-32.
        loop {
            getrandom::fill(&mut bytes).map_err(|error| PyOSError::new_err(error.to_string()))?;
            if let Some(key) = guarded(|| Ok(Self::from_secret(&bytes, user_id)))? {
                return Ok(key);
            }
        }
    }

    /// The public key's x, 32 bytes, big-endian.
    #[getter]
    fn x<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.x)
    }

    /// The public key's y, 32 bytes, big-endian.
    #[getter]
    fn y<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.y)
    }

    /// Signs SM3(ZA || message); r and s, 32 bytes each.
    #[pyo3(signature = (message, /))]
    fn sign<'py>(&self, py: Python<'py>, message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let signature = guarded(|| {
            Ok(py.detach(|| {
                let e = sm3::hash(&[&self.za[..], message].concat());
                // Deterministic as in RFC 6979, with fresh random bytes mixed in: a weak random
                // source alone does not leak the key.
                self.key.sign_prehash_with_rng(&mut SysRng, &e)
            }))
        })?;
        let signature =
            signature.map_err(|_| PyOSError::new_err("the operating system gave no randomness"))?;
        Ok(PyBytes::new(py, &signature.to_bytes()))
    }

    fn __repr__(&self) -> String {
        let x: String = self.x.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("<Sm2Key, public x {x}...>")
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an Sm2Key is not pickled"))
    }
}
