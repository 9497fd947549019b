//! The shapes of the fields of Google's API that the operator's key serves, in either spelling. No
//! part names a stored file, and no tool looks into what is stored.

use super::Checked;
use super::shape::Shape::{self, Any, By, Either, Googles, List, Scalar, Text, Url};

/// The shape of the field `name`, if it has one of its own here.
pub(super) fn of(name: &str) -> Option<Shape> {
    let field = FIELDS
        .iter()
        .find(|(field, _)| super::shape::is_googles(name, field));
    field.map(|(_, shape)| *shape).or_else(|| {
        let is_request = super::shape::is_googles(name, "generateContentRequest");
        is_request.then_some(By(request))
    })
}

/// A whole request, in one for its tokens.
fn request(place: &str, json: &str) -> Checked {
    Googles(FIELDS).check(place, json)
}

const FIELDS: &[(&str, Shape)] = &[
    (
        "contents",
        Either(&[Text, List(&Either(&[Text, CONTENT])), CONTENT]),
    ),
    ("generationConfig", CONFIG),
    ("model", Text),
    (
        "safetySettings",
        List(&Googles(&[
            ("category", Text),
            ("method", Text),
            ("threshold", Text),
        ])),
    ),
    ("serviceTier", Text),
    ("systemInstruction", Either(&[Text, CONTENT])),
    (
        "toolConfig",
        Googles(&[
            (
                "functionCallingConfig",
                Googles(&[
                    ("allowedFunctionNames", List(&Text)),
                    ("mode", Text),
                    ("streamFunctionCallArguments", Scalar),
                ]),
            ),
            (
                "retrievalConfig",
                Googles(&[
                    ("languageCode", Text),
                    (
                        "latLng",
                        Googles(&[("latitude", Scalar), ("longitude", Scalar)]),
                    ),
                ]),
            ),
        ]),
    ),
    ("tools", List(&TOOL)),
];

const DATA: Shape = Googles(&[("data", Text), ("displayName", Text), ("mimeType", Text)]);

/// An address of something public.
const LINK: Shape = Googles(&[("displayName", Text), ("fileUri", Url), ("mimeType", Text)]);

const PART: Shape = Googles(&[
    (
        "codeExecutionResult",
        Googles(&[("id", Text), ("outcome", Text), ("output", Text)]),
    ),
    (
        "executableCode",
        Googles(&[("code", Text), ("id", Text), ("language", Text)]),
    ),
    ("fileData", LINK),
    (
        "functionCall",
        Googles(&[("args", Any), ("id", Text), ("name", Text)]),
    ),
    (
        "functionResponse",
        Googles(&[
            ("id", Text),
            ("name", Text),
            (
                "parts",
                List(&Googles(&[("fileData", LINK), ("inlineData", DATA)])),
            ),
            ("response", Any),
            ("scheduling", Text),
            ("willContinue", Scalar),
        ]),
    ),
    ("inlineData", DATA),
    (
        "mediaResolution",
        Either(&[Scalar, Googles(&[("level", Text), ("numTokens", Scalar)])]),
    ),
    ("text", Text),
    ("thought", Scalar),
    ("thoughtSignature", Text),
    (
        "videoMetadata",
        Googles(&[("endOffset", Text), ("fps", Scalar), ("startOffset", Text)]),
    ),
]);

const CONTENT: Shape = Googles(&[("parts", Either(&[List(&PART), PART])), ("role", Text)]);

const VOICE: Shape = Googles(&[("prebuiltVoiceConfig", Googles(&[("voiceName", Text)]))]);

const SPEECH: Shape = Googles(&[
    ("languageCode", Text),
    (
        "multiSpeakerVoiceConfig",
        Googles(&[(
            "speakerVoiceConfigs",
            List(&Googles(&[("speaker", Text), ("voiceConfig", VOICE)])),
        )]),
    ),
    ("voiceConfig", VOICE),
]);

const CONFIG: Shape = Googles(&[
    ("audioTimestamp", Scalar),
    ("candidateCount", Scalar),
    ("enableEnhancedCivicAnswers", Scalar),
    ("frequencyPenalty", Scalar),
    (
        "imageConfig",
        Googles(&[("aspectRatio", Text), ("imageSize", Text)]),
    ),
    ("logprobs", Scalar),
    ("maxOutputTokens", Scalar),
    ("mediaResolution", Scalar),
    ("presencePenalty", Scalar),
    ("responseJsonSchema", Any),
    ("responseLogprobs", Scalar),
    ("responseMimeType", Text),
    ("responseModalities", List(&Text)),
    ("responseSchema", Any),
    ("seed", Scalar),
    ("speechConfig", SPEECH),
    ("stopSequences", List(&Text)),
    ("temperature", Scalar),
    (
        "thinkingConfig",
        Googles(&[
            ("includeThoughts", Scalar),
            ("thinkingBudget", Scalar),
            ("thinkingLevel", Text),
        ]),
    ),
    ("topK", Scalar),
    ("topP", Scalar),
]);

const DECLARED: Shape = Googles(&[
    ("behavior", Text),
    ("description", Text),
    ("name", Text),
    ("parameters", Any),
    ("parametersJsonSchema", Any),
    ("response", Any),
    ("responseJsonSchema", Any),
]);

const TOOL: Shape = Googles(&[
    ("codeExecution", Googles(&[])),
    (
        "computerUse",
        Googles(&[
            ("environment", Text),
            ("excludedPredefinedFunctions", List(&Text)),
        ]),
    ),
    ("functionDeclarations", List(&DECLARED)),
    (
        "googleSearch",
        Googles(&[
            ("excludeDomains", List(&Text)),
            (
                "timeRangeFilter",
                Googles(&[("endTime", Text), ("startTime", Text)]),
            ),
        ]),
    ),
    (
        "googleSearchRetrieval",
        Googles(&[(
            "dynamicRetrievalConfig",
            Googles(&[("dynamicThreshold", Scalar), ("mode", Text)]),
        )]),
    ),
    ("urlContext", Googles(&[])),
]);
