//! This module numbers the messages of a run, for servers whose ids are numbers.
//!
//! **In:** how many stays a run has; a stay and its message, or an id. **Out:** the one for the other. Ids are small, begin at
//! 1, and no two messages of a run have the same, in whichever process they are sent.

/// The id of message `number` of a stay.
pub(super) fn of_message(stays: u64, stay: u32, number: u32) -> u64 {
    u64::from(number) * stays.max(1) + u64::from(stay) + 1
}

/// The stay and the message with that id.
pub(super) fn message_of(stays: u64, id: &str) -> Option<(u32, u32)> {
    let place = id.parse::<u64>().ok()?.checked_sub(1)?;
    let stay = u32::try_from(place % stays.max(1)).ok()?;
    let number = u32::try_from(place / stays.max(1)).ok()?;
    Some((stay, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_leads_back_to_its_message(stays in 1_u64..1_000_000, stay: u32, number: u32) {
            let stay = u32::try_from(u64::from(stay) % stays).unwrap();
            let id = of_message(stays, stay, number);
            prop_assert!(id > 0);
            prop_assert_eq!(message_of(stays, &id.to_string()), Some((stay, number)));
        }
    }

    #[test]
    fn what_is_no_number_of_a_message_is_nobodys() {
        for id in ["0", "-1", "1.5", "x", "", "99999999999999999999999"] {
            assert_eq!(message_of(3, id), None, "{id}");
        }
    }
}
