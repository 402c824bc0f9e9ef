//! `hook`: what ACME clients and `deploy` run. A renewed certificate is installed, kept for its rotation, or begins one; all
//! that is not sure installs nothing, and says why.

mod client;
mod environment;
mod install;

use super::check::CheckFormat;
use super::exit::{Exit, Failure};
use super::{Global, stdout};
use crate::publish::command::Invocation;
use crate::workflow::WorkflowError;
use crate::workflow::advance::{self, Mode};
use crate::workflow::present::Present;
use crate::workflow::renewed::{self, Renewed};
use crate::workflow::start::Offered;
use crate::workspace::Workspace;
use crate::workspace::installed::{InstallError, Installed};
use crate::workspace::lock::LockError;
use clap::{Args, Subcommand, ValueEnum};
use client::Word;
use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for another run that holds the lock: a renewal comes once.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a server may take to read its files again.
const RELOAD: Duration = Duration::from_secs(60);

/// For ACME clients and `deploy`: install a renewed certificate where its key is in use, rotate where it is not. What is not
/// sure installs nothing.
#[derive(Debug, Args)]
pub(crate) struct Hook {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// certbot's deploy hook: reads `RENEWED_LINEAGE`
    Certbot(Target),
    /// lego's hook: reads `LEGO_HOOK_CERT_PATH` and `LEGO_HOOK_CERT_KEY_PATH` (lego 5), or the names of lego 4
    Lego(Target),
    /// acme.sh's reload command: reads `CERT_FULLCHAIN_PATH` and `CERT_KEY_PATH`
    #[command(name = "acme.sh")]
    AcmeSh(Target),
    /// dehydrated's hook: `deploy_cert DOMAIN KEYFILE CERTFILE FULLCHAINFILE …`; other operations do nothing
    Dehydrated(Dehydrated),
    /// Any other client: name the files
    Renewed(Brought),
    /// For `deploy = { command = … }`: install the next key here, if the swap is open
    Deploy(Target),
    /// Write the script that an ACME client, or `deploy`, runs
    Install(install::Install),
}

/// What is rotated, and where it is installed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// The certificate, as named in the configuration
    name: String,
    /// The file that the mail server reads: for each algorithm the key, then its chain
    #[arg(long, value_name = "FILE", default_value = "/etc/mail/tls/live.pem")]
    live: PathBuf,
    /// The servers that read it, which are told to read it again [default: postfix]
    #[arg(long = "reload", value_name = "SERVER", value_enum)]
    reload: Vec<Server>,
    /// A program that is run instead, without a shell and without arguments
    #[arg(long, value_name = "PROGRAM", conflicts_with = "reload")]
    reload_with: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Dehydrated {
    #[command(flatten)]
    target: Target,
    /// What dehydrated says
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPERATION"
    )]
    words: Vec<String>,
}

#[derive(Debug, Args)]
struct Brought {
    #[command(flatten)]
    target: Target,
    /// The chain, the leaf first
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Its private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// A server that is told to read its files again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// `postfix reload`
    Postfix,
    /// `doveadm reload`; it reads one file for each algorithm, beside the other
    Dovecot,
}

impl Server {
    fn command(self) -> [&'static str; 2] {
        match self {
            Self::Postfix => ["postfix", "reload"],
            Self::Dovecot => ["doveadm", "reload"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postfix => "postfix",
            Self::Dovecot => "dovecot",
        }
    }
}

pub(crate) fn run(hook: &Hook, global: &Global) -> Result<Exit, Failure> {
    let (target, word) = match &hook.action {
        Action::Install(args) => return install::run(args, global),
        Action::Deploy(target) => return deploy(target, global),
        Action::Certbot(target) => (target, client::certbot()?),
        Action::Lego(target) => (target, client::lego()?),
        Action::AcmeSh(target) => (target, client::acme_sh()?),
        Action::Dehydrated(args) => (&args.target, client::dehydrated(&args.words)?),
        Action::Renewed(args) => (&args.target, Word::files(&args.certificate, &args.key)),
    };
    match word {
        Word::Nothing => Ok(Exit::Done),
        Word::Renewed { files, of_all } => renew(target, &files, of_all, global),
    }
}

/// What follows from a renewal. `of_all`: the client calls for every certificate that it has.
fn renew(target: &Target, files: &Offered, of_all: bool, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let name = &target.name;
    let mut installed = Installed::read(&target.live).map_err(|e| not_installed(&e))?;
    let in_use = installed.as_ref().map(Installed::keys);
    let present = acts(&workspace, global, "a renewal that has happened")?;
    let now = present.now;
    let renewed = patiently(|| renewed::renewed(&workspace, name, files, in_use.as_ref(), now))?;
    match renewed {
        Renewed::Install { why } => {
            say(&format!("{name}: installed at once: {why}"), || {
                let mut next = installed.take().unwrap_or_default();
                put(&mut next, files)?;
                install_and_reload(target, &next, &workspace.root)
            })?;
            Ok(Exit::Done)
        }
        Renewed::NotOurs { names } => {
            let why = format!(
                "{name}: nothing was done: the certificate is for {}, and none of them is a host of {name}",
                names.join(", ")
            );
            if of_all {
                eprintln!("note: {why}");
                return Ok(Exit::Done);
            }
            Err(Failure::wrong(why).hint("name the certificate that it is for, or correct `hosts`"))
        }
        Renewed::Kept { why } => {
            eprintln!("note: {name}: not installed yet: {why}");
            go_on(&workspace, name, global)
        }
        Renewed::Started(started) => {
            eprintln!(
                "note: {name}: not installed yet: it has another key, and {} begins; it is installed when every cache knows the key",
                started.id
            );
            for note in &started.notes {
                eprintln!("note: {note}");
            }
            go_on(&workspace, name, global)
        }
    }
}

/// The present, where a hook acts on something that is so now.
fn acts(workspace: &Workspace, global: &Global, what: &str) -> Result<Present, Failure> {
    let present = global.present(workspace);
    if present.mode(workspace)? == Mode::Act {
        return Ok(present);
    }
    Err(Failure::wrong(format_args!(
        "a hook acts on {what}: it cannot be rehearsed"
    ))
    .hint("run it without --now, or in a workspace with `rehearsal = true`"))
}

/// One step on. That a person is to review is how it goes on, and no failure of the renewal.
fn go_on(workspace: &Workspace, name: &str, global: &Global) -> Result<Exit, Failure> {
    let names = [name.to_owned()];
    let present = global.present(workspace);
    let ticks = patiently(|| advance::advance(workspace, &names, &present, Mode::Act))?;
    for tick in ticks {
        for deed in &tick.deeds {
            eprintln!("note: {deed}");
        }
        if let Some(error) = tick.failed {
            let failure = Failure::from(error);
            if failure.exit != Exit::PersonNeeded {
                return Err(failure);
            }
            eprintln!("note: a person is needed: {}", failure.message);
        }
    }
    Ok(Exit::Done)
}

/// Installs the next keys of a rotation, where the swap is open.
fn deploy(target: &Target, global: &Global) -> Result<Exit, Failure> {
    let name = &target.name;
    if let Some(action) = env::var_os("TLSA_ROTATE_ACTION").filter(|action| action != "deploy") {
        let action = action.to_string_lossy().into_owned();
        return Err(Failure::wrong(format_args!(
            "nothing was installed: this installs the next key, and was asked for `{action}`"
        ))
        .hint("a program that puts the previous key back goes into `rollback = [ … ]`"));
    }
    let workspace = global.workspace()?;
    acts(&workspace, global, "a swap that is open")?;
    // Asked once more: by hand, or from a script that goes wrong, nothing is deployed outside of the swap.
    let open = super::check::swap((name, None), CheckFormat::Text, global)?;
    if open != Exit::Done {
        eprintln!("error: nothing was installed");
        return Ok(open);
    }
    let to_deploy = renewed::to_deploy(&workspace, name, global.now())?;
    environment::fits(&workspace, name, &to_deploy)?;
    let mut next = Installed::read(&target.live)
        .map_err(|e| not_installed(&e))?
        .unwrap_or_default();
    for pair in &to_deploy.pairs {
        put(&mut next, pair)?;
    }
    say(&format!("{name}: the next key is installed"), || {
        install_and_reload(target, &next, &workspace.root)
    })?;
    Ok(Exit::Done)
}

fn put(next: &mut Installed, files: &Offered) -> Result<(), Failure> {
    let read = |path: &Path| {
        crate::files::read::read(path, 1 << 20)
            .map_err(|e| Failure::wrong(format_args!("cannot read {}: {e}", path.display())))
    };
    next.put(&read(&files.key)?, &read(&files.certificate)?)
        .map_err(|e| Failure::wrong(format_args!("{}: {e}", files.certificate.display())))
}

/// Says what was done, once it was.
fn say(what: &str, deed: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    deed()?;
    let mut out = stdout();
    writeln!(out, "{what}")?;
    out.flush()?;
    Ok(())
}

fn install_and_reload(target: &Target, next: &Installed, root: &Path) -> Result<(), Failure> {
    let each = target.reload.contains(&Server::Dovecot);
    next.write(&target.live, each)
        .map_err(|e| not_installed(&e))?;
    let commands: Vec<Vec<std::ffi::OsString>> = match &target.reload_with {
        Some(program) => vec![vec![program.into()]],
        None if target.reload.is_empty() => vec![words(Server::Postfix)],
        None => target.reload.iter().copied().map(words).collect(),
    };
    for command in commands {
        let mut invocation = Invocation::new(command, root, RELOAD);
        // Under cron, and in a client's hook, the path is short; servers' programs lie in sbin.
        let mut path = env::var_os("PATH").unwrap_or_default();
        path.push(":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin");
        invocation.set.push(("PATH".to_owned(), path));
        invocation.run().map_err(|e| {
            Failure::wrong(format_args!(
                "{} holds the new certificate, and the server was not told: {e}",
                target.live.display()
            ))
            .hints(e.hints())
            .hint("run the command by hand; until then the server presents what it had")
        })?;
    }
    Ok(())
}

fn words(server: Server) -> Vec<std::ffi::OsString> {
    server.command().iter().map(Into::into).collect()
}

fn not_installed(error: &InstallError) -> Failure {
    Failure::wrong(format_args!("nothing was installed: {error}")).hints(error.hints())
}

/// Tries until no other run holds the lock.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, WorkflowError>) -> Result<T, Failure> {
    let began = Instant::now();
    loop {
        match attempt() {
            Err(WorkflowError::Lock(LockError::Held { .. })) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(200));
            }
            other => return other.map_err(Failure::from),
        }
    }
}
