//! The parsers on the relay's path: looking into a body, changing its model, splitting and reading
//! a stream.
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot set up its input may panic"
)]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hone::request::envelope::{Edit, Envelope, splice};
use hone::sse::{Splitter, encode};
use hone::usage::{Api, UsageReader};
use serde_json::json;

const SIZES: [(&str, usize); 3] = [("1 KB", 1_000), ("100 KB", 100_000), ("5 MB", 5_000_000)];

/// A chat request of about `size` bytes: a conversation of messages of 1 KB, with the escapes that
/// prose has, and the model at the end, where it is found last.
fn body(size: usize) -> Bytes {
    let content = "A line of prose with \"quotes\",\nand a bit more of it. ".repeat(17);
    let messages: Vec<_> = (0..size.div_ceil(1_000))
        .map(|_| json!({"role": "user", "content": content}))
        .collect();
    Bytes::from(
        json!({"messages": messages, "temperature": 0.7, "stream": true, "model": "gpt-4o"})
            .to_string(),
    )
}

/// An answer of `events` events as providers stream it.
fn stream(events: usize) -> Bytes {
    let chunk = |delta: &serde_json::Value| {
        let data = json!({"id": "chatcmpl-0123456789", "object": "chat.completion.chunk",
            "created": 1_700_000_000, "model": "gpt-4o-2024-08-06",
            "system_fingerprint": "fp_0123456789",
                "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}],
                    "usage": null});
        encode::event(&data.to_string())
    };
    let text = chunk(&json!({"content": " token"}));
    let mut bytes: Vec<u8> = text
        .iter()
        .copied()
        .cycle()
        .take(text.len() * events)
        .collect();
    bytes.extend_from_slice(encode::DONE.as_bytes());
    Bytes::from(bytes)
}

fn bytes(body: &Bytes) -> Throughput {
    Throughput::Bytes(u64::try_from(body.len()).unwrap())
}

fn envelope(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("envelope");
    for (name, size) in SIZES {
        let body = body(size);
        group.throughput(bytes(&body));
        group.bench_with_input(BenchmarkId::new("peek", name), &body, |bencher, body| {
            bencher.iter(|| Envelope::peek(black_box(body)).unwrap().stream);
        });
        group.bench_with_input(
            BenchmarkId::new("splice model", name),
            &body,
            |bencher, body| {
                bencher.iter(|| {
                    splice(black_box(body), &[Edit::ReplaceModel("gpt-4o-mini")]).unwrap()
                });
            },
        );
    }
    group.finish();
}

fn sse(criterion: &mut Criterion) {
    const EVENTS: usize = 1_000;
    let stream = stream(EVENTS);
    let mut group = criterion.benchmark_group("sse");
    group.throughput(Throughput::Elements(u64::try_from(EVENTS).unwrap()));
    for chunk_size in [100, 16_384] {
        let chunks: Vec<_> = (0..stream.len())
            .step_by(chunk_size)
            .map(|at| stream.slice(at..stream.len().min(at + chunk_size)))
            .collect();
        group.bench_with_input(
            BenchmarkId::new("split", chunk_size),
            &chunks,
            |bencher, chunks| {
                bencher.iter(|| {
                    let mut splitter = Splitter::new(1 << 20);
                    chunks
                        .iter()
                        .map(|chunk| splitter.push(chunk.clone()).count())
                        .sum::<usize>()
                });
            },
        );
        group.bench_with_input(
            BenchmarkId::new("read usage", chunk_size),
            &chunks,
            |bencher, chunks| {
                bencher.iter(|| {
                    let mut reader = UsageReader::stream(Api::ChatCompletions, 1 << 20, 1);
                    for chunk in chunks {
                        reader.observe(chunk);
                    }
                    reader.finish()
                });
            },
        );
    }
    group.finish();
}

criterion_group!(parsers, envelope, sse);
criterion_main!(parsers);
