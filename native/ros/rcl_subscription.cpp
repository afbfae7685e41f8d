#include "rcl_subscription.hpp"

#include <dlfcn.h>
#include <rcl/error_handling.h>
#include <rcl/subscription.h>
#include <rmw/types.h>
#include <rosidl_runtime_c/message_type_support_struct.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace holdfast {

namespace {

/// The error of this thread, which is reset.
std::string take_error() {
  const std::string text = rcl_error_is_set() ? rcl_get_error_string().str : "unknown error";
  rcl_reset_error();
  return text;
}

/// The library stays loaded, as subscriptions and the middleware refer to it.
const rosidl_message_type_support_t* type_support(const RclType& type) {
  const std::string library = "lib" + type.package + "__rosidl_typesupport_c.so";
  void* const handle = dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  const std::string symbol = "rosidl_typesupport_c__get_message_type_support_handle__" + type.package +
                             "__" + type.folder + "__" + type.name;
  using Get = const rosidl_message_type_support_t* (*)();
  const auto get = reinterpret_cast<Get>(dlsym(handle, symbol.c_str()));
  if (get == nullptr) throw std::runtime_error(library + " has no " + type.name);
  return get();
}

// The allocator of a message that is being taken: its memory is the room of the receiver.

void* room_allocate(std::size_t bytes, void* state) { return static_cast<Room*>(state)->grow(bytes); }

void room_deallocate(void*, void*) {}

void* room_reallocate(void*, std::size_t bytes, void* state) {
  return static_cast<Room*>(state)->grow(bytes);
}

void* room_zero_allocate(std::size_t count, std::size_t bytes, void* state) {
  void* const data = static_cast<Room*>(state)->grow(count * bytes);
  if (data != nullptr) std::memset(data, 0, count * bytes);
  return data;
}

void tell(const void* listener, std::size_t) {
  const_cast<Listener*>(static_cast<const Listener*>(listener))->ready();
}

class RclSubscription final : public Subscription {
 public:
  RclSubscription(rcl_node_t* node, const RclType& type, const std::string& topic, const RclQos& qos)
      : node_(node), subscription_(rcl_get_zero_initialized_subscription()) {
    const rosidl_message_type_support_t* const support = type_support(type);
    rcl_subscription_options_t options = rcl_subscription_get_default_options();
    options.qos.history = static_cast<rmw_qos_history_policy_t>(qos.history);
    options.qos.depth = qos.depth;
    options.qos.reliability = static_cast<rmw_qos_reliability_policy_t>(qos.reliability);
    options.qos.durability = static_cast<rmw_qos_durability_policy_t>(qos.durability);
    options.qos.liveliness = static_cast<rmw_qos_liveliness_policy_t>(qos.liveliness);
    const rcl_ret_t result = rcl_subscription_init(&subscription_, node_, support, topic.c_str(), &options);
    const std::string error = result == RCL_RET_OK ? "" : take_error();
    if (rcl_subscription_options_fini(&options) != RCL_RET_OK) rcl_reset_error();
    if (result != RCL_RET_OK) throw std::runtime_error(error);
  }

  ~RclSubscription() override {
    if (rcl_subscription_fini(&subscription_, node_) != RCL_RET_OK) rcl_reset_error();
  }

  RclSubscription(const RclSubscription&) = delete;
  RclSubscription& operator=(const RclSubscription&) = delete;

  void listen(Listener* listener) noexcept override {
    const rcl_event_callback_t callback = listener == nullptr ? nullptr : tell;
    if (rcl_subscription_set_on_new_message_callback(&subscription_, callback, listener) != RCL_RET_OK) {
      rcl_reset_error();
    }
  }

  Take take(Room& room, std::size_t& length, MessageInfo& info) noexcept override {
    rcl_serialized_message_t message{};
    message.buffer = room.data;
    message.buffer_length = 0;
    message.buffer_capacity = room.capacity;
    message.allocator = {room_allocate, room_deallocate, room_reallocate, room_zero_allocate, &room};
    rmw_message_info_t taken = rmw_get_zero_initialized_message_info();
    const rcl_ret_t result = rcl_take_serialized_message(&subscription_, &message, &taken, nullptr);
    if (result == RCL_RET_SUBSCRIPTION_TAKE_FAILED) return Take::empty;
    if (result != RCL_RET_OK) {
      rcl_reset_error();
      return Take::failed;
    }
    length = message.buffer_length;
    info.source_ns = taken.source_timestamp;
    info.sequence = taken.publication_sequence_number;
    const std::size_t gid_bytes = std::min(info.gid.size(), sizeof taken.publisher_gid.data);
    std::memcpy(info.gid.data(), taken.publisher_gid.data, gid_bytes);
    return Take::message;
  }

 private:
  rcl_node_t* const node_;
  rcl_subscription_t subscription_;
};

}  // namespace

std::unique_ptr<Subscription> subscribe(rcl_node_t* node, const RclType& type, const std::string& topic,
                                        const RclQos& qos) {
  return std::make_unique<RclSubscription>(node, type, topic, qos);
}

}  // namespace holdfast
