//! Opening texts: every code, every position in a batch, every path, and tables that are evicted
//! and built again.
#![cfg(not(miri))] // hours

#[path = "common/signer.rs"]
mod signer;

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use signer::{LENIENT, NOW, Signer, claims};
use ybtoken_engine::claims::Claims;
use ybtoken_engine::columns::{Columns, NO_ENTRY, Opened};
use ybtoken_engine::envelope::Algorithm;
use ybtoken_engine::text::encode;
use ybtoken_engine::{
    CHUNK, Code, Key, Limits, Lines, Mismatch, Now, Path, Ring, RingError, Scope, Texts, Verifier,
    Workers, footprint, open_into, validity,
};

static SIGNERS: LazyLock<Vec<Signer>> = LazyLock::new(|| {
    let user_id = "1234567812345678";
    vec![
        Signer::new(Algorithm::Es256, 1),
        Signer::new(Algorithm::Sm2, 2),
        Signer::new(Algorithm::Esp256, 3),
        Signer::with(Algorithm::Sm2, 4, "another user id", 8),
        Signer::with(Algorithm::Es256, 5, user_id, 10),
        Signer::with(Algorithm::Sm2, 6, user_id, 5),
    ]
});

/// `ybtoken_engine::open_one` at a time and with limits that accept every token.
fn open_one(ring: &Ring, text: &[u8]) -> Opened {
    ybtoken_engine::open_one(ring, text, NOW, LENIENT)
}

fn open_batch(ring: &Ring, texts: &(impl Texts + ?Sized), workers: &Workers) -> Columns {
    ybtoken_engine::open_batch(ring, texts, Now::Same(NOW), LENIENT, workers).unwrap()
}

fn keys() -> Vec<Key> {
    SIGNERS.iter().map(|signer| signer.key.clone()).collect()
}

fn verifier(path: Path) -> Arc<Verifier> {
    static ALL: LazyLock<Vec<Arc<Verifier>>> = LazyLock::new(|| {
        Path::ALL.into_iter().filter_map(|path| Verifier::new(path).ok().map(Arc::new)).collect()
    });
    Arc::clone(ALL.iter().find(|verifier| verifier.path() == path).unwrap())
}

fn ring_on(path: Path, table_bytes: usize) -> Ring {
    Ring::new(keys(), verifier(path), table_bytes, &Workers::none()).unwrap()
}

static RING: LazyLock<Ring> = LazyLock::new(|| ring_on(Path::best(), Ring::TABLE_BYTES));

/// Rings on every path that this processor can run.
fn rings() -> Vec<(String, Ring)> {
    let mut rings = Vec::new();
    for path in Path::ALL {
        if !path.available() {
            eprintln!("skipped: this processor has no {path:?}");
            continue;
        }
        rings.push((format!("{path:?}"), ring_on(path, Ring::TABLE_BYTES)));
    }
    rings
}

/// A text and its expected outcome.
#[derive(Clone, Debug)]
struct Case {
    text: String,
    expected: Opened,
}

fn refused(text: String, code: Code, entry: u16) -> Case {
    Case { text, expected: Opened { entry, ..Opened::refused(code) } }
}

fn good(entry: usize, number: u32) -> Case {
    let claims = claims(number);
    let expected = Opened { code: Code::Accepted, entry: entry as u16, profile: 1, claims };
    Case { text: SIGNERS[entry].text(&claims), expected }
}

/// A text for each code, and for each key if the key matters.
fn cases() -> Vec<Case> {
    let mut all = vec![
        refused("9".repeat(801), Code::TextLength, NO_ENTRY),
        refused("96".into(), Code::TextLength, NO_ENTRY),
        refused("9600x00".into(), Code::TextDigits, NO_ENTRY),
        refused(String::new(), Code::TextPrefix, NO_ENTRY),
        refused("医保".into(), Code::TextPrefix, NO_ENTRY),
        refused("9699999".into(), Code::TextRange, NO_ENTRY),
        refused("9600000".into(), Code::TextCheck, NO_ENTRY),
        refused(encode(96, b"no envelope"), Code::EnvelopeShape, NO_ENTRY),
        refused(encode(97, &[1; 20]), Code::Undecided, NO_ENTRY),
        refused(encode(98, &[1; 20]), Code::Undecided, NO_ENTRY),
    ];
    for (entry, signer) in SIGNERS.iter().enumerate() {
        all.extend((0..5).map(|number| good(entry, 7 * number + entry as u32)));
        let token = signer.token(&claims(3).encode());
        let size = token.len();
        for at in [size - 64, size - 33, size - 32, size - 1, size - 80] {
            let mut token = token.clone();
            token[at] ^= 1;
            all.push(refused(encode(96, &token), Code::SignatureInvalid, entry as u16));
        }
        for value in [0x00, 0xff] {
            let mut token = token.clone();
            token[size - 64..].fill(value);
            all.push(refused(encode(96, &token), Code::SignatureInvalid, entry as u16));
        }
        let kid = 3 + signer.key.header.len() - 8;
        let mut unknown = token.clone();
        unknown[kid] ^= 1;
        let mut case = refused(encode(96, &unknown), Code::KeyUnknown, NO_ENTRY);
        case.expected.claims.nonce_size = 8;
        case.expected.claims.nonce[..8].copy_from_slice(&unknown[kid..kid + 8]);
        all.push(case);

        let text = |payload: &[u8]| encode(96, &signer.token(payload));
        all.push(refused(text(&[0xa4; 40]), Code::ClaimsShape, entry as u16));
        // A payload of 255 bytes takes the most blocks that there can be; a text of 800 digits
        // holds at most 230.
        for size in [24, 55, 56, 57, 118, 119, 120, 200] {
            all.push(refused(text(&vec![7; size]), Code::ClaimsShape, entry as u16));
        }
        let mut other = claims(0).encode();
        let profile = other.iter().position(|&byte| byte == 0x83).unwrap() + 1;
        assert_eq!(other[profile], 1);
        other[profile] = 2;
        all.push(refused(text(&other), Code::Undecided, NO_ENTRY));
    }
    all
}

#[allow(clippy::needless_update, reason = "a further optional claim need not be named here")]
fn row(columns: &Columns, at: usize) -> Opened {
    let n = |column: &[u8], width: usize| {
        let mut bytes = [0; 4];
        bytes[..width].copy_from_slice(&column[at * width..][..width]);
        u32::from_le_bytes(bytes)
    };
    let sixteen = |column: &[u8]| *column[at * 16..].first_chunk().unwrap();
    let numbers = cases_codes();
    let present = columns.present[at];
    let there = |label: u8| present >> (label - 1) & 1 == 1;
    let claims = Claims {
        expires_at: n(&columns.expires_at, 4),
        issued_at: n(&columns.issued_at, 4),
        nonce_size: columns.nonce_sizes[at],
        nonce: sixteen(&columns.nonces),
        identity_ref: sixteen(&columns.identity_refs),
        city: n(&columns.cities, 4),
        channel: there(1).then(|| n(&columns.channels, 2) as u16),
        purpose: there(2).then(|| n(&columns.purposes, 4)),
        presenter: there(3).then(|| sixteen(&columns.presenters)),
        assurance: there(4).then(|| columns.assurances[at]),
        status_index: there(5).then(|| n(&columns.status_indexes, 4)),
        ..Claims::default()
    };
    Opened {
        code: *numbers.iter().find(|code| code.number() == columns.codes[at]).unwrap(),
        entry: n(&columns.entries, 2) as u16,
        profile: columns.profiles[at],
        claims,
    }
}

/// The codes that opening can return; the last six belong to steps 6 and 7.
fn cases_codes() -> [Code; 17] {
    [
        Code::Accepted,
        Code::TextLength,
        Code::TextDigits,
        Code::TextPrefix,
        Code::TextRange,
        Code::TextCheck,
        Code::EnvelopeShape,
        Code::KeyUnknown,
        Code::SignatureInvalid,
        Code::ClaimsShape,
        Code::Undecided,
        Code::TimeFuture,
        Code::TimeExpired,
        Code::TimeLifetime,
        Code::ScopePeriod,
        Code::ScopeWithdrawn,
        Code::ScopePlace,
    ]
}

fn assert_batch(name: &str, ring: &Ring, cases: &[Case], workers: &Workers) {
    let texts: Vec<&str> = cases.iter().map(|case| case.text.as_str()).collect();
    let columns = open_batch(ring, &texts, workers);
    assert_eq!(columns.len(), cases.len());
    for (at, case) in cases.iter().enumerate() {
        assert_eq!(row(&columns, at), case.expected, "{name}: {at} of {}", cases.len());
    }
}

#[test]
fn every_code_is_reached() {
    let cases = cases();
    for code in &cases_codes()[..11] {
        assert!(cases.iter().any(|case| case.expected.code == *code), "{code:?}");
    }
}

#[test]
fn every_case_has_one_answer_alone_and_in_a_batch_on_every_path() {
    let cases = cases();
    for (name, ring) in rings() {
        for case in &cases {
            assert_eq!(open_one(&ring, case.text.as_bytes()), case.expected, "{name}: {case:?}");
        }
        assert_batch(&name, &ring, &cases, &Workers::none());
    }
}

/// `size` cases: `cases` repeated, from number `start` on.
fn cycle(cases: &[Case], start: usize, size: usize) -> Vec<Case> {
    cases.iter().cycle().skip(start).take(size).cloned().collect()
}

#[test]
fn a_text_has_the_same_answer_at_every_place_of_a_batch() {
    let cases = cases();
    let goods = cycle(&[good(0, 1), good(1, 2), good(2, 3)], 0, 17);
    for place in 0..17 {
        for case in cases.iter().step_by(3) {
            let mut batch = goods.clone();
            batch[place] = case.clone();
            assert_batch("", &RING, &batch, &Workers::none());
        }
    }
}

#[test]
fn batches_of_every_size_agree_with_any_threads() {
    let cases = cases();
    let sizes =
        [0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 255, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5];
    for threads in [1, 2, 3] {
        let workers = Workers::new(threads).unwrap();
        assert_eq!(workers.threads(), threads);
        for (start, size) in sizes.into_iter().enumerate() {
            assert_batch(
                &format!("{threads} threads"),
                &RING,
                &cycle(&cases, start, size),
                &workers,
            );
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let texts: Vec<String> = [0, 1]
        .iter()
        .flat_map(|&entry| {
            let token = SIGNERS[entry].token(&claims(31).encode());
            (0..token.len() * 8).map(move |bit| {
                let mut token = token.clone();
                token[bit / 8] ^= 1 << (bit % 8);
                encode(96, &token)
            })
        })
        .collect();
    let columns = open_batch(&RING, &texts, &Workers::none());
    assert!(columns.codes.iter().all(|&code| code != Code::Accepted.number()));
    assert!(
        columns
            .issued_at
            .iter()
            .chain(&columns.identity_refs)
            .chain(&columns.presenters)
            .all(|&byte| byte == 0)
    );
}

#[test]
fn a_signature_counts_for_its_key_alone() {
    // The same secret and kid under another algorithm's header, and a header replaced after
    // signing.
    let signed = SIGNERS[0].token(&claims(1).encode());
    let mut swapped = signed.clone();
    swapped[3..16].copy_from_slice(&SIGNERS[2].key.header);
    assert_eq!(open_one(&RING, encode(96, &swapped).as_bytes()).code, Code::SignatureInvalid);
    let mut renamed = signed;
    renamed[5] = 0x28;
    assert_eq!(open_one(&RING, encode(96, &renamed).as_bytes()).code, Code::KeyUnknown);
}

#[test]
fn tables_over_the_cap_are_evicted_and_built_again() {
    let cases = cases();
    for cap in [0, footprint(8), 2 * footprint(8)] {
        let ring = ring_on(Path::best(), cap);
        for start in 0..2 {
            assert_batch("capped", &ring, &cycle(&cases, start, 500), &Workers::none());
        }
        let stats = ring.table_stats();
        assert!(stats.evicted > 0 && stats.built > SIGNERS.len() as u64, "{stats:?}");
        assert!(stats.tables <= 1 + cap / footprint(8), "{stats:?}");
    }
}

#[test]
fn tables_come_and_go_under_threads() {
    let cases = cases();
    let ring = ring_on(Path::best(), 2 * footprint(8));
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (ring, cases) = (&ring, &cases);
            scope.spawn(move || {
                let workers = Workers::new(1 + start % 2).unwrap();
                for round in 0..10 {
                    assert_batch("threads", ring, &cycle(cases, start * 13 + round, 200), &workers);
                    let case = &cases[(start * 31 + round * 7) % cases.len()];
                    assert_eq!(open_one(ring, case.text.as_bytes()), case.expected);
                }
            });
        }
    });
    assert!(ring.table_stats().evicted > 0);
}

#[test]
fn tables_within_the_cap_are_built_once() {
    let ring = ring_on(Path::best(), Ring::TABLE_BYTES);
    assert_batch("", &ring, &cycle(&cases(), 0, 300), &Workers::none());
    let stats = ring.table_stats();
    assert_eq!((stats.built, stats.evicted, stats.tables), (6, 0, 6));
}

#[test]
fn a_footprint_is_near_what_a_table_takes() {
    let one = |window| {
        let keys = vec![Signer::with(Algorithm::Es256, 9, "", window).key];
        let ring =
            Ring::new(keys, verifier(Path::best()), Ring::TABLE_BYTES, &Workers::none()).unwrap();
        ring.table_stats().bytes
    };
    for window in 4..=12 {
        let (real, said) = (one(window), footprint(window));
        assert!(said <= 2 * real && real <= said + said / 8, "{window}: {real} {said}");
    }
}

#[test]
fn wrong_keys_are_named() {
    let made = |change: fn(&mut Vec<Key>)| {
        let mut keys = keys();
        change(&mut keys);
        Ring::new(keys, verifier(Path::best()), Ring::TABLE_BYTES, &Workers::none()).err()
    };
    assert_eq!(made(|_| ()), None);
    assert_eq!(made(|keys| keys.clear()), None);
    assert_eq!(made(|keys| keys[1].header.push(0)), Some(RingError::Header(1)));
    assert_eq!(made(|keys| keys[4].header = keys[2].header.clone()), Some(RingError::Duplicate(4)));
    assert!(matches!(made(|keys| keys[3].y[31] ^= 1), Some(RingError::Key(3, _))));
    assert!(matches!(made(|keys| keys[0].x = [0xff; 32]), Some(RingError::Key(0, _))));
    assert_eq!(made(|keys| keys[3].user_id = vec![0; 8192]), Some(RingError::UserId(3)));
    assert_eq!(made(|keys| keys[0].user_id = vec![0; 8192]), None);
    assert_eq!(made(|keys| keys[5].window = 3), Some(RingError::Window(5)));
    assert_eq!(made(|keys| keys[5].window = 17), Some(RingError::Window(5)));
}

#[test]
fn many_keys_of_like_kids_are_found() {
    let mut keys = Vec::new();
    for number in 0..300_u64 {
        let mut key = SIGNERS[0].key.clone();
        // Kids that differ only in their last bytes start at the same place of the index.
        key.header[5..].copy_from_slice(&(number << 40).to_le_bytes());
        keys.push(key);
    }
    let ring = Ring::new(keys.clone(), verifier(Path::best()), 0, &Workers::none()).unwrap();
    for (entry, key) in keys.iter().enumerate().step_by(37) {
        let mut token = SIGNERS[0].token(&claims(1).encode());
        token[3..16].copy_from_slice(&key.header);
        let opened = open_one(&ring, encode(96, &token).as_bytes());
        assert_eq!((opened.code, opened.entry), (Code::SignatureInvalid, entry as u16));
    }
}

#[test]
fn lines_end_at_line_feeds_alone() {
    let lines = |buffer| {
        let lines = Lines::new(buffer);
        (0..lines.len()).map(|at| lines.text(at).to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(lines(b""), [b""; 0]);
    assert_eq!(lines(b"\n"), [b""]);
    assert_eq!(lines(b"a"), [b"a"]);
    assert_eq!(lines(b"a\n"), [b"a"]);
    assert_eq!(lines(b"a\r\n\nb\x0bc"), [&b"a\r"[..], b"", b"b\x0bc"]);
    let partial = Lines::whole(b"a\nbc\nd");
    assert_eq!((partial.len(), partial.consumed(), partial.text(1)), (2, 5, &b"bc"[..]));
    assert_eq!(Lines::new(b"a\nbc\nd").consumed(), 6);
    assert_eq!(Lines::whole(b"abc").consumed(), 0);
    assert_eq!(partial.text(2), b"");
}

#[test]
fn a_buffer_of_lines_is_a_batch() {
    let cases: Vec<_> = cases().into_iter().filter(|case| !case.text.contains('\n')).collect();
    let text: Vec<_> = cases.iter().map(|case| case.text.as_str()).collect();
    let joined = text.join("\n");
    let columns = open_batch(&RING, &Lines::new(joined.as_bytes()), &Workers::none());
    assert_eq!(columns, open_batch(&RING, &text, &Workers::none()));
}

/// The ring's keys, each with a scope that refuses some claims of [`dated`].
fn scoped_keys() -> Vec<Key> {
    let mut keys = keys();
    for (at, key) in (0..).zip(&mut keys) {
        let withdrawn = (at % 2 == 1).then_some(NOW + 70);
        let places = vec![(0, 300_000), (400_000, 1_000_000)];
        key.scope = Scope::new(NOW + 5, NOW + 90, withdrawn, places).unwrap();
    }
    keys
}

/// Claims of which some `number` up to 100 is refused by each rule of steps 6 and 7.
fn dated(number: u32) -> Claims {
    let mut claims = claims(number);
    claims.expires_at = claims.issued_at + 40 + number % 3;
    claims
}

#[test]
fn time_and_scope_are_judged_with_the_rest() {
    let keys = scoped_keys();
    let scopes: Vec<_> = keys.iter().map(|key| key.scope.clone()).collect();
    let limits = Limits { skew: 3, max_lifetime: 41 };
    let ring =
        Ring::new(keys, verifier(Path::best()), Ring::TABLE_BYTES, &Workers::none()).unwrap();
    let mut texts = vec![];
    let mut times = vec![];
    let mut expected = vec![];
    for number in 0..100_u32 {
        let (entry, claims) = (number as usize % SIGNERS.len(), dated(number));
        let now = NOW + i64::from(number * 37 % 160);
        let code = validity::check(&claims, &scopes[entry], now, limits);
        texts.push(SIGNERS[entry].text(&claims));
        times.push(now);
        expected.push(Opened { code, entry: entry as u16, profile: 1, claims });
    }
    for code in [0, 97, 98, 99, 113, 114, 115] {
        assert!(expected.iter().any(|opened| opened.code.number() == code), "{code}");
    }
    // A text that was refused before step 6 has no claims, at whatever time.
    for case in cases().into_iter().filter(|case| case.expected.profile == 0) {
        texts.push(case.text);
        times.push(i64::MIN);
        expected.push(case.expected);
    }
    for ((text, &now), expected) in texts.iter().zip(&times).zip(&expected) {
        assert_eq!(ybtoken_engine::open_one(&ring, text.as_bytes(), now, limits), *expected);
    }
    // More than one chunk, so that the times of later chunks matter.
    let count = CHUNK + 700;
    let many: Vec<_> = texts.iter().cycle().take(count).collect();
    let each: Vec<_> = times.iter().cycle().take(count).map(|now| now.to_le_bytes()).collect();
    for threads in [1, 3] {
        let workers = Workers::new(threads).unwrap();
        let columns =
            ybtoken_engine::open_batch(&ring, &many, Now::Each(&each), limits, &workers).unwrap();
        for (at, expected) in expected.iter().cycle().take(count).enumerate() {
            assert_eq!(row(&columns, at), *expected, "{threads} threads: {at}");
        }
    }
}

#[test]
fn there_is_a_time_and_a_row_for_each_text() {
    let texts = [good(0, 1).text, good(1, 2).text];
    let open = |rows, now| {
        let mut columns = Columns::new(rows);
        let memory = columns.as_mut();
        open_into(&RING, &texts[..], now, LENIENT, memory, &Workers::none()).map(|()| columns.codes)
    };
    let times = [NOW.to_le_bytes(); 3];
    assert_eq!(open(2, Now::Each(&times[..2])), Ok(vec![0, 0]));
    for (rows, now) in [
        (2, Now::Each(&times)),
        (2, Now::Each(&times[..1])),
        (1, Now::Same(NOW)),
        (3, Now::Same(NOW)),
    ] {
        assert_eq!(open(rows, now), Err(Mismatch));
    }
}

#[test]
fn columns_are_memory_of_the_callers() {
    let texts = [good(0, 1).text, good(1, 2).text];
    let mut memory: Vec<Vec<u8>> =
        Columns::LAYOUT.iter().map(|(_, width)| vec![0; 2 * width]).collect();
    let slices = memory.iter_mut().map(Vec::as_mut_slice);
    let columns = ybtoken_engine::columns::ColumnsMut::from_slices(2, slices).unwrap();
    open_into(&RING, &texts[..], Now::Same(NOW), LENIENT, columns, &Workers::none()).unwrap();
    let expected = open_batch(&RING, &texts[..], &Workers::none());
    assert_eq!(memory[0], expected.codes);
    assert_eq!(memory[8], expected.identity_refs);

    let wrong = memory.iter_mut().map(Vec::as_mut_slice);
    assert!(ybtoken_engine::columns::ColumnsMut::from_slices(3, wrong).is_none());
    let short = memory.iter_mut().map(Vec::as_mut_slice).take(14);
    assert!(ybtoken_engine::columns::ColumnsMut::from_slices(2, short).is_none());
}

proptest! {
    #[test]
    fn any_bytes_get_one_answer_and_no_panic(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..40),
    ) {
        let columns = open_batch(&RING, &texts, &Workers::none());
        for (at, text) in texts.iter().enumerate() {
            prop_assert_eq!(row(&columns, at), open_one(&RING, text));
        }
    }

    #[test]
    fn any_token_under_a_known_header_gets_one_answer(
        entry in 0..6_usize,
        rest in prop::collection::vec(any::<u8>(), 24..250),
    ) {
        let header = &SIGNERS[entry].key.header;
        let mut token = vec![0xd2, 0x84, 0x40 | header.len() as u8];
        token.extend(header);
        token.extend([0xa0, 0x58, rest.len() as u8]);
        token.extend(&rest);
        token.extend([0x58, 0x40]);
        token.extend((0..64).map(|at| rest[at % rest.len()]));
        let text = encode(96, &token);
        let opened = open_one(&RING, text.as_bytes());
        let code = if text.len() > 800 { Code::TextLength } else { Code::SignatureInvalid };
        prop_assert_eq!(opened.code, code);
        let columns = open_batch(&RING, &[text][..], &Workers::none());
        prop_assert_eq!(row(&columns, 0), opened);
    }
}
