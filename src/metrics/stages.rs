//! How long each stage of a run takes. The pipeline says when one begins; only here is the clock read.

use crate::pipeline::{Progress, Stage};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Seconds by stage; 0 for one that was not reached.
pub type StageSeconds = [f64; Stage::ALL.len()];

/// Times the stages of one run.
#[derive(Debug)]
pub struct Stopwatch(Mutex<Running>);

#[derive(Debug)]
struct Running {
    seconds: StageSeconds,
    stage: Option<(Stage, Instant)>,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self(Mutex::new(Running { seconds: StageSeconds::default(), stage: None }))
    }
}

impl Stopwatch {
    /// Hears how far the run is; only the beginning of a stage counts.
    pub fn tell(&self, progress: Progress) {
        if let Progress::Began(stage) = progress {
            self.switch(Some(stage));
        }
    }

    /// The run has ended.
    pub fn stop(&self) -> StageSeconds {
        self.switch(None);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seconds
    }

    fn switch(&self, to: Option<Stage>) {
        let now = Instant::now();
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stage, since)) = running.stage.take() {
            running.seconds[stage as usize] += now.duration_since(since).as_secs_f64();
        }
        running.stage = to.map(|stage| (stage, now));
    }
}
