#include "generation/token_queue.h"

#include <thread>

#include <gtest/gtest.h>

namespace plumbline {
namespace {

TEST(TokenQueue, GivesEachRecordOnceAndInOrder) {
  TokenQueue queue(3);
  EXPECT_TRUE(queue.take().empty());
  queue.push({0, 10, {}});
  queue.push({1, 11, {}});
  const auto first = queue.take();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].token, 10u);
  EXPECT_EQ(first[1].token, 11u);
  queue.push({2, 12, {}});
  ASSERT_EQ(queue.take().size(), 1u);
  EXPECT_TRUE(queue.take().empty());
}

TEST(TokenQueue, RefusesMoreThanItsCapacity) {
  TokenQueue queue(1);
  queue.push({});
  EXPECT_THROW(queue.push({}), std::out_of_range);
}

TEST(TokenQueue, LosesNothingBetweenTwoThreads) {
  constexpr std::uint32_t kCount = 100'000;
  TokenQueue queue(kCount);
  std::thread producer([&] {
    for (std::uint32_t index = 0; index < kCount; ++index) queue.push({index, index * 7, LogProbabilities{-1.0 * index, {}}});
  });
  std::uint32_t seen = 0;
  while (seen < kCount) {
    for (const TokenRecord& record : queue.take()) {
      ASSERT_EQ(record.index, seen);
      ASSERT_EQ(record.token, seen * 7);
      ASSERT_EQ(record.log_probabilities->chosen, -1.0 * seen);
      ++seen;
    }
    std::this_thread::yield();
  }
  producer.join();
}

}  // namespace
}  // namespace plumbline
