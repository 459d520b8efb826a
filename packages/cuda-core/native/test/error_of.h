#pragma once

#include <functional>

#include <gtest/gtest.h>

#include "error.h"

namespace plumbline::test {

/// What a call throws; a call that throws nothing fails the test.
inline Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, "");
}

}  // namespace plumbline::test
