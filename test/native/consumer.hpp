// The other side of a receiver: takes batches when it is woken, checks every byte, and counts.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fake_middleware.hpp"

namespace harness {

#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);           \
      std::exit(1);                                                                          \
    }                                                                                        \
  } while (false)

using holdfast::Batch;
using holdfast::Drops;
using holdfast::Handed;
using holdfast::Limits;
using holdfast::Receiver;
using holdfast::ReceiverOptions;

/// What came of one topic.
struct Seen {
  std::vector<std::uint64_t> numbers;
  std::uint64_t bytes = 0;
  std::uint64_t dropped = 0;
  std::uint64_t dropped_bytes = 0;
  std::map<holdfast::DropReason, std::uint64_t> reasons;
  /// Numbers that the middleware lost.
  std::uint64_t first_lost = UINT64_MAX;
  std::uint64_t last_lost = 0;
};

class Consumer {
 public:
  explicit Consumer(std::size_t arena_bytes) : receiver(options(arena_bytes)) {}

  std::shared_ptr<FakeTopic> topic(const Limits& limits = {}) {
    auto made = std::make_shared<FakeTopic>(static_cast<std::uint32_t>(topics_.size() + 1));
    topics_.push_back(made);
    open(made, limits);
    return made;
  }

  std::uint32_t open(const std::shared_ptr<FakeTopic>& topic, const Limits& limits = {},
                     std::uint32_t predecessor = 0) {
    const auto id =
        receiver.open(std::make_unique<FakeSubscription>(topic), limits, predecessor);
    topic_of_[id] = topic->id;
    id_of_[topic->id] = id;
    return id;
  }

  std::uint32_t id_of(const FakeTopic& topic) { return id_of_[topic.id]; }
  Seen& seen(const FakeTopic& topic) { return seen_[topic.id]; }

  /// Lends memory for a large message.
  void lend(std::size_t bytes) {
    auto memory = std::make_unique<std::uint8_t[]>(bytes);
    std::uint8_t* const data = memory.get();
    const std::uint32_t number = receiver.add_block(data, bytes);
    CHECK(lent_.emplace(number, Lent{std::move(memory), bytes}).second);
  }

  /// Takes back what was not needed; returns how many blocks.
  std::size_t trim() {
    const auto removed = receiver.trim_blocks();
    // Freed at once: the receiver must not use it any more.
    for (const std::uint32_t number : removed) CHECK(lent_.erase(number) == 1);
    return removed.size();
  }

  std::size_t lent() const { return lent_.size(); }

  /// Takes one batch and checks it; the caller releases it. 0: there was none.
  std::uint64_t take(std::size_t max_messages = 256, std::size_t max_bytes = 1u << 20) {
    receiver.take_batch(batch_, max_messages, max_bytes);
    for (const Handed& message : batch_.messages) {
      check(message);
      Seen& seen = seen_[topic_of_[message.subscription]];
      seen.numbers.push_back(message.sequence);
      seen.bytes += message.length;
    }
    for (const Drops& drops : batch_.drops) {
      CHECK(drops.messages > 0 && drops.first_ns <= drops.last_ns);
      Seen& seen = seen_[topic_of_[drops.subscription]];
      if (drops.reason == holdfast::DropReason::middleware_lost) {
        CHECK(receiver.gid(drops.gid)[0] == static_cast<std::uint8_t>(topic_of_[drops.subscription]));
        CHECK(drops.bytes == 0 && drops.messages <= drops.last_sequence - drops.first_sequence + 1);
        seen.first_lost = std::min(seen.first_lost, drops.first_sequence);
        seen.last_lost = drops.last_sequence;
      }
      seen.dropped += drops.messages;
      seen.dropped_bytes += drops.bytes;
      seen.reasons[drops.reason] += drops.messages;
    }
    return batch_.number;
  }

  void check(const Handed& message) {
    const std::uint32_t topic = topic_of_[message.subscription];
    const std::uint8_t* data = receiver.memory() + message.offset;
    Lent block;
    if (message.block != holdfast::no_block) {
      CHECK(lent_.count(message.block) == 1);
      block = std::move(lent_[message.block]);
      lent_.erase(message.block);
      CHECK(message.length <= block.bytes);
      data = block.memory.get();
      in_blocks++;
    } else CHECK(message.offset + std::size_t{message.length} <= receiver.capacity());
    std::vector<std::uint8_t> pattern(message.length);
    write_pattern(pattern.data(), pattern.size(), topic, message.sequence);
    CHECK(message.length == 0 ||
          std::memcmp(data, pattern.data(), message.length) == 0);
    CHECK(message.source_ns == static_cast<std::int64_t>(message.sequence) + 1);
    CHECK(receiver.gid(message.gid)[0] == static_cast<std::uint8_t>(topic));
    if (block.bytes > 0 && lends_again) lend(block.bytes);
  }

  const Batch& batch() const { return batch_; }

  /// Takes what waits, and from then on only when it was woken, until every message that was published is here or
  /// counted as dropped.
  void run_until_settled() {
    for (;;) {
      while (const std::uint64_t number = take()) CHECK(receiver.release(number));
      if (is_settled()) return;
      wait_for_wake();
    }
  }

  bool is_settled() {
    for (const auto& topic : topics_) {
      if (seen_[topic->id].numbers.size() + seen_[topic->id].dropped < topic->published()) return false;
    }
    return true;
  }

  void wait_for_wake() {
    std::unique_lock<std::mutex> lock(mutex_);
    const bool woken = woken_changed_.wait_for(lock, std::chrono::seconds(60), [this] { return woken_; });
    if (!woken) {
      const auto totals = receiver.totals();
      std::fprintf(stderr, "no wake-up for 60 s: %zu messages wait\n", totals.waiting_messages);
      std::exit(1);
    }
    woken_ = false;
    wakes++;
  }

  /// Waits, without taking a batch, until the middleware has nothing left.
  void wait_until_taken() {
    for (const auto& topic : topics_) {
      while (topic->untaken() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    // The last one may still be on its way into the arena: this waits for the turn under way.
    for (const auto& [topic, id] : id_of_) receiver.drain(id, 0);
  }

  std::uint64_t wakes = 0;
  /// Messages that were taken into a block.
  std::uint64_t in_blocks = 0;
  /// A block is lent again when it came back.
  bool lends_again = false;

 private:
  ReceiverOptions options(std::size_t arena_bytes) {
    ReceiverOptions made;
    made.arena_bytes = arena_bytes;
    made.now = [this] { return ++clock_; };
    made.on_waiting = [this] {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        woken_ = true;
      }
      woken_changed_.notify_all();
    };
    return made;
  }

  struct Lent {
    std::unique_ptr<std::uint8_t[]> memory;
    std::size_t bytes = 0;
  };

  std::map<std::uint32_t, Lent> lent_;
  std::atomic<std::int64_t> clock_{0};
  std::mutex mutex_;
  std::condition_variable woken_changed_;
  bool woken_ = false;
  std::vector<std::shared_ptr<FakeTopic>> topics_;
  std::map<std::uint32_t, std::uint32_t> topic_of_;
  std::map<std::uint32_t, std::uint32_t> id_of_;
  std::map<std::uint32_t, Seen> seen_;
  Batch batch_;

 public:
  /// Last: its thread must not outlive what it uses.
  Receiver receiver;
};

}  // namespace harness
