use hone_dialects::Dialect;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;
use crate::config::{Config, Limits};

fn upstream(base_url: &str) -> Upstream {
    let text = format!("[[upstream]]\nname = \"u\"\nbase_url = \"{base_url}\"\n");
    let config = Config::parse(&text, &|_| None).unwrap();
    let fallback = Arc::new(Gate::new(Scope::Fallback, &Limits::default()));
    Upstream::new(
        Arc::clone(&config.upstreams[0]),
        fallback,
        &config.bounds,
        (Switch::Off, &hops::Name::random()),
        None,
    )
    .unwrap()
}

#[test]
fn only_a_private_upstream_learns_which_hones_a_request_has_passed() {
    let via = |base_url: &str| {
        let name = HeaderValue::from_static("1.1 hone-0123456789abcdef");
        let client = HeaderMap::from_iter([(http::header::VIA, name)]);
        let sent = upstream(base_url).headers((&client, Dialect::OpenAiChat), Coding::Identity);
        sent.get(http::header::VIA).cloned()
    };
    for public in ["https://api.openai.com/v1", "http://198.51.100.7:8000"] {
        assert_eq!(via(public), None, "{public}");
    }
    for private in [
        "http://127.0.0.1:1/v1",
        "http://10.0.0.1/v1",
        "http://ollama",
    ] {
        assert!(via(private).is_some(), "{private}");
    }
}

#[tokio::test]
async fn an_upstream_that_takes_a_connection_is_reachable_before_it_has_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = upstream(&format!("http://{}/v1", listener.local_addr().unwrap()));
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    for _ in 0..5 {
        upstream.breaker.unreachable(&cause::Cause::of(&refused));
    }
    assert!(upstream.breaker.check().is_err());
    let request = upstream.request(
        Method::GET,
        upstream.uri("models", None).unwrap(),
        HeaderMap::new(),
        OutBody::buffered(Bytes::new()),
    );
    // The trial of a breaker that is half open; this upstream never answers it.
    let trial = upstream.client.send(request);
    let heard = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap()
    };
    tokio::select! {
        _ = trial => panic!("nobody answers"),
        byte = heard => assert_eq!(byte, b'G'),
    }
    assert_eq!(upstream.standing(), Standing::Ok);
}
