//! The arguments of `held`.

use super::{ConfigArgs, RegisterArgs, setup};
use crate::batch::{self, Failure, Goal, HeldBy, HeldPlace, SelectionWords};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What waits for a person.
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum HeldCommand {
    /// Count what waits, the worst and oldest first; exit 1 if anything is overdue
    List {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        selection: SelectionArgs,
        /// Count together what has the same of this; default: of all four
        #[arg(long, value_enum)]
        by: Option<By>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show each alert that waits; exit 1 if there is none
    Show {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        selection: SelectionArgs,
        /// Print one JSON object a line, with the alert as it is held
        #[arg(long)]
        json: bool,
    },
    /// Send what waits: one run more, <run>+held-<n>, for each run that held it
    ///
    /// A finding that several organisations claim goes to one of them, which decides it for all.
    Release {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        decision: DecisionArgs,
        /// Send it to this organisation: a claimant, or any of the register
        #[arg(long, value_name = "OWNER", conflicts_with = "next")]
        to: Option<String>,
        /// Send it to whom the register names next
        #[arg(long)]
        next: bool,
        /// Send it where its label does not let it go: the source agreed, and --because says who
        #[arg(long)]
        despite_tlp: bool,
    },
    /// Send what waits to nobody; it stays on record
    Discard {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        decision: DecisionArgs,
    },
}

const EXAMPLES: &str = "\
Nothing is sent or deleted by time alone. What waits longer than [held.overdue_days] says for its severity is overdue.

Examples:
  dijkwacht held list                                     what waits, and how long
  dijkwacht held show --reason conflict --feed partner    each of these
  dijkwacht held release 66bb29f5-731e-5008-8c71-c345897ccd3a --to school \\
    --because 'called both: it is the school'\\''s' --by 'A. Analyst'
  dijkwacht held release --reason no-contact --next --because 'network owner instead' --by 'A. Analyst' --dry-run
  dijkwacht held discard --run partner-6437b3ac38465133 --because 'the list was withdrawn' --by 'A. Analyst'";

#[derive(Args)]
pub(super) struct PlaceArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Spool directory; default: the configuration's
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    #[command(flatten)]
    register: RegisterArgs,
    /// The moment that counts as now (RFC 3339 or a day); default: the start
    #[arg(long, value_name = "TIME")]
    run_time: Option<String>,
}

/// Which of them: of each kind that is given one must fit.
#[derive(Args)]
pub(super) struct SelectionArgs {
    /// Alert ids and runs
    #[arg(value_name = "ALERT_ID|RUN")]
    names: Vec<String>,
    /// Held by this run; repeatable
    #[arg(long, value_name = "RUN")]
    run: Vec<String>,
    /// Of this feed; repeatable
    #[arg(long, value_name = "NAME")]
    feed: Vec<String>,
    /// Held for this reason; repeatable
    #[arg(long, value_name = "REASON")]
    reason: Vec<String>,
    /// Held under this owner; repeatable
    #[arg(long, value_name = "OWNER")]
    owner: Vec<String>,
    /// This alert; repeatable
    #[arg(long, value_name = "ALERT_ID")]
    alert: Vec<String>,
    /// Held for so many days or longer
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u16>,
    /// All that waits
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub(super) struct DecisionArgs {
    /// Why: kept with the decision
    #[arg(long, value_name = "TEXT")]
    because: String,
    /// Who decides: kept with the decision
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// By what held alerts are counted together.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum By {
    /// Why they are held
    Reason,
    /// The feed they came in
    Feed,
    /// Under whom they are held
    Owner,
    /// The run that holds them
    Run,
}

/// Runs it.
pub(super) fn run(command: HeldCommand) -> Result<u8, Failure> {
    match command {
        HeldCommand::List { place: at, selection, by, json } => {
            let by = match by {
                None => HeldBy::All,
                Some(By::Reason) => HeldBy::Reason,
                Some(By::Feed) => HeldBy::Feed,
                Some(By::Owner) => HeldBy::Owner,
                Some(By::Run) => HeldBy::Run,
            };
            batch::held_list(&place(at), &words(selection), by, json)
        }
        HeldCommand::Show { place: at, selection, json } => {
            batch::held_show(&place(at), &words(selection), json)
        }
        HeldCommand::Release { place, selection, decision, to, next, despite_tlp } => {
            let goal = match (to, next) {
                (Some(owner), _) => Goal::ReleaseTo(owner),
                (None, true) => Goal::ReleaseToNext,
                (None, false) => Goal::Release,
            };
            decide(place, selection, decision, goal, despite_tlp)
        }
        HeldCommand::Discard { place, selection, decision } => {
            decide(place, selection, decision, Goal::Discard, false)
        }
    }
}

fn decide(
    at: PlaceArgs,
    selection: SelectionArgs,
    decision: DecisionArgs,
    goal: Goal,
    despite_tlp: bool,
) -> Result<u8, Failure> {
    let DecisionArgs { because, by, dry_run, json } = decision;
    let (place, selection) = (place(at), words(selection));
    let request = batch::DecisionRequest { place, selection, goal, because, by, despite_tlp, dry_run, json };
    batch::held_decide(&request)
}

fn place(args: PlaceArgs) -> HeldPlace {
    HeldPlace { setup: setup(args.config, args.register), spool: args.spool, run_time: args.run_time }
}

fn words(args: SelectionArgs) -> SelectionWords {
    let SelectionArgs { names, run, feed, reason, owner, alert, older_than, all } = args;
    SelectionWords {
        names,
        runs: run,
        feeds: feed,
        reasons: reason,
        owners: owner,
        alerts: alert,
        older_than_days: older_than,
        all,
    }
}
