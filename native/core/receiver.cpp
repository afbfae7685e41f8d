#include "receiver.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace holdfast {

namespace {
using Steady = std::chrono::steady_clock;

/// One turn of one subscription; then the next one has its turn.
constexpr std::size_t turn_messages = 64;
constexpr std::size_t turn_bytes = 1u << 20;
/// What the predecessor of a subscription may take in one turn of it.
constexpr std::size_t predecessor_messages = 16'384;
/// A middleware that fails so often in a row is left alone until it reports new messages.
constexpr int failures_in_a_row = 8;
/// Whose numbers are remembered, per subscription.
constexpr std::size_t publishers_told_apart = 1'024;
/// Where the arena is full, room is made in steps: each moves what waits, and costs as much as it is large.
constexpr std::size_t step_fraction = 16;
/// Memory for messages that fit nowhere is kept up to this size.
constexpr std::size_t spare_kept_bytes = 4u << 20;
/// Messages from this size on go into blocks, if there are any.
constexpr std::size_t block_min_bytes = 32u << 10;
constexpr std::size_t arena_max_bytes = (1ull << 32) - 4'096;
}  // namespace

/// One subscription with what waits of it.
struct Receiver::Source final : Listener {
  Source(Receiver& owner, std::unique_ptr<Subscription> taken_from, const Limits& its_limits)
      : receiver(owner), subscription(std::move(taken_from)), limits(its_limits) {}

  void ready() noexcept override {
    if (!is_ready.exchange(true)) receiver.announce(queue.id);
  }

  Receiver& receiver;
  std::unique_ptr<Subscription> subscription;
  Limits limits;
  std::uint32_t predecessor = 0;
  Queue queue;
  std::atomic<bool> is_ready{false};
  /// What to expect of the next message.
  std::size_t last_length = 0;
  Gid last_gid{};
  std::uint32_t last_gid_index = 0;
  /// The number of the last message, by publisher.
  std::unordered_map<std::uint32_t, std::uint64_t> last_sequences;
  std::array<Drops, drop_reasons> drops{};
  /// What the middleware lost, by publisher.
  std::map<std::uint32_t, Drops> lost;
  bool has_drops = false;
};

/// Memory for the message being taken: a block, a free piece of the arena, or the spare memory.
class Receiver::Place final : public Room {
 public:
  Place(Receiver& receiver, std::size_t expected) : receiver_(receiver) {
    std::lock_guard<std::mutex> lock(receiver_.state_);
    if (use_block(expected)) return;
    Piece piece = receiver_.arena_.find(Arena::record_bytes(expected));
    if (piece.position == no_position) piece = receiver_.arena_.largest();
    use_piece(piece);
  }

  ~Place() override {
    if (block == no_block) return;
    std::lock_guard<std::mutex> lock(receiver_.state_);
    receiver_.blocks_.give(block);
  }

  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::uint8_t* grow(std::size_t bytes) noexcept override {
    asked = std::max(asked, bytes);
    if (bytes <= capacity) return data;
    {
      std::lock_guard<std::mutex> lock(receiver_.state_);
      if (use_block(bytes)) return data;
      const Piece piece = receiver_.arena_.find(Arena::record_bytes(bytes));
      if (piece.position != no_position) {
        use_piece(piece);
        return data;
      }
    }
    try {
      if (receiver_.spare_.size() < bytes) receiver_.spare_.resize(bytes);
    } catch (const std::exception&) {
      return nullptr;
    }
    position = no_position;
    data = receiver_.spare_.data();
    capacity = receiver_.spare_.size();
    return data;
  }

  /// The block that holds the message becomes the receiver's.
  std::uint32_t keep_block() { return std::exchange(block, no_block); }

  /// In the arena; none: in the block or in the spare memory.
  std::uint64_t position = no_position;
  std::uint32_t block = no_block;
  std::size_t asked = 0;

 private:
  bool use_block(std::size_t bytes) {
    const std::uint32_t found = bytes < block_min_bytes ? no_block : receiver_.blocks_.take(bytes);
    if (found == no_block) return false;
    if (block != no_block) receiver_.blocks_.give(block);
    block = found;
    position = no_position;
    data = receiver_.blocks_.data(found);
    capacity = receiver_.blocks_.capacity(found);
    return true;
  }

  void use_piece(const Piece& piece) {
    position = piece.position;
    data = position == no_position ? nullptr : receiver_.arena_.payload(position);
    capacity = position == no_position ? 0 : piece.bytes - Arena::header_bytes;
  }

  Receiver& receiver_;
};

/// Memory of its own for a message that is stored later.
class Receiver::Held final : public Room {
 public:
  std::uint8_t* grow(std::size_t bytes) noexcept override {
    asked = std::max(asked, bytes);
    try {
      bytes_.resize(std::max(bytes, bytes_.size()));
    } catch (const std::exception&) {
      return nullptr;
    }
    data = bytes_.data();
    capacity = bytes_.size();
    return data;
  }

  std::size_t asked = 0;

 private:
  std::vector<std::uint8_t> bytes_;
};

Receiver::Receiver(ReceiverOptions options)
    : options_(std::move(options)),
      arena_(std::min(options_.arena_bytes, arena_max_bytes)),
      thread_([this] { run(); }) {}

Receiver::~Receiver() { stop(); }

Receiver::Source* Receiver::find(std::uint32_t id) {
  const auto found = sources_.find(id);
  return found == sources_.end() ? nullptr : found->second.get();
}

std::uint32_t Receiver::open(std::unique_ptr<Subscription> subscription, const Limits& limits,
                             std::uint32_t predecessor) {
  auto source = std::make_unique<Source>(*this, std::move(subscription), limits);
  Source* const opened = source.get();
  std::uint32_t id = 0;
  {
    std::lock_guard<std::mutex> lock(state_);
    id = opened->queue.id = ++last_id_;
    opened->predecessor = predecessor;
    sources_.emplace(id, std::move(source));
  }
  {
    std::lock_guard<std::mutex> lock(ready_);
    // So that announcing, which must not fail, never allocates.
    ready_ids_.reserve(ready_ids_.size() + sources_.size() + 64);
  }
  opened->subscription->listen(opened);
  // What came before it listened is not announced by every middleware.
  opened->ready();
  return id;
}

bool Receiver::close(std::uint32_t id) {
  TurnGate::Caller caller(gate_);
  std::unique_ptr<Source> closed;
  {
    std::lock_guard<std::mutex> lock(state_);
    const auto found = sources_.find(id);
    if (found == sources_.end()) return false;
    closed = std::move(found->second);
    sources_.erase(found);
    while (closed->queue.messages > 0) drop_oldest(*closed);
    move_drops(*closed, past_drops_);
  }
  closed->subscription->listen(nullptr);
  return true;
}

bool Receiver::limit(std::uint32_t id, const Limits& limits) {
  std::lock_guard<std::mutex> lock(state_);
  Source* const source = find(id);
  if (source != nullptr) source->limits = limits;
  return source != nullptr;
}

std::size_t Receiver::drain(std::uint32_t id, std::size_t max_messages) {
  TurnGate::Caller caller(gate_);
  Source* source = nullptr;
  {
    std::lock_guard<std::mutex> lock(state_);
    source = find(id);
  }
  return source == nullptr ? 0 : turn(*source, max_messages, SIZE_MAX).messages;
}

void Receiver::take_batch(Batch& batch, std::size_t max_messages, std::size_t max_bytes) {
  batch.number = 0;
  batch.messages.clear();
  batch.drops.clear();
  std::lock_guard<std::mutex> lock(state_);
  std::size_t bytes = 0;
  while (batch.messages.size() < max_messages) {
    const Record* const peeked = arena_.peek();
    if (peeked == nullptr || (bytes > 0 && bytes + peeked->length > max_bytes)) break;
    std::uint64_t position = 0;
    const Record& record = *arena_.next(position);
    bytes += record.length;
    batch.messages.push_back({record.queue->id,
                              arena_.offset_of(position) + static_cast<std::uint32_t>(Arena::header_bytes),
                              record.length, record.gid, record.received_ns, record.source_ns,
                              record.sequence, record.block});
    if (record.block != no_block) blocks_.remove(record.block);
  }
  if (!batch.messages.empty()) batch.number = arena_.close_batch();
  if (drops_wait_) {
    batch.drops.swap(past_drops_);
    for (auto& [id, source] : sources_) move_drops(*source, batch.drops);
    drops_wait_ = false;
  }
  batch.more = arena_.waiting_messages() > 0;
  // With more to come the caller goes on by itself.
  woken_ = batch.more;
  handed_over_at_ = Steady::now();
}

bool Receiver::release(std::uint64_t batch) {
  std::lock_guard<std::mutex> lock(state_);
  return arena_.release(batch);
}

std::uint32_t Receiver::add_block(std::uint8_t* data, std::size_t capacity) {
  std::lock_guard<std::mutex> lock(state_);
  return blocks_.add(data, capacity);
}

std::vector<std::uint32_t> Receiver::trim_blocks() {
  std::vector<std::uint32_t> removed;
  std::lock_guard<std::mutex> lock(state_);
  blocks_.trim(removed);
  return removed;
}

Gid Receiver::gid(std::uint32_t index) {
  std::lock_guard<std::mutex> lock(state_);
  return gids_.gid(index);
}

Receiver::Totals Receiver::totals() {
  std::lock_guard<std::mutex> lock(state_);
  Totals totals = totals_;
  totals.used_bytes = arena_.used();
  totals.waiting_messages = arena_.waiting_messages();
  return totals;
}

std::string Receiver::failure() {
  std::lock_guard<std::mutex> lock(state_);
  return failure_;
}

void Receiver::stop(bool abandon) {
  {
    std::lock_guard<std::mutex> lock(ready_);
    stopping_ = true;
  }
  ready_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::map<std::uint32_t, std::unique_ptr<Source>> sources;
  {
    std::lock_guard<std::mutex> lock(state_);
    for (auto& [id, source] : sources_) arena_.drop_all(source->queue);
    sources.swap(sources_);
  }
  for (auto& [id, source] : sources) {
    source->subscription->listen(nullptr);
    if (abandon) source->subscription.release();
  }
}

// ---- the receiver's thread ----

void Receiver::run() noexcept {
  try {
    loop();
  } catch (const std::exception& error) {
    {
      std::lock_guard<std::mutex> lock(state_);
      failure_ = error.what();
    }
    options_.on_waiting();
  }
}

void Receiver::loop() {
  std::vector<std::uint32_t> ids;
  while (wait_for_ready(ids)) {
    const auto began = Steady::now();
    bool took_all = true;
    for (const std::uint32_t id : ids) {
      TurnGate::Turn turn_of_thread(gate_);
      Source* source = nullptr;
      {
        std::lock_guard<std::mutex> lock(state_);
        source = find(id);
      }
      if (source == nullptr) continue;
      // Before it takes: what comes from here on announces itself again.
      source->is_ready.store(false);
      if (turn(*source, turn_messages, turn_bytes).emptied) continue;
      took_all = false;
      source->ready();
    }
    wake_if_due();
    if (ids.empty() || !took_all) continue;
    // Waking up for each message costs more than the message.
    std::unique_lock<std::mutex> lock(ready_);
    ready_changed_.wait_until(lock, began + options_.take_pace, [this] { return stopping_; });
  }
}

/// False: it is to end.
bool Receiver::wait_for_ready(std::vector<std::uint32_t>& ids) {
  std::unique_lock<std::mutex> lock(ready_);
  ids.clear();
  const auto is_over = [this] { return stopping_ || !ready_ids_.empty(); };
  is_waiting_ = true;
  if (wake_is_due_later_) ready_changed_.wait_until(lock, wake_at_, is_over);
  else ready_changed_.wait(lock, is_over);
  is_waiting_ = false;
  // Both keep their memory.
  ids.assign(ready_ids_.begin(), ready_ids_.end());
  ready_ids_.clear();
  return !stopping_;
}

/// On any thread of the middleware.
void Receiver::announce(std::uint32_t id) noexcept {
  bool is_waited_for = false;
  {
    std::lock_guard<std::mutex> lock(ready_);
    ready_ids_.push_back(id);
    is_waited_for = is_waiting_;
  }
  if (is_waited_for) ready_changed_.notify_one();
}

void Receiver::wake_if_due() {
  const auto now = Steady::now();
  {
    std::lock_guard<std::mutex> lock(state_);
    wake_is_due_later_ = false;
    if (woken_ || (arena_.waiting_messages() == 0 && !drops_wait_)) return;
    const bool is_much = arena_.waiting_bytes() >= arena_.capacity() / 8;
    if (!is_much && now < handed_over_at_ + options_.wake_pace) {
      wake_at_ = handed_over_at_ + options_.wake_pace;
      wake_is_due_later_ = true;
      return;
    }
    woken_ = true;
  }
  options_.on_waiting();
}

// ---- whoever has the gate ----

Receiver::Turned Receiver::turn(Source& source, std::size_t max_messages, std::size_t max_bytes) {
  Source* before = nullptr;
  if (source.predecessor != 0) {
    std::lock_guard<std::mutex> lock(state_);
    before = find(source.predecessor);
    if (before == nullptr) source.predecessor = 0;
  }
  Turned turned;
  std::size_t bytes = 0;
  int failures = 0;
  while (turned.messages < max_messages && bytes < max_bytes) {
    const Take result = before == nullptr ? take_one(source, bytes) : take_behind(*before, source, bytes);
    if (result == Take::message) {
      turned.messages++;
      failures = 0;
    } else if (result == Take::empty || ++failures == failures_in_a_row) {
      turned.emptied = true;
      break;
    }
  }
  return turned;
}

/// What both have must come from the former one: the new one lacks what was sent before it was there. So the message is
/// taken first, and stored behind everything that the former one had by then. A look at the former one before would not
/// do, because both may get a message in between.
Take Receiver::take_behind(Source& before, Source& source, std::size_t& bytes) {
  Held held;
  std::size_t length = 0;
  MessageInfo info;
  const Take result = source.subscription->take(held, length, info);
  if (result == Take::failed) {
    count_failure(source, held.asked, held.capacity);
  } else {
    turn(before, predecessor_messages, SIZE_MAX);
    if (result == Take::message) {
      bytes += length;
      store(source, held.data, length, info, nullptr);
    }
  }
  return result;
}

Take Receiver::take_one(Source& source, std::size_t& bytes) {
  Place place(*this, source.last_length);
  std::size_t length = 0;
  MessageInfo info;
  const Take result = source.subscription->take(place, length, info);
  if (result == Take::message) {
    bytes += length;
    store(source, place.data, length, info, &place);
  } else if (result == Take::failed) {
    count_failure(source, place.asked, place.capacity);
  }
  if (spare_.size() > spare_kept_bytes) std::vector<std::uint8_t>().swap(spare_);
  return result;
}

/// If the middleware asked for more memory than there was, it has given the message up.
void Receiver::count_failure(Source& source, std::size_t asked, std::size_t capacity) {
  std::lock_guard<std::mutex> lock(state_);
  totals_.failures++;
  if (asked > capacity) drop(source, DropReason::memory_limit, asked, options_.now());
}

/// `place` has the message, unless it lies elsewhere, at `data`.
void Receiver::store(Source& source, const std::uint8_t* data, std::size_t length, const MessageInfo& info,
                     Place* place) {
  const std::int64_t received_ns = options_.now();
  std::lock_guard<std::mutex> lock(state_);
  totals_.taken++;
  source.last_length = length;
  if (source.last_gid_index == 0 || source.last_gid != info.gid) {
    source.last_gid = info.gid;
    source.last_gid_index = gids_.index_of(info.gid);
  }
  count_lost(source, info.sequence, received_ns);
  if (!fits_queue(source, length, received_ns)) return;
  // A block for a message that became small is worth more to the next large one.
  const bool is_in_block =
      place != nullptr && place->block != no_block && data == blocks_.data(place->block) && length >= block_min_bytes;
  std::uint64_t position = place == nullptr ? no_position : place->position;
  if (position == no_position) {
    const std::size_t stored = is_in_block ? 0 : length;
    position = make_room(source, stored);
    if (position == no_position) {
      drop(source, DropReason::memory_limit, length, received_ns);
      return;
    }
    if (stored > 0) std::memcpy(arena_.payload(position), data, stored);
  }
  Record facts{};
  facts.length = static_cast<std::uint32_t>(length);
  facts.gid = source.last_gid_index;
  facts.received_ns = received_ns;
  facts.source_ns = info.source_ns;
  facts.sequence = info.sequence;
  facts.block = is_in_block ? place->keep_block() : no_block;
  arena_.append(position, source.queue, facts);
}

/// Makes room within the limit of the subscription. False: the message was dropped.
bool Receiver::fits_queue(Source& source, std::size_t length, std::int64_t received_ns) {
  const std::size_t largest = std::min(source.limits.max_bytes, arena_.capacity() - Arena::header_bytes);
  if (length > largest) {
    drop(source, DropReason::too_large, length, received_ns);
    return false;
  }
  while (source.queue.messages > 0 && source.queue.bytes + length > source.limits.max_bytes) {
    if (source.limits.policy == DropPolicy::newest) {
      drop(source, DropReason::queue_newest, length, received_ns);
      return false;
    }
    const Record& oldest = drop_oldest(source);
    drop(source, DropReason::queue_oldest, oldest.length, oldest.received_ns);
  }
  return true;
}

/// Valid until the next call.
const Record& Receiver::drop_oldest(Source& source) {
  const Record& oldest = arena_.drop_oldest(source.queue);
  if (oldest.block != no_block) blocks_.give(oldest.block);
  return oldest;
}

/// Room for a message where there was none: what waits moves together, and the oldest messages of the fullest
/// subscription of the lowest class, not above the newcomer's, give way. None: nobody can.
std::uint64_t Receiver::make_room(const Source& source, std::size_t length) {
  const std::size_t needed = Arena::record_bytes(length);
  // What is handed over cannot move: nobody is to give way for nothing.
  if (!arena_.could_hold(needed)) return no_position;
  const std::size_t step = std::max(needed, arena_.capacity() / step_fraction);
  Piece piece = arena_.find(needed);
  if (piece.position == no_position && arena_.wasted() >= step) {
    arena_.compact();
    totals_.compactions++;
    piece = arena_.find(needed);
  }
  while (piece.position == no_position) {
    std::size_t given = 0;
    while (given < step) {
      Source* const fullest = victim(source.limits.priority);
      if (fullest == nullptr) break;
      const Record& oldest = drop_oldest(*fullest);
      given += oldest.bytes;
      drop(*fullest, DropReason::memory_limit, oldest.length, oldest.received_ns);
    }
    if (given == 0) return no_position;
    arena_.compact();
    totals_.compactions++;
    piece = arena_.find(needed);
  }
  return piece.position;
}

Receiver::Source* Receiver::victim(std::uint8_t priority) {
  Source* chosen = nullptr;
  for (auto& [id, source] : sources_) {
    if (source->queue.messages == 0 || source->limits.priority > priority) continue;
    const bool is_lower = chosen != nullptr && source->limits.priority < chosen->limits.priority;
    const bool is_fuller = chosen != nullptr && source->limits.priority == chosen->limits.priority &&
                           source->queue.arena_bytes > chosen->queue.arena_bytes;
    if (chosen == nullptr || is_lower || is_fuller) chosen = source.get();
  }
  return chosen;
}

/// Every number of a publisher that was skipped is a message that the middleware lost.
void Receiver::count_lost(Source& source, std::uint64_t sequence, std::int64_t received_ns) {
  // Publishers beyond those that are told apart have number 0.
  if (sequence == no_sequence || source.last_gid_index == 0) return;
  if (source.last_sequences.size() >= publishers_told_apart) source.last_sequences.clear();
  const auto [known, is_first] = source.last_sequences.try_emplace(source.last_gid_index, sequence);
  if (is_first || sequence <= known->second) return;
  const std::uint64_t missing = sequence - known->second - 1;
  known->second = sequence;
  // While a predecessor hears the same publishers, it alone counts.
  if (missing == 0 || source.predecessor != 0) return;
  const bool is_apart = source.lost.count(source.last_gid_index) > 0 || source.lost.size() < publishers_told_apart;
  Drops& lost = source.lost[is_apart ? source.last_gid_index : 0];
  lost.gid = is_apart ? source.last_gid_index : 0;
  if (is_apart) {
    if (lost.messages == 0) lost.first_sequence = sequence - missing;
    lost.last_sequence = sequence - 1;
  }
  count(source, lost, DropReason::middleware_lost, received_ns, missing);
  totals_.lost += missing;
}

void Receiver::drop(Source& source, DropReason reason, std::size_t length, std::int64_t received_ns) {
  Drops& drops = source.drops[static_cast<std::size_t>(reason)];
  drops.bytes += length;
  count(source, drops, reason, received_ns, 1);
  totals_.dropped++;
}

void Receiver::count(const Source& source, Drops& drops, DropReason reason, std::int64_t received_ns,
                     std::uint64_t messages) {
  if (drops.messages == 0) {
    drops.subscription = source.queue.id;
    drops.reason = reason;
    drops.first_ns = drops.last_ns = received_ns;
  }
  drops.messages += messages;
  drops.first_ns = std::min(drops.first_ns, received_ns);
  drops.last_ns = std::max(drops.last_ns, received_ns);
  drops_wait_ = true;
}

void Receiver::move_drops(Source& source, std::vector<Drops>& target) {
  for (Drops& each : source.drops) {
    if (each.messages > 0) target.push_back(each);
    each = Drops{};
  }
  for (const auto& [gid, each] : source.lost) target.push_back(each);
  source.lost.clear();
}

}  // namespace holdfast
