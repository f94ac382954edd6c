//! This module makes runs by hand, to see and to test what the renderers do with them.
//!
//! **In:** which story. **Out:** a result that went through the same summary and verdict as a real
//! one. 2,000 clients send a message a second for 55 s, and Redis goes away at 20 s for 5 s.
//!
//! The numbers come from a fixed generator and basic arithmetic only, so that they are the same on
//! every machine.

mod facts;
mod story;

use self::facts::{description, plan, stamps};
use self::story::CLIENTS;
pub(crate) use self::story::Story;
use crate::failure::Failure;
use crate::record::recording::{CellKey, CloseCause, MessageExample, Recording};
use crate::record::users::{GooseCounts, GooseRequest};
use crate::result::facts::Facts;
use crate::result::summarize::summarize;
use crate::result::verdict::judge;
use crate::result::{Gauges, Generator, Pause, RunResult, ServerAccount};
use crate::stage::Stage;

const INTERVAL_US: u64 = 250_000;
const DOWN_US: u64 = 20_004_000;
const BACK_US: u64 = 25_118_000;

/// The result of that story, judged.
pub(crate) fn result(story: Story) -> RunResult {
    let mut result = summarize(&facts(story));
    judge(&mut result);
    result
}

/// Numbers that look random and never change.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: mean 0, deviation 1.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A latency around `median_us`, with a long tail now and then.
    fn latency(&mut self, median_us: u64, spread: f64) -> u64 {
        let z = self.bell();
        let tail = if self.unit() < 0.004 {
            1.0 + 4.0 * self.unit()
        } else {
            1.0
        };
        let factor = (1.0 + spread * z + 0.35 * spread * z * z) * tail;
        rounded(median_us as f64 * factor.max(0.3))
    }
}

fn rounded(us: f64) -> u64 {
    crate::units::rounded(us.max(1.0))
}

fn interval(us: u64) -> u32 {
    u32::try_from(us / INTERVAL_US).unwrap_or(u32::MAX)
}

fn facts(story: Story) -> Facts {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut recording = Recording::default();
    messages(story, &mut dice, &mut recording);
    sessions(story, &mut dice, &mut recording);
    let sent = recording.planned_sends;
    recording.frames_received = sent * 6;
    recording.frames_unstamped = 214;
    let opened = u64::from(CLIENTS + story.cut());
    Facts {
        parts: Vec::new(),
        plan: plan(story),
        run: description(story),
        peak_open: u64::from(CLIENTS),
        goose: GooseCounts {
            users: u64::from(CLIENTS),
            requests: [(
                "token".to_owned(),
                GooseRequest {
                    ok: opened,
                    failed: 0,
                },
            )]
            .into(),
        },
        stamps: vec![stamps(story)],
        trials: Vec::new(),
        generator: generator(story, sent),
        ended_processes: Vec::new(),
        server: Some(ServerAccount {
            cpu_seconds: Some(31.7),
            rss_peak_bytes: Some(50_331_648),
            counters: [("chat_messages_total".to_owned(), sent as f64)].into(),
            ..ServerAccount::default()
        }),
        gauges: Gauges {
            open: open(story),
            in_flight: Vec::new(),
        },
        processes: Vec::new(),
        accept_backlog: None,
        traffic: None,
        usage: Vec::new(),
        end_us: story.end_us(),
        recording,
    }
}

fn generator(story: Story, sent: u64) -> Generator {
    let busy = if story == Story::Invalid { 0.93 } else { 0.31 };
    Generator {
        cpu_seconds: 14.2,
        rss_peak_bytes: 63_963_136,
        fds_peak: 2_041,
        planned_sends: sent,
        actual_sends: sent - if story == Story::Invalid { 2_310 } else { 0 },
        lane_busy_ratio_max: busy,
        lane_busy_at_us: Some(19_000_000),
        machine_cores: Some(2.0),
        machine_busy_ratio_max: Some(0.58),
        lanes: 1,
        pauses: vec![Pause {
            at_us: 41_200_000,
            length_us: 12_400,
        }],
        pause_total_us: 12_400,
        pause_max_us: 12_400,
        pause_max_at_us: Some(41_200_000),
        clock_step_us: 12,
        ..Generator::default()
    }
}

/// Clients connect over the first 10 s and close after the load.
fn open(story: Story) -> Vec<u64> {
    let cut = u64::from(story.cut());
    (1..=story.end_us() / INTERVAL_US)
        .map(|place| match place * INTERVAL_US {
            us @ ..10_000_000 => us / 5_000,
            25_118_001..=25_500_000 => 2_000 - cut,
            us @ 25_500_001..=27_500_000 => 2_000 - cut * (27_500_000 - us) / 2_000_000,
            58_900_001.. => 0,
            _ => 2_000,
        })
        .collect()
}

fn messages(story: Story, dice: &mut Dice, recording: &mut Recording) {
    let mut at_us = 4_000.0;
    let end_us = story.load_us() as f64;
    let mut number = 0_u32;
    while at_us < end_us {
        let ramp = (at_us / 10_000_000.0).min(1.0);
        at_us += 500.0 / ramp.max(0.02) * (0.2 + 1.6 * dice.unit());
        message(story, number, rounded(at_us), dice, recording);
        number += 1;
    }
    recording.settled((0, DOWN_US), (DOWN_US + 40_000, BACK_US + 7_000_000));
    recording.trouble(0, DOWN_US + 43_000);
    let away = Failure::event("unavailable", "");
    recording.failure(interval(21_000_000), 21_000_000, &away);
    *recording
        .failures
        .entry((interval(22_000_000), away.kind))
        .or_insert(0) += 21_376;
}

/// One message: answered at once, after the backlog, or not at all.
fn message(story: Story, number: u32, at_us: u64, dice: &mut Dice, recording: &mut Recording) {
    let stall_us = 41_360_000_u64.saturating_sub(at_us);
    let stall_us = if (41_200_000..41_360_000).contains(&at_us) {
        stall_us
    } else {
        0
    };
    let queued_us = dice.latency(920, 0.4) + stall_us;
    let chunk_us = queued_us + 8_300 + dice.latency(2_200, 0.4);
    let own_us = chunk_us + 30_600 + dice.latency(3_600, 0.5);
    let behind_us = (at_us as f64 - DOWN_US as f64) / story.drain_rate();
    let backlog_us = (BACK_US as f64 + behind_us - at_us as f64).max(0.0);
    let inside = at_us >= DOWN_US && backlog_us > 0.0;
    let complete_us = if inside {
        rounded(backlog_us) + own_us
    } else {
        own_us
    };
    let touched = at_us + complete_us >= DOWN_US && at_us <= BACK_US;
    let fault = (touched && at_us > 19_000_000).then_some(0);
    let interval = interval(at_us);
    let key = CellKey { interval, fault };
    let cell = recording.cells.entry(key).or_default();
    cell.delivery.sent += 1;
    cell.delivery.attempts += 1;
    recording.planned_sends += 1;
    let late_us = if story == Story::Invalid {
        dice.latency(21_000, 0.5)
    } else {
        dice.latency(46, 0.7)
    };
    let lateness = recording.lateness.entry(interval).or_default();
    lateness.record(late_us);
    recording
        .dispatch_delay
        .record(late_us + if inside { 240_000 } else { 0 });
    recording.receive_lag.record(dice.latency(31, 0.6));
    let flying = !inside && touched;
    let lost =
        story == Story::Fail && flying && number.is_multiple_of(2) && recording.examples.len() < 42;
    if lost {
        cell.delivery.lost += 1;
        let client = number * 7 % CLIENTS;
        recording.example(MessageExample {
            client,
            client_message_id: format!("m-{client}-{}", at_us / 1_000_000),
            conversation: format!("c-{client:04}"),
            what: "lost: no `complete`, seq 1 missing".to_owned(),
            intended_us: at_us,
            sent_us: Some(at_us + 100),
            queued_us: Some(at_us + queued_us),
            fault: Some(0),
            ..MessageExample::default()
        });
    } else if inside && number.is_multiple_of(2_600) {
        cell.delivery.refused += 1;
    } else if at_us + complete_us > story.end_us() {
        cell.delivery.pending += 1;
    } else {
        cell.delivery.completed += 1;
        cell.delivery.late += u64::from(complete_us > 10_000_000);
        cell.task_queued.record(complete_us - own_us + queued_us);
        cell.first_chunk.record(complete_us - own_us + chunk_us);
        cell.complete.record(complete_us);
    }
}

fn sessions(story: Story, dice: &mut Dice, recording: &mut Recording) {
    for client in 0..CLIENTS {
        let at_us = u64::from(client) * 5_000;
        session(at_us, dice, recording);
        if story != Story::Interrupted {
            let ended_us = story.end_us() - 1_100_000;
            let ended = recording.sessions.entry(interval(ended_us)).or_default();
            *ended
                .closes
                .entry((1_000, CloseCause::Planned))
                .or_insert(0) += 1;
        }
    }
    for client in 0..story.cut() {
        let after_us = rounded(400_000.0 * dice.unit());
        let code = if client % 75 == 0 { 1_006 } else { 1_011 };
        let cut = recording
            .sessions
            .entry(interval(BACK_US + after_us))
            .or_default();
        *cut.closes.entry((code, CloseCause::Cut)).or_insert(0) += 1;
        let wait_us = rounded(2_400_000.0 * dice.unit() * dice.unit()) + 7_000;
        let back_us = BACK_US + after_us + wait_us;
        session(back_us, dice, recording);
        let back = recording.sessions.entry(interval(back_us)).or_default();
        back.reconnect_attempts += 1;
        back.response[Stage::Reconnect.index()].record(wait_us);
    }
}

fn session(at_us: u64, dice: &mut Dice, recording: &mut Recording) {
    let token_us = dice.latency(1_390, 0.5);
    let tcp_us = token_us + dice.latency(91, 0.4);
    let upgrade_us = tcp_us + dice.latency(747, 0.4);
    let ready_us = upgrade_us + dice.latency(320, 0.4);
    let cell = recording.sessions.entry(interval(at_us)).or_default();
    for (stage, us) in [
        (Stage::Token, token_us),
        (Stage::Tcp, tcp_us),
        (Stage::Upgrade, upgrade_us),
        (Stage::SessionReady, ready_us),
    ] {
        cell.response[stage.index()].record(us);
    }
    cell.response[Stage::Heartbeat.index()].record(dice.latency(210, 0.4));
    cell.token_service.record(token_us);
    cell.tokens_ok += 1;
    cell.opened += 1;
}
