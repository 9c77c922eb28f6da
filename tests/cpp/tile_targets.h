// Runs a test on every instruction set that this machine and build have.
#pragma once

#include <doctest/doctest.h>
#include <hwy/highway.h>

#include <string>

#include "cpu/simd.h"

namespace heddle::testing {

template <class F>
void for_each_target(F&& f) {
  hwy::SetSupportedTargetsForTest(0);
  const int64_t all = hwy::SupportedTargets() & HWY_TARGETS;
  REQUIRE((all || HWY_TARGETS == HWY_STATIC_TARGET));
  if (!all) f();  // a build for one target only: the library does not count it
  for (int64_t rest = all; rest; rest &= rest - 1) {
    const int64_t target = rest & -rest;
    hwy::SetSupportedTargetsForTest(target);
    INFO("target ", std::string(hwy::TargetName(target)));
    f();
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace heddle::testing
