// Arrays as C++ programs handle them: values of every C++ type, no array at all, memory behind
// views, errors by class; and MLX's arrays beside heddle's.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <sstream>

#include "heddle/heddle.h"
#include "mlx/mlx.h"

using namespace heddle;

TEST_CASE("every arithmetic type of C++ is an element of its size and sign") {
  const std::vector<char> letters{'a', 'b', 'c'};
  const Array a(letters.begin(), Shape{3});
  CHECK(a.dtype() == (std::is_signed_v<char> ? int8 : uint8));
  CHECK(take(a, 0).item<int>() == 'a');
  CHECK(take(a, 2).item<int>() == 'c');
  CHECK(Array('x').item<char>() == 'x');
  const std::vector<wchar_t> wide{L'\u00e9', L'z'};
  CHECK(sum(Array(wide.begin(), Shape{2})).item<int>() == 0xe9 + 'z');
  CHECK(Array(char16_t{7}).dtype() == uint16);
  CHECK(Array(char32_t{7}).dtype() == uint32);
  CHECK(Array(1LL << 40).item<long long>() == 1LL << 40);
  CHECK(Array(2.5L).dtype() == float32);
  CHECK(Array(2.5L).item<long double>() == 2.5L);
  const std::vector<long double> halves{0.5L, 1.5L};
  CHECK(sum(Array(halves.begin(), Shape{2})).item<float>() == 2.0f);
}

TEST_CASE("arrays have the dtype of the C++ type") {
  CHECK(Array(int64_t{5000000000}).item<int64_t>() == 5000000000);
  CHECK(Array(7u).dtype() == uint32);
  CHECK(Array(size_t{7}).dtype() == uint64);
  CHECK(Array(7LL).dtype() == int64);
  CHECK(Array(uint8_t{200}).dtype() == uint8);
  CHECK(Array(int16_t{-3}).dtype() == int16);
  CHECK(Array(1).dtype() == int32);
  CHECK(Array(1.0).dtype() == float32);
  CHECK(Array(float16_t(1.0f)).dtype() == float16);
  CHECK(Array({1.0, 2.0}).dtype() == float32);
  CHECK(Array({1., -1, -.1}).dtype() == float32);
  CHECK(Array({uint8_t{1}, uint8_t{2}}).dtype() == uint8);
  double doubles[] = {1, 2};
  const double* pointer = doubles;
  CHECK(Array(pointer, {2}).dtype() == float32);
  CHECK(Array(pointer, {2}, float64).dtype() == float64);
  CHECK(Array({}).dtype() == float32);
  CHECK(Array({}).shape() == Shape{0});
  CHECK(Array({}, int32).dtype() == int32);
  CHECK_THROWS_AS(argmin(Array({})), std::invalid_argument);
  CHECK_THROWS_AS(Array(pointer, {-3}), std::invalid_argument);
}

TEST_CASE("comparisons are arrays and no conditions") {
  Array a({1, 5}), b({1, 7});
  static_assert(!std::is_constructible_v<bool, decltype(a == b)>);
  static_assert(!std::is_constructible_v<bool, decltype((a > 1) && (b < 10))>);
  static_assert(!std::is_constructible_v<bool, mlx::core::array>);
  CHECK(to_string((a > 1) && (b < 7)) == "array([false, false], dtype=bool)");
  CHECK(to_string((a > 1) || (b < 7)) == "array([true, true], dtype=bool)");
}

TEST_CASE("halves are numbers") {
  float16_t a(1.5f), b(2.0f);
  bfloat16_t c(3.0f);
  CHECK(a + b == 3.5f);
  CHECK(a * c == 4.5f);
  CHECK(-a == -1.5f);
  CHECK(a < b);
  CHECK(a != b);
  std::ostringstream text;
  text << a << c;
  CHECK(text.str() == "1.53");
}

TEST_CASE("no array: every use is an exception") {
  const Array none, one(1.0f);
  auto same = [](const Arrays& x) { return x; };
  const std::vector<std::function<void()>> uses = {
      [&] { none.shape(); },
      [&] { none.ndim(); },
      [&] { none.size(); },
      [&] { none.dtype(); },
      [&] { none.nbytes(); },
      [&] { none.eval(); },
      [&] { none.is_available(); },
      [&] { none.data<float>(); },
      [&] { none.strides(); },
      [&] { none.item<float>(); },
      [&] { to_string(none); },
      [&] { exp(none); },
      [&] { none + one; },
      [&] { one + none; },
      [&] { maximum(one, none); },
      [&] { where(one, none, one); },
      [&] { clip(none, one, one); },
      [&] { astype(none, int32); },
      [&] { sum(none); },
      [&] { argmax(none, 0); },
      [&] { softmax(none); },
      [&] { sort(none); },
      [&] { cumsum(none, 0); },
      [&] { reshape(none, {1}); },
      [&] { transpose(none); },
      [&] { broadcast_to(none, {1}); },
      [&] {
        broadcast_arrays({one, none});
      },
      [&] {
        concatenate({none, none}, 0);
      },
      [&] {
        stack({one, none});
      },
      [&] { split(none, 1); },
      [&] {
        pad(none, {{1, 1}});
      },
      [&] { take(none, 0); },
      [&] { take(one, none); },
      [&] { slice(none, {0}, {1}); },
      [&] { gather(one, {none}, {0}, {}); },
      [&] { scatter(none, {}, one, {}); },
      [&] { matmul(none, one); },
      [&] { addmm(none, one, one); },
      [&] { einsum("i->i", {none}); },
      [&] { conv1d(none, one); },
      [&] { quantize(none); },
      [&] { full({2}, none); },
      [&] { zeros_like(none); },
      [&] { stop_gradient(none); },
      [&] { view(none, int32); },
      [&] { copy(none); },
      [&] { contiguous(none); },
      [&] { unique(none, 1); },
      [&] { depends({none}, {one}); },
      [&] { fast::rms_norm(none, std::nullopt, 1e-5f); },
      [&] { linalg::inv(none); },
      [&] { fft::fft(none); },
      [&] { random::split(none); },
      [&] { random::bernoulli(none); },
      [&] { vjp(same, {none}, {one}); },
      [&] { jvp(same, {none}, {one}); },
      [&] { grad(same)({none}); },
      [&] { vmap(same)({none}); },
      [&] { compile(same)({none}); },
      [&] { checkpoint([](const Arrays& x) { return Arrays{exp(x[0])}; })({none}); },
      [&] {
        export_function([](const ExportRecord&) {}, [&](auto& x, auto&) { return same(x); },
                        {none});
      },
      [&] { save(std::filesystem::temp_directory_path() / "heddle_no_array.npy", none); },
  };
  for (size_t i = 0; i < uses.size(); i++) {
    CAPTURE(i);
    CHECK_THROWS_AS(uses[i](), std::invalid_argument);
  }
}

TEST_CASE("data() hands out row-major memory of the array's own size") {
  const Array base = reshape(arange(0.0, 6.0), {2, 3});
  auto ones_of = [](const Arrays& x) { return Arrays{sum(x[0])}; };
  const std::vector<std::function<Array()>> views = {
      [] {
        return zeros({100, 3});
      },
      [] { return ones({100}); },
      [] {
        return full({4, 4}, Array(2.0f));
      },
      [] { return copy(zeros({9})); },
      [] {
        return reshape(zeros({10, 10}), {100});
      },
      [] { return astype(ones({50}), float32); },
      [&] {
        return broadcast_to(Array({1.0f, 2.0f}), {5, 2});
      },
      [&] {
        return broadcast_arrays({base, Array(1.0f)})[1];
      },
      [&] { return transpose(base); },
      [&] { return flip(base); },
      [&] {
        return slice(base, {0, 0}, {2, 3}, {1, 2});
      },
      [&] { return split(base, 3, 1)[1]; },
      [&] {
        return diagonal(broadcast_to(base, {3, 2, 3}), 0, 1, 2);
      },
      [&] {
        return as_strided(base, {2, 2}, Strides{1, 1}, 0);
      },
      [&] { return take(base, 1, 1); },
      [&] { return grad(ones_of)({base})[0]; },
      [&] { return mlx::core::vmap([](const mlx::core::array& x) { return x; })(base); },
  };
  for (size_t i = 0; i < views.size(); i++) {
    CAPTURE(i);
    Array a = views[i]();
    CHECK_THROWS_AS((a + 1).data<float>(), std::runtime_error);
    a.eval();
    Array expected = a + 0.0f;
    expected.eval();
    const float* before = std::as_const(a).data<float>();
    CHECK(std::equal(before, before + a.size(), expected.data<float>()));
    CHECK(is_row_contiguous(a.shape(), a.strides()));
    // What is written is the array from then on.
    for (int64_t k = 0; k < a.size(); k++) a.data<float>()[k] = static_cast<float>(k);
    CHECK(sum(a).item<float>() == static_cast<float>(a.size() * (a.size() - 1) / 2));
  }
}

TEST_CASE("what is written through data() does not reach a mapped file") {
  std::string path = std::filesystem::temp_directory_path() / "heddle_written.npy";
  save(path, Array({1.0f, 2.0f}));
  Array a = load(path);
  a.eval();
  a.data<float>()[0] = 7;
  CHECK(a.data<float>()[1] == 2);
  CHECK(take(load(path), 0).item<float>() == 1);
  std::filesystem::remove(path);
}

TEST_CASE("foreign memory is used and given back once") {
  float memory[] = {1, 2, 3, 4};
  int given_back = 0;
  {
    Array a = Array::adopt_memory(memory, {2, 2}, float32, [&](void*) { given_back++; });
    CHECK(a.data<float>() == memory);
    CHECK(sum(a).item<float>() == 10);
  }
  CHECK(given_back == 1);
}

TEST_CASE("a key is a key") {
  const Array key = random::key(3);
  CHECK(array_equal(random::normal({3}, float32, key), random::normal({3}, float32, {}, {}, key))
            .item<bool>());
  CHECK(array_equal(random::laplace({3}, float32, key), random::laplace({3}, float32, {}, {}, key))
            .item<bool>());
}

TEST_CASE("errors by class") {
  Array a({1.0f, 2.0f});
  CHECK_THROWS_AS(a.shape(3), std::out_of_range);
  CHECK_THROWS_AS(sum(a, 3), std::out_of_range);
  CHECK_THROWS_AS(Shape({1, 2}).at(2), std::out_of_range);
  CHECK_THROWS_AS(import_function("x", 1, "bytes"), std::runtime_error);
  CHECK_THROWS_AS(grad([](const Arrays&) { return Arrays{}; })({a}), std::invalid_argument);
}

TEST_CASE("vmap refuses more axes than there are arrays") {
  auto same = [](const Arrays& x) { return x; };
  CHECK_THROWS_AS(vmap(same, {0, 0})({ones({2})}), std::invalid_argument);
  CHECK_THROWS_AS(vmap(same, {0}, {0, 0})({ones({2})}), std::invalid_argument);
}

TEST_CASE("sizes near the largest int are refused, not wrapped") {
  Array x = ones({1, 4, 1}), w = ones({1, 3, 1});
  CHECK_THROWS_AS(conv1d(x, w, 1, INT_MAX), std::overflow_error);
  CHECK_THROWS_AS(conv_transpose1d(x, w, 1, 0, INT_MAX), std::overflow_error);
  CHECK_THROWS_AS(conv_transpose1d(x, w, 1, 0, 1, INT_MAX), std::overflow_error);
  CHECK_THROWS_AS(conv_transpose1d(x, w, 1, INT_MIN), std::overflow_error);
  CHECK_THROWS_AS(conv_transpose1d(x, w, INT_MAX), std::overflow_error);
  CHECK_THROWS_AS(pad(Array({1}), {{INT_MAX, INT_MAX}}), std::overflow_error);
  CHECK_THROWS_AS(tile(x, {INT_MAX, INT_MAX, INT_MAX}), std::overflow_error);
  CHECK_THROWS_AS(arange(0.0, 1e15, 1.0), std::invalid_argument);
  CHECK_THROWS_AS(reshape(Array({1}), {INT_MAX, INT_MAX, INT_MAX}), std::overflow_error);
  CHECK_THROWS_AS(mlx::core::array(repeat(x, INT_MAX, 1)), std::overflow_error);
}

TEST_CASE("bounds of ranges that are integers keep 64 bits") {
  const int64_t big = (int64_t{1} << 53) + 1;
  auto numbers = [](const Array& a) {
    Array x = astype(a, int64);
    x.eval();
    return std::vector<int64_t>(x.data<int64_t>(), x.data<int64_t>() + x.size());
  };
  const std::vector<int64_t> three{big, big + 1, big + 2};
  CHECK(numbers(arange(big, big + 3, 1, int64)) == three);
  CHECK(numbers(linspace(big, big + 2, 3, int64)) == three);
  CHECK(numbers(mlx::core::arange(big, big + 3, mlx::core::int64)) == three);
  CHECK(numbers(mlx::core::arange(big, big + 3, int64_t{1}, mlx::core::int64)) == three);
  CHECK(numbers(mlx::core::linspace(big, big + 2, 3, mlx::core::int64)) == three);
  const Array top = arange(UINT64_MAX - 1, UINT64_MAX, 1, uint64);
  CHECK(top.item<uint64_t>() == UINT64_MAX - 1);
  CHECK_THROWS_AS(arange(UINT64_MAX - 1, UINT64_MAX, 1, int64), std::invalid_argument);
  CHECK(arange(0, 3, 1, float16).dtype() == float16);
}

TEST_CASE("MLX's vmap counts the axes of results from the front") {
  auto same = [](const mlx::core::array& x) { return x; };
  CHECK_THROWS_AS(mlx::core::vmap(same, 0, -1), std::invalid_argument);
}

TEST_CASE("shapes are vectors") {
  Shape s{2, 3};
  s.insert(s.begin() + 1, 2, 7);
  s.insert(s.end(), {8, 9});
  s.insert(s.begin(), s.begin(), s.begin() + 2);
  CHECK(s == Shape{2, 7, 2, 7, 7, 3, 8, 9});
  s.erase(s.begin() + 1, s.begin() + 6);
  CHECK(s == Shape{2, 8, 9});
  std::ostringstream text;
  text << s << Shape{};
  CHECK(text.str() == "(2,8,9)()");
}

TEST_CASE("MLX's arrays are heddle's where both interfaces meet") {
  namespace mx = mlx::core;
  mx::array a({1.0f, 2.0f});
  const Array& same = a;
  CHECK(same.id() == a.id());
  mx::array back = exp(same);
  CHECK(back.shape() == mx::Shape{2});
  mx::array moved = std::move(back);
  CHECK_THROWS_AS(back.shape(), std::invalid_argument);
  CHECK_THROWS_AS(back + moved, std::invalid_argument);
}
