//! Any bytes decode to a token that encodes to them again, or are refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ybtoken_engine::Simd;
use ybtoken_engine::text::{TokenBuffer, decode, encode};

fuzz_target!(|text: &[u8]| {
    let mut buffer: TokenBuffer = [0; _];
    let simd = Simd::avx2();
    let plain = decode(None, text, &mut buffer);
    assert_eq!(decode(simd, text, &mut buffer), plain);
    if let Ok(length) = plain {
        assert_eq!(encode(96, &buffer[..length]).as_bytes(), text);
    }
    // Conversely, any bytes up to the length of a text are a token.
    let token = &text[..text.len().min(ybtoken_engine::text::MAX_TOKEN)];
    if !token.is_empty() {
        let length = decode(simd, encode(96, token).as_bytes(), &mut buffer)
            .expect("what is encoded decodes");
        assert_eq!(&buffer[..length], token);
    }
});
