//! The item of a client's stream that is being written.

use serde_json::{Value, json};

use super::events::Place;
use super::object::{self, Calls};
use super::said::parts;
use super::tools::Call;
use crate::blocks::Kind;
use crate::marks::envelope;
use crate::wire::json::str_of;

/// The item as far as it has come.
pub(super) struct Open {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) logprobs: Vec<Value>,
    /// Of a call, like the name.
    pub(super) call_id: String,
    pub(super) name: String,
}

/// What belongs to an item beside its text.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) calls: &'a Calls,
    /// The item as its maker wrote it.
    pub(super) native: Option<&'a Value>,
    pub(super) annotations: &'a [Value],
    pub(super) shows_encrypted: bool,
    pub(super) status: &'a str,
}

impl Open {
    pub(super) fn place(&self, output_index: usize) -> Place<'_> {
        Place {
            output_index,
            item_id: &self.id,
        }
    }

    /// The item as a client gets it.
    pub(super) fn item(&self, beside: Beside<'_>) -> Value {
        match self.kind {
            Kind::Reasoning => self.reasoning(beside),
            Kind::Refusal => {
                let part = object::refusal_part(&self.text);
                object::message(&self.id, beside.status, &[part])
            }
            Kind::Text => self.message(beside),
            Kind::Tool(_) => {
                let call = Call {
                    id: &self.call_id,
                    name: &self.name,
                    arguments: &self.text,
                };
                beside.calls.item(&self.id, call, beside.status)
            }
        }
    }

    fn reasoning(&self, beside: Beside<'_>) -> Value {
        let told = beside.native.map(|item| str_of(item, "encrypted_content"));
        let told = told.filter(|told| !told.is_empty()).map(str::to_owned);
        let own = || beside.native.is_none().then(envelope::seal_own);
        let encrypted = told.or_else(own).filter(|_| beside.shows_encrypted);
        let mut item = object::reasoning(&self.id, &self.text, encrypted);
        if self.text.is_empty()
            && let Some(fields) = item.as_object_mut()
        {
            let part = json!({"type": "summary_text", "text": ""});
            fields.insert("summary".to_owned(), json!([part]));
        }
        item
    }

    fn message(&self, beside: Beside<'_>) -> Value {
        let own = beside.native.and_then(|item| {
            let mut told = parts(item).filter_map(|part| part.get("annotations"));
            told.next()?.as_array()
        });
        let annotations = own.map_or(beside.annotations, Vec::as_slice);
        let part = object::text_part(&self.text, annotations, &self.logprobs);
        let mut item = object::message(&self.id, beside.status, &[part]);
        let phase = beside.native.and_then(|item| item.get("phase"));
        if let (Some(phase), Some(fields)) = (phase, item.as_object_mut()) {
            fields.insert("phase".to_owned(), phase.clone());
        }
        item
    }
}

/// The only part of an item that is written piece by piece.
pub(super) fn part_of(item: &Value) -> Option<&Value> {
    let parts = item.get("content").or_else(|| item.get("summary"));
    parts?.get(0)
}
