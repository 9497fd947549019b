//! One request and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::SERVER;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::json;

use crate::ask::Ask;
use crate::auth;
use crate::chance::{Chance, Dice};
use crate::config::SimConfig;
use crate::endpoints::chat::{self, Endpoint};
use crate::endpoints::files::{self, Upload};
use crate::endpoints::gemini::{self, Asked};
use crate::endpoints::{embeddings, media, messages, models, responses};
use crate::fault::{Fault, Injection};
use crate::key;
use crate::knobs::Knobs;
use crate::refusal::Refusal;
use crate::routes::Route;
use crate::script::hints::Hints;
use crate::script::{Aborted, Before, Script, ScriptBody};
use crate::stats::{Recorded, Served};
use crate::voice::{Dialect, Voice};

/// The provider behind all connections.
#[derive(Debug, Clone)]
pub(crate) struct Provider(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    base_path: String,
    models: Vec<String>,
    settings: ArcSwap<Settings>,
    ledger: Arc<Served>,
    chance: Chance,
}

/// Knobs, and how often each of their injections has happened.
#[derive(Debug)]
struct Settings {
    knobs: Knobs,
    injected: Vec<AtomicU64>,
}

impl Settings {
    fn new(knobs: Knobs) -> Self {
        let injected = knobs.faults.iter().map(|_| AtomicU64::new(0)).collect();
        Self { knobs, injected }
    }

    /// The fault that happens to a request, if any.
    fn fault(&self, endpoint: &str, dice: &mut Dice) -> Option<&Fault> {
        let happens = |(injection, count): (&Injection, &AtomicU64), dice: &mut Dice| {
            let here = injection
                .endpoint
                .as_deref()
                .is_none_or(|only| only == endpoint);
            here && dice.happens(injection.rate)
                && injection
                    .limit
                    .is_none_or(|limit| count.fetch_add(1, Ordering::Relaxed) < limit)
        };
        self.knobs
            .faults
            .iter()
            .zip(&self.injected)
            .find(|pair| happens(*pair, dice))
            .map(|(injection, _)| &injection.fault)
    }
}

impl Provider {
    pub(crate) fn new(config: SimConfig) -> Self {
        Self(Arc::new(Shared {
            base_path: config.base_path,
            models: config.models,
            settings: ArcSwap::from_pointee(Settings::new(config.knobs)),
            ledger: Arc::new(Served::new(config.record)),
            chance: Chance::new(config.seed),
        }))
    }

    pub(crate) fn ledger(&self) -> &Arc<Served> {
        &self.0.ledger
    }

    pub(crate) fn set(&self, knobs: Knobs) {
        self.0.settings.store(Arc::new(Settings::new(knobs)));
    }

    /// Answers a request. Dropping the future, or the body that it returns, counts as the client's
    /// going away.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        hints: &Hints,
    ) -> Result<Response<ScriptBody>, Aborted> {
        let (head, body) = request.into_parts();
        let route = Route::of(&head.method, head.uri.path(), &self.0.base_path);
        let flight = if route.is_control() {
            Served::unobserved()
        } else {
            self.ledger()
                .begin(route.name(), &key::keys(&head.headers, head.uri.query()))
        };
        let script = if route.is_upload() {
            let upload = Upload::receive(body).await?;
            self.ledger()
                .received(|| Recorded::new(&head, Bytes::new()));
            self.script(&route, &head, &Body::Upload(upload))
        } else {
            let bytes = body.collect().await?.to_bytes();
            match route {
                Route::Stats => Script::json(&json!(self.ledger().stats())),
                Route::Knobs => self
                    .turn(&head.method, &bytes)
                    .unwrap_or_else(|refusal| Script::refusal(&refusal, &refusal.body())),
                _ => {
                    self.ledger()
                        .received(|| Recorded::new(&head, bytes.clone()));
                    self.script(&route, &head, &Body::Whole(bytes))
                }
            }
        };
        script.play(flight, hints).await
    }

    /// Shows the knobs, after changing them if the request says so.
    fn turn(&self, method: &Method, body: &[u8]) -> Result<Script, Refusal> {
        if method == Method::POST {
            let invalid =
                |error: serde_json::Error| Refusal::invalid(format!("Invalid knobs: {error}"));
            let patch = serde_json::from_slice(body).map_err(invalid)?;
            self.set(
                self.0
                    .settings
                    .load()
                    .knobs
                    .patched(patch)
                    .map_err(invalid)?,
            );
        }
        Ok(Script::json(&json!(self.0.settings.load().knobs)))
    }

    /// The whole answer to a request: what the endpoint says, with headers, latency and faults.
    fn script(&self, route: &Route, head: &Parts, body: &Body) -> Script {
        let settings = self.0.settings.load();
        let mut dice = self.0.chance.dice(body.identity());
        let asked = body.ask(route, &settings.knobs);
        let own = match &asked {
            Ok(Some(ask)) if ask.knobs != settings.knobs => Some(Settings::new(ask.knobs.clone())),
            _ => None,
        };
        let settings = own.as_ref().unwrap_or(&settings);
        let latency = settings.knobs.latency.draw(&mut dice);
        let fault = settings.fault(route.name(), &mut dice);
        let only = settings.knobs.speaks;
        let dialect = only.unwrap_or_else(|| route.dialect(&head.headers));
        let is_served = only.is_none_or(|only| route.is_of(only));
        let answer = is_served
            .then_some(())
            .ok_or_else(|| nothing(head))
            .and_then(|()| auth::check(&settings.knobs, dialect, head))
            .and(asked)
            .and_then(|ask| match ask {
                Some(mut ask) => {
                    ask.fault = fault.cloned();
                    endpoint(route, &ask, head, &mut dice)
                }
                None => self.other(route, dialect, head, body),
            });
        let manners = settings.knobs.manners();
        let voice = Voice::new(dialect, manners.form, dice.number());
        let mut script = answer.unwrap_or_else(|refusal| voice.refuse(&refusal));
        script
            .headers
            .extend(voice.headers(manners.has_openai_headers));
        let server = manners.server.map(HeaderValue::from_static);
        script.headers.extend(server.map(|server| (SERVER, server)));
        if !latency.is_zero() {
            script.before.insert(0, Before::Wait(latency));
        }
        match fault {
            Some(fault) => {
                self.ledger().fault(fault.kind());
                fault.apply(script, &voice)
            }
            None => script,
        }
    }

    /// The answer of endpoints that take no JSON.
    fn other(
        &self,
        route: &Route,
        dialect: Dialect,
        head: &Parts,
        body: &Body,
    ) -> Result<Script, Refusal> {
        match (route, body) {
            (Route::Models | Route::GeminiModels, _) => {
                Ok(Script::json(&models::list(dialect, &self.0.models)))
            }
            (Route::Model(name) | Route::GeminiModel(name), _) => {
                let known = self.0.models.contains(name).then_some(name);
                let known = known.ok_or_else(|| models::unknown(dialect, name))?;
                Ok(Script::json(&models::one(dialect, known)))
            }
            (Route::FileContent(id), _) => files::content(id, &head.headers),
            (Route::UploadFile, Body::Upload(upload)) => Ok(upload.file()),
            (Route::Transcriptions, Body::Upload(upload)) => Ok(upload.transcription()),
            _ => Err(nothing(head)),
        }
    }
}

/// There is no such endpoint.
fn nothing(head: &Parts) -> Refusal {
    let message = format!("Invalid URL ({} {})", head.method, head.uri.path());
    Refusal::new(StatusCode::NOT_FOUND, message)
}

/// What a request carried.
#[derive(Debug)]
enum Body {
    Whole(Bytes),
    Upload(Upload),
}

impl Body {
    /// What makes this body equal to another.
    fn identity(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Upload(upload) => &upload.sha256,
        }
    }

    fn ask(&self, route: &Route, knobs: &Knobs) -> Result<Option<Ask>, Refusal> {
        match self {
            Self::Whole(bytes) if route.takes_json() => Ask::parse(bytes, knobs).map(Some),
            Self::Whole(_) | Self::Upload(_) => Ok(None),
        }
    }
}

/// The answer of endpoints that take JSON.
fn endpoint(route: &Route, ask: &Ask, head: &Parts, dice: &mut Dice) -> Result<Script, Refusal> {
    match route {
        Route::Completions => chat::answer(Endpoint::Text, ask, dice),
        Route::CountTokens => messages::count(ask, &head.headers),
        Route::Embeddings => embeddings::answer(ask),
        Route::Gemini { model, verb } => {
            gemini::answer(ask, &Asked::new(model, *verb, head.uri.query()), dice)
        }
        Route::Images => media::images(ask),
        Route::InputTokens => responses::count(ask),
        Route::Messages => messages::answer(ask, &head.headers, dice),
        Route::Moderations => Ok(media::moderations(ask)),
        Route::Responses => responses::answer(ask, dice),
        Route::Speech => media::speech(ask),
        _ => chat::answer(Endpoint::Chat, ask, dice),
    }
}
