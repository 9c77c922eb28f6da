#include <doctest/doctest.h>

#include <cmath>

#include "cpu/rope.h"
#include "tensor.h"

using namespace heddle;
using namespace heddle::test;
using cpu::RopeParams;

namespace {

double error_of(const Tensor& x, const Tensor& out, const RopeParams& p, const Tensor* freqs,
                const Tensor* offset) {
  double worst = 0;
  each_index(x.view.shape, [&](const Shape& at) {
    double wanted = x.at(at).real();
    if (at[3] < p.dims) {
      int64_t half = p.dims / 2;
      int64_t pair = p.traditional ? at[3] / 2 : at[3] % half;
      bool first = p.traditional ? at[3] % 2 == 0 : at[3] < half;
      Shape other = at;
      other[3] = p.traditional ? at[3] ^ 1 : (at[3] + half) % p.dims;
      double speed = freqs ? 1 / freqs->at({pair}).real() : std::pow(p.base, -2.0 * pair / p.dims);
      double start = offset ? offset->at({offset->view.shape[0] == 1 ? 0 : at[0]}).real() : 0;
      double angle = (start + at[2]) * p.scale * speed * (p.inverse ? -1 : 1);
      wanted = wanted * std::cos(angle) + (first ? -1 : 1) * x.at(other).real() * std::sin(angle);
    }
    double error = std::abs(wanted - out.at(at).real()) / tolerance(out.view.dtype, 1);
    if (!(error <= worst)) worst = error;
  });
  return worst;
}

}  // namespace

TEST_CASE("rope equals its definition") {
  for (Dtype t : {float32, float16, bfloat16}) {
    for (int64_t length : {1, 5, 70}) {
      for (int dims : {2, 6, 64}) {
        for (bool traditional : {false, true}) {
          for (std::vector<int> order : {std::vector<int>{}, {0, 2, 1, 3}, {3, 0, 1, 2}}) {
            Tensor x(t, {2, 3, length, 70}, order), out(t, {2, 3, length, 70});
            Tensor freqs(float32, {dims / 2}), one(int32, {1}), each(int64, {2});
            x.fill(1);
            for (int i = 0; i < dims / 2; i++) freqs.set({i}, 1 + 3 * i);
            one.set({0}, 1000);
            each.set({0}, 3);
            each.set({1}, 4000);
            CAPTURE(name_of(t));
            CAPTURE(length);
            CAPTURE(dims);
            CAPTURE(traditional);
            RopeParams p;
            p.dims = dims;
            p.traditional = traditional;
            cpu::rope(x.view, out.view, p);
            CHECK(error_of(x, out, p, nullptr, nullptr) <= 1);
            p.offset = &one.view;
            p.scale = 0.5;
            p.base = 500;
            cpu::rope(x.view, out.view, p);
            CHECK(error_of(x, out, p, nullptr, &one) <= 1);
            p.offset = &each.view;
            p.freqs = &freqs.view;
            p.inverse = true;
            cpu::rope(x.view, out.view, p);
            CHECK(error_of(x, out, p, &freqs, &each) <= 1);
          }
        }
      }
    }
  }
}

TEST_CASE("rope in place, and back again") {
  Tensor x(float32, {1, 2, 9, 16}), out(float32, {1, 2, 9, 16});
  x.fill(1), out.fill(1);
  RopeParams p;
  p.dims = 16;
  cpu::rope(out.view, out.view, p);
  CHECK(error_of(x, out, p, nullptr, nullptr) <= 1);
  p.inverse = true;
  cpu::rope(out.view, out.view, p);
  each_index(x.view.shape, [&](const Shape& i) {
    CHECK(out.at(i).real() == doctest::Approx(x.at(i).real()).epsilon(1e-5));
  });
}
