//! `hook install`: writes the few lines of shell that a client runs, with absolute paths: a client's PATH and directory are
//! its own.

use super::{Server, Target};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{Global, stdout};
use crate::files::read;
use crate::workspace::durable;
use crate::workspace::output::{Output, OutputError};
use clap::{Args, ValueEnum};
use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where scripts go that no client looks for by itself.
const HOOKS: &str = "/usr/local/lib/tlsa-rotate";

/// What scripts of ours say in their second line.
const WRITTEN: &str = "# Written by `tlsa-rotate hook install";

/// The longest script, in bytes.
const LONGEST: u64 = 1 << 20;

/// Write the script that an ACME client, or `deploy`, runs.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Who runs it
    client: Client,
    #[command(flatten)]
    target: Target,
    /// Where the script goes [default: where the client looks, or /usr/local/lib/tlsa-rotate/CLIENT-NAME]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Client {
    Certbot,
    Lego,
    #[value(name = "acme.sh")]
    AcmeSh,
    Dehydrated,
    Deploy,
}

impl Client {
    fn name(self) -> &'static str {
        match self {
            Self::Certbot => "certbot",
            Self::Lego => "lego",
            Self::AcmeSh => "acme.sh",
            Self::Dehydrated => "dehydrated",
            Self::Deploy => "deploy",
        }
    }

    fn usual_place(self, certificate: &str) -> PathBuf {
        match self {
            Self::Certbot => Path::new("/etc/letsencrypt/renewal-hooks/deploy")
                .join(format!("tlsa-rotate-{certificate}")),
            _ => Path::new(HOOKS).join(format!("{}-{certificate}", self.name())),
        }
    }

    /// What the operator does with the script.
    fn use_of(self, script: &str) -> String {
        match self {
            Self::Certbot => "certbot runs it after each renewal; `certbot certonly --reuse-key …` keeps the key, and nothing has to be rotated".to_owned(),
            Self::Lego => format!("lego run -d … --deploy-hook {script}   (lego 4: --run-hook and --renew-hook)"),
            Self::AcmeSh => format!("acme.sh --install-cert -d … --key-file FILE --fullchain-file FILE --reloadcmd {script}"),
            Self::Dehydrated => format!("in the configuration of dehydrated: HOOK={script}"),
            Self::Deploy => format!("in tlsa-rotate.toml: deploy = {{ command = [\"{script}\"] }}"),
        }
    }
}

pub(super) fn run(args: &Install, global: &Global) -> Result<Exit, Failure> {
    global.acts("hook install")?;
    let workspace = global.workspace()?;
    let name = &args.target.name;
    if workspace.config.certificate(name).is_none() {
        let known = workspace.config.named_or_all(&[]).join(", ");
        let failure = Failure::wrong(format_args!(
            "there is no certificate `{name}` in the configuration"
        ));
        return Err(failure.hint(format!("there is: {known}")));
    }
    let program = env::current_exe()
        .map_err(|e| Failure::wrong(format_args!("cannot tell where this program lies: {e}")))?;
    let place = args.to.clone();
    let place = place.unwrap_or_else(|| args.client.usual_place(name));
    let place = std::path::absolute(&place)
        .map_err(|e| Failure::wrong(format_args!("{}: {e}", place.display())))?;
    let script = script(args, &program, &workspace.config_path)?;
    let shown = place.display().to_string();
    if args.client == Client::Lego && shown.contains(char::is_whitespace) {
        return Err(Failure::wrong(format_args!(
            "{shown}: lego splits the command of a hook at blanks"
        ))
        .hint("choose a path without blanks: --to FILE"));
    }
    let output = Output::named(&place)?;
    is_ours(&place)?;
    let write = || {
        if let Some(directory) = place.parent() {
            durable::create_directory(directory, 0o755)?;
        }
        match durable::create(&place, script.as_bytes(), 0o755) {
            Err(error) if error.is_already_there() => {
                output.replace(script.as_bytes())?;
                Ok(())
            }
            created => created.map_err(OutputError::from),
        }
    };
    write()?;
    let mut out = stdout();
    writeln!(out, "{shown}")?;
    out.flush()?;
    eprintln!("hint: {}", args.client.use_of(&shown));
    Ok(Exit::Done)
}

/// Refuses a file that is there and was not written by this command: a client may rest on it.
fn is_ours(place: &Path) -> Result<(), Failure> {
    let there = match read::read(place, LONGEST) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there.unwrap_or_default(),
    };
    if memchr::memmem::find(&there, WRITTEN.as_bytes()).is_some() {
        return Ok(());
    }
    let refused = Failure::wrong(format_args!(
        "{} is there, and is no script of `hook install`: it would be overwritten",
        place.display()
    ));
    Err(refused.hint("nothing was written; move it away, or choose another place with --to FILE"))
}

/// The script. `exec`, and nothing before it that could go wrong: no program is exit 127, and the client reports it.
fn script(args: &Install, program: &Path, config: &Path) -> Result<String, Failure> {
    let target = &args.target;
    let mut words = vec![
        word(program)?,
        "--config".to_owned(),
        word(config)?,
        "hook".to_owned(),
        args.client.name().to_owned(),
        word(Path::new(&target.name))?,
        "--live".to_owned(),
        word(&std::path::absolute(&target.live)?)?,
    ];
    for server in &target.reload {
        words.extend(["--reload".to_owned(), Server::name(*server).to_owned()]);
    }
    if let Some(program) = &target.reload_with {
        words.extend([
            "--reload-with".to_owned(),
            word(&std::path::absolute(program)?)?,
        ]);
    }
    if args.client == Client::Dehydrated {
        words.extend(["--".to_owned(), "\"$@\"".to_owned()]);
    }
    let mut text = String::from("#!/bin/sh\n");
    let _ = writeln!(
        text,
        "{WRITTEN} {} {}`. Where anything is wrong, nothing is installed and the exit code is not 0.",
        args.client.name(),
        target.name
    );
    let _ = writeln!(text, "set -eu\nexec {}", words.join(" "));
    Ok(text)
}

/// A path as the shell reads it back.
fn word(path: &Path) -> Result<String, Failure> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['\n', '\r', '\0']));
    let text = text.ok_or_else(|| {
        Failure::wrong(format_args!(
            "{} cannot be written into a script",
            path.display()
        ))
        .hint("choose a path of plain characters")
    })?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}
