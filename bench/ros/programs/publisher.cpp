// Publishes numbered messages at a fixed rate, and says what it really published.
//
//   bench_publisher --size BYTES --rate PER_S --topics N --seconds S [--image 1]
//
// Reliable, keep last 100. Prints "matched" once every topic has a subscriber; publishes on the line "go";
// answers "count" with the number published so far; when done prints one line of JSON, and ends on "end".
// A message is a std_msgs/msg/UInt8MultiArray, or a sensor_msgs/msg/Image, whose data begins with its number on this topic (u64, little endian)
// followed by its topic's number (u32); half of the rest is noise.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "rclcpp/rclcpp.hpp"
#include "rclcpp/serialized_message.hpp"

using Clock = std::chrono::steady_clock;

namespace
{
// CDR: encapsulation, empty layout.dim, layout.data_offset, length of data.
constexpr size_t kArrayHeadBytes = 16;
// CDR: encapsulation, stamp, empty frame_id, height, width, encoding, is_bigendian, step, length of data.
constexpr size_t kImageHeadBytes = 48;
constexpr size_t kNoiseBytes = 4 * 1024 * 1024;
// What is published late is not caught up with for longer than this: a burst of seconds is no load at a rate.
constexpr double kMaxBacklogS = 0.02;
// A publish() that takes longer than this was held up.
constexpr auto kHeldUp = std::chrono::milliseconds(5);

struct Options
{
  size_t size = 100;
  double rate = 1000;
  size_t topics = 1;
  double seconds = 10;
  bool image = false;
  std::string prefix = "/bench";
};

Options parse(int argc, char ** argv)
{
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--prefix") {options.prefix = argv[i + 1]; continue;}
    const double value = std::stod(argv[i + 1]);
    if (name == "--size") {options.size = static_cast<size_t>(value);}
    if (name == "--rate") {options.rate = value;}
    if (name == "--topics") {options.topics = static_cast<size_t>(value);}
    if (name == "--seconds") {options.seconds = value;}
    if (name == "--image") {options.image = value != 0;}
  }
  if (options.size < 12) {options.size = 12;}
  return options;
}

std::vector<uint8_t> noise()
{
  std::vector<uint8_t> bytes(kNoiseBytes);
  std::mt19937_64 random(1);
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    const uint64_t value = random();
    std::memcpy(&bytes[i], &value, 8);
  }
  return bytes;
}

/// What comes before the data, whose number of bytes it ends with.
std::vector<uint8_t> head(const Options & options)
{
  std::vector<uint8_t> bytes(options.image ? kImageHeadBytes : kArrayHeadBytes, 0);
  const auto put = [&bytes](size_t at, uint32_t value) {std::memcpy(&bytes[at], &value, 4);};
  bytes[1] = 1;
  if (options.image) {
    put(12, 1);
    put(20, 1);
    put(24, static_cast<uint32_t>(options.size));
    put(28, 6);
    std::memcpy(&bytes[32], "mono8", 6);
    put(40, static_cast<uint32_t>(options.size));
  }
  put(bytes.size() - 4, static_cast<uint32_t>(options.size));
  return bytes;
}
}  // namespace

int main(int argc, char ** argv)
{
  const Options options = parse(argc, argv);
  rclcpp::init(argc, argv);
  auto node = std::make_shared<rclcpp::Node>("bench_publisher");
  std::vector<rclcpp::GenericPublisher::SharedPtr> publishers;
  const std::string type = options.image ? "sensor_msgs/msg/Image" : "std_msgs/msg/UInt8MultiArray";
  for (size_t i = 0; i < options.topics; i++) {
    publishers.push_back(
      node->create_generic_publisher(
        options.prefix + "/t" + std::to_string(i), type, rclcpp::QoS(rclcpp::KeepLast(100)).reliable()));
  }

  std::atomic<bool> go{false}, ended{false};
  std::atomic<uint64_t> published{0};
  std::thread commands([&]() {
      std::string line;
      while (std::getline(std::cin, line)) {
        if (line == "go") {go = true;}
        if (line == "count") {std::printf("count %llu\n", (unsigned long long)published.load()); std::fflush(stdout);}
        if (line == "end") {break;}
      }
      ended = true;
      go = true;
    });

  for (size_t i = 0; i < publishers.size() && !ended; ) {
    if (publishers[i]->get_subscription_count() > 0) {i++;} else {std::this_thread::sleep_for(std::chrono::milliseconds(20));}
  }
  std::printf("matched\n");
  std::fflush(stdout);
  while (!go) {std::this_thread::sleep_for(std::chrono::milliseconds(5));}

  const std::vector<uint8_t> pool = noise();
  const std::vector<uint8_t> begin = head(options);
  rclcpp::SerializedMessage message(begin.size() + options.size);
  auto & raw = message.get_rcl_serialized_message();
  raw.buffer_length = begin.size() + options.size;
  std::memset(raw.buffer, 0, raw.buffer_length);
  std::memcpy(raw.buffer, begin.data(), begin.size());
  uint8_t * data = raw.buffer + begin.size();
  const size_t noiseBytes = (options.size - 12) / 2;

  double heldUpMs = 0;
  uint64_t skipped = 0;
  uint64_t turn = 0;
  const auto start = Clock::now();
  while (!ended) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    if (elapsed >= options.seconds) {break;}
    const uint64_t due = static_cast<uint64_t>(elapsed * options.rate);
    const uint64_t backlog = static_cast<uint64_t>(kMaxBacklogS * options.rate) + 1;
    uint64_t behind = due > published + skipped ? due - published - skipped : 0;
    if (behind > backlog) {skipped += behind - backlog; behind = backlog;}
    for (uint64_t i = 0; i < behind; i++, turn++) {
      const uint64_t number = turn / options.topics;
      const uint32_t topic = static_cast<uint32_t>(turn % options.topics);
      std::memcpy(data, &number, 8);
      std::memcpy(data + 8, &topic, 4);
      // Neighbours have no bytes in common, so that a chunk of them does not compress.
      const size_t offset = (turn * noiseBytes) % (kNoiseBytes - (noiseBytes < kNoiseBytes ? noiseBytes : 0));
      std::memcpy(data + 12, pool.data() + offset, noiseBytes < kNoiseBytes ? noiseBytes : kNoiseBytes - offset);
      const auto before = Clock::now();
      publishers[topic]->publish(message);
      const auto took = Clock::now() - before;
      if (took > kHeldUp) {heldUpMs += std::chrono::duration<double, std::milli>(took).count();}
      published++;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  for (auto & publisher : publishers) {
    if (ended) {break;}
    publisher->wait_for_all_acked(std::chrono::seconds(5));
  }
  std::printf(
    "{\"published\":%llu,\"skipped\":%llu,\"seconds\":%.3f,\"heldUpMs\":%.1f}\n",
    (unsigned long long)published.load(), (unsigned long long)skipped, seconds, heldUpMs);
  std::fflush(stdout);
  while (!ended) {std::this_thread::sleep_for(std::chrono::milliseconds(20));}
  commands.join();
  rclcpp::shutdown();
  return 0;
}
