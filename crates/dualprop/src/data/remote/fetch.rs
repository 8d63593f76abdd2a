//! All files of a data set, from the first mirror of each that has them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ureq::Agent;

use crate::base::{Error, Result, file};

use super::download::{Ended, Part, Patience, agent, download};
use super::unpack::unpack;
use super::verify::Condition;
use super::{Remote, RemoteFile};

/// How to fetch.
#[derive(Debug, Clone, Default)]
pub struct FetchOptions {
    /// Addresses up to the file's name that are tried before the known ones.
    pub mirrors: Vec<String>,
    /// Whether the known addresses are not tried at all.
    pub only_mirrors: bool,
    /// The SHA-256 to accept for a file whose own was never published.
    pub accept: Option<String>,
    /// How long to wait for a server.
    pub patience: Patience,
}

/// What happens while a data set is fetched.
#[derive(Debug)]
pub enum FetchEvent<'a> {
    /// This file is here already, and right.
    Present(&'a Path),
    /// A download begins, or goes on.
    Started {
        /// The address.
        url: &'a str,
    },
    /// So many bytes are here, of so many where that is known.
    Progress {
        /// Bytes that are here.
        have: u64,
        /// Bytes of the whole file.
        all: Option<u64>,
    },
    /// An address did not do; the next one is tried.
    Failed {
        /// The address.
        url: &'a str,
        /// Why.
        problem: &'a str,
    },
    /// A file is here, whole and right.
    Done(&'a Path),
}

/// Who hears what happens; `Break` ends the call after the present piece, and the next call goes on from there.
pub type FetchListener<'a> = dyn FnMut(FetchEvent) -> ControlFlow<()> + 'a;

/// How a fetch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// Every file is here and right.
    All,
    /// The listener ended it; what was downloaded is kept for the next call.
    Stopped,
}

/// Attempts at one address: a connection that breaks off is taken up once.
const ATTEMPTS: usize = 2;

/// Fetches every file that is not here, or is wrong, into the folder of the data set below `data`. A file has its name only
/// once its sum is the published one.
///
/// # Errors
/// [`Error::Fetch`] if a file can be had from no mirror, with the reason of each, or if the data set must be fetched by hand;
/// [`Error::Write`].
pub fn fetch(remote: &Remote, data: &Path, options: &FetchOptions, listen: &mut FetchListener) -> Result<Fetched> {
    if let Some(how) = remote.by_hand {
        return Err(Error::Fetch { what: remote.name.into(), problem: format!("it cannot be fetched without you: {how}") });
    }
    let folder = data.join(remote.folders.first().unwrap_or(&remote.name));
    file::create_folder(&folder)?;
    let agent = agent(options.patience);
    for file in remote.files {
        let findings = file.examine(&folder)?;
        if findings.iter().all(|finding| finding.condition == Condition::Right) {
            // What an earlier call could not remove after it had given the file its name.
            Part::of(&folder.join(file.name)).remove();
            for finding in &findings {
                // Nothing is under way that could be stopped.
                let _ = listen(FetchEvent::Present(&finding.path));
            }
            continue;
        }
        let fetch = Fetch { agent: &agent, file, folder: &folder, options };
        if fetch.try_all(listen)? == Fetched::Stopped {
            return Ok(Fetched::Stopped);
        }
    }
    Ok(Fetched::All)
}

/// One file that is to be fetched.
struct Fetch<'a> {
    agent: &'a Agent,
    file: &'a RemoteFile,
    folder: &'a Path,
    options: &'a FetchOptions,
}

impl Fetch<'_> {
    /// Tries every address until one has it.
    fn try_all(&self, listen: &mut FetchListener) -> Result<Fetched> {
        let target = self.folder.join(self.file.name);
        let part = Part::of(&target);
        let mut problems = vec![];
        for url in self.urls() {
            for attempt in 1..=ATTEMPTS {
                if listen(FetchEvent::Started { url: &url }).is_break() {
                    return Ok(Fetched::Stopped);
                }
                let mut progress = |have, all| listen(FetchEvent::Progress { have, all });
                let problem = match download(self.agent, &url, &part, self.file.bytes, &mut progress) {
                    Ok(sum) => match self.check(&sum) {
                        Ok(()) => return self.keep(&part, &sum, &target, listen),
                        Err(problem) => {
                            part.remove();
                            problem
                        }
                    },
                    Err(Ended::Stopped) => return Ok(Fetched::Stopped),
                    Err(Ended::Here(error)) => return Err(error),
                    Err(Ended::Failed(problem)) => problem,
                };
                if listen(FetchEvent::Failed { url: &url, problem: &problem }).is_break() {
                    return Ok(Fetched::Stopped);
                }
                // Only what broke off can be taken up.
                let again = attempt < ATTEMPTS && part.path().is_file();
                problems.push(format!("{url}: {problem}"));
                if !again {
                    break;
                }
            }
        }
        Err(Error::Fetch { what: self.file.name.into(), problem: problems.join("; ") })
    }

    /// Every address, the user's own first.
    fn urls(&self) -> Vec<String> {
        let own = self.options.mirrors.iter().map(|prefix| match prefix.ends_with('/') {
            true => prefix.clone(),
            false => format!("{prefix}/"),
        });
        let known = self.file.mirrors.iter().filter(|_| !self.options.only_mirrors).map(|mirror| mirror.prefix.to_string());
        own.chain(known).map(|prefix| format!("{prefix}{}", self.file.name)).collect()
    }

    /// That a file with this sum may be trusted.
    fn check(&self, sum: &str) -> std::result::Result<(), String> {
        match (self.file.sha256, &self.options.accept) {
            (Some(expected), _) if expected == sum => Ok(()),
            (Some(expected), _) => Err(format!("its SHA-256 is {sum}, expected {expected}")),
            (None, Some(accepted)) if accepted == sum => Ok(()),
            (None, _) => Err(format!("its SHA-256 is {sum}, and none was published; to trust it, give --accept-sum {sum}")),
        }
    }

    /// Gives the whole file its name, or unpacks it.
    fn keep(&self, part: &Part, sum: &str, target: &Path, listen: &mut FetchListener) -> Result<Fetched> {
        let kept: Vec<PathBuf> = match self.file.unpack {
            None => {
                file::rename(part.path(), target)?;
                vec![target.into()]
            }
            Some(wanted) => {
                unpack(part.path(), sum, wanted, self.folder)?;
                part.remove();
                wanted.paths(self.folder).map(|(path, _)| path).collect()
            }
        };
        part.done();
        let stopped = kept.iter().map(|path| listen(FetchEvent::Done(path))).any(|flow| flow.is_break());
        Ok(if stopped { Fetched::Stopped } else { Fetched::All })
    }
}
