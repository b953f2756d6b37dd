//! Where rendered lines go, file by file.

use super::RunError;
use super::decider::Decider;
use super::render::Piece;
use crate::spool::{NoticeWriter, Stage};
use rayon::prelude::*;
use std::fs::File;
use std::io::Write;

/// Where rendered lines go.
pub(super) enum Notices<'s> {
    /// One file for all alerts; held ones are counted only.
    File(File),
    /// The stage, and of its files the one that may go on with the next pieces.
    Stage { stage: &'s Stage<'s>, open: Option<OpenFile<'s>> },
}

/// A file of a stage that is being written.
pub(super) struct OpenFile<'s> {
    /// Whose lines, and whether they are held.
    of: (u32, bool),
    writer: Box<NoticeWriter<'s>>,
}

impl<'s> Notices<'s> {
    /// Takes the next pieces. The files of a stage are made, hashed and closed on all threads, while the next pieces are rendered.
    pub(super) fn take(&mut self, pieces: &[Piece], decider: &Decider<'_>) -> Result<(), RunError> {
        match self {
            Self::File(file) => {
                let mut alerts = pieces.iter().filter(|piece| !piece.held);
                alerts.try_for_each(|piece| file.write_all(&piece.bytes)).map_err(RunError::Scratch)
            }
            Self::Stage { stage, open } => {
                let mut files: Vec<(Option<OpenFile<'_>>, &[Piece])> = pieces
                    .chunk_by(|one, next| one.file() == next.file())
                    .map(|pieces| (None, pieces))
                    .collect();
                let Some((first, first_pieces)) = files.first_mut() else { return Ok(()) };
                *first = open.take_if(|open| open.of == first_pieces[0].file());
                if let Some(file) = open.take() {
                    file.writer.finish()?;
                }
                let last = files.len() - 1;
                let write = |(at, (file, pieces)): (usize, (Option<OpenFile<'s>>, &[Piece]))| {
                    let file = OpenFile::write(file, stage, pieces, decider)?;
                    if at == last {
                        return Ok(Some(file));
                    }
                    file.writer.finish()?;
                    Ok(None)
                };
                let written: Vec<Result<Option<OpenFile<'_>>, RunError>> =
                    files.into_par_iter().enumerate().map(write).collect();
                // The first error is told, and the last file goes on.
                for file in written {
                    *open = file?;
                }
                Ok(())
            }
        }
    }

    pub(super) fn finish(self) -> Result<(), RunError> {
        if let Self::Stage { open: Some(file), .. } = self {
            file.writer.finish()?;
        }
        Ok(())
    }
}

impl<'s> OpenFile<'s> {
    /// Writes the pieces of one file, which is made unless it is open.
    fn write(
        file: Option<Self>,
        stage: &'s Stage<'s>,
        pieces: &[Piece],
        decider: &Decider<'_>,
    ) -> Result<Self, RunError> {
        let of @ (owner, held) = pieces[0].file();
        let mut file = match file {
            Some(file) => file,
            None => {
                let recipient = decider.address(owner)?;
                let writer = if held { stage.held(recipient)? } else { stage.notice(recipient)? };
                Self { of, writer: Box::new(writer) }
            }
        };
        pieces.iter().try_for_each(|piece| file.writer.append(&piece.bytes))?;
        Ok(file)
    }
}
