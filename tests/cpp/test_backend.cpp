// Another device: a stream's work runs on its backend, and graphs may cross from one to another.
#include <doctest/doctest.h>

#include <string>

#include "heddle/heddle.h"
#include "stub_backend.h"

namespace heddle {
namespace {

Array range(int n) { return arange(0, n, 1, float32); }

std::string what_throws(const Array& a) {
  try {
    a.eval();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

TEST_CASE("backend: a stream's work runs where the stream is") {
  const Stream there = new_stream(stub_backend());
  const int ops = stub_backend().ops, groups = stub_backend().groups;
  Array x = reshape(range(6), {2, 3});
  x.eval();
  Array y = matmul(x, transpose(x), there);
  y = multiply(add(y, range(2), there), Array(0.5f), there);
  y = subtract(exp(negative(y, there), there), y, there);
  y.eval();
  CHECK(stub_backend().ops == ops + 1);
  CHECK(stub_backend().groups == groups + 1);  // the pointwise ones together

  Array z = matmul(x, transpose(x));
  z = (z + range(2)) * Array(0.5f);
  z = exp(negative(z)) - z;
  CHECK(allclose(y, z).item<bool>());
}

TEST_CASE("backend: a graph that crosses from one device to the other and back") {
  const Stream there = new_stream(stub_backend());
  auto chain = [&](const StreamOrDevice& s) {
    Array x = reshape(range(12), {3, 4}) * Array(0.25f);
    Array a = add(x, Array(1.0f), s);      // there, and kept for two readers
    Array b = sin(a);                      // here: the other device has no sine
    Array c = multiply(b, a, s);           // there again
    Array d = softmax(c, -1);              // here, with c before it on the other device
    Array e = matmul(d, transpose(c), s);  // there
    return sum(exp(e) + exp(subtract(e, Array(1.0f), s)), 0);
  };
  const int ops = stub_backend().ops, groups = stub_backend().groups;
  Array crossing = chain(there);
  crossing.eval();
  CHECK(stub_backend().ops == ops + 1);
  CHECK(stub_backend().groups == groups + 3);
  CHECK(allclose(crossing, chain({})).item<bool>());
  CHECK(stub_backend().groups == groups + 3);
}

TEST_CASE("backend: small pieces of two devices wait for each other") {
  const Stream there = new_stream(stub_backend());
  const int groups = stub_backend().groups;
  Arrays squares;
  for (int i = 0; i < 100; i++) {
    Array x = zeros({5}) + Array(static_cast<float>(i));
    squares.push_back(multiply(x, x, i % 3 ? StreamOrDevice(there) : StreamOrDevice()));
  }
  Array all = stack(squares);
  all.eval();
  CHECK(stub_backend().groups == groups + 66);
  Array wanted = square(arange(0, 100, 1, float32));
  CHECK(array_equal(all, broadcast_to(reshape(wanted, {100, 1}), {100, 5})).item<bool>());
}

TEST_CASE("backend: what it lacks is refused by name, and the graph stays as it was") {
  const Stream there = new_stream(stub_backend());
  Array x = range(4);
  x.eval();
  Array before = add(x, Array(1.0f), there);
  Array bad = sin(before, there);
  CHECK(what_throws(bad).find("[Sin]") != std::string::npos);
  CHECK_FALSE(bad.is_available());
  Array sorted = sort(before, 0, there);
  CHECK(what_throws(sorted).find("[Sort]") != std::string::npos);
  CHECK(array_equal(before, x + Array(1.0f)).item<bool>());
}

}  // namespace
}  // namespace heddle
