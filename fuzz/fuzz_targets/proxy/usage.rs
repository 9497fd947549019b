//! Usage readers: no panic, and no way of cutting the response changes what it tells.
#![no_main]

use bytes::Bytes;
use hone::usage::{Api, Observed, UsageReader};
use libfuzzer_sys::fuzz_target;

const APIS: [Api; 7] = [
    Api::ChatCompletions,
    Api::Completions,
    Api::Any,
    Api::Embeddings,
    Api::Gemini,
    Api::Messages,
    Api::Responses,
];

fn read(mut reader: UsageReader, response: &[u8], size: usize) -> Observed {
    for chunk in response.chunks(size) {
        reader.observe(&Bytes::copy_from_slice(chunk));
    }
    reader.finish()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, response) = input;
    for api in APIS {
        for new in [
            |api| UsageReader::body(api, 4096, 1),
            |api| UsageReader::body(api, 4096, 2),
            |api| UsageReader::stream(api, 4096, 1),
        ] {
            let whole = read(new(api), response, usize::MAX);
            let cut = read(new(api), response, usize::from(size) + 1);
            assert_eq!(cut.reported, whole.reported);
            if response.len() <= 4096 {
                assert_eq!(cut, whole);
            }
        }
    }
});
