//! A run in parts: of several processes, or in turn.

use std::path::Path;

use darkchunk_stream::slabs::mpi::{self, Mpi};
use darkchunk_stream::slabs::{self, Part, Rank};

use super::{Planned, RunArguments};
use crate::output::{count, wrapped};
use crate::{Found, Outcome};

/// Parts that each process has on average where MPI hands them out: so few that files are not many, so many that none waits long for
/// the others.
const PARTS_A_RANK: u64 = 8;

impl Planned<'_> {
    /// The part of this process, all parts in turn, or those that MPI gives.
    pub(super) fn run_parts(&self, to: &Path, run: &RunArguments) -> Outcome {
        let Some(mpi) = self.mpi()? else {
            let ranks: Vec<Rank> = match run.parts {
                Some(n_ranks) => (0..n_ranks).map(|rank| Rank { rank, n_ranks }).collect(),
                None => vec![self.rank.0],
            };
            let mut found = Found::Nothing;
            for rank in &ranks {
                found = found.max(self.run_part(to, run, *rank, None)?);
                if let Found::Stopped(_) = found {
                    return Ok(found);
                }
            }
            self.join(to, ranks[0])?;
            return Ok(found);
        };
        let n_parts = PARTS_A_RANK.saturating_mul(mpi.rank().n_ranks).min(self.plan.max_parts());
        let n_ranks = run.parts.unwrap_or(n_parts);
        let mut found = Ok(Found::Nothing);
        while let (Ok(so_far), Some(rank)) = (&found, mpi.next(n_ranks)) {
            let rank = Rank { rank, n_ranks };
            found = self.run_part(to, run, rank, Some(&mpi)).map(|found| found.max(*so_far));
            if let Ok(Found::Stopped(_)) = found {
                mpi.stop();
            }
        }
        self.all_together(to, &mpi, Rank { rank: 0, n_ranks }, found)
    }

    /// What the processes have found together. One of them makes the master.
    fn all_together(&self, to: &Path, mpi: &Mpi, rank: Rank, found: Outcome) -> Outcome {
        if found.is_err() {
            mpi.stop();
        }
        let failed = Found::NotAll.code();
        let worst = mpi.worst(found.as_ref().map_or(failed, |found| found.code()));
        let is_maker = worst < failed && mpi.rank().rank == 0;
        let made = if is_maker { self.join(to, rank) } else { Ok(()) };
        let is_made = mpi.worst(made.as_ref().map_or(failed, |_| 0)) == 0;
        if let Found::Stopped(code) = found? {
            return Ok(Found::Stopped(code));
        }
        made?;
        match worst {
            0 if is_made => Ok(Found::Nothing),
            1 if is_made => Ok(Found::Something),
            _ => Err("another process has failed, and says why: there is no master".to_owned()),
        }
    }

    /// MPI, where a launcher of MPI has started this and there is a library for it.
    fn mpi(&self) -> Result<Option<Mpi>, String> {
        let (rank, by) = self.rank;
        let variable = std::env::var_os("DARKCHUNK_MPI");
        let is_asked = rank != Rank::ALONE && (Rank::is_of_mpi(by) || (variable.is_some() && by == "SLURM_PROCID"));
        let library = if is_asked { mpi::find(variable) } else { None };
        library.map(|library| Mpi::begin(&library, rank).map_err(|error| error.to_string())).transpose()
    }

    fn run_part(&self, to: &Path, run: &RunArguments, rank: Rank, mpi: Option<&Mpi>) -> Outcome {
        let plan = self.plan.clone().with_rank(rank);
        let (mut part, provenance) = (None, self.provenance());
        let found = self.reported(&plan, |seen| {
            let seen = |n: u64| {
                seen(n);
                mpi.inspect(|mpi| mpi.serve());
            };
            let (parts, how) = ((self.inputs, &plan), (&provenance, run.resume));
            let done = slabs::write_part(self.hdf5, to, parts, self.process, run.keep_going, how, &seen)?;
            let summary = done.summary.clone().unwrap_or_default();
            part = Some(done);
            Ok(summary)
        })?;
        // Without one a signal has stopped it.
        let Some(part) = part else { return Ok(found) };
        self.say(&part_text(&part))?;
        Ok(if part.n_failed > 0 { Found::Something } else { Found::Nothing })
    }

    /// Makes the master, unless parts are missing.
    fn join(&self, to: &Path, rank: Rank) -> Result<(), String> {
        let plan = self.plan.clone().with_rank(rank);
        let missing = slabs::join_parts(self.hdf5, to, &plan, &self.provenance()).map_err(|error| error.to_string())?;
        self.say(&master_text(to, rank, missing.len() as u64))
    }
}

fn part_text(part: &Part) -> String {
    let was_there = match (&part.summary, part.n_failed) {
        (Some(_), _) => String::new(),
        (None, 0) => " was there".to_owned(),
        (None, n) => format!(" was there, with {} that failed", count(n, "slice")),
    };
    wrapped(2, &format!("{}{was_there}", part.path.display()))
}

fn master_text(to: &Path, rank: Rank, n_missing: u64) -> String {
    let to = to.display();
    wrapped(
        2,
        &match n_missing {
            0 => format!("{to} shows all {}", count(rank.n_ranks, "part")),
            1 => format!("{to} is made when the other part is there"),
            n => format!("{to} is made when {} are there", count(n, "other part")),
        },
    )
}
