// Takes the messages of many subscriptions on a thread of its own into one arena, and hands them over in batches.
//
// Three parties: the middleware's threads say that a subscription is ready (`Listener`), the receiver's thread takes,
// the consumer's thread opens, closes, hands over and releases. Locks, in the order they are acquired:
//
//   gate_    who may take; held for one turn of one subscription, so that closing waits for no more than that
//   state_   arena, queues, drops
//   ready_   the list of subscriptions with messages; a leaf, as the middleware calls with locks of its own held
//
// Nothing is allocated per message, except where the arena is full and a message must be seen to be dropped.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "arena.hpp"
#include "blocks.hpp"
#include "gid_table.hpp"
#include "middleware.hpp"
#include "turn_gate.hpp"

namespace holdfast {

enum class DropPolicy : std::uint8_t { oldest, newest };
/// `middleware_lost`: the numbers of a publisher show that messages are missing; their size is not known.
enum class DropReason : std::uint8_t { queue_oldest, queue_newest, memory_limit, too_large, middleware_lost };
/// Without `middleware_lost`, which is counted by publisher.
constexpr std::size_t drop_reasons = 4;

struct Limits {
  /// Payload bytes of a subscription that may wait. One message always may, unless it is larger than this.
  std::size_t max_bytes = SIZE_MAX;
  DropPolicy policy = DropPolicy::oldest;
  /// Where the arena is full, the lowest gives way first: 0 low, 1 normal, 2 high.
  std::uint8_t priority = 1;
};

/// Messages that were not handed over, since they were asked for last.
struct Drops {
  std::uint32_t subscription = 0;
  /// Of `middleware_lost`: whose messages, and the first and the last number that is missing. 0: several publishers.
  std::uint32_t gid = 0;
  std::uint64_t first_sequence = no_sequence;
  std::uint64_t last_sequence = no_sequence;
  DropReason reason = DropReason::queue_oldest;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
};

/// One message of a batch; its bytes lie at the beginning of `block`, or where that is none at `offset` of the arena.
struct Handed {
  std::uint32_t subscription;
  std::uint32_t offset;
  std::uint32_t length;
  std::uint32_t gid;
  std::int64_t received_ns;
  std::int64_t source_ns;
  std::uint64_t sequence;
  /// The consumer's again.
  std::uint32_t block;
};

struct Batch {
  /// To be released; 0: nothing was handed over.
  std::uint64_t number = 0;
  std::vector<Handed> messages;
  std::vector<Drops> drops;
  /// More waits.
  bool more = false;
};

struct ReceiverOptions {
  std::size_t arena_bytes = 64u << 20;
  /// At least so long from one round of taking to the next, and from one hand-over to the next wake-up.
  std::chrono::microseconds take_pace{1'000};
  std::chrono::microseconds wake_pace{2'000};
  /// Called on the receiver's thread when a batch or drops wait; once until the next `take_batch`. Must not wait.
  std::function<void()> on_waiting = [] {};
  /// Nanoseconds since the Unix epoch.
  std::function<std::int64_t()> now;
};

class Receiver {
 public:
  explicit Receiver(ReceiverOptions options);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// Begins to take from it. With a `predecessor`, only what that one does not have at the moment.
  std::uint32_t open(std::unique_ptr<Subscription> subscription, const Limits& limits,
                     std::uint32_t predecessor = 0);
  /// Ends it; what waits of it is given up. On return the middleware has forgotten it. False: there is no such one.
  bool close(std::uint32_t subscription);
  bool limit(std::uint32_t subscription, const Limits& limits);
  /// Takes at once, on the caller's thread, at most so many messages; returns how many it took.
  std::size_t drain(std::uint32_t subscription, std::size_t max_messages);

  /// The next messages in the order they were taken, and what was dropped. At most so many messages, and bytes once
  /// there is one.
  void take_batch(Batch& batch, std::size_t max_messages, std::size_t max_bytes);
  /// The bytes of a batch are not needed any more. In any order. False: there is no such batch.
  bool release(std::uint64_t batch);

  /// Lends memory for one large message, in addition to the arena; returns the number of the block. The memory is used
  /// until a batch or `trim_blocks` returns the number, or until `stop` has returned.
  std::uint32_t add_block(std::uint8_t* data, std::size_t capacity);
  /// Blocks that were not needed since the last call: they are the consumer's again.
  std::vector<std::uint32_t> trim_blocks();

  /// Ends the thread and all subscriptions. With `abandon` they are not told that they end. Idempotent.
  void stop(bool abandon = false);

  std::uint8_t* memory() { return arena_.memory(); }
  std::size_t capacity() const { return arena_.capacity(); }
  Gid gid(std::uint32_t index);

  struct Totals {
    std::uint64_t taken = 0;
    std::uint64_t dropped = 0;
    std::uint64_t lost = 0;
    std::uint64_t failures = 0;
    std::uint64_t compactions = 0;
    std::size_t used_bytes = 0;
    std::size_t waiting_messages = 0;
  };
  Totals totals();
  /// Why the thread ended, if it did so by itself.
  std::string failure();

 private:
  struct Source;
  class Place;
  class Held;

  void run() noexcept;
  void loop();
  bool wait_for_ready(std::vector<std::uint32_t>& ids);
  void announce(std::uint32_t id) noexcept;
  void wake_if_due();
  struct Turned {
    std::size_t messages = 0;
    /// Nothing is left with the middleware.
    bool emptied = false;
  };
  Turned turn(Source& source, std::size_t max_messages, std::size_t max_bytes);
  Take take_one(Source& source, std::size_t& bytes);
  Take take_behind(Source& before, Source& source, std::size_t& bytes);
  void count_failure(Source& source, std::size_t asked, std::size_t capacity);
  void store(Source& source, const std::uint8_t* data, std::size_t length, const MessageInfo& info, Place* place);
  const Record& drop_oldest(Source& source);
  bool fits_queue(Source& source, std::size_t length, std::int64_t received_ns);
  std::uint64_t make_room(const Source& source, std::size_t length);
  Source* victim(std::uint8_t priority);
  void count_lost(Source& source, std::uint64_t sequence, std::int64_t received_ns);
  static void move_drops(Source& source, std::vector<Drops>& target);
  void drop(Source& source, DropReason reason, std::size_t length, std::int64_t received_ns);
  void count(const Source& source, Drops& drops, DropReason reason, std::int64_t received_ns,
             std::uint64_t messages);
  Source* find(std::uint32_t id);

  const ReceiverOptions options_;

  TurnGate gate_;

  std::mutex state_;
  Arena arena_;
  Blocks blocks_;
  GidTable gids_;
  std::map<std::uint32_t, std::unique_ptr<Source>> sources_;
  /// Of sources that were closed.
  std::vector<Drops> past_drops_;
  std::uint32_t last_id_ = 0;
  bool drops_wait_ = false;
  bool woken_ = false;
  std::chrono::steady_clock::time_point handed_over_at_{};
  Totals totals_;
  std::string failure_;

  std::mutex ready_;
  std::condition_variable ready_changed_;
  std::vector<std::uint32_t> ready_ids_;
  bool is_waiting_ = false;
  bool stopping_ = false;

  /// When to wake the consumer, if it is to be woken later. Of the receiver's thread.
  std::chrono::steady_clock::time_point wake_at_{};
  bool wake_is_due_later_ = false;
  /// For messages that fit nowhere; of whoever has the gate.
  std::vector<std::uint8_t> spare_;
  std::thread thread_;
};

}  // namespace holdfast
