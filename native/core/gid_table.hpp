// Publishers by number: messages carry the number.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "middleware.hpp"

namespace holdfast {

class GidTable {
 public:
  /// Publishers beyond these are not told apart: they all have number 0, which no known publisher has.
  static constexpr std::size_t max_gids = 65'536;

  GidTable() : gids_(1) {}

  std::uint32_t index_of(const Gid& gid) {
    const auto found = indices_.find(gid);
    if (found != indices_.end()) return found->second;
    if (gids_.size() >= max_gids) return 0;
    const auto index = static_cast<std::uint32_t>(gids_.size());
    gids_.push_back(gid);
    indices_.emplace(gid, index);
    return index;
  }

  Gid gid(std::uint32_t index) const { return index < gids_.size() ? gids_[index] : Gid{}; }

 private:
  std::map<Gid, std::uint32_t> indices_;
  std::vector<Gid> gids_;
};

}  // namespace holdfast
