// Making arrays, their members, types and shapes, creation and reshaping.
#include <cstdlib>
#include <limits>
#include <sstream>
#include <type_traits>

#include "mlx/dtype_utils.h"
#include "mlx/threadpool.h"
#include "mlx/types/limits.h"
#include "show.h"

using namespace mlx::core;

namespace {

void construction() {
  show("scalar", array(1.5f));
  show("double", array(2.5));
  show("int", array(7));
  show("int64", array(int64_t(5000000000)));
  show("unsigned", array(7u));
  show("size_t", array(size_t{9}));
  show("uint8", array(uint8_t(200)));
  show("int8", array(int8_t(-5)));
  show("uint16", array(uint16_t(60000)));
  show("int16", array(int16_t(-300)));
  show("bool", array(true));
  show("complex", array(std::complex<float>(1, -2)));
  show("complex64_t", array(complex64_t(1, -2)));
  show("half", array(float16_t(1.5f)));
  show("brain", array(bfloat16_t(2.5f)));
  show("scalar as", array(2.7, int32));
  show("scalar half", array(1, bfloat16));
  show("list", array({1.0f, 2.0f}));
  show("doubles", array({1.0, 2.0}));
  show("mixed", array({1., -1, -.1}));
  show("ints", array({1, 2, 3}));
  show("ints as", array({1, 2, 3}, float32));
  show("bools", array({true, false, true}));
  show("none", array({}));
  show("none as", array({}, int32));
  show("shaped", array({1, 2, 3, 4}, {2, 2}));
  show("shaped as", array({1, 2, 3, 4}, {2, 2}, int64));
  show("uint8 list", array({uint8_t(1), uint8_t(255)}));
  std::vector<float> floats{1, 2, 3, 4, 5, 6};
  show("iterator", array(floats.begin(), {2, 3}));
  show("pointer", array(floats.data(), {3, 2}));
  show("iterator as", array(floats.begin(), {6}, int32));
  std::vector<double> doubles{1.25, 2.5};
  show("doubles by iterator", array(doubles.begin(), {2}));
  const double* pointer = doubles.data();
  show("const double*", array(pointer, {2}));
  std::vector<bool> bits{true, false, true};
  show("vector<bool>", array(bits.begin(), {3}));
  std::vector<int64_t> longs{1, int64_t(1) << 40};
  show("longs", array(longs.begin(), {2}));
  float memory[4] = {1, 2, 3, 4};
  bool released = false;
  {
    array adopted(memory, {2, 2}, float32, [&](void*) { released = true; });
    show("adopted", adopted);
    show("adopted sum", adopted + adopted);
  }
  tell("released", released);
  array a({1.0f, 2.0f});
  array b = a;
  array c(a);
  array d = std::move(b);
  d = c;
  show("copied", d);
  const array k({3, 4});
  show("const", k);
}

void members() {
  array a({1, 2, 3, 4, 5, 6}, {2, 3});
  tell("itemsize", a.itemsize());
  tell("size", a.size());
  tell("nbytes", a.nbytes());
  tell("ndim", a.ndim());
  tell("shape", a.shape());
  tell("shape(0)", a.shape(0));
  tell("shape(-1)", a.shape(-1));
  tell("strides", a.strides());
  tell("strides(0)", a.strides(0));
  tell("strides(-1)", a.strides(-1));
  tell("dtype", a.dtype());
  tell("shape type", std::is_same_v<decltype(a.shape(0)), int32_t>);
  tell("size type", std::is_same_v<decltype(a.size()), size_t>);
  tell("elements", std::is_same_v<Shape::value_type, ShapeElem>);
  std::vector<int> dims(a.shape().begin(), a.shape().end());
  tell("dims", dims.size() == 2 && dims[1] == 3);
  tell("max dim", std::max(a.shape(0), 5));
  show("array of a size", array(a.shape(0)));
  show("array of size", array(a.size()));
  for (array row : a) show("row", row);
  for (auto& row : array({1.0f, 2.0f})) show("entry", row);
  show("first", *a.begin());
  tell("available", a.is_available());
  array lazy = a + 1;
  tell("lazy", lazy.is_available());
  lazy.eval();
  tell("evaluated", lazy.is_available());
  tell("same id", (a.id() == array(a).id()));
  tell("other id", a.id() == lazy.id());
  array one(2.5f);
  tell("item", one.item<float>());
  tell("item of a sum", (one + one).item<float>());
  tell("int item", array(7).item<int>());
  tell("bool item", array(true).item<bool>());
  tell("half item", static_cast<float>(array(1.5f, float16).item<float16_t>()));
  tell("complex item", array(std::complex<float>(1, 2)).item<complex64_t>());
  tell("truth", all(a == a).item<bool>());

  array filled = zeros({3, 4});
  eval(filled);
  for (size_t i = 0; i < filled.size(); i++) filled.data<float>()[i] = static_cast<float>(i);
  show("filled", filled);
  array sums = sum(filled, 0) + filled;
  eval(sums);
  const float* p = sums.data<float>();
  tell("read", p[0] + p[11]);
  // What is written into one array does not reach the one that it was made of.
  array source({1.0f, 2.0f}), one_more(1.0f);
  for (array made : {full({2}, source), full_like(source, source), full({1}, one_more),
                     full({}, one_more), pad(source, 0), abs(source), concatenate({source, source}),
                     broadcast_to(one_more, {3}) + 0}) {
    eval(made, source, one_more);
    made.data<float>()[0] = 77;
  }
  show("source", source);
  show("one more", one_more);
  tell("contiguous", filled.flags().contiguous);
  tell("row_contiguous", filled.flags().row_contiguous);
  tell("col_contiguous", filled.flags().col_contiguous);
  tell("data_size", filled.data_size());
  array text({1.0f, 0.1f});
  std::ostringstream stream;
  stream << text << array(true) << array({1, 2, 3, 4}, {2, 2});
  tell("printed", stream.str());
  a.overwrite_descriptor(array({9}));
  show("overwritten", a);
}

void types() {
  for (Dtype t : {bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float16, float32,
                  float64, bfloat16, complex64}) {
    std::ostringstream name;
    name << t;
    tell(name.str() + " size", int(t.size()));
    tell(name.str() + " size_of", int(size_of(t)));
    tell(name.str() + " kind", kindof(t));
    for (auto category : {complexfloating, floating, inexact, signedinteger, unsignedinteger,
                          integer, number, generic}) {
      tell(name.str() + " is", issubdtype(t, category));
      tell(name.str() + " holds", issubdtype(category, t));
    }
    tell(name.str() + " promoted", promote_types(t, float16));
    tell(name.str() + " is itself", issubdtype(t, t));
    switch (t) {
      case float32:
        tell("switch", "float32");
        break;
      default:
        break;
    }
    tell("val", static_cast<int>(t.val()));
  }
  for (Dtype t : {bool_, int16, uint64, bfloat16, float32, complex64}) {
    size_t bytes = 0;
    dispatch_all_types(t, [&](auto tag) { bytes = sizeof(MLX_GET_TYPE(tag)); });
    tell("type of it", bytes);
    refused("int", [&] { dispatch_int_types(t, "[op]", [](auto) {}); });
    refused("float", [&] { dispatch_float_types(t, "[op]", [](auto) {}); });
    refused("inexact", [&] { dispatch_inexact_types(t, "[op]", [](auto) {}); });
    refused("int or float", [&] { dispatch_int_float_types(t, "[op]", [](auto) {}); });
    refused("real", [&] { dispatch_real_types(t, "[op]", [](auto) {}); });
  }
  tell("largest half", numeric_limits<float16_t>::max());
  tell("lowest brain", numeric_limits<bfloat16_t>::lowest());
  tell("infinite", numeric_limits<float>::infinity());
  ThreadPool pool(2);
  tell("by a thread", pool.enqueue([](int x) { return x + 1; }, 6).get());
  pool.resize(1);
  tell("by another", pool.enqueue([] { return 8; }).get());
  tell("categories", issubdtype(floating, inexact) && !issubdtype(inexact, floating));
  Dtype of_float = TypeToDtype<float>();
  tell("TypeToDtype", of_float);
  tell("of double", Dtype(TypeToDtype<double>()));
  tell("of half", Dtype(TypeToDtype<float16_t>()));
  tell("of complex", Dtype(TypeToDtype<complex64_t>()));
  tell("result 2", result_type(array(1), array(1.0f)));
  tell("result 3", result_type(array(1), array(true), array(uint8_t(1))));
  tell("result list", result_type({array(1), array(1.0f, float16)}));
  tell("finfo", finfo(float16).max);
  tell("finfo min", finfo(bfloat16).min);
  tell("finfo eps", finfo(float32).eps);
  tell("finfo smallest", finfo(float32).smallest_normal);
  tell("finfo dtype", finfo(float32).dtype);
  tell("finfo bits", finfo(float16).bits);
  tell("iinfo", iinfo(int8).min);
  tell("iinfo max", iinfo(uint64).max);
  tell("iinfo dtype", iinfo(int8).dtype);

  float16_t h(1.5f), g = 2.0f;
  bfloat16_t b(3.0f);
  tell("half sum", h + g);
  tell("half difference", h - g);
  tell("half product", h * g);
  tell("half ratio", h / g);
  tell("half minus", -h);
  tell("half less", h < g);
  tell("half equal", h == g);
  tell("half unequal", h != g);
  tell("half at least", h >= g);
  tell("half and float", h * 0.1f);
  tell("half and int", h + 2);
  tell("two halves", h + b);
  tell("halves are halves", std::is_same_v<decltype(h + g), float16_t>);
  tell("half and float are float", std::is_same_v<decltype(h + 1.0f), float>);
  tell("half and int are half", std::is_same_v<decltype(h + 1), float16_t>);
  h += g;
  h *= 3;
  tell("half in place", h);
  float f = 1.0f;
  f += g;
  tell("float in place", f);
  tell("brain sum", b + b);
  tell("brain minus", -b);
  complex64_t z(1, 2), w(3);
  tell("complex sum", z + w);
  tell("complex and float", z + 1.0f);
  tell("complex to float", static_cast<float>(z));
  tell("complex greater", z > w);
  tell("complex at least", z >= w);
  tell("complex less", z < w);
  tell("complex minus", -z);
  tell("complex remainder", complex64_t(5, 7) % complex64_t(3, 4));
  tell("complex truth", static_cast<bool>(z));
  tell("signed", is_signed_v<float16_t>);
  tell("floating", is_floating_point_v<bfloat16_t>);
  tell("is array", is_array_v<array>);

  Shape s{2, 3, 4};
  tell("at", s.at(1));
  s.push_back(5);
  s.insert(s.begin(), 1);
  s.insert(s.end(), {6, 7});
  tell("inserted", s);
  s.erase(s.begin() + 1);
  s.pop_back();
  tell("erased", s);
  tell("back", s.back());
  tell("front", s.front());
  tell("empty", s.empty());
  Shape t(s.begin(), s.begin() + 2);
  tell("part", t);
  tell("unequal", t != s);
  tell("filled shape", Shape(3, 1));
  s.resize(2);
  tell("resized", s);
  s.emplace_back(9);
  tell("reversed", Shape(s.rbegin(), s.rend()));
  s.clear();
  tell("cleared", s);
  tell("shapes", broadcast_shapes({2, 1}, {1, 3}));
  show("after shapes", array(1.f) + array(2.f));
  tell("safe_cast", safe_cast(size_t{7}, "op"));
  refused("safe_cast", [] { safe_cast(int64_t(1) << 40); });
  tell("normalize_axis_index", normalize_axis_index(-1, 3));
  refused("normalize_axis_index", [] { normalize_axis_index(3, 3, "[op] "); });
}

void creation() {
  show("arange 4", arange(0.0, 4.0, 1.5, float32));
  show("arange 3", arange(0.0, 4.0, 1.5));
  show("arange 2", arange(1.0, 4.0, float16));
  show("arange 2 plain", arange(1.0, 4.0));
  show("arange 1", arange(3.0, int32));
  show("arange 1 plain", arange(3.0));
  show("arange ints", arange(1, 9, 3));
  show("arange int", arange(1, 4));
  show("arange stop", arange(5));
  show("linspace", linspace(0, 1, 3));
  show("linspace half open", linspace(0, 1, 4, false));
  show("linspace as", linspace(0.0, 1.0, 3, float16));
  show("linspace default", sum(linspace(0, 1)));
  show("full", full({2, 2}, 7));
  show("full float", full({2}, 7.5f));
  show("full as", full({2}, 7, float16));
  show("full array", full({2, 2}, array({1, 2})));
  show("full array as", full({2, 2}, array({1, 2}), float32));
  show("full bool", full({2}, true));
  show("full_like", full_like(array({1.0f, 2.0f}), 3));
  show("full_like as", full_like(array({1.0f, 2.0f}), 3, int32));
  show("full_like array", full_like(array({1.0f, 2.0f}), array(4)));
  show("full_like array as", full_like(array({1.0f, 2.0f}), array(4), int8));
  show("zeros", zeros({2, 3}));
  show("zeros as", zeros({2}, int32));
  show("zeros none", zeros({}));
  show("zeros_like", zeros_like(array({1, 2})));
  show("zeros_like as", zeros_like(array({1, 2}), float16));
  show("ones", ones({2, 3}));
  show("ones as", ones({2}, bool_));
  show("ones_like", ones_like(array({1, 2})));
  show("ones_like as", ones_like(array({1, 2}), float32));
  show("eye", eye(2));
  show("eye as", eye(2, int32));
  show("eye 2", eye(2, 3));
  show("eye 3", eye(2, 3, 1));
  show("eye 4", eye(2, 3, -1, int8));
  show("identity", identity(2));
  show("identity as", identity(2, float16));
  show("tri", tri(2, 3, 0, float32));
  show("tri square", tri(2, int32));
  array m = reshape(arange(9), {3, 3});
  show("tril", tril(m));
  show("tril k", tril(m, -1));
  show("triu", triu(m, 1));
  show("hanning", hanning(5));
  show("hamming", hamming(5));
  show("bartlett", bartlett(5));
  show("blackman", blackman(5));
  show("number_of_elements", number_of_elements(m, {0, 1}, false));
  show("number_of_elements inverted", number_of_elements(m, {0}, true, float32));
  show("meshgrid", meshgrid({array({1, 2}), array({3, 4, 5})}));
  show("meshgrid sparse", meshgrid({array({1, 2}), array({3, 4, 5})}, true, "ij"));
}

void shapes() {
  array a = reshape(arange(24), {2, 3, 4});
  show("reshape", reshape(a, {6, -1}));
  show("unflatten", unflatten(a, 2, {2, -1}));
  show("flatten", flatten(a));
  show("flatten axes", flatten(a, 1));
  show("flatten range", flatten(a, 0, 1));
  show("squeeze", squeeze(reshape(a, {1, 24, 1})));
  show("squeeze axis", squeeze(reshape(a, {1, 24, 1}), 0));
  show("squeeze axes", squeeze(reshape(a, {1, 24, 1}), {0, 2}));
  show("expand_dims", expand_dims(array({1, 2}), 0));
  show("expand_dims axes", expand_dims(array({1, 2}), {0, 2}));
  show("flip", flip(array({1, 2, 3})));
  show("flip axis", flip(a, 1));
  show("flip axes", flip(a, {0, 2}));
  show("split", split(a, 3, 1));
  show("split 0", split(a, 2));
  show("split at", split(a, {1, 3}, 2));
  show("split at 0", split(array({1, 2, 3, 4}), Shape{1, 3}));
  show("unstack", unstack(a));
  show("unstack axis", unstack(a, 1));
  show("concatenate", concatenate({array({1, 2}), array({3})}));
  show("concatenate axis", concatenate({a, a}, 1));
  show("stack", stack({array({1, 2}), array({3, 4})}));
  show("stack axis", stack({array({1, 2}), array({3, 4})}, 1));
  show("repeat", repeat(array({1, 2}), 2));
  show("repeat axis", repeat(reshape(arange(4), {2, 2}), 2, 1));
  show("tile", tile(array({1, 2}), {2}));
  show("tile 2", tile(array({1, 2}), {2, 2}));
  show("transpose", transpose(a));
  show("transpose axes", transpose(a, {2, 0, 1}));
  show("matrix_transpose", matrix_transpose(a));
  show("swapaxes", swapaxes(a, 0, 2));
  show("moveaxis", moveaxis(a, 0, -1));
  show("pad", pad(array({1, 2}), 1));
  show("pad pair", pad(array({1, 2}), {1, 2}));
  show("pad pairs", pad(reshape(arange(4), {2, 2}), {{1, 0}, {0, 1}}));
  show("pad value", pad(array({1, 2}), 1, array(9)));
  show("pad mode", pad(array({1, 2}), 1, array(0), "edge"));
  show("pad axes", pad(reshape(arange(4), {2, 2}), std::vector<int>{-1}, Shape{0}, Shape{1}));
  show("broadcast_to", broadcast_to(array({1, 2}), {2, 2}));
  show("broadcast_arrays", broadcast_arrays({array({1, 2}), array({3, 4}, {2, 1})}));
  show("diagonal", diagonal(reshape(arange(9), {3, 3}), 1));
  show("diagonal axes", diagonal(a, 0, 1, 2));
  show("diag", diag(array({1, 2})));
  show("diag of a matrix", diag(reshape(arange(9), {3, 3}), -1));
  show("trace", trace(reshape(arange(9), {3, 3})));
  show("trace axes", trace(a, 0, 1, 2));
  show("trace as", trace(a, 1, 1, 2, float32));
  show("depends", depends({array({1, 2})}, {array({3})}));
  show("atleast_1d", atleast_1d(array(1)));
  show("atleast_2d", atleast_2d(array({1, 2})));
  show("atleast_3d", atleast_3d(array({1, 2})));
  show("atleast lists", atleast_1d({array(1), array({2, 3})}));
  show("atleast_2d lists", atleast_2d({array(1), array({2, 3})}));
  show("atleast_3d lists", atleast_3d({array(1), array({2, 3})}));
  show("view", view(array({1.0f, -2.0f}), int32));
  show("roll", roll(array({1, 2, 3}), 1));
  show("roll shape", roll(array({1, 2, 3}), Shape{1, 1}));
  show("roll axis", roll(a, 1, 2));
  show("roll axes", roll(a, 1, {0, 2}));
  show("roll shape axis", roll(a, Shape{1, 1}, 2));
  show("roll shapes", roll(a, {1, -1}, {1, 2}));
  show("contiguous", contiguous(transpose(a)));
  show("contiguous col", contiguous(transpose(a), true));
  show("copy", copy(a));
  show("as_strided", as_strided(a, {2, 2}, {4, 1}, 3));
  show("diff", diff(array({1, 4, 9, 16})));
  show("diff n", diff(array({1, 4, 9, 16}), 2));
  show("diff axis", diff(a, 1, 0));

  array view_of = transpose(a);
  eval(view_of);
  const int32_t* data = view_of.data<int32_t>();
  auto steps = view_of.strides();
  int found = 0;
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 3; j++) found = found * 3 + data[i * steps[0] + j * steps[1]] % 7;
  }
  tell("by strides", found);
}

}  // namespace

int main() {
  construction();
  members();
  types();
  creation();
  shapes();
}
