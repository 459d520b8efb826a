#include "backend/cpu/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>

namespace plumbline::cpu {
namespace {

class ThreadPoolTest : public testing::TestWithParam<unsigned> {};

TEST_P(ThreadPoolTest, RunsEveryPieceOnceAndWaitsForAll) {
  ThreadPool pool(GetParam());
  for (unsigned job = 0; job < 5'000; ++job) {
    const unsigned pieces_per_thread = 1 + job % 4;
    const unsigned count = GetParam() * pieces_per_thread;
    // Not atomic: a piece that runs twice, or after `run` has returned, is a race that the thread sanitizer sees too.
    std::vector<unsigned> runs(count, 0);
    pool.run(pieces_per_thread, [&](const Piece& piece) {
      EXPECT_EQ(piece.count, count);
      EXPECT_LT(piece.thread, GetParam());
      ++runs.at(piece.index);
    });
    ASSERT_EQ(runs, std::vector<unsigned>(count, 1)) << "job " << job;
  }
}

TEST_P(ThreadPoolTest, GivesNoThreadTwoPiecesAtOnce) {
  ThreadPool pool(GetParam());
  std::vector<std::atomic<int>> inside(GetParam());
  for (int job = 0; job < 1'000; ++job) {
    pool.run(4, [&](const Piece& piece) {
      EXPECT_EQ(inside[piece.thread].fetch_add(1), 0);
      inside[piece.thread].fetch_sub(1);
    });
  }
}

TEST_P(ThreadPoolTest, WakesUpAfterItHasSlept) {
  ThreadPool pool(GetParam());
  for (int job = 0; job < 5; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<unsigned> pieces{0};
    pool.run(2, [&](const Piece&) { pieces.fetch_add(1); });
    EXPECT_EQ(pieces.load(), GetParam() * 2);
  }
}

// More threads than the machine has cores, so that some of them are always waiting to be scheduled.
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1u, 2u, 3u, 8u));

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST(ThreadPool, CostsNothingWhileItIsIdle) {
  ThreadPool pool(4);
  pool.run(1, [](const Piece&) {});
  // One spinning thread alone would take 0.2 s of each window. A busy machine may take its time until all threads are asleep.
  double spent = 1;
  for (int window = 0; window < 50 && spent >= 0.02; ++window) {
    const double before = cpu_seconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    spent = cpu_seconds() - before;
  }
  EXPECT_LT(spent, 0.02);
}

TEST(ThreadPool, EndsWithoutEverHavingWorked) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(4);
}

}  // namespace
}  // namespace plumbline::cpu
