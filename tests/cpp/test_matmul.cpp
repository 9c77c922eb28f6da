#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstring>

#include "core/threads.h"
#include "cpu/gemm.h"
#include "cpu/matmul.h"
#include "tensor.h"
#include "tile_targets.h"

using namespace heddle;
using namespace heddle::test;
using cpu::Epilogue;
using cpu::onednn::Tail;

namespace {

Number tail_of(Tail tail, Number x) {
  double v = x.real();
  switch (tail) {
    case Tail::none:
      return x;
    case Tail::relu:
      return std::max(v, 0.0);
    case Tail::gelu_erf:
      return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
    case Tail::gelu_tanh:
      return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
    case Tail::silu:
      return v / (1 + std::exp(-v));
    case Tail::tanh:
      return std::tanh(v);
    case Tail::sigmoid:
      return 1 / (1 + std::exp(-v));
  }
  return 0;
}

// The greatest difference from the plain triple loop, as a multiple of what is allowed.
double error_of(const Tensor& a, const Tensor& b, const Tensor& out, const Epilogue& e = {},
                const Tensor* addend = nullptr) {
  size_t rank = out.view.shape.size();
  int64_t K = a.view.shape[rank - 1];
  double worst = 0;
  each_index(out.view.shape, [&](const Shape& index) {
    Number sum = 0;
    Shape left = index, right = index;
    for (int64_t k = 0; k < K; k++) {
      left[rank - 1] = k;
      right[rank - 2] = k;
      sum += a.at(left) * b.at(right);
    }
    Number wanted = e.alpha * sum;
    if (addend && e.beta != 0) wanted += e.beta * addend->at(index);
    wanted = tail_of(e.tail, wanted);
    double scale =
        tolerance(out.view.dtype, K) * std::max(1.0, std::abs(e.alpha) + std::abs(e.beta));
    double error = std::abs(wanted - out.at(index)) / scale;
    if (!(error <= worst)) worst = error;
  });
  return worst;
}

const Dtype dtypes[] = {float32, float16, bfloat16, float64, complex64};

}  // namespace

TEST_CASE("matmul equals the triple loop for every dtype, size and layout") {
  const int64_t sizes[][3] = {{1, 1, 1},     {4, 4, 4},     {1, 5, 7},    {5, 1, 7},
                              {3, 2, 1},     {1, 1, 300},   {17, 49, 33}, {16, 16, 16},
                              {64, 80, 96},  {1, 300, 129}, {300, 1, 65}, {129, 50, 3},
                              {130, 97, 200}};
  for (Dtype t : dtypes) {
    for (auto& size : sizes) {
      for (int layout = 0; layout < 9; layout++) {
        // 0 row-major, 1 column-major, 2 every second element
        auto make = [&](int64_t rows, int64_t columns, int kind) {
          return Tensor(t, {rows, columns}, kind == 1 ? std::vector<int>{1, 0} : std::vector<int>{},
                        kind == 2 ? 2 : 1);
        };
        Tensor a = make(size[0], size[2], layout % 3), b = make(size[2], size[1], layout / 3);
        Tensor out(t, {size[0], size[1]});
        a.fill(1), b.fill(2);
        cpu::matmul(a.view, b.view, out.view);
        CAPTURE(name_of(t));
        CAPTURE(size[0]);
        CAPTURE(size[1]);
        CAPTURE(size[2]);
        CAPTURE(layout);
        CHECK(error_of(a, b, out) <= 1);
      }
    }
  }
}

TEST_CASE("matmul of stacks: broadcast, transposed and unmergeable batch dimensions") {
  for (Dtype t : dtypes) {
    for (int64_t M : {1, 3, 40}) {
      for (int64_t K : {5, 48}) {
        const int64_t N = 37;
        CAPTURE(name_of(t));
        CAPTURE(M);
        CAPTURE(K);
        struct Layout {
          const char* name;
          std::vector<int> a_order, b_order, a_shared, b_shared;
        };
        for (const Layout& l :
             {Layout{"dense", {}, {}, {}, {}}, Layout{"shared b", {}, {}, {}, {0, 1}},
              Layout{"shared a, b shared in one dimension", {}, {}, {0, 1}, {1}},
              Layout{"shared a in the other dimension", {}, {}, {0}, {1}},
              Layout{"heads inside the rows", {0, 2, 1, 3}, {0, 3, 1, 2}, {}, {}},
              Layout{"rows and columns repeated", {}, {}, {2}, {3}}}) {
          CAPTURE(l.name);
          Tensor a(t, {2, 3, M, K}, l.a_order, 1, l.a_shared);
          Tensor b(t, {2, 3, K, N}, l.b_order, 1, l.b_shared);
          Tensor out(t, {2, 3, M, N});
          a.fill(1), b.fill(2);
          cpu::matmul(a.view, b.view, out.view);
          CHECK(error_of(a, b, out) <= 1);
        }
      }
    }
  }
}

TEST_CASE("matmul with an addend, factors and tails") {
  for (Dtype t : dtypes) {
    for (int64_t M : {1, 6, 50}) {
      for (int64_t N : {1, 7, 64}) {
        const int64_t K = 40;
        Tensor a(t, {2, M, K}), b(t, {2, K, N}), out(t, {2, M, N});
        a.fill(1), b.fill(2);
        CAPTURE(name_of(t));
        CAPTURE(M);
        CAPTURE(N);
        // dense, row, column, scalar, transposed, shared by the batch
        for (int kind = 0; kind < 6; kind++) {
          std::vector<int> order = kind == 4 ? std::vector<int>{2, 0, 1} : std::vector<int>{};
          std::vector<int> shared[] = {{}, {0, 1}, {0, 2}, {0, 1, 2}, {}, {0}};
          Tensor c(t, {2, M, N}, order, 1, shared[kind]);
          c.fill(3);
          CAPTURE(kind);
          for (double alpha : {1.0, 0.5}) {
            for (double beta : {1.0, -2.0, 0.0}) {
              Epilogue e{alpha, beta, &c.view};
              cpu::matmul(a.view, b.view, out.view, e);
              CHECK(error_of(a, b, out, e, &c) <= 1);
            }
          }
        }
        if (t == complex64) continue;
        Tensor row(t, {2, M, N}, {}, 1, {0, 1});
        row.fill(4);
        for (Tail tail :
             {Tail::relu, Tail::gelu_erf, Tail::gelu_tanh, Tail::silu, Tail::tanh, Tail::sigmoid}) {
          Epilogue e{1, 1, &row.view, tail};
          cpu::matmul(a.view, b.view, out.view, e);
          CAPTURE(static_cast<int>(tail));
          // oneDNN's own activations are good to a few units of 1e-6, not to the last bit.
          CHECK(error_of(a, b, out, e, &row) <= 2);
        }
      }
    }
  }
}

TEST_CASE("bfloat16 products of any number of rows, and again of another") {
  const int64_t depths[][2] = {{64, 96}, {50, 33}, {160, 40}};
  for (auto& size : depths) {
    for (int64_t M : {2, 15, 16, 17, 31, 32, 33, 65, 100, 33, 129, 17, 513}) {
      const int64_t K = size[0], N = size[1];
      for (bool by_columns : {false, true}) {
        CAPTURE(M);
        CAPTURE(K);
        CAPTURE(by_columns);
        Tensor a(bfloat16, {M, K}), out(bfloat16, {M, N});
        Tensor b(bfloat16, {K, N}, by_columns ? std::vector<int>{1, 0} : std::vector<int>{});
        Tensor row(bfloat16, {M, N}, {}, 1, {0}), whole(bfloat16, {M, N});
        a.fill(1), b.fill(2), row.fill(3), whole.fill(4);
        cpu::matmul(a.view, b.view, out.view);
        CHECK(error_of(a, b, out) <= 1);
        for (const Tensor* addend : {&row, &whole}) {
          const Epilogue e{0.5, 2, &addend->view};
          cpu::matmul(a.view, b.view, out.view, e);
          CHECK(error_of(a, b, out, e, addend) <= 1);
        }
      }
    }
  }
}

TEST_CASE("large float32 products with addends agree with heddle's own kernel") {
  const int64_t M = 260, N = 257, K = 264;
  for (int layout = 0; layout < 4; layout++) {  // either operand stored by columns
    auto make = [&](int64_t rows, int64_t columns, bool turned) {
      return Tensor(float32, {rows, columns}, turned ? std::vector<int>{1, 0} : std::vector<int>{});
    };
    Tensor a = make(M, K, layout & 1), b = make(K, N, layout & 2);
    a.fill(1), b.fill(2);
    auto matrix = [](const Tensor& t) {
      return cpu::Matrix{t.view.data, float32, t.view.strides[0], t.view.strides[1]};
    };
    // dense, row, column, scalar, transposed, none
    for (int kind = 0; kind < 6; kind++) {
      std::vector<int> order = kind == 4 ? std::vector<int>{1, 0} : std::vector<int>{};
      std::vector<int> shared[] = {{}, {0}, {1}, {0, 1}, {}, {}};
      Tensor c(float32, {M, N}, order, 1, shared[kind]);
      c.fill(3);
      Epilogue e{0.5, -2.0, kind == 5 ? nullptr : &c.view};
      Tensor out(float32, {M, N}), wanted(float32, {M, N});
      cpu::matmul(a.view, b.view, out.view, e);
      cpu::Finish finish{wanted.view.data, float32, N, e.alpha, e.beta};
      if (kind != 5) finish.addend = matrix(c);
      cpu::gemm(M, N, K, matrix(a), matrix(b), finish);
      float worst = 0;
      for (int64_t i = 0; i < M * N; i++) {
        worst = std::max(worst, std::abs(out.view.as<float>()[i] - wanted.view.as<float>()[i]));
      }
      CAPTURE(layout);
      CAPTURE(kind);
      CHECK(worst <= 3 * tolerance(float32, K));
    }
  }
}

TEST_CASE("matmul of empty operands") {
  for (Dtype t : dtypes) {
    Tensor a(t, {3, 4, 0}), b(t, {3, 0, 5}), out(t, {3, 4, 5}), c(t, {3, 4, 5}, {}, 1, {0, 1});
    out.fill(1), c.fill(2);
    cpu::matmul(a.view, b.view, out.view);
    each_index(out.view.shape, [&](const Shape& i) { CHECK(out.at(i) == Number(0)); });
    Epilogue e{1, 2, &c.view};
    cpu::matmul(a.view, b.view, out.view, e);
    CHECK(error_of(a, b, out, e, &c) <= 1);
    Tensor none(t, {0, 4, 5}), left(t, {0, 4, 7}), right(t, {0, 7, 5});
    cpu::matmul(left.view, right.view, none.view);
    Tensor no_rows(t, {0, 5}), m0(t, {0, 7}), n5(t, {7, 5});
    cpu::matmul(m0.view, n5.view, no_rows.view);
  }
}

TEST_CASE("matmul keeps NaN and infinity") {
  for (Dtype t : {float32, float16, bfloat16, float64}) {
    for (int64_t n : {1, 4, 70}) {
      Tensor a(t, {n, n}), b(t, {n, n}), out(t, {n, n});
      a.fill(1), b.fill(2);
      a.set({0, 0}, NAN);
      cpu::matmul(a.view, b.view, out.view);
      CHECK(std::isnan(out.at({0, 0}).real()));
      a.set({0, 0}, INFINITY);
      b.set({0, 0}, 1);
      cpu::matmul(a.view, b.view, out.view);
      CHECK(std::isinf(out.at({0, 0}).real()));
    }
  }
}

TEST_CASE("heddle's own products equal the triple loop for every dtype") {
  for (Dtype t : {float32, float16, bfloat16, float64}) {
    for (auto [M, N, K] :
         {std::array<int64_t, 3>{150, 170, 90}, std::array<int64_t, 3>{2, 1000, 33},
          std::array<int64_t, 3>{700, 3, 65}, std::array<int64_t, 3>{9, 50, 2000}}) {
      for (int layout = 0; layout < 4; layout++) {
        Tensor a(t, {M, K}, layout & 1 ? std::vector<int>{1, 0} : std::vector<int>{});
        Tensor b(t, {K, N}, layout & 2 ? std::vector<int>{1, 0} : std::vector<int>{});
        Tensor out(t, {M, N});
        a.fill(1), b.fill(2);
        cpu::gemm(M, N, K, {a.view.data, t, a.view.strides[0], a.view.strides[1]},
                  {b.view.data, t, b.view.strides[0], b.view.strides[1]}, {out.view.data, t, N});
        CAPTURE(name_of(t));
        CAPTURE(M);
        CAPTURE(layout);
        CHECK(error_of(a, b, out) <= 1);
      }
    }
  }
}

TEST_CASE("heddle's own products do not depend on the number of threads") {
  int before = num_threads();
  for (Dtype t : {float32, float64}) {
    for (auto [M, N, K] :
         {std::array<int64_t, 3>{150, 170, 90}, std::array<int64_t, 3>{1, 3000, 700},
          std::array<int64_t, 3>{3000, 1, 700}, std::array<int64_t, 3>{9, 9, 9}}) {
      Tensor a(t, {M, K}), b(t, {K, N}), one(t, {M, N}), many(t, {M, N});
      a.fill(1), b.fill(2);
      cpu::Matrix left{a.view.data, t, K, 1}, right{b.view.data, t, N, 1};
      auto run = [&](Tensor& out, int threads) {
        set_num_threads(threads);
        cpu::Finish finish{out.view.data, t, N};
        (M == 1 || N == 1 ? cpu::gemv : cpu::gemm)(M, N, K, left, right, finish);
      };
      run(one, 1);
      run(many, 4);
      CHECK(std::memcmp(one.view.data, many.view.data, one.view.size() * size_of(t)) == 0);
    }
  }
  set_num_threads(before);
}

TEST_CASE("a row of heddle's own products is the same beside any number of rows") {
  testing::for_each_target([] {
    for (Dtype t : {float32, float16, bfloat16, float64}) {
      for (auto [N, K] : {std::array<int64_t, 2>{50, 100}, std::array<int64_t, 2>{7, 33},
                          std::array<int64_t, 2>{3, 5}, std::array<int64_t, 2>{10, 1500}}) {
        for (bool by_columns : {false, true}) {
          CAPTURE(name_of(t));
          CAPTURE(K);
          CAPTURE(by_columns);
          constexpr int64_t most = 40;
          Tensor b(t, {K, N}, by_columns ? std::vector<int>{1, 0} : std::vector<int>{});
          b.fill(2);
          auto multiply = [&](int64_t M, auto kernel, Tensor& out) {
            Tensor a(t, {M, K});
            a.fill(1);
            kernel(M, N, K, {a.view.data, t, K, 1},
                   {b.view.data, t, b.view.strides[0], b.view.strides[1]}, {out.view.data, t, N});
            CHECK(error_of(a, b, out) <= 1);
          };
          Tensor whole(t, {most, N});
          multiply(most, cpu::gemm, whole);
          for (int64_t M : {1, 2, 3, 5, 8, 9}) {
            CAPTURE(M);
            Tensor some(t, {M, N});
            multiply(M, M == 1 ? cpu::gemv : cpu::gemm_small, some);
            CHECK(std::memcmp(some.view.data, whole.view.data, M * N * size_of(t)) == 0);
          }
        }
      }
    }
  });
}
