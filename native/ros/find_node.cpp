#include "find_node.hpp"

#include <rcl/context.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

namespace holdfast {

namespace {

/// So far into the wrapped object the pointer is looked for.
constexpr std::size_t object_bytes = 256;

/// Reads a pointer of this process; false where there is no memory.
bool read_pointer(const void* from, void*& value) {
  iovec local{&value, sizeof value};
  iovec remote{const_cast<void*>(from), sizeof value};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(sizeof value);
}

}  // namespace

rcl_node_t* find_node(const void* context, const void* node, const std::string& name) {
  for (std::size_t offset = 0; offset < object_bytes; offset += sizeof(void*)) {
    void* rcl_context = nullptr;
    void* rcl_node = nullptr;
    if (!read_pointer(static_cast<const std::uint8_t*>(context) + offset, rcl_context)) break;
    if (!read_pointer(static_cast<const std::uint8_t*>(node) + offset, rcl_node)) break;
    if (rcl_context == nullptr || rcl_node == nullptr) continue;
    // The first member of rcl_node_t is its context.
    void* of_node = nullptr;
    if (!read_pointer(rcl_node, of_node) || of_node != rcl_context) continue;
    auto* const found = static_cast<rcl_node_t*>(rcl_node);
    if (!rcl_context_is_valid(static_cast<rcl_context_t*>(rcl_context)) || !rcl_node_is_valid(found)) continue;
    const char* const its_name = rcl_node_get_name(found);
    if (its_name != nullptr && name == its_name) return found;
  }
  throw std::runtime_error("the node " + name + " was not found behind its handle of rclnodejs");
}

}  // namespace holdfast
