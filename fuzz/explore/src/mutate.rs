//! Makes inputs out of inputs: bytes, numbers, words and whole pieces changed, doubled, moved and left out.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

/// Changes of one input, at most.
const CHANGES_MAX: usize = 6;
/// A piece that is repeated is repeated at most so often.
const REPEATS_MAX: usize = 64;
/// Shorter runs of letters and digits are no words.
const WORD_BYTES_MIN: usize = 3;

/// Where arithmetic goes wrong.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "2",
    "127",
    "255",
    "65536",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "18446744073709551615",
    "1e308",
    "0.1",
];
/// What means something to parsers, or cannot mean anything.
const BYTES: [u8; 16] = [
    0, 0x7f, 0x80, 0xff, 0xfe, b'\n', b'\r', b' ', b'"', b'\\', b'{', b'[', b'%', b':', b',', b'=',
];

pub(crate) struct Mutator {
    random: Xoshiro256PlusPlus,
    corpus: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    bytes_max: usize,
}

impl Mutator {
    pub(crate) fn new(seed: u64, corpus: &[Vec<u8>], bytes_max: usize) -> Self {
        let runs = corpus
            .iter()
            .flat_map(|input| input.split(|byte| !byte.is_ascii_alphanumeric()));
        let mut words: Vec<Vec<u8>> = runs
            .filter(|run| run.len() >= WORD_BYTES_MIN)
            .map(<[u8]>::to_vec)
            .collect();
        words.sort();
        words.dedup();
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            corpus: corpus.to_vec(),
            words,
            bytes_max,
        }
    }

    /// The next input.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.any_input();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut input);
        }
        input.truncate(self.bytes_max);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(10) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = BYTES[self.below(BYTES.len())],
            2 => input.insert(at, BYTES[self.below(BYTES.len())]),
            3 => {
                let until = at + self.below(input.len() - at + 1).min(self.size());
                input.drain(at..until);
            }
            4 => {
                let piece = self.piece(input);
                let times = 1 + self
                    .below(REPEATS_MAX)
                    .min(self.bytes_max / piece.len().max(1));
                input.splice(at..at, piece.repeat(times));
            }
            5 => {
                let other = self.any_input();
                let piece = self.piece(&other);
                input.splice(at..at, piece);
            }
            6 => {
                let other = self.any_input();
                input.truncate(at);
                input.extend(&other[self.below(other.len() + 1)..]);
            }
            7 => self.change_number(input, at),
            8 if !self.words.is_empty() => {
                let word = self.below(self.words.len());
                let word = self.words[word].clone();
                let until = at + word_bytes(&input[at..]);
                input.splice(at..until, word);
            }
            _ => {
                let random = self.random.next_u64().to_le_bytes();
                let bytes = 1 + self.below(random.len());
                input.splice(at..at, random[..bytes].iter().copied());
            }
        }
    }

    /// The first number behind a place becomes one of those that hurt.
    fn change_number(&mut self, input: &mut Vec<u8>, at: usize) {
        let number = NUMBERS[self.below(NUMBERS.len())].bytes();
        let Some(first) = input[at..].iter().position(u8::is_ascii_digit) else {
            return;
        };
        let first = at + first;
        let length = input[first..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        input.splice(first..first + length, number);
    }

    fn piece(&mut self, input: &[u8]) -> Vec<u8> {
        let from = self.below(input.len() + 1);
        let until = from + self.below(input.len() - from + 1).min(self.size());
        input[from..until].to_vec()
    }

    /// A length: mostly small.
    fn size(&mut self) -> usize {
        1 << self.below(12)
    }

    fn any_input(&mut self) -> Vec<u8> {
        let index = self.below(self.corpus.len());
        self.corpus.get(index).cloned().unwrap_or_default()
    }

    /// A number in `0..bound`; 0 if there is none.
    fn below(&mut self, bound: usize) -> usize {
        let random = usize::try_from(self.random.next_u64() >> 1).unwrap_or(0);
        random.checked_rem(bound).unwrap_or(0)
    }
}

fn word_bytes(input: &[u8]) -> usize {
    input
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_inputs_and_no_input_is_too_long() {
        let corpus = [b"GET /proxies HTTP/1.1 12".to_vec(), Vec::new()];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed, &corpus, 200);
            (0..5_000).map(|_| mutator.next()).collect::<Vec<_>>()
        };
        let first = inputs(7);
        assert_eq!(first, inputs(7));
        assert_ne!(first, inputs(8));
        assert!(first.iter().all(|input| input.len() <= 200));
        assert!(
            first
                .iter()
                .any(|input| input.windows(10).any(|part| part == b"1844674407"))
        );
    }
}
