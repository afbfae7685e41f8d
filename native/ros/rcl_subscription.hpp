// A subscription of rcl that gives serialized messages.
#pragma once

#include <rcl/node.h>

#include <memory>
#include <string>

#include "../core/middleware.hpp"

namespace holdfast {

struct RclQos {
  int history = 0;
  std::size_t depth = 0;
  int reliability = 0;
  int durability = 0;
  int liveliness = 0;
};

struct RclType {
  std::string package;
  /// `msg`, `srv` or `action`.
  std::string folder;
  std::string name;
};

/// Subscribes with a node, which must outlive the subscription. Throws std::runtime_error if the type support is not
/// installed, or with what the middleware says.
std::unique_ptr<Subscription> subscribe(rcl_node_t* node, const RclType& type, const std::string& topic,
                                        const RclQos& qos);

}  // namespace holdfast
