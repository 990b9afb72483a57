//! Signatures from published vectors, reduced to (key, e, r, s, verdict).

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};
use sm3::Sm3;
use ybtoken_curve::Curve;

#[derive(Clone, Debug)]
pub struct Case {
    pub id: String,
    pub curve: Curve,
    pub x: [u8; 32],
    pub y: [u8; 32],
    pub e: [u8; 32],
    pub r: [u8; 32],
    pub s: [u8; 32],
    pub valid: bool,
}

/// The folder of vectors, or `None` after printing why there is none.
pub fn folder() -> Option<PathBuf> {
    let path = std::env::var_os("YBTOKEN_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no vectors at {} (set YBTOKEN_VECTORS)", path.display());
    None
}

pub fn text(name: &str) -> Option<String> {
    let path = folder()?.join(name);
    Some(
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    )
}

pub fn json(name: &str) -> Option<Value> {
    Some(serde_json::from_str(&text(name)?).expect("JSON"))
}

pub fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hex"))
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A big-endian number in 32 bytes; `None` if it does not fit.
pub fn number(bytes: &[u8]) -> Option<[u8; 32]> {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let significant = &bytes[zeros..];
    let mut out = [0; 32];
    out.get_mut(32usize.checked_sub(significant.len())?..)?.copy_from_slice(significant);
    Some(out)
}

/// The leftmost 32 bytes of a digest (FIPS 186-5, 6.4.2), or the whole digest if it is shorter.
pub fn truncated(digest: &[u8]) -> [u8; 32] {
    number(&digest[..digest.len().min(32)]).unwrap()
}

pub fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// Z_A, the hash of a signer's id and public key (GB/T 32918.2, 5.5).
pub fn sm2_za(id: &[u8], x: &[u8; 32], y: &[u8; 32]) -> [u8; 32] {
    let a_b_g = "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc\
                 28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93\
                 32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7\
                 bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0";
    Sm3::new()
        .chain_update((id.len() as u16 * 8).to_be_bytes())
        .chain_update(id)
        .chain_update(unhex(a_b_g))
        .chain_update(x)
        .chain_update(y)
        .finalize()
        .into()
}

/// e = SM3(Z_A || M) (GB/T 32918.2, 6.1).
pub fn sm2_digest(id: &[u8], x: &[u8; 32], y: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let za = sm2_za(id, x, y);
    Sm3::new().chain_update(za).chain_update(message).finalize().into()
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// The coordinates of an uncompressed point; `None` for other encodings, which this crate does not
/// read.
fn point(hex: &str) -> Option<([u8; 32], [u8; 32])> {
    let bytes = unhex(hex);
    let (x, y) = bytes.strip_prefix(&[4]).filter(|rest| rest.len() == 64)?.split_at(32);
    Some((number(x)?, number(y)?))
}

/// r and s of a strict DER ECDSA-Sig-Value; `None` for any other shape.
pub fn der(bytes: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    fn integer(bytes: &[u8]) -> Option<([u8; 32], &[u8])> {
        let (&[tag, length], rest) = bytes.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(length as usize)?;
        let minimal = value.len() > 1 && value[0] == 0 && value[1] < 0x80;
        if tag != 2 || value.is_empty() || value[0] >= 0x80 || minimal {
            return None;
        }
        Some((number(value)?, rest))
    }
    let (&[tag, length], rest) = bytes.split_first_chunk::<2>()?;
    if tag != 0x30 || length as usize != rest.len() || length >= 0x80 {
        return None;
    }
    let (r, rest) = integer(rest)?;
    let (s, rest) = integer(rest)?;
    rest.is_empty().then_some((r, s))
}

/// Every signature of the published sets that can be expressed as (key, e, r, s). Cases whose
/// encoding is refused before are left out, because they never reach this crate.
pub fn all_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    if folder().is_none() {
        return cases;
    }
    for (name, hash) in [
        ("ecdsa_secp256r1_sha256_p1363_test", "sha256"),
        ("ecdsa_secp256r1_sha512_p1363_test", "sha512"),
        ("ecdsa_secp256r1_sha256_test", "sha256"),
        ("ecdsa_secp256r1_sha512_test", "sha512"),
    ] {
        wycheproof(name, hash, &mut cases);
    }
    for name in ["nist-fips186/SigVer.rsp", "nist-fips186/186-2/SigVer.rsp"] {
        if folder().unwrap().join(name).is_file() {
            nist(name, &mut cases);
        }
    }
    boringssl(&mut cases);
    edge("edge/p256_edge_digest.json", Curve::P256, &mut cases);
    edge("edge/sm2_edge_digest.json", Curve::Sm2, &mut cases);
    for name in [
        "edge/sm2_za_message.json",
        "sm2/sm2_kat.json",
        "sm2/openhitls_sm2_verify.json",
        "sm2/sm2_from_certificates.json",
    ] {
        sm2_messages(name, &mut cases);
    }
    cases
}

fn wycheproof(name: &str, hash: &str, cases: &mut Vec<Case>) {
    let file = json(&format!("wycheproof/{name}.json")).unwrap();
    for group in file["testGroups"].as_array().unwrap() {
        let (x, y) = point(field(&group["publicKey"], "uncompressed")).unwrap();
        for test in group["tests"].as_array().unwrap() {
            let message = unhex(field(test, "msg"));
            let e = match hash {
                "sha256" => sha256(&message),
                _ => truncated(&sha2::Sha512::digest(&message)),
            };
            let signature = unhex(field(test, "sig"));
            let pair = if name.contains("p1363") {
                (signature.len() == 64)
                    .then(|| (number(&signature[..32]).unwrap(), number(&signature[32..]).unwrap()))
            } else {
                der(&signature)
            };
            let valid = field(test, "result") == "valid";
            let Some((r, s)) = pair else {
                assert!(!valid || !name.contains("p1363"), "{name} {test}");
                continue;
            };
            let id = format!("{name} {}", test["tcId"]);
            cases.push(Case { id, curve: Curve::P256, x, y, e, r, s, valid });
        }
    }
}

/// Records of `Name = value` lines, each with the bracketed section that contains it.
pub fn records(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut section = String::new();
    let mut out = vec![];
    let mut record = vec![];
    for line in text.lines().map(str::trim).chain([""]) {
        if line.is_empty() {
            if !record.is_empty() {
                out.push((section.clone(), std::mem::take(&mut record)));
            }
        } else if line.starts_with('[') {
            section = line.to_string();
        } else if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#'))
        {
            record.push((name.trim().to_string(), value.trim().to_string()));
        }
    }
    out
}

pub fn get<'a>(record: &'a [(String, String)], name: &str) -> Option<&'a str> {
    record.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Pads an odd number of digits, because some files drop the leading zero.
pub fn hex_number(hex: &str) -> [u8; 32] {
    let padded = if hex.len() % 2 == 1 { format!("0{hex}") } else { hex.to_string() };
    number(&unhex(&padded)).expect("at most 32 bytes")
}

fn nist(name: &str, cases: &mut Vec<Case>) {
    for (i, (section, record)) in records(&text(name).unwrap()).iter().enumerate() {
        if !section.contains("P-256") {
            continue;
        }
        let Some(message) = get(record, "Msg") else {
            continue;
        };
        let message = unhex(message);
        let e = match section
            .trim_matches(['[', ']'])
            .split_once(',')
            .map_or("SHA-1", |(_, hash)| hash.trim())
        {
            "SHA-224" => truncated(&sha2::Sha224::digest(&message)),
            "SHA-256" => sha256(&message),
            "SHA-384" => truncated(&sha2::Sha384::digest(&message)),
            "SHA-512" => truncated(&sha2::Sha512::digest(&message)),
            _ => continue,
        };
        let value = |name| hex_number(get(record, name).unwrap());
        cases.push(Case {
            id: format!("{name} {i}"),
            curve: Curve::P256,
            x: value("Qx"),
            y: value("Qy"),
            e,
            r: value("R"),
            s: value("S"),
            valid: get(record, "Result").unwrap().starts_with('P'),
        });
    }
}

fn boringssl(cases: &mut Vec<Case>) {
    for (i, (_, record)) in
        records(&text("boringssl/ecdsa_verify_tests.txt").unwrap()).iter().enumerate()
    {
        if get(record, "Curve") != Some("P-256") {
            continue;
        }
        let fits = |name| number(&unhex(get(record, name).unwrap()));
        let (Some(r), Some(s)) = (fits("R"), fits("S")) else {
            continue;
        };
        cases.push(Case {
            id: format!("boringssl {i}"),
            curve: Curve::P256,
            x: hex_number(get(record, "X").unwrap()),
            y: hex_number(get(record, "Y").unwrap()),
            e: truncated(&unhex(get(record, "Digest").unwrap())),
            r,
            s,
            valid: get(record, "Invalid").is_none(),
        });
    }
}

fn edge(name: &str, curve: Curve, cases: &mut Vec<Case>) {
    for test in json(name).unwrap()["tests"].as_array().unwrap() {
        let Some((x, y)) = point(field(test, "pub_hex")) else {
            continue;
        };
        let signature = unhex(field(test, "sig_raw_hex"));
        if signature.len() != 64 {
            continue;
        }
        cases.push(Case {
            id: field(test, "id").to_string(),
            curve,
            x,
            y,
            e: number(&unhex(field(test, "digest_hex"))).unwrap(),
            r: number(&signature[..32]).unwrap(),
            s: number(&signature[32..]).unwrap(),
            valid: test["valid"].as_bool().unwrap(),
        });
    }
}

fn sm2_messages(name: &str, cases: &mut Vec<Case>) {
    for (i, test) in json(name).unwrap()["tests"].as_array().unwrap().iter().enumerate() {
        if test["curve"].as_str().is_some_and(|curve| curve != "sm2p256v1") {
            continue;
        }
        let Some((x, y)) = point(field(test, "pub_hex")) else {
            continue;
        };
        let pair = match test["sig_raw_hex"].as_str() {
            Some(raw) => {
                let raw = unhex(raw);
                (raw.len() == 64)
                    .then(|| (number(&raw[..32]).unwrap(), number(&raw[32..]).unwrap()))
            }
            None => der(&unhex(field(test, "sig_der_hex"))),
        };
        let Some((r, s)) = pair else { continue };
        let e = match test["e_hex"].as_str().or(test["digest_hex"].as_str()) {
            Some(e) => number(&unhex(e)).unwrap(),
            // One vector signs its message directly as e.
            None if test["id_hex"].is_null() => truncated(&unhex(field(test, "msg_hex"))),
            None => {
                sm2_digest(&unhex(field(test, "id_hex")), &x, &y, &unhex(field(test, "msg_hex")))
            }
        };
        let id = format!("{name} {i}");
        cases.push(Case {
            id,
            curve: Curve::Sm2,
            x,
            y,
            e,
            r,
            s,
            valid: test["valid"].as_bool().unwrap(),
        });
    }
}
