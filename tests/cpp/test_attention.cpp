#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/threads.h"
#include "cpu/attention.h"
#include "tensor.h"
#include "tile_targets.h"

using namespace heddle;
using namespace heddle::test;
using cpu::AttentionParams;

namespace {

struct Sizes {
  int64_t B, Hq, Hkv, Lq, Lk, D, Dv;
};

// The definition in double precision, score matrix and all.
double error_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                const AttentionParams& params, const Tensor* mask, const Tensor* sinks,
                const Sizes& s) {
  double worst = 0;
  std::vector<double> score(s.Lk);
  for (int64_t b = 0; b < s.B; b++) {
    for (int64_t h = 0; h < s.Hq; h++) {
      int64_t g = h / (s.Hq / s.Hkv);
      for (int64_t i = 0; i < s.Lq; i++) {
        double highest = -INFINITY;
        for (int64_t j = 0; j < s.Lk; j++) {
          double sum = 0;
          for (int64_t d = 0; d < s.D; d++)
            sum += q.at({b, h, i, d}).real() * k.at({b, g, j, d}).real();
          sum *= params.scale;
          if (params.causal && j > i + s.Lk - s.Lq) sum = std::numeric_limits<float>::lowest();
          if (mask) {
            double m = mask->at({b, h, i, j}).real();
            if (mask->view.dtype == bool_) {
              if (m == 0) sum = std::numeric_limits<float>::lowest();
            } else {
              sum += m;
            }
          }
          score[j] = sum;
          highest = std::max(highest, sum);
        }
        double total = 0;
        if (sinks) {
          double sink = sinks->at({h}).real();
          highest = std::max(highest, sink);
          total = std::exp(sink - highest);
        }
        for (double& x : score) total += x = std::exp(x - highest);
        for (int64_t d = 0; d < s.Dv; d++) {
          double wanted = 0;
          for (int64_t j = 0; j < s.Lk; j++) wanted += score[j] * v.at({b, g, j, d}).real();
          wanted /= total;
          double error = std::abs(wanted - out.at({b, h, i, d}).real()) /
                         tolerance(out.view.dtype, out.view.dtype == float32 ? s.D : 1);
          if (!(error <= worst)) worst = error;
        }
      }
    }
  }
  return worst;
}

const Dtype dtypes[] = {float32, float16, bfloat16};
const Sizes sizes[] = {
    {1, 1, 1, 1, 1, 1, 1},      {2, 3, 3, 5, 7, 16, 16},     {1, 4, 2, 50, 130, 40, 24},
    {2, 6, 2, 1, 300, 64, 64},  {1, 8, 1, 1, 200, 33, 65},   {1, 2, 2, 3, 2500, 16, 8},
    {1, 8, 1, 2, 2100, 16, 16}, {1, 2, 1, 200, 260, 64, 64}, {1, 1, 1, 9, 4, 8, 8},
    {1, 2, 1, 20, 33, 1, 3},    {1, 2, 2, 140, 530, 7, 5}};

}  // namespace

TEST_CASE("attention equals its definition, with every kind of mask") {
  for (Dtype t : dtypes) {
    for (const Sizes& s : sizes) {
      for (bool heads_inside : {false, true}) {
        std::vector<int> order = heads_inside ? std::vector<int>{0, 2, 1, 3} : std::vector<int>{};
        Tensor q(t, {s.B, s.Hq, s.Lq, s.D}, order), k(t, {s.B, s.Hkv, s.Lk, s.D}, order);
        Tensor v(t, {s.B, s.Hkv, s.Lk, s.Dv}, order), out(t, {s.B, s.Hq, s.Lq, s.Dv}, order);
        q.fill(1), k.fill(2), v.fill(3);
        AttentionParams params;
        params.scale = 1.5f / std::sqrt(static_cast<float>(s.D));
        CAPTURE(name_of(t));
        CAPTURE(s.Lq);
        CAPTURE(s.Lk);
        CAPTURE(s.Hq);
        CAPTURE(heads_inside);

        cpu::attention(q.view, k.view, v.view, out.view, params);
        CHECK(error_of(q, k, v, out, params, nullptr, nullptr, s) <= 1);

        Tensor sinks(t, {s.Hq});
        sinks.fill(4);
        params.sinks = &sinks.view;
        cpu::attention(q.view, k.view, v.view, out.view, params);
        CHECK(error_of(q, k, v, out, params, nullptr, &sinks, s) <= 1);
        params.sinks = nullptr;

        params.causal = true;
        cpu::attention(q.view, k.view, v.view, out.view, params);
        CHECK(error_of(q, k, v, out, params, nullptr, nullptr, s) <= 1);
        params.causal = false;

        Tensor allowed(bool_, {s.B, s.Hq, s.Lq, s.Lk}, {}, 1, {0, 1});
        for (int64_t i = 0; i < s.Lq; i++) {
          for (int64_t j = 0; j < s.Lk; j++) allowed.set({0, 0, i, j}, (i * 7 + j * 3) % 5 < 3);
          for (int64_t j = 0; i == 0 && j < s.Lk; j++) allowed.set({0, 0, i, j}, 0);
        }
        params.mask = &allowed.view;
        cpu::attention(q.view, k.view, v.view, out.view, params);
        CHECK(error_of(q, k, v, out, params, &allowed, nullptr, s) <= 1);

        for (std::vector<int> shared : {std::vector<int>{0, 2}, {}, {0, 1, 3}}) {
          Tensor bias(t, {s.B, s.Hq, s.Lq, s.Lk}, {}, 1, shared);
          bias.fill(5);
          params.mask = &bias.view;
          cpu::attention(q.view, k.view, v.view, out.view, params);
          CHECK(error_of(q, k, v, out, params, &bias, nullptr, s) <= 1);
        }
      }
    }
  }
}

TEST_CASE("attention takes keys, values and queries of any strides") {
  Sizes s{1, 2, 1, 6, 40, 12, 20};
  for (Dtype t : dtypes) {
    Tensor q(t, {1, 2, 6, 12}, {3, 2, 1, 0}), k(t, {1, 1, 40, 12}, {0, 1, 3, 2});
    Tensor v(t, {1, 1, 40, 20}, {3, 0, 1, 2}), out(t, {1, 2, 6, 20});
    q.fill(1), k.fill(2), v.fill(3);
    AttentionParams params;
    cpu::attention(q.view, k.view, v.view, out.view, params);
    CHECK(error_of(q, k, v, out, params, nullptr, nullptr, s) <= 1);
  }
}

TEST_CASE("attention to nothing: NaN by an additive mask, nothing else is disturbed") {
  Sizes s{1, 1, 1, 20, 300, 16, 16};
  Tensor q(float32, {1, 1, 20, 16}), k(float32, {1, 1, 300, 16}), v(float32, {1, 1, 300, 16});
  Tensor out(float32, {1, 1, 20, 16}), mask(float32, {1, 1, 20, 300});
  q.fill(1), k.fill(2), v.fill(3);
  for (int64_t i = 0; i < 20; i++) {
    // Row 3 sees nothing, the others only the last few keys, so that whole blocks are hidden.
    for (int64_t j = 0; j < 300; j++) mask.set({0, 0, i, j}, i == 3 || j < 290 ? -INFINITY : 0);
  }
  AttentionParams params;
  params.mask = &mask.view;
  cpu::attention(q.view, k.view, v.view, out.view, params);
  for (int64_t d = 0; d < 16; d++) {
    CHECK(std::isnan(out.at({0, 0, 3, d}).real()));
    out.set({0, 0, 3, d}, 0);
  }
  for (int64_t j = 0; j < 300; j++) mask.set({0, 0, 3, j}, 0);
  Tensor again(float32, {1, 1, 20, 16});
  cpu::attention(q.view, k.view, v.view, again.view, params);
  for (int64_t d = 0; d < 16; d++) out.set({0, 0, 3, d}, again.at({0, 0, 3, d}));
  CHECK(error_of(q, k, v, out, params, &mask, nullptr, s) <= 1);
}

TEST_CASE("attention keeps NaN and does not depend on the number of threads") {
  int before = num_threads();
  for (Dtype t : dtypes) {
    for (const Sizes& s : sizes) {
      Tensor q(t, {s.B, s.Hq, s.Lq, s.D}), k(t, {s.B, s.Hkv, s.Lk, s.D}),
          v(t, {s.B, s.Hkv, s.Lk, s.Dv});
      Tensor one(t, {s.B, s.Hq, s.Lq, s.Dv}), many(t, {s.B, s.Hq, s.Lq, s.Dv});
      q.fill(1), k.fill(2), v.fill(3);
      AttentionParams params;
      set_num_threads(1);
      cpu::attention(q.view, k.view, v.view, one.view, params);
      set_num_threads(3);
      cpu::attention(q.view, k.view, v.view, many.view, params);
      CHECK(std::memcmp(one.view.data, many.view.data, one.view.size() * size_of(t)) == 0);
      k.set({0, 0, 0, 0}, NAN);
      CAPTURE(name_of(t));
      CAPTURE(s.Lq);
      CAPTURE(s.Lk);
      cpu::attention(q.view, k.view, v.view, one.view, params);
      CHECK(std::isnan(one.at({0, 0, 0, 0}).real()));
    }
  }
  set_num_threads(before);
}

TEST_CASE("a query's result is the same beside any number of queries") {
  testing::for_each_target([] {
    for (Dtype t : {float32, float16}) {
      for (auto [keys, depth] : {std::pair<int64_t, int64_t>{70, 64}, {131, 33}, {2500, 5}}) {
        CAPTURE(name_of(t));
        CAPTURE(keys);
        constexpr int64_t most = 60;
        Tensor k(t, {1, 1, keys, depth}), v(t, {1, 1, keys, 20}), whole(t, {1, 1, most, 20});
        k.fill(2), v.fill(3);
        auto attend = [&](int64_t queries, Tensor& out) {
          Tensor q(t, {1, 1, queries, depth});
          q.fill(1);
          AttentionParams params;
          params.scale = 0.3f;
          cpu::attention(q.view, k.view, v.view, out.view, params);
          CHECK(error_of(q, k, v, out, params, nullptr, nullptr,
                         {1, 1, 1, queries, keys, depth, 20}) <= 1);
        };
        attend(most, whole);
        for (int64_t queries : {1, 2, 3, 4, 5, 17}) {
          CAPTURE(queries);
          Tensor some(t, {1, 1, queries, 20});
          attend(queries, some);
          CHECK(std::memcmp(some.view.data, whole.view.data, queries * 20 * size_of(t)) == 0);
        }
      }
    }
  });
}
