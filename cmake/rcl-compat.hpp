// rclnodejs calls a function of rcl that the first releases of Jazzy lack, and does not compile against them. A call
// prefers the real function where rcl declares it: an ellipsis is the worst match of all.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <rcl/time.h>
#include <rcl/timer.h>

inline rcl_ret_t rcl_timer_get_next_call_time(const rcl_timer_t * timer, ...) {
  std::va_list rest;
  va_start(rest, timer);
  int64_t * next_call_time = va_arg(rest, int64_t *);
  va_end(rest);
  int64_t until = 0;
  rcl_ret_t ret = rcl_timer_get_time_until_next_call(timer, &until);
  if (ret != RCL_RET_OK) return ret;
  rcl_clock_t * clock = nullptr;
  ret = rcl_timer_clock(const_cast<rcl_timer_t *>(timer), &clock);
  if (ret != RCL_RET_OK) return ret;
  rcl_time_point_value_t now = 0;
  ret = rcl_clock_get_now(clock, &now);
  if (ret == RCL_RET_OK) *next_call_time = now + until;
  return ret;
}
