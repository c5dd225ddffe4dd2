-- What the Redis store asks of the server, each in one step (stores/redis_words.py makes the arguments).
--
-- KEYS of a session, all in one slot: its binding (a hash: o owner, r replica, e epoch, g the edge that has the session,
-- a agent, t route, p principal, c created, cr and cs what the checkpoint covers, ca how far it covers
-- the answers under way, cf and nf the first messages that are owed), the client's journal, the node's journal (streams, by the messages' numbers), its keys (sorted by when they
-- were learned), its protocol's memory, its checkpoint's state.
-- ARGV: what is asked, who asks, seconds to keep what nobody touches; then what belongs to the question.
--
-- Who is not the edge that has the session changes nothing: this is what fences an edge that does not know it has lost it.

local B, CLIENT, NODE, NAMES, MEMORY, STATE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local asked, me, ttl = ARGV[1], ARGV[2], ARGV[3]

local function touch()
  for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ttl) end
end

local function empty()
  redis.call('DEL', CLIENT, NODE, NAMES, MEMORY, STATE)
end

-- Why who asks may change nothing; nil if it may.
local function not_mine()
  local edge = redis.call('HGET', B, 'g')
  if edge == me then return nil end
  return edge and 'taken' or 'gone'
end

local function id(number)
  return string.format('%.0f-0', number)
end

local function number_of(entry)
  return tonumber(string.match(entry, '^%d+'))
end

local function learn(kind_and_value)
  redis.call('ZADD', NAMES, redis.call('HINCRBY', B, 'n', 1), kind_and_value)
end

-- Messages first, first + 1, ...: ARGV from `at` on. Streams only grow; what is said again in another place makes them anew.
local function keep(journal, first, at)
  for place = at, #ARGV do
    local added = redis.pcall('XADD', journal, id(first + place - at), 'm', ARGV[place])
    if type(added) == 'table' and added.err then
      local all, numbers = {}, {}
      for _, entry in ipairs(redis.call('XRANGE', journal, '-', '+')) do all[number_of(entry[1])] = entry[2][2] end
      for rest = place, #ARGV do all[first + rest - at] = ARGV[rest] end
      for number in pairs(all) do numbers[#numbers + 1] = number end
      table.sort(numbers)
      redis.call('DEL', journal)
      for _, number in ipairs(numbers) do redis.call('XADD', journal, id(number), 'm', all[number]) end
      break
    end
  end
  redis.call('EXPIRE', journal, ttl)
end

local function raise(field, journal, first)
  local floor = tonumber(redis.call('HGET', B, field) or 1)
  if first > floor then
    redis.call('HSET', B, field, first)
    redis.call('XTRIM', journal, 'MINID', id(first))
  end
end

-- The binding anew: ARGV 4 to 13, has a state, the state, how many keys, the keys. Where the rest of ARGV begins.
local function put()
  redis.call('DEL', B)
  empty()
  redis.call('HSET', B, 'g', me, 'o', ARGV[4], 'r', ARGV[5], 'e', ARGV[6], 'a', ARGV[7], 't', ARGV[8], 'p', ARGV[9],
    'c', ARGV[10], 'cr', ARGV[11], 'cs', ARGV[12], 'ca', ARGV[13])
  if ARGV[14] == '1' then redis.call('SET', STATE, ARGV[15]) end
  local keys = tonumber(ARGV[16])
  for place = 17, 16 + keys do learn(ARGV[place]) end
  touch()
  return 17 + keys
end

local function journals()
  local floors = redis.call('HMGET', B, 'cf', 'nf')
  return {floors[1] or '1', floors[2] or '1', redis.call('XRANGE', CLIENT, '-', '+'),
    redis.call('XRANGE', NODE, '-', '+'), redis.call('GET', MEMORY)}
end

if asked == 'create' then
  if redis.call('EXISTS', B) == 1 then return 'conflict' end
  put()
  return 'ok'
end

if asked == 'restate' then
  local edge, epoch, owner, replica = unpack(redis.call('HMGET', B, 'g', 'e', 'o', 'r'))
  if edge and edge ~= me and tonumber(epoch) >= tonumber(ARGV[6]) then return 'taken' end
  local at = put()
  -- What is stated may be older than what the same edge has bound meanwhile.
  if edge == me and tonumber(epoch) > tonumber(ARGV[6]) then redis.call('HSET', B, 'o', owner, 'r', replica, 'e', epoch) end
  local client_first, node_first, count = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  redis.call('HSET', B, 'cf', client_first, 'nf', node_first)
  if ARGV[at + 3] ~= '' then redis.call('SET', MEMORY, ARGV[at + 3], 'EX', ttl) end
  at = at + 4
  for place = at, at + count - 1 do redis.call('XADD', CLIENT, id(client_first + place - at), 'm', ARGV[place]) end
  at = at + count
  for place = at, #ARGV do redis.call('XADD', NODE, id(node_first + place - at), 'm', ARGV[place]) end
  touch()
  return 'ok'
end

if asked == 'rebind' then
  local edge, epoch = unpack(redis.call('HMGET', B, 'g', 'e'))
  if edge and edge ~= me then return 'taken' end
  -- Only the edge that has a session rebinds it. Above what it expects there can only be what it has asked for itself,
  -- and was not told in time that it was done.
  if not edge or tonumber(epoch) < tonumber(ARGV[7]) or tonumber(epoch) >= tonumber(ARGV[6]) then return 'conflict' end
  redis.call('HSET', B, 'o', ARGV[4], 'r', ARGV[5], 'e', ARGV[6])
  redis.call('EXPIRE', B, ttl)
  return 'ok'
end

if asked == 'peek' then return redis.call('HGET', B, 'g') end

if asked == 'claim' then
  local edge = redis.call('HGET', B, 'g')
  if not edge then return 'gone' end
  if edge ~= '' and edge ~= ARGV[4] then return 'taken' end
  redis.call('HINCRBY', B, 'e', 1)
  redis.call('HSET', B, 'g', me)
  touch()
  return {redis.call('HMGET', B, 'o', 'r', 'e', 'a', 't', 'p', 'c', 'cr', 'cs', 'ca'), redis.call('GET', STATE),
    redis.call('ZRANGE', NAMES, 0, -1), journals()}
end

if asked == 'unname' then  -- KEYS[1]: what a key of some session leads to
  if redis.call('GET', B) == ARGV[4] then redis.call('DEL', B) end
  return 'ok'
end

if asked == 'beat' then  -- KEYS: the lease of an edge, the stores there have been, the edges that there are
  local edge = redis.call('HGET', B, 'm')
  if edge and edge ~= me and edge ~= ARGV[4] then return {'taken', edge} end
  redis.call('HSET', B, 'm', me, 'b', ARGV[6], 's', ARGV[7])
  redis.call('PEXPIRE', B, ARGV[5])
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSETNX', CLIENT, ARGV[8], string.format('%.0f', now))
  redis.call('HSET', NODE, string.match(me, '^(.*)/'), string.format('%.0f %.0f ', now + ARGV[5], now) .. ARGV[9])
  return {'ok', string.format('%.0f', now), redis.call('HGET', CLIENT, ARGV[8])}
end

if asked == 'call' then  -- KEYS[1]: where the leases are; a cluster carries it to all of its servers
  redis.call('PUBLISH', ARGV[4], ARGV[5])
  return 'ok'
end

if asked == 'leave' then  -- KEYS: the lease of an edge, the edges that there are
  if redis.call('HGET', B, 'm') == me then
    redis.call('DEL', B)
    redis.call('HDEL', CLIENT, string.match(me, '^(.*)/'))
  end
  return 'ok'
end

if asked == 'hold' then  -- KEYS: an address of edges, the numbers of the last takings; number, lease, may it be taken, who is over
  local holder, number = unpack(redis.call('HMGET', B, 'm', 'n'))
  local wanted, last = ARGV[4], tonumber(redis.call('HGET', CLIENT, B) or 0)
  if holder ~= me or number ~= wanted then
    if not holder and wanted ~= '0' and last <= tonumber(wanted) then
      number = wanted  -- the store has forgotten it, or was late; nobody has had it since
    elseif ARGV[6] == '1' and (not holder or holder == me or holder == ARGV[7]) then
      local time = redis.call('TIME')
      number = string.format('%.0f', math.max(time[1] * 1000 + math.floor(time[2] / 1000), last + 1))
    else
      return {holder or '', '0'}
    end
    redis.call('HSET', B, 'm', me, 'n', number)
    redis.call('HSET', CLIENT, B, number)
  end
  redis.call('PEXPIRE', B, ARGV[5])
  return {me, number}
end

if asked == 'vacate' then  -- KEYS[1]: an address of edges
  if redis.call('HGET', B, 'n') == ARGV[4] then redis.call('DEL', B) end
  return 'ok'
end

if asked == 'muster' then  -- KEYS[1]: the nodes of each edge
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', B, string.match(me, '^(.*)/'), string.format('%.0f %.0f ', now + ARGV[4], now) .. ARGV[5])
  return 'ok'
end

if asked == 'edges' then  -- KEYS[1]: the edges that there are, or the nodes of each
  local time, living = redis.call('TIME'), {}
  local now, all = time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HGETALL', B)
  for place = 1, #all, 2 do
    local till, beat, said = string.match(all[place + 1], '^(%d+) (%d+) (.*)$')
    if tonumber(till) > now then
      living[#living + 1] = all[place]
      living[#living + 1] = said
      living[#living + 1] = now - beat
    else
      redis.call('HDEL', B, all[place])
    end
  end
  return living
end

local why = not_mine()
if why then return why end

if asked == 'keep' then
  keep(ARGV[4] == '1' and CLIENT or NODE, tonumber(ARGV[5]), 6)
elseif asked == 'cover' then
  local received, sent = unpack(redis.call('HMGET', B, 'cr', 'cs'))
  if tonumber(ARGV[4]) < (tonumber(received) or 0) or tonumber(ARGV[5]) < (tonumber(sent) or 0) then return 'ok' end
  redis.call('HSET', B, 'cr', ARGV[4], 'cs', ARGV[5], 'ca', ARGV[6])
  if ARGV[7] == '1' then redis.call('SET', STATE, ARGV[8], 'EX', ttl) else redis.call('DEL', STATE) end
  raise('cf', CLIENT, tonumber(ARGV[4]) + 1)
elseif asked == 'forget' then
  if ARGV[4] == '1' then raise('cf', CLIENT, tonumber(ARGV[5])) else raise('nf', NODE, tonumber(ARGV[5])) end
elseif asked == 'learn' then
  local learned = tonumber(ARGV[4])
  for place = 5, 4 + learned do learn(ARGV[place]) end
  for place = 5 + learned, #ARGV do redis.call('ZREM', NAMES, ARGV[place]) end
  redis.call('EXPIRE', NAMES, ttl)
  return redis.call('HMGET', B, 'a', 'p')
elseif asked == 'remember' then
  redis.call('SET', MEMORY, ARGV[4], 'EX', ttl)
elseif asked == 'read' then
  return journals()
elseif asked == 'touch' or asked == 'remove' then
  local known = {redis.call('HMGET', B, 'a', 'p'), redis.call('ZRANGE', NAMES, 0, -1)}
  if asked == 'touch' then touch() else redis.call('DEL', unpack(KEYS)) end
  return known
elseif asked == 'release' then
  redis.call('HSET', B, 'g', '')
end
return 'ok'
