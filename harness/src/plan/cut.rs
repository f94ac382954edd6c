//! This module cuts a load into parts, one for each process that drives it.
//!
//! **In:** which of how many parts, and the load. **Out:** whose clients are of the part. Who shares a conversation is in
//! one part. A client keeps its number, so it sends what it would have sent in any other cut.

use serde::{Deserialize, Serialize};

use super::visit::{Visit, visits};
use super::{Conversation, LoadPlan, LoadStage, Plan};

/// One of the parts of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// From 0.
    pub index: u16,
    /// At least 1.
    pub count: u16,
}

impl Cut {
    /// The load in one part.
    pub(crate) const WHOLE: Self = Self { index: 0, count: 1 };

    /// All parts of a load that is cut into `count`.
    pub(crate) fn all(count: u16) -> impl Iterator<Item = Self> {
        (0..count.max(1)).map(move |index| Self { index, count })
    }

    fn has(self, load: &LoadPlan, client: u32) -> bool {
        let unit = match load.session.conversation {
            Conversation::Own => client,
            Conversation::Group | Conversation::Room => client / load.session.group.max(1),
        };
        unit % u32::from(self.count.max(1)) == u32::from(self.index)
    }

    /// The stays of its clients, in the order in which they begin, each with its place among them.
    pub(crate) fn visits(self, load: &LoadPlan) -> Vec<Visit> {
        let mut mine = visits(load);
        mine.retain(|visit| self.has(load, visit.client));
        for (place, visit) in (0..).zip(&mut mine) {
            visit.place = place;
        }
        mine
    }

    /// The stages of the load with how many of its clients are there.
    pub(crate) fn stages(self, load: &LoadPlan) -> Vec<LoadStage> {
        let mine = |clients: u32| {
            let of = (0..clients).filter(|client| self.has(load, *client));
            u32::try_from(of.count()).unwrap_or(u32::MAX)
        };
        let stages = load.stages.iter().map(|stage| LoadStage {
            from: mine(stage.from),
            to: mine(stage.to),
            ..*stage
        });
        stages.collect()
    }

    /// The plan of what is to be there for it, where the other parts are on other machines.
    pub(crate) fn of(self, plan: &Plan) -> Plan {
        let mut part = plan.clone();
        part.load.clients = self.clients(&plan.load);
        part.load.stages = self.stages(&plan.load);
        part.load.shards = Some(1);
        part
    }

    /// Most of its clients at once.
    pub(crate) fn clients(self, load: &LoadPlan) -> u32 {
        let stages = self.stages(load).into_iter();
        stages.map(|stage| stage.to).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::arrivals::Arrivals;
    use crate::plan::compile;
    use crate::scenario::Overrides;
    use proptest::prelude::*;

    fn plan(load: &str) -> Plan {
        let text = format!("# Why?\ntitle = \"t\"\n[load]\n{load}\n");
        compile("t.toml", &text, &Overrides::default()).unwrap()
    }

    fn loads() -> impl Strategy<Value = Plan> {
        let stages = "stages = [{ ramp = \"2s\" }, { hold = \"3s\" }, { ramp = \"1s\", to = 5 }, { hold = \"1s\" }, { ramp = \"1s\", to = 20 }]";
        let conversation = prop_oneof![
            Just(String::new()),
            (1_u32..9).prop_map(|group| format!(
                "session = {{ conversation = \"group\", group = {group} }}"
            )),
        ];
        (20_u32..80, conversation).prop_map(move |(clients, session)| {
            plan(&format!("clients = {clients}\n{stages}\n{session}"))
        })
    }

    proptest! {
        #[test]
        fn every_stay_is_in_one_part_and_sends_what_it_sends_in_the_whole(plan in loads(), count in 1_u16..9) {
            let load = &plan.load;
            let whole = Cut::WHOLE.visits(load);
            let mut parts: Vec<Visit> = Cut::all(count).flat_map(|cut| cut.visits(load)).collect();
            parts.sort_by_key(|visit| visit.number);
            prop_assert_eq!(parts.len(), whole.len());
            for (part, visit) in parts.iter().zip(&whole) {
                prop_assert_eq!(&Visit { place: visit.place, ..*part }, visit);
                let sends = |visit: &Visit| {
                    let mut arrivals = Arrivals::new(plan.seed, &load.message, visit);
                    std::iter::from_fn(|| arrivals.take_due(u64::MAX)).collect::<Vec<_>>()
                };
                prop_assert_eq!(sends(part), sends(visit));
            }
        }

        #[test]
        fn the_stages_of_a_part_start_as_many_clients_as_it_has_stays(plan in loads(), count in 1_u16..9) {
            for cut in Cut::all(count) {
                let (stages, visits) = (cut.stages(&plan.load), cut.visits(&plan.load));
                let started: u32 = stages.iter().map(|stage| stage.to.saturating_sub(stage.from)).sum();
                prop_assert_eq!(started as usize, visits.len());
                prop_assert!(visits.is_sorted_by_key(|visit| visit.start_us));
                prop_assert!(visits.iter().zip(0..).all(|(visit, place)| visit.place == place));
            }
        }
    }

    #[test]
    fn who_shares_a_conversation_is_in_one_part() {
        let plan =
            plan("clients = 40\nhold = \"5s\"\nsession = { conversation = \"group\", group = 4 }");
        for cut in Cut::all(3) {
            let visits = cut.visits(&plan.load);
            for group in 0..10 {
                let members = visits
                    .iter()
                    .filter(|visit| visit.client / 4 == group)
                    .count();
                assert!(
                    members == 0 || members == 4,
                    "{group} of {cut:?}: {members}"
                );
            }
        }
    }
}
