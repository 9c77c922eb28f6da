// What goes on beside an evaluation that takes its time, and what waits for it. Nothing here
// depends on how long anything takes: kernels and primitives stop until the test lets them go on.
// (Where a thread would have to wait for what it should not, they give up after a minute, and the
// test fails.)
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "eval/backend.h"
#include "heddle/export.h"
#include "heddle/heddle.h"
#include "heddle/primitive.h"
#include "runs.h"
#include "thrown.h"

namespace heddle {
namespace {

using test::runs;
using test::what_throws;

// A point at which one thread stops until another lets it go on.
class Stop {
 public:
  void here() {
    reached_.release();
    passed_ = go_on_.try_acquire_for(std::chrono::minutes(1));
  }
  void wait_until_reached() { CHECK(reached_.try_acquire_for(std::chrono::minutes(1))); }
  void go_on() { go_on_.release(); }
  bool passed() const { return passed_; }

 private:
  std::counting_semaphore<> reached_{0}, go_on_{0};
  std::atomic<bool> passed_{false};
};

// The CPU, with a stop before each single op.
class Stopping final : public Backend {
 public:
  explicit Stopping(std::function<void()> before) : before_(std::move(before)) {}
  void run(const Work& work) override {
    before_();
    cpu_backend().run(work);
  }
  void run(std::span<const PointwiseGroup> groups) override { cpu_backend().run(groups); }
  bool takes_prologue(const Op&) const override { return false; }

 private:
  std::function<void()> before_;
};

void copy_plus_one(const Arrays& in, Array& out) {
  Array y = in[0] + Array(1.0f);
  y.eval();
  out.copy_shared_buffer(y);
}

Array matrix() {
  Array x = arange(0, 64, 1, float32);
  return reshape(x, {8, 8}) * Array(0.125f);
}

bool same(const Array& a, const Array& b) { return array_equal(a, b).item<bool>(); }

// Everything that a thread may do while `slow` is being computed by another.
void do_everything_beside(const Array& slow) {
  Array x = matrix();
  CHECK(same(x + x, x * Array(2.0f)));
  Array g = grad([](const Arrays& a) { return Arrays{sum(square(a[0]))}; })({x})[0];
  CHECK(same(g, x + x));
  Array rows = vmap([](const Arrays& r) { return Arrays{sum(r[0])}; })({x})[0];
  CHECK(same(rows, sum(x, 1)));
  Array compiled = compile([](const Arrays& a) { return Arrays{tanh(a[0]) + a[0]}; })({x})[0];
  CHECK(same(compiled, tanh(x) + x));
  Array y = matmul(x, transpose(x));
  async_eval(x * x);  // waits in the queue
  // Built on it, traced with it, dropped: none of this needs its value.
  Array later = exp(slow) + y;
  Array traced = grad([&](const Arrays& a) { return Arrays{sum(a[0] * slow)}; })({x})[0];
  CHECK(traced.shape() == x.shape());
  later = Array();
  CHECK_FALSE(slow.is_available());
}

TEST_CASE("beside a kernel that takes its time everything goes on") {
  Stop stop;
  Stopping backend([&] { stop.here(); });
  Array x = matrix();
  x.eval();
  Array slow = matmul(x, x, new_stream(backend));
  async_eval(slow);
  stop.wait_until_reached();
  do_everything_beside(slow);
  stop.go_on();
  synchronize();
  CHECK(stop.passed());
  CHECK(same(slow, matmul(x, x)));
}

TEST_CASE("beside a primitive of the program's own everything goes on") {
  Stop stop;
  Array x = matrix();
  Array slow = runs(x.shape(), {x}, [&](const Arrays& in, Array& out) {
    stop.here();
    copy_plus_one(in, out);
  });
  async_eval(slow * Array(2.0f));
  stop.wait_until_reached();
  do_everything_beside(slow);
  stop.go_on();
  synchronize();
  CHECK(stop.passed());
  CHECK(same(slow, x + Array(1.0f)));
}

TEST_CASE("who needs what another thread computes waits for that, and nothing is computed twice") {
  Stop stop;
  std::atomic<int> ops{0};
  Stopping backend([&] {
    if (ops++ == 0) stop.here();
  });
  const Stream stream = new_stream(backend, true);
  Array x = matrix();
  x.eval();
  Array slow = matmul(x, x, stream);
  Array after = matmul(slow, x, stream);
  async_eval(after);
  stop.wait_until_reached();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      Array mine = t % 2 ? sum(slow) : slow + after;
      mine.eval();
      Array wanted = t % 2 ? sum(matmul(x, x)) : matmul(x, x) + matmul(matmul(x, x), x);
      right += allclose(mine, wanted).item<bool>();
    });
  }
  // A walk that needs to know what is behind waits as well.
  threads.emplace_back(
      [&] { right += print_graph({sum(slow)}, {}).find("Matmul") == std::string::npos; });
  stop.go_on();
  for (std::thread& t : threads) t.join();
  synchronize();
  CHECK(right == 5);
  CHECK(ops == 2);
}

TEST_CASE("many threads evaluate parts of one graph, and each of its nodes once") {
  const Stream everybodys = new_thread_unsafe_stream(default_device());
  for (int round = 0; round < 20; round++) {
    constexpr int length = 40;
    std::atomic<int> runs_of[length] = {};
    Arrays chain;
    {
      StreamContext context(everybodys);
      Array x = matrix();
      for (int i = 0; i < length; i++) {
        x = runs(x.shape(), {tanh(x)}, [&runs_of, i](const Arrays& in, Array& out) {
          runs_of[i]++;
          out.copy_shared_buffer(in[0]);
        });
        chain.push_back(x);
      }
    }
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 8; t++) {
      threads.emplace_back([&, t] {
        for (size_t i = t; i < length; i += 5) chain[i].eval();
      });
    }
    for (std::thread& t : threads) t.join();
    chain.back().eval();
    for (const std::atomic<int>& n : runs_of) CHECK(n == 1);
    Array x = matrix();
    for (int i = 0; i < length; i++) x = tanh(x);
    CHECK(same(chain.back(), x));
  }
}

TEST_CASE("an input that another thread may still read is not overwritten") {
  // Each round: two threads compute from one input, which dies meanwhile.
  const Stream everybodys = new_thread_unsafe_stream(default_device());
  for (int round = 0; round < 200; round++) {
    Array x, y, z;
    {
      StreamContext context(everybodys);
      x = matrix();
      x.eval();
      y = exp(x) + Array(1.0f);
      z = x * Array(3.0f) - Array(2.0f);
    }
    const Array wanted_y = exp(matrix()) + Array(1.0f),
                wanted_z = matrix() * Array(3.0f) - Array(2.0f);
    eval(wanted_y, wanted_z);
    std::thread other([y]() mutable { y.eval(); });
    std::thread drops([dying = std::move(x)]() mutable { dying = Array(); });
    z.eval();
    other.join();
    drops.join();
    CHECK(same(y, wanted_y));
    CHECK(same(z, wanted_z));
  }
}

TEST_CASE("where an evaluation fails those who waited for it compute it themselves") {
  Stop stop;
  std::atomic<int> ops{0};
  std::atomic<int> failures{1};
  Stopping backend([&] {
    if (ops++ == 0) stop.here();
    if (failures-- > 0) throw std::runtime_error("[stopping] no");
  });
  const Stream stream = new_stream(backend, true);
  Array x = matrix();
  x.eval();
  Array slow = matmul(x, x, stream);
  std::string first, second;
  std::thread one([&] { first = what_throws([&] { slow.eval(); }); });
  stop.wait_until_reached();
  std::thread two([&] { second = what_throws([&] { (slow + x).eval(); }); });
  stop.go_on();
  one.join();
  two.join();
  CHECK(first == "[stopping] no");
  CHECK(second == "nothing");
  CHECK(ops == 2);
  CHECK(same(slow, matmul(x, x)));

  failures = 2;  // both meet the error
  slow = matmul(x, x, stream);
  for (int i = 0; i < 2; i++) CHECK(what_throws([&] { slow.eval(); }) == "[stopping] no");
  CHECK(same(slow, matmul(x, x)));
}

TEST_CASE("what an evaluation was going to compute is free while its primitive runs") {
  // The primitive waits for a thread that wants what the evaluation around it wants, too.
  const Stream everybodys = new_thread_unsafe_stream(default_device());
  StreamContext context(everybodys);
  Stop stop;
  Array x = matrix();
  Array both = exp(x) * x;
  Array own = runs(x.shape(), {x}, [&](const Arrays& in, Array& out) {
    stop.here();
    copy_plus_one(in, out);
  });
  std::thread other([&] {
    stop.wait_until_reached();
    both.eval();
    stop.go_on();
  });
  Array all = own + matmul(both, x);
  all.eval();
  other.join();
  CHECK(stop.passed());
  CHECK(allclose(all, x + Array(1.0f) + matmul(exp(x) * x, x)).item<bool>());
}

TEST_CASE("primitives that wait for each other's results are refused, not stuck") {
  const Stream everybodys = new_thread_unsafe_stream(default_device());
  StreamContext context(everybodys);
  Stop one_is_in, two_is_in;
  std::atomic<int> entered{0};
  Array one, two;
  // Both on their way before either asks for the other's.
  auto meet = [&] {
    entered++;
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (entered < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  };
  one = runs({8, 8}, {matrix()}, [&](const Arrays& in, Array& out) {
    meet();
    two.eval();
    copy_plus_one(in, out);
  });
  two = runs({8, 8}, {matrix()}, [&](const Arrays& in, Array& out) {
    meet();
    one.eval();
    copy_plus_one(in, out);
  });
  std::string first, second;
  std::thread a([&] { first = what_throws([&] { one.eval(); }); });
  std::thread b([&] { second = what_throws([&] { two.eval(); }); });
  a.join();
  b.join();
  CHECK(first.find("[eval]") == 0);
  CHECK(second.find("[eval]") == 0);
}

TEST_CASE("memory that other kernels may read is not taken away") {
  Stop stop;
  Stopping backend([&] { stop.here(); });
  Array x = transpose(matrix());
  x.eval();
  Array slow = matmul(x, x, new_stream(backend));
  async_eval(slow);
  stop.wait_until_reached();
  float second = 0;
  std::thread reader([&] { second = x.data<float>()[1]; });  // wants it row by row
  stop.go_on();
  reader.join();
  synchronize();
  CHECK(second == 1.0f);
  CHECK(same(slow, matmul(transpose(matrix()), transpose(matrix()))));
}

}  // namespace
}  // namespace heddle
