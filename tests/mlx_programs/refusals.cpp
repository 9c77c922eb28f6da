// The classes of exceptions: what each call says of arguments that it does not take.
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>

#include "mlx/export.h"
#include "mlx/memory.h"
#include "show.h"

using namespace mlx::core;

namespace {

void axes_and_shapes() {
  array a = reshape(arange(6.0, float32), {2, 3}), v({1.0f, 2.0f, 3.0f});
  refused("shape", [&] { a.shape(5); });
  refused("strides", [&] { a.strides(5); });
  refused("item", [&] { array(a).item<float>(); });
  refused("count", [&] { array({1, 2, 3}, {2, 2}); });
  refused("negative size", [&] { zeros({-1}); });
  refused("iteration", [&] {
    for (auto x : array(1)) show("x", x);
  });
  refused("reshape", [&] { reshape(a, {4}); });
  refused("reshape two", [&] { reshape(a, {-1, -1}); });
  refused("broadcast", [&] { a + array({1, 2}); });
  refused("broadcast_to", [&] { broadcast_to(a, {4}); });
  refused("broadcast_shapes", [&] { broadcast_shapes({2}, {3}); });
  refused("sum", [&] { sum(a, 5); });
  refused("sum list", [&] { sum(a, {0, 5}); });
  refused("sum twice", [&] { sum(a, {0, 0}); });
  refused("prod", [&] { prod(a, 5); });
  refused("max", [&] { max(a, 5); });
  refused("min", [&] { min(a, 5); });
  refused("minmax", [&] { minmax(a, 5); });
  refused("all", [&] { all(a, 5); });
  refused("any", [&] { any(a, 5); });
  refused("mean", [&] { mean(a, 5); });
  refused("var", [&] { var(a, 5); });
  refused("std", [&] { mlx::core::std(a, 5); });
  refused("median", [&] { median(a, 5); });
  refused("count_nonzero", [&] { count_nonzero(a, 5); });
  refused("argmax", [&] { argmax(a, 5); });
  refused("argmin", [&] { argmin(a, -5); });
  refused("argmax empty", [&] { argmax(array({})); });
  refused("max empty", [&] { max(array({})); });
  refused("softmax", [&] { softmax(a, 5); });
  refused("softmax list", [&] { softmax(a, {5}); });
  refused("logsumexp", [&] { logsumexp(a, 5); });
  refused("sort", [&] { sort(a, 5); });
  refused("argsort", [&] { argsort(a, 5); });
  refused("partition", [&] { partition(a, 0, 5); });
  refused("partition kth", [&] { partition(a, 7, 1); });
  refused("argpartition", [&] { argpartition(a, 0, 5); });
  refused("topk", [&] { topk(a, 1, 5); });
  refused("topk k", [&] { topk(a, 7, 1); });
  refused("searchsorted", [&] { searchsorted(v, v, "middle"); });
  refused("cumsum", [&] { cumsum(a, 5); });
  refused("cumprod", [&] { cumprod(a, 5); });
  refused("cummax", [&] { cummax(a, 5); });
  refused("cummin", [&] { cummin(a, 5); });
  refused("logcumsumexp", [&] { logcumsumexp(a, 5); });
  refused("diff", [&] { diff(a, 1, 5); });
  refused("diff n", [&] { diff(a, -1); });
  refused("squeeze", [&] { squeeze(a, 5); });
  refused("squeeze list", [&] { squeeze(a, {5}); });
  refused("squeeze size", [&] { squeeze(a, 0); });
  refused("expand_dims", [&] { expand_dims(a, 7); });
  refused("expand_dims list", [&] { expand_dims(a, {7}); });
  refused("flip", [&] { flip(a, 5); });
  refused("split", [&] { split(a, 2, 5); });
  refused("split uneven", [&] { split(a, 2, 1); });
  refused("split at", [&] { split(a, Shape{1}, 5); });
  refused("unstack", [&] { unstack(a, 5); });
  refused("concatenate", [&] { concatenate({a, a}, 5); });
  refused("concatenate none", [&] { concatenate({}, 0); });
  refused("concatenate shapes", [&] { concatenate({a, v}, 0); });
  refused("stack", [&] { stack({a, a}, 5); });
  refused("stack shapes", [&] { stack({a, v}); });
  refused("repeat", [&] { repeat(a, 2, 5); });
  refused("repeat negative", [&] { repeat(a, -2, 0); });
  refused("transpose", [&] { transpose(a, {0, 5}); });
  refused("transpose twice", [&] { transpose(a, {0, 0}); });
  refused("transpose few", [&] { transpose(a, {0}); });
  refused("matrix_transpose", [&] { matrix_transpose(v); });
  refused("swapaxes", [&] { swapaxes(a, 0, 5); });
  refused("moveaxis", [&] { moveaxis(a, 0, 5); });
  refused("moveaxis from", [&] { moveaxis(a, 5, 0); });
  refused("unflatten", [&] { unflatten(a, 5, {1}); });
  refused("unflatten size", [&] { unflatten(a, 1, {2, 2}); });
  refused("pad", [&] { pad(a, {{1, 1}}); });
  refused("pad negative", [&] { pad(a, -1); });
  refused("pad mode", [&] { pad(a, 1, array(0), "mirror"); });
  refused("roll", [&] { roll(a, 1, 5); });
  refused("diagonal", [&] { diagonal(a, 0, 0, 5); });
  refused("diagonal 1", [&] { diagonal(v); });
  refused("diag", [&] { diag(reshape(a, {1, 2, 3})); });
  refused("trace", [&] { trace(v); });
  refused("view", [&] { view(array({1.0f}), complex64); });
  refused("take", [&] { take(a, array({0}), 5); });
  refused("take one", [&] { take(a, 0, 5); });
  refused("take_along_axis", [&] { take_along_axis(a, array({0}, {1, 1}), 5); });
  refused("take_along_axis ndim", [&] { take_along_axis(a, array({0}), 0); });
  refused("put_along_axis", [&] { put_along_axis(a, array({0}, {1, 1}), array(1), 5); });
  refused("scatter_add_axis", [&] { scatter_add_axis(a, array({0}, {1, 1}), array(1), 5); });
  refused("gather", [&] { gather(a, array({0}), 5, {1, 1}); });
  refused("scatter", [&] { scatter(a, array({0}), zeros({1, 1, 3}), 5); });
  refused("slice", [&] { slice(a, {0}, {1}); });
  refused("slice_update", [&] { slice_update(a, zeros({7}), Shape{0, 0}, Shape{2, 2}); });
  refused("matmul", [&] { matmul(a, a); });
  refused("matmul scalar", [&] { matmul(a, array(1.0f)); });
  refused("matmul ints", [&] { matmul(array({1}), array({1})); });
  refused("addmm", [&] { addmm(a, a, a); });
  refused("tensordot", [&] { tensordot(a, a, {0}, {1}); });
  refused("tensordot axis", [&] { tensordot(a, a, {5}, {1}); });
  refused("inner", [&] { inner(a, array({1.0f})); });
  refused("vecdot", [&] { vecdot(a, a, 5); });
  refused("einsum", [&] { einsum("ij,jk->ik", {a}); });
  refused("conv1d", [&] { conv1d(a, a); });
  refused("conv2d groups", [&] { conv2d(ones({1, 4, 4, 3}), ones({2, 2, 2, 2})); });
  refused("negative bool", [&] { -array(true); });
  refused("bitwise float", [&] { v& v; });
  refused("arange", [&] { arange(0.0, 1.0, 0.0); });
  refused("linspace", [&] { linspace(0, 1, -1); });
  refused("eye", [&] { eye(-1); });
  refused("tri", [&] { tri(2, 2, 0, float32); });
  refused("finfo", [&] { finfo t(int32); });
  refused("iinfo", [&] { iinfo t(float32); });
  refused("quantize", [&] { quantize(a); });
  refused("quantize mode", [&] { quantize(ones({1, 64}), 64, 4, "other"); });
  refused("inv", [&] { linalg::inv(a, Device::cpu); });
  refused("qr", [&] { linalg::qr(v, Device::cpu); });
  refused("svd ints", [&] { linalg::svd(array({1, 2}, {1, 2}), Device::cpu); });
  refused("norm axis", [&] { linalg::norm(a, 1.0, 5); });
  refused("norm axes", [&] { linalg::norm(a, std::vector<int>{0, 5}); });
  refused("norm ord", [&] { linalg::norm(a, "other"); });
  refused("cross", [&] { linalg::cross(a, v, 5); });
  refused("cross size", [&] { linalg::cross(zeros({4}), zeros({4})); });
  refused("eigh UPLO", [&] { linalg::eigvalsh(a, "X", Device::cpu); });
  refused("fft", [&] { fft::fft(a, 5); });
  refused("fft n", [&] { fft::fft(a, 0, 0); });
  refused("fftn", [&] { fft::fftn(a, {0, 0}); });
  refused("rms_norm", [&] { fast::rms_norm(a, ones({2}), 1e-5f); });
  refused("rope", [&] { fast::rope(v, 8, false, 1.0f, 1.0f, 0); });
  refused("attention", [&] { fast::scaled_dot_product_attention(a, a, a, 1.0f); });
  refused("random bits", [&] { random::bits({2}, 3); });
  refused("random key", [&] { random::uniform({2}, array({1, 2, 3})); });
  refused("random split", [&] { random::split(array({1.0f}), 2); });
  refused("uniform ints", [&] { random::uniform({2}, int32); });
  refused("categorical", [&] { random::categorical(a, 5); });
  refused("permutation", [&] { random::permutation(a, 5); });
  refused("bernoulli", [&] { random::bernoulli(v, {2}); });
  refused("randint", [&] { random::randint(0, 1, {2}, float32); });
  refused("grad of a vector", [&] { grad([](const array& x) { return x; })(v); });
  refused("grad argnum",
          [&] { grad([](const std::vector<array>& x) { return sum(x[0]); }, 3)({v}); });
  refused("vjp counts", [&] { vjp([](const std::vector<array>& x) { return x; }, {v}, {}); });
  refused("vjp shapes", [&] { vjp([](const array& x) { return x; }, v, a); });
  refused("jvp counts", [&] { jvp([](const std::vector<array>& x) { return x; }, {v}, {}); });
  refused("eval in compile", [&] {
    compile([](const std::vector<array>& x) {
      eval(x[0]);
      return x;
    })({v + 1});
  });
  refused("gpu stream", [] { new_stream(Device::gpu); });
  refused("gpu op", [&] { exp(v, Device::gpu).item<float>(); });
}

void everything_else(const std::string& folder) {
  array a = reshape(arange(6.0, float32), {2, 3}), v({1.0f, 2.0f, 3.0f}), x = ones({1, 4, 4, 2}),
        w = ones({2, 2, 2, 2});
  array q = quantize(ones({4, 64}))[0];
  auto qs = quantize(ones({4, 64}));
  refused("conv stride 0", [&] { conv2d(x, w, {0, 1}); });
  refused("conv dilation 0", [&] { conv2d(x, w, {1, 1}, {0, 0}, {0, 1}); });
  refused("conv negative pad", [&] { conv2d(x, w, {1, 1}, {-5, 0}); });
  refused("conv channels", [&] { conv2d(ones({1, 4, 4, 3}), w); });
  refused("conv rank", [&] { conv2d(v, w); });
  refused("conv3d rank", [&] { conv3d(x, w); });
  refused("conv kernel too large", [&] { conv2d(ones({1, 1, 1, 2}), w); });
  refused("einsum unknown", [&] { einsum("ij->k", {a}); });
  refused("einsum sizes", [&] { einsum("ij,ij->ij", {a, reshape(a, {3, 2})}); });
  refused("einsum letters", [&] { einsum("i1->i", {a}); });
  refused("einsum path", [&] { einsum_path("ij", {}); });
  refused("einsum dots", [&] { einsum("...i.->i", {a}); });
  refused("quantized_matmul shapes", [&] { quantized_matmul(v, qs[0], qs[1], qs[2]); });
  refused("quantized_matmul bits", [&] {
    quantized_matmul(ones({1, 64}), qs[0], qs[1], qs[2], true, 64, 7);
  });
  refused("quantized_matmul dtype", [&] {
    quantized_matmul(ones({1, 64}), ones({4, 8}), qs[1], qs[2]);
  });
  refused("quantized_matmul no biases", [&] { quantized_matmul(ones({1, 64}), qs[0], qs[1]); });
  refused("dequantize no biases", [&] { dequantize(qs[0], qs[1]); });
  refused("dequantize shape", [&] { dequantize(qs[0], v, v); });
  refused("quantize group", [&] { quantize(ones({4, 64}), 48, 4); });
  refused("quantize bits", [&] { quantize(ones({4, 64}), 64, 9); });
  refused("quantize dims", [&] { quantize(v); });
  refused("quantize ints", [&] { quantize(ones({4, 64}, int32)); });
  refused("gather_qmm", [&] {
    gather_qmm(ones({1, 64}), qs[0], qs[1], qs[2], array({0.5f}), std::nullopt);
  });
  refused("gather_mm index dtype", [&] {
    gather_mm(ones({2, 2, 2}), ones({2, 2, 2}), array({0.5f}), std::nullopt);
  });
  refused("block_masked_mm size", [&] { block_masked_mm(a, reshape(a, {3, 2}), 7); });
  refused("segmented_mm", [&] { segmented_mm(a, reshape(a, {3, 2}), v); });
  refused("kron", [&] { kron(array(1.0f), v); });
  refused("outer", [&] { outer(a, v); });
  refused("hadamard", [&] { hadamard_transform(ones({2, 0})); });
  refused("hadamard int", [&] { hadamard_transform(ones({2, 4}, int32)); });
  refused("take float index", [&] { take(a, array({0.5f}), 0); });
  refused("gather float", [&] { gather(a, array({0.5f}), 0, {1, 3}); });
  refused("gather count", [&] {
    gather(a, {array({0}), array({0}), array({0})}, {0, 1, 1}, {1, 1});
  });
  refused("gather slice", [&] { gather(a, array({0}), 0, {1, 4}); });
  refused("gather ndim", [&] { gather(a, array({0}), 0, {1}); });
  refused("scatter shape", [&] { scatter(a, array({0}), zeros({3}), 0); });
  refused("scatter big", [&] { scatter(a, array({0}), zeros({1, 3, 3}), 0); });
  refused("masked_scatter mask", [&] { masked_scatter(a, array({true}), v); });
  refused("masked_scatter not bool", [&] { masked_scatter(a, a, v); });
  refused("put_along shape", [&] { put_along_axis(a, array({0, 1, 2}, {3, 1}), v, 1); });
  refused("slice lengths", [&] { slice(a, {0, 0}, {2}, {1, 1}); });
  refused("slice at axes", [&] { slice(a, array({0}), {5}, {1, 1}); });
  refused("slice at count", [&] { slice(a, array({0, 1}), {0}, {1, 1}); });
  refused("slice at size", [&] { slice(a, array({0}), {0}, {3, 1}); });
  refused("slice_update at", [&] { slice_update(a, ones({3, 3}), array({0}), {0}); });
  refused("where shapes", [&] { where(array({true, false}), v, v); });
  refused("meshgrid indexing", [&] { meshgrid({v, v}, false, "zz"); });
  refused("unique size", [&] { unique(v, -1); });
  refused("unique empty", [&] { unique(array({}), 2); });
  refused("diagonal same", [&] { diagonal(a, 0, 1, 1); });
  refused("broadcast_arrays", [&] { broadcast_arrays({v, ones({2})}); });
  refused("reshape 0", [&] { reshape(a, {0}); });
  refused("reshape inf 0", [&] { reshape(array({}), {0, -1}); });
  refused("unflatten -1s", [&] { unflatten(a, 1, {-1, -1}); });
  refused("flatten", [&] { flatten(a, 1, 0); });
  refused("expand twice", [&] { expand_dims(a, {0, 0}); });
  refused("squeeze twice", [&] { squeeze(ones({1, 1}), {0, 0}); });
  refused("flip twice", [&] { flip(a, {0, 0}); });
  refused("roll counts", [&] { roll(a, {1, 2, 3}, {0, 1}); });
  refused("tile negative", [&] { tile(a, {-1}); });
  refused("split 0", [&] { split(a, 0); });
  refused("split negative", [&] { split(a, -1); });
  refused("stack none", [&] { stack({}); });
  refused("view f", [&] { view(array(1.0f), float16); });
  refused("astype", [&] { astype(a, bool_); });
  refused("cross dims", [&] { linalg::cross(a, v); });
  refused("solve", [&] { linalg::solve(a, v, Device::cpu); });
  refused("solve shapes", [&] { linalg::solve(eye(2), ones({3}), Device::cpu); });
  refused("lu", [&] { linalg::lu(v, Device::cpu); });
  refused("cholesky", [&] { linalg::cholesky(a, false, Device::cpu); });
  refused("singular", [&] { linalg::inv(zeros({2, 2}), Device::cpu).item<float>(); });
  refused("inv ints", [&] { linalg::inv(ones({2, 2}, int32), Device::cpu); });
  refused("det", [&] { linalg::det(a, Device::cpu); });
  refused("eig", [&] { linalg::eig(a, Device::cpu); });
  refused("norm 3d", [&] { linalg::norm(ones({2, 2, 2}), 2.0); });
  refused("norm bad", [&] { linalg::norm(a, 3.0, std::vector<int>{0, 1}); });
  refused("norm nuc", [&] { linalg::norm(v, "nuc"); });
  refused("pinv", [&] { linalg::pinv(v, Device::cpu); });
  refused("fftn sizes", [&] { fft::fftn(a, {1}, {0, 1}); });
  refused("fftn scalar", [&] { fft::fftn(array(1.0f)); });
  refused("rfft complex", [&] { fft::rfft(astype(a, complex64)); });
  refused("irfft n", [&] { fft::irfft(a, -1, 0); });
  refused("fftfreq", [&] { fft::fftfreq(-1); });
  refused("fftfreq 0", [&] { fft::fftfreq(0); });
  refused("fftshift", [&] { fft::fftshift(a, {5}); });
  refused("stft", [&] { fft::stft(v, 16); });
  refused("stft scalar", [&] { fft::stft(array(1.0f)); });
  refused("stft n", [&] { fft::stft(ones({64}), 0); });
  refused("stft mode", [&] { fft::stft(ones({64}), 16, 4, 16, std::nullopt, true, "zz"); });
  refused("layer_norm", [&] { fast::layer_norm(a, ones({2}), std::nullopt, 1e-5f); });
  refused("layer_norm scalar",
          [&] { fast::layer_norm(array(1.0f), std::nullopt, std::nullopt, 1e-5f); });
  refused("rope dims", [&] { fast::rope(ones({1, 2, 8}), 7, false, 1.0f, 1.0f, 0); });
  refused("rope both", [&] { fast::rope(ones({1, 2, 8}), 8, false, 1.0f, 1.0f, 0, ones({4})); });
  refused("rope none", [&] { fast::rope(ones({1, 2, 8}), 8, false, std::nullopt, 1.0f, 0); });
  refused("rope freqs", [&] {
    fast::rope(ones({1, 2, 8}), 8, false, std::nullopt, 1.0f, 0, ones({5}));
  });
  array k = ones({1, 2, 3, 8});
  refused("sdpa mode", [&] { fast::scaled_dot_product_attention(k, k, k, 1.0f, "zz"); });
  refused("sdpa mask", [&] {
    fast::scaled_dot_product_attention(k, k, k, 1.0f, "", ones({7, 7}));
  });
  refused("sdpa heads", [&] {
    fast::scaled_dot_product_attention(ones({1, 3, 3, 8}), k, k, 1.0f);
  });
  refused("sdpa dims", [&] { fast::scaled_dot_product_attention(ones({1, 2, 3, 4}), k, k, 1.0f); });
  refused("cross_entropy", [&] { fast::cross_entropy(a, array({0, 1, 2})); });
  refused("random key dtype", [&] { random::uniform({2}, array({1.0f, 2.0f})); });
  refused("random key int", [&] { random::uniform({2}, array({1, 2})); });
  refused("uniform bounds", [&] { random::uniform(v, v, {2}); });
  refused("normal int", [&] { random::normal({2}, int32); });
  refused("randint shape", [&] { random::randint(array({0, 1, 2}), array(5), {2}); });
  refused("truncated int", [&] { random::truncated_normal(array(0), array(1), {2}, int32); });
  refused("categorical shape", [&] { random::categorical(a, -1, Shape{7}); });
  refused("multivariate",
          [&] { random::multivariate_normal(v, eye(2), {1}, float32, std::nullopt, Device::cpu); });
  refused("multivariate f16",
          [&] { random::multivariate_normal(v, eye(3), {1}, float16, std::nullopt, Device::cpu); });
  refused("permutation negative", [&] { random::permutation(-1); });
  refused("laplace int", [&] { random::laplace({2}, int32); });
  refused("bits negative", [&] { random::bits({-2}); });
  refused("full negative", [&] { full({-1}, 1.0f); });
  refused("full shapes", [&] { full({2}, v); });
  refused("arange nan", [&] { arange(0.0, NAN, 1.0); });
  refused("arange inf", [&] { arange(0.0, INFINITY, 1.0); });
  refused("arange bool", [&] { arange(0.0, 3.0, 1.0, bool_); });
  refused("hanning", [&] { hanning(-1); });
  refused("identity", [&] { identity(-2); });
  refused("from_fp8", [&] { from_fp8(v, float32); });
  refused("to_fp8", [&] { to_fp8(array(1)); });
  refused("erfinv int", [&] { erfinv(array(1)); });
  refused("left_shift float", [&] { left_shift(v, v); });
  refused("invert float", [&] { bitwise_invert(v); });
  refused("value_and_grad int", [&] {
    grad([](const array& z) { return sum(z); })(array({1, 2}));
  });
  refused("vmap scalar", [&] { vmap([](const array& z) { return z; })(array(1.0f)); });
  refused("vmap out", [&] { vmap([](const array& z) { return z; }, 0, 5)(v); });
  refused("vmap none",
          [&] { vmap([](const std::vector<array>& z) { return z; }, {-1}, {0})({v}); });
  refused("vmap count", [&] { vmap([](const std::vector<array>& z) { return z; }, {0, 0})({v}); });
  refused("custom vjp count", [&] {
    vjp(custom_vjp([](const std::vector<array>& z) { return z; },
                   [](auto&, auto&, auto&) { return std::vector<array>{}; }),
        {v}, {v});
  });
  refused("save gguf", [&] { save_gguf("/nonexistent/x.gguf", {{"a", v}}); });
  refused("save npy", [&] { save("/nonexistent/x.npy", v); });
  refused("save safetensors", [&] { save_safetensors("/nonexistent/x", {{"a", v}}); });
  refused("load gguf", [&] { load_gguf("/nonexistent/x.gguf"); });
  std::ofstream(folder + "/bad.gguf") << "not one";
  std::ofstream(folder + "/bad.mlxfn") << "not one";
  refused("bad gguf", [&] { load_gguf(folder + "/bad.gguf"); });
  refused("bad function", [&] { import_function(folder + "/bad.mlxfn"); });
  refused("exporter path",
          [&] { export_function("/nonexistent/f.mlxfn", [](const Args& z) { return z; }, {v}); });
}

}  // namespace

int main(int, char** arguments) {
  axes_and_shapes();
  everything_else(arguments[1]);
}
