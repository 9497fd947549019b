//! The rows, and their text for the documents.

use std::fmt::Write;

use super::Verb::{Delete, Get, Post};
use super::{Confined, Fallback, Kind, Meter, Need, Row, Verb, fields};
use crate::usage::Api;

/// Every known endpoint. Of two paths that fit one request the one with fewer names in braces
/// stands first.
pub(crate) static ROWS: &[Row] = &[
    at(Post, "chat/completions")
        .kind(Kind::Chat)
        .generates(Api::ChatCompletions)
        .fallback(Fallback::Fields(fields::CHAT)),
    at(Post, "responses")
        .kind(Kind::Responses)
        .generates(Api::Responses)
        .fallback(Fallback::Fields(fields::RESPONSES)),
    at(Post, "messages")
        .kind(Kind::Messages)
        .generates(Api::Messages)
        .fallback(Fallback::Fields(fields::MESSAGES)),
    at(Post, "embeddings")
        .kind(Kind::Embeddings)
        .generates(Api::Embeddings)
        .fallback(Fallback::Fields(fields::EMBEDDINGS)),
    at(Post, "completions")
        .kind(Kind::Completions)
        .generates(Api::Completions)
        .fallback(Fallback::Fields(fields::COMPLETIONS)),
    // Google's calls of a model, below `/v1beta`, too.
    at(Post, "models/{model}:generateContent")
        .kind(Kind::GenerateContent)
        .generates(Api::Gemini)
        .fallback(Fallback::Fields(fields::GOOGLE)),
    at(Post, "models/{model}:streamGenerateContent")
        .kind(Kind::StreamGenerateContent)
        .generates(Api::Gemini)
        .fallback(Fallback::Fields(fields::GOOGLE)),
    at(Post, "models/{model}:countTokens")
        .kind(Kind::CountTokens)
        .confined(Confined::ByModel)
        .json()
        .fallback(Fallback::Fields(fields::GOOGLES_COUNT)),
    // Models.
    at(Get, "models")
        .kind(Kind::Models)
        .confined(Confined::Listed)
        .fallback(Fallback::Served),
    at(Get, "models/{model}")
        .kind(Kind::Models)
        .confined(Confined::Listed),
    at(Delete, "models/{model}").kind(Kind::Models),
    // What makes other things than text, and what counts.
    at(Post, "moderations")
        .confined(Confined::ByModel)
        .fallback(Fallback::Fields(fields::MODERATIONS)),
    at(Post, "audio/speech")
        .confined(Confined::ByModel)
        .fallback(Fallback::Fields(fields::SPEECH)),
    at(Post, "audio/transcriptions")
        .confined(Confined::ByModel)
        .fallback(Fallback::Form(fields::TRANSCRIPTIONS)),
    at(Post, "audio/translations")
        .confined(Confined::ByModel)
        .fallback(Fallback::Form(fields::TRANSLATIONS)),
    at(Post, "images/generations")
        .confined(Confined::ByModel)
        .fallback(Fallback::Fields(fields::IMAGES)),
    at(Post, "images/edits")
        .confined(Confined::ByModel)
        .fallback(Fallback::Form(fields::EDITS)),
    at(Post, "images/variations")
        .confined(Confined::ByModel)
        .fallback(Fallback::Form(fields::VARIATIONS)),
    at(Post, "messages/count_tokens")
        .kind(Kind::CountMessages)
        .confined(Confined::ByModel)
        .json()
        .fallback(Fallback::Fields(fields::MESSAGES)),
    at(Post, "responses/input_tokens")
        .kind(Kind::CountInput)
        .confined(Confined::ByModel)
        .json()
        .fallback(Fallback::Fields(fields::RESPONSES)),
    at(Post, "responses/compact")
        .generates(Api::Responses)
        .confined(Confined::ByModel),
    // What is stored.
    at(Get, "responses/{id}"),
    at(Delete, "responses/{id}"),
    at(Post, "responses/{id}/cancel"),
    at(Get, "responses/{id}/input_items"),
    at(Get, "chat/completions"),
    at(Get, "chat/completions/{id}"),
    at(Post, "chat/completions/{id}"),
    at(Delete, "chat/completions/{id}"),
    at(Get, "chat/completions/{id}/messages"),
    at(Post, "conversations"),
    at(Get, "conversations/{id}"),
    at(Post, "conversations/{id}"),
    at(Delete, "conversations/{id}"),
    at(Get, "conversations/{id}/items"),
    at(Post, "conversations/{id}/items"),
    at(Get, "conversations/{id}/items/{id}"),
    at(Delete, "conversations/{id}/items/{id}"),
    at(Get, "files"),
    at(Post, "files"),
    at(Get, "files/{id}"),
    at(Delete, "files/{id}"),
    at(Get, "files/{id}/content"),
    at(Post, "uploads"),
    at(Post, "uploads/{id}/parts"),
    at(Post, "uploads/{id}/complete"),
    at(Post, "uploads/{id}/cancel"),
    at(Get, "vector_stores"),
    at(Post, "vector_stores"),
    at(Get, "vector_stores/{id}"),
    at(Post, "vector_stores/{id}"),
    at(Delete, "vector_stores/{id}"),
    at(Post, "vector_stores/{id}/search"),
    at(Get, "vector_stores/{id}/files"),
    at(Post, "vector_stores/{id}/files"),
    at(Get, "vector_stores/{id}/files/{id}"),
    at(Post, "vector_stores/{id}/files/{id}"),
    at(Delete, "vector_stores/{id}/files/{id}"),
    at(Get, "vector_stores/{id}/files/{id}/content"),
    at(Post, "vector_stores/{id}/file_batches"),
    at(Get, "vector_stores/{id}/file_batches/{id}"),
    at(Post, "vector_stores/{id}/file_batches/{id}/cancel"),
    at(Get, "vector_stores/{id}/file_batches/{id}/files"),
    // What runs later.
    at(Get, "batches"),
    at(Post, "batches"),
    at(Get, "batches/{id}"),
    at(Post, "batches/{id}/cancel"),
    at(Get, "messages/batches"),
    at(Post, "messages/batches"),
    at(Get, "messages/batches/{id}"),
    at(Delete, "messages/batches/{id}"),
    at(Post, "messages/batches/{id}/cancel"),
    at(Get, "messages/batches/{id}/results"),
    at(Get, "fine_tuning/jobs"),
    at(Post, "fine_tuning/jobs").has_model(),
    at(Get, "fine_tuning/jobs/{id}"),
    at(Post, "fine_tuning/jobs/{id}/cancel"),
    at(Post, "fine_tuning/jobs/{id}/pause"),
    at(Post, "fine_tuning/jobs/{id}/resume"),
    at(Get, "fine_tuning/jobs/{id}/events"),
    at(Get, "fine_tuning/jobs/{id}/checkpoints"),
    at(Get, "videos"),
    at(Post, "videos").has_model(),
    at(Get, "videos/{id}"),
    at(Delete, "videos/{id}"),
    at(Get, "videos/{id}/content"),
    at(Post, "videos/{id}/remix"),
];

/// A row that allows nothing and counts nothing.
const fn at(method: Verb, path: &'static str) -> Row {
    Row {
        method,
        path,
        kind: Kind::Other,
        meter: Meter::Free,
        confined: Confined::Refused,
        fallback: Fallback::Refused,
        body: Need::Anything,
        has_model: false,
    }
}

impl Row {
    const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Generates tokens by a model that its JSON names.
    const fn generates(self, api: Api) -> Self {
        Self {
            meter: Meter::Usage(api),
            confined: Confined::ByModel,
            body: Need::Json,
            has_model: true,
            ..self
        }
    }

    const fn confined(self, confined: Confined) -> Self {
        let has_model = self.has_model || matches!(confined, Confined::ByModel);
        Self {
            confined,
            has_model,
            ..self
        }
    }

    const fn json(self) -> Self {
        Self {
            body: Need::Json,
            ..self
        }
    }

    const fn has_model(self) -> Self {
        Self {
            has_model: true,
            ..self
        }
    }

    const fn fallback(self, fallback: Fallback) -> Self {
        Self { fallback, ..self }
    }
}

/// The table as Markdown, and the fields that a fallback key serves.
pub fn document() -> String {
    let mut text = String::from(
        "| endpoint | token limits | tenants with `models` | fallback key | body |\n\
         |---|---|---|---|---|\n",
    );
    for row in ROWS {
        let [meter, confined, fallback, body] = words(row);
        let (method, path) = (row.method.word(), row.path);
        // Writing to a string cannot fail.
        let _written = writeln!(
            text,
            "| `{method} /v1/{path}` | {meter} | {confined} | {fallback} | {body} |"
        );
    }
    text.push_str("\n| with a fallback key, at | fields |\n|---|---|\n");
    let lists = ROWS.iter().filter_map(|row| match row.fallback {
        Fallback::Fields(names) => Some((row.path, None, names)),
        Fallback::Form(form) => Some((row.path, Some(form.files), form.texts)),
        Fallback::Refused | Fallback::Served => None,
    });
    for (path, files, names) in lists.chain([("…", None, fields::SAMPLING)]) {
        let files = files.map(|files| format!("files `{}`; ", files.join("`, `")));
        let (files, names) = (files.unwrap_or_default(), names.join("`, `"));
        let _written = writeln!(text, "| `{path}` | {files}`{names}` |");
    }
    text
}

fn words(row: &Row) -> [&'static str; 4] {
    let meter = match row.meter {
        Meter::Free => "–",
        Meter::Usage(_) => "`usage`",
        Meter::Bytes => "`usage`, else bytes",
    };
    let confined = match row.confined {
        Confined::ByModel if row.kind.is_google() => "the model in the path",
        Confined::ByModel => "the model in the body",
        Confined::Listed => "the models they may use",
        Confined::Refused => "–",
    };
    let fallback = match row.fallback {
        Fallback::Fields(_) => "listed fields",
        Fallback::Form(_) => "listed fields of a form",
        Fallback::Refused => "–",
        Fallback::Served => "yes",
    };
    let body = match row.body {
        Need::Anything => "any",
        Need::Json => "JSON",
    };
    [meter, confined, fallback, body]
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}
