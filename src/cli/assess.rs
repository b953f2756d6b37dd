//! The arguments of `assess`.

use super::ConfigArgs;
use crate::batch::{self, AssessWords, Failure, Setup};
use crate::policy::Permission;
use clap::{Args, Subcommand, ValueEnum};

/// What the assessment does with reports.
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum AssessCommand {
    /// Print the rules as a page (Markdown, Dutch and English) for the public
    Table {
        #[command(flatten)]
        config: ConfigArgs,
        /// Print the rules of [[assessment]] as one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Tell what becomes of a finding with these properties, for a recipient with those
    Try(Box<TryArgs>),
}

const EXAMPLES: &str = "\
Examples:
  dijkwacht assess table > rules.md                       what we publish
  dijkwacht assess try --feed partner --tlp amber+strict  with the partner's permission, if it has one
  dijkwacht assess try --severity low --role network --constituency business";

#[derive(Args)]
pub(super) struct TryArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Feed whose settings hold where nothing else is said
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// The record's label, in any spelling
    #[arg(long, value_name = "LABEL")]
    tlp: Option<String>,
    /// Whose permission there is; default: the feed's
    #[arg(long, value_enum)]
    permission: Option<PermissionArg>,
    /// Of the source, A to F
    #[arg(long, value_name = "LETTER")]
    reliability: Option<String>,
    /// Of the report, 1 to 6
    #[arg(long, value_name = "FIGURE")]
    credibility: Option<u8>,
    /// RSIT type
    #[arg(long, value_name = "TYPE")]
    classification: Option<String>,
    /// What is wrong
    #[arg(long, value_name = "NAME")]
    identifier: Option<String>,
    /// How bad it is
    #[arg(long, value_name = "WORD")]
    severity: Option<String>,
    /// How long ago it was seen
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    age_days: u32,
    /// What the system does or suffers: exposed, infected, attacker, victim
    #[arg(long, value_name = "PART")]
    part: Option<String>,
    /// The recipient's: user, network, link
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// The recipient's
    #[arg(long, value_name = "NAME")]
    constituency: Option<String>,
    /// How its registration comes to be in the register: stated, organisation, delegated, located
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Why it may be told: own-systems, access-provider, oktt, csirt, crisis-team; default: by role
    #[arg(long, value_name = "GROUND")]
    ground: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PermissionArg {
    /// Nobody's
    None,
    /// The feed's
    Feed,
    /// The report's
    Report,
}

/// Runs it.
pub(super) fn run(command: AssessCommand) -> Result<u8, Failure> {
    match command {
        AssessCommand::Table { config, json } => batch::assess_table(&setup(config), json),
        AssessCommand::Try(args) => {
            let permission = args.permission.map(|permission| match permission {
                PermissionArg::None => Permission::None,
                PermissionArg::Feed => Permission::OfFeed,
                PermissionArg::Report => Permission::OfReport,
            });
            let words = AssessWords {
                feed: args.feed,
                tlp: args.tlp,
                permission,
                reliability: args.reliability,
                credibility: args.credibility,
                classification: args.classification,
                identifier: args.identifier,
                severity: args.severity,
                age_days: args.age_days,
                part: args.part,
                role: args.role,
                constituency: args.constituency,
                scope: args.scope,
                ground: args.ground,
            };
            batch::assess_try(&setup(args.config), &words, args.json)
        }
    }
}

fn setup(config: ConfigArgs) -> Setup {
    Setup { config: config.config, index: None, registers: Vec::new(), keep_going: false }
}
