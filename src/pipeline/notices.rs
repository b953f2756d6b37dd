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
                *open = write_files(stage, open.take(), pieces, decider)?;
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

/// Writes the pieces file by file, the first behind what is open if it is of the same. The last file stays open.
fn write_files<'s>(
    stage: &'s Stage<'s>,
    mut open: Option<OpenFile<'s>>,
    pieces: &[Piece],
    decider: &Decider<'_>,
) -> Result<Option<OpenFile<'s>>, RunError> {
    let Some(first) = pieces.first() else { return Ok(open) };
    let goes_on = open.take_if(|open| open.of == first.file());
    if let Some(file) = open {
        file.writer.finish()?;
    }
    let files: Vec<&[Piece]> = pieces.chunk_by(|one, next| one.file() == next.file()).collect();
    let last = files.len() - 1;
    let before = std::iter::once(goes_on).chain(std::iter::repeat_with(|| None));
    let files: Vec<_> = files.into_iter().zip(before).collect();
    let write = |(at, (pieces, before)): (usize, (&[Piece], Option<OpenFile<'s>>))| {
        let file = OpenFile::write(before, stage, pieces, decider)?;
        if at == last {
            return Ok(Some(file));
        }
        file.writer.finish()?;
        Ok(None)
    };
    let written: Vec<Result<Option<OpenFile<'_>>, RunError>> =
        files.into_par_iter().enumerate().map(write).collect();
    // The first error is told.
    written.into_iter().try_fold(None, |_, file| file)
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
