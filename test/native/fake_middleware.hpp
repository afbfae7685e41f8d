// A middleware for the harness: topics with publishers on threads of their own, and messages that prove themselves.
#pragma once

#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "../../native/core/receiver.hpp"

namespace harness {

using holdfast::Gid;
using holdfast::Listener;
using holdfast::MessageInfo;
using holdfast::Room;
using holdfast::Take;

/// The bytes of message `number` of `topic`, which are hardly ever those of another one. Sanitizers, which would take
/// seconds to watch this memory of one thread, look at what is copied from and compared with it.
__attribute__((no_sanitize("thread", "address", "undefined"))) inline void write_pattern(
    std::uint8_t* data, std::size_t bytes, std::uint32_t topic, std::uint64_t number) {
  for (std::size_t index = 0; index < bytes; index++) {
    data[index] = static_cast<std::uint8_t>(topic * 131 + number * 31 + index * 7 + (index >> 8));
  }
}

struct FakeMessage {
  std::uint64_t number;
  std::size_t bytes;
};

/// What is published on one topic; outlives its subscription, as publishers do.
class FakeTopic {
 public:
  explicit FakeTopic(std::uint32_t number) : id(number) {}

  /// On any thread.
  void publish(std::size_t bytes) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      messages_.push_back({next_number_++, bytes});
    }
    // As middlewares do: listeners are called with a lock of their own held.
    std::lock_guard<std::mutex> lock(listener_mutex_);
    if (listener_ != nullptr) listener_->ready();
  }

  std::uint64_t published() {
    std::lock_guard<std::mutex> lock(mutex_);
    return next_number_;
  }

  std::size_t untaken() {
    std::lock_guard<std::mutex> lock(mutex_);
    return messages_.size();
  }

  void listen(Listener* listener) {
    std::lock_guard<std::mutex> lock(listener_mutex_);
    listener_ = listener;
  }

  /// The middleware loses the next so many messages: they have numbers, and never come.
  void lose(std::uint64_t messages) {
    std::lock_guard<std::mutex> lock(mutex_);
    next_number_ += messages;
  }

  /// The middleware fails to hand out the next so many messages.
  void fail_next(int takes) {
    std::lock_guard<std::mutex> lock(mutex_);
    failing_ = takes;
  }

  /// From now on each take lasts so long.
  void slow_down(std::chrono::microseconds lasting) { lasting_ = lasting; }

  Take take(Room& room, std::size_t& length, MessageInfo& info) {
    if (lasting_.count() > 0) std::this_thread::sleep_for(lasting_);
    FakeMessage message{};
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (failing_ > 0) {
        failing_--;
        return Take::failed;
      }
      if (messages_.empty()) return Take::empty;
      message = messages_.front();
      messages_.pop_front();
    }
    std::uint8_t* const data = room.capacity >= message.bytes ? room.data : room.grow(message.bytes);
    if (data == nullptr && message.bytes > 0) return Take::failed;
    std::vector<std::uint8_t> pattern(message.bytes);
    write_pattern(pattern.data(), pattern.size(), id, message.number);
    if (message.bytes > 0) std::memcpy(data, pattern.data(), message.bytes);
    length = message.bytes;
    info.sequence = message.number;
    info.source_ns = static_cast<std::int64_t>(message.number) + 1;
    info.gid[0] = static_cast<std::uint8_t>(id);
    return Take::message;
  }

  const std::uint32_t id;

 private:
  std::mutex mutex_;
  std::deque<FakeMessage> messages_;
  std::uint64_t next_number_ = 0;
  int failing_ = 0;
  std::chrono::microseconds lasting_{0};
  std::mutex listener_mutex_;
  Listener* listener_ = nullptr;
};

class FakeSubscription final : public holdfast::Subscription {
 public:
  explicit FakeSubscription(std::shared_ptr<FakeTopic> topic) : topic_(std::move(topic)) {}
  void listen(Listener* listener) noexcept override { topic_->listen(listener); }
  Take take(Room& room, std::size_t& length, MessageInfo& info) noexcept override {
    return topic_->take(room, length, info);
  }

 private:
  std::shared_ptr<FakeTopic> topic_;
};

}  // namespace harness
