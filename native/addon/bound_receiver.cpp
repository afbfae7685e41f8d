#include "bound_receiver.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "../ros/find_node.hpp"
#include "../ros/rcl_subscription.hpp"
#include "values.hpp"

namespace holdfast {

namespace {

std::int64_t wall_clock_ns() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

/// What the handle of rclnodejs wraps.
const void* wrapped(napi_env env, napi_value handle, const char* what) {
  void* object = nullptr;
  if (napi_unwrap(env, handle, &object) != napi_ok || object == nullptr) {
    throw std::runtime_error(std::string("the ") + what + " is no handle of rclnodejs");
  }
  return object;
}

const char* reason_text(DropReason reason) {
  switch (reason) {
    case DropReason::queue_oldest: return "queue_full_drop_oldest";
    case DropReason::queue_newest: return "queue_full_drop_newest";
    case DropReason::memory_limit: return "memory_limit";
    case DropReason::too_large: return "message_too_large";
    case DropReason::middleware_lost: return "source_lost";
  }
  return "memory_limit";
}

std::size_t size_of(napi_env env, napi_value value) {
  const double number = number_of(env, value);
  if (!(number >= 0)) throw std::runtime_error("a size must be at least 0");
  return number >= 9e15 ? SIZE_MAX : static_cast<std::size_t>(number);
}

std::uint32_t id_of(napi_env env, napi_value value) {
  return static_cast<std::uint32_t>(number_of(env, value));
}

}  // namespace

BoundReceiver::BoundReceiver(napi_env env, napi_value options) : env_(env) {
  node_ = find_node(wrapped(env, member(env, options, "context"), "context"),
                    wrapped(env, member(env, options, "node"), "node"),
                    text_of(env, member(env, options, "nodeName")));
  gids_ = std::make_unique<EndpointGids>(node_);
  napi_value columns = member(env, options, "columns");
  std::size_t bytes = 0;
  void* memory = nullptr;
  check(napi_get_arraybuffer_info(env, columns, &memory, &bytes), "array buffer of columns");
  if (bytes != batch_messages * 40) throw std::runtime_error("the columns have another size");
  columns_ = static_cast<std::uint8_t*>(memory);
  check(napi_create_reference(env, columns, 1, &columns_ref_), "reference");
  batch_.messages.reserve(batch_messages);
  check(napi_create_threadsafe_function(env, member(env, options, "onWaiting"), nullptr,
                                        make_text(env, "holdfast receiver"), 0, 1, nullptr, nullptr,
                                        nullptr, nullptr, &wake_),
        "function onWaiting");
  // What waits keeps no process alive that has nothing else to do.
  check(napi_unref_threadsafe_function(env, wake_), "threadsafe function");
  ReceiverOptions made;
  made.arena_bytes = size_of(env, member(env, options, "arenaBytes"));
  made.now = wall_clock_ns;
  made.on_waiting = [this] { napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking); };
  receiver_ = std::make_unique<Receiver>(std::move(made));
  is_open_ = true;
  check(napi_add_env_cleanup_hook(env, at_exit, this), "cleanup hook");
}

BoundReceiver::~BoundReceiver() {
  if (is_open_) {
    napi_remove_env_cleanup_hook(env_, at_exit, this);
    // Forgotten without being closed: its node may be gone.
    end(true);
  }
  if (columns_ref_ != nullptr) napi_delete_reference(env_, columns_ref_);
  forget_blocks();
}

/// Their memory is JavaScript's again. Once nothing takes any more.
void BoundReceiver::forget_blocks() {
  while (!block_refs_.empty()) forget_block(block_refs_.begin()->first);
}

void BoundReceiver::forget_block(std::uint32_t number) {
  napi_delete_reference(env_, block_refs_.at(number));
  block_refs_.erase(number);
}

/// The process ends without having closed it: the middleware must not call it any more.
void BoundReceiver::at_exit(void* self) { static_cast<BoundReceiver*>(self)->end(true); }

void BoundReceiver::end(bool abandon) {
  if (!is_open_) return;
  is_open_ = false;
  receiver_->stop(abandon);
  napi_release_threadsafe_function(wake_, napi_tsfn_abort);
}

Receiver& BoundReceiver::open() {
  if (!is_open_) throw std::runtime_error("the receiver is closed");
  return *receiver_;
}

napi_value BoundReceiver::subscribe(napi_env env, napi_value* arguments) {
  Receiver& receiver = open();
  const RclType type{text_of(env, element(env, arguments[0], 0)), text_of(env, element(env, arguments[0], 1)),
                     text_of(env, element(env, arguments[0], 2))};
  const auto policy = [&](std::uint32_t index) {
    return static_cast<int>(number_of(env, element(env, arguments[2], index)));
  };
  const RclQos qos{policy(0), size_of(env, element(env, arguments[2], 1)), policy(2), policy(3), policy(4)};
  const Limits limits{size_of(env, element(env, arguments[3], 0)),
                      number_of(env, element(env, arguments[3], 1)) == 1 ? DropPolicy::newest
                                                                         : DropPolicy::oldest,
                      static_cast<std::uint8_t>(number_of(env, element(env, arguments[3], 2)))};
  auto subscription = holdfast::subscribe(node_, type, text_of(env, arguments[1]), qos);
  return make_number(env, receiver.open(std::move(subscription), limits, id_of(env, arguments[4])));
}

napi_value BoundReceiver::unsubscribe(napi_env env, napi_value* arguments) {
  open().close(id_of(env, arguments[0]));
  return nullptr;
}

napi_value BoundReceiver::drain(napi_env env, napi_value* arguments) {
  const std::size_t taken = open().drain(id_of(env, arguments[0]), size_of(env, arguments[1]));
  return make_number(env, static_cast<double>(taken));
}

napi_value BoundReceiver::take_batch(napi_env env, napi_value* arguments) {
  const std::size_t messages = std::min(size_of(env, arguments[0]), batch_messages);
  open().take_batch(batch_, messages, size_of(env, arguments[1]));
  write_columns();
  napi_value result = make_object(env);
  set(env, result, "messages", make_number(env, static_cast<double>(batch_.messages.size())));
  set(env, result, "more", make_boolean(env, batch_.more));
  if (!batch_.drops.empty()) set(env, result, "drops", drops(env));
  return result;
}

void BoundReceiver::write_columns() {
  auto* const received = reinterpret_cast<std::int64_t*>(columns_);
  auto* const source = received + batch_messages;
  auto* const sequence = reinterpret_cast<std::uint64_t*>(source + batch_messages);
  auto* const subscription = reinterpret_cast<std::uint32_t*>(sequence + batch_messages);
  auto* const length = subscription + batch_messages;
  auto* const publisher = length + batch_messages;
  auto* const block = publisher + batch_messages;
  for (std::size_t index = 0; index < batch_.messages.size(); index++) {
    const Handed& message = batch_.messages[index];
    received[index] = message.received_ns;
    source[index] = message.source_ns;
    sequence[index] = message.sequence;
    subscription[index] = message.subscription;
    length[index] = message.length;
    publisher[index] = message.gid;
    block[index] = message.block;
    if (message.block != no_block) forget_block(message.block);
  }
}

napi_value BoundReceiver::drops(napi_env env) {
  napi_value list = nullptr;
  check(napi_create_array(env, &list), "list");
  std::uint32_t index = 0;
  for (const Drops& each : batch_.drops) {
    napi_value drop = make_object(env);
    set(env, drop, "subscription", make_number(env, each.subscription));
    set(env, drop, "reason", make_text(env, reason_text(each.reason)));
    set(env, drop, "messages", make_number(env, static_cast<double>(each.messages)));
    set(env, drop, "bytes", make_number(env, static_cast<double>(each.bytes)));
    set(env, drop, "firstAt", make_time(env, each.first_ns));
    set(env, drop, "lastAt", make_time(env, each.last_ns));
    if (each.gid != 0) {
      set(env, drop, "publisher", make_number(env, each.gid));
      set(env, drop, "firstNumber", make_number(env, static_cast<double>(each.first_sequence)));
      set(env, drop, "lastNumber", make_number(env, static_cast<double>(each.last_sequence)));
    }
    check(napi_set_element(env, list, index++, drop), "list");
  }
  return list;
}

napi_value BoundReceiver::copy(napi_env env, napi_value* arguments) {
  Receiver& receiver = open();
  const std::size_t first = size_of(env, arguments[0]);
  const std::size_t count = size_of(env, arguments[1]);
  std::uint8_t* target = nullptr;
  std::size_t space = 0;
  void* memory = nullptr;
  check(napi_get_buffer_info(env, arguments[2], &memory, &space), "buffer");
  target = static_cast<std::uint8_t*>(memory);
  if (batch_.number == 0 || first > batch_.messages.size() || count > batch_.messages.size() - first) {
    throw std::runtime_error("the batch has no such messages");
  }
  for (std::size_t index = first; index < first + count; index++) {
    const Handed& message = batch_.messages[index];
    if (message.length > space) throw std::runtime_error("the buffer is too small for the messages");
    if (message.block != no_block) throw std::runtime_error("the message lies in a block");
    if (message.length > 0) std::memcpy(target, receiver.memory() + message.offset, message.length);
    target += message.length;
    space -= message.length;
  }
  return nullptr;
}

napi_value BoundReceiver::publisher(napi_env env, napi_value* arguments) {
  Gid gid{};
  if (!gids_->find(open().gid(id_of(env, arguments[0])), gid)) return make_text(env, "");
  // rmw's identifiers had 24 bytes up to Humble, of which no middleware uses more than these.
  constexpr std::size_t used_bytes = 16;
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (std::size_t index = 0; index < used_bytes; index++) {
    text += digits[gid[index] >> 4];
    text += digits[gid[index] & 15];
  }
  return make_text(env, text);
}

napi_value BoundReceiver::release(napi_env, napi_value*) {
  Receiver& receiver = open();
  if (batch_.number != 0) receiver.release(batch_.number);
  batch_.number = 0;
  return nullptr;
}

napi_value BoundReceiver::add_block(napi_env env, napi_value* arguments) {
  Receiver& receiver = open();
  void* memory = nullptr;
  std::size_t bytes = 0;
  check(napi_get_buffer_info(env, arguments[0], &memory, &bytes), "buffer");
  if (bytes == 0) throw std::runtime_error("a block must have memory");
  napi_ref reference = nullptr;
  check(napi_create_reference(env, arguments[0], 1, &reference), "reference");
  const std::uint32_t number = receiver.add_block(static_cast<std::uint8_t*>(memory), bytes);
  block_refs_.emplace(number, reference);
  return make_number(env, number);
}

napi_value BoundReceiver::trim_blocks(napi_env env, napi_value*) {
  napi_value list = nullptr;
  check(napi_create_array(env, &list), "list");
  std::uint32_t index = 0;
  for (const std::uint32_t number : open().trim_blocks()) {
    forget_block(number);
    check(napi_set_element(env, list, index++, make_number(env, number)), "list");
  }
  return list;
}

napi_value BoundReceiver::totals(napi_env env, napi_value*) {
  const Receiver::Totals totals = open().totals();
  napi_value result = make_object(env);
  set(env, result, "taken", make_number(env, static_cast<double>(totals.taken)));
  set(env, result, "dropped", make_number(env, static_cast<double>(totals.dropped)));
  set(env, result, "failures", make_number(env, static_cast<double>(totals.failures)));
  set(env, result, "usedBytes", make_number(env, static_cast<double>(totals.used_bytes)));
  set(env, result, "waitingMessages", make_number(env, static_cast<double>(totals.waiting_messages)));
  return result;
}

napi_value BoundReceiver::failure(napi_env env, napi_value*) { return make_text(env, open().failure()); }

napi_value BoundReceiver::close(napi_env env, napi_value*) {
  if (!is_open_) return nullptr;
  napi_remove_env_cleanup_hook(env, at_exit, this);
  end(false);
  forget_blocks();
  return nullptr;
}

}  // namespace holdfast
