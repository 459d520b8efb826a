#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "test/emulator/fiber.h"
#include "test/emulator/mistake.h"

/// Runs kernels: a block at a time, in random order, each of its threads a fiber. Whenever one waits, any other that can go on is
/// picked at random. All of it happens on the calling thread.
namespace plumbline::emulator {

/// What the current thread sees as CUDA's builtin variables.
struct Indices {
  Size3 thread;
  Size3 block;
  Size3 block_size;
  Size3 grid_size;
};
extern Indices current;

/// What is known of four bytes of shared memory. Epochs count the barriers that the block has passed, warp epochs those of a warp.
struct SharedWord {
  bool initialised = false;
  bool read_by_many = false;   ///< threads of one warp, in read_epoch
  bool read_by_warps = false;  ///< threads of several warps
  std::uint16_t writer = 0;
  std::uint16_t reader = 0;  ///< the first one, in read_epoch
  std::uint64_t write_epoch = 0;
  std::uint64_t write_warp_epoch = 0;
  std::uint64_t read_epoch = 0;
  std::uint64_t read_warp_epoch = 0;
};

class Machine {
 public:
  Machine();

  std::uint64_t seed() const { return seed_; }
  /// For tests of the emulator itself.
  void reseed(std::uint64_t seed);

  /// Runs the kernel to its end. Throws Mistake; afterwards it can be used again.
  void run(const cuda::Launch& launch);

  // Called by the kernel's threads.

  [[noreturn]] void report(MistakeKind kind, Where where, const std::string& what);
  void barrier(Where where);
  /// Waits for the whole warp. Returns what its lanes gave, until the warp's next but one such call.
  const std::uint64_t* exchange(std::uint64_t value, Where where);
  void warp_barrier(Where where);
  /// Lets others go first.
  void yield();

  std::byte* shared() { return shared_.data(); }
  std::size_t shared_bytes() const { return shared_.size(); }
  void note_shared_read(std::size_t offset, std::size_t bytes, Where where);
  void note_shared_write(std::size_t offset, std::size_t bytes, Where where);

 private:
  enum class State { ready, at_barrier, at_exchange, finished };

  struct Thread {
    Machine* machine = nullptr;
    unsigned number = 0;
    Size3 index;
    State state = State::ready;
    Where where;
    Fiber fiber;
  };

  struct Warp {
    unsigned arrived = 0;
    unsigned turn = 0;  ///< which of the two exchange buffers comes next
    std::uint64_t epoch = 0;
    std::uint64_t values[2][32] = {};
  };

  static void thread_main(void* thread);
  void run_block(Size3 block);
  void restart_threads();
  void wait(State state, Where where);
  void release(unsigned first, unsigned count, State from, const char* what);
  [[noreturn]] void report_divergence();
  [[noreturn]] void report_of(const Thread& thread, MistakeKind kind, Where where, const std::string& what);

  std::uint64_t seed_;
  std::mt19937_64 random_;
  const cuda::Launch* launch_ = nullptr;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Warp> warps_;
  std::vector<Thread*> ready_;
  Thread* running_ = nullptr;
  unsigned thread_count_ = 0;
  unsigned at_barrier_ = 0;
  unsigned finished_ = 0;
  std::uint64_t epoch_ = 1;
  std::vector<std::byte> shared_;
  std::vector<SharedWord> shared_words_;
  std::exception_ptr failure_;
};

Machine& machine();

}  // namespace plumbline::emulator
