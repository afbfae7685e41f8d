#include "blocks.hpp"

#include <algorithm>

namespace holdfast {

std::uint32_t Blocks::add(std::uint8_t* data, std::size_t capacity) {
  do last_number_++;
  while (last_number_ == no_block || blocks_.count(last_number_) > 0);
  blocks_.emplace(last_number_, Block{data, capacity});
  shelves_[capacity].free.push_back(last_number_);
  return last_number_;
}

std::uint32_t Blocks::take(std::size_t bytes) {
  for (auto shelf = shelves_.lower_bound(bytes); shelf != shelves_.end() && shelf->first / 2 <= bytes; ++shelf) {
    std::vector<std::uint32_t>& free = shelf->second.free;
    if (free.empty()) continue;
    const std::uint32_t number = free.back();
    free.pop_back();
    shelf->second.fewest = std::min(shelf->second.fewest, free.size());
    return number;
  }
  return no_block;
}

void Blocks::give(std::uint32_t number) { shelves_[capacity(number)].free.push_back(number); }

void Blocks::remove(std::uint32_t number) { blocks_.erase(number); }

void Blocks::trim(std::vector<std::uint32_t>& removed) {
  for (auto& [capacity, shelf] : shelves_) {
    // The last ones are in use again and again; the first ones were not.
    const auto end = shelf.free.begin() + static_cast<std::ptrdiff_t>(shelf.fewest);
    for (auto each = shelf.free.begin(); each != end; ++each) {
      remove(*each);
      removed.push_back(*each);
    }
    shelf.free.erase(shelf.free.begin(), end);
    shelf.fewest = shelf.free.size();
  }
}

}  // namespace holdfast
