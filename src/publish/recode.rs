//! Better codings, later: an edition that stays and is asked for is coded again with more effort, on a thread that
//! runs when nothing else wants to.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

use crate::{
    edition::Edition,
    publish::{Kept, Publisher},
};

/// An edition has lived when it has stayed for so many rounds: about a minute, as a round lasts a second or somewhat less.
const LIVED: u64 = 60;
/// Asked for less often than this since it was made, it does not pay.
const LEAST_USES: u64 = 20;
/// Larger documents take minutes, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// What is being coded again, one edition at a time.
#[derive(Default)]
pub struct Recoding(Option<(Arc<Kept>, JoinHandle<Edition>)>);

impl Recoding {
    /// Whether nothing is being coded.
    pub fn is_idle(&self) -> bool {
        self.0.is_none()
    }
}

impl Publisher {
    /// Puts an edition that has been coded again in the place of the old one, or begins with the next.
    pub fn recode(&self, recoding: &mut Recoding) {
        match recoding.0.take() {
            None => recoding.0 = self.worth_recoding().and_then(begin),
            Some((old, coder)) if coder.is_finished() => match coder.join() {
                Ok(edition) if self.is_kept(&old) => {
                    let uses = old.uses.load(Ordering::Relaxed).into();
                    let (document, marks) = (old.document.clone(), old.marks.clone());
                    let edition = Arc::new(edition);
                    let Kept { head, idle, made, .. } = *old;
                    let is_recoded = true;
                    self.keep(Arc::new(Kept {
                        document,
                        marks,
                        edition,
                        head,
                        uses,
                        idle,
                        made,
                        is_recoded,
                    }));
                }
                Ok(_) => {}
                Err(_) => tracing::error!("coding `{}` again failed", old.document.path()),
            },
            working => recoding.0 = working,
        }
    }

    fn worth_recoding(&self) -> Option<Arc<Kept>> {
        let round = self.rounds.load(Ordering::Relaxed);
        let uses = |kept: &Arc<Kept>| kept.uses.load(Ordering::Relaxed);
        let is_worth_it = |kept: &Arc<Kept>| {
            !kept.is_recoded
                && kept.made + LIVED <= round
                && uses(kept) >= LEAST_USES
                && kept.edition.weight() <= MAX_BYTES
        };
        self.cache.iter().map(|(_, kept)| kept).filter(is_worth_it).max_by_key(uses)
    }

    fn is_kept(&self, kept: &Arc<Kept>) -> bool {
        self.cache.peek(&kept.document.path()).is_some_and(|now| Arc::ptr_eq(&now, kept))
    }
}

/// `None` where the system has no thread left; there is a next round.
fn begin(kept: Arc<Kept>) -> Option<(Arc<Kept>, JoinHandle<Edition>)> {
    let edition = Arc::clone(&kept.edition);
    let work = move || {
        // Of this thread alone, on Linux; elsewhere it runs like any other.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(None, 19) {
            tracing::debug!(%error, "cannot give way to other threads");
        }
        edition.recoded()
    };
    let coder = thread::Builder::new().name("recode".to_owned()).spawn(work);
    coder.ok().map(|coder| (kept, coder))
}
