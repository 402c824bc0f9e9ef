//! A network of a test's own, in which a real Postfix delivers by DANE through a validating Unbound, all the time.

use super::super::serve_support::{Peer, stdout_of, until};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Set inside of such a network.
const INSIDE: &str = "TLSA_ROTATE_TEST_NETWORK";
const RESOLVER: &str = "127.0.0.53";

/// Runs a test, by its name, in a network and with processes of its own: ports 25 and 53 are free there, and what it leaves
/// running ends with it. Needs root.
pub(crate) fn in_a_network_of_its_own(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let resolv = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        resolv.path(),
        format!("nameserver {RESOLVER}\noptions trust-ad edns0 timeout:3 attempts:2\n"),
    )
    .unwrap();
    // Postfix's own users read it too.
    fs::set_permissions(resolv.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let script = "ip link set lo up && mount --bind \"$1\" /etc/resolv.conf && exec \"$2\" --include-ignored --exact \"$3\" --nocapture";
    let done = Command::new("unshare")
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .args(["sh", "-c", script, "sh"])
        .arg(resolv.path())
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(INSIDE, "1")
        .status()
        .expect("unshare of util-linux");
    assert!(
        done.success(),
        "{name} in a network of its own (this test must be run by root)"
    );
}

/// Where Postfix takes the mail of mx1.example.com: no address of an interface, so that it is no host of its own to it.
pub(crate) const MX: &str = "127.0.25.1";

/// A Postfix that takes mail for example.com with the chain of `live.pem`, and sends it there as everybody else would.
pub(crate) struct Mail {
    home: PathBuf,
}

impl Mail {
    /// Below `home`; the chain that it presents is read for each connection anew.
    pub(crate) fn start(home: &Path) -> Self {
        let at = home.display();
        for folder in ["etc", "queue", "data"] {
            fs::create_dir_all(home.join(folder)).unwrap();
        }
        // Postfix's own users must get through.
        for folder in home.ancestors().take(2) {
            stdout_of("chmod", &["755", folder.to_str().unwrap()]);
        }
        stdout_of("chown", &["postfix", &format!("{at}/data")]);
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {at}/queue\ndata_directory = {at}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nshlib_directory = /usr/lib/postfix\n\
             meta_directory = /etc/postfix\nmail_owner = postfix\nsetgid_group = postdrop\nmyhostname = sender.test\n\
             mydestination =\nrelay_domains = example.com\nlocal_recipient_maps =\ninet_interfaces = all\ninet_protocols = ipv4\n\
             mynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\nmaillog_file = {at}/maillog\n\
             maillog_file_prefixes = /tmp, {at}\nsmtpd_tls_security_level = may\nsmtp_dns_support_level = dnssec\n\
             smtp_tls_security_level = dane\nsmtp_tls_loglevel = 1\nsmtp_host_lookup = dns\nsmtpd_peername_lookup = no\n\
             smtpd_client_connection_count_limit = 0\n"
        );
        fs::write(home.join("etc/main.cf"), main).unwrap();
        // What arrives is thrown away; what a person hands in goes out as to any other host.
        let master = format!(
            "{MX}:25 inet n - n - - smtpd -o smtpd_tls_chain_files={at}/live.pem -o max_use=1 -o content_filter=discard: \
             -o myhostname=mx1.example.com\n\
             pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
             tlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n\
             defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nverify unix - - n - 1 verify\n\
             proxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\nrelay unix - - n - - smtp\nerror unix - - n - - error\n\
             retry unix - - n - - error\ndiscard unix - - n - - discard\nshowq unix n - n - - showq\n\
             anvil unix - - n - 1 anvil\nscache unix - - n - 1 scache\npostlog unix-dgram n - n - 1 postlogd\n"
        );
        fs::write(home.join("etc/master.cf"), master).unwrap();
        Self {
            home: home.to_owned(),
        }
    }

    /// Presents this chain and key, both PEM, from the next connection on.
    pub(crate) fn present(&self, key: &Path, certificate: &Path) {
        let both = [fs::read(key).unwrap(), fs::read(certificate).unwrap()].concat();
        let new = self.home.join("live.new");
        fs::write(&new, both).unwrap();
        fs::rename(new, self.home.join("live.pem")).unwrap();
    }

    /// Starts Postfix, and an Unbound that asks these servers for example.com and trusts `anchor` alone.
    pub(crate) fn open(&self, servers: &[SocketAddr], anchor: &Path) -> Peer {
        let at = self.home.display();
        let stubs: Vec<String> = servers
            .iter()
            .map(|s| format!("  stub-addr: {}@{}\n", s.ip(), s.port()))
            .collect();
        let config = self.home.join("unbound.conf");
        let text = format!(
            "server:\n  interface: {RESOLVER}\n  access-control: 127.0.0.0/8 allow\n  do-ip6: no\n  username: \"\"\n  chroot: \"\"\n  \
             directory: \"{at}\"\n  pidfile: \"\"\n  use-syslog: no\n  logfile: \"\"\n  trust-anchor-file: \"{}\"\n  \
             do-not-query-localhost: no\n  module-config: \"validator iterator\"\n  serve-expired: no\n\
             remote-control:\n  control-enable: no\nstub-zone:\n  name: example.com\n{}",
            anchor.display(),
            stubs.concat()
        );
        fs::write(&config, text).unwrap();
        let arguments = ["-d", "-c", config.to_str().unwrap()];
        let resolver = Peer::start("unbound", &arguments, &self.home.join("unbound.log"));
        stdout_of("postfix", &["-c", &format!("{at}/etc"), "start"]);
        until("Postfix takes mail", || {
            TcpStream::connect((MX, 25)).is_ok()
        });
        until("the resolver vouches for the zone", || {
            let asked = [&format!("@{RESOLVER}"), "+dnssec", "example.com", "MX"];
            stdout_of("dig", &asked).contains("flags: qr rd ra ad;")
        });
        resolver
    }

    /// Sends mail after mail while `meanwhile` runs; none may be deferred, and each must go to a host that DANE vouches for.
    pub(crate) fn delivers(&self, meanwhile: impl FnOnce()) {
        let (sent, done) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let _ends = Ends(&done);
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.send();
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
            meanwhile();
        });
        let sent = sent.into_inner();
        until("every mail has met its fate", || {
            self.count("status=sent (250") + self.count("status=deferred") >= sent
        });
        let verified = self.count("Verified TLS connection established");
        println!("{sent} mails over {verified} verified connections");
        let refused = [
            "status=deferred",
            "status=bounced",
            "Trusted TLS",
            "Untrusted TLS",
            "Anonymous TLS connection established to",
        ];
        for fate in refused {
            let log = self.log();
            let met: Vec<&str> = log.lines().filter(|line| line.contains(fate)).collect();
            assert_eq!(met, [""; 0], "{fate}: {log}");
        }
        assert!(
            sent >= 20 && verified >= sent,
            "{sent} sent, {verified} verified"
        );
    }

    /// Sends until one mail is deferred.
    pub(crate) fn refuses(&self) {
        until("a mail is deferred", || {
            self.send();
            self.count("status=deferred") > 0
        });
    }

    fn send(&self) {
        let script = format!(
            "printf 'Subject: x\\n\\nx\\n' | sendmail -C {}/etc -f ada@sender.test bob@example.com",
            self.home.display()
        );
        stdout_of("sh", &["-c", &script]);
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.join("maillog")).unwrap_or_default()
    }

    fn count(&self, text: &str) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains(text))
            .count()
    }
}

/// The sender stops when the test is over, also by a failure.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
