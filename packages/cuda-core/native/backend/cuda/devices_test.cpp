#include "backend/cuda/devices.h"

#include <gtest/gtest.h>

namespace plumbline::cuda {
namespace {

/// A machine as its driver describes it.
class FakeDriver final : public Driver {
 public:
  int driver_version = 13'000;
  Status counted = Status::success;
  int devices = 1;
  Status asked = Status::success;
  DeviceProperties found = {"NVIDIA H200", 9, 0};

  int version() const override { return driver_version; }
  int toolkit_version() const override { return 13'000; }
  Status count(int& count) override {
    count = devices;
    return counted;
  }
  Status properties(int, DeviceProperties& properties) override {
    properties = found;
    return asked;
  }
  std::string describe(Status status) const override { return "status " + std::to_string(static_cast<int>(status)); }
};

struct Case {
  const char* name;
  void (*arrange)(FakeDriver&);
  const char* kind;
  const char* reason;
};

TEST(Devices, SaysWhyThereIsNone) {
  const Case cases[] = {
      {"no driver",
       [](FakeDriver& driver) { driver.driver_version = 0, driver.counted = Status::insufficient_driver, driver.devices = 0; },
       "no_driver", "no NVIDIA driver is installed"},
      {"an older driver",
       [](FakeDriver& driver) { driver.driver_version = 12'040, driver.counted = Status::insufficient_driver, driver.devices = 0; },
       "driver_too_old", "the NVIDIA driver knows CUDA 12.4, this build needs 13.0: update the driver"},
      {"a driver and no GPU", [](FakeDriver& driver) { driver.counted = Status::no_device, driver.devices = 0; }, "no_gpu",
       "the NVIDIA driver shows no GPU: status 100"},
      {"a driver that counts none", [](FakeDriver& driver) { driver.devices = 0; }, "no_gpu",
       "the NVIDIA driver shows no GPU: status 100"},
      {"fewer GPUs", [](FakeDriver&) {}, "no_such_gpu", "the NVIDIA driver shows 1 GPU(s), the last is cuda:0"},
      {"a GPU that is lost", [](FakeDriver& driver) { driver.devices = 4, driver.asked = Status::launch_failure; },
       "gpu_silent", "it does not answer: status 719"},
      {"an old GPU", [](FakeDriver& driver) { driver.devices = 4, driver.found = {"Tesla T4", 7, 5}; }, "gpu_too_old",
       "Tesla T4 has compute capability 7.5, this build needs 8.0 or later"},
  };
  for (const Case& one : cases) {
    FakeDriver driver;
    one.arrange(driver);
    const auto problem = problem_of(driver, 3);
    ASSERT_TRUE(problem) << one.name;
    EXPECT_STREQ(problem->kind, one.kind);
    EXPECT_EQ(problem->reason, one.reason);
  }
}

TEST(Devices, TakesEveryGpuThatThereIsCodeFor) {
  for (const auto& [major, minor] : {std::pair{8, 0}, {8, 9}, {9, 0}, {10, 3}}) {
    FakeDriver driver;
    driver.devices = 4;
    driver.found = {"a GPU", major, minor};
    EXPECT_FALSE(problem_of(driver, 3)) << major << "." << minor;
  }
}

}  // namespace
}  // namespace plumbline::cuda
