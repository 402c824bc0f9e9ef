//! Requests as rows of a table: what each does to the repository, and what the gate must say of it.
#![allow(dead_code, clippy::print_stdout)]

use super::rotation_support::{BEGIN, Publish, Run, World, pieces};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tlsa_rotate::rotation::timing::Instant;
use tlsa_rotate::zone::answers::{Answer, answer};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::file::ZoneFile;
use tlsa_rotate::zone::include::Directory;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;

/// Two zones and three hosts: those of example.com rotate and wait, that of example.net rests. And the hour.
pub(crate) fn estate(publish: Publish) -> (World, u64) {
    resting(publish).brought_to("Waiting")
}

/// The same with the first proposal of the rotation waiting for review.
pub(crate) fn proposed(publish: Publish) -> World {
    let world = resting(publish);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world
}

/// The same without any rotation.
fn resting(publish: Publish) -> World {
    let world = World::new(publish);
    let third = world.one_more_host("mx.example.net");
    let address = world.hosts()[third];
    let [first, second] = [world.server(0), world.server(1)];
    let config = world.read("tlsa-rotate.toml")
        + &format!(
            "\n[[zone]]\nservers = [\"{first}\", \"{second}\"]\nname = \"example.net\"\nfile = \"example.net.zone\"\nservers_run = [\"knot\"]\n\
             sign = {{ keys = \"keys\" }}\npublish = {{ git = {{ branch = \"tlsa-rotate/{{rotation}}\" }} }}\n\
             \n[[certificate]]\nname = \"net\"\nhosts = [\"mx.example.net\", \"wild.example.net\", \"far.example.net\"]\n\
             addresses = {{ \"mx.example.net\" = [\"{address}\"], \"wild.example.net\" = [\"{address}\"] }}\nports = [25]\n\
             live = {{ certificate = \"live/fullchain.pem\" }}\nnext = {{ generate = \"ecdsa-p256\" }}\ndeploy = {{ manual = true }}\n"
        );
    world.write("tlsa-rotate.toml", &config);
    let digest = world.tlsa("mx1.example.com").remove(0);
    world.write(
        "example.net.zone",
        &format!(
            "$TTL 3600\n@ IN SOA ns1.example.com. hostmaster.example.com. 2026120105 7200 3600 604800 300\n\
             @ IN NS ns1.example.com.\n@ IN NS ns2.example.com.\n@ IN MX 10 mx\n\
             mx IN A 192.0.2.26\nwild IN A 192.0.2.26\nfar IN A 127.0.0.1\n\
             _25._tcp.mx IN TLSA 3 1 1 {digest}\n*._tcp.wild IN TLSA 3 1 1 {digest}\n_25._tcp.far IN TLSA 3 1 1 {digest}\n"
        ),
    );
    world
        .run(BEGIN, &["key", "generate", "example.net", "--keys", "keys"])
        .ends(0);
    if publish != Publish::File {
        world.git("add --all");
        world.git_at(BEGIN, &["commit", "--quiet", "--message", "another zone"]);
    }
    world.advance(BEGIN);
    load(&world);
    world
}

fn load(world: &World) {
    for server in 0..2 {
        world.load_other(server, "example.net.zone.signed", "example.net.");
    }
}

/// One request.
pub(crate) struct Row {
    pub(crate) what: String,
    work: Box<dyn Fn(&World)>,
    pub(crate) code: i32,
    pub(crate) says: String,
    /// Branch that is judged; otherwise one made from main by `work`, in one commit.
    head: Option<String>,
}

impl Row {
    /// Records more in a zone, under the next serial.
    pub(crate) fn zone(what: &str, file: &str, lines: &str, code: i32, says: &str) -> Self {
        let lines = format!("{lines}\n");
        Self::edit(what, file, move |zone| with_lines(zone, &lines), code, says)
    }

    /// A zone edited, under the next serial.
    pub(crate) fn edit(
        what: &str,
        file: &str,
        edit: impl Fn(&str) -> String + 'static,
        code: i32,
        says: &str,
    ) -> Self {
        let file = file.to_owned();
        Self::work(
            what,
            move |world| {
                let before = world.read(&file);
                let after = edit(&before);
                assert_ne!(before, after, "the edit does nothing");
                world.write(&file, &next_serial(&after));
            },
            code,
            says,
        )
    }

    /// Anything done in the working tree.
    pub(crate) fn work(what: &str, work: impl Fn(&World) + 'static, code: i32, says: &str) -> Self {
        Self {
            what: what.to_owned(),
            work: Box::new(work),
            code,
            says: says.to_owned(),
            head: None,
        }
    }

    /// Something of another kind at a path, brought into the index alone; what lies there stays.
    pub(crate) fn index(what: &str, mode: &str, path: &str, code: i32, says: &str) -> Self {
        let (mode, path) = (mode.to_owned(), path.to_owned());
        Self::branch(
            what,
            move |world| {
                world.git("checkout --quiet -B pr main");
                let object = match &*mode {
                    "160000" => world.git("rev-parse main"),
                    _ => world.git("rev-parse main:.gitignore"),
                };
                world.git(&format!("rm -r --quiet --cached --ignore-unmatch {path}"));
                world.git(&format!(
                    "update-index --add --cacheinfo {mode},{object},{path}"
                ));
                let tree = world.git("write-tree");
                let commit = world.git(&format!("commit-tree {tree} -p main -m work"));
                world.git("read-tree main");
                world.git(&format!("update-ref refs/heads/pr {commit}"));
                world.git("symbolic-ref HEAD refs/heads/main");
            },
            code,
            says,
        )
    }

    /// A branch that `work` makes itself.
    pub(crate) fn branch(
        what: &str,
        work: impl Fn(&World) + 'static,
        code: i32,
        says: &str,
    ) -> Self {
        let mut row = Self::work(what, work, code, says);
        row.head = Some("pr".to_owned());
        row
    }
}

/// Puts every request to the gate, and prints the table.
#[track_caller]
pub(crate) fn judge_all(world: &World, now: Instant, rows: Vec<Row>) {
    let (mut table, mut wrong) = (String::new(), Vec::new());
    let base = world.git("rev-parse main");
    for row in rows {
        let began = std::time::Instant::now();
        if row.head.is_none() {
            world.git("checkout --quiet -B pr main");
            (row.work)(world);
            world.git("add --all");
            world.git("commit --quiet --message work");
            world.git("checkout --quiet --force main");
        } else {
            (row.work)(world);
            world.git("checkout --quiet --force main");
        }
        let run = world.run(now, &["check", "--merge", "--base", "main", "--head", "pr"]);
        let told = format!("{}{}", run.stdout, run.stderr);
        let is_right = run.code == Some(row.code) && told.contains(&row.says);
        let mark = if is_right { "  " } else { "!!" };
        let _ = writeln!(
            table,
            "{mark} {} | exit {:?} (expected {}) | {} | {:?}",
            row.what,
            run.code,
            row.code,
            answers(world),
            began.elapsed()
        );
        if !is_right {
            let _ = writeln!(table, "{told}\n---");
            wrong.push(row.what);
        }
        world.git(&format!("checkout --quiet --force -B main {base}"));
        world.git("clean -fdq");
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{wrong:#?}\n{table}");
}

/// What the zones of the request answer for the TLSA records of every host.
fn answers(world: &World) -> String {
    let mut told = Vec::new();
    for (apex, owner) in [
        ("example.com", "_25._tcp.mx1"),
        ("example.com", "_25._tcp.mx2"),
        ("example.net", "_25._tcp.mx"),
        ("example.net", "_25._tcp.wild"),
    ] {
        let apex_name = Name::parse(format!("{apex}.").as_bytes(), None).unwrap();
        let name = Name::parse(owner.as_bytes(), Some(&apex_name)).unwrap();
        let shown = std::process::Command::new("git")
            .current_dir(world.path("."))
            .args(["show", &format!("pr:{apex}.zone")])
            .output()
            .unwrap();
        let file = ZoneFile::read(
            "zone",
            shown.stdout,
            Some(&apex_name),
            &Directory::below(Path::new("/nowhere")),
        );
        let answered = match file.zone() {
            Err(_) => "no zone".to_owned(),
            Ok(zone) => said(&zone, &name),
        };
        let label = owner.rsplit('.').next().unwrap();
        told.push(format!("{label}: {answered}"));
    }
    told.join(", ")
}

fn said(zone: &Zone, name: &Name) -> String {
    match answer(zone, name, Rtype::TLSA) {
        Answer::Records(rrset) => {
            let digests = rrset.rdatas.iter().map(|rdata| {
                let text = rdata.to_text(Rtype::TLSA);
                let digest = text.rsplit(' ').next().unwrap_or_default();
                digest.chars().take(4).collect::<String>()
            });
            digests.collect::<Vec<_>>().join("+")
        }
        Answer::Alias(_) => "alias".to_owned(),
        Answer::Redirection(..) => "DNAME".to_owned(),
        Answer::Referral(..) => "referral".to_owned(),
        Answer::NoData | Answer::NoName => "nothing".to_owned(),
    }
}

pub(crate) fn judged(world: &World, now: Instant, head: &str) -> Run {
    world.run(now, &["check", "--merge", "--base", "main", "--head", head])
}

/// The text with lines added, before a last line that may not be ended.
pub(crate) fn with_lines(zone: &str, lines: &str) -> String {
    let origin = if zone.contains("example.com.\n") && zone.contains("$ORIGIN example.com.") {
        "$ORIGIN example.com.\n"
    } else {
        ""
    };
    format!("{}\n{origin}{lines}", zone.trim_end_matches('\n'))
}

/// The next serial, if the zone has not another one already.
pub(crate) fn next_serial(zone: &str) -> String {
    let is_one = |word: &&str| word.len() == 10 && word.starts_with("20261");
    let Some(old) = zone
        .split_whitespace()
        .find(|word| is_one(word) && word.parse::<u32>().is_ok())
    else {
        return zone.to_owned();
    };
    let next = (old.parse::<u32>().unwrap() + 50).to_string();
    zone.replacen(old, &next, 1)
}

/// Without the lines that hold `what`; with a leading newline, that begin with the rest.
pub(crate) fn without(zone: &str, what: &str) -> String {
    let keeps = |piece: &&String| match what.strip_prefix('\n') {
        Some(start) => !piece.starts_with(start),
        None => !piece.contains(what),
    };
    let pieces = pieces(zone);
    pieces.iter().filter(keeps).cloned().collect()
}

/// The zone with one digit of the first TLSA record changed.
pub(crate) fn typo(zone: &str) -> String {
    let at = zone.find("TLSA 3 1 1 ").unwrap() + "TLSA 3 1 1 ".len();
    let (front, back) = zone.split_at(at);
    let other = if back.starts_with('0') { "1" } else { "0" };
    format!("{front}{other}{}", &back[1..])
}

/// The zone with the TTL of every record that an owner has in the text as written.
pub(crate) fn with_ttl(zone: &str, owner: &str, ttl: &str) -> String {
    let pieces = pieces(zone).into_iter();
    let pieces = pieces.map(|piece| {
        if !piece.starts_with(owner) {
            return piece;
        }
        let after = &piece[owner.len()..];
        let rest = after.trim_start();
        let rest = match rest.split_once(' ') {
            Some((first, rest)) if first.parse::<u32>().is_ok() => rest.trim_start(),
            _ => rest,
        };
        format!("{owner} {ttl} {rest}")
    });
    pieces.collect()
}

pub(crate) fn append(world: &World, file: &str, text: &str) {
    let before = fs::read_to_string(world.path(file)).unwrap_or_default();
    world.write(file, &(before + text));
}

/// A setting that is another.
pub(crate) fn config(what: &str, from: &str, to: &str, code: i32, says: &str) -> Row {
    let (from, to) = (from.to_owned(), to.to_owned());
    Row::work(
        what,
        move |world| {
            let before = world.read("tlsa-rotate.toml");
            let after = before.replacen(&from, &to, 1);
            assert_ne!(before, after, "the edit does nothing");
            world.write("tlsa-rotate.toml", &after);
        },
        code,
        says,
    )
}

/// Takes a host out of the configuration, with its address.
pub(crate) fn less(host: &str) -> impl Fn(&World) + 'static {
    let host = format!("\"{host}\"");
    move |world| {
        let config = world.read("tlsa-rotate.toml");
        let lines = config.lines().map(|line| {
            if line.starts_with("hosts = ") {
                line.replace(&format!(", {host}"), "")
            } else if let Some(at) = line.find(&format!(", {host} = [")) {
                let end = at + line[at..].find(']').unwrap() + 1;
                format!("{}{}", &line[..at], &line[end..])
            } else {
                line.to_owned()
            }
        });
        let lines: Vec<String> = lines.collect();
        world.write("tlsa-rotate.toml", &(lines.join("\n") + "\n"));
    }
}
