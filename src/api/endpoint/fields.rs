//! The fields of JSON bodies and forms that a fallback key serves, by endpoint. A list of what is
//! refused would never end: each new way into an account would be open until somebody had heard of
//! it.

/// The fields of one request that a fallback key serves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served<'a> {
    /// Those of its endpoint.
    pub(crate) listed: &'a [&'a str],
    /// More of them, which the operator has named.
    pub(crate) named: &'a [String],
}

/// The fields of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// These are files: a text in their place could name what is stored.
    pub(crate) files: &'static [&'static str],
    /// These are none.
    pub(crate) texts: &'static [&'static str],
}

impl Served<'_> {
    /// Whether a field of exactly this name is served.
    pub(crate) fn has(self, name: &str) -> bool {
        self.is_own(name) || self.is_named(name)
    }

    /// Whether hone serves it itself, and knows what its values may be.
    pub(crate) fn is_own(self, name: &str) -> bool {
        self.listed.contains(&name) || SAMPLING.contains(&name)
    }

    /// Whether the operator has named it.
    pub(crate) fn is_named(self, name: &str) -> bool {
        self.named.iter().any(|own| own == name)
    }
}

/// What providers take everywhere beside OpenAI's own fields: sampling and thinking, nothing that
/// is stored.
pub(crate) const SAMPLING: &[&str] = &[
    "chat_template_kwargs",
    "dry_base",
    "dry_multiplier",
    "enable_thinking",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "ignore_eos",
    "include_reasoning",
    "length_penalty",
    "min_p",
    "min_tokens",
    "reasoning",
    "reasoning_format",
    "repeat_penalty",
    "repetition_penalty",
    "thinking",
    "top_a",
    "top_k",
    "typical_p",
    "use_beam_search",
];

/// Of chat completions. The parameters of strategies are served, too.
pub(crate) const CHAT: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Of responses.
pub(crate) const RESPONSES: &[&str] = &[
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Of messages.
pub(crate) const MESSAGES: &[&str] = &[
    "cache_control",
    "context_management",
    "inference_geo",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
];

/// Of Google's calls of a model.
pub(crate) const GOOGLE: &[&str] = &[
    "contents",
    "generationConfig",
    "generation_config",
    "model",
    "safetySettings",
    "safety_settings",
    "serviceTier",
    "service_tier",
    "systemInstruction",
    "system_instruction",
    "toolConfig",
    "tool_config",
    "tools",
];

/// Of Google's counter of tokens.
pub(crate) const GOOGLES_COUNT: &[&str] = &[
    "contents",
    "generateContentRequest",
    "generate_content_request",
    "generationConfig",
    "generation_config",
    "model",
    "systemInstruction",
    "system_instruction",
    "toolConfig",
    "tool_config",
    "tools",
];

/// Of completions.
pub(crate) const COMPLETIONS: &[&str] = &[
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];

/// Of embeddings.
pub(crate) const EMBEDDINGS: &[&str] = &[
    "dimensions",
    "encoding_format",
    "input",
    "input_type",
    "model",
    "truncate",
    "user",
];

/// Of moderations.
pub(crate) const MODERATIONS: &[&str] = &["input", "model"];

/// Of speech.
pub(crate) const SPEECH: &[&str] = &[
    "input",
    "instructions",
    "language",
    "model",
    "response_format",
    "speed",
    "stream_format",
    "voice",
];

/// Of images that are made from text.
pub(crate) const IMAGES: &[&str] = &[
    "background",
    "model",
    "moderation",
    "n",
    "negative_prompt",
    "output_compression",
    "output_format",
    "partial_images",
    "prompt",
    "quality",
    "response_format",
    "seed",
    "size",
    "stream",
    "style",
    "user",
];

/// Of speech that becomes text in its own language.
pub(crate) const TRANSCRIPTIONS: Form = Form {
    files: &["file"],
    texts: &[
        "chunking_strategy",
        "chunking_strategy[prefix_padding_ms]",
        "chunking_strategy[silence_duration_ms]",
        "chunking_strategy[threshold]",
        "chunking_strategy[type]",
        "frequency_penalty",
        "include",
        "known_speaker_names",
        "known_speaker_references",
        "language",
        "model",
        "presence_penalty",
        "prompt",
        "response_format",
        "seed",
        "stream",
        "temperature",
        "timestamp_granularities",
        "top_p",
    ],
};

/// Of speech that becomes English.
pub(crate) const TRANSLATIONS: Form = Form {
    files: &["file"],
    texts: &[
        "language",
        "model",
        "prompt",
        "response_format",
        "seed",
        "stream",
        "temperature",
    ],
};

/// Of images that are made from others.
pub(crate) const EDITS: Form = Form {
    files: &["image", "mask"],
    texts: &[
        "background",
        "input_fidelity",
        "model",
        "moderation",
        "n",
        "negative_prompt",
        "output_compression",
        "output_format",
        "partial_images",
        "prompt",
        "quality",
        "response_format",
        "seed",
        "size",
        "stream",
        "style",
        "user",
    ],
};

/// Of images that are made from one.
pub(crate) const VARIATIONS: Form = Form {
    files: &["image"],
    texts: &["model", "n", "response_format", "size", "user"],
};
