// The least a durable recorder can do: take each message by the middleware's new-message callback into one of two
// arenas, sum it, append the arena to a file and fdatasync it, while the other arena fills. No allocation for a message,
// no index, no definitions: nobody can read the file with a tool.
//
//   bench_floor --topics N --file PATH [--image 1]
//
// Subscribes /bench/t0 to /bench/t<N-1> (std_msgs/msg/UInt8MultiArray or sensor_msgs/msg/Image). On SIGINT or SIGTERM it writes what it has and
// prints one line of JSON. `recorded` counts messages whose bytes are durable; `distinct` counts their numbers.
#include <fcntl.h>
#include <rcl/error_handling.h>
#include <rcl/rcl.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "rosidl_runtime_c/message_type_support_struct.h"
#include "sensor_msgs/msg/image.h"
#include "std_msgs/msg/u_int8_multi_array.h"

namespace
{
constexpr size_t kArenaBytes = 32u << 20;
// No message may be larger; an arena is handed over when less than this is left.
constexpr size_t kRoomBytes = 4u << 20;
// How long messages wait for others to be synced with.
constexpr auto kGroup = std::chrono::milliseconds(10);
// As the recorders under test: enough for a burst.
constexpr size_t kDepth = 1000;
// CDR head (16, of an image 48), then the number (u64) and the topic's number (u32), as the publisher writes them.
size_t number_at = 16;

volatile std::sig_atomic_t stopped = 0;
void on_signal(int) {stopped = 1;}

void check(rcl_ret_t code, const char * what)
{
  if (code == RCL_RET_OK) {return;}
  std::fprintf(stderr, "%s: %s\n", what, rcl_get_error_string().str);
  std::exit(1);
}

// Tells the taking thread that a topic has something.
struct Bell
{
  std::mutex mutex;
  std::condition_variable rung;
  bool pending = false;

  void ring()
  {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (pending) {return;}
      pending = true;
    }
    rung.notify_one();
  }

  void wait(std::chrono::milliseconds limit)
  {
    std::unique_lock<std::mutex> lock(mutex);
    rung.wait_for(lock, limit, [this] {return pending;});
    pending = false;
  }
};

struct Topic
{
  rcl_subscription_t subscription = rcl_get_zero_initialized_subscription();
  std::atomic<bool> hasNew{false};
  Bell * bell = nullptr;
};

void on_message(const void * data, size_t)
{
  auto * topic = static_cast<Topic *>(const_cast<void *>(data));
  topic->hasNew = true;
  topic->bell->ring();
}

// rcl writes a message where it may: at the end of the arena.
struct Place
{
  uint8_t * base;
  size_t room;
};
void * allocate(size_t size, void *) {return std::malloc(size);}
void * allocate_zero(size_t count, size_t size, void *) {return std::calloc(count, size);}
void release(void * pointer, void * state)
{
  if (pointer != static_cast<Place *>(state)->base) {std::free(pointer);}
}
void * reallocate(void * pointer, size_t size, void * state)
{
  auto * place = static_cast<Place *>(state);
  if (pointer != place->base) {return std::realloc(pointer, size);}
  return size <= place->room ? pointer : std::malloc(size);
}

struct Arena
{
  std::unique_ptr<uint8_t[]> bytes{new uint8_t[kArenaBytes]};
  size_t used = 0;
  uint64_t messages = 0;
  // (topic, number) of each message.
  std::vector<std::pair<uint32_t, uint64_t>> numbers;

  bool isFull() const {return kArenaBytes - used < kRoomBytes;}
  void clear() {used = 0; messages = 0; numbers.clear();}
};

// Appends and syncs one arena at a time, on a thread of its own.
class Writer
{
public:
  Writer(int file, size_t topics)
  : file_(file), seen_(topics), thread_([this] {run();}) {}

  bool isIdle()
  {
    std::lock_guard<std::mutex> lock(mutex_);
    return arena_ == nullptr;
  }

  void waitIdle()
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] {return arena_ == nullptr;});
  }

  void hand(Arena * arena)
  {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      arena_ = arena;
    }
    changed_.notify_all();
  }

  void end()
  {
    waitIdle();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  uint64_t recorded = 0, distinct = 0, bytes = 0, commits = 0;

private:
  void run()
  {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] {return arena_ != nullptr || ended_;});
      if (arena_ == nullptr) {return;}
      Arena & arena = *arena_;
      lock.unlock();
      write(arena);
      lock.lock();
      arena_ = nullptr;
      changed_.notify_all();
    }
  }

  void write(Arena & arena)
  {
    for (size_t at = 0; at < arena.used; ) {
      const ssize_t written = ::write(file_, arena.bytes.get() + at, arena.used - at);
      if (written <= 0) {std::perror("write"); std::exit(1);}
      at += static_cast<size_t>(written);
    }
    if (fdatasync(file_) != 0) {std::perror("fdatasync"); std::exit(1);}
    recorded += arena.messages;
    bytes += arena.used;
    commits++;
    for (const auto & [topic, number] : arena.numbers) {
      if (topic >= seen_.size()) {continue;}
      auto & bits = seen_[topic];
      if (bits.size() <= number) {bits.resize(number + 4096);}
      if (!bits[number]) {bits[number] = true; distinct++;}
    }
    arena.clear();
  }

  int file_;
  std::vector<std::vector<bool>> seen_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Arena * arena_ = nullptr;
  bool ended_ = false;
  std::thread thread_;
};

// Takes one message into the arena. False: the topic has none.
bool take(rcl_subscription_t * subscription, Arena & arena)
{
  Place place{arena.bytes.get() + arena.used, kArenaBytes - arena.used};
  const rcutils_allocator_t allocator{allocate, release, reallocate, allocate_zero, &place};
  rcl_serialized_message_t message{place.base, 0, place.room, allocator};
  rmw_message_info_t info;
  const rcl_ret_t code = rcl_take_serialized_message(subscription, &message, &info, nullptr);
  if (code != RCL_RET_OK) {
    rcl_reset_error();
    if (message.buffer != place.base) {std::free(message.buffer);}
    return false;
  }
  if (message.buffer != place.base) {
    std::fprintf(stderr, "a message of %zu bytes does not fit\n", message.buffer_length);
    std::exit(1);
  }
  volatile uLong sum = crc32_z(0, message.buffer, message.buffer_length);
  (void)sum;
  uint64_t number = 0;
  uint32_t topic = 0;
  if (message.buffer_length >= number_at + 12) {
    std::memcpy(&number, message.buffer + number_at, 8);
    std::memcpy(&topic, message.buffer + number_at + 8, 4);
  }
  arena.numbers.emplace_back(topic, number);
  arena.messages++;
  arena.used += (message.buffer_length + 7) & ~size_t{7};
  return true;
}
}  // namespace

int main(int argc, char ** argv)
{
  size_t topics = 1;
  std::string path;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--topics") {topics = std::stoul(argv[i + 1]);}
    if (name == "--file") {path = argv[i + 1];}
    if (name == "--image" && std::stoul(argv[i + 1]) != 0) {number_at = 48;}
  }
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (file < 0) {std::perror(path.c_str()); return 1;}
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);

  rcl_allocator_t allocator = rcl_get_default_allocator();
  rcl_init_options_t options = rcl_get_zero_initialized_init_options();
  check(rcl_init_options_init(&options, allocator), "rcl_init_options_init");
  rcl_context_t context = rcl_get_zero_initialized_context();
  check(rcl_init(0, nullptr, &options, &context), "rcl_init");
  rcl_node_t node = rcl_get_zero_initialized_node();
  rcl_node_options_t node_options = rcl_node_get_default_options();
  check(rcl_node_init(&node, "bench_floor", "/", &context, &node_options), "rcl_node_init");

  Bell bell;
  const auto * type = number_at == 48 ?
    ROSIDL_GET_MSG_TYPE_SUPPORT(sensor_msgs, msg, Image) :
    ROSIDL_GET_MSG_TYPE_SUPPORT(std_msgs, msg, UInt8MultiArray);
  std::vector<Topic> all(topics);
  for (size_t i = 0; i < topics; i++) {
    rcl_subscription_options_t how = rcl_subscription_get_default_options();
    how.qos.history = RMW_QOS_POLICY_HISTORY_KEEP_LAST;
    how.qos.depth = kDepth;
    const std::string topic = "/bench/t" + std::to_string(i);
    auto & subscription = all[i].subscription;
    all[i].bell = &bell;
    check(rcl_subscription_init(&subscription, &node, type, topic.c_str(), &how), "rcl_subscription_init");
    check(
      rcl_subscription_set_on_new_message_callback(&subscription, on_message, &all[i]),
      "rcl_subscription_set_on_new_message_callback");
  }

  Arena arenas[2];
  for (auto & arena : arenas) {
    std::memset(arena.bytes.get(), 0, kArenaBytes);
    arena.numbers.reserve(1u << 16);
  }
  Writer writer(file, topics);
  size_t filling = 0;
  auto since = std::chrono::steady_clock::now();
  while (!stopped) {
    bell.wait(kGroup);
    const bool wasEmpty = arenas[filling].used == 0;
    for (auto & topic : all) {
      if (!topic.hasNew) {continue;}
      topic.hasNew = false;
      while (!arenas[filling].isFull() && take(&topic.subscription, arenas[filling])) {}
      // It may hold more than fitted.
      if (arenas[filling].isFull()) {topic.hasNew = true;}
    }
    if (arenas[filling].used == 0) {continue;}
    const auto now = std::chrono::steady_clock::now();
    if (wasEmpty) {since = now;}
    if (arenas[filling].isFull()) {
      writer.waitIdle();
      bell.ring();
    } else if (now - since < kGroup || !writer.isIdle()) {
      continue;
    }
    writer.hand(&arenas[filling]);
    filling ^= 1;
  }
  writer.waitIdle();
  if (arenas[filling].used > 0) {writer.hand(&arenas[filling]);}
  writer.end();
  std::printf(
    "{\"recorded\":%llu,\"distinct\":%llu,\"bytes\":%llu,\"commits\":%llu}\n",
    (unsigned long long)writer.recorded, (unsigned long long)writer.distinct,
    (unsigned long long)writer.bytes, (unsigned long long)writer.commits);
  std::fflush(stdout);
  // The process ends here: what rcl holds goes with it.
  _exit(0);
}
