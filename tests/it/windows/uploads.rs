//! Uploads that wait for their turn, on the listener's side.

use std::collections::BTreeMap;

use crate::support::frames::{
    Connection, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, SETTINGS, WINDOW_UPDATE, upload,
};
use crate::support::sim::{busy, stuck};
use crate::support::{chat_body, hone, upstream};

/// How many uploads wait: more than filled the windows of old.
const WAITING: u32 = 32;
/// The largest DATA frame that a peer must take.
const FRAME: usize = 16 * 1024;
const INITIAL_WINDOW_SIZE: u16 = 4;
/// `:status: 200` (RFC 7541).
const OK: u8 = 0x88;

/// What the peer lets a stream send, and the connection.
async fn windows(connection: &mut Connection) -> (usize, usize) {
    let settings = loop {
        let frame = connection.until(SETTINGS).await.expect("settings");
        if frame.flags == 0 {
            break frame.payload;
        }
    };
    let settings: BTreeMap<u16, u32> = settings
        .chunks_exact(6)
        .map(|setting| {
            let value = [setting[2], setting[3], setting[4], setting[5]];
            let name = u16::from_be_bytes([setting[0], setting[1]]);
            (name, u32::from_be_bytes(value))
        })
        .collect();
    let more = loop {
        let frame = connection.until(WINDOW_UPDATE).await.expect("a window");
        if frame.stream == 0 {
            break u32::from_be_bytes(frame.payload.try_into().expect("four bytes"));
        }
    };
    let stream = settings[&INITIAL_WINDOW_SIZE] as usize;
    (stream, 65_535 + more as usize)
}

/// Begins a request whose body is of this type.
async fn begin(connection: &mut Connection, stream: u32, path: &str, content_type: &str) {
    let block = upload(path, content_type);
    let head = Frame::new(HEADERS, END_HEADERS, stream, block);
    assert!(connection.send(&head).await);
}

#[tokio::test]
async fn uploads_that_wait_leave_the_other_streams_of_their_connection_their_window() {
    let (occupied, free) = (upstream().await, upstream().await);
    occupied.set(stuck());
    let hone = hone()
        .upstream_with(&occupied, |upstream| {
            upstream.set("concurrency", 1).models(&["taken"])
        })
        .upstream_with(&free, |upstream| upstream.named("free").takes_client_keys())
        .start();
    let occupant = hone.client("occupant");
    let occupant = tokio::task::spawn(async move { occupant.ask("taken").await });
    busy(&occupied).await;
    let mut connection = Connection::open(hone.address()).await;
    let (stream_window, mut connection_window) = windows(&mut connection).await;
    for index in 0..WAITING {
        let stream = 2 * index + 1;
        begin(&mut connection, stream, "/v1/files", "text/plain").await;
        let mut left = stream_window.min(connection_window);
        connection_window -= left;
        while left > 0 {
            let length = left.min(FRAME);
            let data = Frame::new(DATA, 0, stream, vec![b'x'; length]);
            assert!(connection.send(&data).await);
            left -= length;
        }
    }
    let body = chat_body("sim-small").to_string();
    assert!(connection_window >= body.len(), "{connection_window} left");
    let last = 2 * WAITING + 1;
    let (path, json) = ("/v1/chat/completions", "application/json");
    begin(&mut connection, last, path, json).await;
    let data = Frame::new(DATA, END_STREAM, last, body);
    assert!(connection.send(&data).await);
    let head = connection.until(HEADERS).await.expect("an answer");
    assert_eq!((head.stream, head.payload[0]), (last, OK));
    occupant.abort();
}
