// The add-on holdfast_receiver. Nothing thrown in here leaves it but as an error of JavaScript.
#include <node_api.h>

#include <exception>
#include <memory>

#include "bound_receiver.hpp"
#include "values.hpp"

namespace holdfast {

namespace {

constexpr std::size_t max_arguments = 5;

using Method = napi_value (BoundReceiver::*)(napi_env, napi_value*);

void throw_error(napi_env env, const char* message) {
  bool is_pending = false;
  if (napi_is_exception_pending(env, &is_pending) == napi_ok && is_pending) return;
  napi_throw_error(env, nullptr, message);
}

template <Method method, std::size_t count>
napi_value call(napi_env env, napi_callback_info info) {
  try {
    std::size_t given = max_arguments;
    napi_value arguments[max_arguments] = {};
    napi_value self = nullptr;
    check(napi_get_cb_info(env, info, &given, arguments, &self, nullptr), "call");
    if (given < count) throw std::runtime_error("too few arguments");
    void* receiver = nullptr;
    check(napi_unwrap(env, self, &receiver), "receiver");
    return (static_cast<BoundReceiver*>(receiver)->*method)(env, arguments);
  } catch (const std::exception& error) {
    throw_error(env, error.what());
    return nullptr;
  }
}

template <Method method, std::size_t count>
void add_method(napi_env env, napi_value object, const char* name) {
  napi_value function = nullptr;
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, call<method, count>, nullptr, &function), "function");
  set(env, object, name, function);
}

napi_value open_receiver(napi_env env, napi_callback_info info) {
  try {
    std::size_t given = 1;
    napi_value options = nullptr;
    check(napi_get_cb_info(env, info, &given, &options, nullptr, nullptr), "call");
    return BoundReceiver::wrap(env, std::make_unique<BoundReceiver>(env, options));
  } catch (const std::exception& error) {
    throw_error(env, error.what());
    return nullptr;
  }
}

}  // namespace

napi_value BoundReceiver::wrap(napi_env env, std::unique_ptr<BoundReceiver> receiver) {
  napi_value object = make_object(env);
  add_method<&BoundReceiver::subscribe, 5>(env, object, "subscribe");
  add_method<&BoundReceiver::unsubscribe, 1>(env, object, "unsubscribe");
  add_method<&BoundReceiver::drain, 2>(env, object, "drain");
  add_method<&BoundReceiver::take_batch, 2>(env, object, "takeBatch");
  add_method<&BoundReceiver::copy, 3>(env, object, "copy");
  add_method<&BoundReceiver::publisher, 1>(env, object, "publisher");
  add_method<&BoundReceiver::release, 0>(env, object, "release");
  add_method<&BoundReceiver::add_block, 1>(env, object, "addBlock");
  add_method<&BoundReceiver::trim_blocks, 0>(env, object, "trimBlocks");
  add_method<&BoundReceiver::totals, 0>(env, object, "totals");
  add_method<&BoundReceiver::failure, 0>(env, object, "failure");
  add_method<&BoundReceiver::close, 0>(env, object, "close");
  const napi_finalize finalize = [](napi_env, void* data, void*) { delete static_cast<BoundReceiver*>(data); };
  check(napi_wrap(env, object, receiver.get(), finalize, nullptr, nullptr), "object");
  receiver.release();
  return object;
}

napi_value init(napi_env env, napi_value exports) {
  try {
    napi_value facts = make_object(env);
    set(env, facts, "version", make_text(env, HOLDFAST_VERSION));
    set(env, facts, "distro", make_text(env, HOLDFAST_ROS_DISTRO));
    set(env, facts, "rcl", make_text(env, HOLDFAST_RCL_VERSION));
    set(env, exports, "facts", facts);
    napi_value open = nullptr;
    check(napi_create_function(env, "open", NAPI_AUTO_LENGTH, open_receiver, nullptr, &open), "function");
    set(env, exports, "open", open);
  } catch (const std::exception& error) {
    throw_error(env, error.what());
  }
  return exports;
}

}  // namespace holdfast

NAPI_MODULE_INIT() { return holdfast::init(env, exports); }
