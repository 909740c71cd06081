//! Processes that share the slices of a run, without anything between them: each takes its part, by its rank.

use std::ops::Range;

use crate::{Error, Result};

/// One of several processes that do a run together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// Its number, from 0 on.
    pub rank: u64,
    /// How many there are.
    pub n_ranks: u64,
}

/// A variable with the rank, and where the number of ranks is.
struct Known {
    rank: &'static str,
    n_ranks: N,
}

enum N {
    /// In a variable.
    Variable(&'static str),
    /// By the first number, the last and the step of an array of jobs; the rank is one of these numbers.
    Array([&'static str; 3]),
}

/// Each with the launcher that sets it. Slurm sets the rank in a batch script, too, where nothing is started for the others: so the
/// number of tasks of a step counts, which `srun` sets.
const KNOWN: [Known; 6] = [
    Known { rank: "OMPI_COMM_WORLD_RANK", n_ranks: N::Variable("OMPI_COMM_WORLD_SIZE") },
    Known { rank: "PMI_RANK", n_ranks: N::Variable("PMI_SIZE") },
    Known { rank: "PMIX_RANK", n_ranks: N::Variable("PMIX_SIZE") },
    Known { rank: "SLURM_PROCID", n_ranks: N::Variable("SLURM_STEP_NUM_TASKS") },
    Known {
        rank: "SLURM_ARRAY_TASK_ID",
        n_ranks: N::Array(["SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP"]),
    },
    Known { rank: "SGE_TASK_ID", n_ranks: N::Array(["SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE"]) },
];

impl Rank {
    /// A process that is alone.
    pub const ALONE: Self = Self { rank: 0, n_ranks: 1 };

    /// `rank/n`, such as `0/4`.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn parse(text: &str) -> Result<Self> {
        let (rank, n_ranks) = text.split_once('/').unwrap_or_default();
        match (rank.parse(), n_ranks.parse()) {
            (Ok(rank), Ok(n_ranks)) if rank < n_ranks => Ok(Self { rank, n_ranks }),
            _ => Err(Error::Argument(format!("{text:?} is no rank: of four they are 0/4, 1/4, 2/4 and 3/4"))),
        }
    }

    /// What the launcher of this process says (MPICH and Slurm's PMI, PMIx, Open MPI, `srun`, arrays of jobs of Slurm and Grid Engine), with
    /// the name of the variable. `variable` gives a variable's value. A launcher of one process is none; an array of PBS does not say
    /// how many jobs it has.
    #[must_use]
    pub fn of_launcher(variable: impl Fn(&str) -> Option<String>) -> Option<(Self, &'static str)> {
        let number = |name: &str| variable(name)?.trim().parse::<u64>().ok();
        KNOWN.iter().find_map(|known| {
            let at = number(known.rank)?;
            let (rank, n_ranks) = match known.n_ranks {
                N::Variable(name) => (at, number(name)?),
                N::Array([first, last, step]) => {
                    let (first, last) = (number(first)?, number(last)?);
                    let step = number(step).unwrap_or(1).max(1);
                    (at.checked_sub(first)? / step, last.checked_sub(first)? / step + 1)
                }
            };
            (rank < n_ranks && n_ranks > 1).then_some((Self { rank, n_ranks }, known.rank))
        })
    }

    /// Whether the variable by which a rank is known is set by launchers of MPI programs alone.
    #[must_use]
    pub fn is_of_mpi(variable: &str) -> bool {
        ["OMPI_", "PMI_", "PMIX_"].iter().any(|start| variable.starts_with(start))
    }

    /// Its part of so many things in a row: as many as each of the others, or one more.
    pub(super) fn part(self, n: u64) -> Range<u64> {
        let at = |rank: u64| (u128::from(n) * u128::from(rank) / u128::from(self.n_ranks.max(1))) as u64;
        at(self.rank)..at(self.rank + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn ranks_have_each_thing_once() {
        for n in [0, 1, 5, 12, 1000] {
            for n_ranks in [1, 2, 3, 7, 20] {
                let parts: Vec<_> = (0..n_ranks).map(|rank| Rank { rank, n_ranks }.part(n)).collect();
                assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, n));
                assert!(parts.windows(2).all(|two| two[0].end == two[1].start));
                assert!(parts.iter().all(|part| part.end - part.start <= n / n_ranks + 1));
            }
        }
    }

    #[test]
    fn launchers_are_known_by_their_variables() {
        let found = |pairs: &[(&str, &str)]| {
            let variables: HashMap<_, _> = pairs.iter().copied().collect();
            Rank::of_launcher(|name| variables.get(name).map(|&value| value.to_owned()))
        };
        let is = |rank, n_ranks, by| Some((Rank { rank, n_ranks }, by));
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[("PMI_RANK", "2"), ("PMI_SIZE", "4")]), is(2, 4, "PMI_RANK"));
        assert_eq!(
            found(&[("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "3"), ("PMIX_RANK", "1")]),
            is(1, 3, "OMPI_COMM_WORLD_RANK")
        );
        assert_eq!(found(&[("SLURM_PROCID", "5"), ("SLURM_STEP_NUM_TASKS", "8")]), is(5, 8, "SLURM_PROCID"));
        // A batch script, and a launcher of one process.
        assert_eq!(found(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "8")]), None);
        assert_eq!(found(&[("PMI_RANK", "0"), ("PMI_SIZE", "1")]), None);
        let slurm = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_MAX", "9")];
        let step = [("SLURM_ARRAY_TASK_STEP", "2")];
        assert_eq!(found(&slurm), is(6, 9, "SLURM_ARRAY_TASK_ID"));
        assert_eq!(found(&[&slurm[..], &step].concat()), is(3, 5, "SLURM_ARRAY_TASK_ID"));
        let sge = [("SGE_TASK_ID", "4"), ("SGE_TASK_FIRST", "1"), ("SGE_TASK_LAST", "4"), ("SGE_TASK_STEPSIZE", "1")];
        assert_eq!(found(&sge), is(3, 4, "SGE_TASK_ID"));
        assert_eq!(found(&[("SGE_TASK_ID", "undefined"), ("SGE_TASK_FIRST", "undefined")]), None);
    }

    #[test]
    fn a_rank_is_one_of_so_many() {
        assert_eq!(Rank::parse("3/4").expect("a rank"), Rank { rank: 3, n_ranks: 4 });
        for text in ["", "3", "4/4", "-1/4", "a/b", "1/0"] {
            assert!(Rank::parse(text).expect_err(text).to_string().contains("no rank"), "{text}");
        }
    }
}
