//! `held release|discard`: what a person decides, published.

use super::{Content, HeldPlace, Place, Rivals, Selection, SelectionWords, claims_of, each_run, read_word};
use crate::alert::{self, Matched, RecipientFacts, Release, Told};
use crate::batch::failure::Failure;
use crate::batch::index::id_text;
use crate::batch::output::{note, print_json, print_lines};
use crate::batch::setup::open_spool;
use crate::index::{Index, OwnerIx};
use crate::moment::Moment;
use crate::pipeline::Claims;
use crate::policy::{Hold, InOffice, Line, Outcome, Recipients, Rule, Tlp, choose};
use crate::register::{Constituency, Role, Scope};
use crate::spool::{
    Account, Deciding, DecisionFacts, Held, HeldRun, LineFate, NoticeFacts, Recipient, RecipientAccount,
    RunName, Sender, Spool,
};
use crate::text::show;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use uuid::Uuid;

/// What a person decides.
pub struct DecisionRequest {
    /// Where.
    pub place: HeldPlace,
    /// Of which alerts.
    pub selection: SelectionWords,
    /// What becomes of them.
    pub goal: Goal,
    /// `--because`.
    pub because: String,
    /// `--by`.
    pub by: String,
    /// `--despite-tlp`: the source let them go where their label does not.
    pub despite_tlp: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--json`.
    pub json: bool,
}

/// What becomes of selected alerts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Each goes to the owner that it is held under.
    Release,
    /// They go to this owner.
    ReleaseTo(String),
    /// Each goes to whom the register names next.
    ReleaseToNext,
    /// They go to nobody.
    Discard,
}

/// Who is told of a released line, and how it says so.
struct Target {
    recipient: Recipient,
    rendered: alert::Recipient,
}

/// What becomes of one line.
struct Released {
    line: usize,
    target: Rc<Target>,
    alert_id: Uuid,
    matched: Why,
}

/// Why a released line's recipient is told.
#[derive(Clone, Copy)]
enum Why {
    AsHeld,
    By(Line),
    ByPerson,
}

#[derive(Default)]
struct Plan {
    released: Vec<Released>,
    discarded: Vec<usize>,
}

/// What decides whom a line goes to; the same for all runs of one decision.
struct Desk<'a> {
    goal: &'a Goal,
    despite_tlp: bool,
    index: Option<&'a Index>,
    senders: InOffice,
    at: Moment,
    targets: HashMap<(Option<OwnerIx>, String), Rc<Target>>,
    content: Content,
}

/// `held release` and `held discard`: 0 done or done before, 1 if nothing is selected.
pub fn held_decide(request: &DecisionRequest) -> Result<u8, Failure> {
    check_words(request)?;
    let found = request.place.find()?;
    let selection = request.selection.read(found.at)?;
    let index = match request.goal {
        Goal::Discard => None,
        _ => request.place.index(&found.config)?,
    };
    let senders = found.config.senders.in_office(found.at.day());
    let mut desk = Desk {
        goal: &request.goal,
        despite_tlp: request.despite_tlp,
        index: index.as_ref(),
        senders,
        at: found.at,
        targets: HashMap::new(),
        content: Content::default(),
    };
    let spool = match request.dry_run {
        true => None,
        false => Some(open_to_decide(&found)?),
    };
    // All of it is planned before any of it is done: what cannot be done is told first.
    let mut runs = Vec::new();
    let mut said = Vec::new();
    each_run(&found, &selection, |held| {
        let plan = desk.plan(&held, &selection)?;
        if !plan.is_empty() {
            said.push(Said::of(&held, None, &plan));
            runs.push(held.run().clone());
        }
        Ok(())
    })?;
    if runs.is_empty() {
        return nothing_selected(&found, &selection);
    }
    if let Some(spool) = spool {
        said = publish_all(request, &spool, &selection, &mut desk, &runs)?;
    }
    tell(request, &said)?;
    Ok(0)
}

/// The spool, which must be there, and of which what a crash left is removed.
fn open_to_decide(found: &Place) -> Result<Spool, Failure> {
    Spool::is_at(&found.path).map_err(Failure::Spool)?;
    let spool = open_spool(Some(&found.path), &found.config)?.expect("its path is given");
    spool.recover().map_err(Failure::Spool)?;
    Ok(spool)
}

fn check_words(request: &DecisionRequest) -> Result<(), Failure> {
    if request.selection.is_empty() {
        return Err(Failure::Usage(
            "nothing is selected: name alerts or runs, or give --run, --feed, --reason, --owner, --alert, --older-than, \
             or --all"
                .to_owned(),
        ));
    }
    read_word(&request.because, Some(&request.by)).map(|_| ())
}

/// Nothing of what is selected waits. That it was decided before is no failure: whoever was interrupted asks again.
fn nothing_selected(found: &Place, selection: &Selection) -> Result<u8, Failure> {
    let held = Held::open(&found.path).map_err(Failure::Spool)?;
    let mut decided = 0_u64;
    for run in held.all().map_err(Failure::Spool)?.into_iter().filter(|run| selection.has_run(run)) {
        if let Some(run) = held.read(&run).map_err(Failure::Spool)? {
            decided += run.lines.iter().filter(|line| selection.has(&run, line)).count() as u64;
        }
    }
    match decided {
        0 => note(format_args!("nothing that is held is selected")),
        decided => note(format_args!("nothing to do: all {decided} selected alerts were decided before")),
    }
    Ok(u8::from(decided == 0))
}

fn publish_all(
    request: &DecisionRequest,
    spool: &Spool,
    selection: &Selection,
    desk: &mut Desk<'_>,
    runs: &[RunName],
) -> Result<Vec<Said>, Failure> {
    let mut said = Vec::new();
    for run in runs {
        // Another person may have decided meanwhile.
        let Some(deciding) = spool.decide_on(run).map_err(Failure::Spool)? else { continue };
        let plan = desk.plan(&deciding.held, selection)?;
        if plan.is_empty() {
            continue;
        }
        said.push(Said::of(&deciding.held, Some(deciding.run()), &plan));
        publish(request, spool, desk, deciding, plan)?;
    }
    Ok(said)
}

fn publish(
    request: &DecisionRequest,
    spool: &Spool,
    desk: &Desk<'_>,
    deciding: Deciding<'_>,
    mut plan: Plan,
) -> Result<(), Failure> {
    let held = &deciding.held;
    let run = deciding.run();
    let stage = spool.stage().map_err(Failure::Spool)?;
    let order = |released: &Released| {
        let Recipient { sender, owner_id, .. } = &released.target.recipient;
        (sender.clone(), owner_id.clone(), held.lines[released.line].file, released.line)
    };
    plan.released.sort_by_cached_key(order);
    let mut content = Content::default();
    let mut account = Account::default();
    for notice in plan.released.chunk_by(|one, next| Rc::ptr_eq(&one.target, &next.target)) {
        let mut writer = stage.notice(notice[0].target.recipient.clone()).map_err(Failure::Spool)?;
        for released in notice {
            let line = content.line(held, &held.lines[released.line])?;
            let line = desk.write(released, &line, run.as_str())?;
            desk.count(&mut account, released, &line);
            writer.append(&line).map_err(Failure::Spool)?;
        }
        writer.finish().map_err(Failure::Spool)?;
    }
    let ids = |lines: &mut dyn Iterator<Item = usize>| lines.map(|at| held.lines[at].alert_id).collect();
    let facts = DecisionFacts {
        word: read_word(&request.because, Some(&request.by))?,
        run_time: desk.at.id_text(),
        index: desk.index.map(id_text),
        released: ids(&mut plan.released.iter().map(|released| released.line)),
        discarded: ids(&mut plan.discarded.iter().copied()),
    };
    let staged = stage.read_back().map_err(Failure::Spool)?.accounted(account);
    deciding.publish(staged, facts).map_err(Failure::Spool)?;
    Ok(())
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.released.is_empty() && self.discarded.is_empty()
    }
}

impl Desk<'_> {
    fn plan(&mut self, held: &HeldRun, selection: &Selection) -> Result<Plan, Failure> {
        self.content = Content::default();
        let rivals = Rivals::of(held);
        let mut is_planned = vec![false; held.lines.len()];
        let mut plan = Plan::default();
        for (at, line) in held.lines.iter().enumerate() {
            if is_planned[at] || !line.waits() || !selection.has(held, line) {
                continue;
            }
            if *self.goal == Goal::Discard {
                plan.discarded.push(at);
                continue;
            }
            let decides_for_all = line.has_rivals() || *self.goal != Goal::Release;
            let alone = [at];
            let group = if decides_for_all { rivals.group(held, at) } else { &alone };
            let released = self.release(held, group, at, selection)?;
            for &other in group.iter().filter(|&&other| held.lines[other].waits()) {
                // What a fuse holds for others is theirs whoever this one goes to.
                if other != at && other != released.line && held.lines[other].reason == Some(Hold::Fuse) {
                    continue;
                }
                is_planned[other] = true;
                if other != released.line {
                    plan.discarded.push(other);
                }
            }
            plan.released.push(released);
        }
        plan.discarded.sort_unstable();
        Ok(plan)
    }

    /// The one alert that a finding comes to, of all its lines `group`; `at` is the first that is selected.
    fn release(
        &mut self,
        held: &HeldRun,
        group: &[usize],
        at: usize,
        selection: &Selection,
    ) -> Result<Released, Failure> {
        let line_of = |owner_id: &str| {
            let is_of =
                |&&line: &&usize| held.facts(&held.lines[line]).owner_id.eq_ignore_ascii_case(owner_id);
            group.iter().find(is_of).copied()
        };
        let (line, target, matched) = match self.goal {
            Goal::Release | Goal::Discard => {
                let selected =
                    |&&line: &&usize| held.lines[line].waits() && selection.has(held, &held.lines[line]);
                if group.iter().filter(selected).count() > 1 {
                    return Err(Failure::Usage(several(held, group)));
                }
                (at, self.target_of(held, at)?, Why::AsHeld)
            }
            Goal::ReleaseTo(owner_id) => match line_of(owner_id) {
                Some(line) => (line, self.target_of(held, line)?, Why::AsHeld),
                None => {
                    let (target, matched) = self.target_by_id(held, at, owner_id)?;
                    (at, target, matched)
                }
            },
            Goal::ReleaseToNext => {
                let (target, line) = self.next(held, group, at)?;
                (at, target, Why::By(line))
            }
        };
        if let LineFate::Released(number) = held.lines[line].fate {
            let owner_id = &target.recipient.owner_id;
            return Err(Failure::Usage(format!(
                "{owner_id} was told of {} before, by decision {number}",
                held.lines[line].alert_id
            )));
        }
        self.look_at_label(held, line, &target, &matched)?;
        let alert_id = match matched {
            Why::AsHeld => held.lines[line].alert_id,
            Why::By(_) | Why::ByPerson => self.id_for(held, line, &target.recipient.owner_id)?,
        };
        Ok(Released { line, target, alert_id, matched })
    }

    /// Whether the label lets the recipient be told; an error if not, unless the person says that it may be. Whoever releases what
    /// is held for its label to whom it is held for, has decided about just that.
    fn look_at_label(
        &mut self,
        held: &HeldRun,
        at: usize,
        target: &Target,
        matched: &Why,
    ) -> Result<(), Failure> {
        let line = &held.lines[at];
        // In the order of reasons, the label was asked before those that come after it.
        let was_asked = line.reason.is_some_and(|reason| reason >= Hold::TlpUnknown);
        if self.despite_tlp || was_asked && matches!(matched, Why::AsHeld) {
            return Ok(());
        }
        let text = self.content.line(held, line)?;
        let told = Told::read(&text);
        let word = |key: &str| told.as_ref().and_then(|told| told.text(key));
        let label = word("extra.tlp").and_then(|label| Tlp::read(&label)).unwrap_or(Tlp::Red);
        let (role, is_located) = match matched {
            Why::By(line) => (Some(line.rule.role()), line.claim.scope == Scope::Located),
            Why::ByPerson => (None, false),
            Why::AsHeld => {
                let rule = told.as_ref().and_then(Told::rule);
                (rule.map(Rule::role), word("extra.scope").as_deref() == Some(Scope::Located.as_str()))
            }
        };
        // Who has no registration there is no user of it.
        let asked_as = role.unwrap_or(Role::Link);
        if label.lets(asked_as, !is_located, held.manifest.permission()) {
            return Ok(());
        }
        let owner_id = &target.recipient.owner_id;
        let role = role.map_or("without a registration there", Role::as_str);
        Err(Failure::Usage(format!(
            "{}: its label, {label}, does not let {owner_id} ({role}) be told (ask the source; if it agrees, add --despite-tlp, and say in --because who agreed)",
            line.alert_id
        )))
    }

    /// The owner that a line is held under, as the register knows it now, else as it was known then.
    fn target_of(&mut self, held: &HeldRun, at: usize) -> Result<Rc<Target>, Failure> {
        let facts = held.facts(&held.lines[at]);
        if let Some(owner) = self.index.and_then(|index| index.owner_of_id(&facts.owner_id)) {
            return self.target(owner);
        }
        let key = (None, facts.owner_id.clone());
        if let Some(known) = self.targets.get(&key) {
            return Ok(Rc::clone(known));
        }
        let line = self.content.line(held, &held.lines[at])?;
        let constituency = Told::read(&line).and_then(|told| told.text("constituency"));
        let constituency = constituency.and_then(|word| Constituency::read(&word));
        let NoticeFacts { owner_id, name, contacts, .. } = facts;
        let target = self.make_target(owner_id, name.as_deref(), contacts, constituency)?;
        self.targets.insert(key, Rc::clone(&target));
        Ok(target)
    }

    fn target(&mut self, owner: OwnerIx) -> Result<Rc<Target>, Failure> {
        let key = (Some(owner), String::new());
        if let Some(known) = self.targets.get(&key) {
            return Ok(Rc::clone(known));
        }
        let view = self.index.expect("an owner of it is asked for").owner(owner);
        let contacts: Vec<String> = view.contacts().map(str::to_owned).collect();
        let target = self.make_target(view.id, view.name, &contacts, view.constituency)?;
        self.targets.insert(key, Rc::clone(&target));
        Ok(target)
    }

    fn make_target(
        &self,
        id: &str,
        name: Option<&str>,
        contacts: &[String],
        constituency: Option<Constituency>,
    ) -> Result<Rc<Target>, Failure> {
        if contacts.is_empty() {
            return Err(Failure::Data(format!(
                "{id} has no contact (register one and give the index, or release to another with --to or --next)"
            )));
        }
        let sender = self.senders.sender(constituency);
        let words: Vec<&str> = contacts.iter().map(String::as_str).collect();
        let rendered =
            alert::Recipient::new(&RecipientFacts { id, name, constituency, contacts: &words, sender });
        let recipient = Recipient {
            sender: Sender::read(sender.as_str()).map_err(|error| Failure::Usage(error.to_string()))?,
            owner_id: id.to_owned(),
            name: name.map(str::to_owned),
            contacts: contacts.to_vec(),
        };
        Ok(Rc::new(Target { recipient, rendered }))
    }

    /// An owner that a person names: any of the register, or of a united one's registrations if it has any there.
    fn target_by_id(
        &mut self,
        held: &HeldRun,
        at: usize,
        owner_id: &str,
    ) -> Result<(Rc<Target>, Why), Failure> {
        let shown = show(owner_id.as_bytes(), 64);
        let Some(index) = self.index else {
            return Err(Failure::Usage(format!(
                "--to {shown}: it is no claimant, and no register is named to know it by (give --index FILE)"
            )));
        };
        let Some(owner) = index.owner_of_id(owner_id) else {
            return Err(Failure::Usage(format!("--to {shown}: neither a claimant nor in the register")));
        };
        let mut own = self.claims(index, held, at)?;
        own.retain(|claim| claim.owner == owner);
        let matched = match choose(own.evidence(), self.at.day(), index) {
            Outcome::Winner(line) => Why::By(line),
            _ => Why::ByPerson,
        };
        Ok((self.target(owner)?, matched))
    }

    /// Whom the register names when those under whom the finding is held are left out.
    fn next(&mut self, held: &HeldRun, group: &[usize], at: usize) -> Result<(Rc<Target>, Line), Failure> {
        let Some(index) = self.index else {
            return Err(Failure::Usage("--next needs a register (give --index FILE)".to_owned()));
        };
        let organisations: Vec<OwnerIx> = group
            .iter()
            .filter_map(|&line| index.owner_of_id(&held.facts(&held.lines[line]).owner_id))
            .map(|owner| index.organisation(owner))
            .collect();
        let mut claims = self.claims(index, held, at)?;
        claims.retain(|claim| !organisations.contains(&index.organisation(claim.owner)));
        match choose(claims.evidence(), self.at.day(), index) {
            Outcome::Winner(line) => Ok((self.target(line.owner)?, line)),
            outcome => {
                let problem = match outcome {
                    Outcome::Conflict(_) => "the next candidates are a conflict too (name one with --to)",
                    Outcome::NoContact(_) => "nobody of the next candidates has a contact",
                    _ => "nobody comes next",
                };
                Err(Failure::Usage(format!("{}: {problem}", held.lines[at].alert_id)))
            }
        }
    }

    /// The id of the alert of a held line's finding for another owner.
    fn id_for(&mut self, held: &HeldRun, at: usize, owner_id: &str) -> Result<Uuid, Failure> {
        let line = &held.lines[at];
        let text = self.content.line(held, line)?;
        let observed = held.manifest.dump.observed.as_deref();
        let id = Told::read(&text).and_then(|told| told.alert_id_for(held.run().feed(), observed, owner_id));
        id.ok_or_else(|| {
            let id = line.alert_id;
            Failure::Data(format!("{id} does not follow from its line, so that no id for {owner_id} does"))
        })
    }

    /// The registrations that speak about a line's finding.
    fn claims(&mut self, index: &Index, held: &HeldRun, at: usize) -> Result<Claims, Failure> {
        let text = self.content.line(held, &held.lines[at])?;
        Ok(Told::read(&text).map_or_else(Claims::default, |told| claims_of(index, &told)))
    }

    /// What reports are made from.
    fn count(&self, account: &mut Account, released: &Released, line: &[u8]) {
        let Some(told) = Told::read(line) else { return };
        let owner_id = &released.target.recipient.owner_id;
        let entry = account.recipients.entry(owner_id.clone()).or_insert_with(|| RecipientAccount {
            sector: self
                .index
                .and_then(|index| index.owner(index.owner_of_id(owner_id)?).sector)
                .map(str::to_owned),
            constituency: told.text("constituency").map(|word| word.into_owned()),
            ..RecipientAccount::default()
        });
        entry.alerts.add(&told.text("classification.identifier").unwrap_or_default(), 1);
    }

    fn write(&self, released: &Released, line: &[u8], run: &str) -> Result<Vec<u8>, Failure> {
        let told =
            Told::read(line).ok_or_else(|| Failure::Data(format!("{run}: a held line is no alert")))?;
        let matched = match &released.matched {
            Why::AsHeld => Matched::AsHeld,
            Why::By(line) => {
                let index = self.index.expect("it chose the line");
                let ground = index.standing(line).ground;
                Matched::By(line, index.registered(&line.claim), index.id(), ground)
            }
            Why::ByPerson => Matched::ByPerson,
        };
        let recipient = &released.target.rendered;
        let mut out = Vec::with_capacity(line.len() + 64);
        told.write_released(&mut out, &Release { run, recipient, alert_id: released.alert_id, matched });
        Ok(out)
    }
}

fn several(held: &HeldRun, group: &[usize]) -> String {
    let owners: Vec<&str> =
        group.iter().map(|&line| held.facts(&held.lines[line]).owner_id.as_str()).collect();
    format!(
        "{}: one finding is held for {}, and only one of them may be told (name one with --to or --owner, or give --next)",
        held.lines[group[0]].alert_id,
        owners.join(", ")
    )
}

/// What was decided about one run, for the operator.
#[derive(Serialize)]
struct Said {
    /// The run that the decision is; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunName>,
    /// The run that held.
    of: RunName,
    released: u64,
    discarded: u64,
    /// Who is told of how many.
    owners: BTreeMap<String, u64>,
    /// What still waits of it.
    waiting: u64,
}

impl Said {
    fn of(held: &HeldRun, run: Option<RunName>, plan: &Plan) -> Self {
        let mut owners = BTreeMap::new();
        for released in &plan.released {
            *owners.entry(released.target.recipient.owner_id.clone()).or_default() += 1;
        }
        let (released, discarded) = (plan.released.len() as u64, plan.discarded.len() as u64);
        let waiting = held.waiting().count() as u64 - released - discarded;
        Self { run, of: held.run().clone(), released, discarded, owners, waiting }
    }
}

fn tell(request: &DecisionRequest, said: &[Said]) -> Result<(), Failure> {
    if request.json {
        let sum = |count: fn(&Said) -> u64| said.iter().map(count).sum::<u64>();
        return print_json(&serde_json::json!({
            "dry_run": request.dry_run,
            "released": sum(|said| said.released),
            "discarded": sum(|said| said.discarded),
            "runs": said,
        }));
    }
    let mut lines = Vec::new();
    for said in said {
        let Said { of, released, discarded, waiting, .. } = said;
        let run = said.run.as_ref().map_or_else(|| format!("{of} (dry run)"), RunName::to_string);
        lines.push(format!("{run}: {released} released, {discarded} discarded, {waiting} still wait"));
        lines.extend(said.owners.iter().map(|(owner, count)| format!("  {owner}: {count}")));
    }
    print_lines(&lines)
}
