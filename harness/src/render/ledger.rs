//! This module is the list of the ledger's columns: what became of messages, in the order of every report.

use crate::result::Delivery;

/// One outcome of messages.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub name: &'static str,
    /// Any at all is bad.
    pub fault: bool,
    pub count: fn(&Delivery) -> u64,
}

const fn column(name: &'static str, fault: bool, count: fn(&Delivery) -> u64) -> Column {
    Column { name, fault, count }
}

pub(crate) const COLUMNS: [Column; 10] = [
    column("sent", false, |of| of.sent),
    column("completed", false, |of| of.completed),
    column("refused", false, |of| of.refused),
    column("unanswered", false, |of| of.unanswered),
    column("lost", true, |of| of.lost),
    column("pending", false, |of| of.pending),
    column("duplicated", true, |of| of.duplicated),
    column("out of order", true, |of| of.out_of_order),
    column("unexpected", true, |of| of.unexpected),
    column("late", false, |of| of.late),
];

impl Column {
    /// Its name for programs: `out_of_order`.
    pub(crate) fn key(self) -> String {
        self.name.replace(' ', "_")
    }
}
