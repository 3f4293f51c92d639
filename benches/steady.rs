//! Asks at a steady pace and says how long the answers took.
//!
//! `cargo bench --bench steady -- ADDRESS PATH REQUESTS_A_SECOND SECONDS [TAG]`, for `benches/compare/run`. Time counts
//! from when a request was due, so that a server that stalls is charged for those who wait behind.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// Connections, each kept alive by a thread of its own.
const CLIENTS: u32 = 16;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let [address, path, rate, seconds, rest @ ..] = &arguments[..] else {
        return println!("say: ADDRESS PATH REQUESTS_A_SECOND SECONDS [TAG]");
    };
    let (rate, seconds): (u32, u32) = (rate.parse().unwrap(), seconds.parse().unwrap());
    let condition = rest.first().map(|tag| format!("If-None-Match: {tag}\r\n"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: steady\r\nAccept: */*\r\n\
         Accept-Encoding: gzip\r\n{}\r\n",
        condition.unwrap_or_default()
    );
    let begin = Instant::now() + Duration::from_millis(100);
    let mut taken: Vec<Duration> = thread::scope(|scope| {
        let client = |nth| {
            let request = &request;
            // One after another, not all at once.
            let first = begin + Duration::from_secs(1) * nth / rate;
            let pace = Duration::from_secs(1) * CLIENTS / rate;
            let count = rate * seconds / CLIENTS;
            scope.spawn(move || follow(address, request, first, pace, count))
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    taken.sort_unstable();
    let at = |percent: usize| taken[(taken.len() - 1) * percent / 100].as_micros();
    println!("{} {}", at(50), at(99));
}

/// How long each request took from when it was due.
fn follow(
    address: &str,
    request: &str,
    first: Instant,
    pace: Duration,
    count: u32,
) -> Vec<Duration> {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let ask = |nth| {
        let due = first + pace * nth;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        socket.write_all(request.as_bytes()).unwrap();
        skip(&mut reader);
        due.elapsed()
    };
    (0..count).map(ask).collect()
}

/// Reads an answer that says how long it is, or has no body.
fn skip(reader: &mut impl BufRead) {
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the server hung up");
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    io::copy(&mut reader.take(length), &mut io::sink()).unwrap();
}
