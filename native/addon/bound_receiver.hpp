// A receiver as JavaScript has it: src/sources/ros/native-binding.ts describes its methods.
#pragma once

#include <node_api.h>
#include <rcl/node.h>

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>

#include "../core/receiver.hpp"
#include "../ros/endpoint_gid.hpp"

namespace holdfast {

class BoundReceiver {
 public:
  /// Of a batch at most; the columns have so many elements each.
  static constexpr std::size_t batch_messages = 4'096;

  /// Throws std::runtime_error.
  BoundReceiver(napi_env env, napi_value options);
  ~BoundReceiver();
  BoundReceiver(const BoundReceiver&) = delete;
  BoundReceiver& operator=(const BoundReceiver&) = delete;

  /// The methods, as an object that keeps the receiver alive.
  static napi_value wrap(napi_env env, std::unique_ptr<BoundReceiver> receiver);

  napi_value subscribe(napi_env env, napi_value* arguments);
  napi_value unsubscribe(napi_env env, napi_value* arguments);
  napi_value drain(napi_env env, napi_value* arguments);
  napi_value take_batch(napi_env env, napi_value* arguments);
  napi_value copy(napi_env env, napi_value* arguments);
  napi_value publisher(napi_env env, napi_value* arguments);
  napi_value release(napi_env env, napi_value* arguments);
  napi_value add_block(napi_env env, napi_value* arguments);
  napi_value trim_blocks(napi_env env, napi_value* arguments);
  napi_value totals(napi_env env, napi_value* arguments);
  napi_value failure(napi_env env, napi_value* arguments);
  napi_value close(napi_env env, napi_value* arguments);

 private:
  static void at_exit(void* self);
  void end(bool abandon);
  void forget_blocks();
  void forget_block(std::uint32_t number);
  void write_columns();
  napi_value drops(napi_env env);
  Receiver& open();

  napi_env env_;
  rcl_node_t* node_ = nullptr;
  napi_threadsafe_function wake_ = nullptr;
  napi_ref columns_ref_ = nullptr;
  std::uint8_t* columns_ = nullptr;
  /// Keep the memory of blocks alive.
  std::unordered_map<std::uint32_t, napi_ref> block_refs_;
  Batch batch_;
  bool is_open_ = false;
  std::unique_ptr<EndpointGids> gids_;
  std::unique_ptr<Receiver> receiver_;
};

}  // namespace holdfast
