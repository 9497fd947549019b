//! Whom to ask, and with whose key.

use std::io;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::args::EvalArgs;
use super::client::Client;
use crate::app::App;
use crate::config::{AuthSlot, Config};

/// Whom to ask, with the hone in between that runs the approaches.
pub(super) struct Endpoint {
    pub(super) client: Client,
    hone: Option<App>,
}

impl Endpoint {
    pub(super) fn start(args: &EvalArgs) -> io::Result<Self> {
        let headers = credential(args)?;
        let endpoint = config(&args.base_url, args)?;
        if args.direct {
            return Ok(Self { client: Client::new(&endpoint, headers, args.timeout())?, hone: None });
        }
        let hone = App::start(endpoint).map_err(io::Error::other)?;
        let here = config(&format!("http://{}/v1", hone.address()), args)?;
        // The run's own deadline comes first, and its best answer so far after it.
        let client = Client::new(&here, headers, args.timeout() + GRACE)?;
        Ok(Self { client, hone: Some(hone) })
    }

    pub(super) async fn stop(self) {
        if let Some(hone) = self.hone {
            hone.shutdown().await;
        }
    }
}

/// How much longer than an approach its client waits.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

fn config(base_url: &str, args: &EvalArgs) -> io::Result<Config> {
    let text = format!(
        "listen = \"127.0.0.1:0\"\n\
         [[upstream]]\nname = \"endpoint\"\nbase_url = {base_url:?}\nauth = \"{}\"\n\
         [bounds]\nstrategy_deadline = \"{}s\"\nqueue_wait = \"{}s\"\n",
        args.auth.as_str(),
        args.timeout.max(1),
        args.timeout.max(1),
    );
    Config::parse(&text, &|_| None).map_err(io::Error::other)
}

/// The key, in the slot where the endpoint reads it.
fn credential(args: &EvalArgs) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let (name, prefix) = match args.auth {
        AuthSlot::None => return Ok(headers),
        AuthSlot::Bearer => (http::header::AUTHORIZATION, "Bearer "),
        AuthSlot::XApiKey => (HeaderName::from_static("x-api-key"), ""),
        AuthSlot::ApiKey => (HeaderName::from_static("api-key"), ""),
        AuthSlot::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), ""),
    };
    let missing = || io::Error::other(format!("{} holds no key; name another variable with --key-env, or say --auth none", args.key_env));
    let key = crate::config::environment(&args.key_env).ok_or_else(missing)?;
    let unusable = |_error| io::Error::other(format!("the key in {} cannot stand in a header", args.key_env));
    let mut value = HeaderValue::try_from(format!("{prefix}{}", key.trim())).map_err(unusable)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}
