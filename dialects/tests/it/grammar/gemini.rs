//! Google's stream as its SDKs and its agent read it: what they would stumble over is a fault here.

use serde_json::Value;

/// How a stream ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// With a chunk that has the finish reasons, by candidates.
    Whole(Vec<String>),
    /// With an error; its status.
    Error(String),
}

/// What a stream says.
#[derive(Debug)]
pub(crate) struct Read {
    /// The parts of each candidate.
    pub(crate) candidates: Vec<Vec<Value>>,
    pub(crate) usage: Value,
    /// What stands in the last chunk beside the parts of the first candidate.
    pub(crate) last: Value,
    pub(crate) end: End,
}

impl Read {
    /// The parts of the only candidate; texts of one kind are joined.
    pub(crate) fn joined(&self) -> Vec<Value> {
        let mut joined: Vec<Value> = Vec::new();
        for part in &self.candidates[0] {
            match (joined.last_mut(), part["text"].as_str()) {
                (Some(last), Some(more))
                    if is_plain(last) && last["thought"] == part["thought"] =>
                {
                    let text = last["text"].as_str().expect("a text").to_owned() + more;
                    let mut whole = part.clone();
                    whole["text"] = text.into();
                    *last = whole;
                }
                _ => joined.push(part.clone()),
            }
        }
        joined.retain(|part| part["text"] != "" || part.get("thoughtSignature").is_some());
        joined
    }
}

fn is_plain(part: &Value) -> bool {
    part["text"].is_string() && part.get("thoughtSignature").is_none()
}

/// Reads a whole stream of events: nothing but `data:` lines, each with a blank line behind it. A
/// beat is a space in front of the data.
pub(crate) fn read(text: &str) -> Result<Read, String> {
    let mut chunks = Vec::new();
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        if line.is_empty() && lines.clone().next().is_none() {
            break;
        }
        let data = line
            .strip_prefix("data: ")
            .ok_or(format!("a line: {line}"))?;
        if lines.next() != Some("") {
            return Err(format!("an event of two lines: {line}"));
        }
        chunks.push(serde_json::from_str(data).map_err(|error| format!("{error}: {data}"))?);
    }
    if !text.ends_with("\n\n") {
        return Err("does not end with an event".to_owned());
    }
    chunks_of(&chunks)
}

/// Reads a whole stream that is one array.
pub(crate) fn read_array(text: &str) -> Result<Read, String> {
    let chunks: Vec<Value> =
        serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
    chunks_of(&chunks)
}

fn chunks_of(chunks: &[Value]) -> Result<Read, String> {
    let (mut candidates, mut ids): (Vec<Vec<Value>>, Vec<&Value>) = (Vec::new(), Vec::new());
    for (at, chunk) in chunks.iter().enumerate() {
        let is_last = at + 1 == chunks.len();
        let told = |why: String| format!("{why}: {chunk}");
        if let Some(error) = chunk.get("error") {
            let end = failure(error).map_err(told)?;
            return is_last
                .then_some(Read {
                    candidates,
                    usage: Value::Null,
                    last: Value::Null,
                    end,
                })
                .ok_or(told("an error before the end".to_owned()));
        }
        only(
            chunk,
            &["candidates", "modelVersion", "responseId", "usageMetadata"],
        )
        .map_err(told)?;
        if !chunk["modelVersion"].is_string() || !chunk["responseId"].is_string() {
            return Err(told("no model or id".to_owned()));
        }
        ids.push(&chunk["responseId"]);
        for candidate in chunk["candidates"]
            .as_array()
            .ok_or(told("no list".to_owned()))?
        {
            one(candidate, is_last, &mut candidates).map_err(told)?;
        }
    }
    ids.dedup();
    let last = chunks.last().ok_or("no chunk")?;
    let reasons = last["candidates"].as_array().ok_or("no list")?;
    let is_whole = ids.len() == 1 && reasons.len() == candidates.len();
    let counts = [
        "promptTokenCount",
        "candidatesTokenCount",
        "totalTokenCount",
    ];
    if !is_whole
        || !counts
            .iter()
            .all(|name| last["usageMetadata"][name].is_u64())
    {
        return Err(format!("an end that is none: {last}"));
    }
    let reason = |candidate: &Value| {
        candidate["finishReason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Read {
        candidates,
        usage: last["usageMetadata"].clone(),
        last: last["candidates"][0].clone(),
        end: End::Whole(reasons.iter().map(reason).collect()),
    })
}

fn failure(error: &Value) -> Result<End, String> {
    let is_right = error["code"].is_u64() && error["message"].is_string();
    let status = error["status"].as_str().filter(|_| is_right);
    Ok(End::Error(status.ok_or("no error")?.to_owned()))
}

fn only(value: &Value, names: &[&str]) -> Result<(), String> {
    let fields = value.as_object().ok_or("is no object")?;
    let unknown = fields.keys().find(|name| !names.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(format!("unknown `{name}`")))
}

/// A candidate of a chunk. Clients drop a turn whose last chunk has no parts or no reason.
fn one(candidate: &Value, is_last: bool, all: &mut Vec<Vec<Value>>) -> Result<(), String> {
    let names = [
        "content",
        "finishReason",
        "groundingMetadata",
        "index",
        "logprobsResult",
    ];
    only(candidate, &names)?;
    only(&candidate["content"], &["parts", "role"])?;
    let index = candidate["index"].as_u64().ok_or("no index")?;
    let index = usize::try_from(index).map_err(|error| error.to_string())?;
    let parts = candidate["content"]["parts"].as_array().ok_or("no parts")?;
    if parts.is_empty() || candidate["content"]["role"] != "model" {
        return Err("an empty turn".to_owned());
    }
    if candidate.get("finishReason").is_some_and(Value::is_string) != is_last {
        return Err("a finish reason before the end, or none at it".to_owned());
    }
    if all.len() <= index {
        all.resize(index + 1, Vec::new());
    }
    for part in parts {
        self::part(part)?;
        all[index].push(part.clone());
    }
    Ok(())
}

fn part(part: &Value) -> Result<(), String> {
    let fields = part.as_object().ok_or("is no object")?;
    if let Some(signature) = fields.get("thoughtSignature") {
        // The SDKs read it as bytes in standard base64.
        let text = signature.as_str().ok_or("a signature that is no text")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        if text.is_empty() || text.len() % 4 != 0 || !text.chars().all(fits) {
            return Err("a signature that is no base64".to_owned());
        }
    }
    if let Some(call) = fields.get("functionCall") {
        only(part, &["functionCall", "thoughtSignature"])?;
        only(call, &["args", "id", "name"])?;
        let is_right = call["args"].is_object() && call["name"].is_string();
        return is_right.then_some(()).ok_or("a call".to_owned());
    }
    if fields.contains_key("text") {
        only(part, &["text", "thought", "thoughtSignature"])?;
        let thought = fields.get("thought");
        let is_right = part["text"].is_string() && thought.is_none_or(|thought| *thought == true);
        return is_right.then_some(()).ok_or("a text".to_owned());
    }
    Ok(())
}
