// The bytes of all messages that were taken and are still needed: a ring of records in the order they came.
//
// Positions count bytes since the start and never wrap; a position's place in memory is its remainder by the
// capacity. A record is contiguous: where one does not fit before the end of the memory, a pad fills it up.
//
//   tail                 cursor                      head
//    | handed over, not   | waiting: live, dead, pads | free ...
//    | released yet       |                           |
//
// Not thread-safe: the receiver locks. The memory of handed-over records never moves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "blocks.hpp"
#include "middleware.hpp"

namespace holdfast {

constexpr std::uint64_t no_position = UINT64_MAX;

/// The waiting records of one subscription, oldest first.
struct Queue {
  std::uint32_t id = 0;
  std::uint64_t first = no_position;
  std::uint64_t last = no_position;
  std::size_t messages = 0;
  /// Payload bytes.
  std::size_t bytes = 0;
  /// Bytes of the records.
  std::size_t arena_bytes = 0;
};

/// In front of every payload, unless the payload lies in a block. Pads have the first two fields alone.
struct Record {
  enum Kind : std::uint32_t { live = 1, dead = 2, pad = 3 };

  /// With this header, a multiple of `Arena::granularity`.
  std::uint32_t bytes;
  std::uint32_t kind;
  std::uint32_t length;
  std::uint32_t gid;
  Queue* queue;
  std::int64_t received_ns;
  std::int64_t source_ns;
  std::uint64_t sequence;
  /// The next one of the same queue.
  std::uint64_t next;
  /// Where the payload lies; none: behind this header.
  std::uint32_t block;
};

/// A contiguous free piece for a record, header included.
struct Piece {
  std::uint64_t position = no_position;
  std::size_t bytes = 0;
};

class Arena {
 public:
  static constexpr std::size_t granularity = 16;
  static constexpr std::size_t header_bytes = 64;

  /// `capacity` is rounded up to a multiple of the granularity. Memory is used only once it is written to.
  explicit Arena(std::size_t capacity);

  std::size_t capacity() const { return capacity_; }
  std::uint8_t* memory() { return memory_.get(); }
  /// Bytes between tail and head.
  std::size_t used() const { return static_cast<std::size_t>(head_ - tail_); }
  /// Bytes of dead records and pads that wait, which `compact` gives back.
  std::size_t wasted() const { return wasted_; }
  std::size_t waiting_messages() const { return waiting_messages_; }
  std::size_t waiting_bytes() const { return waiting_bytes_; }

  /// The whole size of a record with so many bytes behind its header.
  static std::size_t record_bytes(std::size_t length) {
    return (header_bytes + length + granularity - 1) / granularity * granularity;
  }

  /// A free piece of at least so many bytes, before or behind the end of the memory; `position` is none where there is none.
  Piece find(std::size_t bytes);
  /// Whether a record of so many bytes would fit if nothing waited.
  bool could_hold(std::size_t bytes) const;
  /// The larger of the free pieces.
  Piece largest();

  std::uint8_t* payload(std::uint64_t position) { return at(position) + header_bytes; }
  std::uint32_t offset_of(std::uint64_t position) const {
    return static_cast<std::uint32_t>(position % capacity_);
  }

  /// Makes a record of what was written to a piece that `find` or `largest` gave last.
  void append(std::uint64_t position, Queue& queue, const Record& facts);

  /// The oldest record of a queue is not wanted any more. Returns it, valid until the next call.
  const Record& drop_oldest(Queue& queue);

  /// None of a queue's records is wanted any more.
  void drop_all(Queue& queue);

  /// Moves what waits together. Handed-over records stay.
  void compact();

  /// The next waiting record is handed over; nullptr: there is none. It belongs to the batch that is open.
  const Record* next(std::uint64_t& position);
  const Record* peek();

  /// Ends a batch of what `next` gave since the last one; returns its number.
  std::uint64_t close_batch();
  /// Gives the memory of a batch back, in any order. False: there is no such batch.
  bool release(std::uint64_t batch);
  std::size_t open_batches() const { return batches_.size(); }

 private:
  struct Batch {
    std::uint64_t number;
    std::uint64_t begin;
    bool released;
  };

  std::uint8_t* at(std::uint64_t position) { return memory_.get() + position % capacity_; }
  Record& record(std::uint64_t position) { return *reinterpret_cast<Record*>(at(position)); }
  void write_pad(std::uint64_t position, std::size_t bytes);
  void unlink_first(Queue& queue);
  void skip_unwanted();
  void settle_tail();
  void restart_if_empty();

  std::size_t capacity_;
  std::unique_ptr<std::uint8_t[]> memory_;
  std::uint64_t tail_ = 0;
  std::uint64_t cursor_ = 0;
  std::uint64_t head_ = 0;
  std::size_t wasted_ = 0;
  std::size_t waiting_messages_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::deque<Batch> batches_;
  /// Where the batch that is open begins, and whether it has records yet.
  std::uint64_t batch_begin_ = 0;
  bool batch_has_records_ = false;
  std::uint64_t next_batch_ = 1;
};

static_assert(sizeof(Record) <= Arena::header_bytes, "the header has its place");

}  // namespace holdfast
