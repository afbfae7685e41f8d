// What the receiver needs of a middleware. Nothing here knows ROS or Node.js, so that a fake one can stand in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace holdfast {

/// rmw's publisher identifiers have 16 bytes, 24 up to Humble.
using Gid = std::array<std::uint8_t, 24>;

/// The middleware does not number the messages of a publisher.
constexpr std::uint64_t no_sequence = UINT64_MAX;

struct MessageInfo {
  /// Nanoseconds since the Unix epoch, by the publisher's clock; 0: not known.
  std::int64_t source_ns = 0;
  /// The publisher's own number of the message.
  std::uint64_t sequence = no_sequence;
  Gid gid{};
};

/// Memory for one message. It belongs to the receiver.
class Room {
 public:
  virtual ~Room() = default;

  /// Where the message goes, unless it needs more than `capacity`.
  std::uint8_t* data = nullptr;
  std::size_t capacity = 0;

  /// Other memory for a message of so many bytes, which becomes `data`; nullptr: there is none.
  virtual std::uint8_t* grow(std::size_t bytes) noexcept = 0;
};

enum class Take { message, empty, failed };

/// Told by a middleware, on any of its threads, that messages have come.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void ready() noexcept = 0;
};

/// One subscription. Its destructor unsubscribes.
class Subscription {
 public:
  virtual ~Subscription() = default;

  /// Tells `listener` of what waits and of what comes; nullptr: no more, and when this returns no call is under way.
  virtual void listen(Listener* listener) noexcept = 0;

  /// Takes the next message into `room`. Called by one thread at a time.
  virtual Take take(Room& room, std::size_t& length, MessageInfo& info) noexcept = 0;
};

}  // namespace holdfast
