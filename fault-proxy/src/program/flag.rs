//! Values of flags as Go's `flag` package takes them.

use clap::{Arg, ArgAction, builder::BoolishValueParser};

/// A switch that may be given a value: `-x`, `-x=true`, `-x=false`.
pub(super) fn switch(arg: Arg) -> Arg {
    arg.num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .hide_default_value(true)
        .value_name("BOOL")
        .value_parser(BoolishValueParser::new())
        .action(ArgAction::Set)
        .hide_possible_values(true)
}

/// Seeds are 64 bits, with a sign as Toxiproxy has it or without.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    let signed = || text.parse().map(i64::cast_unsigned).ok();
    let seed = text.parse().ok().or_else(signed);
    seed.ok_or_else(|| "write a whole number of 64 bits, such as 7".to_owned())
}

#[cfg(test)]
mod tests {
    use super::seed;

    #[test]
    fn a_seed_may_have_a_sign() {
        assert_eq!(seed("7"), Ok(7));
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(seed("-1"), Ok(u64::MAX));
        assert!(seed("x").is_err());
        assert!(seed("18446744073709551616").is_err());
    }
}
