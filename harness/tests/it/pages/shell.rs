//! Blocks of a shell in pages: as many commands as they have, word by word. No more of a shell than pages use.

/// The commands of a block, without comments and without where their output goes.
pub(super) fn commands(block: &str) -> Vec<Vec<String>> {
    let joined = block.replace("\\\n", " ");
    joined.lines().flat_map(line).collect()
}

/// The program that a command names, behind its variables, and its words.
pub(super) fn named(command: &[String]) -> Option<(&str, &[String])> {
    let is_variable = |word: &&String| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || letter == '_')
    };
    let variables = command.iter().take_while(is_variable).count();
    let (program, words) = command[variables..].split_first()?;
    Some((program, words))
}

/// The commands of one line.
fn line(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    let mut is_place = false;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | '|' | ';' | '&' | '>' | '<') => {
                if let Some(done) = word.take()
                    && !std::mem::take(&mut is_place)
                {
                    words.push(done);
                }
                match letter {
                    '>' | '<' => is_place = true,
                    '|' | ';' | '&' => commands.push(std::mem::take(&mut words)),
                    _ => {}
                }
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if !is_place {
        words.extend(word);
    }
    commands.push(words);
    commands.retain(|command| !command.is_empty());
    commands
}

#[test]
fn a_block_is_cut_into_commands_and_words() {
    let block = "A=1 harness run \\\n  'a b' --set 'x=${env:Y}'   # why\nharness man > out && harness list | less\n# no\n";
    let words: Vec<String> = commands(block)
        .iter()
        .map(|words| words.join("/"))
        .collect();
    let cut = [
        "A=1/harness/run/a b/--set/x=${env:Y}",
        "harness/man",
        "harness/list",
        "less",
    ];
    assert_eq!(words, cut);
    let command = ["A=1".to_owned(), "harness".to_owned(), "list".to_owned()];
    assert_eq!(named(&command), Some(("harness", &command[2..])));
    assert_eq!(named(&[]), None);
}
