//! `generate`: files that are made from the program itself.

use crate::batch::Failure;
use crate::config::EXAMPLE;
use crate::metrics;
use clap::Command;
use std::io::{self, Write};

/// What can be generated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum What {
    /// The configuration with every setting, its default and its consequence
    Config,
    /// The manual page, in roff
    Man,
    /// Completions for a shell
    Completions,
    /// A Grafana dashboard, in JSON
    Grafana,
    /// Alert rules for Prometheus
    PrometheusRules,
}

/// Prints it on standard output.
pub(super) fn generate(
    what: What,
    shell: clap_complete::Shell,
    command: &mut Command,
) -> Result<u8, Failure> {
    let mut text = Vec::new();
    match what {
        What::Config => text.extend_from_slice(EXAMPLE.as_bytes()),
        What::Man => clap_mangen::Man::new(command.clone()).render(&mut text).map_err(Failure::Output)?,
        What::Grafana => text.extend_from_slice(metrics::dashboard().as_bytes()),
        What::PrometheusRules => text.extend_from_slice(metrics::RULES.as_bytes()),
        What::Completions => {
            clap_complete::generate(shell, command, "dijkwacht", &mut text);
        }
    }
    let mut out = io::stdout().lock();
    out.write_all(&text).and_then(|()| out.flush()).map_err(Failure::Output)?;
    Ok(0)
}
