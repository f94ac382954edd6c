//! This module writes `latency.hlog`: every interval's histograms, tagged by stage.
//!
//! **In:** interval histograms in order of their start. **Out:** an `HdrHistogram` interval log, V2,
//! compressed, as the tools around `HdrHistogram` read it: timestamps in seconds since the load
//! started (`BaseTime`), values in microseconds, the printed maximum in milliseconds.
//!
//! **Source:** `HistogramLogWriter` of the Java `HdrHistogram`.

use std::io::Write;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::renderer::RenderError;
use crate::record::histogram::{HIGHEST_US, SparseHistogram};
use crate::stage::Stage;

const DIGITS: u8 = 3;
/// Microseconds to milliseconds, for the maximum that is printed beside each histogram.
const US_PER_MS: f64 = 1e3;

/// Latencies of one stage that began in one interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval<'a> {
    /// From load start.
    pub start_us: u64,
    pub length_us: u64,
    pub stage: Stage,
    pub histogram: &'a SparseHistogram,
}

/// Writes the log; empty histograms are left out. `wall_start` is the load's start since 1970.
///
/// # Errors
///
/// [`RenderError::Histogram`] with the reason, when `out` cannot be written.
pub(crate) fn write<'a>(
    intervals: impl Iterator<Item = Interval<'a>>,
    wall_start: Duration,
    out: &mut impl Write,
) -> Result<(), RenderError> {
    let failed = |problem: &dyn std::fmt::Display| RenderError::Histogram(problem.to_string());
    let start = SystemTime::UNIX_EPOCH + wall_start;
    let mut full =
        Histogram::<u64>::new_with_bounds(1, HIGHEST_US, DIGITS).map_err(|error| failed(&error))?;
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("response time by stage, microseconds, by the intended start")
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(US_PER_MS)
        .begin_log_with(out, &mut serializer)
        .map_err(|error| failed(&error))?;
    for interval in intervals {
        if interval.histogram.is_empty() {
            continue;
        }
        full.reset();
        for (low_us, count) in interval.histogram.buckets() {
            full.record_n(low_us, count)
                .map_err(|error| failed(&error))?;
        }
        log.write_histogram(
            &full,
            Duration::from_micros(interval.start_us),
            Duration::from_micros(interval.length_us),
            Tag::new(interval.stage.name()),
        )
        .map_err(|error| RenderError::Histogram(format!("{error:?}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    fn histogram(values: &[u64]) -> SparseHistogram {
        let mut histogram = SparseHistogram::default();
        for &us in values {
            histogram.record(us);
        }
        histogram
    }

    #[test]
    fn a_log_is_read_back_by_hdrhistogram_bucket_for_bucket() {
        let (first, second) = (
            histogram(&[1, 46_300, 46_300, 600_000_000]),
            histogram(&[7]),
        );
        let empty = SparseHistogram::default();
        let one = |start_us, stage, histogram| Interval {
            start_us,
            length_us: 250_000,
            stage,
            histogram,
        };
        let intervals = [
            one(0, Stage::Complete, &first),
            one(250_000, Stage::Token, &empty),
            one(500_000, Stage::Token, &second),
        ];
        let mut bytes = Vec::new();
        let wall_start = Duration::from_secs(1_790_000_000);
        write(intervals.into_iter(), wall_start, &mut bytes).unwrap();
        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(&bytes) {
            match entry.unwrap() {
                LogEntry::Interval(line) => {
                    let raw = STANDARD.decode(line.encoded_histogram()).unwrap();
                    let read: Histogram<u64> = Deserializer::new()
                        .deserialize(&mut raw.as_slice())
                        .unwrap();
                    let tag = line.tag().unwrap().as_str().to_owned();
                    found.push((
                        tag,
                        line.start_timestamp(),
                        read.len(),
                        read.count_at(46_300),
                    ));
                }
                LogEntry::BaseTime(base) | LogEntry::StartTime(base) => {
                    assert_eq!(base, wall_start);
                }
            }
        }
        let expected = [
            ("complete".to_owned(), Duration::ZERO, 4, 2),
            ("token".to_owned(), Duration::from_millis(500), 1, 0),
        ];
        assert_eq!(found, expected);
    }
}
