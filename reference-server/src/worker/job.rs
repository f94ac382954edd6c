//! A task as it is read from the queue.

use std::sync::Arc;

use crate::route;
use crate::store::StreamId;

/// A task from the queue.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entry: StreamId,
    pub(super) task: u64,
    pub(super) conversation: Arc<str>,
    pub(super) text: String,
    /// Who asked, and the id the message had, if it had one.
    pub(super) asker: Option<(u64, String)>,
}

/// A queue entry as Redis returns it: its id, then fields and values in turn; none where the entry
/// was deleted. Anybody who may write to Redis may have put it there: it can hold anything.
pub(super) type Entry = (String, Option<Vec<Vec<u8>>>);

impl Job {
    /// `None` where it is no task.
    pub(super) fn read((id, fields): &Entry) -> Option<Self> {
        let fields = fields.as_ref()?;
        let value = |name: &str| {
            let at = fields.chunks(2).find(|pair| pair[0] == name.as_bytes())?;
            str::from_utf8(at.get(1)?).ok()
        };
        Some(Self {
            entry: id.parse().ok()?,
            task: u64::from_str_radix(value("t")?, 16).ok()?,
            conversation: route::checked(value("c")?)?.into(),
            text: value("m")?.to_owned(),
            asker: value("u").zip(value("i")).and_then(asker),
        })
    }
}

fn asker((user, id): (&str, &str)) -> Option<(u64, String)> {
    Some((user.parse().ok()?, id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: &str, fields: &[(&str, &[u8])]) -> Option<Job> {
        let fields = fields
            .iter()
            .flat_map(|(name, value)| [name.as_bytes().to_vec(), value.to_vec()]);
        Job::read(&(id.to_owned(), Some(fields.collect())))
    }

    #[test]
    fn what_is_no_task_is_known_as_such() {
        let whole: [(&str, &[u8]); 3] = [("t", b"a7"), ("c", b"conv-1"), ("m", b"hello")];
        assert_eq!(read("5-0", &whole).unwrap().task, 0xa7);
        assert!(Job::read(&("5-0".to_owned(), None)).is_none());
        for (name, value) in [
            ("t", &b"no number"[..]),
            ("t", b"\xff"),
            ("c", b"a b"),
            ("c", b""),
            ("m", b"\xff\xfe"),
        ] {
            let other = whole.map(|(known, is)| (known, if known == name { value } else { is }));
            assert!(read("5-0", &other).is_none(), "{name} {value:?}");
        }
        assert!((0..3).all(|without| {
            let mut fields = whole.to_vec();
            fields.remove(without);
            read("5-0", &fields).is_none()
        }));
    }
}
