//! The mail hosts of the world: one Postfix and one Exim, each with an address for every way to present a chain.

use crate::pki::{KEYS, ODD};
use crate::world::World;

/// Ways to present a chain, and the address of each on Postfix.
pub const POSTFIX: [(&str, &str); 10] = [
    ("A", "127.0.25.1"),
    ("ANOCA", "127.0.25.2"),
    ("B", "127.0.25.3"),
    ("N", "127.0.25.4"),
    ("X", "127.0.25.5"),
    ("RSA+A", "127.0.25.6"),
    ("none", "127.0.25.7"),
    ("RSA", "127.0.25.8"),
    ("anonymous", "127.0.25.9"),
    ("TLSv1", "127.0.25.10"),
];

/// The same on Exim.
pub const EXIM: [(&str, &str); 6] = [
    ("A", "127.0.26.1"),
    ("ANOCA", "127.0.26.2"),
    ("B", "127.0.26.3"),
    ("N", "127.0.26.4"),
    ("RSA+A", "127.0.26.6"),
    ("live", "127.0.26.9"),
];

/// Presents A in TLS 1.3 and B in TLS 1.2, as a balancer in front of two servers may.
pub const SPLIT: &str = "127.0.27.1";

/// Hosts that go other ways to TLS, or to none.
pub const ODDLY: [(&str, &str); 7] = [
    ("talkative", "127.0.27.2"),
    ("helo-only", "127.0.27.3"),
    ("unwelcome", "127.0.27.4"),
    ("tls-not-now", "127.0.27.5"),
    ("tls-refused", "127.0.27.6"),
    ("alert", "127.0.27.7"),
    ("later", "127.0.27.8"),
];

/// The address at which a peer presents so.
pub fn at(peer: &[(&str, &'static str)], chain: &str) -> &'static str {
    peer.iter()
        .find(|(known, _)| *known == chain)
        .unwrap_or_else(|| panic!("{chain}"))
        .1
}

/// The address at which Postfix presents an odd chain.
pub fn odd(name: &str) -> String {
    let names = ODD
        .iter()
        .map(|(name, ..)| *name)
        .chain(KEYS.iter().map(|(name, _)| *name));
    let place = names.into_iter().position(|known| known == name);
    format!("127.0.28.{}", place.unwrap_or_else(|| panic!("{name}")) + 1)
}

/// Starts Postfix with all its addresses; port 465 of the first begins with TLS. It takes mail for `domains`.
pub fn postfix(world: &mut World, domains: &str) {
    let at = world.at("postfix");
    for folder in ["etc", "queue", "data"] {
        world.write(&format!("postfix/{folder}/.keep"), "");
    }
    world.run("chown", &["postfix", &format!("{at}/data")]);
    world.write(
        "postfix/etc/main.cf",
        format!(
            "compatibility_level = 3.6\nqueue_directory = {at}/queue\ndata_directory = {at}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nshlib_directory = /usr/lib/postfix\n\
             meta_directory = /etc/postfix\nmail_owner = postfix\nsetgid_group = postdrop\nmyhostname = mail.interop.test\n\
             mydestination = {domains}\nlocal_transport = discard:\nlocal_recipient_maps =\ninet_interfaces = all\n\
             inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\nmaillog_file = {at}/maillog\n\
             maillog_file_prefixes = /tmp, {at}\nsmtpd_tls_security_level = may\nsmtp_dns_support_level = dnssec\n\
             smtp_tls_security_level = dane\nsmtp_tls_loglevel = 1\nsmtp_host_lookup = dns\n\
             smtpd_peername_lookup = no\nsmtpd_client_connection_count_limit = 0\n"
        ),
    );
    let pki = world.at("pki");
    let mut master = String::new();
    let service = |address: &str, port: u16, chain: &str| {
        let files = match chain {
            "none" => "-o smtpd_tls_security_level=none".to_owned(),
            "anonymous" => "-o smtpd_tls_cert_file=none".to_owned(),
            "TLSv1" => {
                format!("-o smtpd_tls_protocols=TLSv1 -o smtpd_tls_chain_files={pki}/R.pem")
            }
            "RSA+A" => format!("-o smtpd_tls_chain_files={pki}/R.pem,{pki}/A.pem"),
            "RSA" => format!("-o smtpd_tls_chain_files={pki}/R.pem"),
            one => format!("-o smtpd_tls_chain_files={pki}/{one}.pem"),
        };
        format!("{address}:{port} inet n - n - - smtpd {files}")
    };
    for (chain, address) in POSTFIX {
        master.push_str(&format!("{}\n", service(address, 25, chain)));
    }
    let odd_names = || {
        ODD.iter()
            .map(|(name, ..)| *name)
            .chain(KEYS.iter().map(|(name, _)| *name))
    };
    for name in odd_names() {
        master.push_str(&format!("{}\n", service(&odd(name), 25, name)));
    }
    let wrapped = service(POSTFIX[0].1, 465, "A");
    master.push_str(&format!("{wrapped} -o smtpd_tls_wrappermode=yes\n"));
    master.push_str(
        "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nverify unix - - n - 1 verify\n\
         proxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\nrelay unix - - n - - smtp\nerror unix - - n - - error\n\
         retry unix - - n - - error\ndiscard unix - - n - - discard\nshowq unix n - n - - showq\n\
         anvil unix - - n - 1 anvil\nscache unix - - n - 1 scache\npostlog unix-dgram n - n - 1 postlogd\n",
    );
    world.write("postfix/etc/master.cf", master);
    world.start_postfix();
    for (_, address) in POSTFIX {
        world.wait_for_port(address, 25);
    }
    for name in odd_names() {
        world.wait_for_port(&odd(name), 25);
    }
}

/// Starts Exim with all its addresses.
pub fn exim(world: &mut World) {
    let root = format!("{}/target/peers/exim", env!("CARGO_MANIFEST_DIR"));
    let program = format!("{root}/usr/sbin/exim4");
    assert!(
        std::path::Path::new(&program).exists(),
        "{program} is missing: `scripts/test` fetches it"
    );
    let at = world.at("exim");
    for (chain, address) in EXIM {
        let files: Vec<String> = match chain {
            "RSA+A" => vec!["R".to_owned(), "A".to_owned()],
            one => vec![one.to_owned()],
        };
        let texts: Vec<String> = files
            .iter()
            .map(|f| world.at(&format!("pki/{f}.pem")))
            .collect();
        world.write(&format!("exim/{address}"), texts.join(" : "));
    }
    world.write("exim/spool/.keep", "");
    let addresses: Vec<&str> = EXIM.iter().map(|(_, address)| *address).collect();
    world.write(
        "exim/exim.conf",
        format!(
            "primary_hostname = exim.interop.test\nspool_directory = {at}/spool\nlog_file_path = {at}/spool/%slog\n\
             pid_file_path = {at}/pid\nlocal_interfaces = {}\ndaemon_smtp_ports = 25\nkeep_environment =\n\
             tls_advertise_hosts = *\nsmtp_accept_max = 0\ntls_certificate = ${{readfile{{{at}/$received_ip_address}}}}\n\
             tls_privatekey = ${{readfile{{{at}/$received_ip_address}}}}\nhost_lookup =\nrfc1413_hosts =\n\
             acl_smtp_rcpt = accept\nbegin acl\nbegin routers\nsink:\n  driver = redirect\n  data = :blackhole:\nbegin transports\n",
            addresses.join(" : ")
        ),
    );
    // Its user must read the keys; it refuses configurations that others may write.
    world.run(
        "chown",
        &[
            "-R",
            "Debian-exim:Debian-exim",
            &format!("{at}/spool"),
            &world.at("pki"),
        ],
    );
    world.run("chmod", &["-R", "a+rX", &world.at("pki")]);
    let mut command = world.command(
        &program,
        &["-bdf", "-q1h", "-C", &format!("{at}/exim.conf")],
    );
    command.env(
        "LD_LIBRARY_PATH",
        format!("{root}/usr/lib/{}-linux-gnu", std::env::consts::ARCH),
    );
    world.start_command("exim", command);
    for (_, address) in EXIM {
        world.wait_for_port(address, 25);
    }
}

/// Whether Exim, which judges by GnuTLS, delivers to a domain for which it demands DANE; and its log.
pub fn exim_delivers(world: &World, domain: &str) -> (bool, String) {
    let root = format!("{}/target/peers/exim", env!("CARGO_MANIFEST_DIR"));
    let at = world.at("exim-sender");
    let log = format!("exim-sender/{domain}.");
    world.write(&format!("{log}conf"), format!(
        "primary_hostname = sender.interop.test\nspool_directory = {at}/{domain}\nlog_file_path = {at}/{domain}.%slog\n\
         keep_environment =\ndns_dnssec_ok = 1\nlocal_interfaces = 127.0.0.1\nhost_lookup =\nacl_not_smtp = accept\n\
         begin acl\nbegin routers\nout:\n  driver = dnslookup\n  transport = smtp\n  dnssec_request_domains = *\n  self = send\n\
         begin transports\nsmtp:\n  driver = smtp\n  dnssec_request_domains = *\n  hosts_require_dane = *\n"
    ));
    world.write(&format!("exim-sender/{domain}/.keep"), "");
    world.write(&format!("{log}message"), "Subject: test\n\ntest\n");
    world.run("chown", &["-R", "Debian-exim:Debian-exim", &at]);
    world.run("chown", &["root", &format!("{at}/{domain}.conf")]);
    // Received first and delivered then: in between it would start itself anew, without its libraries.
    let libraries = format!("{root}/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let exim = format!("{root}/usr/sbin/exim4 -C {at}/{domain}.conf");
    let script = format!(
        "export LD_LIBRARY_PATH={libraries}; \
         {exim} -odq -f from@interop.test to@{domain} <{at}/{domain}.message; {exim} -qff; cat {at}/{domain}.mainlog"
    );
    let log = crate::world::both(&world.command("sh", &["-c", &script]).output().unwrap());
    (log.contains("CV=dane") && log.contains(" => "), log)
}

/// Starts the server that chooses its chain by the version of TLS that is offered to it.
pub fn split(world: &mut World) {
    world.write("split.py", include_str!("split.py"));
    world.start("split", "python3", &["split.py", SPLIT]);
    world.wait_for_port(SPLIT, 25);
    for (manner, address) in ODDLY {
        world.start(manner, "python3", &["split.py", address, manner]);
        world.wait_for_port(address, 25);
    }
}
