//! Outside. zstd (RFC 8878), frame after frame, as a reader.

use std::io::{self, Read};

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use crate::limits::{TABLE_PIECE_BYTES, ZSTD_WINDOW_BYTES_MAX};

/// Decompresses all frames of `inner`.
pub(super) struct Zstd<R> {
    inner: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: Read> Zstd<R> {
    pub(super) fn new(inner: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_BYTES_MAX);
        Self { inner, decoder, within: false }
    }

    pub(super) fn get_ref(&self) -> &R {
        &self.inner
    }

    /// Begins the next frame; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        let mut first = [0];
        if self.inner.read(&mut first)? == 0 {
            return Ok(false);
        }
        let mut frame = first.chain(&mut self.inner);
        match self.decoder.reset(&mut frame) {
            Ok(()) => self.within = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let length = u64::from(length);
                if io::copy(&mut (&mut self.inner).take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(told(error)),
        }
        Ok(true)
    }

    fn end(&mut self) -> io::Result<()> {
        self.within = false;
        let (written, found) =
            (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        if written.is_some() && written != found {
            return Err(io::Error::other("its checksum is wrong"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within {
                if !self.begin()? {
                    return Ok(0);
                }
                continue;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(into);
            }
            if self.decoder.is_finished() {
                self.end()?;
                continue;
            }
            let strategy = BlockDecodingStrategy::UptoBytes(TABLE_PIECE_BYTES);
            self.decoder.decode_blocks(&mut self.inner, strategy).map_err(told)?;
        }
    }
}

fn told(error: FrameDecoderError) -> io::Error {
    let is_short =
        std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |it| it.source())
            .filter_map(|it| it.downcast_ref::<io::Error>())
            .any(|it| it.kind() == io::ErrorKind::UnexpectedEof);
    if is_short { io::ErrorKind::UnexpectedEof.into() } else { io::Error::other(error) }
}
