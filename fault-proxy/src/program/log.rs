//! The log: one JSON object a line on stdout, with the fields of Toxiproxy's.
//!
//! **In:** what the library and the program tell, and `LOG_LEVEL` in the environment. **Out:**
//! `{"level":"info","name":"redis",…,"time":"2026-01-02T03:04:05.678Z","message":"Started proxy"}`.
//!
//! There is no `caller`. Without `LOG_LEVEL` it is `info` (there: everything); what other crates tell is left out.

use serde_json::Value;
use std::{env, fmt, io, time::SystemTime};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    filter::Targets,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

const VARIABLE: &str = "LOG_LEVEL";
/// Targets of the library and of this program begin so.
const OURS: &str = "fault_proxy";

/// Starts the log; a level that is none is said in it, as Toxiproxy does.
pub(super) fn start() -> Result<(), TryInitError> {
    let wanted = env::var(VARIABLE).unwrap_or_default();
    let level = match wanted.as_str() {
        "" => Some(LevelFilter::INFO),
        text => level(text),
    };
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Line)
        .log_internal_errors(false)
        .with_writer(io::stdout);
    tracing_subscriber::registry()
        .with(lines)
        .with(Targets::new().with_target(OURS, level.unwrap_or(LevelFilter::INFO)))
        .try_init()?;
    if level.is_none() {
        tracing::error!(
            value = wanted,
            "unknown {VARIABLE}: it is info instead; write trace, debug, info, warn, error or disabled"
        );
    }
    Ok(())
}

/// The levels of Toxiproxy's log; nothing here is `fatal` or a `panic`, so these are silent.
fn level(name: &str) -> Option<LevelFilter> {
    Some(match name.to_ascii_lowercase().as_str() {
        "trace" => LevelFilter::TRACE,
        "debug" => LevelFilter::DEBUG,
        "info" => LevelFilter::INFO,
        "warn" => LevelFilter::WARN,
        "error" => LevelFilter::ERROR,
        "fatal" | "panic" | "disabled" => LevelFilter::OFF,
        _ => return None,
    })
}

/// How an event becomes a line.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = name(*event.metadata().level());
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        write!(writer, "{{\"level\":\"{level}\"")?;
        for (name, value) in fields.others {
            write!(writer, ",\"{name}\":{value}")?;
        }
        let message = Value::String(fields.message);
        writeln!(writer, ",\"time\":\"{time}\",\"message\":{message}}}")
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

/// The fields of one event, in their order.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            other => self.others.push((other, value.into())),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((field.name(), value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::{LevelFilter, level};

    #[test]
    fn the_levels_are_those_of_zerolog() {
        assert_eq!(level("Debug"), Some(LevelFilter::DEBUG));
        assert_eq!(level("disabled"), Some(LevelFilter::OFF));
        assert_eq!(level("fatal"), Some(LevelFilter::OFF));
        assert_eq!(level("loud"), None);
    }
}
