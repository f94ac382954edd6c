//! The flag that makes a server slower than it is.

use clap::Args;

use crate::host::SlowCpu;

/// Slowness on purpose.
#[derive(Debug, Args)]
pub(crate) struct SlowArgs {
    /// Use so much more processor time for each message, from 0% to 1000%.
    ///
    /// Before each step of a message (socket, rate limit, queue, worker, delivery) the thread uses up
    /// this share of the processor time it has used since its last step, with its runtime and system
    /// calls. So the processor seconds of a message that comes alone grow by the share, and
    /// answers come later by what that takes. Nothing sleeps, and the planned waits of an answer stay as long as they are. This is
    /// no defect: no promise is broken. It is what a slower build of the server looks like.
    #[arg(
        long,
        env = "REFERENCE_SERVER_SLOW_CPU",
        value_name = "SHARE",
        default_value = "0%",
        value_parser = SlowCpu::parse
    )]
    pub(crate) slow_cpu: SlowCpu,
}
