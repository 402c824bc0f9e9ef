//! Secondaries that refuse, are silent or talk nonsense when they are told of a new version (RFC 1996 §3.6): told again
//! until they confirm it, each on its own, and of the newest version alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tlsa_rotate::publish::serve::event::Event;
use tlsa_rotate::publish::serve::served::ServedZone;
use tlsa_rotate::publish::serve::server::{Server, Settings};
use tlsa_rotate::workspace::config::access::Secondary;
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
/// Serials whose octets stand nowhere else in a message.
const FIRST: u32 = 0x5a5b_5c01;
const SECOND: u32 = 0x5a5b_5c02;
const NOERROR: u8 = 0;
const REFUSED: u8 = 5;

fn version(serial: u32) -> Arc<ServedZone> {
    let text = format!("e. 60 SOA n h {serial} 2 3 4 5\ne. 60 NS n.example.net.\n");
    let zone = Zone::parse(text.as_bytes(), Some(&apex())).unwrap();
    Arc::new(ServedZone::unverified(zone).unwrap())
}

fn apex() -> Name {
    Name::parse(b"e.", None).unwrap()
}

/// A secondary that hears one message after the other.
struct Ear(UdpSocket);

impl Ear {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next NOTIFY, the serial in it, and from where it came.
    fn hears(&self) -> (Vec<u8>, u32, SocketAddr) {
        let mut octets = [0; 512];
        let (length, from) = self.0.recv_from(&mut octets).expect("a NOTIFY");
        let message = octets[..length].to_vec();
        assert_eq!(message[2] & 0xf8, 4 << 3, "a request, NOTIFY: {message:?}");
        let says = |serial: u32| message.windows(4).any(|four| four == serial.to_be_bytes());
        let serial = [FIRST, SECOND].into_iter().find(|serial| says(*serial));
        (message, serial.expect("a serial"), from)
    }

    fn says(&self, message: &[u8], rcode: u8, to: SocketAddr) {
        let mut answer = message.to_vec();
        answer[2] |= 0x80;
        answer[3] = rcode;
        self.0.send_to(&answer, to).unwrap();
    }

    /// Answers with `first` what it is told of the first version, and confirms the second.
    fn answers(&self, first: u8) {
        loop {
            let (message, serial, from) = self.hears();
            if serial == SECOND {
                return self.says(&message, NOERROR, from);
            }
            self.says(&message, first, from);
        }
    }
}

/// Waits until each of these has happened, in whatever order.
async fn until<const N: usize>(
    events: &mut tokio::sync::mpsc::Receiver<Event>,
    wanted: [&dyn Fn(&Event) -> bool; N],
) {
    let mut seen = [false; N];
    while seen.contains(&false) {
        let event = timeout(PATIENCE, events.recv()).await.expect("in time");
        let event = event.expect("the server runs");
        for (wanted, seen) in wanted.iter().zip(&mut seen) {
            *seen |= wanted(&event);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_is_silent_or_talks_nonsense_is_told_until_it_confirms() {
    let [prompt, refusing, babbling, silent, stubborn] = [(); 5].map(|()| Ear::new());
    let ears = [&prompt, &refusing, &babbling, &silent, &stubborn];
    let addresses = ears.map(Ear::address);
    let secondaries = addresses.map(|address| Secondary::parse(&address.to_string()).unwrap());
    let mut settings = Settings::default();
    settings.secondaries.insert(apex(), secondaries.to_vec());
    let server = Server::start("127.0.0.1:0".parse().unwrap(), settings);
    let mut server = server.await.unwrap();
    let mut events = server.events().unwrap();
    server.publish(version(FIRST));

    let told = |ear: usize, wanted: u32| {
        move |event: &Event| {
            let address = addresses[ear];
            matches!(event, Event::Notified { secondary, serial, .. }
                if *secondary == address && *serial == wanted)
        }
    };
    let failed = |ear: usize, what: &'static str| {
        move |event: &Event| {
            let address = addresses[ear];
            matches!(event, Event::NotNotified { secondary, why, again: true, .. }
                if *secondary == address && why.contains(what))
        }
    };
    let prompt = thread::spawn(move || prompt.answers(NOERROR));
    let refusing = thread::spawn(move || {
        let (message, _, from) = refusing.hears();
        refusing.says(&message, REFUSED, from);
        assert_eq!(refusing.hears().1, FIRST, "told again after a refusal");
        refusing.answers(NOERROR);
    });
    let babbling = thread::spawn(move || {
        let (message, _, from) = babbling.hears();
        for noise in [&b""[..], b"\xff\xff\xff", &message, &[7; 600]] {
            babbling.0.send_to(noise, from).unwrap();
        }
        let mut other = message.clone();
        other[0] ^= 1;
        babbling.says(&other, NOERROR, from);
        babbling.says(&message, REFUSED, from);
        assert_eq!(babbling.hears().1, FIRST, "noise confirms nothing");
        babbling.answers(NOERROR);
    });
    let stubborn = thread::spawn(move || stubborn.answers(REFUSED));
    // Nobody holds up the others, and who cannot be told is named.
    let (silence, refusal) = (failed(3, "no answer"), failed(4, "RCODE 5"));
    until(&mut events, [&told(0, FIRST), &silence, &refusal]).await;
    let times = [silent.hears().1, silent.hears().1];
    assert_eq!(times, [FIRST; 2], "a second time");

    server.publish(version(SECOND));
    let silent = thread::spawn(move || silent.answers(NOERROR));
    let all = [0, 1, 2, 3, 4].map(|ear| told(ear, SECOND));
    until(
        &mut events,
        all.each_ref().map(|told| told as &dyn Fn(&Event) -> bool),
    )
    .await;
    for ear in [prompt, refusing, babbling, silent, stubborn] {
        ear.join().unwrap();
    }
    server.shutdown().await;
}
