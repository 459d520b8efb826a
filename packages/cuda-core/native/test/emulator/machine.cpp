#include "test/emulator/machine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <utility>

#include "backend/cuda/kernel.h"

namespace plumbline::emulator {

using cuda::kWarpSize;

Indices current;

namespace {

bool same(Where a, Where b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

std::string text_of(Where where) { return std::string(where.file) + ":" + std::to_string(where.line); }

std::uint64_t chosen_seed() {
  const char* const wanted = std::getenv("PLUMBLINE_EMULATOR_SEED");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : std::random_device()();
}

}  // namespace

Machine& machine() {
  static Machine machine;
  return machine;
}

Machine::Machine() : seed_(chosen_seed()), random_(seed_) {
  std::fprintf(stderr, "emulator: PLUMBLINE_EMULATOR_SEED=%llu\n", static_cast<unsigned long long>(seed_));
}

void Machine::reseed(std::uint64_t seed) {
  seed_ = seed;
  random_.seed(seed);
}

void Machine::run(const cuda::Launch& launch) {
  launch_ = &launch;
  failure_ = nullptr;
  thread_count_ = launch.block.x * launch.block.y * launch.block.z;
  while (threads_.size() < thread_count_) {
    threads_.push_back(std::make_unique<Thread>());
    threads_.back()->machine = this;
    threads_.back()->number = static_cast<unsigned>(threads_.size()) - 1;
    threads_.back()->fiber.start(thread_main, threads_.back().get());
  }
  for (unsigned i = 0; i < thread_count_; ++i) {
    threads_[i]->index = {i % launch.block.x, i / launch.block.x % launch.block.y,
                          i / launch.block.x / launch.block.y};
  }
  current.block_size = launch.block;
  current.grid_size = launch.grid;
  shared_.assign(launch.shared_bytes, std::byte{0xff});
  std::vector<std::uint64_t> blocks(std::size_t{launch.grid.x} * launch.grid.y * launch.grid.z);
  std::iota(blocks.begin(), blocks.end(), 0);
  std::shuffle(blocks.begin(), blocks.end(), random_);
  for (const std::uint64_t block : blocks) {
    run_block({static_cast<unsigned>(block % launch.grid.x), static_cast<unsigned>(block / launch.grid.x % launch.grid.y),
               static_cast<unsigned>(block / launch.grid.x / launch.grid.y)});
  }
  launch_ = nullptr;
}

void Machine::run_block(Size3 block) {
  current.block = block;
  ++epoch_;
  at_barrier_ = 0;
  finished_ = 0;
  warps_.assign((thread_count_ + kWarpSize - 1) / kWarpSize, {});
  shared_words_.assign((shared_.size() + 3) / 4, {});
  ready_.clear();
  for (unsigned i = 0; i < thread_count_; ++i) {
    threads_[i]->state = State::ready;
    ready_.push_back(threads_[i].get());
  }
  try {
    while (finished_ < thread_count_) {
      if (ready_.empty()) report_divergence();
      std::swap(ready_[random_() % ready_.size()], ready_.back());
      running_ = ready_.back();
      ready_.pop_back();
      current.thread = running_->index;
      running_->fiber.resume();
      if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }
  } catch (...) {
    restart_threads();
    throw;
  }
}

/// Those that wait somewhere in a kernel will never go on. They own nothing.
void Machine::restart_threads() {
  for (const auto& thread : threads_) thread->fiber.start(thread_main, thread.get());
}

void Machine::thread_main(void* argument) {
  auto& self = *static_cast<Thread*>(argument);
  Machine& machine = *self.machine;
  while (true) {
    try {
      machine.launch_->call(machine.launch_->function, machine.launch_->arguments);
    } catch (...) {
      machine.failure_ = std::current_exception();
    }
    self.state = State::finished;
    ++machine.finished_;
    self.fiber.stop();
  }
}

void Machine::wait(State state, Where where) {
  Thread& self = *running_;
  self.state = state;
  self.where = where;
  self.fiber.stop();
}

/// Lets threads first … first + count - 1 go on, all of which wait; at one and the same place, or it is a mistake.
void Machine::release(unsigned first, unsigned count, State from, const char* what) {
  const Thread& one = *threads_[first];
  for (unsigned i = first; i < first + count; ++i) {
    Thread& thread = *threads_[i];
    if (thread.state != from || !same(thread.where, one.where)) {
      report_of(thread, MistakeKind::divergent_barrier, thread.where,
                std::string("waits here, while thread ") + std::to_string(one.number) + " waits at " + text_of(one.where) +
                    " for the same " + what);
    }
  }
  for (unsigned i = first; i < first + count; ++i) {
    threads_[i]->state = State::ready;
    ready_.push_back(threads_[i].get());
  }
}

void Machine::barrier(Where where) {
  Thread& self = *running_;
  self.state = State::at_barrier;
  self.where = where;
  if (++at_barrier_ == thread_count_) {
    at_barrier_ = 0;
    ++epoch_;
    release(0, thread_count_, State::at_barrier, "block");
  }
  self.fiber.stop();
}

const std::uint64_t* Machine::exchange(std::uint64_t value, Where where) {
  Thread& self = *running_;
  const unsigned number = self.number / kWarpSize;
  Warp& warp = warps_[number];
  std::uint64_t* const values = warp.values[warp.turn];
  values[self.number % kWarpSize] = value;
  self.state = State::at_exchange;
  self.where = where;
  if (++warp.arrived == kWarpSize) {
    warp.arrived = 0;
    warp.turn ^= 1;
    release(number * kWarpSize, kWarpSize, State::at_exchange, "warp");
  }
  self.fiber.stop();
  return values;
}

void Machine::warp_barrier(Where where) {
  Warp& warp = warps_[running_->number / kWarpSize];
  // The last to arrive counts, before anybody goes on.
  if (warp.arrived + 1 == kWarpSize) ++warp.epoch;
  exchange(0, where);
}

void Machine::yield() {
  ready_.push_back(running_);
  wait(State::ready, {});
}

void Machine::report_of(const Thread& thread, MistakeKind kind, Where where, const std::string& what) {
  throw Mistake(kind, launch_->kernel, current.block, thread.index, where, what, seed_);
}

void Machine::report(MistakeKind kind, Where where, const std::string& what) { report_of(*running_, kind, where, what); }

/// Nobody can go on, and not all have finished.
void Machine::report_divergence() {
  const auto begin = threads_.begin();
  const auto end = begin + thread_count_;
  const Thread& waiting = **std::find_if(begin, end, [](const auto& thread) { return thread->state != State::finished; });
  const auto elsewhere = std::find_if(begin, end, [&](const auto& thread) {
    return thread->state != waiting.state || !same(thread->where, waiting.where);
  });
  std::string other = "the warp is not whole";
  if (elsewhere != end) {
    const Thread& thread = **elsewhere;
    other = "thread " + std::to_string(thread.number) +
            (thread.state == State::finished ? " has left the kernel" : " waits at " + text_of(thread.where));
  }
  report_of(waiting, MistakeKind::divergent_barrier, waiting.where,
            std::to_string(thread_count_ - finished_) + " of " + std::to_string(thread_count_) +
                " threads wait for ever: this one waits here, " + other);
}

void Machine::note_shared_read(std::size_t offset, std::size_t bytes, Where where) {
  const auto self = static_cast<std::uint16_t>(running_->number);
  const std::uint64_t warp_epoch = warps_[self / kWarpSize].epoch;
  for (std::size_t i = offset / 4; i < (offset + bytes + 3) / 4; ++i) {
    SharedWord& word = shared_words_[i];
    if (!word.initialised) report(MistakeKind::uninitialised_read, where, "of shared memory that nobody has written");
    const bool ordered = word.writer / kWarpSize == self / kWarpSize && word.write_warp_epoch < warp_epoch;
    if (word.write_epoch == epoch_ && word.writer != self && !ordered) {
      report(MistakeKind::race, where,
             "reads shared memory that thread " + std::to_string(word.writer) + " wrote since the last barrier");
    }
    if (word.read_epoch != epoch_) {
      word.reader = self;
      word.read_by_many = word.read_by_warps = false;
    } else if (word.reader / kWarpSize != self / kWarpSize) {
      word.read_by_warps = true;
    } else if (word.reader != self) {
      word.read_by_many = true;
    }
    word.read_epoch = epoch_;
    word.read_warp_epoch = warp_epoch;
  }
}

void Machine::note_shared_write(std::size_t offset, std::size_t bytes, Where where) {
  const auto self = static_cast<std::uint16_t>(running_->number);
  const std::uint64_t warp_epoch = warps_[self / kWarpSize].epoch;
  for (std::size_t i = offset / 4; i < (offset + bytes + 3) / 4; ++i) {
    SharedWord& word = shared_words_[i];
    if (word.initialised && word.write_epoch == epoch_ && word.writer != self &&
        !(word.writer / kWarpSize == self / kWarpSize && word.write_warp_epoch < warp_epoch)) {
      report(MistakeKind::race, where,
             "writes shared memory that thread " + std::to_string(word.writer) + " wrote since the last barrier");
    }
    const bool others_read = word.reader != self || word.read_by_many || word.read_by_warps;
    const bool ordered =
        !word.read_by_warps && word.reader / kWarpSize == self / kWarpSize && word.read_warp_epoch < warp_epoch;
    if (word.read_epoch == epoch_ && others_read && !ordered) {
      report(MistakeKind::race, where, "writes shared memory that another thread, such as " +
                                           std::to_string(word.reader) + ", read since the last barrier");
    }
    word.initialised = true;
    word.writer = self;
    word.write_epoch = epoch_;
    word.write_warp_epoch = warp_epoch;
  }
}

}  // namespace plumbline::emulator
