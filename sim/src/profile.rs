//! Providers in whose words and forms the simulated one can answer chat requests.
//!
//! A profile is a table, [`Manners`], in a file of its own: which fields it takes, ignores and
//! refuses, how many tokens it holds, which conversations it refuses, and the forms of its answers
//! and errors. Each file says where its facts come from: a server's source, its maker's documents,
//! or errors that people have reported. A profile is one version of a server in one setting, chosen
//! so that each refuses and omits something else; it holds for `/v1/chat/completions` only.
//! `anthropic`, `gemini` and `responses` have no table: with them, the endpoint of that name checks
//! all that it can, and chat is as without a profile.

use serde::{Deserialize, Serialize};

mod asked;
mod azure;
mod bedrock;
mod gemma;
mod google;
mod llama_cpp;
mod manners;
mod mistral;
mod offence;
mod ollama;
mod openai;
mod plain;
mod rule;
mod shape;
mod vllm;

pub(crate) use asked::Asked;
pub(crate) use manners::{Manners, is_default};
pub(crate) use openai::FIELDS as OPENAI_FIELDS;
pub(crate) use plain::MANNERS as PLAIN;
pub(crate) use shape::{Habit, Shape, Told, extend};

/// A provider that can be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// OpenAI, a chat model of the GPT-4o generation.
    OpenAi,
    /// vLLM 0.6.
    Vllm,
    /// llama.cpp's server.
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    /// Ollama.
    Ollama,
    /// Gemma's chat template, served by Text Generation Inference.
    Gemma,
    /// Mistral's platform.
    Mistral,
    /// Google's OpenAI-compatible endpoint.
    Google,
    /// A Claude on Amazon Bedrock, behind a gateway that speaks OpenAI's protocol.
    Bedrock,
    /// Azure OpenAI, a reasoning model.
    Azure,
    /// Anthropic: Messages are refused as it refuses them.
    Anthropic,
    /// Gemini: `generateContent` is refused as Google refuses it.
    Gemini,
    /// OpenAI's Responses, refused as OpenAI refuses them.
    Responses,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 12] = [
        Self::OpenAi,
        Self::Vllm,
        Self::LlamaCpp,
        Self::Ollama,
        Self::Gemma,
        Self::Mistral,
        Self::Google,
        Self::Bedrock,
        Self::Azure,
        Self::Anthropic,
        Self::Gemini,
        Self::Responses,
    ];

    /// Its name, as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Vllm => "vllm",
            Self::LlamaCpp => "llama.cpp",
            Self::Ollama => "ollama",
            Self::Gemma => "gemma",
            Self::Mistral => "mistral",
            Self::Google => "google",
            Self::Bedrock => "bedrock",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Responses => "responses",
        }
    }

    pub(crate) const fn manners(self) -> &'static Manners {
        match self {
            Self::OpenAi => &openai::MANNERS,
            Self::Vllm => &vllm::MANNERS,
            Self::LlamaCpp => &llama_cpp::MANNERS,
            Self::Ollama => &ollama::MANNERS,
            Self::Gemma => &gemma::MANNERS,
            Self::Mistral => &mistral::MANNERS,
            Self::Google => &google::MANNERS,
            Self::Bedrock => &bedrock::MANNERS,
            Self::Azure => &azure::MANNERS,
            // They say nothing of chat.
            Self::Anthropic | Self::Gemini | Self::Responses => &plain::MANNERS,
        }
    }
}
