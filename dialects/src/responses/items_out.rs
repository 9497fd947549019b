//! The conversation as items, written for an upstream.

use std::borrow::Cow;
use std::collections::BTreeSet;

use hone_strategies::chat::{ChatRequest, Message, Native};
use serde_json::{Value, json};

use super::content_out::content;
use super::tools::Call;
use super::tools_in::is_additional;
use super::tools_out::Written;
use crate::marks::{Minter, Names, clean, envelope};
use crate::shape::{Refusal, SystemForm, Target};
use crate::wire::json::str_of;

/// How the ids of items begin, where the API looks at them.
const PREFIXES: [(&str, &str); 4] = [
    ("custom_tool_call", "ctc_"),
    ("function_call", "fc_"),
    ("message", "msg_"),
    ("reasoning", "rs_"),
];
/// The longest id that the API takes, in bytes.
const LONGEST_ID: usize = 64;

/// The conversation as it comes to be.
pub(super) struct Items<'a> {
    target: &'a Target,
    names: &'a Names,
    tools: &'a Written,
    pub(super) instructions: Vec<String>,
    pub(super) written: Vec<Value>,
    /// The ids of calls that give a text.
    custom: BTreeSet<String>,
}

impl<'a> Items<'a> {
    /// Writes the messages of `request`, whose tools are `tools` at the upstream.
    pub(super) fn write(
        request: &ChatRequest,
        target: &'a Target,
        names: &'a Names,
        tools: &'a Written,
    ) -> Result<Self, Refusal> {
        let mut items = Self {
            target,
            names,
            tools,
            instructions: Vec::new(),
            written: Vec::new(),
            custom: BTreeSet::new(),
        };
        for (index, message) in request.messages().iter().enumerate() {
            items.add(message, index)?;
        }
        Ok(items)
    }

    fn add(&mut self, message: &Message, index: usize) -> Result<(), Refusal> {
        let native = message.native();
        let own = native.filter(|native| native.dialect == super::said::OWN);
        if let Some(native) = own.filter(|native| !native.model.starts_with('#')) {
            self.replay(native);
            return Ok(());
        }
        match message.role() {
            "developer" | "system" => self.instruction(message, index)?,
            "assistant" => {
                if let Some(native) = own {
                    self.reasoning(native);
                }
                self.assistant(message);
            }
            "tool" | "function" => self.result(message, index)?,
            _ => {
                let content = content(message.get("content"), index)?;
                self.said("user", content);
            }
        }
        Ok(())
    }

    fn said(&mut self, role: &str, content: impl Into<Value>) {
        let content = content.into();
        self.written
            .push(json!({"type": "message", "role": role, "content": content}));
    }

    fn instruction(&mut self, message: &Message, index: usize) -> Result<(), Refusal> {
        let form = self.target.settings.system;
        let is_leading = index == 0 && message.role() == "system";
        if is_leading || form == SystemForm::Leading {
            self.instructions.push(joined(message));
        } else if form == SystemForm::User && !self.written.is_empty() {
            let text = format!("<system>\n{}\n</system>", message.text());
            self.said("user", text);
        } else {
            let content = content(message.get("content"), index)?;
            self.said(message.role(), content);
        }
        Ok(())
    }

    /// What the model thought, out of an envelope.
    fn reasoning(&mut self, native: &Native) {
        if !is_its_own(native, self.target) {
            return;
        }
        let items = native.value.iter().filter(|item| is_readable(item));
        self.written.extend(items.map(settled));
    }

    fn assistant(&mut self, message: &Message) {
        let text = message.text();
        if let Some(refusal) = message.refusal() {
            let refusal = json!([{"type": "refusal", "refusal": refusal}]);
            if !text.is_empty() {
                self.said("assistant", text);
            }
            self.said("assistant", refusal);
        } else if !text.is_empty() {
            self.said("assistant", text);
        }
        let calls = message.tool_calls().and_then(Value::as_array);
        for call in calls.into_iter().flatten() {
            let item = self.call(call);
            self.written.push(item);
        }
    }

    fn call(&mut self, call: &Value) -> Value {
        let call_id = clean(str_of(call, "id"));
        if let Some(custom) = call.get("custom") {
            self.custom.insert(call_id.clone().into_owned());
            return json!({"type": "custom_tool_call", "call_id": call_id,
                "name": self.names.there(str_of(custom, "name")),
                "input": str_of(custom, "input")});
        }
        let function = call.get("function").unwrap_or(&Value::Null);
        let name = str_of(function, "name");
        let there: Cow<'_, str> = if self.tools.special.has(name) {
            name.into()
        } else {
            self.names.there(name)
        };
        if self.tools.special.is_custom(name) {
            self.custom.insert(call_id.clone().into_owned());
        }
        self.tools.special.item(Call {
            id: &call_id,
            name: &there,
            arguments: str_of(function, "arguments"),
        })
    }

    fn result(&mut self, message: &Message, index: usize) -> Result<(), Refusal> {
        let id = message.get("tool_call_id").and_then(Value::as_str);
        let id = clean(id.unwrap_or_default());
        let mut output = content(message.get("content"), index)?;
        if message.has_failed() {
            output = failed(output);
        }
        let kind = if self.custom.contains(&*id) {
            "custom_tool_call_output"
        } else {
            "function_call_output"
        };
        self.written
            .push(json!({"type": kind, "call_id": id, "output": output}));
        Ok(())
    }

    /// A turn's own items. Reasoning that cannot be read again takes the ids of the items behind it
    /// with it: the API knows that they belong together.
    fn replay(&mut self, native: &Native) {
        let is_its_own = is_its_own(native, self.target);
        let mut is_paired = true;
        for item in &native.value {
            if is_additional(item) && !self.tools.in_place {
                continue;
            }
            if str_of(item, "type") == "reasoning" && !(is_its_own && is_readable(item)) {
                is_paired = false;
                continue;
            }
            let mut item = settled(item);
            if str_of(&item, "type") == "custom_tool_call" {
                self.custom.insert(str_of(&item, "call_id").to_owned());
            }
            if let (false, Some(fields)) = (is_paired, item.as_object_mut()) {
                fields.shift_remove("id");
            }
            self.written.push(item);
        }
    }
}

/// The text of an instruction, whose parts become one.
fn joined(message: &Message) -> String {
    match message.get("content") {
        Some(Value::Array(parts)) => {
            let texts = parts.iter().map(|part| str_of(part, "text"));
            texts.collect::<Vec<_>>().join("\n\n")
        }
        _ => message.text().into_owned(),
    }
}

/// The result of a tool that failed, which says so.
fn failed(output: Value) -> Value {
    match output {
        Value::String(text) if text.starts_with("Error: ") => text.into(),
        Value::String(text) => format!("Error: {text}").into(),
        Value::Array(mut parts) => {
            parts.insert(0, json!({"type": "input_text", "text": "Error: "}));
            parts.into()
        }
        other => other,
    }
}

/// Whether the target made what the items hold of reasoning.
fn is_its_own(native: &Native, target: &Target) -> bool {
    if native.model.is_empty() {
        target.is_asked
    } else {
        envelope::is_made_by(&native.model, &target.maker())
    }
}

/// Whether a reasoning item can be read again by whoever made it: nothing is stored.
fn is_readable(item: &Value) -> bool {
    let encrypted = str_of(item, "encrypted_content");
    let is_reasoning = str_of(item, "type") == "reasoning";
    is_reasoning && !encrypted.is_empty() && !envelope::is_sealed(encrypted)
}

/// The item with ids that the API takes.
fn settled(item: &Value) -> Value {
    let mut item = item.clone();
    let kind = str_of(&item, "type").to_owned();
    let id = str_of(&item, "id").to_owned();
    let Some(fields) = item.as_object_mut() else {
        return item;
    };
    if let Some(Value::String(id)) = fields.get_mut("call_id") {
        *id = clean(id).into_owned();
    }
    let prefix = PREFIXES.iter().find(|(known, _)| *known == kind);
    let Some((_, prefix)) = prefix else {
        return item;
    };
    if kind == "reasoning" {
        fields.entry("summary").or_insert_with(|| json!([]));
    }
    if id.starts_with(prefix) && id.len() <= LONGEST_ID {
        return item;
    }
    if kind == "reasoning" {
        let minted = Minter::new(&id).mint(prefix);
        fields.insert("id".to_owned(), minted.into());
    } else {
        fields.shift_remove("id");
    }
    item
}
