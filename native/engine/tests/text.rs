//! Step 1: the text rules.

mod common;

use proptest::prelude::*;
use ybtoken_engine::Code;
use ybtoken_engine::Simd;
use ybtoken_engine::text::{MAX_TEXT, MAX_TOKEN, TokenBuffer, decode, encode};

/// Miri is slow, so under it long series are tested with this step.
const STEP: usize = if cfg!(miri) { 29 } else { 1 };

fn decoded(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Code> {
    let [plain, by_lanes] = [None, Simd::avx2()].map(|simd| {
        let mut out: TokenBuffer = [0xa5; _];
        decode(simd, text.as_ref(), &mut out).map(|length| out[..length].to_vec())
    });
    assert_eq!(by_lanes, plain);
    plain
}

/// `body` followed by the check digits that fit it.
fn checked(body: &str) -> String {
    let residue = body.bytes().fold(0, |sum, digit| (sum * 10 + u32::from(digit - b'0')) % 97);
    format!("{body}{:02}", 98 - residue * 100 % 97)
}

#[test]
fn every_size_comes_back() {
    for size in (1..=MAX_TOKEN).step_by(STEP) {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let token = vec![byte; size];
            assert_eq!(decoded(encode(96, &token)), Ok(token));
        }
    }
}

#[test]
fn a_longer_token_has_too_long_a_text() {
    assert_eq!(decoded(encode(96, &[7; MAX_TOKEN + 1])), Err(Code::TextLength));
}

#[test]
fn length_is_tested_before_all() {
    assert_eq!(decoded("x".repeat(MAX_TEXT + 1)), Err(Code::TextLength));
    assert_eq!(decoded("x".repeat(MAX_TEXT)), Err(Code::TextPrefix));
    assert_eq!(decoded(format!("97{}", "0".repeat(MAX_TEXT))), Err(Code::TextLength));
}

#[test]
fn length_counts_characters_not_bytes() {
    assert_eq!(decoded("医".repeat(MAX_TEXT)), Err(Code::TextPrefix));
    assert_eq!(decoded(format!("96{}", "医".repeat(MAX_TEXT - 2))), Err(Code::TextDigits));
    assert_eq!(decoded("医".repeat(MAX_TEXT + 1)), Err(Code::TextLength));
    assert_eq!(decoded("𠮷".repeat(MAX_TEXT)), Err(Code::TextPrefix));
    assert_eq!(decoded("𠮷".repeat(MAX_TEXT + 1)), Err(Code::TextLength));
}

#[test]
fn prefix_is_tested_before_digits() {
    for text in ["", "9", "95x", "x", "69", "９６", " 96", "\n"] {
        assert_eq!(decoded(text), Err(Code::TextPrefix), "{text:?}");
    }
}

#[test]
fn a_long_number_without_its_beginning_is_no_other_code() {
    for text in ["1".repeat(41), "00".repeat(200), format!("6{}", "9".repeat(799))] {
        assert_eq!(decoded(&text), Err(Code::TextBeginning), "{text:?}");
    }
    for text in ["1".repeat(40), "95".repeat(21), format!("{}x", "1".repeat(50)), "９".repeat(41)]
    {
        assert_eq!(decoded(&text), Err(Code::TextPrefix), "{text:?}");
    }
}

#[test]
fn profiles_2_and_3_are_for_another_engine() {
    for text in ["97", "98", "97x", "9812345"] {
        assert_eq!(decoded(text), Err(Code::Undecided), "{text:?}");
    }
}

#[test]
fn only_ascii_digits_are_digits() {
    let good = checked("96000");
    assert_eq!(decoded(&good), Ok(vec![0]));
    for at in 2..good.len() {
        for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()).step_by(STEP) {
            let mut text = good.clone().into_bytes();
            text[at] = byte;
            assert_eq!(decoded(text), Err(Code::TextDigits), "{byte} at {at}");
        }
    }
    for text in ["96 00", "96+00000", "96_0000", "9600000\r", "96٠٠٠00", "960000\0"] {
        assert_eq!(decoded(text), Err(Code::TextDigits), "{text:?}");
    }
}

#[test]
fn length_is_by_the_table() {
    for groups in (0..=MAX_TEXT - 4).step_by(STEP) {
        let text = checked(&format!("96{}", "0".repeat(groups)));
        let bytes = [0, 3, 5, 8, 10, 13, 15].iter().position(|&digits| digits == groups % 17);
        match bytes {
            Some(bytes) if groups > 0 => {
                assert_eq!(decoded(text), Ok(vec![0; groups / 17 * 7 + bytes]));
            }
            _ => assert_eq!(decoded(text), Err(Code::TextLength), "{groups}"),
        }
    }
    for text in ["96", "961", "9612"] {
        assert_eq!(decoded(text), Err(Code::TextLength), "{text:?}");
    }
}

#[test]
fn every_group_is_below_its_power_of_256() {
    let widths = [(3, 1), (5, 2), (8, 3), (10, 4), (13, 5), (15, 6), (17, 7)];
    for (digits, bytes) in widths {
        let most = (1_u64 << (8 * bytes)) - 1;
        let text = |value: u64| checked(&format!("96{}{value:0digits$}", "0".repeat(34)));
        let mut token = vec![0; 14];
        token.extend_from_slice(&most.to_le_bytes()[..bytes]);
        assert_eq!(decoded(text(most)), Ok(token));
        assert_eq!(decoded(text(most + 1)), Err(Code::TextRange), "{bytes}");
        assert_eq!(decoded(text(10_u64.pow(digits as u32) - 1)), Err(Code::TextRange));
    }
    let first = checked(&format!("96{}{}", 1_u64 << 56, "0".repeat(34)));
    assert_eq!(decoded(first), Err(Code::TextRange));
    // An error of range is reported before one of the check digits.
    assert_eq!(decoded("9699999"), Err(Code::TextRange));
}

#[test]
fn a_token_has_one_pair_of_check_digits() {
    let mut aliased = 0;
    for byte in (0..=255_u8).step_by(STEP) {
        let good = encode(96, &[byte]);
        let (body, check) = good.split_at(good.len() - 2);
        for other in 0..100 {
            let text = format!("{body}{other:02}");
            if text == good {
                assert_eq!(decoded(text), Ok(vec![byte]));
                continue;
            }
            aliased += u32::from(other % 97 == check.parse::<u32>().unwrap() % 97);
            assert_eq!(decoded(text), Err(Code::TextCheck));
        }
    }
    assert!(aliased > 0 || cfg!(miri), "no byte has a check with an alias: the test tests nothing");
}

#[test]
fn one_wrong_digit_and_two_swapped_ones_are_seen() {
    let token: Vec<u8> = (0..137).collect();
    let good = encode(96, &token).into_bytes();
    assert_eq!(good.len(), 337);
    for at in (2..good.len()).step_by(STEP) {
        for digit in b'0'..=b'9' {
            let mut text = good.clone();
            text[at] = digit;
            assert_eq!(decoded(&text).is_ok(), text == good);
        }
        let mut text = good.clone();
        text.swap(at, at - 1);
        assert_eq!(decoded(&text).is_ok(), text == good);
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn digits_agree_with_ctap() {
    let Some(file) = common::vectors("digits/cable_base10.json") else {
        return;
    };
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    for case in file["good"].as_array().unwrap() {
        let token = hex::decode(case["bytes_hex"].as_str().unwrap()).unwrap();
        let text = checked(&format!("96{}", case["digits"].as_str().unwrap()));
        assert_eq!(encode(96, &token), text);
        if !token.is_empty() {
            assert_eq!(decoded(text), Ok(token));
        }
    }
    for case in file["bad"].as_array().unwrap() {
        let digits = case["digits"].as_str().unwrap();
        let body = format!("96{digits}");
        let ascii = digits.bytes().all(|digit| digit.is_ascii_digit());
        let text = if ascii { checked(&body) } else { format!("{body}00") };
        assert!(decoded(text).is_err(), "{case}");
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(token in prop::collection::vec(any::<u8>(), 1..=MAX_TOKEN)) {
        prop_assert_eq!(decoded(encode(96, &token)), Ok(token));
    }

    #[test]
    fn what_decodes_is_what_encodes(body in "[0-9]{0,60}", check in 0..100_u8) {
        let text = format!("96{body}{check:02}");
        if let Ok(token) = decoded(&text) {
            prop_assert_eq!(encode(96, &token), text);
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(text in prop::collection::vec(any::<u8>(), 0..900)) {
        let _ = decoded(text);
    }
}
