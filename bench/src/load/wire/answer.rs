//! An HTTP/1.1 answer as it arrives, in pieces of any size.

use std::io;

/// Longer heads are not answers of anything that is measured here.
const HEAD: usize = 64 * 1024;

/// What has been read of one answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    status: u16,
    head: Vec<u8>,
    stage: Stage,
    closes: bool,
}

/// What comes next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    /// So many bytes until the end.
    Sized(u64),
    /// A chunk's size, so far, or the end of its line if the digits are over.
    Size {
        size: u64,
        digits: bool,
    },
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line break after a chunk.
    AfterChunk,
    /// Lines after the last chunk; whether the current one is empty so far.
    Trailer {
        empty: bool,
    },
    End,
}

impl Answer {
    /// Takes what has been read and hands what is body to `seen`. Returns the status at the end of
    /// the answer.
    ///
    /// # Errors
    ///
    /// If the connection has ended (`bytes` is empty), the answer is malformed, or something
    /// follows its end.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        seen: &mut impl FnMut(&[u8]),
    ) -> io::Result<Option<u16>> {
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Head => self.head(bytes)?,
                Stage::Sized(left) => {
                    let (rest, left) = body(bytes, left, seen);
                    self.stage = if left == 0 {
                        Stage::End
                    } else {
                        Stage::Sized(left)
                    };
                    rest
                }
                Stage::Chunk(left) => {
                    let (rest, left) = body(bytes, left, seen);
                    self.stage = if left == 0 {
                        Stage::AfterChunk
                    } else {
                        Stage::Chunk(left)
                    };
                    rest
                }
                Stage::Size { .. } | Stage::AfterChunk | Stage::Trailer { .. } => {
                    self.framing(bytes)?
                }
                Stage::End => return Err(malformed("bytes after the end of an answer")),
            };
        }
        Ok((self.stage == Stage::End).then_some(self.status))
    }

    /// Whether the server ends the connection with this answer.
    pub(crate) const fn closes(&self) -> bool {
        self.closes
    }

    /// Takes bytes of the head. Returns those after it.
    fn head<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        // The end may lie across the border of two pieces.
        let from = self.head.len().saturating_sub(3);
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let Some(at) = memchr::memmem::find(self.head.get(from..).unwrap_or_default(), b"\r\n\r\n")
        else {
            return if self.head.len() > HEAD {
                Err(malformed("an endless head"))
            } else {
                Ok(&[])
            };
        };
        let end = from + at + 4;
        let text = String::from_utf8_lossy(self.head.get(..end).unwrap_or_default()).into_owned();
        (self.status, self.stage) = parse(&text)?;
        self.closes = text
            .to_ascii_lowercase()
            .contains("\r\nconnection: close\r\n");
        Ok(bytes.get(end - before..).unwrap_or_default())
    }

    /// Takes one byte of what stands between chunks.
    fn framing<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Ok(bytes);
        };
        self.stage = match (self.stage, byte) {
            (Stage::Size { size: 0, .. }, b'\n') => Stage::Trailer { empty: true },
            (Stage::Size { size, .. }, b'\n') => Stage::Chunk(size),
            (Stage::Size { size, digits: true }, _) => match char::from(byte).to_digit(16) {
                Some(digit) if size < 1 << 40 => Stage::Size {
                    size: size * 16 + u64::from(digit),
                    digits: true,
                },
                Some(_) => return Err(malformed("a chunk without bounds")),
                None if matches!(byte, b'\r' | b';' | b' ') => Stage::Size {
                    size,
                    digits: false,
                },
                None => return Err(malformed("a chunk without a size")),
            },
            (Stage::AfterChunk, b'\n') => Stage::Size {
                size: 0,
                digits: true,
            },
            (Stage::Trailer { empty: true }, b'\n') => Stage::End,
            (Stage::Trailer { empty }, _) => Stage::Trailer {
                empty: byte == b'\n' || (byte == b'\r' && empty),
            },
            (Stage::AfterChunk, byte) if byte != b'\r' => {
                return Err(malformed("a chunk longer than its size"));
            }
            (stage, _) => stage,
        };
        Ok(rest)
    }
}

/// Hands at most `left` bytes to `seen`. Returns the other bytes, and how many are still to come.
fn body<'a>(bytes: &'a [u8], left: u64, seen: &mut impl FnMut(&[u8])) -> (&'a [u8], u64) {
    let now = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    let (piece, rest) = bytes.split_at_checked(now).unwrap_or((bytes, &[]));
    seen(piece);
    (rest, left - piece.len() as u64)
}

fn parse(head: &str) -> io::Result<(u16, Stage)> {
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok());
    let status = status.ok_or_else(|| malformed("no status line of HTTP/1.1"))?;
    let value = |wanted: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Ok((
            status,
            Stage::Size {
                size: 0,
                digits: true,
            },
        ));
    }
    match value("content-length").map(str::parse) {
        Some(Ok(0)) => Ok((status, Stage::End)),
        Some(Ok(length)) => Ok((status, Stage::Sized(length))),
        _ => Err(malformed("an answer of unknown length")),
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx: \
        y\r\n\r\n6\r\ndata: \r\n1e;x=1\r\nabcdefghijklmnopqrstuvwxyz\n\n[]\r\n0\r\nt: 1\r\n\r\n";
    const SIZED: &[u8] = b"HTTP/1.1 429 Too Many\r\ncontent-length: 5\r\n\r\nhello";

    fn read(pieces: &[&[u8]]) -> io::Result<(Option<u16>, Vec<u8>)> {
        let (mut answer, mut text, mut end) = (Answer::default(), Vec::new(), None);
        for piece in pieces {
            end = answer.take(piece, &mut |bytes: &[u8]| text.extend_from_slice(bytes))?;
        }
        Ok((end, text))
    }

    proptest! {
        #[test]
        fn an_answer_is_the_same_in_pieces_of_any_size(chunked: bool,
            sizes in prop::collection::vec(1_usize..20, 1..200)) {
            let mut left = if chunked { CHUNKED } else { SIZED };
            let whole = read(&[left]).unwrap();
            let mut pieces = Vec::new();
            for size in sizes.into_iter().chain([usize::MAX]) {
                let (piece, rest) = left.split_at(size.min(left.len()));
                pieces.extend((!piece.is_empty()).then_some(piece));
                left = rest;
            }
            prop_assert_eq!(read(&pieces).unwrap(), whole);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, chunked: bool) {
            let head: &[u8] = if chunked { b"HTTP/1.1 200 OK\r\ntransfer-encoding: \
                chunked\r\n\r\n" } else { b"" };
            drop(read(&[head, &bytes, b"\r\n\r\n"]));
        }
    }

    #[test]
    fn the_body_is_what_was_sent_and_its_end_is_seen() {
        assert_eq!(
            read(&[CHUNKED]).unwrap(),
            (
                Some(200),
                b"data: abcdefghijklmnopqrstuvwxyz\n\n[]".to_vec()
            )
        );
        assert_eq!(read(&[SIZED]).unwrap(), (Some(429), b"hello".to_vec()));
        assert_eq!(
            read(&[b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"]).unwrap(),
            (Some(204), Vec::new())
        );
    }

    #[test]
    fn a_cut_answer_is_an_error_and_never_an_end() {
        for end in 1..CHUNKED.len() {
            assert_eq!(read(&[&CHUNKED[..end]]).unwrap().0, None, "{end}");
            assert!(read(&[&CHUNKED[..end], b""]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let ends = [
            &b"x"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
        ];
        for bytes in ends {
            assert!(read(&[bytes, b"\r\n\r\n"]).is_err());
        }
        assert!(
            read(&[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n"]).is_err()
        );
    }
}
