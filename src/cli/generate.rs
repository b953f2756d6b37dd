//! `generate`: files that are made from the program itself.

use crate::batch::Failure;
use crate::config::{EXAMPLE, FINDINGS};
use crate::metrics;
use clap::Command;
use std::io::{self, Write};

/// What can be generated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum What {
    /// The configuration with every setting, its default and its consequence
    Config,
    /// The catalogue of findings that is built in, to be translated or mended
    Findings,
    /// The manual page, in roff: all commands and their options
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
        What::Findings => text.extend_from_slice(FINDINGS.as_bytes()),
        What::Man => manual(command, &mut text).map_err(Failure::Output)?,
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

/// One page: the program, then a chapter for each command, with its options.
fn manual(command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    let mut command = command.clone();
    command.build();
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    command.get_subcommands().try_for_each(|command| chapter(command, out))?;
    man.render_extra_section(out)?;
    out.extend_from_slice(FILES.as_bytes());
    man.render_version_section(out)
}

fn chapter(command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    if command.get_name() == "help" {
        return Ok(());
    }
    let name = command.get_display_name().unwrap_or(command.get_name()).replace('-', " ");
    writeln!(out, ".SH \"{}\"", name.to_uppercase())?;
    let mut sections = Vec::new();
    let man = clap_mangen::Man::new(command.clone().bin_name(command.get_bin_name().unwrap_or(&name)));
    man.render_synopsis_section(&mut sections)?;
    man.render_description_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    man.render_extra_section(&mut sections)?;
    // Sections of a page are subsections of a chapter.
    for line in String::from_utf8_lossy(&sections).lines() {
        match line.strip_prefix(".SH ") {
            Some(title) => writeln!(out, ".SS {title}")?,
            None => writeln!(out, "{line}")?,
        }
    }
    command.get_subcommands().try_for_each(|command| chapter(command, out))
}

const FILES: &str = "\
.SH ENVIRONMENT
DIJKWACHT_CONFIG: the configuration, where \\fB\\-\\-config\\fR names none.
.SH FILES
/etc/dijkwacht/dijkwacht.toml: the configuration; `dijkwacht generate config` prints one with every setting.
.SH \"EXIT STATUS\"
0 done; 1 lookup found no owner, index diff differences, spool take nothing; 64 usage; 65 bad data; 66 no such input; 70 bug;
73 cannot create; 74 I/O; 75 try again (locked, disk full, the dump changed while it was read); 77 permission; 78 configuration;
130, 143 interrupted, nothing published.
";
