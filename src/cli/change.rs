//! `change`: signed proposals made, shown, judged and applied.

use super::document::Schema;
use super::format::{Format, TextOnly, TextOrJson};
use super::proposal_view as view;
use super::record::shown;
use super::zone::Reading;
use super::{Exit, Failure, Global, REHEARSED, instant, stdout};
use crate::change::allowed_signers::AllowedSigners;
use crate::change::judgement::{Refusal, Terms, applied, authenticate};
use crate::change::nsupdate;
use crate::change::proposal::{LONGEST, Label, NAMESPACE, Proposal, Signed};
use crate::change::revoked::Revoked;
use crate::files::read;
use crate::publish::ssh_sign;
use crate::rotation::timing::{Instant, Span};
use crate::workspace::config::duration;
use crate::workspace::held::{HeldFile, HoldError};
use crate::workspace::output::Output;
use clap::{Subcommand, ValueEnum};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

/// How long a proposal may be applied if nothing else is said.
const VALIDITY: Span = Span::days(7);

/// Make, show, verify and apply signed proposals of zone changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a proposal of what leads from one signed zone to another, and sign it with an SSH key
    Make(Make),
    /// Show what a proposal changes, whoever signed it; also as nsupdate script or record delta
    Show(Show),
    /// Say whether a proposal is signed by somebody who may, is in time, and fits a zone
    Verify(Verify),
    /// Apply a proposal to the signed zone that it was made from
    Apply(Apply),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --sign-with the text to be signed is written. Sign it elsewhere and put both together:
  ssh-keygen -Y sign -f KEY -n tlsa-rotate-change@tlsa-rotate text && cat text text.sig > FILE")]
struct Make {
    /// The signed zone as it is
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The signed zone as it shall be
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// The SSH key: a private key, or the .pub file of one in the agent or on a token
    #[arg(long, value_name = "KEY")]
    sign_with: Option<PathBuf>,
    /// Where the proposal goes [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The rotation it belongs to, such as mail.1
    #[arg(long, value_name = "NAME", value_parser = label)]
    rotation: Option<Label>,
    /// The step, such as publish
    #[arg(long, value_name = "NAME", value_parser = label)]
    step: Option<Label>,
    /// Until when it may be applied [default: in 7 days]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expires: Option<Instant>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    format: Format<TextOnly>,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The proposal; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    format: Format<ShowFormat>,
}

/// What `change show` prints.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShowFormat {
    /// For people.
    Text,
    /// For programs; carries a `schema` key.
    Json,
    /// For a pull request.
    Markdown,
    /// A script for a server that signs by itself.
    Nsupdate,
    /// Every record that goes and comes.
    Delta,
}

/// A proposal and those who may sign it.
#[derive(Debug, clap::Args)]
struct Trust {
    /// The proposal; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who may sign, as for `ssh-keygen -Y verify -f`: lines of `principals [options] type base64`
    #[arg(long, value_name = "FILE")]
    allowed_signers: PathBuf,
    /// Who must have signed [default: anybody on the list]
    #[arg(long, value_name = "WHO")]
    signer: Option<String>,
    /// Keys that count no more, as for `ssh-keygen -Y verify -r`: public keys on lines, or a KRL
    #[arg(long, value_name = "FILE")]
    revoked: Option<PathBuf>,
    /// For how long a proposal may be applied at most, from when it was made
    #[arg(long, value_name = "SPAN", default_value = "31d", value_parser = duration::parse)]
    longest: Span,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    trust: Trust,
    /// The signed zone: try the change on it, without writing anything
    #[arg(long, value_name = "ZONE")]
    base: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code 0: applied. 1: refused: tampered with, not signed by somebody who may, applied before, for another zone. \
3: refused, somebody must make and review it anew: expired, or the zone has changed. 5: another run is at it.")]
struct Apply {
    #[command(flatten)]
    trust: Trust,
    /// The signed zone
    #[arg(long, value_name = "SIGNED")]
    zone: PathBuf,
    /// Where the new zone goes [default: it takes the place of the old one]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

fn label(text: &str) -> Result<Label, String> {
    Label::new(text)
        .ok_or_else(|| "expected letters, digits, `.`, `_` and `-`, at most 64".to_owned())
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let mut out = stdout();
    let exit = match &args.action {
        Action::Make(args) => make(args, global, &mut out)?,
        Action::Show(args) => show(args, &mut out)?,
        Action::Verify(args) => verify(args, global, &mut out)?,
        Action::Apply(args) => apply(args, global, &mut out)?,
    };
    out.flush()?;
    Ok(exit)
}

fn make(args: &Make, global: &Global, out: &mut impl Write) -> Result<Exit, Failure> {
    // A proposal counts octet for octet: it has one form.
    let Format(TextOnly::Text) = args.format;
    if args.sign_with.is_some() || args.output.is_some() {
        global.acts("change make")?;
    }
    let output = args.output.as_deref().map(Output::named).transpose()?;
    let mut inputs = vec![&*args.old, &*args.new];
    let public = args.sign_with.as_ref().map(|key| {
        let mut public = key.as_os_str().to_owned();
        public.push(".pub");
        PathBuf::from(public)
    });
    inputs.extend(args.sign_with.as_deref());
    inputs.extend(public.as_deref());
    Output::apart(output.as_slice(), &inputs)?;
    let (old, new) = (args.reading.zone(&args.old)?, args.reading.zone(&args.new)?);
    let now = global.now();
    let expires = args.expires.unwrap_or(now + VALIDITY);
    if expires <= now {
        return Err(Failure::wrong(format_args!(
            "it would expire at {expires}, and it is {now}"
        ))
        .hint("name a later time with `--expires`"));
    }
    let labels = (args.rotation.clone(), args.step.clone());
    let proposal = Proposal::between(&old, &new, labels, (now, expires))
        .map_err(|e| Failure::wrong(&e))?
        .ok_or_else(|| Failure::wrong("nothing changes from the one zone to the other"))?;
    if let Err(refusal) = applied(&proposal, old, now) {
        eprintln!("warning: `change apply` will refuse it: {refusal}");
    }
    let text = match &args.sign_with {
        None => proposal.to_string(),
        Some(key) => signed(proposal, key)?.to_string(),
    };
    match &output {
        None => write!(out, "{text}")?,
        Some(file) => _ = file.replace(text.as_bytes())?,
    }
    Ok(Exit::Done)
}

fn signed(proposal: Proposal, key: &Path) -> Result<Signed, Failure> {
    let armoured = ssh_sign::sign(&proposal.to_string(), key, NAMESPACE)
        .map_err(|e| Failure::wrong(&e).hints(e.hints()))?;
    proposal.sealed(&armoured).map_err(Failure::wrong)
}

fn show(args: &Show, out: &mut impl Write) -> Result<Exit, Failure> {
    let signed = read_proposal(&args.file)?;
    match args.format.0 {
        ShowFormat::Text => write!(out, "{}", view::text(&signed))?,
        ShowFormat::Markdown => write!(out, "{}", view::markdown(&signed))?,
        ShowFormat::Json => Schema::ChangeShow.write(out, view::json(&signed))?,
        ShowFormat::Nsupdate => write!(out, "{}", nsupdate::script(&signed.proposal.delta))?,
        ShowFormat::Delta => write!(out, "{}", signed.proposal.delta)?,
    }
    Ok(Exit::Done)
}

fn verify(args: &Verify, global: &Global, out: &mut impl Write) -> Result<Exit, Failure> {
    let now = global.now();
    let (signed, who) = trusted(&args.trust, now)?;
    let judged = match &args.base {
        None => None,
        Some(file) => {
            let base = args.reading.zone(file)?;
            let (_, summary) = applied(&signed.proposal, base, now)
                .map_err(|refusal| refused(&refusal, &shown(&args.trust.file)))?;
            Some(summary)
        }
    };
    if args.trust.format.0 == TextOrJson::Json {
        let verdict = view::verdict(&signed, &who, judged.as_ref());
        Schema::ChangeVerify.write(out, verdict)?;
        return Ok(Exit::Done);
    }
    writeln!(
        out,
        "signed by {who} with {}",
        signed.signature.key.fingerprint()
    )?;
    writeln!(out, "may be applied until {}", signed.proposal.expires)?;
    if let (Some(summary), Some(file)) = (judged, &args.base) {
        writeln!(
            out,
            "fits {}: the zone that comes out is completely signed until {}",
            file.display(),
            summary.window.expiration
        )?;
    }
    Ok(Exit::Done)
}

fn apply(args: &Apply, global: &Global, out: &mut impl Write) -> Result<Exit, Failure> {
    let now = global.now();
    let (signed, who) = trusted(&args.trust, now)?;
    let output = match &args.output {
        Some(file) => Output::named(file)?,
        None => Output::known(&args.zone)?,
    };
    let held = HeldFile::open(&args.zone).map_err(|e| not_held(&e))?;
    let base = args.reading.zone_in(&args.zone, held.contents().to_vec())?;
    if args.output.is_none() && base.to_string().as_bytes() != held.contents() {
        return Err(Failure::wrong(format_args!(
            "{} is not written as `tlsa-rotate` writes signed zones; comments and order would be lost",
            args.zone.display()
        ))
        .hint("say where the new zone goes with `--output FILE`"));
    }
    let (zone, summary) = applied(&signed.proposal, base, now)
        .map_err(|refusal| refused(&refusal, &shown(&args.trust.file)))?;
    let text = zone.to_string();
    let rehearses = global.only_rehearses();
    match &args.output {
        _ if rehearses => {}
        None => {
            output.judge()?;
            // Noted first: after a crash between the two it is for a person to say what holds.
            once(&args.zone, &signed)?;
            held.replace(text.as_bytes()).map_err(|e| not_held(&e))?;
        }
        Some(_) => _ = output.replace(text.as_bytes())?,
    }
    if args.trust.format.0 == TextOrJson::Json {
        let verdict = view::verdict(&signed, &who, Some(&summary));
        Schema::ChangeApply.write(out, verdict)?;
    }
    let verb = if rehearses {
        "would be applied"
    } else {
        "applied"
    };
    eprintln!(
        "{verb} to {}: {}; signed by {who}",
        zone.apex,
        signed.proposal.changes().summary()
    );
    if rehearses {
        eprintln!("{REHEARSED}");
    }
    Ok(Exit::Done)
}

/// Notes that a proposal is applied to a zone, beside it; refuses one that was before. A zone that was restored since looks as
/// if it were not, and what has come after it would be lost.
fn once(zone: &Path, signed: &Signed) -> Result<(), Failure> {
    let mut note = zone.as_os_str().to_owned();
    note.push(".applied");
    let note = PathBuf::from(note);
    let digest = ring::digest::digest(
        &ring::digest::SHA256,
        signed.proposal.to_string().as_bytes(),
    );
    let digest = data_encoding::HEXLOWER.encode(digest.as_ref());
    let known = match read::read_text(&note, read::LIST) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        known => known
            .map_err(|e| Failure::wrong(format_args!("cannot read {}: {e}", note.display())))?,
    };
    if known.lines().any(|line| line == digest) {
        return Err(Failure::wrong(format_args!(
            "it was applied to {} before, which has been put back since: {} has its digest {digest}",
            zone.display(),
            note.display()
        ))
        .hint("if it shall be applied once more, take that line out of the file; else make a new one from the zone as it is now"));
    }
    Output::known(&note)?.replace(format!("{known}{digest}\n").as_bytes())?;
    Ok(())
}

/// The proposal, and who signed it.
fn trusted(args: &Trust, now: Instant) -> Result<(Signed, String), Failure> {
    let file = &args.allowed_signers;
    let list = read::read_text(file, read::LIST).map_err(|e| {
        Failure::wrong(format_args!("cannot read {}: {e}", file.display())).hint(
            "it holds a line for each person who may sign: `alice@example.com ssh-ed25519 AAAA…`",
        )
    })?;
    let list = AllowedSigners::parse(&list);
    for skipped in &list.skipped {
        eprintln!(
            "warning: {}: {skipped}; this line allows nobody",
            file.display()
        );
    }
    let revoked = match &args.revoked {
        None => Revoked::default(),
        Some(file) => {
            let unreadable = |e: &dyn std::fmt::Display| {
                Failure::wrong(format_args!("cannot read {}: {e}", file.display()))
                    .hint("what it revokes is not known, so nothing is taken for signed")
            };
            let octets = read::read(file, read::LIST).map_err(|e| unreadable(&e))?;
            Revoked::parse(&octets).map_err(|e| unreadable(&e))?
        }
    };
    let terms = Terms {
        identity: args.signer.as_deref(),
        revoked: &revoked,
        longest: args.longest,
        now,
    };
    let signed = read_proposal(&args.file)?;
    let who = authenticate(&signed, &list, terms)
        .map_err(|refusal| refused(&refusal, &shown(&args.file)))?
        .principals
        .clone();
    Ok((signed, who))
}

fn read_proposal(file: &Path) -> Result<Signed, Failure> {
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    let mut octets = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut octets)
    } else {
        read::open(file).and_then(|f| f.take(limit).read_to_end(&mut octets))
    };
    read.map_err(|e| Failure::wrong(format_args!("cannot read {}: {e}", shown(file))))?;
    Signed::parse(&octets).map_err(|e| {
        Failure::wrong(format_args!("{}: {e}", shown(file)))
            .hint("a proposal counts only as it was made, octet for octet: fetch it again")
    })
}

fn refused(refusal: &Refusal, file: &str) -> Failure {
    let mut failure = Failure::wrong(format_args!("{file}: {refusal}")).hint(refusal.hint());
    if refusal.needs_review() {
        failure.exit = Exit::PersonNeeded;
    }
    failure
}

fn not_held(error: &HoldError) -> Failure {
    match error {
        HoldError::Held(_) => Failure {
            exit: Exit::Locked,
            ..Failure::wrong(error)
                .hint("nothing was changed; run the command again when the other run has ended")
        },
        HoldError::Changed(_) => {
            Failure::wrong(error).hint("nothing was written; run the command again")
        }
        HoldError::Write(write) => Failure::wrong(write).hints(write.hints()),
        HoldError::Unreadable { .. } => Failure::wrong(error),
    }
}
