//! One file from one address.
//!
//! It grows under the name `NAME.part`; beside it `NAME.part.from` remembers the address and what the server called this
//! version of it (its ETag, or its date), so that a later attempt can go on where this one ended: only if the server still
//! has the same, which `If-Range` asks it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;

use crate::base::Error;
use crate::base::file::{self, Growing};

use super::sum::{BLOCK, Sum};

/// Why a download ended early.
#[derive(Debug)]
pub(super) enum Ended {
    /// The listener wanted it to; what there is stays.
    Stopped,
    /// The server, or the network; another attempt may help.
    Failed(String),
    /// This machine; no other mirror will help.
    Here(Error),
}

/// How long to wait for a server.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until it is connected.
    pub connect: Duration,
    /// Until it answers, and between two pieces of its answer.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { connect: Duration::from_secs(20), stall: Duration::from_secs(60) }
    }
}

/// What all downloads of a call share.
pub(super) fn agent(patience: Patience) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("dualprop/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.stall))
        .timeout_per_read(Some(patience.stall))
        .build()
        .into()
}

/// A file that is not whole yet.
pub(super) struct Part {
    path: PathBuf,
    note: PathBuf,
}

impl Part {
    /// The part of the file that will have this path.
    pub(super) fn of(target: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = target.file_name().unwrap_or_default().to_os_string();
            name.push(ending);
            target.with_file_name(name)
        };
        Part { path: with(".part"), note: with(".part.from") }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets everything.
    pub(super) fn remove(&self) {
        for path in [&self.path, &self.note] {
            // What is not there is gone already.
            let _ = fs::remove_file(path);
        }
    }

    /// Forgets where it came from; the file has its name now.
    pub(super) fn done(&self) {
        let _ = fs::remove_file(&self.note);
    }

    /// How much there is of what this address had, and what the server called it.
    fn resume(&self, url: &str) -> (u64, Option<String>) {
        let note = file::read_text(&self.note, 1 << 16).unwrap_or_default();
        match note.split_once('\n') {
            Some((from, version)) if from == url && !version.is_empty() => {
                (file::size(&self.path).unwrap_or(0), Some(version.to_string()))
            }
            _ => (0, None),
        }
    }

    /// The sum of all that there is, added to `sum`.
    fn add_to(&self, sum: &mut Sum) -> std::result::Result<(), Ended> {
        let read = File::open(&self.path).and_then(|file| sum.read(file));
        read.map(drop).map_err(|source| Ended::Here(Error::Read { path: self.path.clone(), source }))
    }
}

/// Downloads an address into the part, going on from what is there, and gives the sum of the whole. `size` is what was
/// published; `progress(have, all)` is told of every piece.
pub(super) fn download(
    agent: &Agent,
    url: &str,
    part: &Part,
    size: Option<u64>,
    progress: &mut dyn FnMut(u64, Option<u64>) -> ControlFlow<()>,
) -> std::result::Result<String, Ended> {
    let failed = |problem: String| Ended::Failed(problem);
    let (have, version) = part.resume(url);
    let mut sum = Sum::default();
    if have > 0 && size == Some(have) {
        // All of it is here: only its name could not be given to it, or it could not be unpacked. There is nothing to ask for.
        part.add_to(&mut sum)?;
        return Ok(sum.digits());
    }
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
        request = request.header("If-Range", version.unwrap_or_default());
    }
    let response = request.call().map_err(|error| failed(error.to_string()))?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_string);
    let start = match response.status().as_u16() {
        200 => 0,
        206 if have > 0 && header("content-range").is_some_and(|range| range.starts_with(&format!("bytes {have}-"))) => have,
        // There is nothing after what is here. Without a part no range is asked for, and so this happens once.
        416 if have > 0 => {
            part.remove();
            return download(agent, url, part, size, progress);
        }
        status => {
            // A part that no server goes on from is worth nothing.
            part.remove();
            return Err(failed(format!("it answered with status {status}")));
        }
    };
    let announced = header("content-length").and_then(|length| length.parse::<u64>().ok()).map(|length| start + length);
    if let (Some(announced), Some(size)) = (announced, size)
        && announced != size
    {
        return Err(failed(format!("it announces {announced} bytes, expected {size}")));
    }
    let whole = size.or(announced);
    // A weak ETag is no promise of the same bytes.
    let version = header("etag").filter(|tag| tag.starts_with('"')).or_else(|| header("last-modified"));
    if start > 0 {
        part.add_to(&mut sum)?;
    }
    let mut to = Growing::open(&part.path, start > 0).map_err(Ended::Here)?;
    let note = format!("{url}\n{}", version.unwrap_or_default());
    file::write_atomic(&part.note, note.as_bytes()).map_err(Ended::Here)?;
    let (mut from, mut written, mut block) = (response.into_body().into_reader(), start, vec![0; BLOCK]);
    loop {
        if progress(written, whole).is_break() {
            to.sync().map_err(Ended::Here)?;
            return Err(Ended::Stopped);
        }
        match from.read(&mut block) {
            Ok(0) => break,
            Ok(count) => {
                written += count as u64;
                if whole.is_some_and(|whole| written > whole) {
                    part.remove();
                    return Err(failed(format!("it sends more than the {} bytes that it should", whole.unwrap_or(0))));
                }
                sum.update(&block[..count]);
                to.append(&block[..count]).map_err(Ended::Here)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(format!("it broke off after {written} bytes: {error}"))),
        }
    }
    to.sync().map_err(Ended::Here)?;
    match whole.filter(|whole| written < *whole) {
        Some(whole) => Err(failed(format!("it broke off after {written} of {whole} bytes"))),
        None => Ok(sum.digits()),
    }
}
