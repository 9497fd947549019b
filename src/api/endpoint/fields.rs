//! The fields of JSON bodies that a fallback key serves, by endpoint. A list of what is refused
//! would never end: each new way into an account would be open until somebody had heard of it.

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
