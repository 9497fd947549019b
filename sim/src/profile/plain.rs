//! Nobody in particular: takes everything, in OpenAI's forms.

use super::manners::{Manners, Window};
use super::shape::Shape;
use crate::refusal::Refusal;

pub(crate) const MANNERS: Manners = Manners {
    fields: None,
    ignores: &[],
    refuses: &[],
    window: Window::BOUNDLESS,
    hottest: f64::INFINITY,
    most_choices: 128,
    rules: &[],
    words: |offence| offence.plainly(),
    form: Refusal::body,
    shape: Shape::OPENAI,
    has_openai_headers: true,
    server: None,
};
