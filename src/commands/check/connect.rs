//! `hone check --connect`: what works at each upstream, found by asking it.
//!
//! A list of models, then at most three calls of at most 16 tokens each, in the dialect and form in
//! which hone asks. Where no dialect is set, one call more in each that hone would forward as it
//! came. Each upstream gets the key that the operator names for it, and no other.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hone_dialects::{Dialect, codec};
use hone_strategies::ModelError;
use hone_strategies::chat::Completion;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};

use self::question::Question;
use super::keys::{Key, Keys};
use crate::commands::status::Status;
use crate::config::{AuthSlot, Bounds, glob};
use crate::models;
use crate::request::plan::select;
use crate::snapshot::Snapshot;
use crate::tenant::{Credential, KeyHeader};
use crate::upstream::body::AnswerBody;
use crate::upstream::{Outgoing, Payload, Upstream, model};

mod question;

/// Calls of one upstream's models, those included that it refuses.
const MOST_CALLS: u32 = 3;
/// Tokens that each may write.
const MOST_TOKENS: u32 = 16;
/// An upstream that says nothing for so long is not asked on.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Characters of a provider's words that are shown.
const MOST_WORDS: usize = 300;
/// What stands in the names of models that do not chat.
const OTHER_MODELS: [&str; 9] = [
    "audio",
    "dall-e",
    "embed",
    "image",
    "moderation",
    "realtime",
    "rerank",
    "tts",
    "whisper",
];

/// Asks every upstream of `config`, and writes a line for each thing that works or does not.
/// `model` is asked instead of one that the upstream lists.
pub(super) async fn run(
    snapshot: &Snapshot,
    (keys, model): (&Keys, Option<&str>),
    out: &mut impl Write,
) -> io::Result<Status> {
    let mut status = Status::Done;
    for (index, upstream) in snapshot.upstreams.iter().enumerate() {
        let key = keys.of(index, &upstream.config);
        let mut trial = Trial::new((upstream, snapshot), key, out)?;
        trial.all(model).await?;
        if trial.failed {
            status = Status::Failed;
        }
    }
    Ok(status)
}

/// The questions to one upstream.
struct Trial<'a, W> {
    upstream: &'a Upstream,
    upstreams: &'a [Arc<Upstream>],
    bounds: &'a Bounds,
    headers: HeaderMap,
    key: Option<Key>,
    /// Whether the upstream has said anything to the last call of a model.
    is_heard: bool,
    /// Calls that may still be made.
    left: u32,
    /// The field that bounds an answer here.
    ceiling: &'static str,
    failed: bool,
    out: &'a mut W,
}

/// What came, whole.
struct Answer {
    status: StatusCode,
    body: Bytes,
}

/// What came to a call of a model.
enum Said {
    /// An answer, read as approaches read it, and whether it came as events.
    Answer(Completion, bool),
    /// Something that cannot be read as one, by its reason.
    Unreadable(String),
    /// A refusal.
    Refusal(Answer),
}

impl<'a, W: Write> Trial<'a, W> {
    fn new(
        (upstream, snapshot): (&'a Upstream, &'a Snapshot),
        key: Option<Key>,
        out: &'a mut W,
    ) -> io::Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let slot = upstream.config.slot(None);
        if let Some(key) = &key
            && let Some(header) = KeyHeader::new(slot, &key.secret)
        {
            Credential::Client(header).apply(&mut headers);
        }
        writeln!(
            out,
            "# {}: asking {} in {} {}",
            upstream.name(),
            upstream.config.base_url,
            upstream.config.dialect.name(),
            match (&key, slot) {
                (_, AuthSlot::None) => "without a key, as it needs none".to_owned(),
                (Some(key), _) => format!("with the key of {}", key.place),
                (None, _) => "without a key; name one with --key-env".to_owned(),
            }
        )?;
        Ok(Self {
            upstream,
            upstreams: &snapshot.upstreams,
            bounds: &snapshot.config.bounds,
            headers,
            key,
            is_heard: false,
            left: MOST_CALLS,
            ceiling: "max_tokens",
            failed: false,
            out,
        })
    }

    async fn all(&mut self, model: Option<&str>) -> io::Result<()> {
        let settings = &self.upstream.config;
        let listed = match self.ask(question::models(settings)).await {
            Ok(listed) => listed,
            Err(why) => return self.fails("URL", &why),
        };
        let tls = if settings.base_url.scheme_str() == Some("https") {
            "it answers, and its certificate is accepted"
        } else {
            "it answers, without TLS"
        };
        self.works("URL", tls)?;
        if self.rejects_the_key(&listed)? {
            return Ok(());
        }
        let names = match settings.dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => models::names(&listed.body),
            dialect => question::names(dialect, &listed.body),
        };
        self.tell_models(&listed, names.len())?;
        self.tell_mistaken(&names)?;
        let named = settings.models.iter().find(|name| !name.contains('*'));
        let fits = |name: &&String| {
            glob::matches_any(&settings.models, name)
                && !OTHER_MODELS.iter().any(|other| name.contains(other))
        };
        let model = model.or_else(|| {
            named
                .or_else(|| names.iter().find(fits))
                .map(|name| &**name)
        });
        let Some(model) = model else {
            let why = "no model to ask is known; name one with --model";
            return self.lacks(self.answers(), why);
        };
        if self.streams(model).await? {
            self.takes_n(model).await?;
            self.tells_logprobs(model).await?;
        }
        if self.is_heard && settings.is_dialect_open {
            self.speaks_others(model).await?;
        }
        Ok(())
    }

    /// What answers are called in the upstream's dialect.
    fn answers(&self) -> &'static str {
        match self.upstream.config.dialect {
            Dialect::OpenAiChat => "chat",
            dialect => dialect.name(),
        }
    }

    /// Asks in each dialect in which hone would forward a request as it came.
    async fn speaks_others(&mut self, model: &str) -> io::Result<()> {
        let own = self.upstream.config.dialect;
        let others = Dialect::ALL.into_iter();
        let may = |dialect: &Dialect| *dialect != own && self.upstream.config.may_speak(*dialect);
        for dialect in others.filter(may).collect::<Vec<_>>() {
            let fields = json!({"max_tokens": MOST_TOKENS, "stream": true});
            let asked = question::answer(&self.upstream.config, dialect, model, &fields);
            let why = match self.call(asked).await {
                Ok(Said::Answer(..)) => {
                    self.works(dialect.name(), "its clients' requests go out as they come")?;
                    continue;
                }
                Ok(said) => self.why(said),
                Err(why) => why,
            };
            let instead = "; hone asks in chat completions instead";
            self.lacks(dialect.name(), &(why + instead))?;
        }
        Ok(())
    }

    /// Tells of models that nobody reaches by their names, because these begin with an approach.
    fn tell_mistaken(&mut self, names: &[String]) -> io::Result<()> {
        let mistaken = names
            .iter()
            .filter_map(|name| Some((name, select::mistaken(self.upstreams, name)?)));
        for (name, approach) in mistaken.collect::<Vec<_>>() {
            let why = format!(
                "{name} would run the approach {approach}; write {name:?} into `models`, or let \
                 clients ask for none-{name}"
            );
            self.lacks("names", &why)?;
        }
        Ok(())
    }

    fn tell_models(&mut self, listed: &Answer, count: usize) -> io::Result<()> {
        if listed.status.is_success() && count > 0 {
            return self.works("models", &format!("{count} are listed"));
        }
        let words = self.words(listed);
        self.lacks("models", &format!("no list of them ({words})"))
    }

    /// Whether the key is refused, which ends the questions.
    fn rejects_the_key(&mut self, answer: &Answer) -> io::Result<bool> {
        // Google has another status for a key that it does not know.
        let codec = codec(self.upstream.config.dialect);
        let told = codec.decode_error(answer.status.as_u16(), &answer.body);
        let refused = !answer.status.is_success() && [401, 403].contains(&told.status);
        if refused {
            let words = self.words(answer);
            self.fails("key", &words)?;
        }
        Ok(refused)
    }

    /// Asks for a stream, and tells whether there is an answer at all.
    async fn streams(&mut self, model: &str) -> io::Result<bool> {
        let is_stream = match self.chat(model, json!({"stream": true})).await? {
            None => return Ok(false),
            Some(Said::Answer(_, is_stream)) => is_stream,
            Some(Said::Unreadable(why)) => {
                self.fails(self.answers(), &format!("{model}: {why}"))?;
                return Ok(false);
            }
            Some(Said::Refusal(answer)) => {
                if self.rejects_the_key(&answer)? {
                    return Ok(false);
                }
                let mut words = self.words(&answer);
                if answer.status == StatusCode::NOT_FOUND {
                    words.push_str(match self.upstream.config.dialect {
                        Dialect::Gemini => "; is the path of base_url right? Google's is empty",
                        _ => "; is the path of base_url right? Most end in /v1",
                    });
                }
                self.fails(self.answers(), &format!("{model}: {words}"))?;
                return Ok(false);
            }
        };
        if self.key.is_some() {
            self.works("key", "accepted")?;
        }
        self.works(self.answers(), &format!("{model} answers"))?;
        let how = if is_stream {
            "events, up to the end of the answer"
        } else {
            "the answer comes in one piece; approaches make a stream of it, relays do not"
        };
        self.works("streaming", how)?;
        Ok(true)
    }

    async fn takes_n(&mut self, model: &str) -> io::Result<()> {
        if let Dialect::Anthropic | Dialect::OpenAiResponses = self.upstream.config.dialect {
            let why = "its API has none; approaches make a call for each answer";
            return self.lacks("n", why);
        }
        let asked = json!({"n": 2, self.ceiling: MOST_TOKENS / 2});
        match self.chat(model, asked).await? {
            None => Ok(()),
            Some(Said::Answer(told, _)) if told.choices.len() > 1 => {
                self.works("n", "several answers to one call")
            }
            Some(Said::Answer(..)) => {
                self.lacks("n", "ignored; approaches make a call for each answer")
            }
            Some(said) => {
                let words = self.why(said);
                self.lacks("n", &words)
            }
        }
    }

    async fn tells_logprobs(&mut self, model: &str) -> io::Result<()> {
        const NEEDED: &str = "; approaches that weigh tokens do not work with this model";
        if self.upstream.config.dialect == Dialect::Anthropic {
            return self.lacks("logprobs", &format!("its API has none{NEEDED}"));
        }
        let asked = json!({"logprobs": true, "top_logprobs": 1});
        let words = match self.chat(model, asked).await? {
            None => return Ok(()),
            Some(Said::Answer(told, _)) if has_logprobs(&told) => {
                return self.works("logprobs", "with alternatives");
            }
            Some(Said::Answer(..)) => "ignored".to_owned(),
            Some(said) => self.why(said),
        };
        self.lacks("logprobs", &(words + NEEDED))
    }

    /// What is told of something that is no answer.
    fn why(&self, said: Said) -> String {
        match said {
            Said::Answer(..) => String::new(),
            Said::Unreadable(why) => why,
            Said::Refusal(answer) => self.words(&answer),
        }
    }

    /// One call of a model, and a second one if it bounds its answers by another field. `None` if
    /// no call is left, or none was answered.
    async fn chat(&mut self, model: &str, fields: Value) -> io::Result<Option<Said>> {
        loop {
            let Some(left) = self.left.checked_sub(1) else {
                return Ok(None);
            };
            self.left = left;
            let mut all = json!({self.ceiling: MOST_TOKENS});
            if let (Some(all), Value::Object(fields)) = (all.as_object_mut(), &fields) {
                all.extend(fields.clone());
            }
            let settings = &self.upstream.config;
            let dialect = settings.dialect;
            let asked = question::answer(settings, dialect, model, &all);
            let said = self.call(asked).await;
            self.is_heard = said.is_ok();
            let said = match said {
                Ok(said) => said,
                Err(why) => {
                    self.fails(self.answers(), &why)?;
                    return Ok(None);
                }
            };
            let refuses_ceiling = dialect == Dialect::OpenAiChat
                && self.ceiling == "max_tokens"
                && matches!(&said, Said::Refusal(answer) if answer.status.is_client_error()
                    && String::from_utf8_lossy(&answer.body).contains("max_tokens"));
            if !refuses_ceiling {
                return Ok(Some(said));
            }
            self.ceiling = "max_completion_tokens";
        }
    }

    /// Asks, and reads a refusal whole.
    async fn ask(&self, question: Question) -> Result<Answer, String> {
        in_time(async { whole(self.send(question).await?).await }).await
    }

    /// Asks a model, and reads its answer as approaches do.
    async fn call(&self, question: Result<Question, String>) -> Result<Said, String> {
        let mut question = question?;
        let foreign = question.foreign.take();
        in_time(async {
            let response = self.send(question).await?;
            if !response.status().is_success() {
                return whole(response).await.map(Said::Refusal);
            }
            let (answer, is_stream) = model::read(response, self.bounds, foreign).await;
            Ok(match answer {
                Ok(answer) => Said::Answer(answer, is_stream),
                Err(ModelError::Rejected(refused) | ModelError::RateLimited(refused)) => {
                    Said::Refusal(Answer {
                        status: StatusCode::from_u16(refused.status).unwrap_or(StatusCode::OK),
                        body: refused.body.clone(),
                    })
                }
                Err(error) => Said::Unreadable(error.to_string()),
            })
        })
        .await
    }

    async fn send(&self, question: Question) -> Result<Response<AnswerBody>, String> {
        let mut headers = self.headers.clone();
        headers.extend(question.headers);
        if !question.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let (path, query) = match question.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&*question.path, None),
        };
        let outgoing = Outgoing {
            method: question.method,
            path,
            query,
            headers,
            body: Payload::Buffered(question.body),
            slot: None,
        };
        let response = self.upstream.send(outgoing).await;
        response.map_err(|error| error.to_string())
    }

    /// The status, and what the provider says to it.
    fn words(&self, answer: &Answer) -> String {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = [
            "/error/message",
            "/0/error/message",
            "/message",
            "/detail",
            "/error",
        ]
        .iter()
        .find_map(|place| value.pointer(place)?.as_str().map(str::to_owned));
        let said = said.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
        let said: String = said.chars().filter(|c| !c.is_control()).collect();
        let mut said = self
            .key
            .as_ref()
            .map_or(said.clone(), |key| key.hide(&said));
        if let Some((end, _)) = said.char_indices().nth(MOST_WORDS) {
            said.truncate(end);
        }
        format!("{}: {said}", answer.status)
    }

    fn works(&mut self, what: &str, how: &str) -> io::Result<()> {
        self.say("works", what, how)
    }

    fn lacks(&mut self, what: &str, why: &str) -> io::Result<()> {
        self.say("lacks", what, why)
    }

    fn fails(&mut self, what: &str, why: &str) -> io::Result<()> {
        self.failed = true;
        self.say("FAILS", what, why)
    }

    fn say(&mut self, mark: &str, what: &str, more: &str) -> io::Result<()> {
        let name = self.upstream.name();
        writeln!(self.out, "# {name}: {mark} {what}: {more}")
    }
}

/// What comes of `asking`, which must not take long.
async fn in_time<T>(asking: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_elapsed| Err(format!("no answer within {PATIENCE:?}")))
}

/// An answer with all of its body.
async fn whole(response: Response<AnswerBody>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MOST_BYTES).collect().await;
    Ok(Answer {
        status: head.status,
        body: body.map_err(|error| error.to_string())?.to_bytes(),
    })
}

fn has_logprobs(answer: &Completion) -> bool {
    let first = answer
        .choices
        .first()
        .and_then(|choice| choice.logprobs.as_ref());
    first.is_some_and(|logprobs| logprobs.entries("content").next().is_some())
}
