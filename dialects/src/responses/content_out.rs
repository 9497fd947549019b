//! Parts of content, written for an upstream.

use serde_json::{Value, json};

use crate::shape::Refusal;
use crate::wire::json::str_of;

/// The content of a message: a text, or a list of parts. `index` is the message's.
pub(super) fn content(content: Option<&Value>, index: usize) -> Result<Value, Refusal> {
    match content {
        Some(Value::String(text)) => Ok(text.as_str().into()),
        Some(Value::Array(parts)) => {
            let parts = parts.iter().enumerate();
            let written = parts.map(|(at, written)| part(written, index, at));
            let mut written = written.collect::<Result<Vec<Value>, Refusal>>()?;
            match written.as_mut_slice() {
                [one] if str_of(one, "type") == "input_text" => {
                    Ok(one.get_mut("text").map(Value::take).unwrap_or_default())
                }
                _ => Ok(written.into()),
            }
        }
        _ => Ok("".into()),
    }
}

fn part(part: &Value, index: usize, at: usize) -> Result<Value, Refusal> {
    let text = |text: &str| json!({"type": "input_text", "text": text});
    let written = match str_of(part, "type") {
        "" | "text" => Some(text(part.as_str().unwrap_or_else(|| str_of(part, "text")))),
        "refusal" => Some(text(str_of(part, "refusal"))),
        "image_url" => image(part.get("image_url").unwrap_or(&Value::Null)),
        "file" => file(part.get("file").unwrap_or(&Value::Null)),
        _ => None,
    };
    written.ok_or_else(|| {
        let path = format!("messages[{index}].content[{at}]");
        Refusal::untranslatable(path, "OpenAI's Responses API takes no such data.")
    })
}

fn image(image: &Value) -> Option<Value> {
    let url = image.as_str().unwrap_or_else(|| str_of(image, "url"));
    let detail = match str_of(image, "detail") {
        "" => "auto",
        detail => detail,
    };
    (!url.is_empty()).then(|| json!({"type": "input_image", "image_url": url, "detail": detail}))
}

/// A file whose data is there: an id would be another provider's.
fn file(file: &Value) -> Option<Value> {
    let (data, name) = (str_of(file, "file_data"), str_of(file, "filename"));
    let name = if name.is_empty() {
        "document.pdf"
    } else {
        name
    };
    (!data.is_empty()).then(|| json!({"type": "input_file", "filename": name, "file_data": data}))
}
