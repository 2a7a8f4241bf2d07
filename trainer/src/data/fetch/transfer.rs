//! One try to get an archive, or the rest of it, from one address.
//!
//! The network is read on a thread of its own, so that Ctrl-C is heeded at once however long a server takes. The thread
//! ends by itself: its reads have a limit.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use program::interrupt;
use ureq::Agent;
use ureq::http::{HeaderMap, header};

use super::Patience;
use super::part::{Origin, Part};

/// How often Ctrl-C is looked for while nothing comes.
const LOOK_FOR_CTRL_C: Duration = Duration::from_millis(50);
/// Bytes that one read takes at most.
const PIECE: usize = 1 << 16;
/// Pieces that may wait for the disk.
const AHEAD: usize = 16;
/// What every zip archive begins with. A page of a network that wants one to sign in does not.
const ARCHIVE: &[u8] = b"PK";
/// More than this is no data set; a server without end would otherwise fill the disk.
const MOST_BYTES: u64 = 20_000_000_000;

/// How a try failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Another try may succeed: a cut, a stall, a server that is busy.
    ForNow(String),
    /// There is no way to the host: without a network, or for good.
    NoHost(String),
    /// This address will not give it.
    ForGood(String),
    /// This machine's disk.
    Disk(std::io::Error),
    /// The user.
    Stopped,
}

/// What the network's thread has to tell, in order: one head, pieces, and an end.
enum News {
    Head { status: u16, headers: HeaderMap },
    Piece(Vec<u8>),
    End,
    Failed(Failed),
}

/// Gets `url` into `part`, from where that stands. `came` hears of the length so far and of the whole length.
pub(crate) fn transfer(
    part: &mut Part,
    url: &str,
    patience: Patience,
    mut came: impl FnMut(u64, Option<u64>),
) -> Result<(), Failed> {
    let news = start(url, part, patience);
    let News::Head { status, headers } = next(&news)? else {
        unreachable!("the head comes first");
    };
    begin(part, url, status, &headers)?;
    loop {
        came(part.length, part.origin.total);
        match next(&news)? {
            News::Piece(piece) if part.length + piece.len() as u64 > part.origin.total.unwrap_or(MOST_BYTES) => {
                part.restart(Origin::default()).map_err(Failed::Disk)?;
                return Err(Failed::ForGood("it sends more than it announced, or more than any data set has".into()));
            }
            News::Piece(piece)
                if part.length == 0 && !ARCHIVE.starts_with(&piece[..piece.len().min(ARCHIVE.len())]) =>
            {
                part.restart(Origin::default()).map_err(Failed::Disk)?;
                return Err(Failed::ForGood("it answers with something that is no zip archive".into()));
            }
            News::Piece(piece) => part.write(&piece).map_err(Failed::Disk)?,
            News::End => break,
            News::Head { .. } | News::Failed(_) => unreachable!("one head; failures are errors"),
        }
    }
    match part.origin.total {
        Some(total) if part.length < total => Err(Failed::ForNow(cut(part.length, Some(total)))),
        Some(_) => Ok(()),
        // The server did not say: what came is all there is, and the archive's own directory is at its end.
        None => part.end_here().map_err(Failed::Disk),
    }
}

/// Makes the part ready for the body that follows the answer's head.
fn begin(part: &mut Part, url: &str, status: u16, headers: &HeaderMap) -> Result<(), Failed> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match status {
        200 => {
            let total = text(header::CONTENT_LENGTH).and_then(|length| length.trim().parse().ok());
            let strong_tag = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
            let validator = strong_tag.or(text(header::LAST_MODIFIED)).map(str::to_owned);
            part.restart(Origin { url: url.into(), validator, total }).map_err(Failed::Disk)
        }
        206 => {
            let range = text(header::CONTENT_RANGE).and_then(content_range);
            let fits = range.is_some_and(|(first, total)| {
                first == part.length && (part.origin.total.is_none() || part.origin.total == Some(total))
            });
            if fits {
                return Ok(());
            }
            part.restart(Origin::default()).map_err(Failed::Disk)?;
            Err(Failed::ForNow("it sent another part of the file than was asked for".into()))
        }
        // What is there is not a beginning of what the server has.
        416 => {
            part.restart(Origin::default()).map_err(Failed::Disk)?;
            Err(Failed::ForNow("the file has changed there".into()))
        }
        408 | 429 | 500..=599 => Err(Failed::ForNow(status_line(status))),
        _ => Err(Failed::ForGood(status_line(status))),
    }
}

/// `bytes 100-199/200` as the first byte and the whole length.
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}

fn status_line(status: u16) -> String {
    let reason = ureq::http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    format!("the server answers {status} {}", reason.unwrap_or_default()).trim_end().to_owned()
}

fn cut(length: u64, total: Option<u64>) -> String {
    let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
    format!("the connection was cut after {length}{of} bytes")
}

/// The thread's next news; its failures as errors.
fn next(news: &Receiver<News>) -> Result<News, Failed> {
    loop {
        match news.recv_timeout(LOOK_FOR_CTRL_C) {
            _ if interrupt::requested() => return Err(Failed::Stopped),
            Ok(News::Failed(failed)) => return Err(failed),
            Ok(news) => return Ok(news),
            Err(RecvTimeoutError::Timeout) => {}
            // It ends with End or Failed, unless the HTTP client panics: that is the server's answer, not our bug.
            Err(RecvTimeoutError::Disconnected) => return Err(Failed::ForNow("it answers what no server may".into())),
        }
    }
}

fn start(url: &str, part: &Part, patience: Patience) -> Receiver<News> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .https_only(url.starts_with("https:")) // no redirection to where anybody can listen and change
        .user_agent(concat!("cyclegan-trainer/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(patience.0))
        .timeout_connect(Some(patience.0))
        .timeout_recv_response(Some(patience.0))
        .timeout_per_read(Some(patience.0))
        .build()
        .into();
    let mut request = agent.get(url);
    // Only with a validator can the server say whether the file is still the one that was begun. Without, it is asked
    // for the whole, and what is there is kept until that comes.
    if let (1.., true, Some(validator)) = (part.length, part.origin.url == url, &part.origin.validator) {
        request = request.header(header::RANGE, format!("bytes={}-", part.length));
        request = request.header(header::IF_RANGE, validator);
    }
    let (sender, news) = sync_channel(AHEAD);
    thread::spawn(move || {
        // An error of `send` means that the user has stopped the transfer, or that the answer was not wanted.
        let _ended = match request.call() {
            Ok(answer) => receive(answer, patience, &sender),
            Err(error) => sender.send(News::Failed(failed(&error, patience))),
        };
    });
    news
}

fn receive(
    answer: ureq::http::Response<ureq::Body>,
    patience: Patience,
    sender: &SyncSender<News>,
) -> Result<(), std::sync::mpsc::SendError<News>> {
    let (head, body) = answer.into_parts();
    let total = body.content_length();
    sender.send(News::Head { status: head.status.as_u16(), headers: head.headers })?;
    // ureq's own limit for a body is for texts.
    let mut body = body.into_with_config().limit(u64::MAX).reader();
    let (mut piece, mut length) = (vec![0; PIECE], 0);
    loop {
        match body.read(&mut piece) {
            Ok(0) => return sender.send(News::End),
            Ok(count) => {
                length += count as u64;
                sender.send(News::Piece(piece[..count].to_vec()))?;
            }
            Err(error) => {
                let error = ureq::Error::from(error);
                let failed = if is_cut(&error) { Failed::ForNow(cut(length, total)) } else { failed(&error, patience) };
                return sender.send(News::Failed(failed));
            }
        }
    }
}

fn is_cut(error: &ureq::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let kinds = [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof];
    matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()))
}

/// What a failure of the network means.
fn failed(error: &ureq::Error, patience: Patience) -> Failed {
    use std::io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable};
    // The system's own kind for this has no name yet in std; its text begins so.
    let is_unknown = |error: &std::io::Error| error.to_string().starts_with("failed to lookup address");
    match error {
        ureq::Error::HostNotFound => Failed::NoHost("no such host is known: is there a network?".into()),
        ureq::Error::Io(error) if is_unknown(error) => {
            Failed::NoHost(format!("no such host is known: is there a network? ({error})"))
        }
        ureq::Error::Io(error) if [HostUnreachable, NetworkDown, NetworkUnreachable].contains(&error.kind()) => {
            Failed::NoHost(error.to_string())
        }
        ureq::Error::Timeout(_) => Failed::ForNow(format!("nothing came for {}", program::duration(patience.0))),
        // A certificate that does not hold, or a server that speaks no TLS.
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => no_tls(error),
        ureq::Error::Rustls(error) => no_tls(error),
        ureq::Error::Io(error) => Failed::ForNow(error.to_string()),
        ureq::Error::RequireHttpsOnly(_) => Failed::ForGood("it leads on to an address without TLS".into()),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failed::ForGood(format!("it is no address: {error}")),
        error => Failed::ForNow(error.to_string()),
    }
}

fn no_tls(error: &impl std::fmt::Display) -> Failed {
    Failed::ForGood(format!("no secure connection: {error}"))
}
