//! What a part of a prompt that is not text is taken to cost, since its bytes say little about its
//! tokens.

/// What is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// Speech or sound.
    Audio,
    /// A document or anything else, encoded or named.
    File,
    /// A picture of any size.
    Image,
    /// Text that came encoded.
    Text,
}

/// Providers scale a picture down to a bounded number of tiles.
const PER_IMAGE: u64 = 1000;
/// Of base64: about what compressed speech takes for one of the ten to thirty tokens that a second
/// is billed as.
const AUDIO_BYTES_PER_TOKEN: u64 = 512;
const LEAST_AUDIO: u64 = 100;
/// Of base64: a page of a PDF is billed as its text and its picture.
const FILE_BYTES_PER_TOKEN: u64 = 64;
const LEAST_FILE: u64 = 1000;

impl Attachment {
    /// Reads a media type such as `image/png`.
    pub fn of_media_type(kind: &str) -> Self {
        match kind
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches('\\')
        {
            "audio" => Self::Audio,
            "image" => Self::Image,
            "text" => Self::Text,
            _ => Self::File,
        }
    }

    /// Reads the `type` of a content part.
    pub(crate) fn of_part(kind: &str) -> Self {
        if kind.contains("image") {
            Self::Image
        } else if kind.contains("audio") {
            Self::Audio
        } else {
            Self::File
        }
    }

    /// Tokens of an attachment of `bytes` bytes of base64; zero of one that is only named.
    pub fn tokens(self, bytes: u64) -> u64 {
        match self {
            Self::Audio => (bytes / AUDIO_BYTES_PER_TOKEN).max(LEAST_AUDIO),
            Self::File => (bytes / FILE_BYTES_PER_TOKEN).max(LEAST_FILE),
            Self::Image => PER_IMAGE,
            // Three bytes for four, and four to a token.
            Self::Text => (bytes.saturating_mul(3) / 16).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_costs_the_same_whatever_its_size_and_sound_by_its_length() {
        assert_eq!(
            Attachment::Image.tokens(5_000_000),
            Attachment::Image.tokens(500)
        );
        assert_eq!(Attachment::Audio.tokens(5_120_000), 10_000);
        assert_eq!(Attachment::File.tokens(640_000), 10_000);
        assert_eq!(Attachment::Text.tokens(16_000), 3_000);
        assert_eq!(
            [Attachment::Audio, Attachment::File].map(|kind| kind.tokens(0)),
            [LEAST_AUDIO, LEAST_FILE]
        );
    }

    #[test]
    fn kinds_are_told_by_media_type_and_by_part() {
        let kinds = [
            "image/png",
            r"image\/png",
            "audio/wav",
            "text/csv",
            "application/pdf",
            "",
        ]
        .map(Attachment::of_media_type);
        let image = Attachment::Image;
        assert_eq!(
            kinds,
            [
                image,
                image,
                Attachment::Audio,
                Attachment::Text,
                Attachment::File,
                Attachment::File
            ]
        );
        assert_eq!(
            ["image_url", "input_audio", "file"].map(Attachment::of_part),
            [image, Attachment::Audio, Attachment::File]
        );
    }
}
