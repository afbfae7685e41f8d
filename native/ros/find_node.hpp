// The rcl node behind a node of rclnodejs, which shares it with nobody by its interface.
#pragma once

#include <rcl/node.h>

#include <string>

namespace holdfast {

/// `context` and `node` are what rclnodejs wrapped in its handles: objects of a class whose layout belongs to it, and
/// that hold, somewhere, the pointers to the rcl structures. They are looked for, with reads that cannot fault, and are
/// found only if the node refers to the context and has this name. Throws std::runtime_error if not.
rcl_node_t* find_node(const void* context, const void* node, const std::string& name);

}  // namespace holdfast
