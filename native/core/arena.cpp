#include "arena.hpp"

#include <algorithm>
#include <cstring>

namespace holdfast {

namespace {
std::size_t rounded(std::size_t bytes) {
  const auto step = Arena::granularity;
  return (std::max(bytes, Arena::header_bytes * 4) + step - 1) / step * step;
}
}  // namespace

Arena::Arena(std::size_t capacity)
    : capacity_(rounded(capacity)), memory_(new std::uint8_t[rounded(capacity)]) {}

void Arena::restart_if_empty() {
  if (head_ != tail_ || !batches_.empty() || batch_begin_ != cursor_) return;
  // From the beginning of the memory: there is room for the largest, and what is used stays in the caches.
  head_ = (head_ + capacity_ - 1) / capacity_ * capacity_;
  tail_ = cursor_ = batch_begin_ = head_;
  wasted_ = 0;
}

Piece Arena::find(std::size_t bytes) {
  restart_if_empty();
  const std::size_t free = capacity_ - used();
  const std::size_t to_end = capacity_ - static_cast<std::size_t>(head_ % capacity_);
  if (std::min(to_end, free) >= bytes) return {head_, std::min(to_end, free)};
  if (free > to_end && free - to_end >= bytes) return {head_ + to_end, free - to_end};
  return {};
}

Piece Arena::largest() {
  restart_if_empty();
  const std::size_t free = capacity_ - used();
  const std::size_t to_end = capacity_ - static_cast<std::size_t>(head_ % capacity_);
  const std::size_t before = std::min(to_end, free);
  const std::size_t behind = free > to_end ? free - to_end : 0;
  if (std::max(before, behind) <= header_bytes) return {};
  return before >= behind ? Piece{head_, before} : Piece{head_ + to_end, behind};
}

bool Arena::could_hold(std::size_t bytes) const {
  const std::size_t free = capacity_ - static_cast<std::size_t>(cursor_ - tail_);
  const std::size_t to_end = capacity_ - static_cast<std::size_t>(cursor_ % capacity_);
  if (free == capacity_) return bytes <= capacity_;
  return std::min(to_end, free) >= bytes || (free > to_end && free - to_end >= bytes);
}

void Arena::write_pad(std::uint64_t position, std::size_t bytes) {
  const std::uint32_t fields[2] = {static_cast<std::uint32_t>(bytes), Record::pad};
  std::memcpy(at(position), fields, sizeof fields);
}

void Arena::append(std::uint64_t position, Queue& queue, const Record& facts) {
  if (position != head_) {
    const auto gap = static_cast<std::size_t>(position - head_);
    write_pad(head_, gap);
    wasted_ += gap;
  }
  Record& made = record(position);
  made = facts;
  made.bytes = static_cast<std::uint32_t>(record_bytes(facts.block == no_block ? facts.length : 0));
  made.kind = Record::live;
  made.queue = &queue;
  made.next = no_position;
  if (queue.last != no_position) record(queue.last).next = position;
  else queue.first = position;
  queue.last = position;
  queue.messages++;
  queue.bytes += facts.length;
  queue.arena_bytes += made.bytes;
  waiting_messages_++;
  waiting_bytes_ += facts.length;
  head_ = position + made.bytes;
}

void Arena::unlink_first(Queue& queue) {
  const Record& first = record(queue.first);
  queue.messages--;
  queue.bytes -= first.length;
  queue.arena_bytes -= first.bytes;
  waiting_messages_--;
  waiting_bytes_ -= first.length;
  queue.first = first.next;
  if (queue.first == no_position) queue.last = no_position;
}

const Record& Arena::drop_oldest(Queue& queue) {
  Record& oldest = record(queue.first);
  unlink_first(queue);
  oldest.kind = Record::dead;
  wasted_ += oldest.bytes;
  return oldest;
}

void Arena::drop_all(Queue& queue) {
  while (queue.messages > 0) drop_oldest(queue);
}

void Arena::compact() {
  skip_unwanted();
  std::uint64_t to = cursor_;
  const std::uint64_t end = head_;
  std::size_t pads = 0;
  for (std::uint64_t from = cursor_; from < end;) {
    Record& moved = record(from);
    const std::size_t bytes = moved.bytes;
    if (moved.kind != Record::live) {
      from += bytes;
      continue;
    }
    const std::size_t to_end = capacity_ - static_cast<std::size_t>(to % capacity_);
    if (to_end < bytes) {
      write_pad(to, to_end);
      pads += to_end;
      to += to_end;
    }
    // The queue's links are made again in order: its first record is met first.
    Queue& queue = *moved.queue;
    const bool is_first = queue.first == from;
    std::memmove(at(to), at(from), bytes);
    if (is_first) queue.first = to;
    else record(queue.last).next = to;
    queue.last = to;
    from += bytes;
    to += bytes;
  }
  head_ = to;
  wasted_ = pads;
}

void Arena::skip_unwanted() {
  while (cursor_ < head_ && record(cursor_).kind != Record::live) {
    wasted_ -= record(cursor_).bytes;
    cursor_ += record(cursor_).bytes;
  }
  settle_tail();
}

void Arena::settle_tail() {
  if (!batch_has_records_) batch_begin_ = cursor_;
  tail_ = batches_.empty() ? batch_begin_ : batches_.front().begin;
}

const Record* Arena::peek() {
  skip_unwanted();
  return cursor_ < head_ ? &record(cursor_) : nullptr;
}

const Record* Arena::next(std::uint64_t& position) {
  if (peek() == nullptr) return nullptr;
  Record& given = record(cursor_);
  unlink_first(*given.queue);
  position = cursor_;
  cursor_ += given.bytes;
  batch_has_records_ = true;
  return &given;
}

std::uint64_t Arena::close_batch() {
  batches_.push_back({next_batch_, batch_begin_, false});
  batch_begin_ = cursor_;
  batch_has_records_ = false;
  return next_batch_++;
}

bool Arena::release(std::uint64_t batch) {
  const auto found = std::find_if(batches_.begin(), batches_.end(),
                                  [batch](const Batch& one) { return one.number == batch; });
  if (found == batches_.end() || found->released) return false;
  found->released = true;
  while (!batches_.empty() && batches_.front().released) batches_.pop_front();
  settle_tail();
  return true;
}

}  // namespace holdfast
