//! Every published signature on every path, alone and in batches of the sizes at which the method
//! changes, with every window size that is shipped.
#![cfg(not(miri))] // hours

mod common;
#[path = "common/signatures.rs"]
mod signatures;

use std::collections::HashMap;

use common::Case;
use signatures::{Random, on_p256};
use ybtoken_curve::{Curve, Job, KeyTable, Path, PublicKey, Verifier};

const BASE_WINDOW: u32 = if cfg!(debug_assertions) { 8 } else { Verifier::BASE_WINDOW };

fn tables(cases: &[Case], window: u32) -> HashMap<[u8; 64], KeyTable> {
    let mut tables = HashMap::new();
    for case in cases {
        tables.entry(name(case)).or_insert_with(|| {
            let key = PublicKey::new(case.curve, &case.x, &case.y).expect(&case.id);
            KeyTable::build(&key, window).unwrap()
        });
    }
    tables
}

fn name(case: &Case) -> [u8; 64] {
    [case.x, case.y].concat().try_into().unwrap()
}

/// One verifier for each path. The generator's tables are small in debug builds and those that are
/// shipped in release builds.
fn verifiers() -> Vec<Verifier> {
    let usable = Path::ALL.into_iter().filter(|path| {
        let usable = path.available();
        if !usable {
            println!("skipped: this processor cannot run {path:?}");
        }
        usable
    });
    usable.map(|path| Verifier::with_base_window(path, BASE_WINDOW).unwrap()).collect()
}

/// Asserts the verdict of every case on every path: alone, in batches of the sizes at which the
/// method changes, and all in one batch.
fn check(curve: Curve, cases: &[Case], window: u32, verifiers: &[Verifier]) {
    let tables = tables(cases, window);
    let job = |case: &Case| Job { table: &tables[&name(case)], e: case.e, r: case.r, s: case.s };
    let jobs: Vec<_> = cases.iter().map(job).collect();
    for verifier in verifiers {
        let path = verifier.path();
        let sizes: &[usize] =
            if path == Path::Slow { &[64] } else { &[1, 2, 7, 16, 100, 256, usize::MAX] };
        for size in sizes.iter().map(|&size| size.min(jobs.len())) {
            let mut accepted = vec![false; jobs.len()];
            for (jobs, accepted) in jobs.chunks(size).zip(accepted.chunks_mut(size)) {
                verifier.verify_batch(curve, jobs, accepted);
            }
            for (case, accepted) in cases.iter().zip(accepted) {
                assert_eq!(
                    accepted, case.valid,
                    "{} {path:?} window {window} size {size}",
                    case.id
                );
            }
        }
    }
}

#[test]
fn every_published_signature_has_its_verdict() {
    let all = common::all_cases();
    let windows: &[u32] = if cfg!(debug_assertions) { &[8] } else { &[4, 5, 6, 7, 8, 9, 10, 12] };
    let verifiers = verifiers();
    for curve in [Curve::P256, Curve::Sm2] {
        // A key that is not a point has no verdict, because `PublicKey::new` refuses it.
        let is_key =
            |case: &&Case| case.curve == curve && PublicKey::new(curve, &case.x, &case.y).is_ok();
        let cases: Vec<_> = all.iter().filter(is_key).cloned().collect();
        if cases.is_empty() {
            continue;
        }
        let valid = cases.iter().filter(|case| case.valid).count();
        println!(
            "{curve:?}: {} signatures, {valid} valid, {} sums of infinity among them",
            cases.len(),
            { cases.iter().filter(|case| case.id.contains("R_infinity")).count() }
        );
        for &window in windows {
            check(curve, &cases, window, &verifiers);
        }
        // Different windows in one batch.
        let tables: Vec<_> = (4..=10).map(|window| tables(&cases, window)).collect();
        let table = |i: usize| &tables[i % tables.len()][&name(&cases[i])];
        let job =
            |(i, case): (usize, &Case)| Job { table: table(i), e: case.e, r: case.r, s: case.s };
        let jobs: Vec<_> = cases.iter().enumerate().map(job).collect();
        for verifier in &verifiers {
            let mut accepted = vec![false; jobs.len()];
            verifier.verify_batch(curve, &jobs, &mut accepted);
            assert!(cases.iter().zip(accepted).all(|(case, accepted)| case.valid == accepted));
        }
    }
}

/// BoringSSL's and RustCrypto's published multiples k of the generator, each as the sum of a
/// signature: with the generator as the key and any v, (k - v) * G + v * G must have the published
/// x.
#[test]
fn published_multiples_of_the_generator_are_the_sums() {
    let Some(text) = common::text("boringssl/ec_scalar_base_mult_tests.txt") else { return };
    let mut multiples = vec![];
    for (_, record) in common::records(&text) {
        if common::get(&record, "Curve") == Some("P-256") {
            let number = |name| common::hex_number(common::get(&record, name).unwrap());
            multiples.push((number("N"), number("X")));
        }
    }
    assert_eq!(multiples.len(), 129);
    let file = common::json("p256-field/rustcrypto_p256_group_field.json").unwrap();
    for (_, list) in file.as_object().unwrap() {
        for row in list
            .as_array()
            .into_iter()
            .flatten()
            .filter(|row| row["k"].is_u64() && row["x"].is_string())
        {
            let k = common::number(&row["k"].as_u64().unwrap().to_be_bytes()).unwrap();
            multiples.push((k, common::hex_number(row["x"].as_str().unwrap())));
        }
    }
    assert!(multiples.len() >= 149, "{}", multiples.len());
    let (x, y) = on_p256::coordinates(p256::ProjectivePoint::GENERATOR);
    let mut random = Random(3);
    let mut cases = vec![];
    for (i, (k, expected)) in multiples.into_iter().enumerate() {
        let infinity = expected == [0; 32];
        let r = on_p256::scalar(if infinity { [7; 32] } else { expected });
        let v = on_p256::scalar(random.bytes());
        let s = r * v.invert().unwrap();
        let e = on_p256::bytes((on_p256::scalar(k) - v) * s);
        let (r, s) = (on_p256::bytes(r), on_p256::bytes(s));
        let case = Case {
            id: format!("multiple {i}"),
            curve: Curve::P256,
            x,
            y,
            e,
            r,
            s,
            valid: !infinity,
        };
        // The same signature with another expected x.
        let mut wrong = Case { id: format!("not multiple {i}"), valid: false, ..case.clone() };
        wrong.e[31] ^= 1;
        cases.extend([case, wrong]);
    }
    for window in [8, 10] {
        check(Curve::P256, &cases, window, &verifiers());
    }
}

#[test]
fn published_keys_off_the_curve_are_refused() {
    let Some(text) = common::text("nist-fips186/PKV.rsp") else { return };
    let mut seen = [0; 2];
    for (section, record) in common::records(&text) {
        let Some(x) = common::get(&record, "Qx").filter(|_| section.contains("P-256")) else {
            continue;
        };
        let numbers = [x, common::get(&record, "Qy").unwrap()].map(|hex| {
            let padded = if hex.len() % 2 == 1 { format!("0{hex}") } else { hex.to_string() };
            common::number(&common::unhex(&padded))
        });
        let valid = common::get(&record, "Result").unwrap().starts_with('P');
        let [Some(x), Some(y)] = numbers else {
            assert!(!valid);
            continue;
        };
        assert_eq!(PublicKey::new(Curve::P256, &x, &y).is_ok(), valid);
        seen[valid as usize] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0);
}
