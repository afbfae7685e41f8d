// Memory that the consumer lends for large messages: the middleware writes a message straight into a block, and the
// consumer gets the block back with the message in it, without a copy.
//
// A block is free, or a message is being taken into it or waits in it. It is the consumer's again once its message was
// handed over, once `trim` has named it, or once the receiver has stopped.
//
// Not thread-safe: the receiver locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

namespace holdfast {

/// Blocks have numbers from 1 on.
constexpr std::uint32_t no_block = 0;

class Blocks {
 public:
  /// Memory that may be used from now on; returns its number. It is free.
  std::uint32_t add(std::uint8_t* data, std::size_t capacity);

  /// A free block for so many bytes, the smallest one, and at most twice as large; none where there is none.
  std::uint32_t take(std::size_t bytes);

  /// A block that `take` gave is free again; the message in it was dropped.
  void give(std::uint32_t number);

  /// A block that `take` gave is the consumer's again, with its message.
  void remove(std::uint32_t number);

  /// Forgets the blocks that stayed free since the last call, and adds their numbers to `removed`.
  void trim(std::vector<std::uint32_t>& removed);

  std::uint8_t* data(std::uint32_t number) { return blocks_.at(number).data; }
  std::size_t capacity(std::uint32_t number) const { return blocks_.at(number).capacity; }

 private:
  struct Block {
    std::uint8_t* data;
    std::size_t capacity;
  };
  /// The free blocks of one capacity.
  struct Shelf {
    std::vector<std::uint32_t> free;
    /// The fewest since the last trim: so many were not needed.
    std::size_t fewest = 0;
  };

  /// A number is not given again while its block is here, or soon after: the consumer may not have seen it yet.
  std::unordered_map<std::uint32_t, Block> blocks_;
  std::uint32_t last_number_ = no_block;
  std::map<std::size_t, Shelf> shelves_;
};

}  // namespace holdfast
