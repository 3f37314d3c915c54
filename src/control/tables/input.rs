//! Outside. The bytes of one file of a table, plain or compressed, in pieces.
//!
//! In:    an open file.
//! Out:   its content, piece by piece, and the hash of the file.
//! Never: holds the file in memory; goes on beyond the limits.

use std::{
    fs::File,
    io::{self, Read},
    ops::ControlFlow,
    thread,
};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{progress::Watcher, zstd::Zstd};
use crate::{
    control::files::ReadError,
    limits::{TABLE_BYTES_MAX, TABLE_FILE_BYTES_MAX, TABLE_PIECE_BYTES},
};

/// The hash of a file's bytes.
pub(super) type Hash = [u8; 32];

/// How much of one file is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of the file.
    pub(super) file: u64,
    /// Bytes of its content, after decompression.
    pub(super) content: u64,
}

pub(super) const BOUNDS: Bounds =
    Bounds { file: TABLE_FILE_BYTES_MAX as u64, content: TABLE_BYTES_MAX as u64 };

/// Takes the content piece by piece; whether it wants more, and the rows so far.
pub(super) type Sink<'s> = dyn FnMut(&[u8]) -> (ControlFlow<()>, u64) + 's;

/// What came of reading a file.
pub(super) struct Poured {
    /// The hash of the whole file, also when its content was of no use.
    pub(super) hash: Hash,
    /// Why the content is not whole.
    pub(super) fault: Option<String>,
}

/// Reads the file to its end and hands its content to `sink`, as long as it wants some.
pub(super) fn pour(
    file: &mut File,
    bounds: Bounds,
    watcher: &mut dyn Watcher,
    sink: &mut Sink<'_>,
) -> Result<Poured, ReadError> {
    let mut hashed = Hashed { file, sha: Sha256::new(), bytes: 0, bytes_max: bounds.file };
    let fault = content(&mut hashed, bounds.content, watcher, sink).err();
    // The hash names the file, whatever was wrong inside.
    let mut piece = vec![0; TABLE_PIECE_BYTES];
    while hashed.read(&mut piece).map_err(|error| hashed.told(error))? > 0 {}
    Ok(Poured { hash: hashed.sha.finalize().into(), fault })
}

/// The hash of a file and nothing else.
pub(super) fn hash(file: &mut File, bounds: Bounds) -> Result<Hash, ReadError> {
    let mut hashed = Hashed { file, sha: Sha256::new(), bytes: 0, bytes_max: bounds.file };
    let mut piece = vec![0; TABLE_PIECE_BYTES];
    while hashed.read(&mut piece).map_err(|error| hashed.told(error))? > 0 {}
    Ok(hashed.sha.finalize().into())
}

/// Called between two pieces of a file. The event loop, where it waits for this processor, then need not wait for the
/// end of a turn of the scheduler, which is some milliseconds: as long as hundreds of answers take.
pub(super) fn give_way() {
    thread::yield_now();
}

fn content(
    hashed: &mut Hashed<'_>,
    content_max: u64,
    watcher: &mut dyn Watcher,
    sink: &mut Sink<'_>,
) -> Result<(), String> {
    let mut head = Vec::new();
    hashed.take(4).read_to_end(&mut head).map_err(|error| format!("cannot be read: {error}"))?;
    let kind = Compression::of(&head);
    let whole = io::Cursor::new(head).chain(&mut *hashed);
    match kind {
        Compression::None => copy(whole, kind, content_max, watcher, sink),
        Compression::Gzip => copy(MultiGzDecoder::new(whole), kind, content_max, watcher, sink),
        Compression::Zstd => copy(Zstd::new(whole), kind, content_max, watcher, sink),
    }
}

fn copy(
    mut content: impl Read + Position,
    kind: Compression,
    content_max: u64,
    watcher: &mut dyn Watcher,
    sink: &mut Sink<'_>,
) -> Result<(), String> {
    let mut piece = vec![0; TABLE_PIECE_BYTES];
    let mut copied = 0_u64;
    loop {
        let read = match content.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(kind.fault(&error)),
        };
        copied = copied.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if copied > content_max {
            return Err(format!(
                "has more than {content_max} bytes when it is decompressed, the most that is read"
            ));
        }
        let (flow, rows) = sink(piece.get(..read).unwrap_or_default());
        watcher.at(content.position(), rows);
        give_way();
        if flow.is_break() {
            return Ok(());
        }
    }
}

/// Known by the first bytes: names of files lie, and a table in CSV begins with neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(head: &[u8]) -> Self {
        match head {
            // RFC 1952 §2.3.1.
            [0x1f, 0x8b, ..] => Self::Gzip,
            // RFC 8878 §3.1.1 and §3.1.2: a frame, or one to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            _ => Self::None,
        }
    }

    fn fault(self, error: &io::Error) -> String {
        let name = match self {
            Self::None => return format!("cannot be read: {error}"),
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        };
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return format!("is {name}, and ends too soon: was it still being written?");
        }
        format!("is {name} that cannot be decompressed: {error}")
    }
}

/// A file whose bytes are hashed while they are read.
struct Hashed<'f> {
    file: &'f mut File,
    sha: Sha256,
    bytes: u64,
    bytes_max: u64,
}

const TOO_LONG: &str = "longer than it may be";

impl Hashed<'_> {
    fn told(&self, error: io::Error) -> ReadError {
        if self.bytes > self.bytes_max {
            return ReadError::TooLong(usize::try_from(self.bytes_max).unwrap_or(usize::MAX));
        }
        ReadError::System(error)
    }
}

impl Read for Hashed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = loop {
            match self.file.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.bytes = self.bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if self.bytes > self.bytes_max {
            return Err(io::Error::other(TOO_LONG));
        }
        self.sha.update(into.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// How far a reader is in the file under it.
trait Position {
    fn position(&self) -> u64;
}

type Whole<'h, 'f> = io::Chain<io::Cursor<Vec<u8>>, &'h mut Hashed<'f>>;

impl Position for Whole<'_, '_> {
    fn position(&self) -> u64 {
        self.get_ref().1.bytes
    }
}

impl Position for MultiGzDecoder<Whole<'_, '_>> {
    fn position(&self) -> u64 {
        self.get_ref().position()
    }
}

impl Position for Zstd<Whole<'_, '_>> {
    fn position(&self) -> u64 {
        self.get_ref().position()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;
    use crate::{control::tables::progress::LogWatcher, limits::ZSTD_WINDOW_BYTES_MAX};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn poured(bytes: &[u8], bounds: Bounds) -> Result<(Vec<u8>, Poured), ReadError> {
        let mut content = Vec::new();
        let mut sink = |piece: &[u8]| {
            content.extend_from_slice(piece);
            (ControlFlow::Continue(()), 0)
        };
        let poured = pour(&mut file(bytes), bounds, &mut LogWatcher::default(), &mut sink)?;
        Ok((content, poured))
    }

    fn sha(bytes: &[u8]) -> Hash {
        Sha256::digest(bytes).into()
    }

    /// Longer than a piece, and not the same all over.
    fn text() -> Vec<u8> {
        (0..100_000_u32).flat_map(|index| format!("+4416{index},x\n").into_bytes()).collect()
    }

    #[test]
    fn the_content_is_the_same_however_it_is_compressed() {
        let text = text();
        let (half, rest) = text.split_at(text.len() / 3);
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for (kind, bytes) in [
            ("plain", text.clone()),
            ("gzip", gzip(&text)),
            ("gzip of two members", [gzip(half), gzip(rest)].concat()),
            ("zstd", zstd(&text)),
            ("zstd of two frames", [zstd(half), zstd(rest)].concat()),
            (
                "zstd with a frame to skip",
                [&skipped[..], &zstd(half)[..], &skipped[..], &zstd(rest)[..]].concat(),
            ),
        ] {
            let (content, poured) = poured(&bytes, BOUNDS).unwrap();
            assert_eq!(poured.fault, None, "{kind}");
            assert!(content == text, "{kind}");
            assert_eq!(poured.hash, sha(&bytes), "{kind}");
            assert_eq!(hash(&mut file(&bytes), BOUNDS).unwrap(), sha(&bytes), "{kind}");
        }
    }

    #[test]
    fn a_compressed_file_that_is_cut_short_or_damaged_says_so_and_has_its_hash() {
        let text = text();
        for (kind, whole) in [("gzip", gzip(&text)), ("zstd", zstd(&text))] {
            for len in [5, 20, whole.len() / 2, whole.len() - 1] {
                let (_, poured) = poured(&whole[..len], BOUNDS).unwrap();
                let expected = format!("is {kind}, and ends too soon: was it still being written?");
                assert_eq!(poured.fault, Some(expected), "{len} bytes");
                assert_eq!(poured.hash, sha(&whole[..len]));
            }
            let mut damaged = whole.clone();
            let middle = damaged.len() / 2;
            damaged[middle..middle + 64].fill(0xa5);
            let (_, poured) = poured(&damaged, BOUNDS).unwrap();
            let fault = poured.fault.unwrap();
            assert!(fault.starts_with(&format!("is {kind} that cannot be decompressed: ")), "{fault}");
            assert_eq!(poured.hash, sha(&damaged));
        }
    }

    #[test]
    fn what_is_behind_a_compressed_file_is_no_content() {
        let bytes = [zstd(b"1\n"), b"2\n".to_vec()].concat();
        let (content, poured) = poured(&bytes, BOUNDS).unwrap();
        assert_eq!(content, b"1\n");
        assert!(poured.fault.unwrap().starts_with("is zstd"), "trailing bytes");
    }

    #[test]
    fn the_content_has_its_limit_whatever_the_file_has() {
        assert_eq!(BOUNDS.content, u64::try_from(TABLE_BYTES_MAX).unwrap());
        assert_eq!(BOUNDS.file, u64::try_from(TABLE_FILE_BYTES_MAX).unwrap());
        let text = vec![b'1'; 5_000_000];
        for bytes in [gzip(&text), zstd(&text)] {
            assert!(bytes.len() < 50_000, "a bomb of {} bytes", bytes.len());
            let bounds = |content| Bounds { file: 1 << 20, content };
            let (content, whole) = poured(&bytes, bounds(5_000_000)).unwrap();
            assert_eq!((content.len(), whole.fault), (5_000_000, None));
            let (content, cut) = poured(&bytes, bounds(4_999_999)).unwrap();
            assert!(content.len() < 5_000_000);
            assert_eq!(
                cut.fault.unwrap(),
                "has more than 4999999 bytes when it is decompressed, the most that is read"
            );
            assert_eq!(cut.hash, sha(&bytes));
        }
    }

    #[test]
    fn a_window_beyond_the_limit_is_refused() {
        // RFC 8878 §3.1.1.1: no single segment, no checksum; a window of 2^41 bytes.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 31 << 3, 0x01, 0x00, 0x00];
        let fault = poured(&frame, BOUNDS).unwrap().1.fault.unwrap();
        assert!(fault.contains("indow"), "{fault}");
        let exponent = u8::try_from(ZSTD_WINDOW_BYTES_MAX.trailing_zeros()).unwrap() - 10;
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3, 0x01, 0x00, 0x00];
        assert_eq!(poured(&frame, BOUNDS).unwrap().1.fault, None, "the largest that is taken");
    }

    #[test]
    fn a_file_that_grows_beyond_its_limit_is_refused() {
        let bounds = |file| Bounds { file, content: 1000 };
        assert_eq!(poured(b"12345", bounds(5)).unwrap().0, b"12345");
        let error = poured(b"123456", bounds(5)).err().unwrap().to_string();
        assert_eq!(error, "is longer than 5 bytes, the most that is read");
        assert!(hash(&mut file(b"123456"), bounds(5)).is_err());
    }

    #[test]
    fn a_sink_that_has_enough_gets_no_more_and_the_hash_is_whole() {
        let bytes = vec![b'1'; 3 * TABLE_PIECE_BYTES];
        let mut pieces = 0;
        let mut sink = |piece: &[u8]| {
            assert!(piece.len() <= TABLE_PIECE_BYTES);
            pieces += 1;
            (ControlFlow::Break(()), 0)
        };
        let poured = pour(&mut file(&bytes), BOUNDS, &mut LogWatcher::default(), &mut sink).unwrap();
        assert_eq!((pieces, poured.hash), (1, sha(&bytes)));
    }
}
