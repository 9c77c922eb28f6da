// Arrays as text in C++; the Python tests compare repr with MLX's.
#include <doctest/doctest.h>

#include "heddle/heddle.h"

namespace heddle {
namespace {

TEST_CASE("values") {
  CHECK(to_string(Array(true)) == "array(true, dtype=bool)");
  CHECK(to_string(Array({1, 2})) == "array([1, 2], dtype=int32)");
  CHECK(to_string(Array({1.0f, 0.1f, -0.0f, 1e6f})) == "array([1, 0.1, -0, 1e+06], dtype=float32)");
  CHECK(to_string(Array(complex64_t(1, -2))) == "array(1-2j, dtype=complex64)");
}

TEST_CASE("long axes and nesting") {
  std::vector<int> v{0, 1, 2, 3, 4, 5, 6};
  CHECK(to_string(Array(v.begin(), Shape{7})) == "array([0, 1, 2, ..., 4, 5, 6], dtype=int32)");
  CHECK(to_string(Array(v.begin(), Shape{1, 2, 2})) ==
        "array([[[0, 1],\n        [2, 3]]], dtype=int32)");
  CHECK(to_string(zeros(Shape{0, 2})) == "array([], dtype=float32)");
  CHECK(to_string(zeros(Shape{2, 0})) == "array([[],\n       []], dtype=float32)");
}

TEST_CASE("precision") {
  set_printoptions({3});
  CHECK(to_string(Array(1.0f / 3)) == "array(0.333, dtype=float32)");
  set_printoptions({});
  CHECK(to_string(Array(1.0f / 3)) == "array(0.333333, dtype=float32)");
}

}  // namespace
}  // namespace heddle
