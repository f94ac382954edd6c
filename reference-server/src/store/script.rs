//! The Lua scripts: each is one atomic step, and each takes many items at once.
//!
//! **Source:** GCRA (ITU-T I.371) for the rate limits. Keys of one call may lie in different hash
//! slots: Redis Cluster is not supported.

use std::sync::LazyLock;

/// A script and the hash Redis knows it by.
pub(crate) struct Script {
    text: &'static str,
    inner: redis::Script,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self {
            text,
            inner: redis::Script::new(text),
        }
    }

    /// SHA-1 of the text, in hex.
    pub(crate) fn hash(&self) -> &str {
        self.inner.get_hash()
    }

    /// The text itself.
    pub(crate) fn text(&self) -> &'static str {
        self.text
    }
}

/// `allowance(key, now, interval, burst)`: takes one from it. Returns nothing, or the milliseconds
/// until there is one.
///
/// A key that holds something else is begun anew; one that lies further ahead than a whole burst is
/// of a clock that went back, and counts as a used-up burst.
macro_rules! allowance {
    ($text:literal) => {
        concat!(
            r"
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local function allowance(key)
  local held = redis.pcall('GET', key)
  local due = type(held) == 'string' and tonumber(held) or now
  if not (due > now) then due = now end
  if due > now + burst * interval then due = now + burst * interval end
  local after = due + interval
  local allowed_at = after - burst * interval
  if allowed_at > now then return math.ceil((allowed_at - now) / 1000) end
  redis.call('SET', key, string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1)
end",
            $text
        )
    };
}

/// `earlier(key)`: what a remembered id leads to, if it was remembered here. `add(key, …)`: XADD to
/// a history; where the key is no stream, or one whose ids are at their end, nothing can be read
/// from it or added to it, and it is begun anew.
macro_rules! keys {
    ($text:expr) => {
        concat!(
            r"
local function earlier(key)
  local held = redis.pcall('GET', key)
  if type(held) == 'string' and held:find('^%x+ %d+%-%d+$') then return held end
end
local function add(key, ...)
  local id = redis.pcall('XADD', key, ...)
  if type(id) ~= 'table' then return id end
  if id.err:find('WRONGTYPE') or id.err:find('exhausted') then
    redis.log(redis.LOG_WARNING, key .. ' cannot be added to and is begun anew: ' .. id.err)
    redis.call('DEL', key)
  end
  return redis.call('XADD', key, ...)
end",
            $text
        )
    };
}

/// Takes one message from each user's allowance.
///
/// KEYS: `rl:{user}`, one per message, repeats allowed. ARGV: interval in µs, burst.
/// Returns for each 0, or the milliseconds until it would be allowed.
pub(crate) static ALLOW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(allowance!(
        r"
local waits = {}
for i, key in ipairs(KEYS) do waits[i] = allowance(key) or 0 end
return waits"
    ))
});

/// Stores a connection token, if its user's allowance permits.
///
/// KEYS: `rlt:{user}`, `ws_conn_token:{token}`. ARGV: interval in µs, burst, value, life in ms.
/// Returns 0, or the milliseconds until it would be allowed.
pub(crate) static ISSUE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(allowance!(
        r"
local wait = allowance(KEYS[1])
if wait then return wait end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 0"
    ))
});

/// Queues tasks, each at most once per `client_message_id`.
///
/// KEYS: the stream, then per task the key that remembers its id. ARGV: queue limit, seconds an id
/// is remembered, then per task: number, conversation, text, `1` if it has an id, `1` to queue it
/// again, user, id. Returns per task `1 <entry>`, `0 <earlier task> <its entry>` or `2` (the queue
/// is full).
pub(crate) static ENQUEUE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(keys!(
        r"
local queued, limit = redis.call('XLEN', KEYS[1]), tonumber(ARGV[1])
local answers = {}
for i = 1, #KEYS - 1 do
  local a, key = 3 + (i - 1) * 7, KEYS[i + 1]
  local known = ARGV[a + 3] == '1' and ARGV[a + 4] == '0' and earlier(key)
  if known then
    answers[i] = '0 ' .. known
  elseif queued >= limit then
    answers[i] = '2'
  else
    local task = { 't', ARGV[a], 'c', ARGV[a + 1], 'm', ARGV[a + 2] }
    if ARGV[a + 3] == '1' then
      for _, part in ipairs({ 'u', ARGV[a + 5], 'i', ARGV[a + 6] }) do task[#task + 1] = part end
    end
    local entry
    if queued == 0 then
      entry = add(KEYS[1], '*', unpack(task))
    else
      entry = redis.call('XADD', KEYS[1], '*', unpack(task))
    end
    queued = queued + 1
    if ARGV[a + 3] == '1' then redis.call('SET', key, ARGV[a] .. ' ' .. entry, 'EX', ARGV[2]) end
    answers[i] = '1 ' .. entry
  end
end
return answers"
    ))
});

/// `tell(room, id, event)`: puts an event on the admin feed, whose key is `KEYS[1]`, with the
/// bounds `ARGV[1]` (entries) and `ARGV[2]` (expiry in ms). While no admin listens there is no
/// feed; it outlives the last one by the expiry, so that an instance that lost Redis for a moment
/// finds what it missed.
macro_rules! feed {
    ($text:literal) => {
        keys!(concat!(
            r"
local listeners = redis.call('PUBSUB', 'NUMSUB', KEYS[1])[2]
local kept = listeners > 0 or redis.call('EXISTS', KEYS[1]) == 1
local function tell(room, id, event)
  if not kept then return end
  event = room .. ' ' .. id .. ' ' .. event
  local entry = add(KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', event)
  if listeners > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  redis.call('PUBLISH', KEYS[1], entry .. ' ' .. event)
end",
            $text
        ))
    };
}

/// Keeps hold of tasks in hand: their idle time starts anew, and their delivery count stays.
///
/// KEYS: the stream. ARGV: group, worker, then entries. Returns those that are pending under
/// another worker by now. An entry that is not pending at all is neither kept nor returned: Redis
/// may have lost it.
pub(crate) static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local others = {}
for i = 3, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
  if pending and pending[2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  elseif pending then
    others[#others + 1] = ARGV[i]
  end
end
return others",
    )
});

/// Strikes a worker off its group, and those without a sign of life; only where they have no task
/// left, for it would be lost.
///
/// KEYS: the stream. ARGV: group, worker, milliseconds without a sign of life. Returns how many.
pub(crate) static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local struck = 0
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local of = {}
  for i = 1, #info, 2 do of[info[i]] = info[i + 1] end
  if of.pending == 0 and (of.name == ARGV[2] or of.idle > tonumber(ARGV[3])) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], of.name)
    struck = struck + 1
  end
end
return struck",
    )
});

/// Adds events to their conversations' histories and tells the subscribers.
///
/// KEYS: the feed, then `conv:{id}` per event, repeats allowed. ARGV: entries kept, expiry in ms,
/// then the events.
pub(crate) static EMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(feed!(
        r"
for i = 2, #KEYS do
  local key, event = KEYS[i], ARGV[i + 1]
  local id = add(key, 'MAXLEN', '~', ARGV[1], '*', 'e', event)
  redis.call('PEXPIRE', key, ARGV[2])
  redis.call('PUBLISH', key, id .. ' ' .. event)
  tell(key, id, event)
end
return #KEYS - 1"
    ))
});

/// Keeps messages of people chats, each at most once per `client_message_id`, and tells the
/// subscribers.
///
/// KEYS: the feed, then per message its chat and the key that remembers its id. ARGV: entries and
/// expiry in ms of the feed, the same of a chat, seconds an id is remembered, then per message:
/// number, event, `1` if it has an id. Returns per message `1 <entry>` or `0 <earlier number> <its
/// entry>`.
pub(crate) static POST: LazyLock<Script> = LazyLock::new(|| {
    Script::new(feed!(
        r"
local answers = {}
for i = 1, (#KEYS - 1) / 2 do
  local key, known = KEYS[2 * i], KEYS[2 * i + 1]
  local a = 6 + (i - 1) * 3
  local before = ARGV[a + 2] == '1' and earlier(known)
  if before then
    answers[i] = '0 ' .. before
  else
    local event = ARGV[a + 1]
    local id = add(key, 'MAXLEN', '~', ARGV[3], '*', 'e', event)
    redis.call('PEXPIRE', key, ARGV[4])
    redis.call('PUBLISH', key, id .. ' ' .. event)
    tell(key, id, event)
    if ARGV[a + 2] == '1' then redis.call('SET', known, ARGV[a] .. ' ' .. id, 'EX', ARGV[5]) end
    answers[i] = '1 ' .. id
  end
end
return answers"
    ))
});
