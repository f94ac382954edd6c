//! This module makes of the folder of a run in a few parts that of one in many.
//!
//! The words of the parts are copied as they are. The list of parts in `begun` is `MessagePack` with names: it is read, made
//! longer and written, and nothing else in it is changed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;

/// Lays down parts again until there are `many`; the bytes of the last words of all.
pub(crate) fn multiplied(shared: &Path, (few, many): (u16, u16)) -> Outcome<u64> {
    let words = |number: u16| shared.join(format!("{number:04}/from"));
    for number in few + 1..=many {
        // Those of the run's own part are its own.
        let like = 2 + (number - few - 1) % (few - 1);
        fs::create_dir_all(words(number))?;
        for word in fs::read_dir(words(like))? {
            let word = word?;
            fs::copy(word.path(), words(number).join(word.file_name()))?;
        }
    }
    let path = shared.join("0001/begun");
    let mut begun: Value = rmp_serde::from_slice(&fs::read(&path)?)?;
    let members = begun["roster"]["members"]
        .as_array_mut()
        .ok_or("no parts")?;
    for number in few + 1..=many {
        let mut member = members[usize::from(1 + (number - few - 1) % (few - 1))].clone();
        member["number"] = json!(number);
        members.push(member);
    }
    fs::write(&path, rmp_serde::to_vec_named(&begun)?)?;
    let mut bytes = 0;
    for number in 1..=many {
        let mut sizes = Vec::new();
        for word in fs::read_dir(words(number))? {
            let word = word?;
            sizes.push((word.file_name(), word.metadata()?.len()));
        }
        bytes += sizes.into_iter().max().map_or(0, |(_, length)| length);
    }
    Ok(bytes)
}
