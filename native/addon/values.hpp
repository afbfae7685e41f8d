// Between JavaScript values and those of C++. Every failure is a std::runtime_error.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace holdfast {

inline void check(napi_status status, const char* what) {
  if (status != napi_ok) throw std::runtime_error(std::string("not a valid ") + what);
}

inline std::string text_of(napi_env env, napi_value value) {
  std::size_t length = 0;
  check(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "text");
  std::string text(length, '\0');
  check(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length), "text");
  return text;
}

inline double number_of(napi_env env, napi_value value) {
  double number = 0;
  check(napi_get_value_double(env, value, &number), "number");
  return number;
}

inline napi_value member(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  check(napi_get_named_property(env, object, name, &value), name);
  return value;
}

inline napi_value element(napi_env env, napi_value list, std::uint32_t index) {
  napi_value value = nullptr;
  check(napi_get_element(env, list, index, &value), "list");
  return value;
}

inline napi_value make_number(napi_env env, double number) {
  napi_value value = nullptr;
  check(napi_create_double(env, number, &value), "number");
  return value;
}

inline napi_value make_text(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  check(napi_create_string_utf8(env, text.data(), text.size(), &value), "text");
  return value;
}

inline napi_value make_time(napi_env env, std::int64_t nanoseconds) {
  napi_value value = nullptr;
  check(napi_create_bigint_int64(env, nanoseconds, &value), "time");
  return value;
}

inline napi_value make_boolean(napi_env env, bool truth) {
  napi_value value = nullptr;
  check(napi_get_boolean(env, truth, &value), "boolean");
  return value;
}

inline napi_value make_object(napi_env env) {
  napi_value value = nullptr;
  check(napi_create_object(env, &value), "object");
  return value;
}

inline void set(napi_env env, napi_value object, const char* name, napi_value value) {
  check(napi_set_named_property(env, object, name, value), name);
}

}  // namespace holdfast
