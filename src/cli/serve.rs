//! `serve`: signed zones from their files, over UDP and TCP, until a signal ends it.

mod history;
mod keeper;
mod source;
mod supervisor;
mod watch;

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::{Exit, Failure, Global};
use crate::publish::serve::server::{Event, Server, Sockets};
use crate::rotation::timing::Span;
use crate::workspace::config::access::{Rule, Secondary};
use crate::workspace::config::duration;
use keeper::{Keeper, mistake};
use serde::Serialize;
use source::{Ready, Source, ZoneArgument};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use watch::Watch;

/// How often files are looked at, where the system does not tell by itself that one has changed.
const LOOK: Duration = Duration::from_millis(250);

/// Serves zones that are signed already: those of the workspace, or those named; SIGHUP reads configuration and files again,
/// SIGTERM and SIGINT end it.
///
/// Without `--zone` it serves every zone of the workspace with `publish = { serve = … }`, and takes up new versions as
/// they are written.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A zone and its signed master file; once for each zone
    #[arg(long = "zone", value_name = "NAME=FILE", value_parser = source::zone_argument)]
    zones: Vec<ZoneArgument>,
    /// Where to listen, over UDP and TCP; port 0 takes a free one and says which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5353")]
    listen: Vec<SocketAddr>,
    /// Who may ask: `any`, an address, a prefix, `key:NAME`, or both as `PREFIX,key:NAME` [default: any]
    #[arg(long, value_name = "WHO", requires = "zones", value_parser = Rule::parse)]
    allow_query: Vec<Rule>,
    /// Who may transfer the zones [default: whom --notify names, else this machine]
    #[arg(long, value_name = "WHO", requires = "zones", value_parser = Rule::parse)]
    allow_transfer: Vec<Rule>,
    /// Whose NOTIFY makes us read the files again [default: this machine]
    #[arg(long, value_name = "WHO", requires = "zones", value_parser = Rule::parse)]
    allow_notify: Vec<Rule>,
    /// A secondary that is told of new versions: `ADDRESS`, `ADDRESS:PORT`, each also with `,key:NAME`
    #[arg(long, value_name = "SECONDARY", requires = "zones", value_parser = Secondary::parse)]
    notify: Vec<Secondary>,
    /// A file of TSIG keys, as `tsig-keygen` prints them, which nobody else may read
    #[arg(long, value_name = "FILE", requires = "zones")]
    keys: Vec<PathBuf>,
    /// Do not serve a version with a signature that ends sooner than this [default: 0s]
    #[arg(long, value_name = "DURATION", requires = "zones", value_parser = duration::parse)]
    horizon: Option<Span>,
    /// Serve zones as they are, signed or not, valid or not
    #[arg(long, requires = "zones")]
    unsigned: bool,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    global.acts("serve")?;
    let source = Source::of(args, global)?;
    let sockets = match supervisor::sockets()? {
        Some(sockets) => sockets,
        None => Sockets::bind(&args.listen).map_err(|e| {
            Failure::wrong(e)
                .hint("another server may listen there: `--listen` takes another address or port")
        })?,
    };
    let zones = source.read_all(&[], global.now())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::wrong(format_args!("cannot start: {e}")))?;
    runtime.block_on(serve(args, (source, zones), &sockets, global))
}

/// What is served, and the files as they were read.
type Served = (Source, Vec<Ready>);

async fn serve(
    args: &Args,
    first: Served,
    sockets: &Sockets,
    global: &Global,
) -> Result<Exit, Failure> {
    let mut hang_up = on(SignalKind::hangup())?;
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    let (mut keeper, mut events) = begin(first, sockets, global).await?;
    announce(&sockets.addresses(), args.format.0)?;
    supervisor::tell("READY=1");
    let mut watch = Watch::of(keeper.watched_files());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Other configurations whose zones are being read, and how many there were: the last one counts, whichever is read first.
    let mut others: JoinSet<(u64, Result<Served, Failure>)> = JoinSet::new();
    let mut last = 0_u64;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                last = last.saturating_add(1);
                if let Some(source) = changed(args, &keeper, global) {
                    let (number, now, earlier) = (last, global.now(), keeper.versions());
                    others.spawn_blocking(move || {
                        (number, source.read_all(&earlier, now).map(|zones| (source, zones)))
                    });
                } else {
                    // Files change without their configuration.
                    keeper.reload_all();
                }
            }
            Some(read) = others.join_next() => {
                let begun = match read {
                    Ok((number, Ok(other))) if number == last => begin(other, sockets, global).await,
                    Ok((number, Err(failure))) if number == last => Err(failure),
                    Ok(_) => continue,
                    Err(panic) => Err(mistake(&panic)),
                };
                match begun {
                    Ok((new, told)) => {
                        eprintln!("serving as it is configured now");
                        let old = std::mem::replace(&mut keeper, new);
                        watch = Watch::of(keeper.watched_files());
                        events = told;
                        // What it sends still goes on for a moment.
                        tokio::spawn(old.end());
                    }
                    Err(failure) => {
                        keeping(&failure);
                        keeper.reload_all();
                    }
                }
            }
            event = next(&mut events) => {
                eprintln!("{event}");
                if let Event::NotifyCame { zone, .. } = event {
                    keeper.reload(&zone);
                }
            }
            () = keeper.reloaded() => {}
            () = watch.changed() => keeper.look(),
            _ = look.tick() => keeper.look(),
        }
    }
    supervisor::tell("STOPPING=1");
    eprintln!("ending");
    keeper.end().await;
    Ok(Exit::Done)
}

/// Answers on handles of its own of the same sockets, as configured.
async fn begin(
    (source, zones): Served,
    sockets: &Sockets,
    global: &Global,
) -> Result<(Keeper, Option<Receiver<Event>>), Failure> {
    let sockets = sockets.try_clone();
    let sockets = sockets.map_err(|e| Failure::wrong(format_args!("cannot share sockets: {e}")))?;
    let mut server = Server::on(sockets, source.settings(global))
        .await
        .map_err(Failure::wrong)?;
    let events = server.events();
    let mut keeper = Keeper::new(source, server, global.clone());
    keeper.begin(zones);
    Ok((keeper, events))
}

/// The configuration as it is now, if it can be read and is another.
fn changed(args: &Args, keeper: &Keeper, global: &Global) -> Option<Source> {
    match Source::of(args, global) {
        Ok(source) => (!keeper.keeps(&source)).then_some(source),
        Err(failure) => {
            keeping(&failure);
            None
        }
    }
}

fn keeping(failure: &Failure) {
    eprintln!("error: {}", failure.message);
    for hint in &failure.hints {
        eprintln!("hint: {hint}");
    }
    eprintln!("serving as it was configured before");
}

async fn next(events: &mut Option<Receiver<Event>>) -> Event {
    if let Some(events) = events
        && let Some(event) = events.recv().await
    {
        return event;
    }
    std::future::pending().await
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::wrong(format_args!("cannot wait for signals: {e}")))
}

/// The addresses on stdout: with port 0 a script must learn it, and it means that questions are answered from now on.
fn announce(addresses: &[SocketAddr], format: TextOrJson) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Listening {
        listening: SocketAddr,
    }
    let mut out = std::io::stdout().lock();
    for &listening in addresses {
        match format {
            TextOrJson::Json => Schema::Serve.write_line(&mut out, Listening { listening })?,
            TextOrJson::Text => writeln!(out, "listening on {listening}")?,
        }
    }
    Ok(out.flush()?)
}
