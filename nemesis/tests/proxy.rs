//! The proxy before a server that echoes and speaks of its own accord: what is cut, and what is not.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use history::NodeId;
use nemesis::network::{Counts, Door, FrameRule, Network, Tampering, Weather};
use nemesis::proxy::{DoorSpec, Proxy, ProxySpec, Speech};
use nemesis::{Actor, proxy};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const NODE: NodeId = NodeId(1);
const PATIENCE: Duration = Duration::from_secs(20);
/// What must not come is waited for no longer than this.
const SHORT: Duration = Duration::from_millis(150);

/// A proxy with one door, and the server behind it.
struct Stage {
    proxy: Proxy,
    door: SocketAddr,
    server: TcpListener,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(speech: Speech) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let control = format!("stormglass-test-{}-{}", std::process::id(), door.port());
        let target = server.local_addr().unwrap();
        let doors = vec![DoorSpec { node: NODE, listens: door, target, speech }];
        let spec = folder.path().join("proxy.json");
        std::fs::write(&spec, serde_json::to_vec(&ProxySpec { control: control.clone(), doors }).unwrap()).unwrap();
        std::thread::spawn(move || proxy::main(&spec));
        let proxy = until("the proxy answers", || Proxy::connect(&control).ok());
        Stage { proxy, door, server, _folder: folder }
    }

    /// A connection through the proxy: the client's end and the server's.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = until("the door is open", || TcpStream::connect(self.door).ok());
        let (server, _) = self.server.accept().unwrap();
        (client, server)
    }

    fn counts(&mut self, from: Actor, to: Actor) -> Counts {
        let traffic = self.proxy.traffic().unwrap();
        traffic.iter().find(|t| (t.from, t.to) == (from, to)).map_or(Counts::default(), |t| t.counts)
    }
}

fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: it did not come");
        std::thread::yield_now();
    }
}

/// What arrives within `patience`: that many bytes, or `None`.
fn receive(stream: &mut TcpStream, length: usize, patience: Duration) -> Option<Vec<u8>> {
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).ok().map(|()| bytes)
}

fn there_and_back(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b"ping").unwrap();
    assert_eq!(receive(server, 4, PATIENCE).unwrap(), b"ping");
    server.write_all(b"pong").unwrap();
    assert_eq!(receive(client, 4, PATIENCE).unwrap(), b"pong");
}

fn one_way(from: Actor, to: Actor, weather: Weather) -> Network {
    Network::default().with([from], [to], weather)
}

const OBSERVER: Actor = Actor::Observer;
const IT: Actor = Actor::Node(NODE);

#[test]
fn a_one_way_cut_of_a_standing_connection_stops_that_direction_alone_and_healing_restores_it() {
    for (cut_from, cut_to) in [(OBSERVER, IT), (IT, OBSERVER)] {
        let mut stage = Stage::new(Speech::Opaque);
        let (mut client, mut server) = stage.connect();
        there_and_back(&mut client, &mut server);
        stage.proxy.set(&one_way(cut_from, cut_to, Weather::Cut)).unwrap();
        let before = stage.counts(cut_from, cut_to);
        client.write_all(b"up!!").unwrap();
        server.write_all(b"down").unwrap();
        let (cut, open) = if cut_from == OBSERVER { (&mut server, &mut client) } else { (&mut client, &mut server) };
        assert!(receive(open, 4, PATIENCE).is_some(), "the other direction is open");
        assert_eq!(receive(cut, 4, SHORT), None);
        let held = stage.counts(cut_from, cut_to).since(before);
        assert_eq!((held.passed, held.held), (0, 4));
        stage.proxy.set(&Network::default()).unwrap();
        let (cut, late) = if cut_from == OBSERVER { (&mut server, b"up!!") } else { (&mut client, b"down") };
        assert_eq!(receive(cut, 4, PATIENCE).unwrap(), late, "what was sent meanwhile arrives");
        there_and_back(&mut client, &mut server);
    }
}

#[test]
fn the_end_of_a_connection_does_not_cross_a_cut_and_a_new_one_waits() {
    let mut stage = Stage::new(Speech::Opaque);
    let (client, mut server) = stage.connect();
    stage.proxy.set(&Network::default().between(&[OBSERVER], &[IT], Weather::Cut)).unwrap();
    drop(client);
    assert_eq!(receive(&mut server, 1, SHORT), None);
    server.set_read_timeout(Some(SHORT)).unwrap();
    let silent = server.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(silent, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{silent}");
    let mut late = TcpStream::connect(stage.door).unwrap();
    late.write_all(b"late").unwrap();
    until("the connect is held", || (stage.counts(OBSERVER, IT).connects_held == 1).then_some(()));
    stage.proxy.set(&Network::default()).unwrap();
    assert_eq!(server.set_read_timeout(Some(PATIENCE)).and_then(|()| server.read(&mut [0])).unwrap(), 0);
    let (mut server, _) = stage.server.accept().unwrap();
    assert_eq!(receive(&mut server, 4, PATIENCE).unwrap(), b"late");
}

#[test]
fn a_reset_ends_what_stands_and_what_comes_until_it_is_healed() {
    let mut stage = Stage::new(Speech::Opaque);
    let (mut client, mut server) = stage.connect();
    there_and_back(&mut client, &mut server);
    stage.proxy.set(&Network::default().between(&[OBSERVER], &[IT], Weather::Reset)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    until("a new one is reset", || {
        let mut next = TcpStream::connect(stage.door).ok()?;
        next.set_read_timeout(Some(PATIENCE)).ok()?;
        next.read(&mut [0]).err().map(|_| ())
    });
    assert!(stage.counts(OBSERVER, IT).resets == 1 && stage.counts(OBSERVER, IT).refused >= 1);
    stage.proxy.set(&Network::default()).unwrap();
    let (mut client, mut server) = stage.connect();
    there_and_back(&mut client, &mut server);
}

#[test]
fn a_stalled_connection_stays_silent_and_a_new_one_speaks() {
    let mut stage = Stage::new(Speech::Opaque);
    let (mut old, mut old_server) = stage.connect();
    there_and_back(&mut old, &mut old_server);
    stage.proxy.set(&Network::default().between(&[OBSERVER], &[IT], Weather::Stalled)).unwrap();
    old.write_all(b"ping").unwrap();
    assert_eq!(receive(&mut old_server, 4, SHORT), None);
    let (mut new, mut new_server) = stage.connect();
    there_and_back(&mut new, &mut new_server);
    stage.proxy.set(&Network::default()).unwrap();
    assert_eq!(receive(&mut old_server, 4, PATIENCE).unwrap(), b"ping");
}

#[test]
fn a_shut_door_refuses_or_never_answers_and_opens_again() {
    for door in [Door::Refusing, Door::BlackHole] {
        let mut stage = Stage::new(Speech::Opaque);
        let (mut client, mut server) = stage.connect();
        there_and_back(&mut client, &mut server);
        stage.proxy.set(&Network { doors: vec![(NODE, door)], ..Network::default() }).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(client.read(&mut [0]).is_err(), "what stood is reset");
        let expected = if door == Door::Refusing { io::ErrorKind::ConnectionRefused } else { io::ErrorKind::TimedOut };
        until("connects fail as they should", || {
            let failed = TcpStream::connect_timeout(&stage.door, SHORT * 3).err();
            failed.filter(|error| error.kind() == expected)
        });
        stage.proxy.set(&Network::default()).unwrap();
        let (mut client, mut server) = stage.connect();
        there_and_back(&mut client, &mut server);
    }
}

#[test]
fn latency_and_a_narrow_line_delay_and_keep_order_and_end_with_the_healing() {
    let slow = Weather::Slow { latency_us: 60_000, jitter_us: 30_000 };
    let narrow = Weather::Narrow { bytes_per_s: 20_000 };
    for (weather, least) in [(slow, Duration::from_millis(60)), (narrow, Duration::from_millis(150))] {
        let mut stage = Stage::new(Speech::Opaque);
        let (mut client, mut server) = stage.connect();
        there_and_back(&mut client, &mut server);
        stage.proxy.set(&one_way(OBSERVER, IT, weather)).unwrap();
        let sent: Vec<u8> = (0..4000_u32).map(|n| n as u8).collect();
        let began = Instant::now();
        sent.chunks(100).for_each(|chunk| client.write_all(chunk).unwrap());
        assert_eq!(receive(&mut server, sent.len(), PATIENCE).unwrap(), sent);
        assert!(began.elapsed() >= least, "{weather:?} took {:?}", began.elapsed());
        assert!(stage.counts(OBSERVER, IT).delayed >= 4000);
        stage.proxy.set(&Network::default()).unwrap();
        there_and_back(&mut client, &mut server);
    }
}

#[test]
fn a_sender_that_fills_what_may_be_held_is_no_longer_read() {
    let mut stage = Stage::new(Speech::Opaque);
    let (mut client, _server) = stage.connect();
    stage.proxy.set(&one_way(OBSERVER, IT, Weather::Cut)).unwrap();
    client.set_write_timeout(Some(SHORT)).unwrap();
    let chunk = vec![0; 1 << 20];
    let written = (0..64).take_while(|_| client.write_all(&chunk).is_ok()).count();
    assert!(written < 64, "64 MiB were taken for a connection that is cut");
    assert!(stage.counts(OBSERVER, IT).held < 8 << 20);
}

fn frame(api_key: i16, correlation: i32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend((8 + body.len() as i32).to_be_bytes());
    out.extend(api_key.to_be_bytes());
    out.extend(0_i16.to_be_bytes());
    out.extend(correlation.to_be_bytes());
    out.extend(body);
    out
}

fn answer(correlation: i32) -> Vec<u8> {
    [8_i32.to_be_bytes(), correlation.to_be_bytes(), [9; 4]].concat()
}

#[test]
fn one_request_of_a_kind_is_dropped_delayed_or_doubled_and_no_other() {
    use Tampering::{DelayRequest, DropRequest, DropResponse, DuplicateRequest};
    for tampering in [DropRequest, DropResponse, DelayRequest { ms: 100 }, DuplicateRequest] {
        let mut stage = Stage::new(Speech::Kafka);
        let (mut client, mut server) = stage.connect();
        let (from, to) = ([OBSERVER].into(), [IT].into());
        let rule = FrameRule { from, to, api_key: 26, tampering, every: 1, times: 1 };
        stage.proxy.set(&Network { frames: vec![rule], ..Network::default() }).unwrap();
        let [other, first, second] = [frame(0, 1, b"produce"), frame(26, 2, b"end"), frame(26, 3, b"end")];
        client.write_all(&[other.clone(), first.clone(), second.clone()].concat()).unwrap();
        let expected = match tampering {
            DropRequest => vec![other, second],
            DuplicateRequest => vec![other, first.clone(), first, second],
            _ => vec![other, first, second],
        }
        .concat();
        assert_eq!(receive(&mut server, expected.len(), PATIENCE).unwrap(), expected, "{tampering:?}");
        let numbers: &[i32] = match tampering {
            DropRequest => &[1, 3],
            DuplicateRequest => &[1, 2, 2, 3],
            _ => &[1, 2, 3],
        };
        numbers.iter().for_each(|n| server.write_all(&answer(*n)).unwrap());
        let heard: &[i32] = if matches!(tampering, DropRequest | DropResponse) { &[1, 3] } else { &[1, 2, 3] };
        let heard: Vec<u8> = heard.iter().flat_map(|n| answer(*n)).collect();
        assert_eq!(receive(&mut client, heard.len(), PATIENCE).unwrap(), heard, "{tampering:?}");
        assert_eq!(stage.counts(OBSERVER, IT).frames, 1);
        there_and_back_framed(&mut client, &mut server);
    }
}

fn there_and_back_framed(client: &mut TcpStream, server: &mut TcpStream) {
    let request = frame(3, 50, b"");
    client.write_all(&request).unwrap();
    assert_eq!(receive(server, request.len(), PATIENCE).unwrap(), request);
    server.write_all(&answer(50)).unwrap();
    assert_eq!(receive(client, 12, PATIENCE).unwrap(), answer(50));
}

#[test]
fn a_delayed_request_arrives_even_if_whoever_sent_it_has_gone() {
    let mut stage = Stage::new(Speech::Kafka);
    let (mut client, mut server) = stage.connect();
    let (from, to) = ([OBSERVER].into(), [IT].into());
    let tampering = Tampering::DelayRequest { ms: 200 };
    let rule = FrameRule { from, to, api_key: 26, tampering, every: 1, times: 1 };
    stage.proxy.set(&Network { frames: vec![rule], ..Network::default() }).unwrap();
    let request = frame(26, 2, b"end");
    client.write_all(&request).unwrap();
    drop(client);
    assert_eq!(receive(&mut server, request.len(), PATIENCE).unwrap(), request);
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0, "the end comes after it, as late");
}

#[test]
fn what_is_no_kafka_passes_a_kafka_door_unharmed() {
    let mut stage = Stage::new(Speech::KafkaRewritten);
    let (mut client, mut server) = stage.connect();
    let garbage = [&[0xff; 64][..], b"GET / HTTP/1.1\r\n\r\n"].concat();
    client.write_all(&garbage).unwrap();
    assert_eq!(receive(&mut server, garbage.len(), PATIENCE).unwrap(), garbage);
    assert_eq!(stage.counts(OBSERVER, IT).frames, 0);
}
