//! Arguments and exit codes.
//!
//! What the operator typed ([`Cli`]) becomes what a command needs (`batch::…Request`); what went wrong becomes one line
//! on standard error and a code of sysexits.h:
//! 0 done · 1 no owner, or differences · 64 usage · 65 bad data · 66 no such input · 70 bug · 73 cannot create · 74 I/O ·
//! 75 try again · 77 permission · 78 configuration · 130/143 interrupted.

mod assess;
mod generate;
mod held;

use crate::batch::{self, Failure};
use crate::config::DEFAULT_PATH;
use crate::moment::Moment;
use crate::scan::Io;
use crate::serve::{self, ServeError};
use crate::text::safe_line;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Usage error.
const USAGE: u8 = 64;

/// Matches internet-scan dumps to registered network owners and spools one notice per recipient.
#[derive(Parser)]
#[command(name = "dijkwacht", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  dijkwacht index build -o owners.dwi register.csv        compile a register
  dijkwacht preview 2026-11-22-scan_rdp-nl.csv            what would be read as what
  dijkwacht match --index owners.dwi --spool spool 2026-11-22-scan_rdp-nl.csv.gz
  zcat dump.json.gz | dijkwacht match --register register.csv --format shodan --dry-run -
  dijkwacht lookup --index owners.dwi 192.0.2.1           who owns it, and why
  dijkwacht spool take --spool spool                      a mailer's next run

Exit codes: 0 done, 1 nothing found or differences, 64 usage, 65 bad data, 66 no such input, 70 bug,
73 cannot create, 74 I/O, 75 try again, 77 permission, 78 configuration, 130 and 143 interrupted.";

#[derive(Subcommand)]
enum Command {
    /// Match dumps to owners and publish one notice per recipient
    Match(MatchArgs),
    /// Build, check and compare compiled registers
    #[command(subcommand)]
    Index(IndexCommand),
    /// Check register files
    #[command(subcommand)]
    Register(RegisterCommand),
    /// Tell who owns addresses, prefixes, host names and AS numbers
    Lookup(LookupArgs),
    /// Show how a dump would be read, and its first five alerts; writes nothing
    Preview(PreviewArgs),
    /// Explain one alert, or a raw record: each step from its bytes to its recipient
    Explain(ExplainArgs),
    /// Take, acknowledge and check published runs
    #[command(subcommand)]
    Spool(SpoolCommand),
    /// Count what was published since a day: organisations warned, alerts, held, time from arrival to publication
    Report(ReportArgs),
    /// See what waits for a person, and decide about it
    #[command(subcommand)]
    Held(held::HeldCommand),
    /// Print the rules by which reports are assessed, and try them
    #[command(subcommand)]
    Assess(assess::AssessCommand),
    /// Check the configuration and everything that it names
    CheckConfig(ConfigArgs),
    /// Run the daemon: dumps that arrive in the inbox become notices in the spool
    Serve(ServeArgs),
    /// Ask the daemon what it is doing
    Status(StatusArgs),
    /// Print files that are made from the program itself
    Generate(GenerateArgs),
}

/// Where the register comes from.
#[derive(Args)]
struct RegisterArgs {
    /// Compiled register (dijkwacht index build)
    #[arg(long, value_name = "FILE", conflicts_with = "register")]
    index: Option<PathBuf>,
    /// Register file (CSV or JSON lines), compiled in memory; several in order of precedence
    #[arg(long, value_name = "FILE")]
    register: Vec<PathBuf>,
    /// With --register: count bad rows and go on without them
    #[arg(long, requires = "register")]
    keep_going: bool,
}

#[derive(Args)]
struct ConfigArgs {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "DIJKWACHT_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum IoArg {
    /// Map the dump into memory; one of more than 4 GiB as mmap-once
    Mmap,
    /// Map it, and let go of what was brought into the page cache for it
    MmapOnce,
    /// Read it, for file systems on which mapping is slow or unsafe
    Read,
}

/// How a dump is opened.
#[derive(Args)]
struct OpeningArgs {
    /// File whose first line is the password of encrypted .zip dumps; default: the feed's
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// In csv and ndjson, read addresses and names as they were before an analyst defanged them: 192[.]0[.]2[.]1, hxxp://
    #[arg(long)]
    refang: bool,
}

#[derive(Args)]
#[command(after_help = MATCH_EXAMPLES)]
struct MatchArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    register: RegisterArgs,
    /// Feed that the dumps belong to
    ///
    /// Default: the report type of a Shadowserver file name, else the format's name.
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Format: csv, ndjson, list, shadowserver, zmap, zgrab2, shodan, masscan, masscan-list, nuclei, intelmq, n6,
    /// credentials
    ///
    /// Default: the feed's, else a Shadowserver file name, else by content.
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Read a field from this column, or dotted path in JSON; repeatable
    ///
    /// Fields: address, port, transport, time, identifier, severity, cve, tlp, asn, application, name (stated),
    /// shown_name, reverse_name, tag.
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// What is wrong with every host in the dump (such as open-rdp); without one, matches of plain scans are held
    #[arg(long, value_name = "NAME")]
    identifier: Option<String>,
    /// What is known of this one dump: where it comes from, its label, permission, and words for the reader
    ///
    /// Default: FILE.toml beside FILE, if it is there. It goes over the feed's settings; options go over it.
    #[arg(long, value_name = "FILE.toml")]
    report: Option<PathBuf>,
    /// When the hosts were seen, for records without a time (RFC 3339 or a day)
    #[arg(long, value_name = "TIME")]
    observed: Option<String>,
    /// The moment that counts as now (RFC 3339 or a day); default: the start
    #[arg(long, value_name = "TIME")]
    run_time: Option<String>,
    /// Publish a dump again on purpose, under <run>+TEXT
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Put a run right: why it is published again; kept in its manifest
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
    /// With --because: who says so
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// With --because: only what is for this owner; repeatable. The rest is counted as excepted
    #[arg(long, value_name = "OWNER")]
    owner: Vec<String>,
    /// With --because: only findings whose recipient is another than by this index, such as owners.dwi.d/<id>.dwi
    ///
    /// The summary and the manifest list who was told before and who is now, with the number of findings.
    #[arg(long, value_name = "INDEX")]
    changed_since: Option<PathBuf>,
    /// Text encoding of dumps without a byte order mark: utf-8 (default), windows-1252, utf-16le, utf-16be
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    #[command(flatten)]
    opening: OpeningArgs,
    /// Spool directory; created if missing
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    spool: Option<PathBuf>,
    /// Write the alerts (not the held ones) here instead; - is standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Do everything but hashing, staging and publishing
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: also tell who would be sent how many alerts, the most first
    #[arg(long, requires = "dry_run")]
    owners: bool,
    /// List what is Dutch and nobody's in the spool, as runs/<run>.residual.jsonl: a line for each holder and /24 (IPv6: /48)
    ///
    /// Needs delegation statistics among the register's sources.
    #[arg(long)]
    residual: bool,
    /// Write each rejected record's number, offset and reason here, one JSON object a line
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Write metrics here at the end, of a failure too, for node_exporter's textfile collector (FILE.prom)
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
    /// Threads; default: one per processor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// How dumps are read
    #[arg(long, value_enum, default_value = "mmap")]
    io: IoArg,
    /// Print the summary as one JSON document
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
    /// Bytes of a chunk, for tests: verdicts do not depend on it
    #[arg(long, value_name = "N", hide = true, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    chunk_bytes: Option<u32>,
    /// Dumps: plain, .gz, .zst or .zip; - is standard input; several are read at the same time, and published in this order
    #[arg(required = true, value_name = "DUMP")]
    dumps: Vec<PathBuf>,
}

const MATCH_EXAMPLES: &str = "\
Examples:
  dijkwacht match --index owners.dwi --spool spool 2026-11-22-*.csv.gz
  dijkwacht match --register register.csv --dry-run --json dump.json
  dijkwacht match --index owners.dwi --feed partner --map address=Host \\
    --identifier open-rdp --output - list.csv
  zstdcat scan.zst | dijkwacht match --index owners.dwi --format zmap \\
    --identifier open-telnet --spool spool -
  dijkwacht match --label corrected --because 'the register was wrong' \\
    --changed-since owners.dwi.d/<id>.dwi 2026-11-22-scan_rdp-nl.csv.gz";

#[derive(Subcommand)]
enum IndexCommand {
    /// Compile register files into an index
    Build(BuildArgs),
    /// Tell what an index holds
    Info(InfoArgs),
    /// Check an index from its first byte to its last
    Verify {
        /// Index
        file: PathBuf,
    },
    /// Tell which address space changes owner, and which alerts would; exit 1 if anything differs
    Diff(DiffArgs),
}

#[derive(Args)]
#[command(after_help = DIFF_EXAMPLES)]
struct DiffArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Match this dump with both, and tell which alerts would move, appear or vanish; nothing is published; repeatable
    #[arg(long = "dump", value_name = "FILE")]
    dumps: Vec<PathBuf>,
    /// Feed that the dumps belong to
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Format of the dumps, where not by content
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Read a field from this column, or dotted path in JSON; repeatable
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// Text encoding of dumps without a byte order mark
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    #[command(flatten)]
    opening: OpeningArgs,
    /// The moment that counts as now (RFC 3339 or a day); default: the start
    #[arg(long, value_name = "TIME")]
    run_time: Option<String>,
    /// Print the differences as JSON lines
    #[arg(long)]
    json: bool,
    /// Index before
    old: PathBuf,
    /// Index after
    new: PathBuf,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  dijkwacht index diff owners.dwi next.dwi
  dijkwacht index diff --dump 2026-11-22-scan_rdp-nl.csv.gz owners.dwi next.dwi
  dijkwacht index diff --json --feed partner --dump list.csv owners.dwi next.dwi | jq 'select(.of == \"alerts\")'";

#[derive(Args)]
#[command(after_help = "Example:\n  dijkwacht index build -o owners.dwi curated.csv partners.jsonl")]
struct BuildArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Index to write; replaced as a whole
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Count bad rows and go on without them
    #[arg(long)]
    keep_going: bool,
    /// Build although more moves than [register] change_max: exactly the change that has this hash, as the refusal told it
    #[arg(long, value_name = "HASH")]
    accept_changes: Option<String>,
    /// No progress and no lint
    #[arg(long, short)]
    quiet: bool,
    /// Register files in order of precedence: .csv, .jsonl, RIPE dumps (ripe.db.*), delegation statistics, tables of prefixes
    /// and AS numbers; gzip or not
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
}

#[derive(Subcommand)]
enum RegisterCommand {
    /// Tell what is unwise in register files; exit 65 only for what --deny names
    Lint(LintArgs),
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  dijkwacht register lint curated.csv ripe.db.*.gz\n  dijkwacht register lint --deny conflict --deny no-contact curated.csv"
)]
struct LintArgs {
    /// A kind of finding that is not allowed, such as conflict; repeatable
    #[arg(long, value_name = "KIND")]
    deny: Vec<String>,
    /// Print one JSON line a finding
    #[arg(long)]
    json: bool,
    /// Register files, as of index build
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
}

#[derive(Args)]
struct InfoArgs {
    /// Index
    file: PathBuf,
    /// Print what this owner has, as a page to confirm; exit 1 if there is no such owner
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  dijkwacht lookup --index owners.dwi 192.0.2.1 2001:db8::/48\n  cut -d, -f2 list.csv | dijkwacht lookup --index owners.dwi --json -"
)]
struct LookupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    register: RegisterArgs,
    /// The moment that counts as now (RFC 3339 or a day); default: the start
    #[arg(long, value_name = "TIME")]
    run_time: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Address, prefix, host name or AS number; - reads them from standard input, one a line
    #[arg(required = true, value_name = "ADDRESS|PREFIX|HOSTNAME|ASN")]
    inputs: Vec<String>,
}

#[derive(Args)]
struct PreviewArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    register: RegisterArgs,
    /// Feed that the dump belongs to
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Format, where not by content
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Read a field from this column, or dotted path in JSON; repeatable
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// What is wrong with every host in the dump
    #[arg(long, value_name = "NAME")]
    identifier: Option<String>,
    /// Text encoding without a byte order mark
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    #[command(flatten)]
    opening: OpeningArgs,
    /// What is known of this one dump; default: FILE.toml beside FILE, if it is there
    #[arg(long, value_name = "FILE.toml")]
    report: Option<PathBuf>,
    /// The moment that counts as now
    #[arg(long, value_name = "TIME")]
    run_time: Option<String>,
    /// Dump; - is standard input
    dump: PathBuf,
}

#[derive(Args)]
#[command(after_help = REPORT_EXAMPLES)]
struct ReportArgs {
    #[command(flatten)]
    spool: SpoolArgs,
    /// From this moment (RFC 3339 or a day)
    #[arg(long, value_name = "DATE")]
    since: String,
    /// To this moment; default: now
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Count by this too
    #[arg(long, value_enum)]
    by: Option<ByArg>,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ByArg {
    /// The recipient's sector
    Sector,
    /// The recipient's constituency
    Constituency,
    /// Who warns
    Sender,
    /// What is wrong
    Identifier,
    /// The feed
    Feed,
}

const REPORT_EXAMPLES: &str = "\
From manifests, those of retired runs included, as long as [retention] manifests keeps them. The time from arrival to
publication is of dumps that are still in the inbox's done/.

Examples:
  dijkwacht report --since 2026-01-01
  dijkwacht report --since 2026-11-01 --until 2026-12-01 --by sector --csv > november.csv
  dijkwacht report --since 2026-11-22 --by identifier --json | jq .total";

#[derive(Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
struct ExplainArgs {
    #[command(flatten)]
    spool: SpoolArgs,
    #[command(flatten)]
    register: RegisterArgs,
    /// The dump that the alert is from, where it is not in the inbox's done or failed
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
    /// Feed that a raw record belongs to
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Format of a raw record, where not by content
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Read a field of a raw record from this column, or dotted path in JSON; repeatable
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// What is wrong, for a raw record that does not say it
    #[arg(long, value_name = "NAME")]
    identifier: Option<String>,
    #[command(flatten)]
    opening: OpeningArgs,
    /// The moment that counts as now for a raw record; default: the start
    #[arg(long, value_name = "TIME")]
    run_time: Option<String>,
    /// Print one JSON document, or one a finding
    #[arg(long)]
    json: bool,
    /// Alert, by its id or opaque reference; without one, raw records on standard input are explained, after their header where
    /// the format has one
    #[arg(value_name = "ALERT_ID|REFERENCE")]
    alert: Option<String>,
}

const EXPLAIN_EXAMPLES: &str = "\
What an answer in full would need and is not at hand (the dump, the index that decided) is told as what it lacks.

Examples:
  dijkwacht explain 66bb29f5-731e-5008-8c71-c345897ccd3a
  dijkwacht explain --dump /archive/2026-11-22-scan_rdp-nl.csv.gz 66bb29f5-731e-5008-8c71-c345897ccd3a
  sed -n '1p;4711p' list.csv | dijkwacht explain --feed partner --index owners.dwi
  jq -c 'select(.ip_str == \"192.0.2.1\")' scan.json | dijkwacht explain --feed shodan --format shodan";

/// Where the spool is.
#[derive(Args)]
struct SpoolArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Spool directory; default: the configuration's
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
}

#[derive(Subcommand)]
#[command(
    after_help = "Example, a mailer:\n  dijkwacht spool take --spool spool --sender ncsc    prints CLAIM<TAB>DIRECTORY, or exits 1\n  … mail DIRECTORY/*.jsonl …\n  dijkwacht spool done --spool spool CLAIM"
)]
enum SpoolCommand {
    /// Claim the oldest unclaimed run; prints CLAIM<TAB>DIRECTORY; exit 1 when there is none
    Take {
        #[command(flatten)]
        spool: SpoolArgs,
        /// Only this sender's
        #[arg(long, value_name = "NAME")]
        sender: Option<String>,
        /// Copy the notices into this directory too, each under a name of its own
        #[arg(long, value_name = "DIR")]
        flat: Option<PathBuf>,
    },
    /// Acknowledge a claim: its notices were sent
    Done {
        #[command(flatten)]
        spool: SpoolArgs,
        /// As `take` printed it
        claim: String,
    },
    /// Give a claim up: its notices could not be sent
    Fail {
        #[command(flatten)]
        spool: SpoolArgs,
        /// As `take` printed it
        claim: String,
    },
    /// Count runs and claims
    Status {
        #[command(flatten)]
        spool: SpoolArgs,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Check every published file against its manifest
    Verify {
        #[command(flatten)]
        spool: SpoolArgs,
    },
    /// Tell every alert about an address or prefix, for an owner, or of one id or reference, and what became of it; exit 1 if none
    ///
    /// States: new, claimed, done, failed, retired, held, released, discarded.
    #[command(after_help = TRACE_EXAMPLES)]
    Trace {
        #[command(flatten)]
        spool: SpoolArgs,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        /// What is sought
        #[arg(value_name = "ADDRESS|PREFIX|OWNER|ALERT_ID|REFERENCE")]
        sought: String,
    },
    /// Retire old runs of which all was sent and nothing is held, and what else the retention lets go
    ///
    /// That their dumps were published stays known, unless [retention] manifests says how long. What waits for a person is never
    /// pruned.
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune {
        #[command(flatten)]
        spool: SpoolArgs,
        /// Only runs that were published so many days ago, or earlier; default: [retention] notices
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(0..=36_500))]
        older_than: Option<u16>,
    },
    /// Forget what the spool holds for an owner or about an address; that something is gone stays counted
    #[command(after_help = FORGET_EXAMPLES)]
    Forget {
        #[command(flatten)]
        spool: SpoolArgs,
        /// All that is for this owner
        #[arg(long, value_name = "OWNER", conflicts_with = "address")]
        owner: Option<String>,
        /// All that is about this address, or about addresses of this prefix
        #[arg(long, value_name = "ADDRESS|PREFIX")]
        address: Option<String>,
        /// Why: kept with the count
        #[arg(long, value_name = "TEXT")]
        because: String,
        /// Who says so: kept with the count
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

const PRUNE_EXAMPLES: &str = "\
Examples:
  dijkwacht spool prune --spool spool --older-than 90
  dijkwacht spool prune                                   as [retention] of the configuration says";

const FORGET_EXAMPLES: &str = "\
Interrupted anywhere, it is gone on with by the next forget, prune, match or serve. Dumps, the register, its indexes and what
mailers keep are not touched; alert ids, which are hashes, stay in decisions.

Examples:
  dijkwacht spool forget --owner school --because 'request 2026-17, article 17' --by 'P. Officer'
  dijkwacht spool forget --address 192.0.2.1 --because 'request 2026-18'
  dijkwacht spool verify                                  says what was forgotten";

const TRACE_EXAMPLES: &str = "\
Examples:
  dijkwacht spool trace 192.0.2.1                         who was told of it, when, and was it sent
  dijkwacht spool trace 2001:db8::/32 --json | jq -r .state
  dijkwacht spool trace school                            all that an organisation was told
  dijkwacht spool trace 66bb29f5-731e-5008-8c71-c345897ccd3a";

#[derive(Args)]
#[command(after_help = SERVE_HELP)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The moment that counts as now in every run, for tests; default: each run's start
    #[arg(long, value_name = "TIME", hide = true)]
    run_time: Option<String>,
}

const SERVE_HELP: &str = "\
A dump is brought by renaming it into inbox/<feed>/, or by closing it after writing. Until it is whole, call it .NAME,
NAME.tmp, NAME.part or NAME.filepart. When its notices are in the spool it is moved to done/<feed>/; if it cannot be
processed, to failed/<feed>/, with FILE.reason beside it.

Signals: TERM and INT stop it, in at most ten seconds; what was under way is done again by the next start. HUP reads
configuration and register again; if anything is wrong with them, the old ones stay.

Examples:
  dijkwacht generate config > dijkwacht.toml              then fill in [register], [inbox] and [spool]
  dijkwacht serve --config dijkwacht.toml
  cp dump.csv inbox/partner/.dump.csv && mv inbox/partner/.dump.csv inbox/partner/dump.csv
  dijkwacht status --config dijkwacht.toml
  kill -HUP PID                                           after dijkwacht index build
";

#[derive(Args)]
#[command(
    after_help = "Examples:\n  dijkwacht status\n  dijkwacht status --json | jq .queue\n\nThe daemon answers where [metrics] listen of its configuration says; exit 75 if it does not."
)]
struct StatusArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct GenerateArgs {
    /// What to print
    #[arg(value_enum, value_name = "WHAT")]
    what: generate::What,
    /// For completions: which shell's
    #[arg(long, value_name = "SHELL", default_value = "bash")]
    shell: clap_complete::Shell,
}

/// Reads the arguments, runs the command; the code is the process's.
pub fn main() -> ExitCode {
    let parsed = Cli::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => run(cli),
        Err(error) => {
            let _ = error.print();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(USAGE),
            }
        }
    }
}

fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Match(args) => run_match(args),
        Command::Index(command) => run_index(command),
        Command::Register(RegisterCommand::Lint(args)) => batch::register_lint(&batch::LintRequest {
            sources: args.sources,
            deny: args.deny,
            json: args.json,
        }),
        Command::Lookup(args) => run_lookup(args),
        Command::Preview(args) => run_preview(args),
        Command::Explain(args) => run_explain(args),
        Command::Spool(command) => run_spool(command),
        Command::Report(args) => run_report(args),
        Command::Held(command) => held::run(command),
        Command::Assess(command) => assess::run(command),
        Command::CheckConfig(args) => batch::check_config(args.config.as_deref()),
        Command::Serve(args) => run_serve(args),
        Command::Status(args) => run_status(args),
        Command::Generate(args) => generate::generate(args.what, args.shell, &mut Cli::command()),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            complain(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// One line on standard error; a stream that is closed or full changes nothing. A reader of standard output that has
/// gone away is no news to anybody.
fn complain(failure: &Failure) {
    if failure.is_silent() {
        return;
    }
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let _ = writeln!(anstream::stderr(), "{red}error:{red:#} {}", safe_line(&failure.to_string()));
}

fn run_match(args: MatchArgs) -> Result<u8, Failure> {
    batch::match_dumps(batch::MatchRequest {
        setup: setup(args.config, args.register),
        reading: reading(args.feed, args.format, args.map, args.identifier, args.encoding, args.opening),
        report: args.report,
        observed: args.observed,
        run_time: args.run_time,
        label: args.label,
        because: args.because,
        by: args.by,
        owners: args.owner,
        changed_since: args.changed_since,
        spool: args.spool,
        output: args.output,
        dry_run: args.dry_run,
        recipients: args.owners,
        residual: args.residual,
        rejects: args.rejects,
        metrics_file: args.metrics_file,
        threads: args.threads.map(usize::from),
        io: match args.io {
            IoArg::Mmap => Io::Mmap,
            IoArg::MmapOnce => Io::MmapOnce,
            IoArg::Read => Io::Read,
        },
        json: args.json,
        quiet: args.quiet,
        chunk_bytes: args.chunk_bytes.map(|bytes| bytes as usize),
        dumps: args.dumps,
    })
}

fn setup(config: ConfigArgs, register: RegisterArgs) -> batch::Setup {
    batch::Setup {
        config: config.config,
        index: register.index,
        registers: register.register,
        keep_going: register.keep_going,
    }
}

fn reading(
    feed: Option<String>,
    format: Option<String>,
    map: Vec<String>,
    identifier: Option<String>,
    encoding: Option<String>,
    OpeningArgs { password_file, refang }: OpeningArgs,
) -> batch::ReadingWords {
    batch::ReadingWords { feed, format, map, identifier, encoding, refang, password_file }
}

fn run_index(command: IndexCommand) -> Result<u8, Failure> {
    match command {
        IndexCommand::Build(args) => batch::index_build(&batch::BuildRequest {
            config: args.config.config,
            output: args.output,
            sources: args.sources,
            keep_going: args.keep_going,
            accept_changes: args.accept_changes,
            quiet: args.quiet,
        }),
        IndexCommand::Info(args) => batch::index_info(&args.file, args.owner.as_deref(), args.json),
        IndexCommand::Verify { file } => batch::index_verify(&file),
        IndexCommand::Diff(args) => batch::index_diff(&batch::DiffRequest {
            config: args.config.config,
            old: args.old,
            new: args.new,
            dumps: args.dumps,
            reading: reading(args.feed, args.format, args.map, None, args.encoding, args.opening),
            run_time: args.run_time,
            json: args.json,
        }),
    }
}

fn run_lookup(args: LookupArgs) -> Result<u8, Failure> {
    batch::lookup(batch::LookupRequest {
        setup: setup(args.config, args.register),
        run_time: args.run_time,
        json: args.json,
        inputs: args.inputs,
    })
}

fn run_preview(args: PreviewArgs) -> Result<u8, Failure> {
    batch::preview(batch::PreviewRequest {
        setup: setup(args.config, args.register),
        reading: reading(args.feed, args.format, args.map, args.identifier, args.encoding, args.opening),
        report: args.report,
        run_time: args.run_time,
        dump: args.dump,
    })
}

fn run_report(args: ReportArgs) -> Result<u8, Failure> {
    let by = args.by.map(|by| match by {
        ByArg::Sector => batch::ReportBy::Sector,
        ByArg::Constituency => batch::ReportBy::Constituency,
        ByArg::Sender => batch::ReportBy::Sender,
        ByArg::Identifier => batch::ReportBy::Identifier,
        ByArg::Feed => batch::ReportBy::Feed,
    });
    let form = match (args.csv, args.json) {
        (true, _) => batch::ReportForm::Csv,
        (_, true) => batch::ReportForm::Json,
        _ => batch::ReportForm::Text,
    };
    let place = place(args.spool);
    batch::report(&batch::ReportRequest { place, since: args.since, until: args.until, by, form })
}

fn run_explain(args: ExplainArgs) -> Result<u8, Failure> {
    batch::explain(&batch::ExplainRequest {
        setup: setup(args.spool.config, args.register),
        spool: args.spool.spool,
        reading: reading(args.feed, args.format, args.map, args.identifier, None, args.opening),
        run_time: args.run_time,
        dump: args.dump,
        json: args.json,
        alert: args.alert,
    })
}

fn run_serve(args: ServeArgs) -> Result<u8, Failure> {
    let read = |text: String| {
        let unread = || Failure::Usage("--run-time is no time (such as 2026-11-22T01:02:03Z)".to_owned());
        Moment::read(text.as_bytes()).ok_or_else(unread)
    };
    let run_time = args.run_time.map(read).transpose()?;
    serve::serve(serve::ServeRequest { config: config_path(args.config), run_time }).map_err(serve_failure)
}

fn run_status(args: StatusArgs) -> Result<u8, Failure> {
    let status = serve::status_json(&config_path(args.config)).map_err(serve_failure)?;
    let text = if args.json { format!("{status}\n") } else { serve::status_text(&status) };
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)?;
    Ok(0)
}

fn config_path(args: ConfigArgs) -> PathBuf {
    args.config.unwrap_or_else(|| DEFAULT_PATH.into())
}

fn serve_failure(error: ServeError) -> Failure {
    match error {
        ServeError::Config(error) => Failure::Config(error),
        ServeError::Register(error) => Failure::Register(error),
        ServeError::Build(error) => Failure::Build(error),
        ServeError::Write(error) => Failure::Write(error),
        ServeError::Open(error) => Failure::Open(error),
        ServeError::Moves(error) => Failure::Moves(error),
        ServeError::Spool(error) => Failure::Spool(error),
        ServeError::Lacking { .. } => Failure::Daemon { said: error.to_string(), code: 78 },
        ServeError::Panicked => Failure::Daemon { said: error.to_string(), code: 70 },
        ServeError::Listen { .. } | ServeError::System(_) | ServeError::NoAnswer { .. } => {
            Failure::Daemon { said: error.to_string(), code: 75 }
        }
    }
}

fn run_spool(command: SpoolCommand) -> Result<u8, Failure> {
    match command {
        SpoolCommand::Take { spool, sender, flat } => {
            batch::spool_take(&place(spool), sender.as_deref(), flat.as_deref())
        }
        SpoolCommand::Done { spool, claim } => batch::spool_done(&place(spool), &claim),
        SpoolCommand::Fail { spool, claim } => batch::spool_fail(&place(spool), &claim),
        SpoolCommand::Status { spool, json } => batch::spool_status(&place(spool), json),
        SpoolCommand::Verify { spool } => batch::spool_verify(&place(spool)),
        SpoolCommand::Trace { spool, json, sought } => batch::spool_trace(&place(spool), &sought, json),
        SpoolCommand::Prune { spool, older_than } => batch::spool_prune(&place(spool), older_than),
        SpoolCommand::Forget { spool, owner, address, because, by, json } => {
            let place = place(spool);
            batch::spool_forget(&batch::ForgetRequest { place, owner, address, because, by, json })
        }
    }
}

fn place(args: SpoolArgs) -> batch::SpoolPlace {
    batch::SpoolPlace { config: args.config.config, spool: args.spool }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
