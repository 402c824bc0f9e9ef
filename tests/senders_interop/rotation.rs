//! A whole rotation by `advance` while a validating sender delivers all the time: real authorities, resolver and servers.

use crate::authorities::{self, BIND, NSD, RESOLVER, front};
use crate::mail::{self, EXIM, at};
use crate::pki::Pki;
use crate::world::{World, both};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const OURS: &str = env!("CARGO_BIN_EXE_tlsa-rotate");
const APEX: &str = "rotate.com";

fn ours(world: &World, args: &[&str]) -> String {
    let done = world
        .command(OURS, args)
        .current_dir(world.path("ws"))
        .output()
        .unwrap();
    assert!(
        matches!(done.status.code(), Some(0 | 3)),
        "{args:?}: {}\n{}",
        both(&done),
        world.logs()
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn step(world: &World) -> String {
    let status: serde_json::Value =
        serde_json::from_str(&ours(world, &["status", "--format", "json"])).unwrap();
    status["rotations"][0]["rotation"]["step"]
        .as_str()
        .unwrap_or("none")
        .to_owned()
}

/// A workspace whose zone is signed here and loaded by NSD and BIND, whose host is Exim.
fn workspace(world: &mut World, pki: &Pki) {
    let host = at(&EXIM, "live");
    let zone = front(APEX, NSD)
        .replace("$TTL 300", "$TTL 2")
        .replace(" 86400 60", " 86400 2");
    world.write(
        "ws/rotate.com.zone",
        format!(
            "{zone}@ NS ns2\nns2 A {BIND}\n@ MX 10 mx\nmx A {host}\n_25._tcp.mx TLSA 3 1 1 {}\n",
            pki.a
        ),
    );
    world.write("ws/live/fullchain.pem", world.read("pki/A.crt"));
    world.write("pki/live.pem", world.read("pki/A.pem"));
    let (reload, deploy) = (world.at("reload"), world.at("deploy"));
    world.write("reload", format!("cd {}; for p in nsd named; do if [ -s $p.pid ]; then kill -HUP $(cat $p.pid); fi; done", world.at("")));
    world.write(
        "deploy",
        format!(
            "set -e; cd {}; cat $TLSA_ROTATE_DIRECTORY/ecdsa-p256.key.pem $TLSA_ROTATE_DIRECTORY/ecdsa-p256.cert.pem >live.new; \
             chmod 644 live.new; mv live.new live.pem",
            world.at("pki")
        ),
    );
    world.write(
        "ws/tlsa-rotate.toml",
        format!(
            "[policy]\nmin_wait = \"3s\"\nsoak = \"12s\"\nsafety_margin = \"4s\"\n\n[[zone]]\nname = \"{APEX}\"\n\
             file = \"rotate.com.zone\"\nsign = {{ keys = \"keys\" }}\npublish = {{ file = true }}\n\
             reload = [\"bash\", \"{reload}\"]\n\n[[certificate]]\nname = \"mail\"\nhosts = [\"mx.{APEX}\"]\nports = [25]\n\
             ttl_before = \"5s\"\nlive = {{ certificate = \"live/fullchain.pem\" }}\nnext = {{ generate = \"ecdsa-p256\" }}\n\
             deploy = {{ command = [\"bash\", \"{deploy}\"] }}\n"
        ),
    );
    ours(world, &["key", "generate", APEX, "--keys", "keys"]);
    ours(world, &["advance"]);
    let ds = ours(world, &["key", "ds", APEX, "--keys", "keys"]);
    let delegation = format!(
        "{APEX}. NS ns.{APEX}.\n{APEX}. NS ns2.{APEX}.\nns.{APEX}. A {NSD}\nns2.{APEX}. A {BIND}\n{ds}"
    );
    authorities::parents(world, &delegation);
    let home = world.at("");
    let mut nsd = format!(
        "server:\n  ip-address: {NSD}\n  port: 53\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{home}\"\n  \
         pidfile: \"{home}nsd.pid\"\n  xfrdfile: \"\"\n  zonelistfile: \"{home}nsd.list\"\n  database: \"\"\n  \
         server-count: 1\nremote-control:\n  control-enable: no\n"
    );
    for (apex, file) in [
        (".", "zones/root.signed"),
        ("com", "zones/com.signed"),
        (APEX, "ws/rotate.com.zone.signed"),
    ] {
        nsd.push_str(&format!("zone:\n  name: {apex}\n  zonefile: {file}\n"));
    }
    world.write("nsd.conf", nsd);
    world.write(
        "named.conf",
        format!(
            "options {{ directory \"{home}\"; listen-on {{ {BIND}; }}; listen-on-v6 {{ none; }}; recursion no; \
             pid-file \"{home}named.pid\"; session-keyfile \"{home}session.key\"; dnssec-validation no; }};\ncontrols {{ }};\n\
             zone \"{APEX}\" {{ type primary; file \"ws/rotate.com.zone.signed\"; }};\n"
        ),
    );
    world.run(
        "ip",
        &["address", "add", &format!("{BIND}/32"), "dev", "lo"],
    );
    world.start("nsd", "nsd", &["-d", "-c", &format!("{home}nsd.conf")]);
    world.start(
        "named",
        "named",
        &["-g", "-n", "1", "-c", &format!("{home}named.conf")],
    );
    world.wait_for_dns(NSD, APEX);
    world.wait_for_dns(BIND, APEX);
    authorities::resolver(world);
}

fn send(world: &World) {
    let etc = world.at("postfix/etc");
    let script =
        format!("printf 'Subject: x\\n\\nx\\n' | sendmail -C {etc} -f ada@sender.test bob@{APEX}");
    world.run("bash", &["-c", &script]);
}

fn count(world: &World, text: &str) -> usize {
    let log = world.read("postfix/maillog");
    log.lines()
        .filter(|line| line.contains(text) && line.contains(APEX))
        .count()
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_whole_rotation_defers_no_mail_of_a_validating_sender() {
    let mut world = World::new(RESOLVER);
    let pki = Pki::make(&world, &[format!("mx.{APEX}")]);
    workspace(&mut world, &pki);
    mail::postfix(&mut world, "sender.test");
    mail::exim(&mut world);
    ours(&world, &["start", "mail"]);

    let (sent, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut steps: Vec<String> = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                send(&world);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let begun = Instant::now();
        while steps.last().is_none_or(|step| step != "Retired")
            && begun.elapsed() < Duration::from_secs(60)
        {
            ours(&world, &["advance"]);
            let now = step(&world);
            if steps.last() != Some(&now) {
                steps.push(now);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        steps.last().map(String::as_str),
        Some("Retired"),
        "{steps:?}\n{}",
        world.logs()
    );
    let sent = sent.load(Ordering::Relaxed);
    // Exim reads key and certificate one after the other: who comes while both are exchanged is asked to come again, which is
    // no refusal of a key.
    let between = || count(&world, "refused to start TLS: 454");
    world.wait("all mail is delivered", || {
        count(&world, "status=sent") + between() >= sent
            || count(&world, "status=deferred") > between()
    });
    assert!(between() <= 2, "{}", world.logs());
    let verified = count(&world, "Verified TLS connection established");
    println!("{steps:?}: {sent} mails over {verified} verified connections");
    assert_eq!(
        (
            count(&world, "status=deferred") - between(),
            count(&world, "status=bounced")
        ),
        (0, 0),
        "{}",
        world.logs()
    );
    let others = ["Trusted TLS", "Untrusted TLS", "Anonymous TLS"];
    assert_eq!(
        others.map(|level| count(&world, level)),
        [0; 3],
        "{}",
        world.logs()
    );
    assert!(
        sent >= 20 && verified >= 20,
        "{sent} sent, {verified} verified"
    );
    let verdict = world.run(OURS, &["verify", APEX, "--trust-anchor", "anchor"]);
    assert!(
        verdict.contains("verified: every validating sender delivers"),
        "{verdict}"
    );

    // That a mail could have been deferred at all: the retired key comes back.
    world.run(
        "bash",
        &[
            "-c",
            "cp pki/A.pem pki/live.new && chmod 644 pki/live.new && mv pki/live.new pki/live.pem",
        ],
    );
    // Caches may hold the old records for their two seconds more: until then it is right to deliver.
    world.wait("a mail to the wrong key is deferred", || {
        send(&world);
        count(&world, "status=deferred") > 0
    });
}
