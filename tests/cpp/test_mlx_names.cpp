// The forms that only MLX's C++ interface has, through mlx/mlx.h: what they compute, not only that
// they compile (tests/python/test_mlx_headers.py asks that of every declaration).
#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>

#include "mlx/mlx.h"

namespace mx = mlx::core;

namespace {

std::vector<float> values(const mx::array& a) {
  mx::array flat = mx::contiguous(mx::flatten(mx::astype(a, mx::float32)));
  flat.eval();
  return {flat.data<float>(), flat.data<float>() + flat.size()};
}
using Values = std::vector<float>;

}  // namespace

TEST_CASE("MLX's names: creation and shapes") {
  CHECK(values(mx::arange(3.0, mx::int32)) == Values{0, 1, 2});
  CHECK(values(mx::arange(1.0, 4.0, mx::float16)) == Values{1, 2, 3});
  CHECK(values(mx::linspace(0, 1, 2, false, mx::float32)) == Values{0, 0.5f});
  CHECK(mx::zeros_like(mx::array(1.0f), mx::int8).dtype() == mx::int8);
  CHECK(values(mx::tri(2, mx::int32)) == Values{1, 0, 1, 1});

  mx::array a({1, 2, 3, 4}, {2, 2});
  CHECK(values(mx::flip(a, 1)) == Values{2, 1, 4, 3});
  CHECK(values(mx::roll(a, 1, 0)) == Values{3, 4, 1, 2});
  CHECK(values(mx::roll(a, mx::Shape{1, 2})) == values(mx::roll(a, 3)));
  CHECK(values(mx::tile(mx::array({1, 2}), std::vector<int>{2})) == Values{1, 2, 1, 2});
  CHECK(values(mx::pad(mx::array({5}), 1)) == Values{0, 5, 0});
  CHECK(values(mx::pad(a, {-1}, mx::Shape{0}, mx::Shape{1}, mx::array(9))) ==
        Values{1, 2, 9, 3, 4, 9});
  CHECK_THROWS_AS(mx::pad(a, {2}, mx::Shape{0}, mx::Shape{1}), mx::AxisError);
  CHECK_THROWS_AS(mx::pad(a, {0, 1}, mx::Shape{0}, mx::Shape{1}), std::invalid_argument);
  CHECK(values(mx::number_of_elements(a, {0, 1}, true, mx::float32)) == Values{0.25f});
  CHECK(values(mx::number_of_elements(a, {-1}, false)) == Values{2});

  Values sums;
  for (mx::array row : a) sums.push_back(static_cast<float>(mx::sum(row).item<int>()));
  CHECK(sums == Values{3, 7});
}

TEST_CASE("MLX's names: slices, scans, sets") {
  mx::array a({1, 2, 3, 4}, {2, 2});
  CHECK(values(mx::cumsum(a)) == Values{1, 3, 6, 10});
  CHECK(values(mx::cumsum(a, true, false)) == Values{9, 7, 4, 0});
  CHECK(mx::cumsum(a, 0, false, true, mx::float32).dtype() == mx::float32);
  CHECK(values(mx::cummax(a)) == Values{1, 2, 3, 4});
  CHECK(values(mx::slice_update_add(a, mx::array({10, 20}, {1, 2}), {0, 0}, {1, 2})) ==
        Values{11, 22, 3, 4});
  CHECK(values(mx::scatter(a, mx::array({1}), mx::array({7, 8}, {1, 1, 2}), 0)) ==
        Values{1, 2, 7, 8});
  CHECK(values(mx::gather(a, mx::array({1, 0}), 0, {1, 2})) == Values{3, 4, 1, 2});
  std::vector<mx::array> found = mx::unique(mx::array({3, 1, 3}), 2, true, true, true);
  REQUIRE(found.size() == 4);
  CHECK(values(found[0]) == Values{1, 3});
  CHECK(values(found[3]) == Values{1, 2});
}

TEST_CASE("MLX's names: convolutions of two and three dimensions take one number for each") {
  mx::array x = mx::ones({1, 4, 5, 1}), w = mx::ones({1, 2, 2, 1});
  CHECK(mx::conv2d(x, w, {1, 2}, {0, 1}).shape() == mx::Shape{1, 3, 3, 1});
  CHECK(mx::conv_transpose2d(x, w, {2, 1}).shape() == mx::Shape{1, 8, 6, 1});
  CHECK(values(mx::conv1d(mx::array({1.0f, 2.0f, 3.0f}, {1, 3, 1}),
                          mx::array({1.0f, 1.0f}, {1, 2, 1}))) == Values{3, 5});
  CHECK(mx::conv3d(mx::ones({1, 2, 3, 4, 1}), mx::ones({1, 1, 2, 3, 1}), {1, 1, 1}).shape() ==
        mx::Shape{1, 2, 2, 2, 1});
}

TEST_CASE("MLX's names: random numbers, norms, Fourier transforms") {
  mx::array key = mx::random::key(3);
  mx::array drawn = mx::random::normal({1000}, 5.0f, 0.1f, key);
  CHECK(std::abs(mx::mean(drawn).item<float>() - 5.0f) < 0.05f);
  CHECK(values(mx::random::uniform({4}, key)) ==
        values(mx::random::uniform({4}, mx::float32, key)));
  CHECK(mx::linalg::norm(mx::array({3.0f, 4.0f}), 0).item<float>() == 5.0f);
  CHECK(mx::linalg::norm(mx::array({3.0f, 4.0f}), 1.0, 0).item<float>() == 7.0f);
  CHECK(values(mx::real(mx::fft::fft2(mx::ones({2, 2}), {-2, -1}))) == Values{4, 0, 0, 0});
}

TEST_CASE("MLX's names: types, devices, streams") {
  CHECK(mx::issubdtype(mx::float16, mx::floating));
  CHECK_FALSE(mx::issubdtype(mx::int32, mx::inexact));
  CHECK(mx::result_type(mx::array(1), mx::array(1.0f)) == mx::float32);
  CHECK(mx::finfo(mx::float16).max == 65504.0);
  CHECK(mx::iinfo(mx::int8).min == -128);
  mx::set_default_device(mx::Device::cpu);
  std::ostringstream text;
  text << mx::default_device() << mx::float32;
  CHECK(text.str() == "Device(cpu, 0)float32");
}

TEST_CASE("MLX's names: functions and arrays as files") {
  auto folder = std::filesystem::temp_directory_path() / "heddle_mlx_names";
  std::filesystem::create_directories(folder);
  std::string path = folder / "f.mlxfn", weights = folder / "w.safetensors";

  mx::export_function(
      path,
      [](const mx::Args& args, const mx::Kwargs& named) {
        return std::vector<mx::array>{args[0] * named.at("by")};
      },
      {mx::array(2.0f)}, {{"by", mx::array(3.0f)}}, true);
  auto imported = mx::import_function(path);
  CHECK(imported({mx::array(5.0f)}, {{"by", mx::array(3.0f)}})[0].item<float>() == 15.0f);

  mx::save_safetensors(weights, std::unordered_map<std::string, mx::array>{{"x", mx::array(7)}});
  CHECK(mx::load_safetensors(weights).first.at("x").item<int>() == 7);
  std::filesystem::remove_all(folder);

  auto kernel = mx::fast::metal_kernel("k", {"x"}, {"y"}, "");
  CHECK_THROWS_AS(kernel({}, {}, {}, {1, 1, 1}, {1, 1, 1}, {}, std::nullopt, false, {}),
                  std::runtime_error);
}
