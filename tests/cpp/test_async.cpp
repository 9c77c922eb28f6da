// Evaluation in the background: results, errors where they surface, streams of other threads.
#include <doctest/doctest.h>

#include <thread>

#include "core/op.h"
#include "eval/async.h"
#include "heddle/heddle.h"

namespace heddle {
namespace {

// An op that no device can run, so that its evaluation fails.
struct Unrunnable {
  void check(const Arrays&) const {}
  Avals infer(const Arrays& in) const { return {{in[0].shape(), in[0].dtype()}}; }
};

Array unrunnable(Stream s = default_stream(Device{})) {
  return apply(make_op<Unrunnable>(), {Array(1.0f)}, s);
}

TEST_CASE("what was started is there after synchronize") {
  Array x(1.0f);
  for (int i = 0; i < 100; i++) {
    x = add(x, Array(1.0f));
    async_eval({x});
  }
  synchronize();
  CHECK(x.is_available());
  CHECK(x.item<float>() == 101.0f);
}

TEST_CASE("an error surfaces once, at the next synchronize") {
  async_eval({unrunnable()});
  CHECK_THROWS_AS(synchronize(), std::runtime_error);
  CHECK_NOTHROW(synchronize());
  Array y = add(Array(1.0f), Array(2.0f));
  async_eval({y});
  synchronize();
  CHECK(y.item<float>() == 3.0f);
}

TEST_CASE("an error belongs to its stream") {
  Stream mine = new_stream(Device{}), other = new_stream(Device{});
  async_eval({unrunnable(mine)});
  CHECK_NOTHROW(synchronize(other));
  CHECK_THROWS_AS(synchronize(mine), std::runtime_error);
}

TEST_CASE("an error surfaces at the eval of the array, not at that of others") {
  Array bad = unrunnable(), good = add(Array(1.0f), Array(1.0f));
  async_eval({bad});
  eval(good);
  CHECK(good.item<float>() == 2.0f);
  CHECK_THROWS_AS(bad.eval(), std::runtime_error);
  try {
    synchronize();
  } catch (const std::runtime_error&) {
    // The eval may have come before the worker, which then met the same error.
  }
}

TEST_CASE("streams of other threads are refused when work is handed over") {
  Array theirs;
  std::thread([&] { theirs = add(Array(1.0f), Array(1.0f)); }).join();
  CHECK_THROWS_AS(async_eval({theirs}), std::runtime_error);
}

TEST_CASE("many threads hand over work") {
  std::vector<std::thread> threads;
  std::vector<float> results(4);
  for (size_t t = 0; t < results.size(); t++) {
    threads.emplace_back([t, &results] {
      Array x(static_cast<float>(t));
      for (int i = 0; i < 50; i++) {
        x = add(x, Array(1.0f));
        async_eval({x});
      }
      synchronize();
      results[t] = x.item<float>();
    });
  }
  for (auto& t : threads) t.join();
  for (size_t t = 0; t < results.size(); t++) CHECK(results[t] == static_cast<float>(t) + 50.0f);
}

}  // namespace
}  // namespace heddle
