// Who may take messages: the receiver's thread, turn after turn, or a caller, who is let in before the next turn.
#pragma once

#include <condition_variable>
#include <mutex>

namespace holdfast {

class TurnGate {
 public:
  /// For callers: waits for the turn under way, and for no other.
  class Caller {
   public:
    explicit Caller(TurnGate& gate) : gate_(gate) {
      std::unique_lock<std::mutex> lock(gate_.mutex_);
      gate_.callers_++;
      gate_.free_.wait(lock, [this] { return !gate_.taken_; });
      gate_.callers_--;
      gate_.taken_ = true;
    }
    ~Caller() { gate_.leave(); }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

   private:
    TurnGate& gate_;
  };

  /// For the receiver's thread.
  class Turn {
   public:
    explicit Turn(TurnGate& gate) : gate_(gate) {
      std::unique_lock<std::mutex> lock(gate_.mutex_);
      gate_.free_.wait(lock, [this] { return !gate_.taken_ && gate_.callers_ == 0; });
      gate_.taken_ = true;
    }
    ~Turn() { gate_.leave(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    TurnGate& gate_;
  };

 private:
  void leave() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      taken_ = false;
    }
    free_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable free_;
  int callers_ = 0;
  bool taken_ = false;
};

}  // namespace holdfast
