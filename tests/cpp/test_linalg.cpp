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
  return random::normal(shape, float32, random::key(seed));
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

TEST_CASE("factorizations give the matrix back") {
  const Array a = random_matrices({4, 20, 20}, 4);
  const auto [q, r] = linalg::qr(a);
  CHECK(largest(subtract(matmul(q, r), a)) < 1e-5f);
  const Array square = add(matmul(a, swapaxes(a, -1, -2)), eye(20));
  const Array l = linalg::cholesky(square);
  CHECK(largest(subtract(matmul(l, swapaxes(l, -1, -2)), square)) < 1e-4f);
  const auto [w, v] = linalg::eigh(square);
  CHECK(largest(subtract(matmul(square, v), multiply(v, expand_dims(w, -2)))) < 1e-3f);
  const Arrays lu = linalg::lu(a);
  const Array rows = take_along_axis(lu[1], expand_dims(lu[0], -1), -2);
  CHECK(largest(subtract(matmul(rows, lu[2]), a)) < 1e-5f);
  CHECK(largest(subtract(linalg::solve(square, square), eye(20))) < 1e-3f);
}

TEST_CASE("determinants of matrices beyond the range of float32's products") {
  const Array a = multiply(eye(50), Array(10.0f));
  CHECK(linalg::det(multiply(eye(30), Array(10.0f))).item<float>() == doctest::Approx(1e30));
  CHECK(linalg::slogdet(a).second.item<float>() == doctest::Approx(50 * std::log(10.0)));
}

TEST_CASE("singular matrices throw at evaluation, wrong shapes at once") {
  CHECK_THROWS_AS(linalg::inv(zeros({3, 3})).eval(), std::runtime_error);
  CHECK_THROWS_AS(linalg::solve(zeros({3, 3}), zeros({3})).eval(), std::runtime_error);
  CHECK_THROWS_AS(linalg::inv(zeros({3, 2})), std::invalid_argument);
  CHECK_THROWS_AS(linalg::norm(zeros({3, 2}), 7.0), std::invalid_argument);
  CHECK_THROWS_AS(linalg::norm(zeros({3}), "fro"), std::invalid_argument);
  CHECK_THROWS_AS(linalg::cross(zeros({3}), zeros({3}), 2), AxisError);
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
