//! A small HTTP/1.1 server that misbehaves as it is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a path is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The bytes, with ranges if they are asked for, under this ETag.
    Bytes(Vec<u8>, &'static str),
    /// The bytes as a whole, whatever range is asked for.
    Whole(Vec<u8>),
    /// So many bytes of them, of which all are announced, before the connection is closed; without an ETag there is none.
    CutOff(Vec<u8>, usize, &'static str),
    /// The first bytes, announced as all there are, and then these.
    More(Vec<u8>, usize),
    /// All of them, but no length is announced.
    Unannounced(Vec<u8>),
    /// A status without a body.
    Status(u16),
    /// That it is found elsewhere.
    Moved(String),
    /// Nothing, ever.
    Hang,
}

/// Path and range of a request.
type Request = (String, Option<String>);

/// A server with its answers by path, and the requests that it got.
pub(crate) struct Server {
    pub(crate) url: String,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let answers: Arc<Mutex<HashMap<String, Answer>>> = Arc::default();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (theirs, log) = (Arc::clone(&answers), Arc::clone(&requests));
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, log) = (Arc::clone(&theirs), Arc::clone(&log));
                thread::spawn(move || serve(&stream.unwrap(), &answers, &log));
            }
        });
        Server { url, answers, requests }
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(format!("/{path}"), answer);
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn serve(mut stream: &TcpStream, answers: &Mutex<HashMap<String, Answer>>, log: &Mutex<Vec<Request>>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(path) = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_string)) else { return };
    let headers: HashMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_string())))
        .collect();
    let range = headers.get("range").cloned();
    log.lock().unwrap().push((path.clone(), range.clone()));
    let answer = answers.lock().unwrap().get(&path).cloned().unwrap_or(Answer::Status(404));
    let mut reply = |status: &str, fields: &str, body: &[u8]| {
        // A client that has gone away hears nothing.
        let _ = write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{fields}\r\n");
        let _ = stream.write_all(body);
    };
    let length = |bytes: &[u8]| format!("Content-Length: {}\r\n", bytes.len());
    let tag = |etag: &str| if etag.is_empty() { String::new() } else { format!("ETag: \"{etag}\"\r\n") };
    match answer {
        Answer::Bytes(bytes, etag) => {
            let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
            let unchanged = headers.get("if-range").is_none_or(|version| *version == format!("\"{etag}\""));
            match start.filter(|_| unchanged) {
                Some(start) if start >= bytes.len() => reply("416 Range Not Satisfiable", "Content-Length: 0\r\n", &[]),
                Some(start) => {
                    let fields = format!("Content-Range: bytes {start}-{}/{}\r\n", bytes.len() - 1, bytes.len());
                    reply("206 Partial Content", &(fields + &length(&bytes[start..]) + &tag(etag)), &bytes[start..]);
                }
                None => reply("200 OK", &(length(&bytes) + &tag(etag)), &bytes),
            }
        }
        Answer::Whole(bytes) => reply("200 OK", &(length(&bytes) + &tag("whole")), &bytes),
        Answer::CutOff(bytes, count, etag) => reply("200 OK", &(length(&bytes) + &tag(etag)), &bytes[..count]),
        Answer::More(bytes, announced) => reply("200 OK", &length(&bytes[..announced]), &bytes),
        Answer::Unannounced(bytes) => reply("200 OK", "", &bytes),
        Answer::Status(status) => reply(&format!("{status} No"), "Content-Length: 0\r\n", &[]),
        Answer::Moved(to) => reply("302 Found", &format!("Location: {to}\r\nContent-Length: 0\r\n"), &[]),
        Answer::Hang => thread::sleep(Duration::from_secs(3600)),
    }
}
