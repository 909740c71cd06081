//! What a recorder says of its work.

/// Counts and sizes at one moment. Every frame that was pushed is in exactly one of `n_stored`, `n_vetoed`, `n_refused`, `n_held`,
/// `n_lost`, `n_dropped`, `n_late`, `n_duplicate` and `n_out_of_range`; `n_received` is their sum.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Frames that were pushed. One that [`push`](super::Recorder::push) refused with an error is not counted.
    pub n_received: u64,
    /// Frames that are in the file.
    pub n_stored: u64,
    /// Frames that the veto kept out.
    pub n_vetoed: u64,
    /// Frames that cannot be encoded.
    pub n_refused: u64,
    /// Frames that were taken and are not in the file yet.
    pub n_held: u64,
    /// Frames that were taken, and that the disk did not take before the recording was [abandoned](super::Recorder::abandon).
    pub n_lost: u64,
    /// Frames for which there was no memory.
    pub n_dropped: u64,
    /// Frames that came after their chunk was closed, or a million frames after those that they belong to.
    pub n_late: u64,
    /// Frames with a number that had come already.
    pub n_duplicate: u64,
    /// Frames with a number before the first, or too far after the newest.
    pub n_out_of_range: u64,
    /// Numbers up to the newest that have not come.
    pub n_missing: u64,
    /// Frames that a killed process cannot lose any more.
    pub n_flushed: u64,
    /// Chunks that wait for a worker or are with one.
    pub n_queued: usize,
    /// Bytes of the frames that were pushed.
    pub bytes_received: u64,
    /// Bytes of the pixels of the frames that are in the file, as a program reads them.
    pub bytes_decoded: u64,
    /// Bytes of the chunks that were written.
    pub bytes_stored: u64,
    /// Bytes of memory that frames and encoded chunks take now.
    pub bytes_held: usize,
    /// How long the oldest frame has been held.
    pub seconds_behind: f64,
    /// From the first frame that was pushed to the last.
    pub seconds: f64,
    /// GB, 10⁹ bytes, of frames that were pushed a second, of the last one or two seconds before now, or before the end. Of all it is
    /// `bytes_received` divided by `seconds`.
    pub gb_per_s: f64,
}

impl Statistics {
    /// The ratio of all that was pushed to what is stored, which vetoed and dropped frames make greater. `None` before the first chunk.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.bytes_stored > 0).then(|| self.bytes_received as f64 / self.bytes_stored as f64)
    }

    /// The codec's ratio: of the frames that are stored alone. `None` before the first chunk.
    #[must_use]
    pub fn codec_ratio(&self) -> Option<f64> {
        (self.bytes_stored > 0).then(|| self.bytes_decoded as f64 / self.bytes_stored as f64)
    }

    /// Adds what another recorder of the same measurement has done, but for how fast.
    pub(super) fn add(&mut self, other: &Self) {
        self.n_received += other.n_received;
        self.n_stored += other.n_stored;
        self.n_vetoed += other.n_vetoed;
        self.n_refused += other.n_refused;
        self.n_held += other.n_held;
        self.n_lost += other.n_lost;
        self.n_dropped += other.n_dropped;
        self.n_late += other.n_late;
        self.n_duplicate += other.n_duplicate;
        self.n_out_of_range += other.n_out_of_range;
        self.n_missing += other.n_missing;
        self.n_flushed += other.n_flushed;
        self.n_queued += other.n_queued;
        self.bytes_received += other.bytes_received;
        self.bytes_decoded += other.bytes_decoded;
        self.bytes_stored += other.bytes_stored;
        self.bytes_held += other.bytes_held;
        self.seconds_behind = self.seconds_behind.max(other.seconds_behind);
    }
}
