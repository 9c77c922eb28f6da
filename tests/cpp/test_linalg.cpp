#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <vector>

#include "core/threads.h"
#include "cpu/lapack.h"
#include "heddle/heddle.h"

using namespace heddle;

namespace {

Array random_matrices(const Shape& shape, uint64_t seed) {
  return random::normal(shape, float32, {}, {}, random::key(seed));
}

float largest(const Array& a) { return max(abs(a)).item<float>(); }

Array product(const Arrays& parts) {
  return matmul(multiply(parts[0], expand_dims(parts[1], -2)), parts[2]);
}

}  // namespace

TEST_CASE("svd: the factors give the matrix back, alone and in stacks") {
  const Array a = random_matrices({5, 30, 30}, 1);
  CHECK(largest(subtract(product(linalg::svd(a)), a)) < 1e-5f);
}

TEST_CASE("svd: a matrix gives the same bits in any stack and with any number of threads") {
  const Array stack = random_matrices({64, 12, 12}, 2);
  const Array all = linalg::svd(stack, false)[0];
  const int threads = num_threads();
  set_num_threads(1);
  const Array alone = linalg::svd(stack, false)[0];
  alone.eval();
  set_num_threads(threads);
  CHECK(array_equal(all, alone).item<bool>());
  CHECK(array_equal(linalg::svd(take(stack, 7, 0), false)[0], take(all, 7, 0)).item<bool>());
}

TEST_CASE("svd: NaN and infinity are refused at evaluation") {
  CHECK_THROWS_AS(linalg::svd(full({3, 3}, Array(NAN)))[1].eval(), std::runtime_error);
  CHECK_THROWS_AS(linalg::svd(full({3, 3}, Array(INFINITY)))[1].eval(), std::runtime_error);
}

TEST_CASE("linear algebra works in a forked child") {
  const Array a = random_matrices({300, 300}, 3);
  const float before = max(linalg::svd(a, false)[0]).item<float>();
  const pid_t child = fork();
  if (child == 0) {
    const float after = max(linalg::svd(a, false)[0]).item<float>();
    _exit(std::abs(after - before) < 1e-3f ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
