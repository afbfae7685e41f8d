// Runs the receiver against a fake middleware. Made to be compiled with a sanitizer:
//
//   harness list | harness <scenario> [seed]
//
// Ends with 0 if all is as it should be; otherwise with a line that says what is not.
#include <algorithm>
#include <functional>
#include <random>
#include <thread>

#include "consumer.hpp"

namespace {
using namespace harness;
using holdfast::DropPolicy;
using holdfast::DropReason;
using std::size_t;

std::uint64_t seed = 1;

Limits limits(size_t max_bytes, DropPolicy policy = DropPolicy::oldest, std::uint8_t priority = 1) {
  return {max_bytes, policy, priority};
}

bool is_ascending(const std::vector<std::uint64_t>& numbers) {
  return std::adjacent_find(numbers.begin(), numbers.end(), std::greater_equal<>()) == numbers.end();
}

void all_arrives_in_order() {
  // All of it fits, so that nothing has to give way however slow the machine is.
  Consumer consumer(32u << 20);
  std::vector<std::shared_ptr<FakeTopic>> topics;
  for (int topic = 0; topic < 8; topic++) topics.push_back(consumer.topic());
  std::vector<std::thread> publishers;
  std::atomic<int> going{4};
  for (unsigned publisher = 0; publisher < 4; publisher++) {
    publishers.emplace_back([&, publisher] {
      std::mt19937_64 random(seed * 10 + publisher);
      for (int message = 0; message < 2'000; message++) {
        topics[random() % topics.size()]->publish(random() % 3'000);
        if (message % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      going--;
    });
  }
  while (going > 0 || !consumer.is_settled()) {
    if (consumer.is_settled()) std::this_thread::yield();
    else consumer.run_until_settled();
  }
  for (auto& publisher : publishers) publisher.join();
  consumer.run_until_settled();
  for (const auto& topic : topics) {
    const Seen& seen = consumer.seen(*topic);
    CHECK(seen.dropped == 0);
    CHECK(seen.numbers.size() == topic->published());
    CHECK(is_ascending(seen.numbers));
  }
}

/// One topic, a consumer that stands still, then goes on.
Seen after_a_stall(const Limits& rule, size_t arena_bytes, int messages, size_t bytes) {
  Consumer consumer(arena_bytes);
  const auto topic = consumer.topic(rule);
  for (int message = 0; message < messages; message++) topic->publish(bytes);
  consumer.wait_until_taken();
  CHECK(consumer.receiver.totals().used_bytes <= consumer.receiver.capacity());
  consumer.run_until_settled();
  Seen& seen = consumer.seen(*topic);
  CHECK(seen.numbers.size() + seen.dropped == static_cast<std::uint64_t>(messages));
  CHECK(seen.bytes + seen.dropped_bytes == messages * bytes);
  CHECK(is_ascending(seen.numbers));
  // It goes on as if nothing had been.
  topic->publish(bytes);
  consumer.run_until_settled();
  CHECK(seen.numbers.back() == static_cast<std::uint64_t>(messages));
  seen.numbers.pop_back();
  return seen;
}

void a_stall_drops_the_newest() {
  const Seen seen = after_a_stall(limits(100'000, DropPolicy::newest), 1u << 20, 1'000, 1'000);
  CHECK(seen.numbers.size() == 100);
  CHECK(seen.numbers.front() == 0 && seen.numbers.back() == 99);
  CHECK(seen.reasons.at(DropReason::queue_newest) == 900);
}

void a_stall_drops_the_oldest() {
  const Seen seen = after_a_stall(limits(100'000), 1u << 20, 10'000, 1'000);
  CHECK(seen.numbers.size() == 100);
  CHECK(seen.numbers.front() == 9'900 && seen.numbers.back() == 9'999);
  CHECK(seen.reasons.at(DropReason::queue_oldest) == 9'900);
}

void a_full_arena_drops_the_oldest() {
  const Seen seen = after_a_stall(limits(SIZE_MAX), 1u << 20, 10'000, 1'000);
  // All of the arena, less the headers and the step in which room is made.
  CHECK(seen.numbers.size() > 850 && seen.numbers.size() < 1'000);
  CHECK(seen.numbers.back() == 9'999);
  CHECK(seen.numbers.back() - seen.numbers.front() + 1 == seen.numbers.size());
  CHECK(seen.reasons.at(DropReason::memory_limit) == 10'000 - seen.numbers.size());
}

void large_messages_drop_the_oldest() {
  const Seen seen = after_a_stall(limits(SIZE_MAX), 1u << 20, 100, 300'000);
  CHECK(seen.numbers.size() >= 2 && seen.numbers.back() == 99);
}

void a_message_larger_than_the_arena() {
  Consumer consumer(64u << 10);
  const auto topic = consumer.topic();
  topic->publish(100);
  topic->publish(10u << 20);
  topic->publish(200);
  topic->publish((64u << 10) - holdfast::Arena::header_bytes);
  topic->publish((64u << 10) - holdfast::Arena::header_bytes + 1);
  consumer.run_until_settled();
  const Seen& seen = consumer.seen(*topic);
  CHECK(seen.reasons.at(DropReason::too_large) == 2);
  CHECK(seen.dropped_bytes >= (10u << 20) + (64u << 10) - holdfast::Arena::header_bytes + 1);
  CHECK(seen.numbers.size() + seen.dropped == 5);
  CHECK(seen.numbers.back() >= 2);
}

void empty_messages() {
  const Seen seen = after_a_stall(limits(SIZE_MAX), 64u << 10, 5'000, 0);
  CHECK(!seen.numbers.empty() && seen.numbers.back() == 4'999);
}

void a_flood_takes_no_room_from_others() {
  Consumer consumer(4u << 20);
  const auto flood = consumer.topic(limits(1u << 20));
  const auto calm = consumer.topic(limits(1u << 20));
  const auto low = consumer.topic(limits(8u << 20, DropPolicy::oldest, 0));
  for (int round = 0; round < 80; round++) {
    for (int message = 0; message < 100; message++) flood->publish(1'000);
    low->publish(100'000);
    calm->publish(1'000);
  }
  consumer.wait_until_taken();
  consumer.run_until_settled();
  CHECK(consumer.seen(*calm).dropped == 0);
  CHECK(consumer.seen(*calm).numbers.size() == 80);
  CHECK(consumer.seen(*flood).numbers.back() == flood->published() - 1);
  CHECK(consumer.seen(*flood).reasons.count(DropReason::memory_limit) == 0);
  CHECK(consumer.seen(*low).reasons.at(DropReason::memory_limit) > 0);
}

void a_lower_class_never_pushes_out_a_higher_one() {
  Consumer consumer(1u << 20);
  const auto high = consumer.topic(limits(SIZE_MAX, DropPolicy::oldest, 2));
  const auto low = consumer.topic(limits(SIZE_MAX, DropPolicy::oldest, 0));
  for (int message = 0; message < 900; message++) high->publish(1'000);
  consumer.wait_until_taken();
  for (int message = 0; message < 1'000; message++) low->publish(1'000);
  consumer.wait_until_taken();
  consumer.run_until_settled();
  CHECK(consumer.seen(*high).dropped == 0);
  CHECK(consumer.seen(*low).dropped >= 900);
}

void batches_are_released_in_any_order() {
  Consumer consumer(256u << 10);
  const auto topic = consumer.topic(limits(SIZE_MAX, DropPolicy::newest));
  std::mt19937_64 random(seed);
  struct Held {
    std::uint64_t number;
    std::vector<Handed> messages;
  };
  std::vector<Held> held;
  std::thread publisher([&] {
    std::mt19937_64 sizes(seed + 1);
    for (int message = 0; message < 20'000; message++) {
      topic->publish(sizes() % 700);
      if (message % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
  });
  const auto release_one = [&] {
    const size_t index = random() % held.size();
    // Held for long, and still what they were.
    for (const Handed& message : held[index].messages) consumer.check(message);
    CHECK(consumer.receiver.release(held[index].number));
    CHECK(!consumer.receiver.release(held[index].number));
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
  };
  while (topic->published() < 20'000 || !consumer.is_settled()) {
    if (const auto number = consumer.take(32)) held.push_back({number, consumer.batch().messages});
    else std::this_thread::yield();
    while (held.size() > 6) release_one();
  }
  publisher.join();
  while (!held.empty()) release_one();
  CHECK(is_ascending(consumer.seen(*topic).numbers));
  CHECK(consumer.receiver.totals().used_bytes == 0);
}

void a_subscription_is_closed_while_the_thread_takes() {
  Consumer consumer(1u << 20);
  const auto steady = consumer.topic(limits(SIZE_MAX));
  std::atomic<bool> over{false};
  std::vector<std::shared_ptr<FakeTopic>> closing;
  for (std::uint32_t topic = 0; topic < 4; topic++) {
    closing.push_back(std::make_shared<FakeTopic>(100 + topic));
    closing.back()->slow_down(std::chrono::microseconds(50));
  }
  std::vector<std::thread> publishers;
  for (unsigned publisher = 0; publisher < 3; publisher++) {
    publishers.emplace_back([&, publisher] {
      std::mt19937_64 random(seed + publisher);
      while (!over) {
        for (const auto& topic : closing) topic->publish(random() % 5'000);
        if (publisher == 0) steady->publish(10);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
  }
  for (int round = 0; round < 300; round++) {
    std::vector<std::uint32_t> ids;
    for (const auto& topic : closing) ids.push_back(consumer.open(topic));
    while (const auto number = consumer.take()) CHECK(consumer.receiver.release(number));
    for (const auto id : ids) {
      if (round % 3 == 0) consumer.receiver.drain(id, 10);
      CHECK(consumer.receiver.close(id));
      CHECK(!consumer.receiver.close(id));
    }
  }
  over = true;
  for (auto& publisher : publishers) publisher.join();
  // What the closed ones left with the middleware is nobody's.
  while (consumer.seen(*steady).numbers.size() + consumer.seen(*steady).dropped < steady->published()) {
    consumer.wait_for_wake();
    while (const auto number = consumer.take()) CHECK(consumer.receiver.release(number));
  }
  CHECK(consumer.seen(*steady).dropped == 0);
}

void a_successor_never_overtakes() {
  Consumer consumer(1u << 20);
  const auto former = consumer.topic();
  // The same messages on both, the new one from the tenth on.
  const auto later = std::make_shared<FakeTopic>(77);
  for (int message = 0; message < 10; message++) later->publish(8);
  holdfast::MessageInfo info;
  struct Scrap final : Room {
    std::uint8_t bytes[16];
    std::uint8_t* grow(size_t) noexcept override { return bytes; }
  } scrap;
  size_t length = 0;
  for (int message = 0; message < 10; message++) later->take(scrap, length, info);
  const auto former_id = consumer.id_of(*former);
  const auto later_id = consumer.open(later, {}, former_id);
  std::thread publisher([&] {
    for (int message = 0; message < 10; message++) former->publish(8);
    for (int message = 10; message < 5'000; message++) {
      former->publish(8);
      later->publish(8);
      if (message % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::uint64_t of_former = 0;
  std::uint64_t of_later = 10;
  while (of_former < 5'000 || of_later < 5'000) {
    const auto number = consumer.take();
    if (number == 0) {
      std::this_thread::yield();
      continue;
    }
    for (const Handed& message : consumer.batch().messages) {
      if (message.subscription == former_id) CHECK(message.sequence == of_former++);
      else CHECK(message.sequence == of_later++);
      CHECK(of_later <= of_former || of_later == 10);
    }
    CHECK(consumer.receiver.release(number));
  }
  publisher.join();
  CHECK(consumer.receiver.close(former_id));
  later->publish(8);
  while (of_later < 5'001) {
    if (const auto number = consumer.take()) {
      of_later += consumer.batch().messages.size();
      CHECK(consumer.receiver.release(number));
    }
  }
  CHECK(consumer.receiver.close(later_id));
}

void ten_receivers_in_one_process() {
  std::vector<std::thread> contexts;
  for (int context = 0; context < 10; context++) {
    contexts.emplace_back([] {
      Consumer consumer(128u << 10);
      const auto topic = consumer.topic();
      std::thread publisher([&] {
        for (int message = 0; message < 1'000; message++) {
          topic->publish(static_cast<size_t>(message));
          if (message % 32 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      });
      while (topic->published() < 1'000 || !consumer.is_settled()) {
        if (!consumer.is_settled()) consumer.run_until_settled();
        else std::this_thread::yield();
      }
      publisher.join();
      CHECK(is_ascending(consumer.seen(*topic).numbers));
    });
  }
  for (auto& context : contexts) context.join();
}

void the_consumer_stalls_again_and_again() {
  Consumer consumer(256u << 10);
  std::vector<std::shared_ptr<FakeTopic>> topics;
  for (int topic = 0; topic < 3; topic++) {
    const auto policy = topic == 0 ? DropPolicy::newest : DropPolicy::oldest;
    topics.push_back(consumer.topic(limits(100u << 10, policy, static_cast<std::uint8_t>(topic))));
  }
  std::mt19937_64 random(seed);
  std::uint64_t bytes[3] = {0, 0, 0};
  for (int round = 0; round < 40; round++) {
    const size_t messages = random() % 600;
    for (size_t message = 0; message < messages; message++) {
      const size_t topic = random() % topics.size();
      const size_t size = random() % 20 == 0 ? random() % 150'000 : random() % 600;
      topics[topic]->publish(size);
      bytes[topic] += size;
    }
    if (round % 2 == 0) consumer.wait_until_taken();
    // Some of what waits, so that what is handed over lies in the way.
    const auto kept = consumer.take(random() % 50 + 1);
    if (round % 3 == 0) consumer.wait_until_taken();
    if (kept != 0) CHECK(consumer.receiver.release(kept));
    if (round % 7 == 0) consumer.run_until_settled();
  }
  consumer.run_until_settled();
  for (size_t topic = 0; topic < topics.size(); topic++) {
    const Seen& seen = consumer.seen(*topics[topic]);
    CHECK(seen.numbers.size() + seen.dropped == topics[topic]->published());
    CHECK(seen.bytes + seen.dropped_bytes == bytes[topic]);
    CHECK(is_ascending(seen.numbers));
  }
  CHECK(consumer.receiver.totals().used_bytes == 0);
}

void large_messages_are_taken_into_blocks() {
  Consumer consumer(4u << 20);
  const auto topic = consumer.topic();
  const auto small = consumer.topic();
  for (int block = 0; block < 4; block++) consumer.lend(100'000);
  // The first one shows how large they are.
  topic->publish(90'000);
  consumer.run_until_settled();
  const auto before = consumer.in_blocks;
  for (int message = 0; message < 10; message++) {
    topic->publish(80'000 + static_cast<size_t>(message));
    small->publish(100);
  }
  consumer.wait_until_taken();
  // All of them wait: 4 blocks at most, and the arena has the others.
  CHECK(consumer.receiver.totals().used_bytes > 6 * 80'000);
  consumer.run_until_settled();
  CHECK(consumer.in_blocks - before >= 3 && consumer.in_blocks <= 4);
  CHECK(consumer.seen(*topic).numbers.size() == 11 && consumer.seen(*small).numbers.size() == 10);
  CHECK(is_ascending(consumer.seen(*topic).numbers));
  CHECK(consumer.lent() == 4 - consumer.in_blocks);
  // Too large for any, less than half as large, and not large at all.
  for (int block = 0; block < 4; block++) consumer.lend(100'000);
  const auto used = consumer.in_blocks;
  for (const size_t bytes : {100'001, 40'000, 30'000, 5}) {
    topic->publish(bytes);
    consumer.run_until_settled();
  }
  CHECK(consumer.in_blocks <= used + 1);
}

void a_dropped_message_frees_its_block() {
  Consumer consumer(4u << 20);
  const auto topic = consumer.topic(limits(250'000));
  topic->publish(100'000);
  consumer.run_until_settled();
  for (int block = 0; block < 8; block++) consumer.lend(100'000);
  for (int message = 0; message < 50; message++) topic->publish(100'000);
  consumer.wait_until_taken();
  consumer.run_until_settled();
  const Seen& seen = consumer.seen(*topic);
  CHECK(seen.reasons.at(DropReason::queue_oldest) == 48 && seen.numbers.back() == 50);
  CHECK(consumer.in_blocks == 2 && consumer.lent() == 6);
  // Also with the subscription.
  topic->publish(100'000);
  consumer.wait_until_taken();
  CHECK(consumer.receiver.close(consumer.id_of(*topic)));
  // What was free since the last call; before it nothing was known.
  const size_t first = consumer.trim();
  CHECK(first + consumer.trim() == 6 && consumer.lent() == 0);
}

void blocks_come_and_go_under_load() {
  Consumer consumer(1u << 20);
  consumer.lends_again = true;
  std::vector<std::shared_ptr<FakeTopic>> topics;
  for (int topic = 0; topic < 3; topic++) topics.push_back(consumer.topic(limits(300'000)));
  std::atomic<bool> over{false};
  std::thread publisher([&] {
    std::mt19937_64 random(seed);
    for (int message = 0; message < 3'000; message++) {
      topics[random() % topics.size()]->publish(random() % 4 == 0 ? random() % 200'000 : 50'000 + random() % 4'000);
      if (message % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    over = true;
  });
  for (int round = 0; !over || !consumer.is_settled(); round++) {
    if (consumer.lent() < 12) consumer.lend(60'000 + (static_cast<size_t>(round) % 5) * 40'000);
    if (round % 50 == 0) consumer.trim();
    if (round % 11 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    if (const auto number = consumer.take(8)) CHECK(consumer.receiver.release(number));
  }
  publisher.join();
  for (const auto& topic : topics) {
    const Seen& seen = consumer.seen(*topic);
    CHECK(seen.numbers.size() + seen.dropped == topic->published());
    CHECK(is_ascending(seen.numbers));
  }
  CHECK(consumer.in_blocks > 100);
}

void a_failing_middleware_is_asked_again() {
  Consumer consumer(64u << 10);
  const auto topic = consumer.topic();
  topic->fail_next(5);
  topic->publish(10);
  consumer.run_until_settled();
  // More in a row than it is asked for: with the next message it is asked again.
  topic->fail_next(8);
  topic->publish(10);
  while (consumer.receiver.totals().failures < 13) std::this_thread::yield();
  topic->publish(10);
  consumer.run_until_settled();
  CHECK(consumer.seen(*topic).numbers.size() == 3);
  CHECK(consumer.receiver.failure().empty());
}

void what_the_middleware_loses_is_counted() {
  Consumer consumer(64u << 10);
  const auto topic = consumer.topic(limits(10'000, DropPolicy::newest));
  const auto whole = consumer.topic();
  // What was sent before the first one is not known to be lost.
  topic->lose(7);
  std::uint64_t next_number = 7;
  std::uint64_t lost = 0;
  std::uint64_t first_lost = 0;
  std::uint64_t last_lost = 0;
  for (int message = 0; message < 500; message++) {
    // Also while the queue is full: what is dropped here was not lost by the middleware.
    topic->publish(100);
    next_number++;
    whole->publish(10);
    if (message % 10 == 3) {
      const auto some = static_cast<std::uint64_t>(message % 4 + 1);
      topic->lose(some);
      if (lost == 0) first_lost = next_number;
      next_number += some;
      lost += some;
      last_lost = next_number - 1;
    }
    if (message == 250) consumer.wait_until_taken();
  }
  topic->publish(100);
  consumer.wait_until_taken();
  while (const auto number = consumer.take()) CHECK(consumer.receiver.release(number));
  Seen& seen = consumer.seen(*topic);
  CHECK(seen.reasons[DropReason::middleware_lost] == lost);
  CHECK(seen.first_lost == first_lost && seen.last_lost == last_lost);
  CHECK(seen.numbers.size() + seen.reasons[DropReason::queue_newest] == 501);
  CHECK(seen.dropped_bytes == 100 * seen.reasons[DropReason::queue_newest]);
  CHECK(consumer.receiver.totals().lost == lost);
  CHECK(consumer.seen(*whole).dropped == 0);
}

void wake_ups_are_coalesced() {
  Consumer consumer(4u << 20);
  const auto topic = consumer.topic();
  std::thread publisher([&] {
    for (int message = 0; message < 20'000; message++) {
      topic->publish(20);
      if (message % 20 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  while (topic->published() < 20'000 || !consumer.is_settled()) {
    if (!consumer.is_settled()) consumer.run_until_settled();
    else std::this_thread::yield();
  }
  publisher.join();
  CHECK(consumer.seen(*topic).numbers.size() == 20'000);
  CHECK(consumer.wakes < 5'000);
}

void it_stops_under_load() {
  for (int round = 0; round < 20; round++) {
    std::atomic<bool> over{false};
    const auto topic = std::make_shared<FakeTopic>(1);
    std::thread publisher([&] {
      while (!over) topic->publish(100);
    });
    {
      Consumer consumer(64u << 10);
      consumer.open(topic);
      for (int batch = 0; batch < round; batch++) {
        if (const auto number = consumer.take()) CHECK(consumer.receiver.release(number));
      }
      if (round % 2 == 0) consumer.receiver.stop();
    }
    over = true;
    publisher.join();
  }
}

const std::vector<std::pair<std::string, void (*)()>> scenarios = {
    {"all-arrives-in-order", all_arrives_in_order},
    {"a-stall-drops-the-newest", a_stall_drops_the_newest},
    {"a-stall-drops-the-oldest", a_stall_drops_the_oldest},
    {"a-full-arena-drops-the-oldest", a_full_arena_drops_the_oldest},
    {"large-messages-drop-the-oldest", large_messages_drop_the_oldest},
    {"a-message-larger-than-the-arena", a_message_larger_than_the_arena},
    {"empty-messages", empty_messages},
    {"a-flood-takes-no-room-from-others", a_flood_takes_no_room_from_others},
    {"a-lower-class-never-pushes-out-a-higher-one", a_lower_class_never_pushes_out_a_higher_one},
    {"batches-are-released-in-any-order", batches_are_released_in_any_order},
    {"a-subscription-is-closed-while-the-thread-takes", a_subscription_is_closed_while_the_thread_takes},
    {"a-successor-never-overtakes", a_successor_never_overtakes},
    {"ten-receivers-in-one-process", ten_receivers_in_one_process},
    {"the-consumer-stalls-again-and-again", the_consumer_stalls_again_and_again},
    {"large-messages-are-taken-into-blocks", large_messages_are_taken_into_blocks},
    {"a-dropped-message-frees-its-block", a_dropped_message_frees_its_block},
    {"blocks-come-and-go-under-load", blocks_come_and_go_under_load},
    {"a-failing-middleware-is-asked-again", a_failing_middleware_is_asked_again},
    {"what-the-middleware-loses-is-counted", what_the_middleware_loses_is_counted},
    {"wake-ups-are-coalesced", wake_ups_are_coalesced},
    {"it-stops-under-load", it_stops_under_load},
};
}  // namespace

int main(int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "list";
  if (argc > 2) seed = std::strtoull(argv[2], nullptr, 10);
  for (const auto& [name, scenario] : scenarios) {
    if (wanted == "list") std::printf("%s\n", name.c_str());
    if (wanted != name) continue;
    scenario();
    std::printf("ok\n");
    return 0;
  }
  return wanted == "list" ? 0 : 2;
}
