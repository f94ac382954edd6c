//! Fault `reset_now`.

use super::spec::{Mechanism, Reach, Spec};
use crate::format::percent;
use crate::scenario::keys::{Share, keys};

/// All of them, in millionths.
const ALL_PPM: u32 = 1_000_000;

keys! {
    /// Open connections are reset at one moment.
    pub(crate) struct ResetNow {
        /// share of the open connections, drawn from the seed.
        #[serde(default = "all", skip_serializing_if = "is_all")]
        share_ppm "share": Share = ALL_PPM, 1..=ALL_PPM;
    }
}

const fn all() -> u32 {
    ALL_PPM
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_all(share_ppm: &u32) -> bool {
    *share_ppm >= ALL_PPM
}

impl ResetNow {
    /// All of the connections.
    #[cfg(test)]
    pub(crate) const ALL: Self = Self { share_ppm: ALL_PPM };
    /// Half of them.
    pub(crate) const HALF: Self = Self {
        share_ppm: ALL_PPM / 2,
    };

    fn share_ratio(self) -> f64 {
        f64::from(self.share_ppm) / f64::from(ALL_PPM)
    }
}

impl Spec for ResetNow {
    const NAME: &str = "reset_now";
    const REACH: Reach = Reach::Link;
    const IS_MOMENT: bool = true;
    const OWN_PROXY: bool = true;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        if is_all(&self.share_ppm) {
            return "reset once".to_owned();
        }
        format!(
            "reset once, {} of its connections",
            percent(self.share_ratio())
        )
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::ResetNow {
            share_ratio: self.share_ratio(),
        }
    }
}
