//! A web server on loopback that does what bad servers do. Written here, for no well-kept one can be told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request's line and the headers that matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
}

/// What a server says to a request.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body that are sent; the length is announced all the same.
    pub sent: usize,
    /// Whether the connection then stays open, silent, as long as the server lives.
    pub stalls: bool,
    /// Whether the length is announced.
    pub has_length: bool,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), sent: 0, stalls: false, has_length: true }
    }

    /// A whole file, whatever was asked for.
    pub fn whole(body: &[u8], tag: &str) -> Self {
        let headers = vec![("ETag", format!("\"{tag}\""))];
        Self { status: 200, headers, body: body.to_vec(), sent: body.len(), stalls: false, has_length: true }
    }

    /// What was asked for of a file, as a good server gives it.
    pub fn file(request: &Request, body: &[u8], tag: &str) -> Self {
        let first = request.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        match first.map(|first| first.parse::<usize>().expect("a number")) {
            Some(first) if request.if_range.as_deref().is_none_or(|known| known == format!("\"{tag}\"")) => {
                let mut answer = Self::whole(&body[first..], tag);
                answer.status = 206;
                answer.headers.push(("Content-Range", format!("bytes {first}-{}/{}", body.len() - 1, body.len())));
                answer
            }
            _ => Self::whole(body, tag),
        }
    }

    pub fn without_length(self) -> Self {
        Self { has_length: false, ..self }
    }

    pub fn cut_after(self, sent: usize) -> Self {
        Self { sent, ..self }
    }

    pub fn stalling_after(self, sent: usize) -> Self {
        Self { sent, stalls: true, ..self }
    }
}

/// A server on a port of its own; it ends with the test.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Dropping it lets go of the connections that stall.
    _alive: Sender<()>,
}

impl Server {
    /// Starts one that answers by the request and its number, from 0.
    pub fn start(answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (alive, dead) = channel();
        let (answer, dead) = (Arc::new(answer), Arc::new(Mutex::new(dead)));
        let known = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, dead, known) = (Arc::clone(&answer), Arc::clone(&dead), Arc::clone(&known));
                thread::spawn(move || serve(stream, &*answer, &dead, &known));
            }
        });
        Self { url, requests, _alive: alive }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no test panics while it holds it").clone()
    }
}

fn serve(
    stream: TcpStream,
    answer: &dyn Fn(usize, &Request) -> Answer,
    dead: &Mutex<Receiver<()>>,
    known: &Mutex<Vec<Request>>,
) {
    let Some(request) = read(&stream) else {
        let _gone = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    let number = {
        let mut known = known.lock().expect("nobody panics while holding it");
        known.push(request.clone());
        known.len() - 1
    };
    let answer = answer(number, &request);
    let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", answer.status);
    if answer.has_length {
        head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
    }
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    // A client that has gone is what some tests are about.
    let _gone = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(&answer.body[..answer.sent]));
    if answer.stalls {
        let _dropped = dead.lock().expect("nobody panics while holding it").recv();
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut request = Request { path, ..Request::default() };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.into()),
            "if-range" => request.if_range = Some(value.into()),
            _ => {}
        }
    }
    Some(request)
}

/// An archive of these entries.
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).expect("in memory");
        archive.write_all(bytes).expect("in memory");
    }
    archive.finish().expect("in memory").into_inner()
}

/// A picture that no other shade is the same as.
pub fn picture(shade: u8) -> Vec<u8> {
    let picture = pictures::Picture::from_fn(24, 24, |x, y| [shade, x as u8 * 10, y as u8 * 10].into());
    pictures::encode(&picture, pictures::Format::Png).expect("small")
}

/// A data set's archive, its folders below `top`.
pub fn data_set(top: &str) -> Vec<u8> {
    let names = ["trainA/1.png", "trainA/2.png", "trainB/1.png", "testA/1_A.png", "testB/1_B.png"];
    let names = names.map(|name| format!("{top}{name}"));
    let pictures: Vec<Vec<u8>> = (0..5).map(|number| picture(40 * number)).collect();
    let entries: Vec<(&str, &[u8])> =
        names.iter().map(String::as_str).zip(pictures.iter().map(Vec::as_slice)).collect();
    archive(&entries)
}
