//! The DNS of the world: root, com and unsigned zones on NSD, and one mail zone for each way to sign and to serve;
//! a validating Unbound in front.

use crate::world::{World, ours};

/// Where the servers and the resolver are.
pub const NSD: &str = "127.0.0.10";
pub const BIND: &str = "127.0.0.11";
pub const KNOT: &str = "127.0.0.12";
pub const OURS: &str = "127.0.0.13";
pub const RESOLVER: &str = "127.0.0.53";

/// Who signs a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// `ldns-signzone`, NSEC.
    Ldns,
    /// `dnssec-signzone`, NSEC3.
    Bind,
    /// `kzonesign`, NSEC3.
    Knot,
    /// `tlsa-rotate zone sign`, NSEC3.
    Ours,
}

/// A zone of mail hosts.
#[derive(Clone, Copy, Debug)]
pub struct MailZone {
    pub apex: &'static str,
    pub signer: Signer,
    pub server: &'static str,
}

/// Every signer and every server.
pub const ZONES: [MailZone; 4] = [
    MailZone {
        apex: "ours.com",
        signer: Signer::Ours,
        server: OURS,
    },
    MailZone {
        apex: "ldns.com",
        signer: Signer::Ldns,
        server: NSD,
    },
    MailZone {
        apex: "bind.com",
        signer: Signer::Bind,
        server: BIND,
    },
    MailZone {
        apex: "knot.com",
        signer: Signer::Knot,
        server: KNOT,
    },
];

/// A server that com delegates ours.com to, and that does not serve it.
pub const LAME: &str = "lame.ours.com";
/// The zone whose signatures have expired.
pub const EXPIRED: &str = "expired.com";
/// The zone that is delegated without DS.
pub const UNSIGNED: &str = "unsigned.com";

/// Front of a zone served from `server`.
pub fn front(apex: &str, server: &str) -> String {
    format!(
        "$ORIGIN {apex}.\n$TTL 300\n@ SOA ns hostmaster 1 600 300 86400 60\n@ NS ns\nns A {server}\n"
    )
}

/// Signs and serves everything. `content` gives the records of a mail zone, relative to it; `forge` what to change in
/// the signed text.
pub fn serve(
    world: &mut World,
    content: impl Fn(&MailZone) -> String,
    expired: &str,
    unsigned: &str,
    forge: (&str, &str),
) {
    let mut ds = String::new();
    for zone in &ZONES {
        let apex = zone.apex;
        let text = front(apex, zone.server) + &content(zone);
        world.write(&format!("zones/{apex}"), text);
        ds.push_str(&format!(
            "{apex}. NS ns.{apex}.\nns.{apex}. A {}\n",
            zone.server
        ));
        ds.push_str(&sign(world, zone));
        if zone.server == OURS {
            // BIND does not serve it: a lame server that only the parent names.
            ds.push_str(&format!("{apex}. NS {LAME}.\n{LAME}. A {BIND}\n"));
        }
        let signed = world.read(&format!("zones/{apex}.signed"));
        let forged = signed
            .replace(&forge.0.to_ascii_uppercase(), forge.1)
            .replace(forge.0, forge.1);
        assert_ne!(signed, forged, "nothing to forge in {apex}");
        world.write(&format!("zones/{apex}.signed"), forged);
    }
    world.write(&format!("zones/{EXPIRED}"), front(EXPIRED, NSD) + expired);
    ds.push_str(&format!(
        "{EXPIRED}. NS ns.{EXPIRED}.\nns.{EXPIRED}. A {NSD}\n"
    ));
    ds.push_str(&ldns(
        world,
        EXPIRED,
        &["-i", "20250101000000", "-e", "20250201000000"],
    ));
    world.write(
        &format!("zones/{UNSIGNED}.signed"),
        front(UNSIGNED, NSD) + unsigned,
    );
    ds.push_str(&format!(
        "{UNSIGNED}. NS ns.{UNSIGNED}.\nns.{UNSIGNED}. A {NSD}\n"
    ));
    parents(world, &ds);
    daemons(world);
}

/// Signs com, with these delegations, and the root.
pub fn parents(world: &World, delegations: &str) {
    world.write("zones/com", front("com", NSD) + delegations);
    let com = ldns(world, "com", &[]);
    let root = "$ORIGIN .\n$TTL 300\n@ SOA a.servers.test. h.test. 1 600 300 86400 60\n@ NS a.servers.test.\n";
    let root = format!("{root}a.servers.test. A {NSD}\ncom. NS ns.com.\nns.com. A {NSD}\n{com}");
    world.write("zones/root", root);
    ldns(world, ".", &[]);
}

/// Signs a zone by its signer; gives its DS lines.
fn sign(world: &World, zone: &MailZone) -> String {
    let apex = zone.apex;
    match zone.signer {
        Signer::Ldns => ldns(world, apex, &[]),
        Signer::Bind => {
            let key = ldns_key(world, apex);
            let script = format!(
                "cd zones && cat {apex} {key}.key >{apex}.k && \
                 dnssec-signzone -z -u -3 - -H 0 -o {apex} -f {apex}.signed -k {key} {apex}.k {key} && \
                 ldns-read-zone {apex}.signed >{apex}.flat && mv {apex}.flat {apex}.signed"
            );
            world.run("bash", &["-c", &script]);
            world.read(&format!("zones/{key}.ds"))
        }
        Signer::Knot => {
            let key = ldns_key(world, apex);
            let at = world.at("zones");
            world.write(
                "zones/sign.conf",
                format!(
                    "database:\n  kasp-db: {at}/kasp\n  storage: {at}\npolicy:\n  - id: p\n    manual: on\n    \
                     single-type-signing: on\n    nsec3: on\nzone:\n  - domain: {apex}\n    file: {at}/{apex}\n    \
                     dnssec-signing: on\n    dnssec-policy: p\n"
                ),
            );
            let script = format!(
                "set -e; cd zones; mkdir -p kasp kout; id=$(keymgr -c sign.conf {apex} import-bind {key}.private | head -1); \
                 keymgr -c sign.conf {apex} set $id ksk=yes zsk=yes publish=-1d ready=-1d active=-1d; \
                 kzonesign -c sign.conf -o kout {apex}; ldns-read-zone kout/{apex} >{apex}.signed"
            );
            world.run("bash", &["-c", &script]);
            world.read(&format!("zones/{key}.ds"))
        }
        Signer::Ours => {
            let (keys, file) = (world.at("keys"), world.at(&format!("zones/{apex}")));
            let ours = ours();
            world.run(&ours, &["key", "generate", apex, "--keys", &keys]);
            let signed = format!("{file}.signed");
            world.run(
                &ours,
                &[
                    "zone", "sign", &file, "--keys", &keys, "--nsec3", "--output", &signed,
                ],
            );
            world.run(&ours, &["key", "ds", apex, "--keys", &keys])
        }
    }
}

fn ldns_key(world: &World, apex: &str) -> String {
    let script = format!("cd zones && ldns-keygen -a ECDSAP256SHA256 -k -r /dev/urandom {apex}");
    world.run("bash", &["-c", &script]).trim().to_owned()
}

/// Signs with one key by `ldns-signzone`; gives the DS lines. The root's key becomes `anchor`.
pub fn ldns(world: &World, apex: &str, times: &[&str]) -> String {
    let key = ldns_key(world, apex);
    let (file, times) = (if apex == "." { "root" } else { apex }, times.join(" "));
    let script =
        format!("cd zones && ldns-signzone {times} -o {apex} -f {file}.signed {file} {key}");
    world.run("bash", &["-c", &script]);
    if apex == "." {
        world.write("anchor", world.read(&format!("zones/{key}.key")));
    }
    world.read(&format!("zones/{key}.ds"))
}

fn daemons(world: &mut World) {
    let at = world.at("");
    let mut nsd = format!(
        "server:\n  ip-address: {NSD}\n  port: 53\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{at}zones\"\n  \
         pidfile: \"{at}nsd.pid\"\n  xfrdfile: \"\"\n  zonelistfile: \"{at}nsd.list\"\n  database: \"\"\n  \
         server-count: 1\nremote-control:\n  control-enable: no\n"
    );
    let served = |server| {
        ZONES
            .iter()
            .filter(move |z| z.server == server)
            .map(|z| z.apex)
    };
    let others = [".", "com", EXPIRED, UNSIGNED];
    for apex in others.into_iter().chain(served(NSD)) {
        let file = if apex == "." { "root" } else { apex };
        nsd.push_str(&format!(
            "zone:\n  name: {apex}\n  zonefile: {file}.signed\n"
        ));
    }
    world.write("nsd.conf", nsd);
    let mut named = format!(
        "options {{ directory \"{at}\"; listen-on {{ {BIND}; }}; listen-on-v6 {{ none; }}; recursion no; \
         pid-file \"{at}named.pid\"; session-keyfile \"{at}session.key\"; dnssec-validation no; }};\ncontrols {{ }};\n"
    );
    for apex in served(BIND) {
        named.push_str(&format!(
            "zone \"{apex}\" {{ type primary; file \"zones/{apex}.signed\"; }};\n"
        ));
    }
    world.write("named.conf", named);
    let mut knot = format!(
        "server:\n  listen: {KNOT}@53\n  rundir: {at}knot\n  tcp-workers: 1\n  udp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: {at}knot\nzone:\n"
    );
    world.write("knot/.keep", "");
    for apex in served(KNOT) {
        knot.push_str(&format!(
            "  - domain: {apex}\n    file: {at}zones/{apex}.signed\n    zonefile-sync: -1\n"
        ));
    }
    world.write("knot.conf", knot);
    // BIND listens on addresses that an interface has, and on no other of the loopback network.
    world.run(
        "ip",
        &["address", "add", &format!("{BIND}/32"), "dev", "lo"],
    );
    world.start("nsd", "nsd", &["-d", "-c", &format!("{at}nsd.conf")]);
    world.start(
        "named",
        "named",
        &["-g", "-n", "1", "-c", &format!("{at}named.conf")],
    );
    world.start("knotd", "knotd", &["-c", &format!("{at}knot.conf")]);
    let mut args = vec![
        "serve".to_owned(),
        "--unsigned".to_owned(),
        "--listen".to_owned(),
        format!("{OURS}:53"),
    ];
    for apex in served(OURS) {
        args.extend([
            "--zone".to_owned(),
            format!("{apex}={at}zones/{apex}.signed"),
        ]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    world.start("serve", &ours(), &args);
    for zone in &ZONES {
        world.wait_for_dns(zone.server, zone.apex);
    }
    world.wait_for_dns(NSD, "com");
    resolver(world);
}

/// Starts the validating resolver.
pub fn resolver(world: &mut World) {
    let at = world.at("");
    let hints = format!(". 3600 NS a.servers.test.\na.servers.test. 3600 A {NSD}\n");
    world.write("hints", hints);
    world.write(
        "unbound.conf",
        format!(
            "server:\n  interface: {RESOLVER}\n  access-control: 127.0.0.0/8 allow\n  do-ip6: no\n  username: \"\"\n  \
             chroot: \"\"\n  directory: \"{at}\"\n  pidfile: \"{at}unbound.pid\"\n  use-syslog: no\n  logfile: \"\"\n  \
             verbosity: 1\n  log-servfail: yes\n  root-hints: \"{at}hints\"\n  trust-anchor-file: \"{at}anchor\"\n  do-not-query-localhost: no\n  \
             module-config: \"validator iterator\"\n  local-zone: \"test.\" nodefault\n  ede: yes\n\
             remote-control:\n  control-enable: yes\n  control-interface: \"{at}unbound.ctl\"\n"
        ),
    );
    world.start(
        "unbound",
        "unbound",
        &["-d", "-c", &format!("{at}unbound.conf")],
    );
    world.wait_for_port(RESOLVER, 53);
}
