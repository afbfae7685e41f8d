// The publisher of a message, as the graph knows it.
#pragma once

#include <rcl/node.h>

#include <cstdint>

#include "../core/middleware.hpp"

namespace holdfast {

/// Finds the identifier that the graph has of a publisher, from the one that its messages have. These are the same,
/// but for Cyclone DDS, whose messages have a handle that is only valid in this process.
class EndpointGids {
 public:
  /// The node must outlive it.
  explicit EndpointGids(const rcl_node_t* node);

  /// False: the publisher is gone, or cannot be told. Not for several threads at a time.
  bool find(const Gid& of_message, Gid& endpoint);

 private:
  struct Cyclone;

  bool open_reader(const Cyclone& cyclone);

  const rcl_node_t* const node_;
  const bool is_cyclone_;
  /// Of Cyclone DDS; ends with the participant.
  std::int32_t reader_ = 0;
};

}  // namespace holdfast
